//! What is wrong with a configuration, and where.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File.
    pub file: PathBuf,
    /// Line, from 1; 0: the file as a whole.
    pub line: usize,
    /// Column in characters, from 1; 0: the file as a whole.
    pub column: usize,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub suggestion: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        write!(f, " {}", self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "\n    {suggestion}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

impl Problem {
    /// One of a file as a whole: it is not there, or not to be read.
    pub(crate) fn of_file(file: &Path, message: String, suggestion: Option<String>) -> Self {
        Self { file: file.to_owned(), line: 0, column: 0, message, suggestion }
    }
}

/// Collects problems while the file is walked.
#[derive(Debug)]
pub(crate) struct Problems<'a> {
    file: &'a Path,
    text: &'a str,
    /// Offsets at which lines begin: a large file with a problem on each line is walked once.
    lines: Vec<usize>,
    found: Vec<(usize, Problem)>,
}

impl<'a> Problems<'a> {
    pub(crate) fn new(file: &'a Path, text: &'a str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Self { file, text, lines, found: Vec::new() }
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
        let (line, column) = self.position(offset);
        let problem = Problem { file: self.file.to_owned(), line, column, message, suggestion };
        self.found.push((offset, problem));
    }

    /// `line N` of an offset, for messages that point at another place.
    pub(crate) fn line(&self, offset: usize) -> String {
        format!("line {}", self.position(offset).0)
    }

    /// Line and column, both from 1, of a byte offset.
    fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or(0);
        let before = self.text.get(start..offset.min(self.text.len())).unwrap_or("");
        (line, before.chars().count() + 1)
    }

    /// All so far, in the order of the file.
    pub(crate) fn take_sorted(&mut self) -> Vec<Problem> {
        let mut found = std::mem::take(&mut self.found);
        found.sort_by_key(|(offset, _)| *offset);
        found.dedup_by(|(_, a), (_, b)| a == b);
        found.into_iter().map(|(_, problem)| problem).collect()
    }
}
