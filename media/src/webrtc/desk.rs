//! DTLS-SRTP of a desk phone (RFC 5763): the handshake runs on the leg's own port and there is no
//! ICE, so the peer is where the description says, or where it speaks from behind a NAT.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::dtls::{Fingerprint, HANDSHAKE, Identity, News, PhoneHandshake};
use super::session::{Send, WebRtcError};
use crate::srtp::SrtpKeys;

/// What both descriptions say of the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DtlsTerms {
    /// The peer's certificate.
    pub fingerprint: Fingerprint,
    /// We begin (`a=setup:active`).
    pub active: bool,
}

/// The handshake of one leg.
pub(crate) struct Desk {
    terms: DtlsTerms,
    handshake: PhoneHandshake,
    /// Where ours goes: as announced, then where the peer's comes from.
    peer: SocketAddr,
    /// As the description has it.
    announced: SocketAddr,
    /// Whether its host has spoken: then no other is listened to.
    heard: bool,
    /// Whether another has been listened to.
    strange: bool,
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
            handshake: identity.with_phone(now, terms.fingerprint.clone(), terms.active),
            terms,
            peer,
            announced: peer,
            heard: false,
            strange: false,
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

    /// The keys of RTP, once the handshake is over.
    pub(crate) fn keys(&self) -> Option<&SrtpKeys> {
        self.keys.as_ref().filter(|_| !self.over)
    }

    /// Why it came to nothing, once.
    pub(crate) fn take_error(&mut self) -> Option<WebRtcError> {
        self.error.take()
    }

