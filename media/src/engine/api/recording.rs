//! What is recorded of a port's peer.

use std::fmt;
use std::time::{Duration, Instant};

use crate::dtmf::DigitSet;

/// Takes recorded audio: 8 kHz mono PCM16. Called on a media thread: must not block.
pub trait SampleSink: Send {
    /// The next samples, gaps already filled with silence.
    fn push(&mut self, samples: &[i16]);

    /// Whether it takes nothing any more: the recording ends then.
    fn is_broken(&self) -> bool {
        false
    }

    /// Nothing more comes. Called exactly once, also when the port is dropped.
    fn finish(self: Box<Self>) {}
}

/// Takes what a port's peer says, on one time line with other ports: 8 kHz mono PCM16. Called on a
/// media thread: must not block. Dropped when nothing more comes.
pub trait TapeSink: Send {
    /// The next samples, and the instant at which they were to be heard. Missing packets are
    /// concealed, the peer's clock is followed, keys are silence; before the first packet nothing
    /// comes.
    fn push(&mut self, at: Instant, samples: &[i16]);
}

/// Ends a recording after a stretch without speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SilenceRule {
    /// Mean absolute amplitude of a 20 ms frame below which it counts as silence, 0-32767.
    pub threshold: u16,
    /// How long it must last. Counted from the start too, so a caller who says nothing ends it.
    pub duration: Duration,
}

impl SilenceRule {
    /// A threshold that line noise does not reach and quiet speech does (about -44 dBFS).
    pub const DEFAULT_THRESHOLD: u16 = 200;

    /// The rule with the default threshold.
    pub const fn after(duration: Duration) -> Self {
        Self { threshold: Self::DEFAULT_THRESHOLD, duration }
    }
}

/// Records what the peer says. Digits and comfort noise are recorded as silence.
pub struct Recording {
    /// Returned in [`super::PortEventKind::RecordEnded`].
    pub id: u64,
    /// Where the samples go.
    pub to: Box<dyn SampleSink>,
    /// Longest length; the sink never gets more.
    pub max: Option<Duration>,
    /// Ends after silence.
    pub silence: Option<SilenceRule>,
    /// Digits of the peer that end it, at the press.
    pub terminators: DigitSet,
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("id", &self.id)
            .field("max", &self.max)
            .field("silence", &self.silence)
            .field("terminators", &self.terminators)
            .finish_non_exhaustive()
    }
}
