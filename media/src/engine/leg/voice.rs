//! The decoded path of a leg: when it is taken, what its ear hears, what its mouth says.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::super::api::{PlayEnd, RecordEnd, StreamConfig, TapeSink};
use super::super::play::{MAX_WIDE, Step};
use super::super::record::Recorder;
use super::outbound::put;
use super::{Buffer, Kind, Leg, Media};
use crate::codec::Codec;
use crate::relay::Source;
use crate::voice::{Ear, Heard, MAX_PAYLOAD, Mouth, Rate};

/// Packets in a row of another length than the far leg's, after which they are cut anew. One may
/// be the last of a talkspurt.
const ODD_LENGTHS: u8 = 4;

/// How long after a key's packet none of its own audio is passed on.
const AFTER_KEY: Duration = Duration::from_millis(50);

/// What a leg sends to its peer, as far as a packet for it must be in that form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Speaks {
    codec: Codec,
    ptime_ms: u16,
    comfort_noise: bool,
}

impl Speaks {
    /// Whether packets of this codec can be made into this form byte by byte.
    #[inline]
    fn takes(self, codec: Codec) -> bool {
        codec == self.codec || (codec.law().is_some() && self.codec.law().is_some())
    }

    /// Whether a payload is as long as it shall be.
    #[inline]
    fn fits(self, codec: Codec, payload: usize) -> bool {
        codec.bytes_per_ms().is_none_or(|n| n * usize::from(self.ptime_ms) == payload)
    }
}

/// Ten milliseconds between an ear and a mouth.
#[derive(Debug)]
pub(in crate::engine) struct Piece {
    samples: Vec<i16>,
    rate: Rate,
    /// The same at 8 kHz, for a recording.
    narrow: Vec<i16>,
}

impl Default for Piece {
    fn default() -> Self {
        Self { samples: Vec::new(), rate: Rate::Narrow, narrow: Vec::new() }
    }
}

/// Brings the duration in an event's payload from one clock to another; the longest stands for all
/// that do not fit (RFC 4733 §2.5.1.3 has them cut in segments, which no key is long enough for).
pub(super) fn scale_duration(payload: &mut [u8], from: u32, to: u32) {
    if from != to
        && let Some([_, _, high, low]) = payload.first_chunk_mut()
    {
        let scaled = u32::from(u16::from_be_bytes([*high, *low])) * to / from.max(1);
        [*high, *low] = u16::try_from(scaled).unwrap_or(u16::MAX).to_be_bytes();
    }
}

/// The rate that a codec is worth.
fn natural(codec: Codec) -> Rate {
    if codec.law().is_some() { Rate::Narrow } else { Rate::Wide }
}

impl Leg {
    /// The form of what we send; `None` before an answer.
    #[inline]
    pub(in crate::engine) fn speaks(&self) -> Option<Speaks> {
        let StreamConfig { codec, ptime_ms, comfort_noise, .. } = **self.stream.as_ref()?;
        Some(Speaks { codec, ptime_ms, comfort_noise })
    }

    /// Decides how a packet that was received goes on to the far leg: `true` as it is, `false` by
    /// way of the ear, which has it now.
    #[inline]
    pub(in crate::engine) fn route(
        &mut self,
        now: Instant,
        media: &mut Media,
        far: Option<Speaks>,
        buffer: &Buffer,
    ) -> bool {
        let decode = far.is_some_and(|far| self.must_decode(media, far));
        media.decoded = self.decoding;
        if decode || self.is_recording() {
            self.listen(now, media, far.filter(|_| decode), buffer);
        }
        !decode
    }

    #[inline]
    fn must_decode(&mut self, media: &Media, far: Speaks) -> bool {
        match media.kind {
            Kind::Event => return false,
            Kind::Noise => self.decoding |= !far.comfort_noise,
            Kind::Audio(codec) if !far.takes(codec) => self.decoding = true,
            Kind::Audio(codec) if far.fits(codec, media.payload.len()) => self.odd_lengths = 0,
            Kind::Audio(_) => {
                self.odd_lengths = self.odd_lengths.saturating_add(1);
                self.decoding |= self.odd_lengths >= ODD_LENGTHS;
            }
        }
        self.decoding
    }

