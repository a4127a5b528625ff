//! From text to a [`Config`], or to the list of everything that is wrong with it.

mod cross;
mod lists;
mod section;
mod sections;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::io;
use std::path::Path;

use toml::de::DeTable;

use self::section::{Reader, Section};
use crate::problem::{Problem, Problems};
use crate::schema::Config;

/// What a configuration refers to outside of its own text. [`System`] is the real one.
pub trait Surroundings {
    /// An environment variable.
    fn env(&self, name: &str) -> Option<String>;
    /// The text of a (secret's) file.
    ///
    /// # Errors
    ///
    /// As of [`std::fs::read_to_string`].
    fn read(&self, path: &Path) -> io::Result<String>;
    /// Whether a file is there.
    fn is_file(&self, path: &Path) -> bool;
    /// Whether the store of this configuration (`server.data_dir`) has an extension; `None` when
    /// the store cannot be asked, which leaves references to extensions unchecked.
    fn has_extension(&self, config: &Config, number: &str) -> Option<bool>;
}

/// The process's environment and file system; no store.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Surroundings for System {
    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn is_file(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn has_extension(&self, _: &Config, _: &str) -> Option<bool> {
        None
    }
}

/// Parses a configuration. `path` is what problems name and what relative paths are relative to.
///
/// # Errors
///
/// Everything that is wrong, in the order of the file.
pub fn check(text: &str, path: &Path) -> Result<Config, Vec<Problem>> {
    check_in(text, path, &System)
}

/// [`check`] for a file.
///
/// # Errors
///
/// Everything that is wrong; a file that cannot be read is one problem.
pub fn load(path: &Path) -> Result<Config, Vec<Problem>> {
    load_in(path, &System)
}

/// [`load`] in surroundings of one's own.
///
/// # Errors
///
/// As [`load`].
pub fn load_in(path: &Path, around: &dyn Surroundings) -> Result<Config, Vec<Problem>> {
    match std::fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => check_in(&text, path, around),
            Err(error) => {
                let good = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes());
                let mut problems = Problems::new(path, &text);
                problems.add(good, "the file is not UTF-8 text from here");
                Err(problems.take_sorted())
            }
        },
        Err(error) => {
            let mut problems = Problems::new(path, "");
            problems.add(0, format!("the file cannot be read: {error}"));
            Err(problems.take_sorted())
        }
    }
}

/// [`check`] in surroundings of one's own.
///
/// # Errors
///
/// As [`check`].
pub fn check_in(
    text: &str,
    path: &Path,
    around: &dyn Surroundings,
) -> Result<Config, Vec<Problem>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut problems = Problems::new(path, text);
    for error in &errors {
        let at = error.span().map_or(text.len(), |span| span.start);
        problems.add(at, format!("this is not TOML: {}", error.message().trim()));
    }
    let reader = Reader {
        problems: RefCell::new(problems),
        folder: path.parent().unwrap_or(Path::new("")),
        around,
        broken: !errors.is_empty(),
    };
    let root = Section::new(&reader, "", 0, Some(document.get_ref()));
    let config = sections::read(&root);
    let problems = reader.problems.borrow_mut().take_sorted();
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

/// The candidate that was probably meant.
fn similar<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = text.to_lowercase();
    candidates
        .map(|candidate| (strsim::jaro_winkler(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score > 0.82)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}
