//! Loopback addresses that no other test uses.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// Four neighbouring addresses in 127.0.0.0/8: the appliance, a trunk, two phones.
#[derive(Debug, Clone, Copy)]
pub struct Net {
    base: [u8; 3],
}

static NEXT: AtomicU16 = AtomicU16::new(0);

impl Net {
    /// Addresses that differ from those of every test of this process, and by the process id from
    /// those of the test programs that run beside it.
    pub fn new() -> Self {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let pid = std::process::id();
        let second = 16 + (pid % 224) as u8;
        let third = ((pid / 224 + u32::from(n)) % 256) as u8;
        Self { base: [127, second, third] }
    }

    /// The address with the last byte `last`.
    pub fn ip(self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(self.base[0], self.base[1], self.base[2], last)
    }

    /// Where the appliance listens.
    pub fn appliance(self) -> Ipv4Addr {
        self.ip(1)
    }

    /// Where a trunk's far end sits.
    pub fn trunk(self) -> Ipv4Addr {
        self.ip(2)
    }

    /// The first phone.
    pub fn phone(self) -> Ipv4Addr {
        self.ip(3)
    }
}

impl Default for Net {
    fn default() -> Self {
        Self::new()
    }
}

/// How long a test waits for what another program does in a moment, on the slowest machine: it is
/// waited for as long as it takes, and no longer.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `done` gives a value; fails the test with `what` after [`PATIENCE`].
pub fn eventually<T>(what: &str, done: impl FnMut() -> Option<T>) -> T {
    eventually_within(PATIENCE, what, done)
}

/// The same for what takes its time by itself.
pub fn eventually_within<T>(limit: Duration, what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(25));
    }
}
