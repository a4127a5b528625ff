//! Access keys that the operator makes for programs: `api-keys.json` in the data folder.
//!
//! A signature is checked with the secret itself, so that it cannot be kept as a hash
//! (docs/decisions/0017-secrets-of-access-keys.md). The file is for its owner alone.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use jiff::Timestamp;
use offhook_config::Secret;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::folder;

/// More are no use to anybody.
const MOST: usize = 100;
/// A file that is larger is not ours.
const MAX_BYTES: u64 = 256 << 10;

/// Why the keys cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The system says no.
    #[error("{}: {error}{}", path.display(), folder::remedy(error))]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Others may read the secrets.
    #[error("{} may be read by others: chmod 600 it, and make new keys if others did", .0.display())]
    Open(PathBuf),
    /// It holds something else.
    #[error("{} is damaged: {}", .0.display(), .1)]
    Damaged(PathBuf, String),
    /// There are too many.
    #[error("there are {MOST} access keys already: remove those that nobody uses")]
    TooMany,
    /// There is no such key.
    #[error("there is no access key {0}")]
    Unknown(String),
}

/// An access key.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// What it is called in a request.
    pub id: String,
    /// What it signs with.
    pub secret: Secret,
    /// What it is for, in the operator's words.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
}

/// As it stands in the file.
#[derive(Serialize, Deserialize)]
struct Written {
    id: String,
    secret: String,
    #[serde(default)]
    name: String,
    /// RFC 3339.
    created: String,
}

#[derive(Default, Serialize, Deserialize)]
struct File {
    keys: Vec<Written>,
}

/// All keys.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<AccessKey>);

impl Keys {
    /// The secret of a key.
    pub fn secret(&self, id: &str) -> Option<&str> {
        self.0.iter().find(|key| key.id == id).map(|key| key.secret.expose())
    }

    /// All of them, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &AccessKey> {
        self.0.iter()
    }
}

/// What tells that a file was replaced or written.
type Stamp = (u64, u64, i64, i64);

/// The file of the keys.
#[derive(Debug)]
pub struct KeyFile {
    folder: PathBuf,
    read: Mutex<Option<(Stamp, Arc<Keys>)>>,
}

impl KeyFile {
    /// That of a data folder.
    pub fn of(data: &Path) -> Self {
        Self { folder: data.to_path_buf(), read: Mutex::default() }
    }

    fn path(&self) -> PathBuf {
        self.folder.join("api-keys.json")
    }

    fn io(&self, error: std::io::Error) -> KeysError {
        KeysError::Io { path: self.path(), error }
    }

    /// The keys as they are now; the file is only read again when it was changed.
    ///
    /// # Errors
    /// It cannot be read, or others can.
    pub fn current(&self) -> Result<Arc<Keys>, KeysError> {
        let metadata = match std::fs::metadata(self.path()) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Arc::default()),
            Err(error) => return Err(self.io(error)),
        };
        let stamp = (metadata.ino(), metadata.len(), metadata.ctime(), metadata.ctime_nsec());
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((then, keys)) = &*read
            && *then == stamp
        {
            return Ok(Arc::clone(keys));
        }
        let keys = Arc::new(self.load()?);
        *read = Some((stamp, Arc::clone(&keys)));
        Ok(keys)
    }

    fn load(&self) -> Result<Keys, KeysError> {
        let path = self.path();
        let file = match std::fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Keys::default()),
            Err(error) => return Err(self.io(error)),
        };
        let mode = file.metadata().map_err(|error| self.io(error))?.mode();
        if mode & 0o077 != 0 {
            return Err(KeysError::Open(path));
        }
        let mut text = String::new();
        file.take(MAX_BYTES).read_to_string(&mut text).map_err(|error| self.io(error))?;
        // The error of the reader could quote a secret.
        let told = |e: serde_json::Error| {
            let place = format!("line {}, column {}", e.line(), e.column());
            KeysError::Damaged(path.clone(), place)
        };
        let file: File = serde_json::from_str(&text).map_err(told)?;
        let key = |key: Written| {
            let created = key.created.parse().map_err(|_| {
                KeysError::Damaged(path.clone(), format!("the time of key {}", key.id))
            })?;
            let secret = Secret::new(key.secret);
            Ok(AccessKey { id: key.id, secret, name: key.name, created })
        };
        file.keys.into_iter().map(key).collect::<Result<_, _>>().map(Keys)
    }

    /// Makes a key and keeps it.
    ///
    /// # Errors
    /// It is not kept.
    pub fn add(&self, name: &str, now: Timestamp) -> Result<AccessKey, KeysError> {
        let key = AccessKey {
            id: make_id(),
            secret: Secret::new(BASE64.encode(rand::random::<[u8; 30]>())),
            name: name.to_owned(),
            created: now,
        };
        self.change(|keys| {
            if keys.len() >= MOST {
                return Err(KeysError::TooMany);
            }
            keys.push(key.clone());
            Ok(())
        })?;
        Ok(key)
    }

    /// Removes a key: from now on it lets nobody in.
    ///
    /// # Errors
    /// There is none, or the rest is not kept.
    pub fn remove(&self, id: &str) -> Result<(), KeysError> {
        self.change(|keys| {
            let before = keys.len();
            keys.retain(|key| key.id != id);
            if keys.len() == before { Err(KeysError::Unknown(id.to_owned())) } else { Ok(()) }
        })
    }

    /// Changes the file whole or not at all, one after the other.
    fn change(
        &self,
        change: impl FnOnce(&mut Vec<AccessKey>) -> Result<(), KeysError>,
    ) -> Result<(), KeysError> {
        let lock = self.folder.join("api-keys.lock");
        folder::give_to_owner(&self.folder, &lock).map_err(|error| self.io(error))?;
        let lock = std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&lock)
            .map_err(|error| KeysError::Io { path: lock, error })?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|error| self.io(error.into()))?;
        let mut keys = self.load()?.0;
        change(&mut keys)?;
        let written = |key: &AccessKey| Written {
            id: key.id.clone(),
            secret: key.secret.expose().to_owned(),
            name: key.name.clone(),
            created: key.created.to_string(),
        };
        let file = File { keys: keys.iter().map(written).collect() };
        let text = serde_json::to_string_pretty(&file)
            .map_err(|error| KeysError::Damaged(self.path(), error.to_string()))?;
        self.replace(&text).map_err(|error| self.io(error))
    }

    fn replace(&self, text: &str) -> std::io::Result<()> {
        let new = self.folder.join(format!(".api-keys-{:016x}", rand::random::<u64>()));
        let written = folder::new_file(&self.folder, &new).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&new, self.path())?;
            std::fs::File::open(&self.folder)?.sync_all()
        });
        if written.is_err() {
            let _ = std::fs::remove_file(&new);
        }
        written
    }
}

/// Letters and digits, as AWS's are; it begins with whose it is.
fn make_id() -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let random = rand::random::<[u8; 16]>();
    let letters = random.iter().filter_map(|byte| LETTERS.get(usize::from(byte % 32)));
    "OHAK".chars().chain(letters.map(|letter| char::from(*letter))).collect()
}
