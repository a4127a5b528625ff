//! From text to a [`Config`], or to the list of everything that is wrong with it.

mod api;
mod applications;
mod cloud;
mod connection;
mod cross;
mod lists;
mod recording;
mod screen;
mod section;
mod sections;
mod speech;
mod supervision;
mod take_back;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::io::{self, Read as _};
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
    /// The content of a file that need not be text.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read_bytes(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.read(path).map(String::into_bytes)
    }
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

    fn read_bytes(&self, path: &Path) -> io::Result<Vec<u8>> {
        read_bounded(path)
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
    check_in(&read_text(path)?, path, around)
}

/// What can be made of a file that may have mistakes, for those who only look for a running
/// appliance: what is wrong has its default. The problems are given beside it.
///
/// # Errors
///
/// The file cannot be read at all.
pub fn load_leniently(path: &Path) -> Result<(Config, Vec<Problem>), Vec<Problem>> {
    Ok(walk(&read_text(path)?, path, &System))
}

/// Larger ones are no configuration: a thousand extensions are 80 kB.
const MAX_BYTES: u64 = 16 << 20;

/// The text of a file, or the one problem that it cannot be read.
fn read_text(path: &Path) -> Result<String, Vec<Problem>> {
    let one = |message: String, remedy: Option<&str>| {
        vec![Problem::of_file(path, message, remedy.map(str::to_owned))]
    };
    let bytes = read_bounded(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => one("there is no such file".into(), None),
        io::ErrorKind::IsADirectory => {
            one("this is a folder".into(), Some("name the file, for example offhook.toml in it"))
        }
        io::ErrorKind::PermissionDenied => {
            let remedy = "say the command with sudo, or as the user who may read the file";
            one(format!("the file cannot be read: {error}"), Some(remedy))
        }
        io::ErrorKind::FileTooLarge => {
            let size = MAX_BYTES >> 20;
            one(format!("the file is larger than {size} MiB: this is no configuration"), None)
        }
        _ => one(format!("the file cannot be read: {error}"), None),
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let text = String::from_utf8_lossy(bytes);
        let mut problems = Problems::new(path, &text);
        let message = "the file is not UTF-8 text from here";
        if matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
            problems.suggest(good, message, "it looks like UTF-16: save it as UTF-8");
        } else {
            problems.add(good, message);
        }
        problems.take_sorted()
    })
}

/// Never more than the limit, though the path may lead to a device.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
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
    match walk(text, path, around) {
        (config, problems) if problems.is_empty() => Ok(config),
        (_, problems) => Err(problems),
    }
}

fn walk(text: &str, path: &Path, around: &dyn Surroundings) -> (Config, Vec<Problem>) {
    // Editors of other systems put a mark there that is no part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
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
    (config, problems)
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
