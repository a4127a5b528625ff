//! Somebody asked for the caller: `UpdateSipMediaApplicationCall`.

use super::decide::Decision;
use super::moves::Move;
use super::parameters;
use super::state::Phase;
use super::target::Target;

/// What was asked for.
enum Wish {
    /// To Connect, with a new pair.
    Connect,
    /// To the target that is in the state now.
    Target,
}

impl Move<'_> {
    pub(super) fn updated(mut self) -> Decision {
        let before = self.state.clone();
        let wish = match self.take_wish() {
            Ok(wish) => wish,
            Err(why) => {
                self.state = before;
                let this = self.noting(why);
                let talking = matches!(this.state.phase, Phase::Connect | Phase::Bridged);
                return Decision::Turn(if talking { this.idle() } else { this.go_on() });
            }
        };
        if matches!(wish, Wish::Connect) {
            return self.back_to_connect();
        }
        match self.state.phase {
            // The leg is on its way down: he goes to whom was asked for last.
            // Or whom we call has not answered: he is bridged when he does.
            Phase::TakingBack | Phase::Calling => Decision::Turn(self.go_on()),
            // He is being called already.
            Phase::Bridging => {
                let note = (self.state.target != before.target)
                    .then_some("the target is being called: an update is too late");
                self.state = before;
                self.note = note.map(str::to_owned);
                Decision::Turn(self.go_on())
            }
            Phase::Bridged if self.state.target == before.target => {
                self.state = before;
                Decision::Turn(self.idle())
            }
            Phase::Connecting => Decision::Turn(self.take_back()),
            _ if self.view.other_leg().is_some() => Decision::Turn(self.take_back()),
            // Nobody has him (any more).
            _ => Decision::Turn(self.bridge(true)),
        }
    }

    fn back_to_connect(mut self) -> Decision {
        match self.state.phase {
            // He is on his way there, or is bridged when he answers.
            Phase::Connecting | Phase::Waiting => Decision::Turn(self.go_on()),
            Phase::Calling => {
                self.state.target = None;
                Decision::Turn(self.go_on())
            }
            Phase::TakingBack => {
                self.state.target = Some(Target::connect());
                Decision::Turn(self.go_on())
            }
            Phase::Bridging => {
                let this = self.noting("the target is being called: an update is too late");
                Decision::Turn(this.go_on())
            }
            // He is there.
            Phase::Connect => Decision::Turn(self.idle()),
            _ if self.view.other_leg().is_none() => Decision::Claim,
            _ => {
                self.state.target = Some(Target::connect());
                Decision::Turn(self.take_back())
            }
        }
    }

    /// Where a call of ours goes when it is answered, if that was said with it.
    pub(super) fn asked_for(&mut self) -> Result<(), String> {
        match self.view.arguments().contains_key("TransferTarget") {
            true => self.take_wish().map(drop),
            false => Ok(()),
        }
    }

    /// Takes target and headers into the state.
    fn take_wish(&mut self) -> Result<Wish, String> {
        let arguments = self.view.arguments();
        let of = |name: &str| arguments.get(name).filter(|text| !text.is_empty()).cloned();
        let target = match of("TransferTarget") {
            Some(number) => Target::named(&number, of("TransferTargetArn")),
            None => match &self.rules.default_target {
                Some(target) => target.clone(),
                None => return Err("the update names no TransferTarget".to_owned()),
            },
        };
        if target.is_connect() {
            return Ok(Wish::Connect);
        }
        let headers = parameters::headers(&arguments);
        let checked = self.bridge_action(&target).check(self.view.caller());
        checked.map_err(|error| format!("the update's target {}: {error:?}", target.number))?;
        self.state.target = Some(target);
        self.state.headers = headers;
        Ok(Wish::Target)
    }
}