    /// Gives a packet to the ear: for the far leg, or for a recording that cannot read it itself.
    fn listen(&mut self, now: Instant, media: &Media, far: Option<Speaks>, buffer: &Buffer) {
        let codec = match media.kind {
            Kind::Audio(codec) => Some(codec),
            Kind::Noise => None,
            Kind::Event => return,
        };
        if self.recorder.is_some() {
            self.taping = codec.map_or(self.taping, |codec| codec.law().is_none());
        }
        if far.is_none() && !self.taping && !self.tapes.any() {
            return;
        }
        let own = codec.map_or(Rate::Narrow, natural);
        let rate = far.map_or(Rate::Narrow, |far| own.min(natural(far.codec)));
        // A recording is content with what the far leg needs, not the other way round.
        let fits = |ear: &Ear| ear.rate() == rate || far.is_none() || codec.is_none();
        if !self.ear.as_deref().is_some_and(fits) {
            self.ear = Some(Box::new(Ear::new(now, rate)));
            self.attention = true;
        }
        let payload = buffer.get(media.payload.clone()).unwrap_or_default();
        let (ssrc, timestamp) = (media.ssrc, media.timestamp);
        if let Some(ear) = &mut self.ear {
            ear.push(now, Heard { ssrc, timestamp, codec, payload });
        }
    }

    /// Takes the next 10 ms from the ear when they are due. Tells whether the far leg gets them.
    pub(in crate::engine) fn hear(&mut self, now: Instant, piece: &mut Piece) -> Option<bool> {
        let ear = self.ear.as_mut().filter(|ear| ear.due(now))?;
        piece.samples.clear();
        piece.rate = ear.rate();
        let at = ear.pull(now, &mut piece.samples);
        self.tape(now, at, piece);
        self.end_trailing(now, at);
        if !self.is_recording() && !self.decoding {
            self.ear = None;
        }
        // A key is passed on by itself, and its last packets come after it was released.
        let key = self.keys.is_down()
            || self.last_event.is_some_and(|at| now.saturating_duration_since(at) < AFTER_KEY);
        let listening = self.stream.as_ref().is_some_and(|s| s.receive);
        Some(self.decoding && listening && !key)
    }

    /// Gives a recording and a tape what was heard; keys are silence there.
    fn tape(&mut self, now: Instant, at: Instant, piece: &mut Piece) {
        let recorder = self.recorder.as_deref_mut().filter(|_| self.taping);
        if recorder.is_none() && !self.tapes.any() {
            return;
        }
        piece.narrow.clear();
        match piece.rate {
            Rate::Narrow => piece.narrow.extend_from_slice(&piece.samples),
            Rate::Wide => self.narrowed.run(&piece.samples, &mut piece.narrow),
        }
        if self.keys.is_down() {
            piece.narrow.fill(0);
        }
        if let Some(recorder) = recorder {
            recorder.samples(now, &piece.narrow);
        }
        self.tapes.push(now, at, &piece.narrow);
    }

    /// What the ear still holds of what the peer said until now belongs to a recording that ends. An
    /// ear that hears for nobody else gives it at once. Otherwise the recording trails behind until
    /// the ear has given it in its own time. One that has it all comes back.
    pub(super) fn tape_rest(
        &mut self,
        now: Instant,
        recorder: Box<Recorder>,
        by: RecordEnd,
    ) -> Option<Box<Recorder>> {
        let ear = self.ear.as_ref().filter(|_| self.taping);
        let until = ear.map(|ear| ear.heard_at(now));
        self.taping = false;
        let Some(until) = until else { return Some(recorder) };
        if let Some((earlier, by)) = self.tapes.trail(recorder, by, until) {
            self.finish_record(now, earlier, by);
        }
        if !self.decoding && !self.tapes.has_tape() {
            self.drain_ear(now);
            self.end_trailing(now, until);
        }
        None
    }

    /// Ends what trails behind the ear when that has given what was said until then.
    fn end_trailing(&mut self, now: Instant, at: Instant) {
        if let Some((recorder, by)) = self.tapes.ended(at) {
            self.finish_record(now, recorder, by);
        }
    }

    fn drain_ear(&mut self, now: Instant) {
        let Some(mut ear) = self.ear.take() else { return };
        let mut piece = Piece { rate: ear.rate(), ..Piece::default() };
        let at = ear.drain(&mut piece.samples);
        self.tape(now, at, &mut piece);
    }

