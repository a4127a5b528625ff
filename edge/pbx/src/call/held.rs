//! A phone dials the code of `[cloud]` and a number in a new call, while it holds another one: the
//! held call is put through, as keys in it or a REFER would have done. For phones whose keys do not
//! reach us.
//!
//! > It is the call that this very phone holds; of several one that the cloud has, and the one held
//! > last. The new call is there to say what came of it, and for nothing else.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use offhook_sma::action::LegTag;
use offhook_sma::event::EventType;
use tokio::sync::{mpsc, oneshot};

use super::leg::{LegId, Part, Party, Way};
use super::transfer::{Transfer, Transferor};
use super::{Call, Control, Done};
use crate::app::Told;
use crate::failure;

/// A call answers at once; one that does not is gone.
const ANSWER: Duration = Duration::from_secs(5);
/// For whoever holds nothing, or not any more.
const NONE: Outcome = Outcome { status: 404, words: Some("You hold no call.") };
const NOT_NOW: Outcome =
    Outcome { status: 480, words: Some("The call cannot be moved now. Please try again.") };

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Of SIP.
    pub(super) status: u16,
    /// Where that says too little.
    pub(super) words: Option<&'static str>,
}

impl Outcome {
    fn spoken(self) -> &'static str {
        match (self.words, self.status) {
            (Some(words), _) => words,
            (None, 200..=299) => "The call is put through.",
            (None, 403) => "This phone may not call there.",
            (None, 404 | 484) => "The number is not in service.",
            (None, 486 | 600) => "The number is busy.",
            (None, 408 | 480) => "Nobody answers.",
            (None, 487) => "The caller has hung up.",
            (None, _) => "The call could not be put through.",
        }
    }
}

/// The phone that holds a call, and dials.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    extension: String,
    at: SocketAddr,
}

/// Asks a call whether a phone holds it.
#[derive(Debug)]
pub(crate) struct AskHeld {
    by: Holder,
    answer: oneshot::Sender<Held>,
}

/// It does. The greatest one is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    /// By a phone at the same address and port, and not at the address alone: phones that open a
    /// connection for each call are known by that.
    same_port: bool,
    cloud: bool,
    since: Instant,
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
    pub(super) fn move_held(&mut self, number: String) {
        let phone = self.legs.first().and_then(|leg| match (&leg.party, leg.way) {
            (Party::Phone(extension), Way::Flow(flow)) => Some((extension.clone(), flow.remote)),
            _ => None,
        });
        let (calls, own) = match &phone {
            Some((extension, _)) => (self.entry.calls_of(extension), self.entry.control().clone()),
            None => (Vec::new(), self.entry.control().clone()),
        };
        self.work.push(Box::pin(async move {
            let others = calls.into_iter().filter(|call| !call.same_channel(&own)).collect();
            let outcome = match phone {
                Some((extension, at)) => order(others, Holder { extension, at }, number).await,
                None => NONE,
            };
            Done::Ordered(outcome)
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
        let well = (200..300).contains(&status);
        self.app = Some(Box::new(Told::new(outcome.spoken(), well, failure)));
        self.tell(now, LegTag::A, EventType::NewInboundCall, None);
    }

    /// Another call of a phone asks whether it holds this one.
    pub(super) fn on_ask_held(&self, ask: AskHeld) {
        let AskHeld { by, answer } = ask;
        if let Some((_, held)) = self.held_by(&by) {
            let _ = answer.send(held);
        }
    }

    /// And puts it through.
    pub(super) fn on_move_held(&mut self, now: Instant, order: MoveHeld) {
        let MoveHeld { by, number, orderer } = order;
        let Some((id, _)) = self.held_by(&by) else { return };
        let other = self.other(id).is_some_and(|leg| leg.confirmed && leg.port().is_some());
        let free = self.transfer.is_none() && self.is_settled();
        if !free || !(other || self.partner.is_some()) {
            let _ = orderer.send(NOT_NOW);
            return;
        }
        let part = self.leg_ref(id).map_or(Part::Gone, |leg| leg.part);
        let by_leg = Transferor::Leg { id, part, report: None, gone: false };
        let transfer = Transfer::new(by_leg, id, by.extension);
        let transfer = Transfer { orderer: Some(orderer), ..transfer };
        self.begin_transfer(now, id, transfer, number, None);
    }

    fn held_by(&self, by: &Holder) -> Option<(LegId, Held)> {
        let legs = self.legs.iter().filter(|leg| {
            matches!(&leg.party, Party::Phone(own) if *own == by.extension) && leg.tag().is_some()
        });
        let held = legs.filter_map(|leg| {
            let Way::Flow(flow) = leg.way else { return None };
            let since = leg.media.as_ref().filter(|media| media.held)?.held_since?;
            let cloud = self.other(leg.id).is_some_and(|other| self.may_be_clouds(other.id));
            let same_port = flow.remote == by.at;
            let near = flow.remote.ip() == by.at.ip();
            near.then_some((leg.id, Held { same_port, cloud, since }))
        });
        held.max_by_key(|(_, held)| *held)
    }
}

/// Finds the call and has it put through.
async fn order(calls: Vec<mpsc::Sender<Control>>, by: Holder, number: String) -> Outcome {
    let mut best: Option<(Held, &mpsc::Sender<Control>)> = None;
    for call in &calls {
        let (answer, answered) = oneshot::channel();
        let ask = AskHeld { by: by.clone(), answer };
        if call.try_send(Control::AskHeld(Box::new(ask))).is_err() {
            continue;
        }
        let Ok(Ok(held)) = tokio::time::timeout(ANSWER, answered).await else { continue };
        if best.is_none_or(|(known, _)| held > known) {
            best = Some((held, call));
        }
    }
    let Some((_, call)) = best else { return NONE };
    let (orderer, outcome) = oneshot::channel();
    let order = MoveHeld { by, number, orderer };
    if call.try_send(Control::MoveHeld(Box::new(order))).is_err() {
        return NOT_NOW;
    }
    // As long as that call takes; it answers, or it ends.
    outcome.await.unwrap_or(NONE)
}
