//! DTLS on a leg's own port.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::super::api::{PortEventKind, StreamConfig};
use super::port::{Below, Line};
use super::{Port, Worker};
use crate::srtp::SrtpKeys;
use crate::webrtc::demux::{self, Kind};
use crate::webrtc::lite::Component;
use crate::webrtc::{Identity, desk::Desk};

/// For so long a handshake may be ahead of what signalling says of it.
const EARLY: Duration = Duration::from_secs(3);

/// A handshake and what waits for its keys.
pub(in crate::engine) struct Dtls {
    desk: Desk,
    signalled: Box<StreamConfig>,
    /// The keys that the leg has.
    told: Option<SrtpKeys>,
}

impl Dtls {
    #[inline]
    pub(super) fn is_up(&self) -> bool {
        self.told.is_some()
    }
}

impl Port {
    /// Takes what signalling says of a leg with sockets of its own; whether audio is sent
    /// differently from here on.
    pub(super) fn set_own_stream(
        &mut self,
        now: Instant,
        stream: Box<StreamConfig>,
        identity: Option<&Identity>,
    ) -> bool {
        match (&stream.dtls, &stream.ice) {
            (Some(_), _) => self.set_dtls_stream(now, stream, identity),
            (None, Some(_)) => self.set_ice_stream(now, stream),
            (None, None) => {
                if let Line::Own { below, .. } = &mut self.line {
                    *below = None;
                }
                self.leg.set_stream(now, stream)
            }
        }
    }

    fn set_dtls_stream(
        &mut self,
        now: Instant,
        mut stream: Box<StreamConfig>,
        identity: Option<&Identity>,
    ) -> bool {
        let Line::Own { rtp, below, .. } = &mut self.line else { return false };
        let (Some(terms), Some(identity)) = (stream.dtls.as_deref().cloned(), identity) else {
            // Without a certificate nothing is said in clear either.
            (stream.send, stream.receive) = (false, false);
            *below = None;
            return self.leg.set_stream(now, stream);
        };
        let peer = stream.remote_rtp;
        let mut send = |to: SocketAddr, packet: &[u8]| {
            // What is lost here is sent again by DTLS.
            let _ = rtp.send_to(packet, to);
        };
        match below.as_deref_mut() {
            Some(Below::Dtls(dtls)) => {
                dtls.desk.set(now, terms, identity, peer, &mut send);
                dtls.signalled = stream;
            }
            Some(Below::Ice(_)) | None => {
                let desk = Desk::new(now, terms, identity, peer, &mut send);
                let dtls = Dtls { desk, signalled: stream, told: None };
                *below = Some(Box::new(Below::Dtls(dtls)));
            }
        }
        self.follow(now, true)
    }

    /// The handshake, if there is one.
    fn own_dtls(&mut self) -> Option<&mut Dtls> {
        match self.below()? {
            Below::Dtls(dtls) => Some(dtls),
            Below::Ice(_) => None,
        }
    }

    /// Follows the handshake with the leg.
    pub(super) fn follow_dtls(&mut self, now: Instant, again: bool) -> bool {
        let Some(dtls) = self.own_dtls() else { return false };
        let error = dtls.desk.take_error();
        // With each datagram of DTLS: nothing is cloned for that.
        let keys = dtls.desk.keys();
        let (other, up) = (keys != dtls.told.as_ref(), keys.is_some());
        let suite = keys.map(|keys| keys.tx.suite());
        let mut changed = false;
        if again || other {
            dtls.told = keys.cloned();
            let mut stream = dtls.signalled.clone();
            stream.srtp.clone_from(&dtls.told);
            // Never in clear: before the keys are there nothing is said or heard.
            (stream.send, stream.receive) = (stream.send && up, stream.receive && up);
            if !stream.rtcp_mux {
                // The other port would need a handshake of its own (RFC 5764 §4.1).
                stream.remote_rtcp = Some(SocketAddr::from(([0, 0, 0, 0], 0)));
            }
            changed = self.leg.set_stream(now, stream);
        }
        if let (true, Some(suite)) = (other, suite) {
            self.leg.tell(PortEventKind::DtlsUp { suite });
        }
        if let Some(error) = error {
            self.leg.tell(PortEventKind::DtlsFailed(error));
        }
        changed
    }

