//! Packets that come in: admitted, decrypted, understood.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::super::api::{PlayEnd, PortEventKind};
use super::super::key_span::KeySpan;
use super::{Buffer, Kind, Leg, Media};
use crate::dtmf::{Digit, KeyEvent};
use crate::relay::CLOCK;
use crate::rtp;
use crate::srtp::Unprotected;

/// After so much silence of a stream another one is believed at once.
const OVER: Duration = Duration::from_millis(100);

/// For how long nothing of the peer's must have been authentic until its key is called wrong.
const DEAF: Duration = Duration::from_secs(3);

impl Leg {
    /// Takes an RTP datagram in `buffer[..length]` that came from there; `None`: from
    /// [`Self::latched`], as the kernel sees to. What may be relayed comes back, its payload plain
    /// and in the buffer.
    #[inline]
    pub(in crate::engine) fn receive(
        &mut self,
        now: Instant,
        from: Option<SocketAddr>,
        buffer: &mut Buffer,
        length: usize,
    ) -> Option<Media> {
        let Some(form) = self.form() else {
            self.counters.dropped.bump();
            return None;
        };
        if from.is_some_and(|from| !self.latch.admits(from)) {
            self.counters.strangers.bump();
            return None;
        }
        if !self.meter.takes(now) {
            self.counters.dropped.bump();
            return None;
        }
        let (secured, listening) = (self.secured, form.receive);
        let length =
            if secured { self.unprotect(now, from, buffer, length, false)? } else { length };
        let parsed = buffer.get(..length).and_then(rtp::parse);
        let classified = parsed.and_then(|view| Some((form.kind(view.payload_type)?, view)));
        let Some((kind, view)) = classified else {
            self.counters.dropped.bump();
            return None;
        };
        if let Some(from) = from
            && self.latch.confirm(from)
        {
            (self.attention, self.moved) = (true, true);
            self.tell(PortEventKind::FirstPacket { from });
        }
        // Who is authentic need not prove itself. What is over is no call's audio any more.
        let over = secured || now.saturating_duration_since(self.last_received) >= OVER;
        let is_new = self.sender.is_new(view.ssrc);
        if is_new && !self.sender.admits(view.ssrc, view.sequence, over) {
            self.counters.dropped.bump();
            return None;
        }
        self.count(now, kind, &view, is_new);
        if !listening {
            self.counters.dropped.bump();
            return None;
        }
        match kind {
            Kind::Audio(codec) => {
                self.newest = Some(view.timestamp);
                if self.is_inband() {
                    let payload = buffer.get(view.payload.clone())?;
                    self.find_tones(now, &view, codec, payload);
                }
                let recorder = self.recorder.as_mut().filter(|_| !self.taping);
                if let (Some(recorder), Some(law)) = (recorder, codec.law()) {
                    let payload = buffer.get(view.payload.clone())?;
                    let key = self.key.is_some_and(|key| key.covers(view.timestamp, CLOCK));
                    recorder.audio(now, view.ssrc, view.timestamp, law, payload, key);
                }
            }
            Kind::Event(clock) => {
                let payload = buffer.get(view.payload.clone())?;
                self.receive_event(now, clock, &view, payload);
            }
            Kind::Noise => {}
        }
        let known = self.is_of_known_key(kind, &view, buffer);
        Some(Media {
            kind,
            marker: view.marker,
            sequence: view.sequence,
            timestamp: view.timestamp,
            ssrc: view.ssrc,
            payload: view.payload,
            decoded: false,
            tone: matches!(kind, Kind::Audio(_)) && self.is_tone(view.timestamp),
            known,
        })
    }

    /// Whether a packet is of the last key, which had come by INFO before, or a late one of an event
    /// before that had.
    #[inline]
    fn is_of_known_key(&self, kind: Kind, view: &rtp::RtpView, buffer: &Buffer) -> bool {
        let key = self.key.filter(KeySpan::is_known);
        match kind {
            Kind::Audio(codec) => {
                codec.law().is_some() && key.is_some_and(|key| key.covers(view.timestamp, CLOCK))
            }
            Kind::Event(_) => {
                // All packets of an event have the timestamp of its beginning (RFC 4733 §2.3).
                let code = buffer.get(view.payload.start);
                self.known_events.contains(&Some(view.timestamp))
                    || key.is_some_and(|key| code == Some(&key.digit().event()))
            }
            Kind::Noise => false,
        }
    }

    /// Whether audio of this timestamp is the tone of a key, or may become one.
    #[inline]
    fn is_tone(&self, timestamp: u32) -> bool {
        let Some(tones) = self.inband.as_ref().filter(|_| self.is_inband()) else { return false };
        tones.suspects() || self.key.is_some_and(|key| key.covers(timestamp, CLOCK))
    }

