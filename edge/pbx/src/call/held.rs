//! A phone dials the code of `[cloud]` and a number in a new call, while it holds another one: the
//! held call is put through, as keys in it or a REFER would have done. For phones whose keys do not
//! reach us.
//!
//! > It is the call that this very phone holds ([`super::holder`]); of several one that the cloud
//! > has, and the one held last. The new call is there to say what came of it, and for nothing else.

use std::time::Instant;

use offhook_sip::header::Headers;
use offhook_sip::message::StatusCode;
use offhook_sma::action::LegTag;
use offhook_sma::event::EventType;
use tokio::sync::{mpsc, oneshot};

use super::holder::{Holder, NOT_MOVED, NOT_NOW, Rank, best};
use super::leg::{LegId, Part, Party};
use super::transfer::{Transfer, Transferor};
use super::{Call, Control, Done};
use crate::app::Told;
use crate::failure;

/// For whoever holds nothing, or not any more.
const NONE: Outcome = Outcome { status: 404, words: Some("You hold no call.") };

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Of SIP.
    pub(super) status: u16,
    /// Where that says too little.
    pub(super) words: Option<&'static str>,
}

impl Outcome {
    /// Something else runs in the call.
    pub(super) const NOT_NOW: Self = Self { status: 480, words: Some(NOT_NOW) };
    /// The call took the order and never said what came of it.
    pub(super) const UNKNOWN: Self = Self { status: 500, words: Some(NOT_MOVED) };

    pub(super) fn is_success(self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn spoken(self) -> &'static str {
        match (self.words, self.status) {
            (Some(words), _) => words,
            (None, 200..=299) => "The call is put through.",
            (None, 403) => "This phone may not call there.",
            (None, 404 | 484) => "The number is not in service.",
            (None, 486 | 600) => "The number is busy.",
            (None, 408 | 480) => "Nobody answers.",
            (None, 487) => "The caller has hung up.",
            (None, _) => NOT_MOVED,
        }
    }
}

/// Asks a call whether a phone holds it.
#[derive(Debug)]
pub(crate) struct AskHeld {
    by: Holder,
    answer: oneshot::Sender<Rank>,
}

/// Orders a call to be put through by the phone that holds it.
#[derive(Debug)]
pub(crate) struct MoveHeld {
    by: Holder,
    number: String,
    orderer: oneshot::Sender<Outcome>,
}

impl Call {
    /// Puts the caller's held call through to what was dialled.
    pub(super) fn move_held(&mut self, now: Instant, number: String) {
        let by = self.legs.first().and_then(Holder::of);
        if let Some(leg) = self.legs.first_mut() {
            // It may take as long as somebody is rung (RFC 3261 §13.3.1.1).
            let _ = leg.session.provisional(now, StatusCode::RINGING, None, Headers::new());
        }
        let own = self.entry.control().clone();
        let mut calls =
            by.as_ref().map(|by| self.entry.calls_of(by.extension())).unwrap_or_default();
        calls.retain(|call| !call.same_channel(&own));
        self.work.push(Box::pin(async move {
            Done::Ordered(match by {
                Some(by) => order(calls, by, number).await,
                None => NONE,
            })
        }));
    }

    /// What came of it is spoken.
    pub(super) fn on_ordered(&mut self, now: Instant, outcome: Outcome) {
        if self.record.ended.is_some() || self.tagged(LegTag::A).is_none() {
            return;
        }
        let Outcome { status, .. } = outcome;
        self.timeline.note(now, None, format!("the held call: {status} {}", outcome.spoken()));
        let failure = (outcome == NONE).then_some(failure::NO_HELD_CALL);
        self.app = Some(Box::new(Told::new(outcome.spoken(), outcome.is_success(), failure)));
        self.tell(now, LegTag::A, EventType::NewInboundCall, None);
    }

    /// Another call of a phone asks whether it holds this one.
    pub(super) fn on_ask_held(&self, ask: AskHeld) {
        let AskHeld { by, answer } = ask;
        if let Some((_, rank)) = self.held_by(&by) {
            let _ = answer.send(rank);
        }
    }

    /// And puts it through.
    pub(super) fn on_move_held(&mut self, now: Instant, order: MoveHeld) {
        let MoveHeld { by, number, orderer } = order;
        let Some((id, _)) = self.held_by(&by) else {
            let _ = orderer.send(NONE);
            return;
        };
        let other = self.other(id).is_some_and(|leg| leg.confirmed && leg.port().is_some());
        let free = self.transfer.is_none() && self.is_settled();
        if !free || !(other || self.partner.is_some()) {
            let _ = orderer.send(Outcome::NOT_NOW);
            return;
        }
        let part = self.leg_ref(id).map_or(Part::Gone, |leg| leg.part);
        let by_leg = Transferor::Leg { id, part, report: None, gone: false };
        let transfer = Transfer::new(by_leg, id, by.extension().to_owned());
        let transfer = Transfer { orderer: Some(orderer), ..transfer };
        self.begin_transfer(now, id, transfer, number, None);
    }

    fn held_by(&self, by: &Holder) -> Option<(LegId, Rank)> {
        let legs = self.legs.iter().filter(|leg| leg.tag().is_some());
        let held = legs.filter_map(|leg| {
            let rank = by.holds(leg)?;
            Some((leg.id, Rank { cloud: self.is_with_clouds(leg.id), ..rank }))
        });
        held.max_by_key(|(_, rank)| *rank)
    }

    /// Whether the other party of a leg may be in the cloud, from wherever it was put through.
    fn is_with_clouds(&self, id: LegId) -> bool {
        if let Some(other) = self.other(id) {
            return self.may_be_clouds(other.id);
        }
        let config = self.config();
        let believed = |party: &Party| match party {
            Party::Trunk(name) => config.believes_cloud(name),
            Party::Phone(_) => false,
        };
        config.cloud.transfers
            && self.services.cloud.is_some()
            && self.partner.as_deref().is_some_and(|partner| believed(&partner.party))
    }
}

/// Finds the call and has it put through.
async fn order(calls: Vec<mpsc::Sender<Control>>, by: Holder, number: String) -> Outcome {
    let ask = |answer| Control::AskHeld(Box::new(AskHeld { by: by.clone(), answer }));
    let Some((_, call)) = best(calls, ask).await else { return NONE };
    let (orderer, outcome) = oneshot::channel();
    let order = MoveHeld { by, number, orderer };
    if call.try_send(Control::MoveHeld(Box::new(order))).is_err() {
        return Outcome::NOT_NOW;
    }
    // As long as that call takes; it answers, or it ends.
    outcome.await.unwrap_or(Outcome::UNKNOWN)
}
