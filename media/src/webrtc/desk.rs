//! DTLS-SRTP of a desk phone (RFC 5763): the handshake runs on the leg's own port and there is no
//! ICE, so the peer is where the description says, or where it speaks from behind a NAT.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::dtls::{Association, Fingerprint, HANDSHAKE, Identity, News, client_hello};
use super::session::{Send, WebRtcError};
use crate::flood::Meter;
use crate::srtp::SrtpKeys;

/// Hosts beside the announced one that are spoken to at a time, each at one port.
const MOST_OTHERS: usize = 6;
/// Ports of the announced host beside the announced one.
const MOST_PORTS: usize = 3;
/// One that returned our cookie has but one thing more to say, its certificate and what belongs to it.
/// Who has not by then gives way to somebody else: enough for two repeats (RFC 6347 §4.2.4.1).
const STALLED: Duration = Duration::from_secs(3);
/// Where we begin, and another port of the phone's host had a part in a handshake that came to nothing:
/// how long the next one, a second later, is had with the announced port alone. Then the others count
/// again, for it may be a NAT's.
const ALONE: Duration = Duration::from_secs(5);
/// How long a handshake may take, with what it takes until the peer has our description.
const TIME: Duration = Duration::from_secs(HANDSHAKE.as_secs() + 5);

/// What both descriptions say of the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DtlsTerms {
    /// The peer's certificate.
    pub fingerprint: Fingerprint,
    /// We begin (`a=setup:active`).
    pub active: bool,
}

/// A handshake with one source, which begins it. Whether it is the phone shows at its end.
struct Other {
    from: SocketAddr,
    handshake: Association,
    /// When it showed that it is where it says: it returned our cookie.
    reached: Option<Instant>,
    until: Instant,
}

