//! Voicemail PINs at rest: salted and stretched, never the digits.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

/// Four digits are guessed in no time when the file is stolen; this many rounds make it cost
/// something, and a check takes a few milliseconds.
const ROUNDS: u32 = 20_000;
/// Upper bound of the rounds that a stored hash may ask for.
const MAX_ROUNDS: u32 = 1_000_000;

/// Verified against when there is no PIN, to take the same time; fits nothing.
pub(crate) const NOBODYS: &str = "sha256$20000$00000000000000000000000000000000$";
/// Wrong PINs in a row, over all calls, that lock a mailbox for callers with a PIN.
const LOCKED_AFTER: u32 = 9;
/// For how long, from the last of them.
const LOCKED_FOR: Duration = Duration::from_secs(3600);

/// Counts wrong PINs over all calls: three tries a call would else open any four digits in time.
/// Holds one entry per mailbox at most.
#[derive(Debug, Default)]
pub struct Guard(Mutex<HashMap<Box<str>, (u32, Instant)>>);

impl Guard {
    /// Notes a try of a mailbox that has a PIN; whether it opens. A locked one opens to no PIN.
    pub fn admits(&self, mailbox: &str, right: bool) -> bool {
        let now = Instant::now();
        let mut wrong = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = wrong.get(mailbox).filter(|(_, last)| now - *last < LOCKED_FOR);
        let before = known.map_or(0, |(count, _)| *count);
        if before >= LOCKED_AFTER {
            return false;
        }
        if right {
            wrong.remove(mailbox);
        } else {
            wrong.insert(mailbox.into(), (before + 1, now));
        }
        right
    }
}

/// `sha256$ROUNDS$SALT$HASH`, all hex. `salt`: 16 random bytes.
pub fn hash(pin: &str, salt: [u8; 16]) -> String {
    let digest = stretch(pin, &salt, ROUNDS);
    format!("sha256${ROUNDS}${}${}", hex(&salt), hex(&digest))
}

/// Whether the digits are the PIN behind the hash. A hash that cannot be read fits nothing.
pub fn verify(stored: &str, pin: &str) -> bool {
    let mut parts = stored.split('$');
    let (Some("sha256"), Some(rounds), Some(salt), Some(wanted), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let (Ok(rounds), Some(salt)) = (rounds.parse::<u32>(), unhex(salt)) else { return false };
    if rounds == 0 || rounds > MAX_ROUNDS || pin.is_empty() {
        return false;
    }
    let found = hex(&stretch(pin, &salt, rounds));
    constant_time_eq::constant_time_eq(found.as_bytes(), wanted.as_bytes())
}

fn stretch(pin: &str, salt: &[u8], rounds: u32) -> [u8; 32] {
    let mut out: [u8; 32] = Sha256::new().chain_update(salt).chain_update(pin).finalize().into();
    for _ in 1..rounds {
        out =
            Sha256::new().chain_update(out).chain_update(salt).chain_update(pin).finalize().into();
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let pair = |p: &[u8]| u8::from_str_radix(std::str::from_utf8(p).ok()?, 16).ok();
    digits.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_pin_fits_and_no_other() {
        let stored = hash("4711", [7; 16]);
        assert!(!stored.contains("4711"));
        assert!(verify(&stored, "4711"));
        for wrong in ["4712", "", "47110", "471"] {
            assert!(!verify(&stored, wrong));
        }
        assert!(!verify(NOBODYS, "4711"));
        for broken in ["", "4711", "sha256$0$$", "sha256$1$zz$", "md5$1$00$00"] {
            assert!(!verify(broken, "4711"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nine_wrong_pins_over_any_calls_lock_a_mailbox_for_an_hour() {
        let guard = Guard::default();
        for _ in 0..8 {
            assert!(!guard.admits("101", false));
        }
        assert!(guard.admits("101", true), "the right one starts the count anew");
        for _ in 0..9 {
            assert!(!guard.admits("101", false));
        }
        assert!(!guard.admits("101", true));
        assert!(guard.admits("102", true));
        tokio::time::advance(LOCKED_FOR).await;
        assert!(guard.admits("101", true));
    }
}
