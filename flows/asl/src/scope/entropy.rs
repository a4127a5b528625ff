//! Random numbers that can be replayed: SHA-256 over a seed and a count.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};

/// A source of random numbers whose whole state is a seed and how often it was drawn from.
///
/// Serialised with an execution, it goes on where it stopped. The numbers depend on nothing else,
/// neither on the machine nor on the version of a library. Not for keys and secrets.
#[derive(Debug, Serialize, Deserialize)]
pub struct Entropy {
    seed: u64,
    drawn: AtomicU64,
}

impl Entropy {
    /// A source that starts at `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: AtomicU64::new(0) }
    }

    /// Goes on where `other`, which was cloned from this, has got to.
    pub(crate) fn resume(&self, other: &Self) {
        self.drawn.store(other.drawn.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// The next 32 bytes.
    fn block(&self) -> [u8; 32] {
        let count = self.drawn.fetch_add(1, Ordering::Relaxed);
        let mut hash = Sha256::new();
        hash.update(self.seed.to_be_bytes());
        hash.update(count.to_be_bytes());
        hash.finalize().into()
    }

    /// The next 64 random bits.
    pub fn bits(&self) -> u64 {
        let block = self.block();
        block.iter().take(8).fold(0, |bits, &byte| bits << 8 | u64::from(byte))
    }

    /// A number from 0 (inclusive) to 1 (exclusive), evenly spread.
    pub fn unit(&self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A random UUID (RFC 9562, version 4), in lower case.
    pub fn uuid(&self) -> String {
        let mut bytes = [0_u8; 16];
        bytes.iter_mut().zip(self.block()).for_each(|(to, from)| *to = from);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

impl Clone for Entropy {
    fn clone(&self) -> Self {
        Self { seed: self.seed, drawn: AtomicU64::new(self.drawn.load(Ordering::Relaxed)) }
    }
}
