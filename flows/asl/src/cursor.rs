//! A place in a text that is being parsed, character by character.

use crate::path::PathError;

/// Reads `chars` from `at` on.
#[derive(Debug, Clone)]
pub(crate) struct Cursor {
    chars: Vec<char>,
    at: usize,
    /// What is wrong with what was passed, though it was taken here once; the first.
    pub(crate) refused_since: Option<Box<PathError>>,
}

impl Cursor {
    pub(crate) fn new(text: &str) -> Self {
        Self { chars: text.chars().collect(), at: 0, refused_since: None }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    pub(crate) fn peek_after(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    pub(crate) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    /// Passes `text` if it is next.
    pub(crate) fn eat(&mut self, text: &str) -> bool {
        let matches = text.chars().enumerate().all(|(i, c)| self.peek_after(i) == Some(c));
        if matches {
            self.at += text.chars().count();
        }
        matches
    }

    pub(crate) fn skip_blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    pub(crate) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(next) = self.peek().filter(|&c| wanted(c)) {
            taken.push(next);
            self.at += 1;
        }
        taken
    }

    /// What was passed since `start`.
    pub(crate) fn since(&self, start: usize) -> String {
        self.chars.get(start..self.at).unwrap_or_default().iter().collect()
    }

    pub(crate) fn fail(&self, message: impl Into<String>) -> PathError {
        PathError { message: message.into(), position: self.at, suggestion: None }
    }

    pub(crate) fn expect(&mut self, text: &str) -> Result<(), PathError> {
        if self.eat(text) {
            return Ok(());
        }
        Err(match self.peek() {
            Some(found) => self.fail(format!("`{text}` is expected here, not `{found}`")),
            None => self.fail(format!("`{text}` is missing at the end")),
        })
    }
}
