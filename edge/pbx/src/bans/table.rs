//! The table behind the lock. Bounded: a flood of sources costs no more than this.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use offhook_config::IpNet;
use tokio::time::Instant;

use super::noise::{Budget, Noise};
use super::{Offence, Policy};
use crate::keep::Ban;

/// Sources whose failures are counted at a time. The oldest make room.
const MAX_SUSPECTS: usize = 16_384;
/// Sources banned at a time. When full, those that end first make room.
pub(super) const MAX_BANNED: usize = 16_384;

/// Suspects, and who is shut out.
pub(super) struct Table {
    pub(super) policy: Policy,
    pub(super) trunks: Vec<IpNet>,
    pub(super) suspects: HashMap<IpAddr, Suspect>,
    /// Sources that phones are registered from, and how many: at most as many as there are
    /// bindings.
    pub(super) phones: HashMap<IpAddr, usize>,
    pub(super) banned: HashMap<IpAddr, Banned>,
    pub(super) noise: Noise,
    /// Of bans that are written down. Anybody can write anybody's address into a datagram: a
    /// flood of those bans for a while, and fills no disk.
    pub(super) budget: Budget,
}

pub(super) struct Suspect {
    pub(super) failures: u32,
    pub(super) since: Instant,
}

/// A ban in force.
pub(super) struct Banned {
    pub(super) ban: Ban,
    pub(super) until: Instant,
    /// It is in the store, and the journal says so.
    pub(super) kept: bool,
}

impl Table {
    /// Of nobody.
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            policy,
            trunks: Vec::new(),
            suspects: HashMap::new(),
            phones: HashMap::new(),
            banned: HashMap::new(),
            noise: Noise::new(),
            budget: Budget::new(),
        }
    }

    pub(super) fn exempt(&self, source: IpAddr) -> bool {
        self.policy.never.iter().chain(&self.trunks).any(|net| net.contains(source))
    }

    pub(super) fn suspect(&mut self, source: IpAddr, offence: Offence, now: Instant) -> u32 {
        let window = self.policy.window;
        if self.suspects.len() >= MAX_SUSPECTS && !self.suspects.contains_key(&source) {
            self.suspects.retain(|_, s| now - s.since < window);
            if self.suspects.len() > MAX_SUSPECTS / 2 {
                // A flood from more sources than that: starting anew bounds memory and time, and
                // the sources that go on are counted again.
                self.suspects.clear();
            }
        }
        let suspect = self.suspects.entry(source).or_insert(Suspect { failures: 0, since: now });
        if now - suspect.since >= window {
            *suspect = Suspect { failures: 0, since: now };
        }
        suspect.failures = suspect.failures.saturating_add(offence.weight());
        suspect.failures
    }

    pub(super) fn make_room(&mut self, now: Instant) {
        if self.banned.len() < MAX_BANNED {
            return;
        }
        self.banned.retain(|_, b| b.until > now);
        if self.banned.len() > MAX_BANNED / 2 {
            // Half at once, so that a flood does not pay for the search each time.
            let mut ends: Vec<_> = self.banned.values().map(|b| b.until).collect();
            let middle = ends.len() / 2;
            let (_, median, _) = ends.select_nth_unstable(middle);
            let median = *median;
            self.banned.retain(|_, b| b.until > median);
        }
    }
}

/// An IPv6 host has a whole /64 to call from: it is counted as one.
pub(crate) fn group(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}
