//! ICE of a leg with two ports of its own and no DTLS below: the lite side (RFC 8445 §2.5), which
//! answers checks on both and sends where the peer chose.
//!
//! > Whoever does not know this leg's name and password gets no answer, is written down nowhere, and
//! > costs no more than a look at a packet of bounded size.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::ice::{Agent, Credentials, Remote};
use super::session::Send;
use super::stun;
use crate::flood::Meter;

/// Who offers ICE and asks nothing for so long is a peer like those without: its checks are lost, or
/// somebody on the way passed on lines that were not meant for us.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest message that is looked at: what goes over any IPv6 path in one piece (RFC 8489 §6.1). A
/// check is a hundred bytes long.
const MAX_MESSAGE: usize = 1_280;

/// What both descriptions say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceTerms {
    /// Our name and password.
    pub local: Credentials,
    /// The peer's.
    pub remote: Credentials,
}

/// What a port is for (RFC 8445 §4, RFC 3605).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Component {
    Rtp,
    Rtcp,
}

/// What media does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// It waits for the peer's choice (RFC 8445 §12.1).
    Nothing,
    /// The pair that the peer chose for RTP, and for RTCP if it did.
    Path { rtp: SocketAddr, rtcp: Option<SocketAddr> },
    /// It goes on as without ICE.
    Nobody,
}

/// What a message was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The peer's check: where media goes may be another place now.
    Check,
    /// Of nobody who is known to know the password, but from a way of the peer's, which it keeps open.
    /// Nothing is another for it: anybody can write one, and many.
    Keepalive,
    /// Nothing of the peer's.
    Stranger,
}

/// ICE of one leg.
#[derive(Debug)]
pub(crate) struct Lite {
    terms: IceTerms,
    rtp: Agent,
    rtcp: Agent,
    /// Bounds what those may ask who know the leg's name.
    meter: Meter,
    until: Instant,
}

impl Lite {
    pub(crate) fn new(now: Instant, terms: IceTerms) -> Self {
        let [rtp, rtcp] = [(); 2].map(|()| Agent::new(now, terms.local.clone()));
        let mut lite =
            Self { terms, rtp, rtcp, meter: Meter::for_checks(now), until: now + PATIENCE };
        lite.tell_remote(now);
        lite
    }

    /// Takes a new agreement. Other names are a restart (RFC 8445 §9): what was chosen serves until
    /// the peer chooses again, and who never chose is waited for no second time.
    pub(crate) fn set(&mut self, now: Instant, terms: IceTerms) {
        if self.terms == terms {
            return;
        }
        if self.found(now) != Found::Nobody {
            self.until = now + PATIENCE;
        }
        for agent in [&mut self.rtp, &mut self.rtcp] {
            *agent = Agent::restarted(now, terms.local.clone(), agent);
        }
        self.terms = terms;
        self.tell_remote(now);
    }

    fn tell_remote(&mut self, now: Instant) {
        // Where the peer is, its checks say.
        let credentials = self.terms.remote.clone();
        let remote = Remote { credentials, lite: false, candidates: Vec::new() };
        self.rtp.set_remote(now, &remote, true);
        self.rtcp.set_remote(now, &remote, true);
    }

    /// Takes a packet that begins as one of STUN does.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        (component, from): (Component, SocketAddr),
        packet: &[u8],
        send: Send<'_>,
    ) -> Asked {
        let agent = match component {
            Component::Rtp => &mut self.rtp,
            Component::Rtcp => &mut self.rtcp,
        };
        let fits = packet.len() <= MAX_MESSAGE;
        let Some(message) = Some(packet).filter(|_| fits).and_then(stun::parse) else {
            return Asked::Stranger;
        };
        if agent.is_keepalive(from, &message) {
            return Asked::Keepalive;
        }
        // Whoever has read the names on the way cannot have us compute without end.
        if !agent.is_named(&message) || !self.meter.takes(now) {
            return Asked::Stranger;
        }
        let authentic = agent.receive(now, from, &message);
        while let Some(transmit) = agent.poll_transmit() {
            send(transmit.to, &transmit.bytes);
        }
        if authentic { Asked::Check } else { Asked::Stranger }
    }

    /// Whether the peer proved to be where a packet came from: what is from elsewhere is a stranger's.
    pub(crate) fn knows(&self, component: Component, from: SocketAddr) -> bool {
        match component {
            Component::Rtp => self.rtp.knows(from),
            Component::Rtcp => self.rtcp.knows(from),
        }
    }

    /// A packet that came from there was the peer's: the way is in use.
    pub(crate) fn hears(&mut self, now: Instant, (component, from): (Component, SocketAddr)) {
        match component {
            Component::Rtp => self.rtp.hears(now, from),
            Component::Rtcp => self.rtcp.hears(now, from),
        }
    }

    /// Where media goes.
    pub(crate) fn found(&self, now: Instant) -> Found {
        match self.rtp.selected() {
            Some(rtp) => Found::Path { rtp, rtcp: self.rtcp.selected() },
            None if now >= self.until => Found::Nobody,
            None => Found::Nothing,
        }
    }
}

/// What keeps a way open on which nothing else goes (RFC 8445 §11): an indication is not answered, and
/// needs no password.
pub(crate) fn keepalive() -> Vec<u8> {
    stun::Writer::new(stun::Class::Indication, rand::random()).seal()
}

/// A check of the peer's, signed with this password.
#[cfg(test)]
pub(crate) fn check(terms: &IceTerms, password: &str, nominates: bool) -> Vec<u8> {
    let mut writer = stun::Writer::new(stun::Class::Request, rand::random());
    writer.username(&format!("{}:{}", terms.local.ufrag, terms.remote.ufrag));
    writer.side(stun::Side::Controlling(7));
    writer.priority(100);
    if nominates {
        writer.nominate();
    }
    writer.finish(password).unwrap_or_default()
}

#[cfg(test)]
mod tests;
