//! The one place that decides which library makes a leg's keys (`docs/decisions/0018`).

use std::time::Instant;

use super::{Association, Fingerprint, Handshake, Identity, News};

/// Who is at the other end, as the way of its signalling shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Peer {
    /// A page: its signalling is over WebSocket. It comes from the open internet, and its
    /// certificate is on P-256.
    Browser,
    /// A phone with an account, a gateway, a trunk: often with an RSA key, and older than the rules
    /// for browsers.
    #[default]
    Phone,
}

/// A handshake on a leg with ICE.
pub(in crate::webrtc) enum OverIce {
    Browser(Box<Handshake>),
    Phone(Box<Association>),
}

impl OverIce {
    /// `active`: we are the DTLS client.
    pub(in crate::webrtc) fn begin(
        now: Instant,
        identity: &Identity,
        peer: Peer,
        expected: Fingerprint,
        active: bool,
    ) -> Self {
        match peer {
            Peer::Browser => {
                Self::Browser(Box::new(Handshake::new(now, identity, expected, active)))
            }
            Peer::Phone => Self::Phone(Box::new(identity.associate(now, expected, active))),
        }
    }

    /// When the library wants to be called again.
    pub(in crate::webrtc) fn wake(&self) -> Option<Instant> {
        match self {
            Self::Browser(handshake) => handshake.wake,
            Self::Phone(handshake) => handshake.wake(),
        }
    }

    /// Takes a datagram; `send` gets what is to be answered.
    pub(in crate::webrtc) fn receive(
        &mut self,
        now: Instant,
        packet: &[u8],
        send: &mut dyn FnMut(&[u8]),
    ) -> News {
        match self {
            Self::Browser(handshake) => handshake.receive(now, packet, send),
            Self::Phone(handshake) => handshake.receive(now, packet, send),
        }
    }

    /// Lets time pass.
    pub(in crate::webrtc) fn handle_timeout(
        &mut self,
        now: Instant,
        send: &mut dyn FnMut(&[u8]),
    ) -> News {
        match self {
            Self::Browser(handshake) => handshake.handle_timeout(now, send),
            Self::Phone(handshake) => handshake.handle_timeout(now, send),
        }
    }

    /// Says to a page that it is over; a phone hears it from signalling.
    pub(in crate::webrtc) fn close(&mut self, send: &mut dyn FnMut(&[u8])) {
        if let Self::Browser(handshake) = self {
            handshake.close(send);
        }
    }
}

#[cfg(test)]
impl OverIce {
    /// The library of phones gets what it had before, too.
    pub(in crate::webrtc) fn spare_nothing(&mut self) {
        if let Self::Phone(handshake) = self {
            handshake.spare_nothing();
        }
    }
}
