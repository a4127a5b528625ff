//! The decoded path of a leg: when it is taken, what its ear hears, what its mouth says.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::super::api::{PlayEnd, StreamConfig};
use super::super::key_span::KeySpan;
use super::super::play::{MAX_WIDE, Step};
use super::form::Form;
use super::outbound::put;
use super::{Buffer, Kind, Leg, Media, Piece};
use crate::codec::Codec;
use crate::dtmf;
use crate::relay::Source;
use crate::voice::{Ear, Focus, Heard, MAX_PAYLOAD, Mouth, Rate};

/// Packets in a row of another length than the far leg's, after which they are cut anew. One may
/// be the last of a talkspurt.
const ODD_LENGTHS: u8 = 4;

/// For how long packets must fit the far leg again until what is decoded is relayed, in a pause and
/// in any moment.
const FITS_QUIETLY: Duration = Duration::from_secs(2);
const FITS_LOUDLY: Duration = Duration::from_secs(20);

/// How what the peer says goes to the far leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// As packets.
    Relay,
    /// Decoded.
    Ear,
    /// Decoded, although packets would do again since then.
    EarSince(Instant),
    /// As packets, after what the ear still holds.
    Leaving,
}

/// What a leg sends to its peer, as far as a packet for it must be in that form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Speaks {
    codec: Codec,
    ptime_ms: u16,
    maxptime_ms: u8,
    comfort_noise: bool,
    /// It knows telephone events.
    events: bool,
}

impl Speaks {
    /// Whether it knows telephone events.
    pub(in crate::engine) fn events(self) -> bool {
        self.events
    }

    /// Whether packets of this codec can be made into this form byte by byte.
    #[inline]
    fn takes(self, codec: Codec) -> bool {
        codec == self.codec || (codec.law().is_some() && self.codec.law().is_some())
    }

    /// Whether a payload is as long as it shall be. Of Opus any length will do that the peer takes:
    /// `ptime` is but a wish (RFC 7587 §6.1), and who decodes and encodes loses the upper half of the
    /// voice, the sender's redundancy (FEC) and its silence (DTX).
    #[inline]
    fn fits(self, codec: Codec, payload: &[u8]) -> bool {
        match codec.bytes_per_ms() {
            Some(n) => n * usize::from(self.ptime_ms) == payload.len(),
            None if codec == Codec::Opus => crate::codec::opus_length(payload)
                .is_none_or(|us| us <= u32::from(self.maxptime_ms) * 1000),
            None => true,
        }
    }
}

/// Brings the duration in an event's payload from one clock to a slower one.
pub(super) fn scale_duration(payload: &mut [u8], from: u32, to: u32) {
    if from != to
        && let Some([_, _, high, low]) = payload.first_chunk_mut()
    {
        let scaled = u32::from(u16::from_be_bytes([*high, *low])) * to / from.max(1);
        [*high, *low] = u16::try_from(scaled).unwrap_or(u16::MAX).to_be_bytes();
    }
}

/// Prepares a piece for the next samples of an ear.
pub(super) fn begin(piece: &mut Piece, ear: &Ear, key: Option<KeySpan>) {
    piece.samples.clear();
    piece.rate = ear.rate();
    let (first, last) = ear.next_timestamps();
    let covers = |key: KeySpan| key.covers(first, ear.clock()) || key.covers(last, ear.clock());
    piece.key = key.is_some_and(covers);
}

/// The rate that a codec is worth.
fn natural(codec: Codec) -> Rate {
    match codec {
        Codec::Pcmu | Codec::Pcma | Codec::Passed(_) => Rate::Narrow,
        Codec::G722 | Codec::Opus => Rate::Wide,
    }
}

impl Leg {
    /// The form of what we send; `None` before an answer.
    #[inline]
    pub(in crate::engine) fn speaks(&self) -> Option<Speaks> {
        let form = self.form()?;
        let Form { codec, ptime_ms, maxptime_ms, comfort_noise, telephone_event, .. } = form;
        let events = telephone_event.is_some();
        Some(Speaks { codec, ptime_ms, maxptime_ms, comfort_noise, events })
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
        if let Kind::Audio(codec) = media.kind
            && !codec.is_understood()
        {
            // Whoever has another codec cannot be made to understand this one.
            self.way = Way::Relay;
            return far.is_some_and(|far| far.takes(codec));
        }
        let decode = far.is_some_and(|far| self.must_decode(now, media, far, buffer));
        media.decoded = self.way != Way::Relay;
        if decode || self.is_recording() || self.hears_tones() {
            self.listen(now, media, far.filter(|_| decode).map(|far| natural(far.codec)), buffer);
        }
        !decode
    }

    /// Gives a packet to the ear for a conference.
    pub(in crate::engine) fn listen_whole(&mut self, now: Instant, media: &Media, buffer: &Buffer) {
        self.listen(now, media, Some(Rate::Wide), buffer);
    }

    /// All that the peer says is decoded from here on, for a conference.
    pub(in crate::engine) fn be_mixed(&mut self) {
        self.way = Way::Ear;
        self.reconsider();
    }

    /// The best that the peer can hear and say; `None` before an answer.
    pub(in crate::engine) fn best(&self) -> Option<Rate> {
        self.stream.as_ref().map(|stream| natural(stream.codec))
    }

