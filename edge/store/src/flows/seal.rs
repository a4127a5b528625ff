//! Snapshots of executions are sealed: what a caller confided to one (a PIN) is in it until it ends,
//! and a copy of the database is not to tell it.
//!
//! The key is in a file beside the database, for its owner only. ChaCha20-Poly1305 (RFC 8439), the
//! execution's ARN as associated data; 96 random bits are the nonce.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};

/// Begins what is sealed; a snapshot of before began with a brace.
const MARK: &[u8] = b"sealed-1";
const KEY_LEN: usize = 32;

/// The key, once it is needed.
pub(crate) struct Seal {
    file: PathBuf,
    key: Mutex<Option<LessSafeKey>>,
    random: SystemRandom,
}

impl Seal {
    /// That of a database.
    pub(crate) fn beside(database: &Path) -> Self {
        let file = database.with_extension("key");
        Self { file, key: Mutex::default(), random: SystemRandom::new() }
    }

    /// Seals a snapshot.
    ///
    /// # Errors
    /// In words: the key cannot be read or made.
    pub(crate) fn close(&self, arn: &str, mut body: Vec<u8>) -> Result<Vec<u8>, String> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| "the system has no random numbers".to_owned())?;
        self.with_key(|key| {
            let aad = Aad::from(arn.as_bytes());
            key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body)
                .map_err(|_| "it is too long".to_owned())
        })??;
        let mut sealed = Vec::with_capacity(MARK.len() + NONCE_LEN + body.len());
        sealed.extend_from_slice(MARK);
        sealed.extend_from_slice(&nonce);
        sealed.append(&mut body);
        Ok(sealed)
    }

    /// Opens what was sealed, and gives what never was as it is.
    ///
    /// # Errors
    /// In words: with another key, or for another execution.
    pub(crate) fn open(&self, arn: &str, body: Vec<u8>) -> Result<Vec<u8>, String> {
        let Some(rest) = body.strip_prefix(MARK) else { return Ok(body) };
        let (nonce, sealed) = rest.split_first_chunk().ok_or("it is cut off")?;
        let mut sealed = sealed.to_vec();
        let plain = self.with_key(|key| {
            let (nonce, aad) = (Nonce::assume_unique_for_key(*nonce), Aad::from(arn.as_bytes()));
            let opened = key.open_in_place(nonce, aad, &mut sealed).map(|plain| plain.len());
            let why = || format!("it was sealed with another key than {}", self.file.display());
            opened.map_err(|_| why())
        })??;
        sealed.truncate(plain);
        Ok(sealed)
    }

    fn with_key<T>(&self, work: impl FnOnce(&LessSafeKey) -> T) -> Result<T, String> {
        let mut kept = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.is_none() {
            let bytes = self.read().map_err(|e| format!("{}: {e}", self.file.display()))?;
            let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes);
            let short = format!("{} holds no key of {KEY_LEN} bytes", self.file.display());
            *kept = Some(LessSafeKey::new(key.map_err(|_| short)?));
        }
        kept.as_ref().map(work).ok_or_else(|| "there is no key".to_owned())
    }

    /// The key's bytes; made where there are none.
    fn read(&self) -> io::Result<Vec<u8>> {
        match fs::File::open(&self.file) {
            Ok(file) => {
                let mut bytes = Vec::new();
                file.take(KEY_LEN as u64 + 1).read_to_end(&mut bytes)?;
                Ok(bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make(),
            Err(error) => Err(error),
        }
    }

    /// The file has its name when the disk has all of it: a snapshot without its key is lost.
    fn make(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; KEY_LEN];
        let failed = |_| io::Error::other("the system has no random numbers");
        self.random.fill(&mut bytes).map_err(failed)?;
        let partial = self.file.with_extension("key-new");
        let mut options = fs::OpenOptions::new();
        options.create(true).truncate(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&partial)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&partial, &self.file)?;
        if let Some(folder) = self.file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::File::open(folder)?.sync_all()?;
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_read_with_its_key_for_its_execution_only() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("offhook.db");
        let sealed = Seal::beside(&database).close("arn:1", b"{\"pin\":\"80415277\"}".to_vec());
        let sealed = sealed.unwrap();
        assert!(!sealed.windows(8).any(|part| part == b"80415277"));
        // After a restart.
        let seal = Seal::beside(&database);
        assert_eq!(seal.open("arn:1", sealed.clone()).unwrap(), b"{\"pin\":\"80415277\"}");
        assert!(seal.open("arn:2", sealed.clone()).is_err());
        assert!(seal.open("arn:1", sealed[..12].to_vec()).is_err());
        assert_eq!(seal.open("arn:1", b"{}".to_vec()).unwrap(), b"{}", "one of before");
        let other = Seal::beside(&folder.path().join("other.db"));
        assert!(other.open("arn:1", sealed).unwrap_err().contains("another key"));
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &fs::metadata(folder.path().join("offhook.key")).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
    }
}
