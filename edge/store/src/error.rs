//! Why a database cannot be opened, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why [`crate::Store::open`] failed. Each text names the file and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or file cannot be made or read.
    #[error(
        "{}: {source}; check that the folder exists, belongs to the daemon's user, and is not \
         mounted for reading only",
        path.display()
    )]
    File {
        /// The database.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Written by a newer Offhook.
    #[error(
        "{}: the database has format {found}, this Offhook knows up to {known}; \
         start the newer version, or restore the backup from before the update",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// A database, but of another program.
    #[error("{}: this is another program's database; choose another data_dir", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Not a database, or damaged.
    #[error(
        "{}: the database is damaged ({detail}); restore a backup, or move the file away \
         to start with an empty one (phones must then be added again)",
        path.display()
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// Another process holds it.
    #[error(
        "{}: the database is locked by another process; wait for it to end \
         (`fuser {}` tells which)",
        path.display(),
        path.display()
    )]
    Locked {
        /// The database.
        path: PathBuf,
    },
    /// The disk takes nothing.
    #[error(
        "{}: {detail}; is the disk full, or broken? `df -h {}` tells the one and `dmesg` the other: \
         free some space and start again",
        path.display(),
        folder(path).display()
    )]
    Disk {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// Anything else from SQLite.
    #[error("{}: {detail}", path.display())]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// The system gives no thread.
    #[error("cannot start the store's threads: {source}")]
    Thread {
        /// What the system says.
        source: io::Error,
    },
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

impl StoreError {
    pub(crate) fn from_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        let detail = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Damaged { path, detail }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => Self::Disk { path, detail },
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
                Self::File { path, source: io::Error::other(detail) }
            }
            _ => Self::Sqlite { path, detail },
        }
    }
}

/// What is said when a read or write fails while the daemon runs.
pub(crate) fn describe(path: &Path, error: &rusqlite::Error) -> String {
    let remedy = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "free some disk space",
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => "restore a backup",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process holds it for too long"
        }
        Some(ErrorCode::SystemIoFailure) => "check the disk",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "check the owner of the file and its folder"
        }
        _ => return format!("{}: {error}", path.display()),
    };
    format!("{}: {error}; {remedy}", path.display())
}
