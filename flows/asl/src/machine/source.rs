//! Where each value of a JSON text stands: a pointer's line and column.
//!
//! `serde_json` gives the line and column of a syntax error only. This walks a text that
//! `serde_json` has accepted once more, so it may be short; it is total all the same.

use std::collections::HashMap;

/// Line and column of every value, and the keys that stand twice.
#[derive(Debug, Default)]
pub struct Positions {
    places: HashMap<String, (usize, usize)>,
    /// Pointers of members whose key occurred before in the same object.
    pub(super) duplicates: Vec<String>,
}

impl Positions {
    /// Indexes a text that is known to be JSON.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut walk =
            Walk { chars: text.chars().peekable(), line: 1, column: 1, found: Self::default() };
        walk.value(String::new());
        walk.found
    }

    /// Line and column, from 1, of the value at `pointer`, or of the nearest value around it.
    #[must_use]
    pub fn place(&self, pointer: &str) -> (usize, usize) {
        let mut at = pointer;
        loop {
            if let Some(place) = self.places.get(at) {
                return *place;
            }
            match at.rfind('/') {
                Some(slash) => at = &at[..slash],
                None => return (1, 1),
            }
        }
    }
}

/// `token` as a part of a JSON pointer (RFC 6901 section 3).
#[must_use]
pub fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

struct Walk<'t> {
    chars: std::iter::Peekable<std::str::Chars<'t>>,
    line: usize,
    column: usize,
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

    /// Recursion is bounded: `serde_json` refused what is deeper than 128.
    fn value(&mut self, pointer: String) {
        self.blank();
        self.found.places.insert(pointer.clone(), (self.line, self.column));
        match self.chars.peek() {
            Some('{') => self.members(&pointer),
            Some('[') => self.elements(&pointer),
            Some('"') => {
                self.string();
            }
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

    fn members(&mut self, pointer: &str) {
        self.next();
        loop {
            self.blank();
            if self.chars.peek() != Some(&'"') {
                self.next();
                return;
            }
            let key = self.string();
            let member = format!("{pointer}/{}", escape(&key));
            if self.found.places.contains_key(&member) {
                self.found.duplicates.push(member.clone());
            }
            self.blank();
            self.next();
            self.value(member);
            if self.next() != Some(',') {
                return;
            }
        }
    }

    fn elements(&mut self, pointer: &str) {
        self.next();
        self.blank();
        if self.chars.peek() == Some(&']') {
            self.next();
            return;
        }
        let mut index = 0_usize;
        loop {
            self.value(format!("{pointer}/{index}"));
            index += 1;
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
