//! The one UDP port that all WebRTC legs share, and a leg on it.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rustix::event::epoll;

use super::super::api::{PortEventKind, StreamConfig, WebRtcCounters};
use super::packets::is_media;
use super::port::{Below, Line};
use super::{Port, SHARED, Worker};
use crate::srtp::SrtpKeys;
use crate::webrtc::demux::{self, Kind, Table};
use crate::webrtc::session::Session;
use crate::webrtc::{Credentials, Identity};

/// Datagrams taken before others have their turn.
const SHARED_BATCH: usize = 64;

/// The port, for its thread, for those who open legs on it, and for who counts.
pub(in crate::engine) struct SharedSocket {
    udp: UdpSocket,
    pub(in crate::engine) bound: SocketAddr,
    pub(in crate::engine) identity: Identity,
    received: AtomicU64,
    strangers: AtomicU64,
    malformed: AtomicU64,
}

impl SharedSocket {
    pub(in crate::engine) fn new(udp: UdpSocket, identity: Identity) -> io::Result<Self> {
        Ok(Self {
            bound: udp.local_addr()?,
            udp,
            identity,
            received: AtomicU64::new(0),
            strangers: AtomicU64::new(0),
            malformed: AtomicU64::new(0),
        })
    }

    pub(in crate::engine) fn counters(&self) -> WebRtcCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        WebRtcCounters {
            received: read(&self.received),
            strangers: read(&self.strangers),
            malformed: read(&self.malformed),
        }
    }

    #[inline]
    fn send_to(&self, packet: &[u8], to: SocketAddr) -> io::Result<usize> {
        // One socket for both families where it is bound to [::].
        let to = match (self.bound.is_ipv6(), to.ip()) {
            (true, IpAddr::V4(ip)) => SocketAddr::new(ip.to_ipv6_mapped().into(), to.port()),
            _ => to,
        };
        self.udp.send_to(packet, to)
    }

    #[inline]
    fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (n, from) = self.udp.recv_from(buffer)?;
        Ok((n, SocketAddr::new(from.ip().to_canonical(), from.port())))
    }
}

