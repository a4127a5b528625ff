//! Keys that we press, and keys of the far leg.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::super::api::{PortEventKind, TelephoneEvent};
use super::outbound::put;
use super::{Buffer, Leg, Media};
use crate::dtmf::{Digit, EventSender, Keypad};
use crate::relay::{CLOCK, Source};
use crate::voice::Rate;

/// How the peer gets the keys that we press.
#[derive(Debug)]
pub(super) enum Dialling {
    Events(EventSender),
    /// It knows no telephone events.
    Tones(Keypad),
}

impl Dialling {
    /// The key that is down, or goes down next.
    fn digit(&self) -> Option<Digit> {
        match self {
            Self::Events(sender) => sender.digit(),
            Self::Tones(keypad) => keypad.digit(),
        }
    }
}

impl Leg {
    /// Whether we press this key now: told of it otherwise, we are ahead of the far leg's media.
    pub(super) fn dials(&self, key: Digit) -> bool {
        self.digits.as_ref().is_some_and(|dialling| dialling.digit() == Some(key))
    }

    /// A packet of the far leg comes while we press keys. One that is a part of the key that we press
    /// is not taken for another when it outlasts ours.
    pub(super) fn talks_over(&mut self, media: &Media, buffer: &Buffer) {
        let Some((ssrc, timestamp, code)) = key_of(media, buffer) else { return };
        if Digit::from_event(code).is_some_and(|key| self.dials(key)) {
            self.pressed_before = Some((ssrc, timestamp, code));
        }
    }

    /// Whether it is a part of that key.
    #[inline]
    pub(super) fn was_pressed(&self, media: &Media, buffer: &Buffer) -> bool {
        self.pressed_before.is_some() && self.pressed_before == key_of(media, buffer)
    }

    pub(in crate::engine) fn send_digits(
        &mut self,
        now: Instant,
        digits: &[Digit],
        tone: Duration,
        gap: Duration,
    ) {
        let tones = self.stream.as_ref().is_some_and(|s| s.telephone_event.is_none());
        let dialling = self.digits.get_or_insert_with(|| {
            // A sender counts from zero: to the stream it is a new source.
            self.runs = self.runs.wrapping_add(1);
            Box::new(if tones {
                Dialling::Tones(Keypad::default())
            } else {
                Dialling::Events(EventSender::default())
            })
        });
        match &mut **dialling {
            Dialling::Events(sender) => sender.queue(now, digits, tone, gap),
            Dialling::Tones(keypad) => keypad.queue(now, digits, tone, gap),
        };
    }

    /// Makes what is due of the keys that we press: a packet comes back, a tone goes to the mouth.
    /// `None`: nothing is due, or what is due is not to be sent.
    pub(super) fn dial(&mut self, now: Instant, buffer: &mut Buffer) -> Dialled {
        let Some(dialling) = &mut self.digits else { return Dialled::Nothing };
        let stream = self.stream.as_deref().filter(|stream| stream.send);
        let (packet, piece, idle) = match &mut **dialling {
            Dialling::Events(sender) => {
                let clock = stream.and_then(|s| s.telephone_event).map_or(CLOCK, |e| e.clock);
                (sender.poll(now, clock).map(|packet| (packet, clock)), None, sender.is_idle())
            }
            Dialling::Tones(keypad) => (None, keypad.poll(now), keypad.is_idle()),
        };
        let stream = stream.map(|stream| (stream.telephone_event, self.out.clock()));
        if idle {
            self.digits = None;
            self.tell(PortEventKind::DigitsSent);
        }
        match (packet, piece, stream) {
            (None, None, _) => Dialled::Nothing,
            (None, Some(piece), Some(_)) => {
                self.speak(now, &piece, Rate::Narrow);
                Dialled::More
            }
            (Some((packet, clock)), _, Some((Some(events), out))) => {
                let Some(payload) = put(buffer, &packet.payload) else { return Dialled::More };
                // Beside Opus events may have a slower clock than the stream.
                let timestamp = packet.timestamp.wrapping_mul(out / clock);
                let source = Source::Digits(self.runs);
                let sealed =
                    self.out.place(now, source, packet.sequence, timestamp).and_then(|place| {
                        self.seal(place, packet.marker, events.send_pt, buffer, payload)
                    });
                sealed.map_or(Dialled::More, Dialled::Packet)
            }
            _ => Dialled::More,
        }
    }

    /// A key of the far leg in the clock of this peer, which knows telephone events: the place in
    /// the buffer, and the timestamp.
    pub(super) fn pass_event(
        &mut self,
        now: Instant,
        media: &Media,
        clock: u32,
        events: TelephoneEvent,
        buffer: &mut Buffer,
    ) -> Option<Range<usize>> {
        let payload = buffer.get_mut(media.payload.clone())?.first_chunk_mut()?;
        let clocks = (clock, events.clock);
        let made = self.converter.convert(media.ssrc, media.timestamp, *payload, clocks)?;
        *payload = made.payload;
        let range = media.payload.start..media.payload.start + payload.len();
        let stretch = self.out.clock() / events.clock.max(1);
        let offset = made.offset.wrapping_mul(stretch.max(1));
        let place = if media.decoded {
            // Between audio of ours, which has no numbers of the key's sender. All packets of a key
            // have one timestamp (RFC 4733 §2.2).
            let pressed = (media.ssrc, made.pressed);
            let known = self.passed_on.filter(|(s, t, _)| (*s, *t) == pressed);
            let at = known.map(|(_, _, ours)| ours.wrapping_add(offset));
            let place = self.out.append(now, at);
            if known.is_none() {
                self.passed_on = Some((pressed.0, pressed.1, place.timestamp));
            }
            place
        } else {
            let timestamp = made.pressed.wrapping_add(offset);
            self.out.place(now, Source::Relay(media.ssrc), media.sequence, timestamp)?
        };
        self.seal(place, media.marker, events.send_pt, buffer, range)
    }
}

/// Sender, timestamp and code of the key that this is a part of.
fn key_of(media: &Media, buffer: &Buffer) -> Option<(u32, u32, u8)> {
    let code = buffer.get(media.payload.start).filter(|_| media.is_event())?;
    Some((media.ssrc, media.timestamp, *code))
}

/// What came of [`Leg::dial`].
pub(super) enum Dialled {
    Packet(Range<usize>),
    /// There may be more.
    More,
    Nothing,
}
