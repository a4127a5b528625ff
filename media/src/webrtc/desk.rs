//! DTLS-SRTP of a desk phone (RFC 5763): the handshake runs on the leg's own port and there is no
//! ICE, so the peer is where the description says, or where it speaks from behind a NAT.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::dtls::{Association, Fingerprint, HANDSHAKE, Identity, News, client_hello};
use super::session::{Send, WebRtcError};
use crate::flood::Meter;
use crate::srtp::SrtpKeys;

/// Sources beside the announced host that are spoken to at a time.
const MOST_OTHERS: usize = 3;

/// What both descriptions say of the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DtlsTerms {
    /// The peer's certificate.
    pub fingerprint: Fingerprint,
    /// We begin (`a=setup:active`).
    pub active: bool,
}

/// A handshake with a source that nobody announced.
struct Other {
    from: SocketAddr,
    handshake: Association,
}

/// The handshake of one leg.
pub(crate) struct Desk {
    terms: DtlsTerms,
    identity: Identity,
    /// With the announced host, or once there are keys with whoever has them.
    handshake: Association,
    /// With others, one each, as long as that host is silent: what one says is not mixed up with what
    /// another does, and the first who has the announced certificate is the phone.
    others: Vec<Other>,
    /// Bounds how many are begun.
    meter: Meter,
    /// Where ours goes: as announced, then where the peer's comes from.
    peer: SocketAddr,
    /// As the description has it.
    announced: SocketAddr,
    /// Whether its host has spoken: then no other is listened to.
    heard: bool,
    keys: Option<SrtpKeys>,
    until: Instant,
    over: bool,
    error: Option<WebRtcError>,
    /// Why it came to nothing with another host: told when the announced one never speaks.
    doubt: Option<WebRtcError>,
}

impl Desk {
    pub(crate) fn new(
        now: Instant,
        terms: DtlsTerms,
        identity: &Identity,
        peer: SocketAddr,
        send: Send<'_>,
    ) -> Self {
        let mut desk = Self {
            handshake: identity.associate(now, terms.fingerprint.clone(), terms.active),
            terms,
            identity: identity.clone(),
            others: Vec::new(),
            meter: Meter::for_checks(now),
            peer,
            announced: peer,
            heard: false,
            keys: None,
            until: now + HANDSHAKE + Duration::from_secs(5),
            over: false,
            error: None,
            doubt: None,
        };
        desk.handle_timeout(now, send);
        desk
    }

    /// Takes a new agreement. The same certificate and role keep what there is (RFC 8842 §4).
    pub(crate) fn set(
        &mut self,
        now: Instant,
        terms: DtlsTerms,
        identity: &Identity,
        peer: SocketAddr,
        send: Send<'_>,
    ) {
        if self.terms != terms {
            *self = Self::new(now, terms, identity, peer, send);
        } else if self.announced != peer {
            (self.announced, self.heard) = (peer, false);
            if self.keys.is_none() {
                self.peer = peer;
                self.handshake.moved(now);
                self.handle_timeout(now, send);
            }
        }
    }

    /// The keys of RTP, once the handshake is over. They change when the phone makes others.
    pub(crate) fn keys(&self) -> Option<&SrtpKeys> {
        self.keys.as_ref().filter(|_| !self.over)
    }

    /// Whether time is to pass: a handshake is going on.
    pub(crate) fn is_busy(&self) -> bool {
        self.keys.is_none() || self.handshake.begins_anew()
    }

    /// Why it came to nothing, once.
    pub(crate) fn take_error(&mut self) -> Option<WebRtcError> {
        self.error.take()
    }

    /// Takes a datagram of DTLS, from the host of the description, or from another one (of a NAT) as
    /// long as that one is silent.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &[u8],
        send: Send<'_>,
    ) {
        let own = from.ip() == self.announced.ip();
        if self.keys.is_some() {
            if from != self.peer {
                return;
            }
        } else if own {
            self.heard = true;
            self.peer = from;
            self.others.clear();
            self.doubt = None;
        } else {
            // Whom we asked is known; an answer of somebody else is none.
            if !self.heard && !self.terms.active {
                self.receive_other(now, from, packet, send);
            }
            return;
        }
        let news = self.handshake.receive(now, packet, &mut |packet| send(from, packet));
        self.heed(news);
    }

    /// Takes a datagram of a source that nobody announced: it begins with a ClientHello.
    fn receive_other(&mut self, now: Instant, from: SocketAddr, packet: &[u8], send: Send<'_>) {
        let known = self.others.iter().position(|other| other.from == from);
        let begins = known.is_none() && client_hello(packet).is_some() && !self.over;
        let at = match known {
            Some(at) => at,
            None if begins && self.meter.takes(now) && self.make_room() => {
                let expected = self.terms.fingerprint.clone();
                let handshake = self.identity.associate(now, expected, false);
                self.others.push(Other { from, handshake });
                self.others.len() - 1
            }
            None => return,
        };
        let Some(other) = self.others.get_mut(at) else { return };
        let news = other.handshake.receive(now, packet, &mut |packet| send(from, packet));
        self.heed_other(at, news);
    }

    /// Room for one more: the oldest gives way of those that did not show that they are where they say.
    fn make_room(&mut self) -> bool {
        if self.others.len() < MOST_OTHERS {
            return true;
        }
        let unknown = self.others.iter().position(|other| !other.handshake.is_reached());
        unknown.map(|at| self.others.remove(at)).is_some()
    }

    fn heed_other(&mut self, at: usize, news: News) {
        if news == News::Waiting {
            return;
        }
        let other = self.others.remove(at);
        match news {
            News::Keys(keys) => {
                (self.handshake, self.peer) = (other.handshake, other.from);
                self.keys = Some(keys);
                self.others.clear();
            }
            News::Stranger => self.doubt = Some(WebRtcError::Stranger),
            News::Failed(text) => self.doubt = Some(WebRtcError::Handshake(text)),
            News::Waiting => {}
        }
    }

    /// Lets time pass.
    pub(crate) fn handle_timeout(&mut self, now: Instant, send: Send<'_>) {
        if self.over {
            return;
        }
        if self.handshake.wake().is_some_and(|wake| wake <= now) {
            let to = self.peer;
            // A passive side has nothing to say before it is spoken to; who gave no address cannot be.
            let known = to.port() != 0 && !to.ip().is_unspecified();
            let news = self.handshake.handle_timeout(now, &mut |packet| {
                if known {
                    send(to, packet);
                }
            });
            self.heed(news);
        }
        for at in (0..self.others.len()).rev() {
            let Some(other) = self.others.get_mut(at) else { continue };
            if other.handshake.wake().is_some_and(|wake| wake <= now) {
                let to = other.from;
                let news = other.handshake.handle_timeout(now, &mut |packet| send(to, packet));
                self.heed_other(at, news);
            }
        }
        if self.keys.is_none() && now >= self.until {
            let why = self.doubt.take().unwrap_or(WebRtcError::Late);
            self.fail(why);
        }
    }

    fn heed(&mut self, news: News) {
        let why = match news {
            News::Waiting => return,
            News::Keys(keys) => {
                self.keys = Some(keys);
                return;
            }
            News::Stranger => WebRtcError::Stranger,
            News::Failed(text) => WebRtcError::Handshake(text),
        };
        // What comes after the keys ends nothing: signalling says when the call is over.
        if self.keys.is_none() {
            self.fail(why);
        }
    }

    fn fail(&mut self, error: WebRtcError) {
        if !self.over {
            self.over = true;
            self.error = Some(error);
        }
    }
}

#[cfg(test)]
mod tests;
