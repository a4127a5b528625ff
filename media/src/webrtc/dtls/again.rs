//! A phone that begins its handshake anew from where it spoke before, as one whose media restarts does.
//!
//! > What there is goes on until the phone has shown that it is there (RFC 6347 §4.2.8): keys are given
//! > up for those of a handshake that was finished by whoever has the announced certificate, and for
//! > nothing less; a handshake without keys yet, for one whose cookie came back.

use std::time::{Duration, Instant};

use super::{HANDSHAKE, News, PhoneHandshake};
use crate::flood::Meter;

/// Handshakes that are begun anew in the time that one may take: whoever forges a ClientHello has the
/// right source, and no more of us than this.
const MOST: u32 = 8;
const SPAN: Duration = HANDSHAKE;
/// Those whose cookie has not come back, side by side: what is forged does not put the phone's own aside
/// in the time that a cookie takes there and back, unless it comes so often.
const MOST_UNKNOWN: usize = 4;
/// RFC 5246 §7.4.1.2.
const RANDOM: usize = 32;

/// The random value of a ClientHello, by which a repeat is told from another one.
type Random = [u8; RANDOM];

/// The handshakes with one phone at one place.
pub(in crate::webrtc) struct Association {
    current: PhoneHandshake,
    /// Of the ClientHello that `current` began with, if it could be read.
    random: Option<Random>,
    /// `current` is there in place of one that failed.
    restarted: bool,
    /// The oldest first; one alone once its cookie came back.
    again: Vec<Again>,
    /// `current` made keys.
    up: bool,
    /// How many were begun anew since then, of a phone that is known.
    begun: (Instant, u32),
    /// Bounds them before.
    meter: Meter,
}

/// Another one, which does not count yet.
struct Again {
    handshake: PhoneHandshake,
    random: Random,
    until: Instant,
}

impl Association {
    pub(super) fn new(now: Instant, current: PhoneHandshake) -> Self {
        let meter = Meter::for_checks(now);
        let (random, again) = (None, Vec::new());
        Self { current, random, restarted: false, again, up: false, begun: (now, 0), meter }
    }

    /// The peer is to be found elsewhere: it is asked there at once.
    pub(in crate::webrtc) fn moved(&mut self, now: Instant) {
        self.current.moved(now);
    }

    /// What comes next may be of somebody else than the phone.
    pub(in crate::webrtc) fn mix(&mut self) {
        self.current.mix();
    }

    /// When it wants to be called again.
    pub(in crate::webrtc) fn wake(&self) -> Option<Instant> {
        let wake = |a: &Again| a.handshake.wake.map_or(a.until, |wake| wake.min(a.until));
        self.current.wake.into_iter().chain(self.again.iter().map(wake)).min()
    }

    /// Whether the phone has shown that it gets what is sent there: it knew our cookie, or answered
    /// our ClientHello with all that a server says.
    pub(in crate::webrtc) fn is_reached(&self) -> bool {
        self.current.answered
    }

    /// Gives up what there is for another one, which a little later asks, or waits for the phone.
    pub(in crate::webrtc) fn restart(&mut self, now: Instant) {
        (self.current, self.random, self.restarted) = (self.current.anew(now), None, true);
    }

    /// Whether another handshake than the one that counts is going on.
    pub(in crate::webrtc) fn begins_anew(&self) -> bool {
        !self.again.is_empty()
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
            let at = self.again.iter().position(|again| again.random == random);
            return match at.or_else(|| self.begin_anew(now, random)) {
                Some(at) => self.ask_again(at, |again| again.receive(now, packet, send)),
                None => News::Waiting,
            };
        }
        // A late copy of what the first one began with is the first one's.
        let reached = self.again.iter().position(|again| again.handshake.answered);
        if let Some(at) = reached.filter(|_| hello.is_none()) {
            return self.ask_again(at, |again| again.receive(now, packet, send));
        }
        self.random = self.random.or(hello);
        // What is still to come of one that failed is no part of the next, which begins with a ClientHello.
        if self.restarted && self.random.is_none() && !self.current.is_active() {
            return News::Waiting;
        }
        let news = self.current.receive(now, packet, send);
        self.heed(now, news)
    }

    /// Lets time pass.
    pub(in crate::webrtc) fn handle_timeout(
        &mut self,
        now: Instant,
        send: &mut dyn FnMut(&[u8]),
    ) -> News {
        self.again.retain(|again| now < again.until);
        let due = |wake: Option<Instant>| wake.is_some_and(|wake| wake <= now);
        for at in (0..self.again.len()).rev() {
            if !self.again.get(at).is_some_and(|again| due(again.handshake.wake)) {
                continue;
            }
            let news = self.ask_again(at, |again| again.handle_timeout(now, send));
            if news != News::Waiting {
                return news;
            }
        }
        if !due(self.current.wake) {
            return News::Waiting;
        }
        let news = self.current.handle_timeout(now, send);
        self.heed(now, news)
    }

    /// What news of the one that counts are for the others.
    fn heed(&mut self, now: Instant, news: News) -> News {
        match news {
            News::Keys(keys) => {
                self.up = true;
                News::Keys(keys)
            }
            // What comes after the keys ends nothing: signalling says when the call is over.
            _ if self.up => News::Waiting,
            // It was somebody else's, and what the phone began is among the others.
            News::Failed(_) if !self.again.is_empty() => {
                let next = self.again.remove(0);
                (self.current, self.random) = (next.handshake, Some(next.random));
                News::Waiting
            }
            News::Failed(why) if !self.current.is_finished() => {
                self.restart(now);
                News::Again(why)
            }
            news => news,
        }
    }

    /// Whether a ClientHello is of another handshake than the one that counts.
    fn is_another(&self, random: &Random) -> bool {
        let known = self.random.filter(|_| !self.current.is_active());
        known.is_some_and(|known| known != *random)
    }

    /// Where the new one is, if there may be one.
    fn begin_anew(&mut self, now: Instant, random: Random) -> Option<usize> {
        // One whose phone was reached is not given up for what anybody may have written.
        if self.again.iter().any(|again| again.handshake.answered) || !self.may_begin(now) {
            return None;
        }
        if self.again.len() >= MOST_UNKNOWN {
            self.again.remove(0);
        }
        let handshake = self.current.anew(now);
        self.again.push(Again { handshake, random, until: now + HANDSHAKE });
        Some(self.again.len() - 1)
    }

    fn may_begin(&mut self, now: Instant) -> bool {
        if !self.up && !self.current.answered {
            // Nobody is known who would be spared by it: the phone's own may be the next.
            return self.meter.takes(now);
        }
        if now.saturating_duration_since(self.begun.0) >= SPAN {
            self.begun = (now, 0);
        }
        self.begun.1 = self.begun.1.saturating_add(1);
        self.begun.1 <= MOST
    }

    /// Lets another handshake do something. It takes the place of the first when it may.
    fn ask_again(&mut self, at: usize, act: impl FnOnce(&mut PhoneHandshake) -> News) -> News {
        let Some(again) = self.again.get_mut(at) else { return News::Waiting };
        let news = act(&mut again.handshake);
        if matches!(news, News::Stranger | News::Failed(_)) {
            self.again.remove(at);
            return News::Waiting;
        }
        let made_keys = matches!(news, News::Keys(_));
        if made_keys || again.handshake.answered {
            let again = self.again.swap_remove(at);
            // What else was begun here was not the phone's.
            self.again.clear();
            if self.up && !made_keys {
                self.again.push(again);
            } else {
                (self.current, self.random) = (again.handshake, Some(again.random));
                self.up |= made_keys;
            }
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
