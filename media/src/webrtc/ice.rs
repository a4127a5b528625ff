//! ICE (RFC 8445) for one leg with one component: as the lite side, which only answers, or as the
//! full one toward a peer that is lite itself.
//!
//! > Nothing is sent to anybody before somebody there proved to know a password of this call.
//!
//! (A full agent asks the candidates that the peer's signed-for signalling named, a few times each.)

mod remote;
mod role;
mod seen;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub use self::remote::{Credentials, Remote, is_candidate, read_candidate};
use self::role::Role;
use self::seen::Seen;
use super::stun::{Class, Side, Transaction, View, Writer};

/// Addresses that one peer may have; the one not heard for longest makes room.
const MAX_PATHS: usize = 12;
/// Candidates of a peer that are asked.
pub(crate) const MAX_CANDIDATES: usize = 12;
/// RFC 8445 §14.2: between two new checks.
const PACE: Duration = Duration::from_millis(50);
/// RFC 8489 §6.2.1: first retransmission, then twice as long each time.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const MAX_TRIES: u32 = 6;
/// RFC 7675 §5.1: how often consent is asked for, and how long it holds.
const CONSENT_EVERY: Duration = Duration::from_secs(5);
const CONSENT_HOLDS: Duration = Duration::from_secs(30);
/// A nominated path from which nothing was heard for so long gives way to another one.
const STALE: Duration = Duration::from_secs(10);
/// RFC 8445 §5.1.2.1 for a peer-reflexive candidate of the one component.
const PRIORITY: u32 = (110 << 24) | (65_535 << 8) | 255;

/// A way to the peer.
#[derive(Debug, Clone)]
struct Path {
    remote: SocketAddr,
    /// The peer proved there to be who it is.
    valid: bool,
    /// Chosen by the controlling side, and with what priority of the peer's.
    nominated: Option<u32>,
    heard: Instant,
    check: Option<Check>,
}

/// A request of ours that waits for its answer.
#[derive(Debug, Clone)]
struct Check {
    transaction: Transaction,
    nominate: bool,
    tries: u32,
    next: Instant,
}

/// A datagram to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Transmit {
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

/// ICE of one leg.
#[derive(Debug)]
pub(super) struct Agent {
    role: Role,
    local: Credentials,
    remote: Option<Credentials>,
    paths: Vec<Path>,
    selected: Option<SocketAddr>,
    /// When the peer last proved on the selected path that it wants our packets.
    consent: Instant,
    next_consent: Instant,
    next_check: Instant,
    seen: Seen,
    out: Vec<Transmit>,
}

impl Agent {
    /// Before anything is known of the peer.
    pub(super) fn new(now: Instant, local: Credentials) -> Self {
        Self {
            role: Role::Lite,
            local,
            remote: None,
            paths: Vec::new(),
            selected: None,
            consent: now,
            next_consent: now,
            next_check: now,
            seen: Seen::default(),
            out: Vec::new(),
        }
    }

    /// One with other credentials for the same peer (RFC 8445 §9). The way that serves goes on
    /// serving until another one is chosen.
    pub(super) fn restarted(now: Instant, local: Credentials, before: &Self) -> Self {
        Self {
            selected: before.selected,
            paths: before
                .paths
                .iter()
                .filter(|path| path.valid)
                .cloned()
                .map(Path::former)
                .collect(),
            consent: now,
            next_consent: now + CONSENT_EVERY,
            ..Self::new(now, local)
        }
    }

    /// Whom we ask, so that their answers are known.
    pub(super) fn asked_paths(&self) -> impl Iterator<Item = SocketAddr> {
        let full = matches!(self.role, Role::Full { .. });
        self.paths.iter().filter(move |_| full).map(|path| path.remote)
    }

    pub(super) fn local(&self) -> &Credentials {
        &self.local
    }

    /// Whether the peer's credentials are others than before: a restart (RFC 8445 §9).
    pub(super) fn is_restart(&self, remote: &Remote) -> bool {
        self.remote.as_ref().is_some_and(|known| *known != remote.credentials)
    }

