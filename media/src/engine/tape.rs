//! What hears a leg through its ear beside the far leg: tapes, and a recording that is ending.

use std::time::Instant;

use super::api::{RecordEnd, TapeSink};
use super::record::Recorder;

/// All of them.
#[derive(Default)]
pub(super) struct Tapes {
    tapes: Vec<Tape>,
    /// A recording that ends when it has heard what was said before its end.
    trailing: Option<Box<Trailing>>,
}

/// Tapes that hear one leg at a time: its call's, and that of a call joined to it.
const MAX_TAPES: usize = 4;

struct Tape {
    id: u64,
    to: Box<dyn TapeSink>,
    until: Option<Instant>,
}

struct Trailing {
    recorder: Box<Recorder>,
    by: RecordEnd,
    until: Instant,
}

impl Tapes {
    /// Whether anything is to be heard for them.
    #[inline]
    pub(super) fn any(&self) -> bool {
        !self.tapes.is_empty() || self.trailing.is_some()
    }

    /// Whether there is a tape.
    pub(super) fn has_tape(&self) -> bool {
        !self.tapes.is_empty()
    }

    /// One more tape.
    pub(super) fn add(&mut self, id: u64, to: Box<dyn TapeSink>) {
        if self.tapes.len() < MAX_TAPES {
            self.tapes.push(Tape { id, to, until: None });
        }
    }

    /// The tape is to hear what is given out until then. `None`: there is nothing to be heard.
    pub(super) fn end_tape(&mut self, id: u64, until: Option<Instant>) {
        match until {
            Some(until) => {
                for tape in self.tapes.iter_mut().filter(|tape| tape.id == id) {
                    tape.until.get_or_insert(until);
                }
            }
            None => self.tapes.retain(|tape| tape.id != id),
        }
    }

    /// A recording is to hear what is given out until then. One that was trailing already comes back.
    pub(super) fn trail(
        &mut self,
        recorder: Box<Recorder>,
        by: RecordEnd,
        until: Instant,
    ) -> Option<(Recorder, RecordEnd)> {
        let earlier = self.trailing.replace(Box::new(Trailing { recorder, by, until }));
        earlier.map(|trailing| (*trailing.recorder, trailing.by))
    }

    /// Gives them what was heard, at its instant.
    pub(super) fn push(&mut self, now: Instant, at: Instant, samples: &[i16]) {
        for tape in &mut self.tapes {
            tape.to.push(at, samples);
        }
        if let Some(trailing) = &mut self.trailing {
            trailing.recorder.samples(now, samples);
        }
    }

    /// A tape goes when it has heard enough, and the recording comes back when it has.
    pub(super) fn ended(&mut self, at: Instant) -> Option<(Recorder, RecordEnd)> {
        let over = |until: Instant| at >= until;
        self.tapes.retain(|tape| !tape.until.is_some_and(over));
        let trailing = self.trailing.take_if(|trailing| over(trailing.until))?;
        Some((*trailing.recorder, trailing.by))
    }
}
