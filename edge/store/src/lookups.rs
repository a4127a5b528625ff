//! Rows that a call asks for when it begins.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use offhook_pbx::keep::KeepError;
use rusqlite::Connection;

use crate::error::describe;
use crate::lane::Refused;

/// A connection for rows that are found by their key, in a table that memory holds: the caller's own
/// thread reads them in less time than it takes to wake another one, and nobody's long list stands
/// in front of them. What reads more belongs into the lane.
pub(crate) struct Lookups {
    connection: Mutex<Connection>,
    path: PathBuf,
}

impl Lookups {
    pub(crate) fn new(connection: Connection, path: &Path) -> Self {
        Self { connection: Mutex::new(connection), path: path.to_owned() }
    }

    pub(crate) fn ask<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Refused>,
    ) -> Result<T, KeepError> {
        // A lookup that panicked has changed nothing.
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        work(&connection).map_err(|refused| match refused {
            Refused::Sqlite(error) => KeepError::Failed(describe(&self.path, &error)),
            Refused::Because(why) => KeepError::Failed(why),
        })
    }
}
