//! How much strangers may make us write: lines in the journal, rows in the store.
//!
//! > Whoever knocks decides how often he knocks, never how much is written about it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::table::group;

/// Span over which lines are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Lines about one source in it.
const OF_SOURCE: u32 = 5;
/// Lines about all sources in it; so many sources are remembered at most, too.
const OF_ALL: u32 = 120;

/// Decides which lines are written. The addresses of one IPv6 network are one source.
#[derive(Debug)]
pub(crate) struct Noise {
    since: Instant,
    lines: u32,
    of: HashMap<IpAddr, u32>,
    skipped: u64,
}

impl Noise {
    pub(crate) fn new() -> Self {
        Self { since: Instant::now(), lines: 0, of: HashMap::new(), skipped: 0 }
    }

    /// Whether a line about `source` is to be written, and how many were left out before it.
    pub(crate) fn worth_a_line(&mut self, source: IpAddr) -> Option<u64> {
        let source = group(source);
        let now = Instant::now();
        if now - self.since >= WINDOW {
            (self.since, self.lines) = (now, 0);
            self.of.clear();
        }
        let of = self.of.get(&source).copied().unwrap_or(0);
        if self.lines >= OF_ALL || of >= OF_SOURCE {
            self.skipped += 1;
            return None;
        }
        self.lines += 1;
        self.of.insert(source, of + 1);
        Some(std::mem::take(&mut self.skipped))
    }
}

/// So many at once, and so many a second after that.
#[derive(Debug)]
pub(super) struct Budget {
    left: f64,
    since: Instant,
}

impl Budget {
    const BURST: f64 = 500.0;
    const PER_SECOND: f64 = 5.0;

    pub(super) fn new() -> Self {
        Self { left: Self::BURST, since: Instant::now() }
    }

    pub(super) fn take(&mut self) -> bool {
        let now = Instant::now();
        let grown = (now - self.since).as_secs_f64() * Self::PER_SECOND;
        self.left = (self.left + grown).min(Self::BURST);
        self.since = now;
        let enough = self.left >= 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }
}
