//! What is done about an event. A function of the event and the operator's rules: an invocation
//! that the service repeats is answered with the same.

use offhook_dnis::{DnisError, Lease, Pair};
use offhook_sma::{EventType, InvocationEvent, Reply};

use super::moves::Move;
use super::rules::Rules;
use super::state::{Phase, State};
use super::view::View;

/// An answer, and what is to be done in the pool before it is given.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// To the service.
    pub reply: Reply,
    /// All pairs of this call are given back.
    pub release: bool,
    /// This pair's lease is extended: somebody talks.
    pub extend: Option<Pair>,
    /// There was no pair for the call: for an alarm.
    pub without_pair: bool,
    /// Nobody can be found for the caller, who is told so and hung up on.
    pub apologizes: bool,
    /// For the log: what went wrong, or was refused.
    pub note: Option<String>,
}

/// What comes of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// A pair is claimed, and [`decide_claimed`] asked.
    Claim,
    /// This.
    Turn(Turn),
}

/// Decides.
#[must_use]
pub fn decide(rules: &Rules, event: &InvocationEvent) -> Decision {
    match (decided(rules, event), &rules.direct) {
        (Decision::Claim, Some(direct)) => {
            let this = on_the_way(rules, event);
            match this.state.direct_failed {
                true => Decision::Claim,
                false => Decision::Turn(this.connect_directly(direct, true)),
            }
        }
        (decision, _) => decision,
    }
}

fn decided(rules: &Rules, event: &InvocationEvent) -> Decision {
    let view = View(event);
    let state = State::read(event.call_details.transaction_attributes.as_ref());
    let phase = state.phase;
    let this = Move::new(rules, view, state);
    match event.invocation_event_type {
        EventType::Hangup => this.hung_up(),
        // A HANGUP follows, or has been here.
        _ if view.caller_is_gone() || phase == Phase::Over => {
            let release = this.may_have_a_pair();
            Decision::Turn(Move { release, ..this }.idle())
        }
        EventType::NewInboundCall => Decision::Claim,
        EventType::NewOutboundCall => Decision::Turn(this.outbound()),
        EventType::CallAnswered => this.answered(),
        EventType::CallUpdateRequested => this.updated(),
        EventType::ActionSuccessful => this.succeeded(),
        EventType::ActionFailed | EventType::InvalidLambdaResponse => this.failed(),
        EventType::Ringing | EventType::ActionInterrupted | EventType::DigitsReceived => {
            Decision::Turn(this.go_on())
        }
    }
}

/// Decides after a claim.
#[must_use]
pub fn decide_claimed(
    rules: &Rules,
    event: &InvocationEvent,
    claimed: &Result<Lease, DnisError>,
) -> Turn {
    let this = on_the_way(rules, event);
    let error = match claimed {
        Ok(lease) => return this.connect(lease.pair.clone(), true),
        Err(error) => error,
    };
    let mut this = this.noting(error.to_string());
    this.without_pair = true;
    if this.state.waits < rules.waits() {
        return this.wait();
    }
    // The way that failed is not gone once more.
    let way = rules.default_target.clone().filter(|_| this.state.returns == 0);
    match way {
        Some(_) => this.bridge(true),
        None => this.apologize(),
    }
}

/// The caller is to go to Connect.
fn on_the_way<'a>(rules: &'a Rules, event: &'a InvocationEvent) -> Move<'a> {
    let view = View(event);
    let mut state = State::read(event.call_details.transaction_attributes.as_ref());
    if state.caller.is_empty() {
        view.caller().clone_into(&mut state.caller);
    }
    // He was on his way to a target that did not answer.
    if state.phase == Phase::Bridging {
        state.returns += 1;
    }
    state.target = state.target.filter(|target| !target.is_connect());
    let failed = matches!(
        event.invocation_event_type,
        EventType::ActionFailed | EventType::InvalidLambdaResponse
    );
    // Music that cannot be played is silence of its length: the step begins anew without it.
    if state.phase == Phase::Waiting && view.failed_to_play() {
        state.mute = true;
        state.waits = state.waits.saturating_sub(1);
    }
    state.direct_failed |= state.direct && state.phase == Phase::Connecting && failed;
    Move::new(rules, view, state)
}

