//! Orders of a phone that come before its call is settled: a robot, or a phone with a key for it,
//! sends REFER behind its 200 or ACK, when the other side's ACK is still on its way, or the
//! application is just being told that somebody answered.
//!
//! > Such an order is kept, unanswered, and taken up as soon as both sides talk; after [`PATIENCE`]
//! > it is judged as things are then. One at a time.
//!
//! What does not pass by itself, a prompt that plays or a recording, is no reason to wait: the answer
//! would be the same. Of what could be done at once only this waits: the phone's own ACK is missing.
//!
//! The answer is held back rather than given at once with 202: so it says whether the transfer
//! begins, as at any other time, and a phone that gives up meanwhile gets the 487 of its BYE. Two
//! seconds are few of the 32 that a phone waits for an answer (RFC 3261 §17.1.2.2, Timer F), and
//! enough for an ACK that is lost twice (§13.3.1.4: our 200 is repeated after 0.5 and 1.5 seconds).

use std::time::{Duration, Instant};

use offhook_sip::message::{Request, StatusCode};
use offhook_sip::session::InboundToken;

use super::Call;
use super::joining::{ANSWER, Join, JoinRefused};
use super::leg::{LegId, Part, Party};
use super::runner::Running;

/// How long a call may take to be settled.
const PATIENCE: Duration = Duration::from_secs(2);
// Else the call that asks would have given up before.
const _: () = assert!(PATIENCE.as_millis() < ANSWER.as_millis());

/// The order that waits.
pub(super) struct Early {
    until: Instant,
    order: Order,
}

enum Order {
    /// A REFER, which is not answered yet.
    Refer { leg: LegId, token: InboundToken, request: Box<Request> },
    /// What another call of the phone asks for, whose own REFER named this one.
    Join(Box<Join>),
}

impl Call {
    /// Keeps a REFER if the call will be settled in a moment: `true`, nothing more is to be done
    /// now. `status`: what would be answered.
    pub(super) fn keep_early_refer(
        &mut self,
        now: Instant,
        leg: LegId,
        token: InboundToken,
        request: &Request,
        status: StatusCode,
    ) -> bool {
        // What is wrong with it is wrong later too.
        let in_time = matches!(status, StatusCode::ACCEPTED | StatusCode::DECLINE);
        if !in_time || self.early.is_some() || !self.settles_soon(leg) {
            return false;
        }
        let label = self.leg_ref(leg).map(|leg| leg.label);
        self.timeline.note(now, label, "the transfer waits until the call is settled");
        let order = Order::Refer { leg, token, request: Box::new(request.clone()) };
        self.early = Some(Box::new(Early { until: now + PATIENCE, order }));
        true
    }

    /// Keeps the order of another call if this one will be settled in a moment; else gives it back.
    pub(super) fn keep_early_join(
        &mut self,
        now: Instant,
        join: Join,
        why: &JoinRefused,
    ) -> Option<Join> {
        if *why != JoinRefused::Busy || self.early.is_some() || !self.can_join_soon(&join) {
            return Some(join);
        }
        let text = "another call of the phone waits until this one is settled";
        self.timeline.note(now, None, text);
        let order = Order::Join(Box::new(join));
        self.early = Some(Box::new(Early { until: now + PATIENCE, order }));
        None
    }

    /// Whether a transfer waits already.
    pub(super) fn has_early_refer(&self) -> bool {
        self.early.as_ref().is_some_and(|early| matches!(early.order, Order::Refer { .. }))
    }

    /// When the order is taken up at the latest.
    pub(super) fn early_deadline(&self) -> Option<Instant> {
        self.early.as_ref().map(|early| early.until)
    }

    /// Takes the order up when its time has come: `true`, something was done.
    pub(super) fn take_up_early(&mut self, now: Instant) -> bool {
        let Some(mut early) = self.early.take() else { return false };
        let soon = match &mut early.order {
            Order::Refer { leg, .. } => self.settles_soon(*leg),
            // Its call may be over long before this one is settled.
            Order::Join(join) => !join.is_void() && self.can_join_soon(join),
        };
        if soon && now < early.until {
            self.early = Some(early);
            return false;
        }
        match early.order {
            // The session of a leg that ended has answered what was open there (RFC 3261 §15.1.2).
            Order::Refer { leg, .. }
                if self.leg_ref(leg).is_none_or(|leg| leg.part == Part::Gone) => {}
            Order::Refer { leg, token, request } => {
                self.answer_refer(now, leg, token, &request);
            }
            Order::Join(join) => match self.place_for(&join, false) {
                // Somebody had answered, and is gone: that number is not to ring once more.
                Err(JoinRefused::NotTalking { .. }) => {
                    self.refuse_join(now, *join, JoinRefused::Unknown);
                }
                _ => self.take_up_join(now, *join),
            },
        }
        true
    }

    /// Whether a phone's leg talks to somebody in all but the last formalities: an ACK is on its way,
    /// or the application is being told something.
    fn settles_soon(&self, id: LegId) -> bool {
        let Some(leg) = self.leg_ref(id).filter(|leg| leg.tag().is_some()) else { return false };
        let other = self.other(id);
        let somebody = other.is_some() || self.partner.is_some();
        let free = self.transfer.is_none() && self.consulted.is_none() && self.does_nothing();
        let confirmed = leg.confirmed && other.is_none_or(|other| other.confirmed);
        somebody
            && matches!(leg.party, Party::Phone(_))
            && free
            && !(confirmed && self.is_settled())
    }

    /// The same of the phone's leg that another call's order names.
    fn can_join_soon(&self, join: &Join) -> bool {
        let free = self.transfer.is_none() && self.consulted.is_none();
        if !free || !matches!(self.running, Running::Nothing) {
            return false;
        }
        let Some(leg) = join.dialog.as_ref().and_then(|dialog| self.leg_of_dialog(dialog)) else {
            return false;
        };
        let Some(other) = self.other(leg.id) else { return false };
        let there = matches!(leg.part, Part::Caller | Part::Callee) && leg.answered;
        let confirmed = leg.confirmed && other.confirmed;
        there && leg.party == Party::Phone(join.by.clone()) && !confirmed
    }
}
