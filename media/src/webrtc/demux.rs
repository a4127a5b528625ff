//! Whose a packet on the shared port is: by the name in its STUN request, then by its source.
//!
//! > A stranger's packet changes no table and gets no answer: a source is written down when it has
//! > proved to know a leg's password, and forgotten with that leg.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::session::Session;
use super::stun::View;
use super::{ice, stun};

/// Reads a STUN message.
pub(crate) fn read_stun(packet: &[u8]) -> Option<View<'_>> {
    stun::parse(packet)
}

/// Sources of one leg; the oldest makes room.
const MAX_SOURCES: usize = 16;

/// What a datagram is (RFC 7983 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Stun,
    Dtls,
    Rtp,
}

/// By its first byte. `None`: nothing that belongs here.
#[inline]
pub(crate) fn kind_of(packet: &[u8]) -> Option<Kind> {
    match packet.first()? {
        0..=3 => Some(Kind::Stun),
        20..=63 => Some(Kind::Dtls),
        128..=191 => Some(Kind::Rtp),
        _ => None,
    }
}

/// Which leg, by what. `L` names a leg.
#[derive(Debug)]
pub(crate) struct Table<L> {
    by_name: HashMap<Box<str>, L>,
    by_source: HashMap<SocketAddr, L>,
    /// Whom we ask, and who may therefore answer.
    asked: HashMap<SocketAddr, L>,
    of: HashMap<L, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    names: Vec<Box<str>>,
    sources: Vec<SocketAddr>,
    asked: Vec<SocketAddr>,
}

impl<L> Default for Table<L> {
    fn default() -> Self {
        Self {
            by_name: HashMap::new(),
            by_source: HashMap::new(),
            asked: HashMap::new(),
            of: HashMap::new(),
        }
    }
}

impl<L: Copy + Eq + std::hash::Hash> Table<L> {
    /// A leg answers to this name; to a former one as well, until it is forgotten.
    pub(crate) fn name(&mut self, leg: L, name: &str) {
        if self.by_name.contains_key(name) {
            return;
        }
        self.by_name.insert(name.into(), leg);
        let entry = self.of.entry(leg).or_default();
        entry.names.push(name.into());
        if entry.names.len() > 2 {
            self.by_name.remove(&entry.names.remove(0));
        }
    }

    /// The legs there are.
    pub(crate) fn legs(&self) -> impl Iterator<Item = L> {
        self.of.keys().copied()
    }

    /// Whose packets from there are.
    #[inline]
    pub(crate) fn by_source(&self, from: SocketAddr) -> Option<L> {
        self.by_source.get(&from).copied()
    }

    /// Whose a STUN message is: a request says so itself, an answer comes from where we asked.
    pub(crate) fn of_message(&self, from: SocketAddr, message: &View<'_>) -> Option<L> {
        match ice::ufrag_of(message) {
            Some(name) => self.by_name.get(name),
            None => self.by_source.get(&from).or_else(|| self.asked.get(&from)),
        }
        .copied()
    }

    /// A leg asks somebody.
    pub(crate) fn ask(&mut self, leg: L, to: SocketAddr) {
        if self.asked.contains_key(&to) {
            return;
        }
        let entry = self.of.entry(leg).or_default();
        if entry.asked.len() < MAX_SOURCES {
            entry.asked.push(to);
            self.asked.insert(to, leg);
        }
    }

    /// A source proved to be the leg's peer.
    pub(crate) fn learn(&mut self, leg: L, from: SocketAddr, session: &Session) {
        if self.by_source.get(&from) == Some(&leg) {
            return;
        }
        // A browser that ended one call and makes the next may come from the same port.
        if let Some(before) = self.by_source.insert(from, leg)
            && let Some(entry) = self.of.get_mut(&before)
        {
            entry.sources.retain(|source| *source != from);
        }
        let entry = self.of.entry(leg).or_default();
        entry.sources.push(from);
        if entry.sources.len() > MAX_SOURCES {
            let unknown = entry.sources.iter().position(|source| !session.knows(*source));
            self.by_source.remove(&entry.sources.remove(unknown.unwrap_or(0)));
        }
    }

    /// The leg is gone.
    pub(crate) fn forget(&mut self, leg: L) {
        let Some(entry) = self.of.remove(&leg) else { return };
        for name in entry.names {
            self.by_name.remove(&name);
        }
        for source in entry.sources {
            self.by_source.remove(&source);
        }
        for source in entry.asked {
            self.asked.remove(&source);
        }
    }

    /// Entries of all kinds.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_name.len() + self.by_source.len() + self.asked.len() + self.of.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::webrtc::Credentials;
    use crate::webrtc::stun::{Class, Writer};

    fn at(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    fn request(names: &str) -> Vec<u8> {
        let mut writer = Writer::new(Class::Request, [0; 12]);
        writer.username(names);
        writer.finish("p").unwrap()
    }

    fn session() -> Session {
        Session::new(Instant::now(), Credentials::fresh())
    }

    #[test]
    fn the_first_byte_tells_what_a_packet_is() {
        let kinds = [0, 22, 64, 128, 200].map(|first| kind_of(&[first]));
        let (stun, dtls, rtp) = (Some(Kind::Stun), Some(Kind::Dtls), Some(Kind::Rtp));
        assert_eq!(kinds, [stun, dtls, None, rtp, None]);
        assert_eq!(kind_of(&[]), None);
    }

    #[test]
    fn a_request_finds_its_leg_by_name_and_the_rest_by_its_source() {
        let mut table = Table::default();
        table.name(1, "one");
        table.name(2, "two");
        let bytes = request("two:x");
        let message = read_stun(&bytes).unwrap();
        assert_eq!(table.of_message(at(9), &message), Some(2));
        assert_eq!(table.by_source(at(9)), None, "looking changes nothing");
        let stranger = request("three:x");
        assert_eq!(table.of_message(at(9), &read_stun(&stranger).unwrap()), None);
        table.learn(2, at(9), &session());
        assert_eq!(table.by_source(at(9)), Some(2));
        let answer = Writer::new(Class::Success, [0; 12]).finish("p").unwrap();
        let answer = read_stun(&answer).unwrap();
        assert_eq!(table.of_message(at(9), &answer), Some(2));
        assert_eq!(table.of_message(at(8), &answer), None);
        table.ask(1, at(8));
        assert_eq!(table.of_message(at(8), &answer), Some(1));
    }

    #[test]
    fn a_leg_that_is_gone_leaves_nothing_and_takes_nothing_of_others() {
        let mut table = Table::default();
        for leg in 0..3 {
            table.name(leg, &format!("leg{leg}"));
            table.name(leg, &format!("restarted{leg}"));
            table.ask(leg, at(1_000 + leg));
            table.learn(leg, at(leg), &session());
        }
        // The same port of a browser for its next call.
        table.learn(2, at(1), &session());
        table.forget(1);
        assert_eq!((table.by_source(at(0)), table.by_source(at(1))), (Some(0), Some(2)));
        table.forget(0);
        table.forget(2);
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn names_and_sources_of_a_leg_are_bounded() {
        let mut table = Table::default();
        let session = session();
        for n in 0..1_000 {
            table.name(7, &format!("name{n}"));
            table.learn(7, at(n), &session);
            table.ask(7, at(n));
        }
        assert!(table.len() <= 3 + 2 * MAX_SOURCES + 1, "{}", table.len());
        assert_eq!(table.by_source(at(999)), Some(7));
    }
}
