//! Where each value of a JSON text stands: a pointer's line and column.
//!
//! `serde_json` gives the line and column of a syntax error only. This walks a text that
//! `serde_json` has accepted once more, so it may be short; it is total all the same.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Line and column of every value, and the keys that stand twice.
///
/// Kept by the object or array that a value stands in and its name there: whole pointers would take
/// the square of the text's size, if a long key is around many values.
#[derive(Debug, Default)]
pub struct Positions {
    root: Place,
    places: HashMap<(u32, Token), Place>,
    /// Objects and arrays, each with what it stands in; the first is the document.
    containers: Vec<(u32, Option<Token>)>,
    /// Members whose key occurred before in the same object, by object and key.
    duplicates: Vec<(u32, Token)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    line: u32,
    column: u32,
    /// Its number among the containers, if it is one.
    container: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Token {
    Index(u32),
    Key(Arc<str>),
}

impl Positions {
    /// Indexes a text that is known to be JSON.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut walk =
            Walk { chars: text.chars().peekable(), line: 1, column: 1, found: Self::default() };
        walk.value(None);
        walk.found
    }

    /// Line and column, from 1, of the value at `pointer`, or of the nearest value around it.
    #[must_use]
    pub fn place(&self, pointer: &str) -> (usize, usize) {
        let mut place = &self.root;
        for token in pointer.split('/').skip(1) {
            let inner = place.container.and_then(|container| {
                let key = Token::Key(unescape(token).into());
                let index = || token.parse().ok().map(Token::Index);
                let found = self.places.get(&(container, key));
                found.or_else(|| self.places.get(&(container, index()?)))
            });
            let Some(inner) = inner else { break };
            place = inner;
        }
        (place.line.max(1) as usize, place.column.max(1) as usize)
    }

    /// Key and pointer of members whose key occurred before in the same object.
    pub(super) fn duplicates(&self) -> impl Iterator<Item = (String, String)> {
        self.duplicates.iter().map(|(container, token)| {
            let key = match token {
                Token::Key(key) => key.to_string(),
                Token::Index(index) => index.to_string(),
            };
            (key, self.pointer(*container, token))
        })
    }

    fn pointer(&self, container: u32, token: &Token) -> String {
        let mut tokens = vec![token];
        let mut around = container;
        while let Some((outer, Some(token))) = self.containers.get(around as usize) {
            tokens.push(token);
            around = *outer;
        }
        let written = tokens.into_iter().rev().map(|token| match token {
            Token::Index(index) => format!("/{index}"),
            Token::Key(key) => format!("/{}", escape(key)),
        });
        written.collect()
    }
}

/// `token` as a part of a JSON pointer (RFC 6901 section 3).
#[must_use]
pub fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

/// A part of a JSON pointer as it was before [`escape`].
pub(super) fn unescape(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

struct Walk<'t> {
    chars: std::iter::Peekable<std::str::Chars<'t>>,
    line: u32,
    column: u32,
    found: Positions,
}

impl Walk<'_> {
    fn next(&mut self) -> Option<char> {
        let char = self.chars.next()?;
        if char == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(char)
    }

    fn blank(&mut self) {
        while self.chars.peek().is_some_and(char::is_ascii_whitespace) {
            self.next();
        }
    }

    /// Reads a value that stands `at` a place in a container, or is the document.
    ///
    /// Recursion is bounded: `serde_json` refused what is deeper than 128.
    fn value(&mut self, at: Option<(u32, Token)>) {
        self.blank();
        let (line, column) = (self.line, self.column);
        let first = self.chars.peek().copied();
        // What a key that stands twice had in it first is found still.
        let before = at.as_ref().and_then(|at| self.found.places.get(at)?.container);
        let container = match first {
            Some('{' | '[') if before.is_none() => Some(self.container(at.as_ref())),
            _ => before,
        };
        let place = Place { line, column, container };
        match at {
            Some(at) => drop(self.found.places.insert(at, place)),
            None => self.found.root = place,
        }
        match (first, container) {
            (Some('{'), Some(container)) => self.members(container),
            (Some('['), Some(container)) => self.elements(container),
            (Some('"'), _) => drop(self.string()),
            _ => {
                while self
                    .chars
                    .peek()
                    .is_some_and(|char| !",]}".contains(*char) && !char.is_whitespace())
                {
                    self.next();
                }
            }
        }
        self.blank();
    }

    /// Numbers an object or array.
    fn container(&mut self, at: Option<&(u32, Token)>) -> u32 {
        let number = u32::try_from(self.found.containers.len()).unwrap_or(u32::MAX);
        self.found.containers.push(match at {
            Some((around, token)) => (*around, Some(token.clone())),
            None => (0, None),
        });
        number
    }

    fn members(&mut self, container: u32) {
        self.next();
        // An object whose key stands twice is numbered once, with the members of both.
        let mut seen = HashSet::new();
        loop {
            self.blank();
            if self.chars.peek() != Some(&'"') {
                self.next();
                return;
            }
            let member = (container, Token::Key(self.string().into()));
            if !seen.insert(member.1.clone()) {
                self.found.duplicates.push(member.clone());
            }
            self.blank();
            self.next();
            self.value(Some(member));
            if self.next() != Some(',') {
                return;
            }
        }
    }

    fn elements(&mut self, container: u32) {
        self.next();
        self.blank();
        if self.chars.peek() == Some(&']') {
            self.next();
            return;
        }
        let mut index = 0_u32;
        loop {
            self.value(Some((container, Token::Index(index))));
            index = index.saturating_add(1);
            if self.next() != Some(',') {
                return;
            }
        }
    }

    fn string(&mut self) -> String {
        let mut raw = String::from("\"");
        self.next();
        while let Some(char) = self.next() {
            raw.push(char);
            match char {
                '"' => break,
                '\\' => raw.extend(self.next()),
                _ => {}
            }
        }
        serde_json::from_str(&raw).unwrap_or(raw)
    }
}
