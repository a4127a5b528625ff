//! The table behind the lock. Bounded: a flood of sources costs no more than this.

use std::collections::{HashMap, VecDeque};
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

/// Users whose guesses are counted apart, of one source.
const MAX_GUESSED: usize = 256;
/// Attempts of strangers that are remembered, of one source.
const MAX_ATTEMPTS: usize = 8;

/// Suspects, and who is shut out.
pub(super) struct Table {
    pub(super) policy: Policy,
    pub(super) trunks: Vec<IpNet>,
    pub(super) suspects: HashMap<IpAddr, Suspect>,
    /// Sources that phones are registered from, and how many: at most as many as there are
    /// bindings.
    pub(super) phones: HashMap<IpAddr, usize>,
    pub(super) banned: HashMap<IpAddr, Banned>,
    /// Users who are not let in from a source with phones, and until when.
    pub(super) refused: HashMap<(IpAddr, Box<str>), Instant>,
    pub(super) noise: Noise,
    /// Of bans that are written down. Anybody can write anybody's address into a datagram: a
    /// flood of those bans for a while, and fills no disk.
    pub(super) budget: Budget,
}

/// What a source did within the window.
pub(super) struct Suspect {
    since: Instant,
    /// All but wrong passwords.
    failures: u32,
    /// Wrong passwords by the user they were for; those for nobody we know are one user.
    guesses: HashMap<Box<str>, u32>,
    /// The last attempts of strangers: what comes again within moments is the same attempt.
    attempts: VecDeque<u64>,
}

impl Suspect {
    fn new(since: Instant) -> Self {
        Self { since, failures: 0, guesses: HashMap::new(), attempts: VecDeque::new() }
    }
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
            refused: HashMap::new(),
            noise: Noise::new(),
            budget: Budget::new(),
        }
    }

    pub(super) fn exempt(&self, source: IpAddr) -> bool {
        self.policy.never.iter().chain(&self.trunks).any(|net| net.contains(source))
    }

    /// Whether nothing that comes from there is counted.
    pub(super) fn is_trusted(&self, source: IpAddr) -> bool {
        self.policy.failures == 0 || self.exempt(source)
    }

    fn suspect(&mut self, source: IpAddr, now: Instant) -> &mut Suspect {
        let window = self.policy.window;
        if self.suspects.len() >= MAX_SUSPECTS && !self.suspects.contains_key(&source) {
            self.suspects.retain(|_, s| now - s.since < window);
            if self.suspects.len() > MAX_SUSPECTS / 2 {
                // A flood from more sources than that: starting anew bounds memory and time, and
                // the sources that go on are counted again.
                self.suspects.clear();
            }
        }
        let suspect = self.suspects.entry(source).or_insert_with(|| Suspect::new(now));
        if now - suspect.since >= window {
            *suspect = Suspect::new(now);
        }
        suspect
    }

    /// Counts a failure; what counts against the source by now.
    pub(super) fn fail(&mut self, source: IpAddr, offence: Offence, now: Instant) -> u32 {
        let suspect = self.suspect(source, now);
        suspect.failures = suspect.failures.saturating_add(offence.weight());
        self.against(source)
    }

    /// A call without credentials. `None`: this attempt was counted already.
    pub(super) fn stranger(&mut self, source: IpAddr, attempt: u64, now: Instant) -> Option<u32> {
        let suspect = self.suspect(source, now);
        if suspect.attempts.contains(&attempt) {
            return None;
        }
        suspect.attempts.truncate(MAX_ATTEMPTS - 1);
        suspect.attempts.push_front(attempt);
        Some(self.fail(source, Offence::Stranger, now))
    }

    /// Counts a wrong password; what counts against the source by now, and against this user of it.
    pub(super) fn guess(&mut self, source: IpAddr, user: &str, now: Instant) -> (u32, u32) {
        let suspect = self.suspect(source, now);
        let full = suspect.guesses.len() >= MAX_GUESSED && !suspect.guesses.contains_key(user);
        // Whoever tries so many is not told apart by names any more.
        let guesses = suspect.guesses.entry(if full { "" } else { user }.into()).or_default();
        *guesses = guesses.saturating_add(1);
        let of_user = *guesses;
        (self.against(source), of_user)
    }

    /// Where phones are registered, a wrong password counts against its user alone: one phone with
    /// a slip in its settings must not shut out the office around it.
    fn against(&self, source: IpAddr) -> u32 {
        let Some(suspect) = self.suspects.get(&source) else { return 0 };
        let guesses = match self.phones.contains_key(&source) {
            true => 0,
            false => suspect.guesses.values().fold(0, |sum, n| u32::saturating_add(sum, *n)),
        };
        suspect.failures.saturating_add(guesses)
    }

    /// Forgives what a source did, but not what it guessed of other users' passwords.
    pub(super) fn forgive(&mut self, source: IpAddr, user: &str) {
        let Some(suspect) = self.suspects.get_mut(&source) else { return };
        suspect.failures = 0;
        suspect.guesses.remove(user);
        if suspect.guesses.is_empty() {
            self.suspects.remove(&source);
        }
    }

    /// Lets a user in from there no more, for a while. `false`: it was so already.
    pub(super) fn refuse(&mut self, source: IpAddr, user: &str, now: Instant) -> bool {
        if self.refused.len() >= MAX_BANNED {
            self.refused.retain(|_, until| *until > now);
            if self.refused.len() > MAX_BANNED / 2 {
                self.refused.clear();
            }
        }
        let until = now + self.policy.ban;
        self.refused.insert((source, user.into()), until).is_none_or(|before| before <= now)
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
pub fn group(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}
