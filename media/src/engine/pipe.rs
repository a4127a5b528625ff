//! A stream that is passed on untouched: video, text and fax. Nothing in it is understood.
//!
//! > Whoever said in its description that it is there is heard, from one address; what it sends goes
//! > to the other side byte by byte, encrypted and decrypted where the two sides differ in that.

use std::net::SocketAddr;
use std::time::Instant;

use super::leg::Buffer;
use crate::flood::Meter;
use crate::latch::Latch;
use crate::rtp;
use crate::srtp::{SrtpKeys, SrtpSession, Unprotected};

/// What is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// RTP and, on the next port, its RTCP.
    Rtp,
    /// UDPTL datagrams of T.38 (ITU-T T.38 annex D), which have no header that tells them apart.
    Udptl,
}

/// One side of a stream that is passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipeConfig {
    /// What.
    pub carried: Carried,
    /// Where the peer said it listens.
    pub remote: SocketAddr,
    /// Where it takes RTCP; `None` = the next port.
    pub remote_rtcp: Option<SocketAddr>,
    /// Keys of RTP/SAVP.
    pub srtp: Option<SrtpKeys>,
    /// Whether the peer wants to be sent something.
    pub send: bool,
}

/// The RTP port, or that of RTCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plane {
    Media,
    Control,
}

/// What became of a datagram of the peer's.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Plain now, so long, and to be passed on.
    Yes(usize, Plane),
    /// From an address that is not the peer's.
    Stranger,
    /// No packet of what is carried, or too many.
    Dropped,
    /// With another key, or once more.
    Unauthentic,
}

/// The state of one side.
pub(super) struct Pipe {
    config: PipeConfig,
    media: Latch,
    control: Latch,
    meter: Meter,
    srtp: Option<Box<SrtpSession>>,
}

impl Pipe {
    pub(super) fn new(now: Instant, config: PipeConfig) -> Self {
        let (media, control) = latches(&config);
        let srtp = config.srtp.clone().and_then(SrtpSession::new).map(Box::new);
        Self { config, media, control, meter: Meter::for_video(now), srtp }
    }

    /// Takes a new agreement.
    pub(super) fn set(&mut self, config: PipeConfig) {
        if (config.remote, config.remote_rtcp) != (self.config.remote, self.config.remote_rtcp) {
            (self.media, self.control) = latches(&config);
        }
        self.srtp = match (self.srtp.take(), &config.srtp) {
            (Some(mut session), Some(keys)) => session.rekey(keys.clone()).map(|()| session),
            (None, Some(keys)) => SrtpSession::new(keys.clone()).map(Box::new),
            (_, None) => None,
        };
        self.config = config;
    }

    /// Takes a datagram in `buffer[..length]`.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        (from, plane): (SocketAddr, Plane),
        buffer: &mut Buffer,
        length: usize,
    ) -> Taken {
        let latch = if plane == Plane::Media { &self.media } else { &self.control };
        if !latch.admits(from) {
            return Taken::Stranger;
        }
        let Some(packet) = buffer.get_mut(..length).filter(|_| length <= rtp::MAX_PACKET) else {
            return Taken::Dropped;
        };
        if packet.is_empty() || !self.meter.takes(now) {
            return Taken::Dropped;
        }
        let (length, to) = match self.config.carried {
            Carried::Udptl if plane == Plane::Control => return Taken::Dropped,
            Carried::Udptl => (length, Plane::Media),
            Carried::Rtp => {
                // Who puts both on one port without having asked is understood all the same.
                let control = rtp::is_rtcp(packet);
                let to = if control { Plane::Control } else { Plane::Media };
                match self.open(packet, to) {
                    Ok(length) => (length, to),
                    Err(taken) => return taken,
                }
            }
        };
        match plane {
            Plane::Media => self.media.confirm(from),
            Plane::Control => self.control.confirm(from),
        };
        Taken::Yes(length, to)
    }

    /// Decrypts what needs it, and looks whether it is RTP at all.
    fn open(&mut self, packet: &mut [u8], plane: Plane) -> Result<usize, Taken> {
        let mut length = packet.len();
        if self.config.srtp.is_some() {
            let session = self.srtp.as_mut().ok_or(Taken::Unauthentic)?;
            let outcome = match plane {
                Plane::Media => session.unprotect_rtp(packet),
                Plane::Control => session.unprotect_rtcp(packet),
            };
            let Unprotected::Plain(plain) = outcome else { return Err(Taken::Unauthentic) };
            length = plain;
        }
        let plain = packet.get(..length).unwrap_or_default();
        let sound = match plane {
            Plane::Media => rtp::parse(plain).is_some(),
            Plane::Control => plain.len() >= 8,
        };
        if sound { Ok(length) } else { Err(Taken::Dropped) }
    }

    /// Makes what the other side received, in `buffer[..length]`, ready for our peer. `None`: it is
    /// not to be sent.
    pub(super) fn send(
        &mut self,
        buffer: &mut Buffer,
        length: usize,
        plane: Plane,
    ) -> Option<(SocketAddr, usize)> {
        let target = match plane {
            Plane::Media => self.media.target(),
            Plane::Control => self.control.target(),
        };
        let nowhere = target.port() == 0 || target.ip().is_unspecified();
        if nowhere || (plane == Plane::Media && !self.config.send) {
            return None;
        }
        if self.config.srtp.is_none() {
            return Some((target, length));
        }
        // Without a session nothing is sent: never plain on a secured leg.
        let session = self.srtp.as_mut()?;
        let length = match plane {
            Plane::Media => session.protect_rtp(buffer, 0..length)?.end,
            Plane::Control => session.protect_rtcp(buffer, length)?,
        };
        Some((target, length))
    }
}

fn latches(config: &PipeConfig) -> (Latch, Latch) {
    let control = config.remote_rtcp.unwrap_or_else(|| {
        let mut next = config.remote;
        next.set_port(next.port().checked_add(1).unwrap_or(0));
        next
    });
    (Latch::new(config.remote), Latch::new(control))
}

#[cfg(test)]
mod tests;