    /// Takes what the peer's description says. `we_are_lite`: what ours says.
    pub(super) fn set_remote(&mut self, now: Instant, remote: &Remote, we_are_lite: bool) {
        self.remote = Some(remote.credentials.clone());
        match (we_are_lite, remote.lite) {
            (true, false) => self.role = Role::Lite,
            // Both only answer: the first address it named is the one (RFC 8445 §8.2).
            (true, true) => {
                self.role = Role::Lite;
                if self.selected.is_none() {
                    self.selected = remote.candidates.first().copied();
                }
            }
            (false, lite) => {
                if self.role == Role::Lite {
                    self.role = Role::Full { controlling: lite, tie: rand::random() };
                }
                for candidate in remote.candidates.iter().take(MAX_CANDIDATES) {
                    let known = self.path(now, *candidate);
                    if !known.valid && known.check.is_none() {
                        known.check = Some(Check::new(now, false));
                    }
                }
            }
        }
    }

    /// The address that packets go to.
    pub(super) fn selected(&self) -> Option<SocketAddr> {
        self.selected
    }

    /// Whether the peer proved to be there.
    pub(super) fn knows(&self, remote: SocketAddr) -> bool {
        self.paths.iter().any(|path| path.valid && path.remote == remote)
    }

    /// Whether a message says nothing and keeps a way of the peer's open (RFC 8445 §11). Anybody can
    /// write one: the way is no fresher for it.
    pub(super) fn is_keepalive(&self, from: SocketAddr, message: &View<'_>) -> bool {
        message.class == Class::Indication && self.knows(from)
    }

    /// A packet of the peer's came from there: the way is in use.
    pub(super) fn hears(&mut self, now: Instant, remote: SocketAddr) {
        if let Some(path) = self.paths.iter_mut().find(|path| path.valid && path.remote == remote) {
            path.heard = now;
        }
    }

    /// Whether the peer stopped wanting our packets (RFC 7675).
    pub(super) fn lost(&self, now: Instant) -> bool {
        self.selected.is_some()
            && !self.paths.is_empty()
            && now.saturating_duration_since(self.consent) >= CONSENT_HOLDS
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.pop()
    }

    /// Takes a message. True when it is authentic: its source is the peer's.
    pub(super) fn receive(&mut self, now: Instant, from: SocketAddr, message: &View<'_>) -> bool {
        match message.class {
            Class::Request => self.asked(now, from, message),
            Class::Success | Class::Error => self.answered(now, from, message),
            Class::Indication => false,
        }
    }

    /// Whether a request names both sides (RFC 8445 §7.2.2).
    pub(super) fn is_named(&self, message: &View<'_>) -> bool {
        let names = message.username.and_then(|names| names.split_once(':'));
        names.is_some_and(|(ours, theirs)| {
            *self.local.ufrag == *ours
                && self.remote.as_ref().is_none_or(|remote| *remote.ufrag == *theirs)
        })
    }

    fn asked(&mut self, now: Instant, from: SocketAddr, message: &View<'_>) -> bool {
        // Whoever does not know the password gets no answer at all: there is nothing to amplify.
        if !self.is_named(message) || !message.is_by(&self.local.password) {
            return false;
        }
        // Who repeats from elsewhere what the peer said knows no password.
        if self.seen.is_replayed(message.transaction, from) {
            return false;
        }
        if !self.settle_roles(message.side) {
            let mut refusal = Writer::new(Class::Error, message.transaction);
            // RFC 8445 §7.3.1.1: the peer is to change sides.
            refusal.error(487);
            self.answer(from, refusal);
            return true;
        }
        let mut answer = Writer::new(Class::Success, message.transaction);
        answer.mapped_address(from);
        self.answer(from, answer);
        let full = matches!(self.role, Role::Full { .. });
        let controlled = !matches!(self.role, Role::Full { controlling: true, .. });
        let path = self.path(now, from);
        path.heard = now;
        // A full agent asks back before it believes (RFC 8445 §7.3.1.4).
        if full && !path.valid && path.check.is_none() {
            path.check = Some(Check::new(now, false));
        }
        path.valid |= !full;
        if message.nominated && controlled {
            path.nominated = Some(message.priority.unwrap_or(0));
        }
        if self.selected == Some(from) {
            self.consent = now;
        }
        self.choose(now);
        true
    }

