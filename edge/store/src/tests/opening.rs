//! Opening: what is refused, and who may read.

use super::*;

#[test]
fn a_database_that_cannot_be_used_says_why_and_what_to_do() {
    let (folder, path) = folder();
    let refused = |path: &Path| {
        let options = Options { busy: Duration::ZERO, ..quiet() };
        let error = Store::open(path, &options).expect_err("refused").to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
        error
    };
    let missing = folder.path().join("no/such/folder/offhook.db");
    assert!(refused(&missing).contains("check that the folder exists"));

    std::fs::write(&path, "this is no database at all, but long enough to look at").unwrap();
    assert!(refused(&path).contains("restore a backup"));
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("this is no"), "left alone");

    let foreign = folder.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    assert!(refused(&foreign).contains("another program's"));

    let newer = folder.path().join("newer.db");
    drop(opened(&newer));
    Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(refused(&newer).contains("format 99"));

    let locked = folder.path().join("locked.db");
    let other = Connection::open(&locked).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert!(refused(&locked).contains("locked by another process"));
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path) = folder();
    let store = opened(&path);
    wait(store.put_call(call("c", later(0)))).unwrap();
    for name in ["offhook.db", "offhook.db-wal"] {
        let mode = path.with_file_name(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_where_nothing_is_yet_leads_to_a_database() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let (folder, path) = folder();
    std::fs::create_dir(folder.path().join("disk")).unwrap();
    symlink("disk/first", &path).unwrap();
    symlink("second.db", folder.path().join("disk/first")).unwrap();
    wait(opened(&path).put_call(call("c", later(0)))).unwrap();
    let file = std::fs::symlink_metadata(folder.path().join("disk/second.db")).unwrap();
    assert!(file.is_file() && file.permissions().mode() & 0o077 == 0, "{file:?}");
    drop(opened(&path));

    let circle = folder.path().join("circle.db");
    symlink("circle.db", &circle).unwrap();
    let error = Store::open(&circle, &quiet()).expect_err("refused").to_string();
    assert!(error.contains("circle.db") && error.contains("link"), "{error}");
}

/// Locks on the file that the system knows of this process.
#[cfg(target_os = "linux")]
fn locks_on(path: &Path) -> usize {
    use std::os::unix::fs::MetadataExt as _;
    let (own, inode) = (std::process::id().to_string(), path.metadata().unwrap().ino());
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    let inode = format!(":{inode}");
    let is_ours = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(4) == Some(&&*own) && fields.get(5).is_some_and(|file| file.ends_with(&inode))
    };
    locks.lines().filter(is_ours).count()
}

/// A reload opens the database for a look while the daemon runs on it.
#[cfg(target_os = "linux")]
#[test]
fn a_second_opening_leaves_the_locks_of_the_first() {
    let (_folder, path) = folder();
    let store = opened(&path);
    wait(store.put_call(call("c", later(0)))).unwrap();
    assert!(locks_on(&path) > 0, "the first holds none");
    let second = opened(&path);
    assert!(locks_on(&path) > 0, "the second has dropped them when it opened the file");
    drop(second);
    assert!(locks_on(&path) > 0, "the second has dropped them when it closed the file");
}