    /// The leg is over: what records gets everything that was said.
    pub(in crate::engine) fn hear_last(&mut self, now: Instant) {
        if self.taping || self.tapes.any() {
            self.drain_ear(now);
        }
    }

    /// A tape hears this leg from here on.
    pub(in crate::engine) fn set_tape(&mut self, to: Box<dyn TapeSink>) {
        self.tapes.set(to);
    }

    /// The tape ends when it has what was said until now.
    pub(in crate::engine) fn end_tape(&mut self, now: Instant) {
        self.tapes.end_tape(self.ear.as_ref().map(|ear| ear.heard_at(now)));
    }

    /// The far leg is another one, or speaks in another form: what is decoded for it is decided
    /// anew.
    pub(in crate::engine) fn reconsider(&mut self) {
        (self.decoding, self.odd_lengths) = (false, 0);
        self.out.forget_source();
        if !self.taping && !self.tapes.any() {
            self.ear = None;
        }
    }

    /// Says to our peer what the far leg's ear heard.
    pub(in crate::engine) fn say(&mut self, now: Instant, piece: &Piece) {
        let free = self.player.is_none() && self.digits.is_none();
        if free && self.stream.as_ref().is_some_and(|s| s.send) {
            self.speak(now, &piece.samples, piece.rate);
        }
    }

    /// Gives samples to the mouth, whose packets [`Self::spoken`] takes.
    pub(super) fn speak(&mut self, now: Instant, samples: &[i16], rate: Rate) {
        let Some(stream) = self.stream.as_deref() else { return };
        let mouth = self.mouth.get_or_insert_with(|| {
            self.out.forget_source();
            Box::new(Mouth::new(stream.codec, stream.opus, stream.ptime_ms))
        });
        mouth.feed(now, samples, rate);
    }

    /// Follows a new agreement with the mouth.
    pub(super) fn retune_mouth(&mut self, stream: &StreamConfig) {
        self.mouth = self.mouth.take().filter(|mouth| mouth.suits(stream.codec, stream.opus));
        if let Some(mouth) = &mut self.mouth {
            mouth.set_packet_time(stream.ptime_ms);
        }
    }

    /// The next whole packet of what was said.
    pub(super) fn spoken(&mut self, now: Instant, buffer: &mut Buffer) -> Option<Range<usize>> {
        let mut bytes = [0; MAX_PAYLOAD];
        let made = self.mouth.as_mut()?.poll(&mut bytes)?;
        let payload_type = self.stream.as_ref()?.send_pt;
        let payload = put(buffer, bytes.get(..made.length)?)?;
        let source = Source::Voice(made.run);
        let place = self.out.place(now, source, made.sequence, made.timestamp)?;
        self.seal(place, false, payload_type, buffer, payload)
    }

    /// Passes on a key between audio of ours, which has no numbers of the key's sender.
    pub(super) fn pass_on(
        &mut self,
        now: Instant,
        media: &Media,
        payload_type: u8,
        buffer: &mut Buffer,
    ) -> Option<Range<usize>> {
        // All packets of a key have one timestamp (RFC 4733 §2.2).
        let same = self.passed_on.filter(|(s, t, _)| (*s, *t) == (media.ssrc, media.timestamp));
        let place = self.out.append(now, same.map(|(_, _, ours)| ours));
        self.passed_on = Some((media.ssrc, media.timestamp, place.timestamp));
        self.seal(place, media.marker, payload_type, buffer, media.payload.clone())
    }

    /// Gives the mouth what a playback wants said now; `false` when nothing is due.
    pub(super) fn play_samples(&mut self, now: Instant) -> bool {
        let mut frame = [0; MAX_WIDE];
        let Some(player) = &mut self.player else { return false };
        let rate = player.rate();
        match player.poll_samples(now, &mut frame) {
            Step::Wait => false,
            Step::End => {
                self.end_play(PlayEnd::End);
                false
            }
            Step::Send(made) => {
                // Whom we may not send to, or who gets digits now, misses it.
                if self.digits.is_none() && self.stream.as_ref().is_some_and(|s| s.send) {
                    self.speak(now, frame.get(..made.length).unwrap_or_default(), rate);
                }
                true
            }
        }
    }
}
