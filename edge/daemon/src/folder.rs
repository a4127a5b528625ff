//! The data folder: who owns it, and who serves from it.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// Why a daemon may not serve from a folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another one does.
    #[error(
        "another appliance{} serves from {}: stop it, or give this one a folder of its own (--data)",
        pid.as_ref().map(|p| format!(" (process {p})")).unwrap_or_default(),
        folder.display()
    )]
    Taken {
        /// Which folder.
        folder: PathBuf,
        /// The other's process, where it could be read.
        pid: Option<u32>,
    },
    /// The system says no.
    #[error("{}: {error}{}", path.display(), remedy(error))]
    Io {
        /// Of which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// What to do about a folder or file that cannot be made or written; empty, or begins with `; `.
pub fn remedy(error: &io::Error) -> &'static str {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::PermissionDenied => {
            "; the folder and all in it must belong to the user that runs this"
        }
        Kind::ReadOnlyFilesystem => {
            "; it lies on a file system that is mounted for reading only: mount it for writing, or \
             name another `data_dir` (--data)"
        }
        Kind::StorageFull | Kind::QuotaExceeded => "; the disk is full: free some space",
        Kind::NotADirectory | Kind::AlreadyExists => {
            "; something that is no folder lies there: name another `data_dir` (--data)"
        }
        _ => "",
    }
}

/// The right to serve from a folder. The system takes it back when the process ends, however it
/// ends.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code)] File);

impl Lock {
    /// Takes it. Two daemons on one database would take each other's recordings for the remains of
    /// a killed one, and answer the same phones.
    pub fn take(folder: &Path) -> Result<Self, FolderError> {
        let path = folder.join("offhook.lock");
        let failed = |error| FolderError::Io { path: path.clone(), error };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o640);
        let mut file = options.open(&path).map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut text = String::new();
                let _ = (&file).take(32).read_to_string(&mut text);
                let folder = folder.to_path_buf();
                return Err(FolderError::Taken { folder, pid: text.trim().parse().ok() });
            }
            Err(error) => return Err(failed(error.into())),
        }
        // Only for the words of whoever comes second.
        let _ = file.set_len(0);
        let _ = writeln!(file, "{}", std::process::id());
        Ok(Self(file))
    }
}

/// Makes the folder when it is not there: nothing in it is for others on this machine.
pub fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o750).create(folder)
}

/// Makes a folder of a name that nobody can foresee: what others put into a shared folder must not
/// be taken for ours.
pub fn make_fresh(place: &Path, prefix: &str) -> io::Result<PathBuf> {
    let folder = place.join(format!("{prefix}{:016x}", rand::random::<u64>()));
    DirBuilder::new().mode(0o700).create(&folder)?;
    Ok(folder)
}

/// What root makes in the folder of the service's user must belong to that user, or the service
/// could not write it: `sudo offhook phone add` before the first start. Makes the file when it is
/// not there; does nothing for anybody but root.
pub fn give_to_owner(folder: &Path, file: &Path) -> io::Result<()> {
    let owner = std::fs::metadata(folder)?;
    if !rustix::process::geteuid().is_root() || owner.uid() == 0 {
        return Ok(());
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Ok(made) => own(&made, &owner),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// A new file beside those of the service, which its user may write and others may not read. A link
/// that lies there is not followed: the service's user must not lead root elsewhere.
pub fn new_file(folder: &Path, file: &Path) -> io::Result<File> {
    let owner = std::fs::metadata(folder)?;
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    if rustix::process::geteuid().is_root() && owner.uid() != 0 {
        own(&made, &owner)?;
    }
    Ok(made)
}

/// Makes a folder inside the data folder; made by root, it belongs to the data folder's owner.
pub fn make_inside(data: &Path, folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    make(folder)?;
    let owner = std::fs::metadata(data)?;
    if rustix::process::geteuid().is_root() && owner.uid() != 0 {
        std::os::unix::fs::chown(folder, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

fn own(file: &File, owner: &Metadata) -> io::Result<()> {
    std::os::unix::fs::fchown(file, Some(owner.uid()), Some(owner.gid()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("offhook-{name}-{}", std::process::id()));
        make(&folder).unwrap();
        folder
    }

    #[test]
    fn a_folder_is_served_from_once_and_the_second_is_told_by_whom() {
        let folder = folder("lock");
        let first = Lock::take(&folder).unwrap();
        let second = Lock::take(&folder).unwrap_err().to_string();
        assert!(second.contains(&format!("process {}", std::process::id())), "{second}");
        drop(first);
        Lock::take(&folder).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_link_in_the_services_folder_is_not_followed() {
        let folder = folder("link");
        let (victim, link) = (folder.join("victim"), folder.join("greeting.wav"));
        std::fs::write(&victim, "mine").unwrap();
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        assert!(new_file(&folder, &link).is_err());
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "mine");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_fresh_folder_is_new_and_for_its_owner_alone() {
        let (one, two) = (
            make_fresh(&std::env::temp_dir(), "offhook-fresh-").unwrap(),
            make_fresh(&std::env::temp_dir(), "offhook-fresh-").unwrap(),
        );
        assert_ne!(one, two);
        for folder in [one, two] {
            assert_eq!(std::fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
            std::fs::remove_dir(folder).unwrap();
        }
    }

    #[test]
    fn what_root_makes_belongs_to_the_folders_owner() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let folder = folder("owner");
        std::os::unix::fs::chown(&folder, Some(65_534), Some(65_534)).unwrap();
        let file = folder.join("offhook.db");
        give_to_owner(&folder, &file).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().uid(), 65_534);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
