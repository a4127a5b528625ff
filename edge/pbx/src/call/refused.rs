//! How a branch of a `CallAndBridge` fails, what is tried instead, and how it all ends.

use std::time::Instant;

use offhook_sip::header::{HeaderName, Headers};
use offhook_sip::message::{Response, StatusCode};
use offhook_sip::session::{EndedBy, SendFailure as SessionFailure};
use offhook_sma::action::{Action, LegTag};
use offhook_sma::event::{ActionError, error_type};

use super::Call;
use super::best::{Outcome, best, status_for_caller};
use super::bridge::{Branch, refused_us, unreachable};
use super::leg::{LegId, Part};
use super::runner::Running;
use crate::failure::{self, Answerer, Failure};

impl Call {
    /// A branch was refused.
    pub(super) fn on_rejected(&mut self, now: Instant, id: LegId, response: &Response) {
        let Some(bridging) = &self.bridging else { return };
        let Some(branch) = bridging.branches.iter().find(|b| b.leg == id) else { return };
        let answerer = branch.answerer;
        let status = response.status.code();
        if (300..400).contains(&status) && answerer == Answerer::Phone {
            let outcome = match self.follow(now, id, response) {
                Ok(()) => return,
                Err(outcome) => outcome,
            };
            self.set_outcome(id, outcome);
            return;
        }
        if matches!(status, 415 | 488 | 606) && self.ring_again(now, id) {
            return;
        }
        let reason = String::from_utf8_lossy(&response.reason).into_owned();
        self.set_outcome(id, Outcome::of_response(status, &reason, answerer));
    }

    /// Calls the phone of a branch once more with the other kind of audio; `false`: there is none.
    fn ring_again(&mut self, now: Instant, id: LegId) -> bool {
        let branches = self.bridging.iter_mut().flat_map(|b| b.branches.iter_mut());
        let Some(branch) = branches.into_iter().find(|b| b.leg == id) else { return false };
        let Some(mut again) = branch.again.take() else { return false };
        let Some(kind) = again.kinds.pop() else { return false };
        let diverted = branch.diverted.clone();
        let (number, contact) = (again.number.clone(), again.contact.clone());
        let text = format!("{number} is offered {} audio instead", kind.name());
        self.timeline.note(now, None, text);
        match self.ring_contact(now, &number, contact, kind, Some(again), diverted) {
            Ok(()) => true,
            Err(outcome) => {
                self.set_outcome(id, outcome);
                true
            }
        }
    }

    pub(super) fn set_outcome(&mut self, id: LegId, outcome: Outcome) {
        let branches = self.bridging.iter_mut().flat_map(|b| b.branches.iter_mut());
        if let Some(branch) = branches.into_iter().find(|b| b.leg == id) {
            branch.outcome = Some(outcome);
        }
    }

    /// A branch is over without an answer.
    pub(super) fn branch_ended(
        &mut self,
        now: Instant,
        id: LegId,
        by: EndedBy,
        status: Option<StatusCode>,
    ) {
        let name = self.leg_ref(id).map(|leg| leg.party.label()).unwrap_or_default();
        let Some(bridging) = &mut self.bridging else { return };
        let Some(at) = bridging.branches.iter().position(|b| b.leg == id) else { return };
        let branch = bridging.branches.swap_remove(at);
        let trunk = branch.answerer == Answerer::Trunk;
        if bridging.early == Some(id) {
            bridging.early = None;
        }
        let silent: &'static Failure =
            if trunk { failure::TRUNK_UNREACHABLE } else { failure::PHONE_UNREACHABLE };
        let outcome = match (branch.outcome, by, status) {
            (Some(outcome), ..) => Some(outcome),
            // A redirection that was followed: its targets stand for it.
            (None, EndedBy::Rejected, _) => None,
            (None, EndedBy::Failure(SessionFailure::Overloaded), _) => {
                Some(Outcome::of(failure::OFFICE_FULL, name.clone()))
            }
            (None, EndedBy::Failure(_) | EndedBy::DialogLost, _) => {
                Some(Outcome::of(silent, name.clone()))
            }
            (None, EndedBy::Protocol, _) => Some(Outcome::of(failure::BAD_SDP, name.clone())),
            (None, _, Some(status)) => {
                Some(Outcome::of_response(status.code(), "", branch.answerer))
            }
            (None, _, None) => Some(Outcome::of(failure::PEER_REFUSED, name.clone())),
        };
        // Another trunk may do better: when this one is down, full or broken, not when the number
        // called is busy or does not exist (those would be the same everywhere).
        let elsewhere = trunk
            && outcome.as_ref().is_some_and(|o| {
                refused_us(o.failure) || o.failure.retry && !matches!(o.status, 480 | 486 | 600)
            });
        if let Some(outcome) = outcome {
            self.missed(now, outcome);
        }
        if elsewhere {
            self.next_trunk(now, branch.rest, branch.diverted);
        }
        self.go_on(now);
    }

    /// Ends the action when nobody is left who could answer.
    pub(super) fn go_on(&mut self, now: Instant) {
        let Some(bridging) = &self.bridging else { return };
        if !bridging.branches.is_empty() || bridging.looking_up > 0 {
            return;
        }
        if self.try_later_forward(now) {
            return self.go_on(now);
        }
        let Some(bridging) = &self.bridging else { return };
        let outcome = best(&bridging.outcomes).cloned();
        let outcome = outcome.unwrap_or_else(|| Outcome::of(failure::NOT_REGISTERED, ""));
        self.nobody_answered(now, &outcome);
    }

