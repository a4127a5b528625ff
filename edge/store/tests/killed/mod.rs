//! A test program that runs itself as a child, and kills that with `kill -9` while it writes.
//!
//! The program has a test named [`WRITER`], which does nothing in an ordinary run.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use offhook_store::{Options, Store};

/// The test that is the child's life.
const WRITER: &str = "child_writes_until_it_is_killed";
const DATABASE: &str = "OFFHOOK_STORE_CRASH_DATABASE";
const ROUND: &str = "OFFHOOK_STORE_CRASH_ROUND";

/// In the child: the database that it writes to, and which of the rounds this is.
pub(crate) fn child() -> Option<(Store, String)> {
    let (Ok(path), Ok(round)) = (std::env::var(DATABASE), std::env::var(ROUND)) else {
        return None;
    };
    let options = Options { linger: Duration::from_micros(200), ..Options::default() };
    Some((Store::open(Path::new(&path), &options).unwrap(), round))
}

/// In the child: all of its `i`th entry was answered `Ok`.
pub(crate) fn kept(i: usize) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nkept {i}").unwrap();
}

/// Kills a child after so many entries; the last one that it said is kept. The pipe may hold more
/// lines, which only makes us modest.
pub(crate) fn kill_after(entries: usize, path: &Path, round: usize) -> usize {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([WRITER, "--exact", "--nocapture", "--test-threads=1"])
        .env(DATABASE, path)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let kept = lines.map_while(Result::ok).filter_map(|line| {
        line.strip_prefix("kept ").and_then(|number| number.parse::<usize>().ok())
    });
    let kept: Vec<usize> = kept.take(entries).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(kept.len(), entries, "the child ended by itself in round {round}");
    *kept.last().expect("it was to write something")
}
