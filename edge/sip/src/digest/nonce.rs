//! Nonces that carry their own proof, so that a challenge costs no memory, and the bounded record
//! of those that were used.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use constant_time_eq::constant_time_eq;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::ids::Ids;

/// What a nonce says: when it was made, in milliseconds since the server started, and 64 random
/// bits. Ordered by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NonceId {
    issued: u64,
    random: [u8; 8],
}

/// `time (8) | random (8) | HMAC-SHA256 (16)` in base64. The HMAC is over the peer too, which is not
/// told: a nonce is worth nothing in the hands of another one.
#[derive(Debug)]
pub(super) struct Mint {
    /// Keyed once; cloned for each use.
    mac: Hmac<Sha256>,
    started: Instant,
}

const BODY: usize = 16;
const LENGTH: usize = 32;

impl Mint {
    pub(super) fn new(secret: &[u8; 32], started: Instant) -> Self {
        // HMAC takes keys of any length; the alternative is a key of zero length, never reached.
        let mac = Hmac::new_from_slice(secret).unwrap_or_else(|_| Hmac::new(&[0; 64].into()));
        Self { mac, started }
    }

    pub(super) fn issue(&self, now: Instant, ids: &mut Ids, peer: &[u8]) -> String {
        let mut nonce = [0_u8; LENGTH];
        let (body, tag) = nonce.split_at_mut(BODY);
        let (time, random) = body.split_at_mut(8);
        time.copy_from_slice(&self.clock(now).to_be_bytes());
        random.copy_from_slice(&ids.bytes::<8>());
        tag.copy_from_slice(&self.sign(body, peer));
        URL_SAFE_NO_PAD.encode(nonce)
    }

    /// `None`: not made by us since the start, or for somebody else.
    pub(super) fn read(&self, nonce: &str, peer: &[u8]) -> Option<NonceId> {
        let mut bytes = [0_u8; LENGTH];
        let length = URL_SAFE_NO_PAD.decode_slice(nonce, &mut bytes).ok()?;
        let (body, tag) = bytes.split_at(BODY);
        if length != LENGTH || !constant_time_eq(tag, &self.sign(body, peer)) {
            return None;
        }
        let (time, random) = body.split_at(8);
        Some(NonceId {
            issued: u64::from_be_bytes(time.try_into().ok()?),
            random: random.try_into().ok()?,
        })
    }

    pub(super) fn age(&self, now: Instant, id: NonceId) -> Duration {
        Duration::from_millis(self.clock(now).saturating_sub(id.issued))
    }

    fn clock(&self, now: Instant) -> u64 {
        let millis = now.saturating_duration_since(self.started).as_millis();
        u64::try_from(millis).unwrap_or(u64::MAX)
    }

    fn sign(&self, body: &[u8], peer: &[u8]) -> [u8; LENGTH - BODY] {
        let full = self.mac.clone().chain_update(body).chain_update(peer).finalize().into_bytes();
        let mut tag = [0; LENGTH - BODY];
        tag.iter_mut().zip(full).for_each(|(to, from)| *to = from);
        tag
    }
}

/// Which counts of a nonce were used: the highest, and a bit for each of the 64 below it.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    top: u32,
    /// Bit `i`: `top - i` was seen.
    seen: u64,
}

impl Window {
    /// Notes `nc`. `false`: seen before, or too far back to know.
    fn accept(&mut self, nc: u32, width: u32) -> bool {
        if nc > self.top {
            let shift = nc - self.top;
            self.seen = self.seen.checked_shl(shift).unwrap_or(0) | 1;
            self.top = nc;
            return true;
        }
        let back = self.top - nc;
        let bit = 1_u64.checked_shl(back).unwrap_or(0);
        if nc == 0 || back >= width || bit == 0 || self.seen & bit != 0 {
            return false;
        }
        self.seen |= bit;
        true
    }
}

/// The nonces that were used with the right password. Those that were never used, or used with a
/// wrong one, are not here, so that strangers cannot fill it.
#[derive(Debug)]
pub(super) struct Used {
    windows: BTreeMap<NonceId, Window>,
    /// The newest that was forgotten before its time: nothing as old can be told from a replay.
    forgotten: Option<NonceId>,
    max: usize,
    width: u32,
}

impl Used {
    pub(super) fn new(max: usize, width: u32) -> Self {
        let (max, width) = (max.max(1), width.clamp(1, 64));
        Self { windows: BTreeMap::new(), forgotten: None, max, width }
    }

    /// Notes one use; `nc` of `None` (RFC 2617 clients without qop) uses the nonce up. `false`:
    /// replayed.
    pub(super) fn accept(&mut self, id: NonceId, nc: Option<u32>) -> bool {
        if let Some(window) = self.windows.get_mut(&id) {
            return nc.is_some_and(|nc| window.accept(nc, self.width));
        }
        if self.forgotten.is_some_and(|newest| id <= newest) {
            return false;
        }
        let mut window = Window { top: u32::MAX, seen: u64::MAX };
        if let Some(nc) = nc {
            window = Window::default();
            if !window.accept(nc, self.width) {
                return false;
            }
        }
        self.windows.insert(id, window);
        if self.windows.len() > self.max
            && let Some((oldest, _)) = self.windows.pop_first()
        {
            self.forgotten = self.forgotten.max(Some(oldest));
        }
        true
    }

    /// Forgets those for which `expired` holds, oldest first.
    pub(super) fn expire(&mut self, expired: impl Fn(NonceId) -> bool) {
        while let Some(entry) = self.windows.first_entry() {
            if !expired(*entry.key()) {
                break;
            }
            entry.remove();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.windows.len()
    }
}
