//! What is wrong with a configuration, and where.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub suggestion: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file.display(), self.line, self.column, self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "\n    {suggestion}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// Collects problems while the file is walked.
#[derive(Debug)]
pub(crate) struct Problems<'a> {
    file: &'a Path,
    text: &'a str,
    found: Vec<(usize, Problem)>,
}

impl<'a> Problems<'a> {
    pub(crate) fn new(file: &'a Path, text: &'a str) -> Self {
        Self { file, text, found: Vec::new() }
    }

    /// Notes a problem at a byte offset.
    pub(crate) fn add(&mut self, offset: usize, message: impl Into<String>) {
        self.push(offset, message.into(), None);
    }

    /// Notes a problem with what to do about it.
    pub(crate) fn suggest(
        &mut self,
        offset: usize,
        message: impl Into<String>,
        suggestion: impl Into<String>,
    ) {
        self.push(offset, message.into(), Some(suggestion.into()));
    }

    fn push(&mut self, offset: usize, message: String, suggestion: Option<String>) {
        let (line, column) = position(self.text, offset);
        let problem = Problem { file: self.file.to_owned(), line, column, message, suggestion };
        self.found.push((offset, problem));
    }

    /// `line N` of an offset, for messages that point at another place.
    pub(crate) fn line(&self, offset: usize) -> String {
        format!("line {}", position(self.text, offset).0)
    }

    /// All so far, in the order of the file.
    pub(crate) fn take_sorted(&mut self) -> Vec<Problem> {
        let mut found = std::mem::take(&mut self.found);
        found.sort_by_key(|(offset, _)| *offset);
        found.dedup_by(|(_, a), (_, b)| a == b);
        found.into_iter().map(|(_, problem)| problem).collect()
    }
}

/// Line and column, both from 1, of a byte offset.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}
