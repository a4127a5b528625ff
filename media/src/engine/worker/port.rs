//! A leg and its sockets.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Instant, SystemTime};

use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::super::conference::MixId;
use super::super::leg::{Buffer, Goes, Leg};
use super::super::pipe::{Pipe, Plane};
use super::dtls::{Dtls, Early};
use super::ice::Ice;
use super::kernel::Offload;
use super::webrtc::WebRtc;
use crate::ahead::fetch;

/// What carries a leg's packets.
pub(in crate::engine) enum Line {
    /// Two sockets of its own.
    Own {
        rtp: UdpSocket,
        rtcp: UdpSocket,
        connected: Connected,
        /// What comes to them beside media.
        below: Option<Box<Below>>,
    },
    /// The port that all WebRTC legs share.
    Shared(Box<WebRtc>),
}

/// What a leg's own sockets have below its media.
pub(in crate::engine) enum Below {
    /// Keys come from a handshake on the RTP socket.
    Dtls(Dtls),
    /// The peer asks on both sockets, and chooses where media goes.
    Ice(Ice),
}

impl Below {
    /// Whether media can flow.
    #[inline]
    fn is_up(&self) -> bool {
        match self {
            Self::Dtls(dtls) => dtls.is_up(),
            Self::Ice(ice) => ice.is_up(),
        }
    }
}

/// Whether the RTP socket is connected to the peer: the kernel filters strangers then, and keeps the
/// route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Connected {
    No,
    /// Lately: what waited in the socket by then may be a stranger's.
    Lately,
    /// Nothing waits in it that is not the peer's: it was seen to be empty since, in a later turn than
    /// the one that connected it, by when whatever the kernel had at hand then is there.
    Yes,
}

/// A leg and what carries its packets. In this order in memory, as a [`Leg`] is.
#[repr(C, align(64))]
pub(in crate::engine) struct Port {
    pub(super) line: Line,
    /// The conference it is in, in place of a partner.
    pub(super) mix: Option<MixId>,
    /// What passes is not audio of the leg's, and is passed on untouched.
    pub(super) pipe: Option<Box<Pipe>>,
    pub(super) leg: Leg,
    /// The clock has work for it.
    pub(super) active: bool,
    /// Its packets are taken at each tick and wake nobody.
    pub(super) by_clock: bool,
    /// What the kernel relays of its peer.
    pub(super) offload: Offload,
    /// A handshake began before we knew of one.
    pub(super) early: Option<Box<Early>>,
}

impl Port {
    pub(in crate::engine) fn new(leg: Leg, rtp: UdpSocket, rtcp: UdpSocket) -> Self {
        Self::on(leg, Line::Own { rtp, rtcp, connected: Connected::No, below: None })
    }

    pub(in crate::engine) fn shared(leg: Leg, webrtc: Box<WebRtc>) -> Self {
        Self::on(leg, Line::Shared(webrtc))
    }

    fn on(leg: Leg, line: Line) -> Self {
        Self {
            leg,
            line,
            mix: None,
            pipe: None,
            active: false,
            by_clock: false,
            offload: Offload::default(),
            early: None,
        }
    }

    /// Has the processor fetch what a packet touches.
    #[inline]
    pub(super) fn foresee(&self, goes: Goes) {
        fetch(&self.pipe, 1);
        self.leg.foresee(goes);
    }

    /// Takes a datagram off the RTP socket: how long it is, and where it came from unless only one
    /// peer can have sent it.
    ///
    /// # Errors
    /// As of the socket; `WouldBlock` also on a leg that has none of its own.
    #[inline]
    pub(super) fn take(&mut self, buffer: &mut Buffer) -> io::Result<(usize, Option<SocketAddr>)> {
        let Line::Own { rtp, connected, below, .. } = &mut self.line else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        if *connected == Connected::Yes && below.is_none() {
            // Past the C library, whose calls may be cancelled and look for that.
            return Ok((recv(&*rtp, &mut buffer[..], RecvFlags::empty())?.0, None));
        }
        let taken = rtp.recv_from(&mut buffer[..]);
        if *connected == Connected::Lately
            && taken.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        {
            *connected = Connected::Yes;
        }
        taken.map(|(n, from)| (n, Some(from)))
    }

    /// Whether what comes to the port's own sockets is not media alone.
    #[inline]
    pub(super) fn has_below(&self) -> bool {
        matches!(self.line, Line::Own { below: Some(_), .. })
    }

    /// What comes to them beside media, if anything does.
    pub(super) fn below(&mut self) -> Option<&mut Below> {
        match &mut self.line {
            Line::Own { below, .. } => below.as_deref_mut(),
            Line::Shared(_) => None,
        }
    }

    /// Whether what waits in the socket is to be taken at once, to the last.
    #[inline]
    pub(super) fn is_to_be_emptied(&self) -> bool {
        matches!(self.line, Line::Own { connected: Connected::Lately, .. })
    }

    #[inline]
    pub(super) fn transmit(&self, packet: &[u8]) {
        let send = || match &self.line {
            Line::Own { rtp, connected: Connected::No, .. } => match self.leg.target() {
                Some(target) => rtp.send_to(packet, target),
                None => Err(io::ErrorKind::AddrNotAvailable.into()),
            },
            Line::Own { rtp, .. } => send_to_peer(rtp, packet),
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
        let Line::Own { rtp, connected, below, .. } = &mut self.line else { return };
        // Whoever has ICE may ask from elsewhere at any time, and choose that.
        let ice = matches!(below.as_deref(), Some(Below::Ice(_)));
        match self.leg.only_peer().filter(|_| !ice) {
            Some(peer) if rtp.connect(peer).is_ok() => *connected = Connected::Lately,
            _ if *connected == Connected::No => {}
            _ => {
                // Should that fail, the kernel lets nobody else speak; whose a packet is is asked again.
                let _ = rustix::net::connect_unspec(rtp);
                *connected = Connected::No;
            }
        }
    }

    pub(super) fn poll(&mut self, now: Instant, buffer: &mut Buffer) {
        self.leg.handle_timeout(now);
        let up = match &self.line {
            Line::Shared(webrtc) => webrtc.is_up(),
            Line::Own { below, .. } => below.as_ref().is_none_or(|below| below.is_up()),
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
            (Line::Own { rtp, connected: Connected::No, .. }, true) => rtp.send_to(packet, target),
            (Line::Own { rtp, .. }, true) => send_to_peer(rtp, packet),
            (Line::Own { rtcp, .. }, false) => rtcp.send_to(packet, target),
            (Line::Shared(webrtc), _) => webrtc.send(packet),
        };
        if result.is_ok() {
            self.leg.counters.rtcp_sent.bump();
        }
    }
}

/// Sends what goes to the peer of a connected socket.
#[inline]
fn send_to_peer(socket: &UdpSocket, packet: &[u8]) -> io::Result<usize> {
    Ok(send(socket, packet, SendFlags::empty())?)
}

/// Wall clock as NTP: seconds since 1900 in the upper half (RFC 3550 §4).
pub(super) fn ntp_now() -> u64 {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = unix.as_secs().wrapping_add(2_208_988_800) & 0xffff_ffff;
    (seconds << 32) | ((u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000)
}
