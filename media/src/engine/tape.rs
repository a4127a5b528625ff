//! What hears a leg through its ear beside the far leg: a tape, and a recording that is ending.

use std::time::Instant;

use super::api::{RecordEnd, TapeSink};
use super::record::Recorder;

/// Both of them.
#[derive(Default)]
pub(super) struct Tapes {
    tape: Option<Box<Tape>>,
    /// A recording that ends when it has heard what was said before its end.
    trailing: Option<Box<Trailing>>,
}

struct Tape {
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
        self.tape.is_some() || self.trailing.is_some()
    }

    /// Whether there is a tape.
    pub(super) fn has_tape(&self) -> bool {
        self.tape.is_some()
    }

    /// Another tape, or the first.
    pub(super) fn set(&mut self, to: Box<dyn TapeSink>) {
        self.tape = Some(Box::new(Tape { to, until: None }));
    }

    /// The tape is to hear what is given out until then. `None`: there is nothing to be heard.
    pub(super) fn end_tape(&mut self, until: Option<Instant>) {
        match until {
            Some(until) => {
                if let Some(tape) = &mut self.tape {
                    tape.until.get_or_insert(until);
                }
            }
            None => self.tape = None,
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

    /// Gives both what was heard, at its instant.
    pub(super) fn push(&mut self, now: Instant, at: Instant, samples: &[i16]) {
        if let Some(tape) = &mut self.tape {
            tape.to.push(at, samples);
        }
        if let Some(trailing) = &mut self.trailing {
            trailing.recorder.samples(now, samples);
        }
    }

    /// The tape goes when it has heard enough, and the recording comes back when it has.
    pub(super) fn ended(&mut self, at: Instant) -> Option<(Recorder, RecordEnd)> {
        let over = |until: Instant| at >= until;
        self.tape.take_if(|tape| tape.until.is_some_and(over));
        let trailing = self.trailing.take_if(|trailing| over(trailing.until))?;
        Some((*trailing.recorder, trailing.by))
    }
}