impl Move<'_> {
    /// We were asked to call somebody: the reply's actions do not count, its attributes do.
    fn outbound(mut self) -> Turn {
        if let Err(why) = self.asked_for() {
            self = self.noting(why);
        }
        self.state.phase = Phase::Calling;
        self.view.caller().clone_into(&mut self.state.caller);
        self.idle()
    }

    fn answered(self) -> Decision {
        match self.state.target {
            Some(_) => Decision::Turn(self.bridge(true)),
            None => Decision::Claim,
        }
    }

    fn succeeded(mut self) -> Decision {
        let other = self.view.other_leg().map(|leg| leg.call_id.clone());
        let turn = match (self.state.phase, self.view.action()) {
            (Phase::Waiting, _) => return Decision::Claim,
            (Phase::Connecting, "CallAndBridge") => match other {
                // It answered and hung up before this event was told.
                None => self.hold(),
                Some(leg) => {
                    self.state.phase = Phase::Connect;
                    self.state.leg_b = Some(leg);
                    self.extend = true;
                    self.idle()
                }
            },
            (Phase::TakingBack, "Hangup") => return self.bridge_or_claim(),
            (Phase::Bridging, "CallAndBridge") => match other {
                None => self.end(),
                Some(leg) => {
                    self.state.phase = Phase::Bridged;
                    self.state.leg_b = Some(leg);
                    self.idle()
                }
            },
            // Nobody asked for the caller.
            (Phase::Grace, "Pause") => self.end(),
            (Phase::Connect | Phase::Bridged | Phase::New, _) => self.idle(),
            _ => self.go_on(),
        };
        Decision::Turn(turn)
    }

    fn failed(self) -> Decision {
        let note = self.view.failure();
        let this = self.noting(note);
        let action = this.view.action();
        let turn = match (this.state.phase, action) {
            (Phase::Waiting, _) => return Decision::Claim,
            // The leg that was to be hung up is down: whoever was told first has gone on.
            (Phase::Connecting | Phase::Bridging, "Hangup") => this.go_on(),
            (Phase::Connecting, "Speak") => this.connect_again(),
            (Phase::Connecting, _) if this.may_go_by_pairs() => return Decision::Claim,
            (Phase::Connecting, _) => this.without_connect(),
            // The leg was down already, or never came up. If it is up, Connect still has him.
            (Phase::TakingBack, _) if this.view.other_leg().is_none() => {
                return this.bridge_or_claim();
            }
            (Phase::TakingBack, _) => this.stay(),
            (Phase::Bridging, "Speak") => this.bridge(false),
            (Phase::Bridging, _) if this.state.returns < this.rules.returns => {
                return Decision::Claim;
            }
            (Phase::Bridging, _) => this.apologize(),
            (Phase::Ending, "Speak") | (Phase::Grace, _) => this.end(),
            // Somebody talks with him: nothing that failed concerns them.
            (Phase::Connect | Phase::Bridged, _) => this.idle(),
            // A reply that was refused comes without attributes.
            (Phase::New | Phase::Calling, _) if this.view.other_leg().is_some() => this.idle(),
            (Phase::New | Phase::Calling, _) => this.apologize(),
            (Phase::Ending | Phase::Over, _) => this.go_on(),
        };
        Decision::Turn(turn)
    }

    /// The way that needs no pair has failed, and there are pairs.
    fn may_go_by_pairs(&self) -> bool {
        let behind = self.rules.direct.as_ref().is_some_and(|direct| direct.pairs_behind);
        behind && self.state.direct && !self.state.direct_failed
    }

    /// Connect cannot be reached: the office takes the call, when it has a place for it.
    fn without_connect(self) -> Turn {
        if self.rules.default_target.is_some() && self.state.returns == 0 {
            return self.bridge(true);
        }
        self.apologize()
    }

    /// The caller stays with whom he talks.
    fn stay(mut self) -> Turn {
        self.state.phase = if self.state.leased { Phase::Connect } else { Phase::Bridged };
        self.state.leg_b = self.view.other_leg().map(|leg| leg.call_id.clone());
        self.idle()
    }
}
