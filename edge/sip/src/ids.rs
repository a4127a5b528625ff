//! Unpredictable identifiers: branches, tags, Call-IDs (RFC 3261 §8.1.1.7, §19.3).

use rand::{RngCore, SeedableRng, rngs::StdRng};

/// Makes identifiers from a cryptographic generator. Seeded from the operating system in the
/// daemon and from a fixed number in tests, so that a failing run can be repeated.
#[derive(Debug)]
pub struct Ids(StdRng);

/// Every branch of an RFC 3261 element starts with this (§8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

impl Ids {
    /// Seeded by the operating system.
    pub fn from_os() -> Self {
        Self(StdRng::from_os_rng())
    }

    /// A repeatable sequence, for tests.
    pub fn from_seed(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// A generator of its own, for somebody whose draws must not depend on the others'. As
    /// unpredictable as this one.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(StdRng::from_seed(self.bytes()))
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.0.fill_bytes(&mut out);
        out
    }

    /// A Via branch with the magic cookie; 96 random bits.
    pub fn branch(&mut self) -> String {
        format!("{MAGIC_COOKIE}{}", self.token())
    }

    /// A From or To tag; 96 random bits (RFC 3261 §19.3 asks for 32 at least).
    pub fn tag(&mut self) -> String {
        self.token()
    }

    /// A Call-ID without a host part, so that it says nothing about our topology.
    pub fn call_id(&mut self) -> String {
        format!("{}{}", self.token(), self.token())
    }

    /// An RSeq start value, 1..2^31-1 (RFC 3262 §3), also good for a CSeq start.
    pub fn sequence(&mut self) -> u32 {
        self.0.next_u32() % 0x0fff_ffff + 1
    }

    fn token(&mut self) -> String {
        self.bytes::<12>().iter().fold(String::with_capacity(24), |mut s, b| {
            for digit in [b >> 4, b & 15] {
                s.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
            s
        })
    }
}