    fn dtls(&mut self, act: impl FnOnce(&mut Desk, &mut dyn FnMut(SocketAddr, &[u8]))) {
        let Line::Own { rtp, below: Some(below), .. } = &mut self.line else { return };
        let Below::Dtls(dtls) = &mut **below else { return };
        act(&mut dtls.desk, &mut |to, packet| {
            let _ = rtp.send_to(packet, to);
        });
    }
}

/// The beginning of a handshake that waits for what signalling will say of it.
pub(in crate::engine) struct Early {
    at: Instant,
    from: SocketAddr,
    datagram: Box<[u8]>,
}

impl Early {
    /// Whoever began longer ago has begun again since, or given up.
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < EARLY
    }
}

impl Worker {
    /// Takes a datagram in `self.buffer[..n]` for a leg that has more below its media. What is media,
    /// and can be taken, comes back with whom it is of.
    pub(super) fn sort_out(
        &mut self,
        now: Instant,
        slot: usize,
        (component, from): (Component, SocketAddr),
        n: usize,
    ) -> Option<SocketAddr> {
        let port = self.slots.get_mut(slot)?;
        match &mut port.line {
            Line::Own { below: Some(below), .. } => match &mut **below {
                Below::Ice(_) => self.sort_out_ice(now, slot, (component, from), n),
                // The handshake is on the port of RTP.
                Below::Dtls(_) if component == Component::Rtcp => Some(from),
                Below::Dtls(_) => self.is_for_srtp(now, slot, from, n).then_some(from),
            },
            Line::Own { .. } | Line::Shared(_) => Some(from),
        }
    }

    /// For a leg with DTLS. True: it is RTP, and there are keys for it.
    fn is_for_srtp(&mut self, now: Instant, slot: usize, from: SocketAddr, n: usize) -> bool {
        let packet = self.buffer.get(..n).unwrap_or_default();
        let Some(port) = self.slots.get_mut(slot) else {
            return false;
        };
        let up = port.own_dtls().is_some_and(|dtls| dtls.is_up());
        match demux::kind_of(packet) {
            Some(Kind::Rtp) if up => return true,
            // Whoever begins a handshake, the desk knows whom to hear. Where the leg's media comes from
            // says nothing of that: a phone that moved begins elsewhere while the last of its old media
            // is still under way.
            Some(Kind::Dtls) => {
                let mut heard = false;
                port.dtls(|desk, send| heard = desk.receive(now, from, packet, send));
                match heard {
                    true => self.follow(now, slot),
                    false => port.leg.counters.strangers.bump(),
                }
            }
            _ => port.leg.counters.dropped.bump(),
        }
        false
    }

    /// Keeps a datagram in `self.buffer[..n]` that begins a handshake, on a leg that knows of none yet.
    /// Who answers our offer may begin at once, before we have read the answer (RFC 5763 §5).
    pub(super) fn keep_early(&mut self, now: Instant, slot: usize, from: SocketAddr, n: usize) {
        let datagram = self.buffer.get(..n).unwrap_or_default();
        let Some(port) = self.slots.get_mut(slot).filter(|port| !port.has_below()) else { return };
        // One that came first stays: a flood costs no memory for each of its packets.
        let waits = port.early.as_ref().is_some_and(|early| early.is_fresh(now));
        if demux::kind_of(datagram) == Some(Kind::Dtls) && !waits {
            port.early = Some(Box::new(Early { at: now, from, datagram: datagram.into() }));
        }
    }

    /// Signalling has told of a handshake, which may have begun.
    pub(super) fn take_early(&mut self, now: Instant, slot: usize) {
        let Some(port) = self.slots.get_mut(slot) else { return };
        if port.own_dtls().is_none() {
            return;
        }
        let early = port.early.take().filter(|early| early.is_fresh(now));
        if let Some(early) = early
            && let Some(place) = self.buffer.get_mut(..early.datagram.len())
        {
            place.copy_from_slice(&early.datagram);
            self.is_for_srtp(now, slot, early.from, early.datagram.len());
        }
    }

    /// Lets time pass for a handshake.
    pub(super) fn dtls_tick(&mut self, now: Instant, slot: usize) {
        let port = self.slots.get_mut(slot);
        let Some(port) = port else { return };
        if port.own_dtls().is_some_and(|dtls| dtls.desk.is_busy()) {
            port.dtls(|desk, send| desk.handle_timeout(now, send));
            self.follow(now, slot);
        }
    }
}
