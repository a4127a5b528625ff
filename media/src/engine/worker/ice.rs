//! ICE on a leg's own ports.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::super::api::StreamConfig;
use super::port::{Below, Line};
use super::{Port, Worker};
use crate::webrtc::demux::{self, Kind};
use crate::webrtc::lite::{Asked, Component, Found, Lite, keepalive};

/// What nobody can be sent to.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// RFC 8445 §11: how long nothing may be sent on a way.
const QUIET: Duration = Duration::from_secs(15);

/// The peer's checks, and what waits for its choice.
pub(in crate::engine) struct Ice {
    lite: Lite,
    signalled: Box<StreamConfig>,
    /// What the leg was last told.
    found: Found,
    /// How much was sent of RTP and of RTCP, and since when no more was.
    sent: [(Instant, u64); 2],
}

impl Ice {
    /// Whether media can flow.
    pub(super) fn is_up(&self) -> bool {
        self.found != Found::Nothing
    }

    /// What the leg is to do now.
    fn stream(&self) -> Box<StreamConfig> {
        let mut stream = self.signalled.clone();
        match self.found {
            Found::Nobody => return stream,
            Found::Nothing => {
                (stream.remote_rtp, stream.remote_rtcp) = (NOWHERE, Some(NOWHERE));
                (stream.send, stream.receive) = (false, false);
            }
            Found::Path { rtp, rtcp } => {
                (stream.remote_rtp, stream.remote_rtcp) = (rtp, Some(rtcp.unwrap_or(NOWHERE)));
            }
        }
        stream
    }
}

impl Port {
    /// Takes what signalling says of a leg with ICE; whether audio is sent differently from here on.
    pub(super) fn set_ice_stream(&mut self, now: Instant, stream: Box<StreamConfig>) -> bool {
        let Line::Own { below, .. } = &mut self.line else { return false };
        let Some(terms) = stream.ice.as_deref().cloned() else { return false };
        match below.as_deref_mut() {
            Some(Below::Ice(ice)) => {
                ice.lite.set(now, terms);
                ice.signalled = stream;
            }
            Some(Below::Dtls(_)) | None => {
                let lite = Lite::new(now, terms);
                let (found, sent) = (Found::Nothing, [(now, 0); 2]);
                let ice = Ice { lite, signalled: stream, found, sent };
                *below = Some(Box::new(Below::Ice(ice)));
            }
        }
        // A socket that was connected is not any more.
        self.retarget();
        self.follow(now, true)
    }

    fn own_ice(&mut self) -> Option<&mut Ice> {
        match self.below()? {
            Below::Ice(ice) => Some(ice),
            Below::Dtls(_) => None,
        }
    }

    /// Follows the peer's choice with the leg.
    pub(super) fn follow_ice(&mut self, now: Instant, again: bool) -> bool {
        let Some(ice) = self.own_ice() else { return false };
        let found = ice.lite.found(now);
        if std::mem::replace(&mut ice.found, found) == found && !again {
            return false;
        }
        let stream = ice.stream();
        self.leg.set_stream(now, stream)
    }

    /// Keeps open what the peer chose, where nothing was sent lately: a NAT forgets a way that is not
    /// used, and a call on hold has no media.
    fn keep_alive(&mut self, now: Instant) {
        let counters = &self.leg.counters;
        let counted = [counters.sent.get(), counters.rtcp_sent.get()];
        let Line::Own { rtp, rtcp, below: Some(below), .. } = &mut self.line else { return };
        let Below::Ice(ice) = &mut **below else { return };
        let Found::Path { rtp: at, rtcp: rtcp_at } = ice.found else { return };
        let ways = [(rtp, Some(at)), (rtcp, rtcp_at)];
        for ((sent, count), (socket, to)) in ice.sent.iter_mut().zip(counted).zip(ways) {
            if sent.1 != count {
                *sent = (now, count);
            } else if let Some(to) = to
                && now.saturating_duration_since(sent.0) >= QUIET
            {
                sent.0 = now;
                // What is lost here is said again.
                let _ = socket.send_to(&keepalive(), to);
            }
        }
    }

    /// Takes a message of the peer's ICE, in `packet`; what it was.
    fn check(
        &mut self,
        now: Instant,
        (component, from): (Component, SocketAddr),
        packet: &[u8],
    ) -> Asked {
        let Line::Own { rtp, rtcp, below: Some(below), .. } = &mut self.line else {
            return Asked::Stranger;
        };
        let Below::Ice(ice) = &mut **below else { return Asked::Stranger };
        let socket = if component == Component::Rtp { rtp } else { rtcp };
        ice.lite.receive(now, (component, from), packet, &mut |to, packet| {
            // What is lost here is asked again.
            let _ = socket.send_to(packet, to);
        })
    }
}

impl Port {
    /// Packets of RTP and RTCP that were the peer's.
    pub(super) fn media_taken(&self) -> u64 {
        self.leg.counters.received.get() + self.leg.counters.rtcp_received.get()
    }

    /// A packet came from there when so many were taken: if it was taken too, the way is in use. What
    /// anybody may have written with that address says nothing of it.
    pub(super) fn use_way(&mut self, now: Instant, way: (Component, SocketAddr), before: u64) {
        if self.media_taken() != before
            && let Some(ice) = self.own_ice()
        {
            ice.lite.hears(now, way);
        }
    }
}

impl Worker {
    /// Takes a datagram in `self.buffer[..n]` for a leg with ICE. What is media of the peer's comes
    /// back with where the leg expects it from.
    pub(super) fn sort_out_ice(
        &mut self,
        now: Instant,
        slot: usize,
        (component, from): (Component, SocketAddr),
        n: usize,
    ) -> Option<SocketAddr> {
        let packet = self.buffer.get(..n).unwrap_or_default();
        let port = self.slots.get_mut(slot)?;
        if demux::kind_of(packet) == Some(Kind::Stun) {
            match port.check(now, (component, from), packet) {
                Asked::Check => self.follow(now, slot),
                // To follow costs a look at all ports, and nothing bounds how many of these come.
                Asked::Keepalive => {}
                Asked::Stranger => port.leg.counters.strangers.bump(),
            }
            return None;
        }
        let ice = port.own_ice()?;
        let chosen = match ice.found {
            Found::Nobody => return Some(from),
            Found::Path { rtp, .. } if component == Component::Rtp => Some(rtp),
            Found::Path { rtcp, .. } => rtcp,
            Found::Nothing => None,
        };
        // By whichever of its paths it came: that this is the peer's it has proved there.
        let known = ice.lite.knows(component, from);
        if !known {
            port.leg.counters.strangers.bump();
        } else if chosen.is_none() {
            port.leg.counters.dropped.bump();
        }
        chosen.filter(|_| known)
    }

    /// Lets time pass for a leg: its peer has not chosen, or nothing goes there.
    pub(super) fn ice_tick(&mut self, now: Instant, slot: usize) {
        let Some(port) = self.slots.get_mut(slot) else { return };
        match port.own_ice().map(|ice| ice.is_up()) {
            Some(true) => port.keep_alive(now),
            Some(false) => self.follow(now, slot),
            None => {}
        }
    }
}
