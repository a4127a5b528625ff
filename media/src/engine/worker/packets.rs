//! The hot path: a packet comes, and goes out on the other side.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use super::port::{Line, ntp_now};
use super::{Port, Worker, token_slot};
use crate::engine::leg::{Media, Speaks};
use crate::rtp;
use crate::webrtc::demux::{self, Kind};
use crate::webrtc::lite::Component;

/// Datagrams taken at once of those that waited when a socket was connected: more than fit into it.
const MOST_WAITING: usize = 1024;

/// RTP or RTCP, by the first byte (RFC 7983 §7).
#[inline]
pub(super) fn is_media(datagram: Option<&[u8]>) -> bool {
    datagram.and_then(demux::kind_of) == Some(Kind::Rtp)
}

impl Worker {
    /// Takes one datagram. False when there was none.
    #[inline]
    pub(super) fn readable(&mut self, now: Instant, token: u64) -> bool {
        let slot = token_slot(token);
        let Some(port) = self.slots.get_mut(slot) else {
            return false;
        };
        let Line::Own { rtcp, .. } = &port.line else {
            self.shared_readable(now);
            return false;
        };
        if port.pipe.is_some() {
            return self.pipe_readable(now, slot, token & 1 == 1);
        }
        if token & 1 == 1 {
            if let Ok((n, from)) = rtcp.recv_from(&mut self.buffer[..]) {
                self.rtcp_taken(now, slot, from, n);
            }
            return true;
        }
        let empties = port.is_to_be_emptied();
        if !self.take_one(now, slot) {
            return false;
        }
        // What waited when the socket was connected.
        let mut left = if empties { MOST_WAITING } else { 0 };
        while left > 0 && self.take_one(now, slot) {
            left -= 1;
        }
        true
    }

    /// Takes a datagram in `self.buffer[..n]` that came to the RTCP socket of a port.
    fn rtcp_taken(&mut self, now: Instant, slot: usize, from: SocketAddr, n: usize) {
        let below = self.slots.get(slot).is_some_and(Port::has_below);
        let way = (Component::Rtcp, from);
        let from = if below { self.sort_out(now, slot, way, n) } else { Some(from) };
        if let (Some(from), Some(port)) = (from, self.slots.get_mut(slot)) {
            let before = port.media_taken();
            port.leg.receive_rtcp(now, ntp_now(), from, false, &mut self.buffer, n);
            port.use_way(now, way, before);
        }
    }

    /// Takes one datagram off the RTP socket of a port. False when there was none.
    #[inline]
    fn take_one(&mut self, now: Instant, slot: usize) -> bool {
        let Some(port) = self.slots.get_mut(slot) else {
            return false;
        };
        let (n, mut from) = match port.take(&mut self.buffer) {
            Ok(taken) => taken,
            // Any other error is an ICMP answer to something we sent: noise.
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        };
        if !is_media(self.buffer.get(..n)) {
            let (id, peer) = (port.leg.id(), port.leg.latched());
            self.catch_up(now, n);
            if self.slots.get(slot).is_none_or(|port| port.leg.id() != id) {
                return true;
            }
            let sender = from.unwrap_or(peer);
            from = Some(sender);
            self.keep_early(now, slot, sender, n);
        }
        match from {
            Some(from) if self.slots.get(slot).is_some_and(Port::has_below) => {
                let way = (Component::Rtp, from);
                let before = self.slots.get(slot).map_or(0, Port::media_taken);
                if let Some(from) = self.sort_out(now, slot, way, n) {
                    self.taken(now, slot, Some(from), n);
                    if let Some(port) = self.slots.get_mut(slot) {
                        port.use_way(now, way, before);
                    }
                }
            }
            from => self.taken(now, slot, from, n),
        }
        true
    }

    /// A datagram in `self.buffer[..n]` is of a handshake or a check: first is done what was ordered
    /// before it came. A phone may begin as soon as it is answered, and the answer is on its way
    /// before this thread is woken for the terms that go with it. Not within an order that takes
    /// datagrams: those behind it come after it.
    #[cold]
    pub(super) fn catch_up(&mut self, now: Instant, n: usize) {
        if self.obeys {
            return;
        }
        let Ok(first) = self.commands.try_recv() else { return };
        let datagram = self.buffer.get(..n).unwrap_or_default().to_vec();
        self.obey(now, first);
        if let Some(place) = self.buffer.get_mut(..datagram.len()) {
            place.copy_from_slice(&datagram);
        }
    }

    /// Takes a datagram in `self.buffer[..n]` that came from there; `None`: from the only peer that
    /// the port can have.
    #[inline]
    pub(super) fn taken(&mut self, now: Instant, slot: usize, from: Option<SocketAddr>, n: usize) {
        self.slots.foresee_keys(slot);
        let Some(port) = self.slots.get_mut(slot) else { return };
        if n > rtp::MAX_PACKET {
            return port.leg.counters.dropped.bump();
        }
        if self.buffer.get(..n).is_some_and(rtp::is_rtcp) {
            let from = from.unwrap_or_else(|| port.leg.latched());
            return port.leg.receive_rtcp(now, ntp_now(), from, true, &mut self.buffer, n);
        }
        let media = port.leg.receive(now, from, &mut self.buffer, n);
        if let Some(media) = media {
            self.pass(now, slot, media);
            self.hand_on(now, slot);
        }
        if self.slots.get(slot).is_some_and(|p| p.leg.attention) {
            self.attend(now, slot);
            self.set_timer();
        }
    }

    /// The form of the far leg of this one.
    #[inline]
    pub(super) fn far(&self, slot: usize) -> Option<Speaks> {
        self.slots.get(self.slots.partner(slot)?)?.leg.speaks()
    }

    /// A key that was found in the audio of this leg goes to one that knows telephone events.
    #[inline]
    pub(super) fn hand_on(&mut self, now: Instant, slot: usize) {
        let partner = self.slots.partner(slot);
        let Some(port) = self.slots.get_mut(slot) else { return };
        let key = port.leg.take_key();
        let (Some(key), Some(partner)) = (key, partner) else { return };
        if let Some(other) = self.slots.get_mut(partner)
            && other.leg.take_over(now, key)
        {
            other.poll(now, &mut self.buffer);
            self.attend(now, partner);
            self.set_timer();
        }
    }

    /// Lets the other leg have what this one received.
    #[inline]
    fn pass(&mut self, now: Instant, slot: usize, mut media: Media) {
        let partner = self.slots.partner(slot);
        let far = self.far(slot);
        let Some(port) = self.slots.get_mut(slot) else { return };
        if port.mix.is_some() {
            return port.leg.listen_whole(now, &media, &self.buffer);
        }
        if !port.leg.route(now, &mut media, far, &self.buffer) {
            return;
        }
        let Some(partner) = partner else { return };
        let Some(other) = self.slots.get_mut(partner) else {
            return;
        };
        if let Some(at) = other.leg.relay(now, &media, &mut self.buffer) {
            other.transmit(self.buffer.get(at).unwrap_or_default());
        } else if media.is_event() {
            // It may have become a tone.
            other.poll(now, &mut self.buffer);
        }
    }
}