    pub(super) fn unprotect(
        &mut self,
        now: Instant,
        from: Option<SocketAddr>,
        buffer: &mut Buffer,
        length: usize,
        rtcp: bool,
    ) -> Option<usize> {
        let (session, packet) = (self.srtp.as_mut()?, buffer.get_mut(..length)?);
        let outcome =
            if rtcp { session.unprotect_rtcp(packet) } else { session.unprotect_rtp(packet) };
        if let Unprotected::Plain(length) = outcome {
            self.failing_since = None;
            return Some(length);
        }
        self.counters.srtp_failures.bump();
        // Neither a copy nor what anybody else sends says that the peer has another key.
        let latches = [&self.latch, &self.rtcp_latch];
        let of_peer = from
            .is_none_or(|from| latches.iter().any(|l| from == l.target() || from == l.announced()));
        if outcome == Unprotected::Forged && of_peer {
            // A peer takes its time to change keys, and what is forged between what is not ends
            // nothing.
            let since = *self.failing_since.get_or_insert(now);
            if now.saturating_duration_since(since) >= DEAF && session.failed() {
                self.tell(PortEventKind::SrtpFailed);
            }
        }
        None
    }

    #[inline]
    fn count(&mut self, now: Instant, kind: Kind, view: &rtp::RtpView, is_new: bool) {
        if is_new {
            if let Some(release) = self.keys.reset() {
                self.on_key(now, release);
            }
            (self.key, self.newest, self.known_events) = (None, None, [None; 2]);
        }
        self.counters.received.bump();
        self.last_received = now;
        self.silence_told = false;
        let timestamp = match kind {
            Kind::Audio(codec) => Some((view.timestamp, codec.clock_rate())),
            Kind::Event(_) | Kind::Noise => None,
        };
        self.reception.receive(now, view.ssrc, view.sequence, timestamp);
        self.counters.received(&self.reception);
    }

    fn receive_event(&mut self, now: Instant, clock: u32, view: &rtp::RtpView, payload: &[u8]) {
        // At most three: the release of a key before, a press, its release.
        let mut heard = [None; 3];
        let mut room = heard.iter_mut();
        self.keys.receive(now, clock, view.marker, view.timestamp, payload, |event| {
            if let Some(slot) = room.next() {
                *slot = Some(event);
            }
        });
        for event in heard.into_iter().flatten() {
            self.on_key(now, event);
        }
        self.attention |= self.keys.is_down();
    }

    pub(super) fn on_key(&mut self, now: Instant, event: KeyEvent) {
        match event {
            KeyEvent::Pressed(digit, timestamp) => {
                self.tell(PortEventKind::KeyDown { digit });
                let new = self.carriers.pressed(now, digit);
                let clock = self.stream.as_ref().map_or(CLOCK, |s| s.codec.clock_rate());
                let key = KeySpan::pressed(digit, timestamp, self.newest, clock);
                self.key = Some(key.known(!new));
                self.known_events = [Some(timestamp).filter(|_| !new), self.known_events[0]];
                self.for_playback = new && self.act_on_key(now, digit);
            }
            KeyEvent::Released(digit, duration) => {
                self.carriers.released(now, digit);
                if let Some(key) = &mut self.key {
                    key.released(duration);
                }
                let kind = match std::mem::take(&mut self.for_playback) {
                    true => PortEventKind::KeyTaken { digit },
                    false => PortEventKind::Digit { digit, duration },
                };
                self.tell(kind);
            }
        }
    }

    /// A key comes by INFO. Whether the far leg is to get it; `ask`: and its owner, who thought that
    /// what plays takes it.
    pub(in crate::engine) fn informed(&mut self, now: Instant, digit: Digit, ask: bool) -> bool {
        let passes = self.carriers.informed(now, digit) && !self.act_on_key(now, digit);
        if passes && ask {
            self.tell(PortEventKind::KeyLeft { digit });
        }
        passes
    }

    /// Does at once what a key does on this leg: it goes about in what plays (`true`: and in nothing
    /// else), or ends it, and ends a recording.
    fn act_on_key(&mut self, now: Instant, digit: Digit) -> bool {
        let control = self.player.as_ref().and_then(|player| player.key(digit));
        if let Some(control) = control {
            self.control_play(now, control);
        } else if self.player.as_ref().is_some_and(|p| p.stop_on.contains(digit)) {
            self.end_play(PlayEnd::Digit(digit));
        }
        let end = self.recorder.as_ref().and_then(|r| r.pressed(digit));
        if let Some(by) = end {
            self.end_record(now, by);
        }
        control.is_some()
    }
}
