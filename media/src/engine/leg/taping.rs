//! What is taped of a leg's peer: by a recording of this leg, and by tapes of the call.

use std::time::Instant;

use super::super::api::{RecordEnd, TapeSink};
use super::super::record::Recorder;
use super::voice::{Way, begin};
use super::{Leg, Piece};
use crate::voice::Rate;

/// Most pieces that an ear is heard out for.
const MOST_REST: usize = 300;

impl Leg {
    /// Gives a recording and a tape what was heard; keys are silence there.
    pub(super) fn tape(&mut self, now: Instant, at: Instant, piece: &mut Piece) {
        let inband = self.hears_tones();
        let recorder = self.recorder.as_deref_mut().filter(|_| self.taping);
        piece.narrow.clear();
        if recorder.is_none() && !self.tapes.any() && !inband {
            return;
        }
        match piece.rate {
            Rate::Narrow => piece.narrow.extend_from_slice(&piece.samples),
            Rate::Wide => self.narrowed.run(&piece.samples, &mut piece.narrow),
        }
        // Who listens for the end of a key hears it.
        static SILENCE: [i16; 160] = [0; 160];
        let heard = if piece.key { &SILENCE } else { &piece.narrow[..] };
        let heard = heard.get(..piece.narrow.len()).unwrap_or_default();
        if let Some(recorder) = recorder {
            recorder.samples(now, heard);
        }
        self.tapes.push(now, at, heard);
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
        if self.way == Way::Relay && !self.tapes.has_tape() {
            self.drain_ear(now);
            self.end_trailing(now, until);
        }
        None
    }

    /// Ends what trails behind the ear when that has given what was said until then.
    pub(super) fn end_trailing(&mut self, now: Instant, at: Instant) {
        if let Some((recorder, by)) = self.tapes.ended(at) {
            self.finish_record(now, recorder, by);
        }
    }

    pub(super) fn drain_ear(&mut self, now: Instant) {
        let Some(mut ear) = self.ear.take() else { return };
        let mut piece = Piece::default();
        for _ in 0..MOST_REST {
            begin(&mut piece, &ear, self.key);
            let Some(at) = ear.rest(&mut piece.samples) else { return };
            self.tape(now, at, &mut piece);
        }
    }

    /// The leg is over: what records gets everything that was said.
    pub(in crate::engine) fn hear_last(&mut self, now: Instant) {
        if self.taping || self.tapes.any() {
            self.drain_ear(now);
        }
    }

    /// A tape hears this leg from here on.
    pub(in crate::engine) fn add_tape(&mut self, id: u64, to: Box<dyn TapeSink>) {
        self.tapes.add(id, to);
    }

    /// The tape ends when it has what was said until now.
    pub(in crate::engine) fn end_tape(&mut self, now: Instant, id: u64) {
        self.tapes.end_tape(id, self.ear.as_ref().map(|ear| ear.heard_at(now)));
    }
}