    #[inline]
    fn must_decode(&mut self, now: Instant, media: &Media, far: Speaks, buffer: &Buffer) -> bool {
        let payload = buffer.get(media.payload.clone()).unwrap_or_default();
        let must = match media.kind {
            Kind::Event(_) => return false,
            _ if self.focus.is_some() => true,
            Kind::Noise => !far.comfort_noise,
            Kind::Audio(codec) if !far.takes(codec) => true,
            Kind::Audio(codec) if far.fits(codec, payload) => {
                self.odd_lengths = 0;
                false
            }
            Kind::Audio(_) => {
                self.odd_lengths = self.odd_lengths.saturating_add(1);
                self.odd_lengths >= ODD_LENGTHS
            }
        };
        self.way = match self.way {
            _ if must => Way::Ear,
            Way::Ear => Way::EarSince(now),
            way => way,
        };
        self.way != Way::Relay
    }

    /// Gives a packet to the ear: for others, who have use for this rate, or for a recording that
    /// cannot read it itself.
    fn listen(&mut self, now: Instant, media: &Media, others: Option<Rate>, buffer: &Buffer) {
        let codec = match media.kind {
            Kind::Audio(codec) if codec.is_understood() => Some(codec),
            Kind::Noise => None,
            Kind::Audio(_) | Kind::Event(_) => return,
        };
        // A recording that once heard through the ear does so to its end: what waits there is its own.
        let through = self.focus.is_some() || codec.is_some_and(|c| c.law().is_none());
        self.taping |= self.recorder.is_some() && codec.is_some() && through;
        if others.is_none() && !self.taping && !self.tapes.any() && !self.hears_tones() {
            return;
        }
        let own = codec.map_or(Rate::Narrow, natural);
        let rate = others.map_or(Rate::Narrow, |others| own.min(others));
        self.attention |= self.ear.is_none();
        let ear = self.ear.get_or_insert_with(|| Box::new(Ear::new(now, rate)));
        // A recording is content with what others need, not the other way round.
        if others.is_some() && codec.is_some() {
            ear.set_rate(rate);
        }
        let payload = buffer.get(media.payload.clone()).unwrap_or_default();
        let (ssrc, timestamp) = (media.ssrc, media.timestamp);
        ear.push(now, Heard { ssrc, timestamp, codec, payload });
    }

    /// Takes the next 10 ms from the ear when they are due. Tells whether the far leg, if there is
    /// one, gets them: who knows telephone events (`true`), or a mixer, gets no tones of keys.
    pub(in crate::engine) fn hear(
        &mut self,
        now: Instant,
        far: Option<bool>,
        piece: &mut Piece,
    ) -> Option<bool> {
        let leaving = self.way == Way::Leaving;
        let ear = self.ear.as_mut().filter(|ear| leaving || ear.due(now))?;
        begin(piece, ear, self.key);
        let at = if leaving {
            ear.rest(&mut piece.samples)
        } else {
            Some(ear.pull(now, &mut piece.samples))
        };
        let Some(at) = at else {
            (self.way, self.ear) = (Way::Relay, None);
            return None;
        };
        let next = (ear.next_timestamps().0, ear.clock());
        // Tones of keys are no voice: who listens for them hears all.
        let tones = self.hears_tones();
        if !tones {
            self.clean(piece);
        }
        self.tape(now, at, piece);
        if tones {
            self.find_heard_tones(now, &piece.narrow, next);
            self.clean(piece);
        }
        self.end_trailing(now, at);
        self.leave_ear(now, far.is_some(), piece);
        let listening = self.stream.as_ref().is_some_and(|s| s.receive);
        // A key is passed on by itself to who knows telephone events.
        let events = far == Some(true);
        let tone = self.inband.as_ref().is_some_and(|tones| self.is_inband() && tones.suspects());
        let known = piece.key && self.key.is_some_and(|key| key.is_known());
        if piece.key && !known && !events && !self.is_inband() {
            self.sound_key(piece, next);
        }
        Some(self.way != Way::Relay && listening && !known && !(events && (piece.key || tone)))
    }

    /// Takes what is no voice out of what was heard, or does so no more.
    pub(in crate::engine) fn set_focus(&mut self, focus: Option<Box<Focus>>) {
        self.focus = focus;
        self.reconsider();
    }

    fn clean(&mut self, piece: &mut Piece) {
        if let Some(focus) = &mut self.focus {
            focus.run(&mut piece.samples, piece.rate);
        }
    }

    /// In place of what was said beside a key: its tone, for a far leg that knows no other.
    fn sound_key(&self, piece: &mut Piece, (next, clock): (u32, u32)) {
        let Some(key) = &self.key else { return };
        let length = piece.samples.len() as u32;
        let ticks = clock * length / piece.rate.hertz();
        let since = u64::from(key.since(next.wrapping_sub(ticks)).unwrap_or(0));
        let start = since * u64::from(piece.rate.hertz()) / u64::from(clock.max(1));
        dtmf::sound(key.digit(), start as u32, piece.rate.hertz(), &mut piece.samples);
    }

    /// Does without the ear when nobody needs it any more. What it holds for the far leg is said
    /// first, all at once, so that the packets that follow come after it and nothing is missing.
    fn leave_ear(&mut self, now: Instant, bridged: bool, piece: &Piece) {
        if !bridged {
            self.way = Way::Relay;
        }
        if self.is_recording() || (self.hears_tones() && self.way == Way::Relay) {
            return;
        }
        match self.way {
            Way::Relay => self.ear = None,
            Way::EarSince(since) => {
                let fits = now.saturating_duration_since(since);
                if fits >= FITS_LOUDLY || (fits >= FITS_QUIETLY && piece.is_pause()) {
                    self.way = Way::Leaving;
                }
            }
            Way::Ear | Way::Leaving => {}
        }
    }

    /// The far leg is another one, or speaks in another form: what is decoded for it is decided
    /// anew.
    pub(in crate::engine) fn reconsider(&mut self) {
        self.odd_lengths = 0;
        self.out.forget_source();
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
        if let Some(mouth) = &mut self.mouth {
            mouth.set_codec(stream.codec, stream.opus);
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
