//! Which of several refusals the caller is told (after RFC 3261 §16.7, for one office).

use crate::failure::{self, Answerer, Failure};

/// How an attempt to reach somebody ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    /// By the catalogue.
    pub(crate) failure: &'static Failure,
    /// The final status that came, or the one that stands for what happened.
    pub(crate) status: u16,
    /// Details for the timeline.
    pub(crate) detail: String,
}

impl Outcome {
    pub(crate) fn of(failure: &'static Failure, detail: impl Into<String>) -> Self {
        Self { failure, status: failure.sip_status, detail: detail.into() }
    }

    pub(crate) fn of_response(status: u16, reason: &str, from: Answerer) -> Self {
        let failure = failure::of_response(status, reason, from);
        Self { failure, status, detail: format!("{status} {reason}") }
    }
}

/// What says more comes first: a person who declined, then busy, then other refusals, then errors,
/// then phones that rang or were not there.
fn rank(status: u16) -> u8 {
    match status {
        603 | 607 | 608 => 6,
        600..=699 => 5,
        486 => 4,
        408 | 480 | 487 => 0,
        500..=599 => 2,
        _ => 3,
    }
}

/// The outcome to report.
pub(crate) fn best(outcomes: &[Outcome]) -> Option<&Outcome> {
    // The first of equals: what happened first is what people remember.
    outcomes.iter().rev().max_by_key(|o| rank(o.status))
}

/// The status a caller is sent for an outcome of the other leg: a challenge or a redirect of the
/// other side means nothing to the caller, and a 6xx of one phone is the office's.
pub(crate) fn status_for_caller(outcome: &Outcome) -> u16 {
    match outcome.status {
        486 | 600 | 603 | 404 | 410 | 480 | 484 | 488 => outcome.status,
        _ => outcome.failure.sip_status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::*;

    #[test]
    fn busy_says_more_than_no_answer_and_a_person_more_than_both() {
        let busy = Outcome::of_response(486, "Busy Here", Answerer::Phone);
        let gone = Outcome::of(NOT_REGISTERED, "101");
        let declined = Outcome::of_response(603, "Decline", Answerer::Phone);
        let error = Outcome::of_response(500, "x", Answerer::Phone);
        let all = [gone.clone(), busy.clone(), error.clone()];
        assert_eq!(best(&all).unwrap().failure, BUSY);
        assert_eq!(best(&[gone.clone(), error]).unwrap().failure, PEER_ERROR);
        assert_eq!(best(&[busy, declined, gone]).unwrap().failure, DECLINED);
        assert!(best(&[]).is_none());
    }

    #[test]
    fn a_challenge_of_the_trunk_is_not_shown_to_the_phone() {
        let refused = Outcome::of_response(407, "Proxy Authentication Required", Answerer::Trunk);
        assert_eq!(status_for_caller(&refused), 503);
    }
}
