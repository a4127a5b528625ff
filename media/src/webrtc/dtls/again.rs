//! A phone that begins its handshake anew from where it spoke before, as one whose media restarts does.
//!
//! > What there is goes on until the phone has shown that it is there (RFC 6347 §4.2.8): keys are given
//! > up for those of a handshake that was finished by whoever has the announced certificate, and for
//! > nothing less; a handshake without keys yet, for one whose cookie came back.

use std::time::{Duration, Instant};

use super::{HANDSHAKE, News, PhoneHandshake};

/// Handshakes that are begun anew in the time that one may take: whoever forges a ClientHello has the
/// right source, and no more of us than this.
const MOST: u32 = 8;
const SPAN: Duration = HANDSHAKE;
/// RFC 5246 §7.4.1.2.
const RANDOM: usize = 32;

/// The random value of a ClientHello, by which a repeat is told from another one.
type Random = [u8; RANDOM];

/// The handshakes with one phone at one place.
pub(in crate::webrtc) struct Association {
    current: PhoneHandshake,
    /// Of the ClientHello that `current` began with, if it could be read.
    random: Option<Random>,
    again: Option<Box<Again>>,
    /// `current` made keys.
    up: bool,
    /// How many were begun anew since then.
    begun: (Instant, u32),
}

/// Another one, which does not count yet.
struct Again {
    handshake: PhoneHandshake,
    random: Random,
    until: Instant,
}

impl Association {
    pub(super) fn new(now: Instant, current: PhoneHandshake) -> Self {
        Self { current, random: None, again: None, up: false, begun: (now, 0) }
    }

    /// The peer is to be found elsewhere: it is asked there at once.
    pub(in crate::webrtc) fn moved(&mut self, now: Instant) {
        self.current.moved(now);
    }

    /// When it wants to be called again.
    pub(in crate::webrtc) fn wake(&self) -> Option<Instant> {
        let again = self.again.as_ref();
        let again = again.map(|a| a.handshake.wake.map_or(a.until, |wake| wake.min(a.until)));
        self.current.wake.into_iter().chain(again).min()
    }

    /// Whether the phone has shown that it gets what is sent there: it knew our cookie.
    pub(in crate::webrtc) fn is_reached(&self) -> bool {
        self.current.answered
    }

    /// Whether another handshake than the one that counts is going on.
    pub(in crate::webrtc) fn begins_anew(&self) -> bool {
        self.again.is_some()
    }

    /// Takes a datagram; `send` gets what is to be answered. Keys may come more than once.
    pub(in crate::webrtc) fn receive(
        &mut self,
        now: Instant,
        packet: &[u8],
        send: &mut dyn FnMut(&[u8]),
    ) -> News {
        let hello = client_hello(packet);
        if let Some(random) = hello.filter(|random| self.is_another(random)) {
            let goes_on = |again: &Option<Box<Again>>| {
                again.as_ref().is_some_and(|again| again.random == random)
            };
            if !goes_on(&self.again) {
                self.begin_anew(now, random);
            }
            return match goes_on(&self.again) {
                true => self.ask_again(|again| again.receive(now, packet, send)),
                false => News::Waiting,
            };
        }
        // A late copy of what the first one began with is the first one's.
        let reached = self.again.as_ref().is_some_and(|again| again.handshake.answered);
        if reached && hello.is_none() {
            return self.ask_again(|again| again.receive(now, packet, send));
        }
        self.random = self.random.or(hello);
        match self.current.receive(now, packet, send) {
            News::Keys(keys) => {
                self.up = true;
                News::Keys(keys)
            }
            // What comes after the keys ends nothing.
            _ if self.up => News::Waiting,
            news => news,
        }
    }

    /// Lets time pass.
    pub(in crate::webrtc) fn handle_timeout(
        &mut self,
        now: Instant,
        send: &mut dyn FnMut(&[u8]),
    ) -> News {
        if self.again.as_ref().is_some_and(|again| now >= again.until) {
            self.again = None;
        }
        let due = |wake: Option<Instant>| wake.is_some_and(|wake| wake <= now);
        if self.again.as_ref().is_some_and(|again| due(again.handshake.wake)) {
            let news = self.ask_again(|again| again.handle_timeout(now, send));
            if news != News::Waiting {
                return news;
            }
        }
        match due(self.current.wake) {
            true => self.current.handle_timeout(now, send),
            false => News::Waiting,
        }
    }

    /// Whether a ClientHello is of another handshake than the one that counts.
    fn is_another(&self, random: &Random) -> bool {
        let known = self.random.filter(|_| !self.current.is_active());
        known.is_some_and(|known| known != *random)
    }

    fn begin_anew(&mut self, now: Instant, random: Random) {
        if now.saturating_duration_since(self.begun.0) >= SPAN {
            self.begun = (now, 0);
        }
        // One whose phone was reached is not given up for what anybody may have written.
        let reached = self.again.as_ref().is_some_and(|again| again.handshake.answered);
        if reached || self.begun.1 >= MOST {
            return;
        }
        self.begun.1 += 1;
        let handshake = self.current.anew(now);
        self.again = Some(Box::new(Again { handshake, random, until: now + HANDSHAKE }));
    }

    /// Lets the other handshake do something. It takes the place of the first when it may.
    fn ask_again(&mut self, act: impl FnOnce(&mut PhoneHandshake) -> News) -> News {
        let Some(again) = &mut self.again else { return News::Waiting };
        let news = act(&mut again.handshake);
        let made_keys = matches!(news, News::Keys(_));
        if matches!(news, News::Stranger | News::Failed(_)) {
            self.again = None;
            return News::Waiting;
        }
        if (made_keys || (again.handshake.answered && !self.up))
            && let Some(again) = self.again.take()
        {
            (self.current, self.random) = (again.handshake, Some(again.random));
            self.up |= made_keys;
        }
        news
    }

    #[cfg(test)]
    pub(in crate::webrtc) fn spare_nothing(&mut self) {
        self.current.spare_nothing();
    }
}

/// The random value of the ClientHello that a datagram begins with, if it begins with the beginning of
/// one (RFC 6347 §4.1, §4.2.2, §4.2.1).
pub(in crate::webrtc) fn client_hello(packet: &[u8]) -> Option<Random> {
    /// Of the record: type, version, epoch, number, length; of the message: type, length, number,
    /// offset, length of this piece; version.
    const BEFORE: usize = 13 + 12 + 2;
    let [kind, _, _, epoch @ .., _, _, _, _, _, _, _, _] = *packet.first_chunk::<13>()?;
    let message = packet.get(13)?;
    let offset = packet.get(19..22)?;
    let begins = kind == 22 && epoch == [0, 0] && *message == 1 && offset == [0, 0, 0];
    packet.get(BEFORE..BEFORE + RANDOM).filter(|_| begins)?.try_into().ok()
}

#[cfg(test)]
mod tests;