    fn answered(&mut self, now: Instant, from: SocketAddr, message: &View<'_>) -> bool {
        let Some(remote) = &self.remote else { return false };
        let by_peer = message.is_by(&remote.password);
        let waits = |path: &&mut Path| {
            path.remote == from
                && path.check.as_ref().is_some_and(|c| c.transaction == message.transaction)
        };
        let Some(path) = self.paths.iter_mut().find(waits).filter(|_| by_peer) else {
            return false;
        };
        let nominated = path.check.take().is_some_and(|check| check.nominate);
        if message.class == Class::Error {
            if message.error == Some(487) {
                if let Role::Full { controlling, .. } = &mut self.role {
                    *controlling = !*controlling;
                }
                path.check = Some(Check::new(now, false));
            }
            return true;
        }
        (path.valid, path.heard) = (true, now);
        if nominated {
            path.nominated = Some(0);
        }
        if self.selected == Some(from) {
            self.consent = now;
        }
        if matches!(self.role, Role::Full { controlling: true, .. })
            && self.paths.iter().all(|path| path.nominated.is_none())
        {
            // RFC 8445 §8.1.1: the first that works is good enough for one voice.
            if let Some(path) = self.paths.iter_mut().find(|path| path.remote == from) {
                path.check = Some(Check::new(now, true));
            }
        }
        self.choose(now);
        true
    }

    /// Selects among the nominated paths: the one the peer prefers, of those that are heard.
    fn choose(&mut self, now: Instant) {
        let fresh = |path: &&Path| now.saturating_duration_since(path.heard) < STALE;
        let usable = self.paths.iter().filter(|path| path.valid);
        let best = usable
            .filter(fresh)
            .filter_map(|path| Some((path.nominated?, path.remote)))
            .max_by_key(|(priority, remote)| (*priority, self.selected == Some(*remote)));
        if let Some((_, remote)) = best
            && self.selected != Some(remote)
        {
            self.selected = Some(remote);
            self.consent = now;
            self.next_consent = now + CONSENT_EVERY;
        }
    }

    fn answer(&mut self, to: SocketAddr, writer: Writer) {
        if let Some(bytes) = writer.finish(&self.local.password) {
            self.out.push(Transmit { to, bytes });
        }
    }

    /// The path to an address, a new one if need be.
    fn path(&mut self, now: Instant, remote: SocketAddr) -> &mut Path {
        let found = self.paths.iter().position(|path| path.remote == remote);
        let at = found.unwrap_or_else(|| {
            if self.paths.len() >= MAX_PATHS {
                let others = self.paths.iter().enumerate();
                let others = others.filter(|(_, path)| Some(path.remote) != self.selected);
                let oldest = others.min_by_key(|(_, path)| path.heard).map_or(0, |(at, _)| at);
                self.paths.swap_remove(oldest);
            }
            let path = Path { remote, valid: false, nominated: None, heard: now, check: None };
            self.paths.push(path);
            self.paths.len() - 1
        });
        &mut self.paths[at]
    }

    /// Asks what is to be asked. Call at least each tenth of a second.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let Role::Full { controlling, tie } = self.role else { return };
        let Some(remote) = self.remote.clone() else { return };
        if let Some(selected) = self.selected
            && now >= self.next_consent
        {
            self.next_consent = now + CONSENT_EVERY;
            let path = self.path(now, selected);
            if path.check.is_none() {
                path.check = Some(Check::new(now, false));
            }
        }
        let side = if controlling { Side::Controlling(tie) } else { Side::Controlled(tie) };
        let name = format!("{}:{}", remote.ufrag, self.local.ufrag);
        for path in &mut self.paths {
            let Some(check) = path.check.as_mut().filter(|check| check.next <= now) else {
                continue;
            };
            if check.tries == 0 && self.next_check > now {
                continue;
            }
            if check.tries >= MAX_TRIES {
                path.check = None;
                continue;
            }
            if check.tries == 0 {
                self.next_check = now + PACE;
            }
            check.next = now + FIRST_RETRY * (1 << check.tries.min(4));
            check.tries += 1;
            let mut writer = Writer::new(Class::Request, check.transaction);
            writer.username(&name);
            writer.priority(PRIORITY);
            writer.side(side);
            if check.nominate {
                writer.nominate();
            }
            if let Some(bytes) = writer.finish(&remote.password) {
                self.out.push(Transmit { to: path.remote, bytes });
            }
        }
    }
}

impl Path {
    /// What remains of it after a restart.
    fn former(self) -> Self {
        Self { nominated: None, check: None, ..self }
    }
}

impl Check {
    fn new(now: Instant, nominate: bool) -> Self {
        Self { transaction: rand::random(), nominate, tries: 0, next: now }
    }
}

/// The first name in a request: that of the side which is asked.
pub(super) fn ufrag_of<'a>(message: &View<'a>) -> Option<&'a str> {
    message.username?.split_once(':').map(|(ours, _)| ours)
}

#[cfg(test)]
mod tests;