    /// It rang long enough.
    pub(super) fn ring_timeout(&mut self, now: Instant) {
        self.give_up_silent_trunk(now);
        let Some(bridging) = &self.bridging else { return };
        if bridging.deadline > now {
            return;
        }
        // A trunk that said nothing at all was not rung.
        let rang = bridging.rings || bridging.early.is_some();
        let trunk = bridging.branches.iter().all(|b| b.answerer == Answerer::Trunk);
        let failure = match (rang, trunk) {
            (true, _) => failure::NO_ANSWER,
            (false, true) => failure::TRUNK_UNREACHABLE,
            (false, false) => failure::PHONE_UNREACHABLE,
        };
        let seen = best(&bridging.outcomes).filter(|o| !rang && o.status != 480).cloned();
        let outcome = seen.unwrap_or_else(|| Outcome::of(failure, "it rang long enough"));
        if !self.ring_later_forwards(now, &outcome) {
            self.nobody_answered(now, &outcome);
        }
    }

    /// Nobody answered in time: what phones forward to with less preference has its turn, for as
    /// long as a call may ring in all. `false`: there is nothing, or no time.
    fn ring_later_forwards(&mut self, now: Instant, outcome: &Outcome) -> bool {
        let run = self.run_id();
        let Some(bridging) = &mut self.bridging else { return false };
        if bridging.later.is_empty() || bridging.latest <= now {
            return false;
        }
        bridging.deadline = (now + bridging.ring).min(bridging.latest);
        // Ways that are still looked up come too late.
        (bridging.started, bridging.looking_up) = (run, 0);
        // Nobody rings yet: what the caller hears begins anew with the next 180.
        (bridging.early, bridging.rings) = (None, false);
        for branch in std::mem::take(&mut bridging.branches) {
            if let Some(leg) = self.leg(branch.leg) {
                leg.part = Part::Gone;
                leg.media = None;
                leg.session.hangup(now, Headers::new());
            }
        }
        self.missed(now, outcome.clone());
        self.go_on(now);
        true
    }

    /// A response came: whoever it is lives.
    pub(super) fn heard_from(&mut self, id: LegId) {
        let branches = self.bridging.iter_mut().flat_map(|b| b.branches.iter_mut());
        for branch in branches.filter(|b| b.leg == id) {
            branch.silent_until = None;
        }
    }

    pub(super) fn give_up_silent_trunk(&mut self, now: Instant) {
        let Some(bridging) = &mut self.bridging else { return };
        let silent = |b: &Branch| b.given_up_at().is_some_and(|at| at <= now);
        let Some(at) = bridging.branches.iter().position(silent) else { return };
        let branch = bridging.branches.swap_remove(at);
        let mut name = String::new();
        if let Some(leg) = self.leg(branch.leg) {
            name = leg.party.label();
            leg.part = Part::Gone;
            leg.media = None;
            leg.session.hangup(now, Headers::new());
        }
        self.missed(now, unreachable(&name, "no answer at all"));
        self.next_trunk(now, branch.rest, branch.diverted);
        self.go_on(now);
    }

    pub(super) fn nobody_answered(&mut self, now: Instant, outcome: &Outcome) {
        if self.creating.is_some() {
            return self.created_missed(now, outcome);
        }
        self.stop_bridging(now, &[]);
        if let Some(port) = self.tagged(LegTag::A).and_then(|leg| leg.port()) {
            port.stop_play();
        }
        // What is told last is what counts: a sequence of attempts has many.
        self.failure = Some(outcome.failure);
        let kind = match self.script.running() {
            Some(Action::JoinChimeMeeting(_)) => error_type::SYSTEM_EXCEPTION,
            _ => error_type::CALL_NOT_ANSWERED,
        };
        let mut error = ActionError::new(kind, "Call not answered");
        error.sip_status = Some(status_for_caller(outcome));
        error.message = format!("Call not answered: {}", outcome.failure.meaning);
        let detail = format!("{} ({})", outcome.failure.code, outcome.detail);
        self.timeline.note(now, None, detail);
        self.running = Running::Nothing;
        self.action_failed(now, &error);
    }

    /// Cancels every branch but those in `but`; with one answered the others are told so
    /// (RFC 3326), and their phones show no missed call.
    pub(super) fn stop_bridging(&mut self, now: Instant, but: &[LegId]) {
        let Some(bridging) = self.bridging.take() else { return };
        let mut reason = self.reason_headers();
        if !but.is_empty() {
            reason = Headers::new();
            let text = "SIP;cause=200;text=\"Call completed elsewhere\"";
            reason.push(HeaderName::Reason, text.to_owned());
        }
        for branch in &bridging.branches {
            if but.contains(&branch.leg) {
                continue;
            }
            if let Some(leg) = self.leg(branch.leg) {
                leg.part = Part::Gone;
                leg.media = None;
                leg.session.hangup(now, reason.clone());
            }
        }
        if matches!(self.running, Running::Bridging) {
            self.running = Running::Nothing;
        }
    }
}
