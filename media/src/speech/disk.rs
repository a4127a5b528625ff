//! Spoken texts as WAV files of 16 kHz in a folder, those used last kept.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use super::{Key, lock};
use crate::clip::{Clip, decode};
use crate::lru::Lru;
use crate::resample::WIDE;
use crate::wav::{Format, to_bytes_at};

/// The folder.
pub(super) struct Disk {
    folder: PathBuf,
    /// Names of files, with their lengths.
    files: Mutex<Lru<String, ()>>,
}

/// A name that is ours: the folder may be shared with somebody's greeting.
fn is_ours(name: &str) -> bool {
    name.strip_suffix(".wav")
        .is_some_and(|stem| stem.len() == 64 && stem.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn name_of(key: &Key) -> String {
    format!("{}.wav", key.as_str())
}

impl Disk {
    /// Makes the folder when it is missing and looks at what is in it.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn open(folder: &Path, most: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut found: Vec<(SystemTime, String, usize)> = Vec::new();
        for entry in fs::read_dir(folder)? {
            let Ok(entry) = entry else { continue };
            let Ok(name) = entry.file_name().into_string() else { continue };
            let Ok(metadata) = entry.metadata() else { continue };
            if name.starts_with("part-") && metadata.is_file() {
                // A file of a program that was killed while it wrote.
                let _ = fs::remove_file(entry.path());
            } else if is_ours(&name) {
                let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                found.push((used, name, usize::try_from(metadata.len()).unwrap_or(usize::MAX)));
            }
        }
        found.sort();
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let disk = Self { folder: folder.to_owned(), files: Mutex::new(Lru::new(most)) };
        for (_, name, bytes) in found {
            disk.count(name, bytes);
        }
        Ok(disk)
    }

    /// Counts a file in, and throws away what makes room for it.
    fn count(&self, name: String, bytes: usize) {
        let gone = lock(&self.files).put(name, (), bytes);
        for name in gone {
            let _ = fs::remove_file(self.folder.join(name));
        }
    }

    /// The text of this name. A file that cannot be read is thrown away.
    pub(super) fn get(&self, key: &Key) -> Option<Clip> {
        let name = name_of(key);
        lock(&self.files).get(name.as_str())?;
        let path = self.folder.join(&name);
        match decode(&path) {
            Ok(clip) => {
                // For the order after a restart; of no use to anybody now.
                let _ = File::options()
                    .append(true)
                    .open(&path)
                    .and_then(|file| file.set_modified(SystemTime::now()));
                Some(clip)
            }
            Err(error) => {
                tracing::warn!(%error, "a spoken text is made anew");
                lock(&self.files).remove(name.as_str());
                let _ = fs::remove_file(path);
                None
            }
        }
    }

    /// Keeps a text: whole, or not at all.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn put(&self, key: &Key, clip: &Clip) -> io::Result<()> {
        let name = name_of(key);
        let bytes = to_bytes_at(WIDE, Format::Pcm16, clip.wide());
        // Threads of one program do not make the same text at a time.
        let part = self.folder.join(format!("part-{}", key.as_str()));
        let written = File::create(&part)
            .and_then(|mut file| file.write_all(&bytes))
            .and_then(|()| fs::rename(&part, self.folder.join(&name)));
        if written.is_err() {
            let _ = fs::remove_file(&part);
        } else {
            self.count(name, bytes.len());
        }
        written
    }
}
