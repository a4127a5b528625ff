//! What there was before `setup`, written down in the data folder.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::plan::Change;
use crate::place::CommandError;

/// Changes that are remembered.
const MOST: usize = 100;

/// The file.
pub(super) struct UndoFile(PathBuf);

impl UndoFile {
    /// That of a data folder.
    pub(super) fn of(data: &Path) -> Self {
        Self(data.join("chime-undo.json"))
    }

    /// All changes that can be taken back, the oldest first.
    ///
    /// # Errors
    /// The file cannot be read, or is none of ours.
    pub(super) fn read(&self) -> Result<Vec<Change>, CommandError> {
        let text = match fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed(error)),
        };
        serde_json::from_str(&text)
            .map_err(|error| CommandError::Words(format!("{}: {error}", self.0.display())))
    }

    /// Writes one more down, on the disk when it returns.
    ///
    /// # Errors
    /// The file cannot be written, or remembers too many.
    pub(super) fn add(&self, change: &Change) -> Result<(), CommandError> {
        let mut changes = self.read()?;
        if changes.len() >= MOST {
            return Err(CommandError::Words(format!(
                "{} remembers {MOST} changes: `offhook chime undo`, or remove the file",
                self.0.display()
            )));
        }
        changes.push(change.clone());
        self.write(&changes)
    }

    /// Writes down what AWS made of the last one.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub(super) fn made(&self, there: Value) -> Result<(), CommandError> {
        let mut changes = self.read()?;
        if let Some(last) = changes.last_mut() {
            last.after = there;
        }
        self.write(&changes)
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn write(&self, changes: &[Change]) -> Result<(), CommandError> {
        if changes.is_empty() {
            return match fs::remove_file(&self.0) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(self.failed(error))
                }
                Ok(()) | Err(_) => Ok(()),
            };
        }
        let text = serde_json::to_string_pretty(changes)
            .map_err(|error| CommandError::Words(error.to_string()))?;
        let new = self.0.with_extension("new");
        let written = fs::File::create(&new)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&new, &self.0));
        written.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: std::io::Error) -> CommandError {
        CommandError::File { path: self.0.clone(), error }
    }
}
