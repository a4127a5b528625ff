//! What tells one content of a file from the next, without reading it.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// A file as the system describes it. Whatever is written to it, or put in its place under its name,
/// has another stamp: a file that is renamed keeps time and length, but not inode and time of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    len: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The stamp of what is under this name now.
    ///
    /// # Errors
    /// The system's, when there is nothing or it may not be looked at.
    pub fn of(path: &Path) -> std::io::Result<Self> {
        let file = std::fs::metadata(path)?;
        Ok(Self {
            device: file.dev(),
            inode: file.ino(),
            len: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_a_files_place_has_another_stamp_even_of_the_same_length_and_time() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        let time = std::time::SystemTime::UNIX_EPOCH;
        for path in [&one, &other] {
            std::fs::write(path, "same length").unwrap();
            std::fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
        }
        let before = Stamp::of(&one).unwrap();
        assert_eq!(Stamp::of(&one).unwrap(), before);
        std::fs::rename(&other, &one).unwrap();
        assert_ne!(Stamp::of(&one).unwrap(), before);
        assert!(Stamp::of(&other).is_err());
    }
}