    /// Takes a datagram of DTLS. Before the keys are there its source is where we answer: the host of
    /// the description, or another one (of a NAT) as long as that one is silent.
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
            if std::mem::take(&mut self.strange) {
                self.doubt = None;
                self.handshake.disregard(now);
            }
        } else if self.heard {
            return;
        } else {
            self.strange = true;
            self.peer = from;
        }
        let to = self.peer;
        let news = self.handshake.receive(now, packet, &mut |packet| send(to, packet));
        self.heed(news, own);
    }

    /// Lets time pass.
    pub(crate) fn handle_timeout(&mut self, now: Instant, send: Send<'_>) {
        if self.over {
            return;
        }
        if self.handshake.wake.is_some_and(|wake| wake <= now) {
            let to = self.peer;
            // A passive side has nothing to say before it is spoken to; who gave no address cannot be.
            let known = to.port() != 0 && !to.ip().is_unspecified();
            let news = self.handshake.handle_timeout(now, &mut |packet| {
                if known {
                    send(to, packet);
                }
            });
            self.heed(news, !self.strange);
        }
        if self.keys.is_none() && now >= self.until {
            let why = self.doubt.take().unwrap_or(WebRtcError::Late);
            self.fail(why);
        }
    }

    /// `own`: of the announced host.
    fn heed(&mut self, news: News, own: bool) {
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
        if self.keys.is_some() {
            return;
        }
        if own {
            self.fail(why);
        } else {
            self.doubt = Some(why);
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
mod tests {
    use super::*;

    const A: &str = "192.0.2.1:4000";
    const B: &str = "198.51.100.2:5000";

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// Carries datagrams until both have keys or nothing happens for a while; `b` is behind a NAT.
    fn carry(now: Instant, a: &mut Desk, b: &mut Desk, mut to_b: Vec<Vec<u8>>) {
        let mut to_a = Vec::new();
        for step in 0..200 {
            let now = now + Duration::from_millis(step * 50);
            a.handle_timeout(now, &mut |_, packet| to_b.push(packet.to_vec()));
            b.handle_timeout(now, &mut |_, packet| to_a.push(packet.to_vec()));
            for packet in std::mem::take(&mut to_b) {
                b.receive(now, addr(A), &packet, &mut |_, packet| to_a.push(packet.to_vec()));
            }
            for packet in std::mem::take(&mut to_a) {
                a.receive(now, addr(B), &packet, &mut |to, packet| {
                    assert_eq!(to, addr(B), "where it speaks from, not where it said");
                    to_b.push(packet.to_vec());
                });
            }
        }
    }

    #[test]
    fn two_sides_get_the_same_keys_the_other_way_round() {
        let now = Instant::now();
        let [one, two] = [Identity::fresh().unwrap(), Identity::fresh().unwrap()];
        let terms =
            |of: &Identity, active| DtlsTerms { fingerprint: of.fingerprint().clone(), active };
        let mut sent = Vec::new();
        let announced = addr("10.0.0.7:5000");
        let mut a = Desk::new(now, terms(&two, false), &one, announced, &mut |_, _| {});
        let mut b = Desk::new(now, terms(&one, true), &two, addr(A), &mut |_, packet| {
            sent.push(packet.to_vec());
        });
        assert!(!sent.is_empty(), "who is active begins at once");
        for packet in sent {
            a.receive(now, addr(B), &packet, &mut |_, _| {});
        }
        carry(now, &mut a, &mut b, Vec::new());
        let (a_keys, b_keys) = (a.keys().unwrap().clone(), b.keys().unwrap().clone());
        assert_eq!((a_keys.tx, a_keys.rx), (b_keys.rx, b_keys.tx));
        // The same agreement again keeps them; another certificate does not.
        a.set(now, terms(&two, false), &one, announced, &mut |_, _| {});
        assert!(a.keys().is_some());
        a.set(now, terms(&one, false), &one, announced, &mut |_, _| {});
        assert!(a.keys().is_none());
    }

    #[test]
    fn a_peer_whose_description_changes_is_asked_at_its_new_address_at_once() {
        let now = Instant::now();
        let [one, two] = [Identity::fresh().unwrap(), Identity::fresh().unwrap()];
        let terms = || DtlsTerms { fingerprint: two.fingerprint().clone(), active: true };
        let mut to = Vec::new();
        let mut desk = Desk::new(now, terms(), &one, addr(A), &mut |at, _| to.push(at));
        let later = now + Duration::from_millis(300);
        desk.set(later, terms(), &one, addr(A), &mut |_, _| panic!("the same again"));
        desk.set(later, terms(), &one, addr(B), &mut |at, _| to.push(at));
        assert_eq!(to, [addr(A), addr(B)]);
    }

    #[test]
    fn a_forged_alert_or_a_flood_from_a_stranger_does_not_end_the_handshake() {
        let now = Instant::now();
        let [one, two] = [Identity::fresh().unwrap(), Identity::fresh().unwrap()];
        let terms =
            |of: &Identity, active| DtlsTerms { fingerprint: of.fingerprint().clone(), active };
        let alert = [21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40];
        let forge = |desk: &mut Desk, own: &str| {
            for from in [own, "203.0.113.9:7"] {
                desk.receive(now, addr(from), &alert, &mut |_, _| panic!("answered"));
            }
            for number in 0..2000_u32 {
                let mut record = vec![22, 254, 253, 0, 0, 0, 0];
                record.extend(number.to_be_bytes());
                record.extend([0, 13, 1, 0, 255, 255, 0, 0]);
                record.extend(&number.to_be_bytes()[1..]);
                record.extend([0, 0, 1, 7]);
                desk.receive(now, addr("203.0.113.9:7"), &record, &mut |_, _| {});
            }
        };
        let mut a = Desk::new(now, terms(&two, false), &one, addr(B), &mut |_, _| {});
        let mut sent = Vec::new();
        let mut b = Desk::new(now, terms(&one, true), &two, addr(A), &mut |_, packet| {
            sent.push(packet.to_vec());
        });
        // Before the phone speaks, and between its flights.
        for _ in 0..2000 {
            a.receive(now, addr("203.0.113.9:7"), &sent[0], &mut |_, _| {});
        }
        let mut answers = Vec::new();
        for packet in sent {
            a.receive(now, addr(B), &packet, &mut |_, packet| answers.push(packet.to_vec()));
        }
        assert!(!answers.is_empty());
        forge(&mut a, B);
        forge(&mut b, A);
        let mut on = Vec::new();
        for packet in answers {
            b.receive(now, addr(A), &packet, &mut |_, packet| on.push(packet.to_vec()));
        }
        for packet in on {
            a.receive(now, addr(B), &packet, &mut |_, _| {});
        }
        carry(now, &mut a, &mut b, Vec::new());
        assert!(a.keys().is_some() && b.keys().is_some());
        assert_eq!((a.take_error(), b.take_error()), (None, None));
    }

    #[test]
    fn another_certificate_than_announced_or_nobody_at_all_ends_it_with_words() {
        let now = Instant::now();
        let [one, two] = [Identity::fresh().unwrap(), Identity::fresh().unwrap()];
        let terms =
            |of: &Identity, active| DtlsTerms { fingerprint: of.fingerprint().clone(), active };
        let mut a = Desk::new(now, terms(&one, false), &one, addr(B), &mut |_, _| {});
        let mut b = Desk::new(now, terms(&one, true), &two, addr(A), &mut |_, _| {});
        carry(now, &mut a, &mut b, Vec::new());
        assert!(a.keys().is_none());
        assert_eq!(a.take_error(), Some(WebRtcError::Stranger));
        let mut alone = Desk::new(now, terms(&two, false), &one, addr(B), &mut |_, _| {});
        alone.handle_timeout(now + Duration::from_secs(60), &mut |_, _| {});
        assert!(alone.take_error().is_some());
        assert!(alone.take_error().is_none(), "told once");
    }
}
