//! Packets that go out: relayed, played, dialled, reported.

use std::ops::Range;
use std::time::Instant;

use super::super::api::{PlayEnd, PortEventKind};
use super::super::play::{MAX_FRAME, Step};
use super::dial::Dialled;
use super::{Buffer, COMFORT_NOISE, Kind, Leg, Media, voice};
use crate::g711::Law;
use crate::relay::{CLOCK, Place, Source};
use crate::rtp::{HEADER_LEN, Header};
use crate::voice::Rate;

impl Leg {
    /// Turns a packet that `self`'s partner received into one for our peer, in place. Returns where
    /// in the buffer it lies; `None` when we may not or cannot send it.
    #[inline]
    pub(in crate::engine) fn relay(
        &mut self,
        now: Instant,
        media: &Media,
        buffer: &mut Buffer,
    ) -> Option<Range<usize>> {
        if self.passes_numbers && self.out.sent().0 == 0 {
            self.take_numbers(media);
        }
        let stream = self.form()?;
        if !stream.send || self.player.is_some() || self.digits.is_some() {
            self.talks_over(media, buffer);
            return None;
        }
        let (codec, send_pt) = (stream.codec, stream.send_pt);
        let source = Source::Relay(media.ssrc);
        // Audio beside events is left to who hears keys by events.
        let beside = matches!(media.kind, Kind::Audio(_)) && !media.tone;
        let known = media.known && !(beside && stream.telephone_event.is_some());
        if known || self.was_pressed(media, buffer) {
            self.out.withhold(source, media.sequence);
            return None;
        }
        let (mut timestamp, mut payload) = (media.timestamp, media.payload.clone());
        let payload_type = match media.kind {
            Kind::Audio(_)
                if self.tones.covers(timestamp)
                    || (media.tone && stream.telephone_event.is_some()) =>
            {
                self.out.withhold(source, media.sequence);
                return None;
            }
            Kind::Audio(from) if from == codec => send_pt,
            Kind::Audio(from) => {
                // Whatever is no law has come through an ear.
                if let Some(table) = from.law()?.conversion(codec.law()?) {
                    for byte in buffer.get_mut(media.payload.clone())? {
                        *byte = table[usize::from(*byte)];
                    }
                }
                send_pt
            }
            Kind::Event(clock) => match stream.telephone_event {
                Some(events) if media.decoded || clock != events.clock => {
                    return self.pass_event(now, media, clock, events, buffer);
                }
                Some(events) => events.send_pt,
                None => {
                    // This peer hears keys only as tones.
                    voice::scale_duration(buffer.get_mut(payload.clone())?, clock, CLOCK);
                    let event = buffer.get(payload.clone())?.first_chunk().copied()?;
                    let mut tone = [0; MAX_FRAME];
                    let Some((from, length)) = self.tones.make(timestamp, event, &mut tone) else {
                        self.out.withhold(source, media.sequence);
                        return None;
                    };
                    let tone = tone.get(..length)?;
                    if media.decoded {
                        // The ear says it, in its time.
                        return None;
                    }
                    let Some(law) = codec.law() else {
                        self.speak(now, tone, Rate::Narrow);
                        return None;
                    };
                    payload.end = payload.start + encode(tone, law, buffer, payload.start)?;
                    timestamp = timestamp.wrapping_add(from);
                    send_pt
                }
            },
            Kind::Noise if stream.comfort_noise => COMFORT_NOISE,
            Kind::Noise => {
                self.out.withhold(source, media.sequence);
                return None;
            }
        };
        let place = self.out.place(now, source, media.sequence, timestamp)?;
        self.seal(place, media.marker, payload_type, buffer, payload)
    }

    /// Writes the header before the payload and encrypts on a secured leg.
    #[inline]
    pub(super) fn seal(
        &mut self,
        place: Place,
        marker: bool,
        payload_type: u8,
        buffer: &mut Buffer,
        payload: Range<usize>,
    ) -> Option<Range<usize>> {
        let header = Header {
            marker: marker || place.first,
            payload_type,
            sequence: place.sequence,
            timestamp: place.timestamp,
            ssrc: self.out.ssrc(),
        };
        let at = header.write_before(buffer, &payload)?;
        self.out.count(payload.len());
        if self.secured {
            // Without a session nothing is sent: never plain on a secured leg.
            return self.srtp.as_mut()?.protect_rtp(buffer, at);
        }
        Some(at)
    }

    /// Makes the next packet of ours that is due. Call until `None`.
    pub(in crate::engine) fn poll(
        &mut self,
        now: Instant,
        buffer: &mut Buffer,
    ) -> Option<Range<usize>> {
        loop {
            if let Some(at) = self.spoken(now, buffer) {
                return Some(at);
            }
            match self.dial(now, buffer) {
                Dialled::Packet(at) => return Some(at),
                Dialled::More => continue,
                Dialled::Nothing => {}
            }
            if self.stream.as_ref().is_some_and(|s| s.codec.law().is_none()) {
                if !self.play_samples(now) {
                    return None;
                }
                continue;
            }
            let mut frame = [0; MAX_FRAME];
            match self.player.as_mut()?.poll(now, &mut frame) {
                Step::Wait => return None,
                Step::End => {
                    self.end_play(PlayEnd::End);
                    return None;
                }
                Step::Send(made) => {
                    let stream = self.stream.as_deref().filter(|s| s.send);
                    let (Some(stream), None) = (stream, &self.digits) else {
                        // Not sent, so not counted as lost either: a new source when it goes on.
                        self.runs = self.runs.wrapping_add(1);
                        if let Some(player) = &mut self.player {
                            player.run = self.runs;
                        }
                        continue;
                    };
                    let payload_type = stream.send_pt;
                    let source = Source::Play(self.player.as_ref()?.run);
                    let payload = put(buffer, frame.get(..made.length)?)?;
                    let place = self.out.place(now, source, made.sequence, made.timestamp)?;
                    return self.seal(place, false, payload_type, buffer, payload);
                }
            }
        }
    }

    /// Ends what the clock ends. For the worker's clock.
    pub(in crate::engine) fn handle_timeout(&mut self, now: Instant) {
        if let Some(release) = self.keys.handle_timeout(now) {
            self.on_key(now, release);
        }
        if let Some(by) = self.recorder.as_mut().and_then(|r| r.poll(now)) {
            self.end_record(now, by);
        }
    }

    /// Looks for silence of the network. For the slow sweep.
    pub(in crate::engine) fn sweep(&mut self, now: Instant) {
        let silent_for = now.saturating_duration_since(self.last_received);
        let expected = self.stream.as_ref().is_some_and(|s| s.receive) && self.target().is_some();
        if expected && !self.silence_told && silent_for >= self.no_media_after {
            self.silence_told = true;
            self.tell(PortEventKind::NoMedia { silent_for });
        }
    }
}

/// Puts samples into the buffer as bytes; returns how many.
fn encode(samples: &[i16], law: Law, buffer: &mut Buffer, at: usize) -> Option<usize> {
    let room = buffer.get_mut(at..at + samples.len())?;
    for (byte, &sample) in room.iter_mut().zip(samples) {
        *byte = law.encode(sample);
    }
    Some(samples.len())
}

pub(super) fn put(buffer: &mut Buffer, payload: &[u8]) -> Option<Range<usize>> {
    let range = HEADER_LEN..HEADER_LEN + payload.len();
    buffer.get_mut(range.clone())?.copy_from_slice(payload);
    Some(range)
}
