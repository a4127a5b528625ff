//! A leg and its sockets.

use std::io;
use std::net::UdpSocket;
use std::time::{Instant, SystemTime};

use super::super::conference::MixId;
use super::super::leg::{Buffer, Leg};
use super::super::pipe::{Pipe, Plane};
use super::dtls::Dtls;
use super::kernel::Offload;
use super::webrtc::WebRtc;

/// What carries a leg's packets.
pub(in crate::engine) enum Line {
    /// Two sockets of its own.
    Own {
        rtp: UdpSocket,
        rtcp: UdpSocket,
        /// The RTP socket is connected to the peer: the kernel filters strangers and keeps the route.
        connected: bool,
        /// Keys come from a handshake on the RTP socket.
        dtls: Option<Box<Dtls>>,
    },
    /// The port that all WebRTC legs share.
    Shared(Box<WebRtc>),
}

/// A leg and what carries its packets.
pub(in crate::engine) struct Port {
    pub(super) leg: Leg,
    pub(super) line: Line,
    /// Slot of the other leg.
    pub(super) partner: Option<usize>,
    /// The conference it is in, in place of a partner.
    pub(super) mix: Option<MixId>,
    /// What passes is not audio of the leg's, and is passed on untouched.
    pub(super) pipe: Option<Box<Pipe>>,
    /// The clock has work for it.
    pub(super) active: bool,
    /// Its packets are taken at each tick and wake nobody.
    pub(super) by_clock: bool,
    /// What the kernel relays of its peer.
    pub(super) offload: Offload,
}

impl Port {
    pub(in crate::engine) fn new(leg: Leg, rtp: UdpSocket, rtcp: UdpSocket) -> Self {
        Self::on(leg, Line::Own { rtp, rtcp, connected: false, dtls: None })
    }

    pub(in crate::engine) fn shared(leg: Leg, webrtc: Box<WebRtc>) -> Self {
        Self::on(leg, Line::Shared(webrtc))
    }

    fn on(leg: Leg, line: Line) -> Self {
        Self {
            leg,
            line,
            partner: None,
            mix: None,
            pipe: None,
            active: false,
            by_clock: false,
            offload: Offload::default(),
        }
    }

    #[inline]
    pub(super) fn transmit(&self, packet: &[u8]) {
        let send = || match &self.line {
            Line::Own { rtp, connected: true, .. } => rtp.send(packet),
            Line::Own { rtp, .. } => match self.leg.target() {
                Some(target) => rtp.send_to(packet, target),
                None => Err(io::ErrorKind::AddrNotAvailable.into()),
            },
            Line::Shared(webrtc) => webrtc.send(packet),
        };
        let result = match send() {
            // An ICMP error for an earlier packet; this one has not been sent yet.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => send(),
            result => result,
        };
        match result {
            Ok(_) => self.leg.counters.sent.bump(),
            Err(_) => self.leg.counters.send_errors.bump(),
        }
    }

    /// Sends the peer of a pipe what the other side received, in `buffer[..length]`.
    pub(super) fn pass_on(&mut self, buffer: &mut Buffer, length: usize, plane: Plane) {
        let (Some(pipe), Line::Own { rtp, rtcp, .. }) = (&mut self.pipe, &self.line) else {
            return;
        };
        let Some((target, length)) = pipe.send(buffer, length, plane) else { return };
        let socket = if plane == Plane::Media { rtp } else { rtcp };
        match (socket.send_to(buffer.get(..length).unwrap_or_default(), target), plane) {
            (Ok(_), Plane::Media) => self.leg.counters.sent.bump(),
            (Ok(_), Plane::Control) => self.leg.counters.rtcp_sent.bump(),
            (Err(_), _) => self.leg.counters.send_errors.bump(),
        }
    }

    /// Follows the leg's latch with the socket.
    pub(super) fn retarget(&mut self) {
        let Line::Own { rtp, connected, .. } = &mut self.line else { return };
        match self.leg.only_peer() {
            Some(peer) => *connected = rtp.connect(peer).is_ok(),
            None if *connected => *connected = rustix::net::connect_unspec(rtp).is_err(),
            None => {}
        }
    }

    pub(super) fn poll(&mut self, now: Instant, buffer: &mut Buffer) {
        self.leg.handle_timeout(now);
        let up = match &self.line {
            Line::Shared(webrtc) => webrtc.is_up(),
            Line::Own { dtls, .. } => dtls.as_ref().is_none_or(|dtls| dtls.is_up()),
        };
        if !up {
            // Nothing is lost of what is to be said: it begins when the peer can hear it.
            return;
        }
        while let Some(at) = self.leg.poll(now, buffer) {
            self.transmit(buffer.get(at).unwrap_or_default());
        }
    }

    /// Sends our report when it is due.
    pub(super) fn report(&mut self, now: Instant, buffer: &mut Buffer) {
        self.send_rtcp(buffer, |leg, buffer| leg.report(now, ntp_now(), buffer));
    }

    /// Says to the peer that we leave.
    pub(super) fn goodbye(&mut self, now: Instant, buffer: &mut Buffer) {
        self.send_rtcp(buffer, |leg, buffer| leg.goodbye(now, ntp_now(), buffer));
    }

    fn send_rtcp(
        &mut self,
        buffer: &mut Buffer,
        make: impl FnOnce(&mut Leg, &mut Buffer) -> Option<usize>,
    ) {
        let Some((target, mux)) = self.leg.rtcp_target() else { return };
        let Some(n) = make(&mut self.leg, buffer) else { return };
        let packet = buffer.get(..n).unwrap_or_default();
        let result = match (&self.line, mux) {
            (Line::Own { rtp, connected: true, .. }, true) => rtp.send(packet),
            (Line::Own { rtp, .. }, true) => rtp.send_to(packet, target),
            (Line::Own { rtcp, .. }, false) => rtcp.send_to(packet, target),
            (Line::Shared(webrtc), _) => webrtc.send(packet),
        };
        if result.is_ok() {
            self.leg.counters.rtcp_sent.bump();
        }
    }
}

/// Wall clock as NTP: seconds since 1900 in the upper half (RFC 3550 §4).
pub(super) fn ntp_now() -> u64 {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = unix.as_secs().wrapping_add(2_208_988_800) & 0xffff_ffff;
    (seconds << 32) | ((u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000)
}
