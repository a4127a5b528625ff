//! A leg ended.

use offhook_sma::LegTag;

use super::decide::{Decision, Turn};
use super::moves::Move;
use super::state::Phase;

impl Move<'_> {
    pub(super) fn hung_up(self) -> Decision {
        let (tag, id) = self.view.hung_up();
        if tag == LegTag::A || self.view.caller_is_gone() {
            return Decision::Turn(self.over());
        }
        // Of a leg that another one has followed.
        let old = matches!((&id, &self.state.leg_b), (Some(id), Some(now)) if id != now);
        if self.state.phase == Phase::TakingBack {
            return self.bridge_or_claim();
        }
        Decision::Turn(self.other_hung_up(old))
    }

    fn other_hung_up(self, old: bool) -> Turn {
        match self.state.phase {
            Phase::Connect if !old => self.hold(),
            Phase::Bridged if !old => self.end(),
            Phase::Connect | Phase::Bridged | Phase::Over => self.idle(),
            // Attributes were never stored, but somebody was bridged: he has hung up.
            Phase::New if self.view.other_leg().is_none() => self.end(),
            // What comes of the call to the other leg is told in an event of its own; the words
            // that are being said are not for the one who is gone.
            Phase::New
            | Phase::Calling
            | Phase::Waiting
            | Phase::Connecting
            | Phase::Grace
            | Phase::TakingBack
            | Phase::Bridging
            | Phase::Ending => self.go_on(),
        }
    }
}