/// The handshake of one leg.
pub(crate) struct Desk {
    terms: DtlsTerms,
    identity: Identity,
    /// The one that we began, or that made the keys.
    handshake: Option<Association>,
    /// With whoever begins one, each source by itself: what one says is not mixed up with what another
    /// does, and the first who has the announced certificate is the phone.
    others: Vec<Other>,
    /// Bounds how many are begun: at the announced address, at other ports of its host, and elsewhere.
    meters: [Meter; 3],
    /// Where ours goes: as announced, then where the peer's comes from.
    peer: SocketAddr,
    /// As the description has it.
    announced: SocketAddr,
    /// Whether its host has shown to be there: then no other is listened to.
    heard: bool,
    /// We began, and another port of its host had a part in this handshake.
    mixed: bool,
    /// Until then no such port is listened to.
    alone: Option<Instant>,
    /// The description has another address than when the keys were made.
    moved: bool,
    keys: Option<SrtpKeys>,
    until: Instant,
    over: bool,
    error: Option<WebRtcError>,
    /// Why one came to nothing: told when no other comes to anything.
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
        let begin = || identity.associate(now, terms.fingerprint.clone(), true);
        let mut desk = Self {
            handshake: terms.active.then(begin),
            terms,
            identity: identity.clone(),
            others: Vec::new(),
            meters: [(); 3].map(|()| Meter::for_checks(now)),
            peer,
            announced: peer,
            heard: false,
            mixed: false,
            alone: None,
            moved: false,
            keys: None,
            until: now + TIME,
            over: false,
            error: None,
            doubt: None,
        };
        desk.handle_timeout(now, send);
        desk
    }

    /// Takes a new agreement. The same certificate and role keep what there is (RFC 8842 §4); where the
    /// peer says that it is elsewhere, it may begin another one there. A hold with an address of zeros
    /// (RFC 2543) says nothing of that.
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
        } else if self.announced != peer && !(self.keys.is_some() && peer.ip().is_unspecified()) {
            (self.announced, self.heard) = (peer, false);
            (self.mixed, self.alone) = (false, None);
            if self.keys.is_some() {
                (self.moved, self.until) = (true, now + TIME);
            } else if let Some(handshake) = &mut self.handshake {
                self.peer = peer;
                handshake.moved(now);
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
        let anew = self.handshake.as_ref().is_some_and(Association::begins_anew);
        !self.over && (self.keys.is_none() || anew || !self.others.is_empty())
    }

    /// Why it came to nothing, once.
    pub(crate) fn take_error(&mut self) -> Option<WebRtcError> {
        self.error.take()
    }

    /// Takes a datagram of DTLS, from the host of the description, or from another one (of a NAT) as
    /// long as that one is silent. False: it is of nobody who is listened to.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &[u8],
        send: Send<'_>,
    ) -> bool {
        if self.over {
            return false;
        }
        let own = from.ip() == self.announced.ip();
        let known = match (&self.keys, self.terms.active) {
            (Some(_), _) => from == self.peer,
            // Whom we asked is known; an answer of somebody else is none.
            (None, true) => {
                let alone = self.alone.is_some_and(|until| now < until);
                match self.heard {
                    true => from == self.peer,
                    false => own && (!alone || from == self.announced),
                }
            }
            (None, false) => false,
        };
        if known && let Some(handshake) = &mut self.handshake {
            if self.terms.active && self.keys.is_none() {
                if from != self.announced {
                    self.mixed = true;
                    handshake.mix();
                } else if self.alone.is_some() {
                    // It is there: nobody else is needed any more.
                    self.alone = Some(self.until);
                }
            }
            let before = handshake.is_reached();
            let news = handshake.receive(now, packet, &mut |packet| send(from, packet));
            // Not before it said all that a server says first does it count where it spoke from; and what
            // it said before its description named another place says nothing of that one.
            let finished = matches!(news, News::Keys(_) | News::Stranger);
            let shown = finished || (handshake.is_reached() && !before);
            if self.terms.active && !self.heard && shown {
                (self.heard, self.peer) = (true, from);
            }
            self.heed(now, news);
            return true;
        }
        !self.terms.active && self.receive_other(now, from, packet, send)
    }

    /// Takes a datagram of a source that has no keys: it begins with a ClientHello.
    fn receive_other(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &[u8],
        send: Send<'_>,
    ) -> bool {
        let known = self.others.iter().position(|other| other.from == from);
        let at = match known {
            Some(at) => at,
            None if client_hello(packet).is_some() && self.may_begin(now, from) => {
                let expected = self.terms.fingerprint.clone();
                let handshake = self.identity.associate(now, expected, false);
                self.others.push(Other { from, handshake, reached: None, until: now + TIME });
                self.others.len() - 1
            }
            None => return false,
        };
        let Some(other) = self.others.get_mut(at) else { return false };
        let news = other.handshake.receive(now, packet, &mut |packet| send(from, packet));
        if other.reached.is_none() && other.handshake.is_reached() {
            other.reached = Some(now);
        }
        let reached = other.reached.is_some();
        self.heed_other(at, news);
        let host = self.announced.ip();
        if reached && from.ip() == host && !self.heard {
            self.heard = true;
            self.others.retain(|other| other.from.ip() == host);
        }
        true
    }

    /// Whether a source that was not heard yet may begin a handshake. There is room for it then.
    fn may_begin(&mut self, now: Instant, from: SocketAddr) -> bool {
        let own = from.ip() == self.announced.ip();
        let waited_for = self.keys.is_none() || (self.moved && (own || now < self.until));
        let [of_announced, of_own, of_others] = &mut self.meters;
        let meter = match own {
            true if from == self.announced => of_announced,
            true => of_own,
            false => of_others,
        };
        waited_for && (own || !self.heard) && meter.takes(now) && self.make_room(now, from)
    }

    /// Room for one more. The announced address has a place of its own. Elsewhere the oldest gives way
    /// of those that did not show that they are where they say, or else one that did and stopped.
    fn make_room(&mut self, now: Instant, from: SocketAddr) -> bool {
        let announced = self.announced;
        if from == announced {
            return true;
        }
        let host = |other: &Other| other.from.ip() == from.ip() && other.from != announced;
        let (own, hosts) = (from.ip() == announced.ip(), self.others.iter().any(host));
        let rival = |other: &Other| match hosts {
            true => host(other),
            false => !own && other.from.ip() != announced.ip(),
        };
        let most = match (own, hosts) {
            (true, _) => MOST_PORTS,
            (false, true) => 1,
            (false, false) => MOST_OTHERS,
        };
        if self.others.iter().filter(|other| rival(other)).count() < most {
            return true;
        }
        let stalls = |reached: Instant| now.saturating_duration_since(reached) >= STALLED;
        let find = |fits: &dyn Fn(&Other) -> bool| {
            self.others.iter().position(|other| rival(other) && fits(other))
        };
        let unknown = find(&|other| other.reached.is_none());
        let gives_way = unknown.or_else(|| find(&|other| other.reached.is_some_and(stalls)));
        gives_way.map(|at| self.others.remove(at)).is_some()
    }

    fn heed_other(&mut self, at: usize, news: News) {
        if news == News::Waiting {
            return;
        }
        let other = self.others.remove(at);
        let why = match news {
            News::Waiting => return,
            News::Keys(keys) => {
                (self.handshake, self.peer) = (Some(other.handshake), other.from);
                (self.keys, self.moved) = (Some(keys), false);
                self.others.clear();
                return;
            }
            News::Stranger => WebRtcError::Stranger,
            News::Again(text) => {
                self.doubt = Some(WebRtcError::Handshake(text));
                return;
            }
            News::Failed(text) => WebRtcError::Handshake(text),
        };
        // It was finished by whoever is at the announced address, or by who has the announced
        // certificate. All else anybody may have written, and the phone may still come.
        let own = other.from == self.announced || why != WebRtcError::Stranger;
        match own && self.keys.is_none() {
            true => self.fail(why),
            false => self.doubt = Some(why),
        }
    }

    /// Lets time pass.
    pub(crate) fn handle_timeout(&mut self, now: Instant, send: Send<'_>) {
        if self.over {
            return;
        }
        let due = |handshake: &Association| handshake.wake().is_some_and(|wake| wake <= now);
        if let Some(handshake) = self.handshake.as_mut().filter(|handshake| due(handshake)) {
            let to = self.peer;
            // Who gave no address cannot be spoken to.
            let known = to.port() != 0 && !to.ip().is_unspecified();
            let news = handshake.handle_timeout(now, &mut |packet| {
                if known {
                    send(to, packet);
                }
            });
            self.heed(now, news);
        }
        self.others.retain(|other| now < other.until);
        for at in (0..self.others.len()).rev() {
            let Some(other) = self.others.get_mut(at) else { continue };
            if due(&other.handshake) {
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

    /// Of the handshake that we began, or that made the keys.
    fn heed(&mut self, now: Instant, news: News) {
        let why = match news {
            News::Waiting => return,
            News::Keys(keys) => {
                self.keys = Some(keys);
                return;
            }
            News::Failed(text) => return self.fail(WebRtcError::Handshake(text)),
            News::Stranger if self.peer == self.announced => {
                return self.fail(WebRtcError::Stranger);
            }
            // At another port of the phone's host somebody else may be: the phone is asked again.
            News::Stranger => {
                if let Some(handshake) = &mut self.handshake {
                    handshake.restart(now);
                }
                WebRtcError::Stranger
            }
            News::Again(text) => WebRtcError::Handshake(text),
        };
        (self.heard, self.peer, self.doubt) = (false, self.announced, Some(why));
        self.alone = std::mem::take(&mut self.mixed).then(|| now + ALONE);
    }

    fn fail(&mut self, error: WebRtcError) {
        if !self.over {
            self.over = true;
            self.others.clear();
            self.error = Some(error);
        }
    }
}

#[cfg(test)]
mod tests;
