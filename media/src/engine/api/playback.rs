//! What is played to a port's peer.

use std::sync::Arc;

use crate::clip::Clip;
use crate::dtmf::{Digit, DigitSet};
use crate::sound::Part;

/// How often a playback is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// All clips once.
    Once,
    /// All clips this many times; 0 is taken as 1.
    Times(u32),
    /// Until stopped (music on hold, ringback).
    Forever,
}

/// Something to play to the peer: parts that follow one another without a gap.
#[derive(Debug)]
pub struct Playback {
    /// Returned in [`super::PortEventKind::PlayEnded`].
    pub id: u64,
    /// What to play. An empty list, or only empty parts, ends at once.
    pub parts: Vec<Part>,
    /// How often.
    pub repeat: Repeat,
    /// Digits of the peer that stop it, at the press.
    pub stop_on: DigitSet,
    /// Digits of the peer that go about in it, at the press. They are told to nobody.
    pub controls: Vec<(Digit, Control)>,
}

impl Playback {
    /// Clips, once, that no digit stops.
    #[must_use]
    pub fn of(id: u64, clips: Vec<Arc<Clip>>) -> Self {
        Self {
            id,
            parts: clips.into_iter().map(Part::Clip).collect(),
            repeat: Repeat::Once,
            stop_on: DigitSet::NONE,
            controls: Vec::new(),
        }
    }
}

/// What can be done to a playback that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Silence until it goes on; after five minutes it does so by itself.
    Pause,
    /// Goes on.
    Resume,
    /// The one or the other.
    PauseOrResume,
    /// Goes on so many ms later (or, negative, earlier) in the part that is heard: not before its
    /// beginning, and behind its end with the next part.
    Seek(i64),
}