fn bump(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The port and whose packets are whose.
pub(super) struct Router {
    socket: Arc<SharedSocket>,
    table: Table<usize>,
}

/// What a leg on the shared port has instead of sockets.
pub(in crate::engine) struct WebRtc {
    socket: Arc<SharedSocket>,
    session: Session,
    /// What offer and answer said; address and keys come from the session.
    signalled: Option<Box<StreamConfig>>,
    /// What the leg was last told: where the peer is, once it may be spoken to.
    told: Option<SocketAddr>,
    /// And with what keys.
    keys: Option<SrtpKeys>,
}

impl WebRtc {
    pub(in crate::engine) fn new(
        now: Instant,
        socket: Arc<SharedSocket>,
        local: Credentials,
    ) -> Box<Self> {
        let session = Session::new(now, local);
        Box::new(Self { socket, session, signalled: None, told: None, keys: None })
    }

    #[inline]
    pub(super) fn send(&self, packet: &[u8]) -> io::Result<usize> {
        match self.told {
            Some(to) => self.socket.send_to(packet, to),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Whether audio can flow.
    #[inline]
    pub(super) fn is_up(&self) -> bool {
        self.told.is_some()
    }

    fn reach(&self) -> Option<SocketAddr> {
        self.session.keys().and(self.session.peer())
    }

    /// What the leg is to do now.
    fn stream(&mut self) -> Option<Box<StreamConfig>> {
        self.told = self.reach();
        self.keys = self.session.keys().cloned();
        let mut stream = self.signalled.clone()?;
        stream.remote_rtp = self.told.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
        stream.remote_rtcp = None;
        stream.rtcp_mux = true;
        stream.srtp = self.keys.clone();
        // Never plain: without keys nothing is sent.
        stream.send &= self.told.is_some();
        Some(stream)
    }

    /// Lets the session do something with a way to send.
    fn with(&mut self, act: impl FnOnce(&mut Session, &mut dyn FnMut(SocketAddr, &[u8]))) {
        let Self { socket, session, .. } = self;
        act(session, &mut |to, packet| {
            // What is lost here is sent again by ICE and DTLS.
            let _ = socket.send_to(packet, to);
        });
    }
}

impl Drop for WebRtc {
    fn drop(&mut self) {
        self.with(|session, send| session.close(send));
    }
}

impl Port {
    /// On the shared port: whether its peer is known and the keys are there.
    fn webrtc(&mut self) -> Option<&mut WebRtc> {
        match &mut self.line {
            Line::Shared(webrtc) => Some(webrtc),
            Line::Own { .. } => None,
        }
    }

    /// Takes what signalling says of a stream; whether audio is sent differently from here on.
    pub(super) fn set_stream(
        &mut self,
        now: Instant,
        stream: Box<StreamConfig>,
        identity: Option<&Identity>,
    ) -> bool {
        let Some(webrtc) = self.webrtc() else {
            return self.set_own_stream(now, stream, identity);
        };
        if let Some(terms) = &stream.webrtc {
            let identity = webrtc.socket.identity.clone();
            webrtc.with(|session, send| session.set_terms(now, terms, &identity, send));
        }
        webrtc.signalled = Some(stream);
        self.follow(now, true)
    }

    /// Follows what is below its media with the leg; whether audio is sent differently from here on.
    /// `again`: signalling said something.
    pub(super) fn follow(&mut self, now: Instant, again: bool) -> bool {
        match &self.line {
            Line::Shared(_) => self.follow_session(now, again),
            Line::Own { below: Some(below), .. } => match **below {
                Below::Dtls(_) => self.follow_dtls(now, again),
                Below::Ice(_) => self.follow_ice(now, again),
            },
            Line::Own { below: None, .. } => false,
        }
    }

    fn follow_session(&mut self, now: Instant, again: bool) -> bool {
        let Some(webrtc) = self.webrtc() else { return false };
        let error = webrtc.session.take_error();
        let reach = webrtc.reach();
        let (was, suite) = (webrtc.told, webrtc.session.keys().map(|keys| keys.tx.suite()));
        // A phone may have made others.
        let other = webrtc.session.keys() != webrtc.keys.as_ref();
        let stream = if again || reach != was || other { webrtc.stream() } else { None };
        let changed = stream.is_some_and(|stream| self.leg.set_stream(now, stream));
        if let (true, Some(peer), Some(suite)) = (was.is_none() || other, reach, suite) {
            self.leg.tell(PortEventKind::WebRtcUp { peer, suite });
        }
        if let Some(error) = error {
            self.leg.tell(PortEventKind::WebRtcFailed(error));
        }
        changed
    }
}

impl Worker {
    /// Takes the shared port; before the thread starts.
    pub(in crate::engine) fn share(&mut self, socket: Arc<SharedSocket>) -> io::Result<()> {
        let flags = epoll::EventFlags::IN;
        epoll::add(&self.epoll, &socket.udp, epoll::EventData::new_u64(SHARED), flags)?;
        self.router = Some(Router { socket, table: Table::default() });
        Ok(())
    }

    /// Takes a batch of what came to the shared port.
    pub(super) fn shared_readable(&mut self, now: Instant) {
        for _ in 0..SHARED_BATCH {
            let Some(router) = &mut self.router else { return };
            let (n, from) = match router.socket.recv_from(&mut self.buffer[..]) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // An ICMP answer to something we sent.
                Err(_) => continue,
            };
            bump(&router.socket.received);
            if !is_media(self.buffer.get(..n)) {
                self.catch_up(now, n);
            }
            let Some(router) = &mut self.router else { return };
            let packet = self.buffer.get(..n).unwrap_or_default();
            match (demux::kind_of(packet), router.table.by_source(from)) {
                (Some(Kind::Rtp), Some(slot)) => self.shared_rtp(now, slot, n),
                (Some(Kind::Dtls), Some(slot)) => self.shared_dtls(now, slot, n),
                (Some(Kind::Stun), _) => self.shared_stun(now, from, n),
                (Some(_), None) => bump(&router.socket.strangers),
                (None, _) => bump(&router.socket.malformed),
            }
        }
    }

    #[inline]
    fn shared_rtp(&mut self, now: Instant, slot: usize, length: usize) {
        let Some(port) = self.slots.get_mut(slot) else { return };
        // From whichever address it came: that this is the peer's, ICE has proved, and the tag does.
        match port.webrtc().and_then(|webrtc| webrtc.told) {
            Some(peer) => self.taken(now, slot, Some(peer), length),
            None => port.leg.counters.dropped.bump(),
        }
    }

    fn shared_dtls(&mut self, now: Instant, slot: usize, length: usize) {
        let packet = self.buffer.get(..length).unwrap_or_default();
        let port = self.slots.get_mut(slot);
        let Some(webrtc) = port.and_then(Port::webrtc) else { return };
        webrtc.with(|session, send| session.dtls(now, packet, send));
        self.follow(now, slot);
    }

    fn shared_stun(&mut self, now: Instant, from: SocketAddr, length: usize) {
        let Some(router) = &mut self.router else { return };
        let packet = self.buffer.get(..length).unwrap_or_default();
        let Some(message) = demux::read_stun(packet) else {
            return bump(&router.socket.malformed);
        };
        let slot = router.table.of_message(from, &message);
        let port = slot.and_then(|slot| self.slots.get_mut(slot));
        let (Some(slot), Some(webrtc)) = (slot, port.and_then(Port::webrtc)) else {
            return bump(&router.socket.strangers);
        };
        if webrtc.session.is_keepalive(from, &message) {
            return;
        }
        let mut authentic = false;
        webrtc.with(|session, send| authentic = session.stun(now, from, &message, send));
        if !authentic {
            return bump(&router.socket.strangers);
        }
        router.table.learn(slot, from, &webrtc.session);
        self.follow(now, slot);
    }

    /// Follows what is below a leg's media, where keys and peer are found out, with the leg and the one
    /// that hears it.
    pub(super) fn follow(&mut self, now: Instant, slot: usize) {
        let partner = self.slots.partner(slot);
        let Some(port) = self.port(slot) else { return };
        if port.follow(now, false) {
            port.leg.reconsider();
            self.retune_mix(slot);
            if let Some(other) = partner.and_then(|partner| self.port(partner)) {
                other.leg.reconsider();
            }
        }
        if self.port(slot).is_some_and(|port| port.leg.attention || port.leg.wants_ticks()) {
            self.attend(now, slot);
            self.set_timer();
        }
        if let Some(port) = self.slots.get_mut(slot) {
            port.poll(now, &mut self.buffer);
        }
    }

    /// Writes down by which names and sources a leg's messages are found.
    pub(super) fn shared_name(&mut self, slot: usize) {
        let Some(router) = &mut self.router else { return };
        let port = self.slots.get_mut(slot);
        let Some(webrtc) = port.and_then(Port::webrtc) else { return };
        router.table.name(slot, webrtc.session.ufrag());
        for source in webrtc.session.asked() {
            router.table.ask(slot, source);
        }
    }

    /// Forgets a leg that is gone.
    pub(super) fn shared_forget(&mut self, slot: usize) {
        if let Some(router) = &mut self.router {
            router.table.forget(slot);
        }
    }

    /// Lets time pass for all legs on the shared port.
    pub(super) fn shared_tick(&mut self, now: Instant) {
        let Some(router) = &self.router else { return };
        let mut legs = std::mem::take(&mut self.shared_legs);
        legs.extend(router.table.legs());
        for slot in legs.drain(..) {
            let port = self.slots.get_mut(slot);
            let Some(webrtc) = port.and_then(Port::webrtc) else { continue };
            webrtc.with(|session, send| session.handle_timeout(now, send));
            self.follow(now, slot);
        }
        self.shared_legs = legs;
    }
}
