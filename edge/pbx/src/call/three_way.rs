//! A conference by keys: a phone that talks in one call and holds another presses the code of
//! `[conference]`, and all three are in a room (the kind that RFC 4579 §5.4 makes for phones that
//! ask for one by themselves).
//!
//! > The call that is held, of several the one held last, is put through to the room, as by a REFER,
//! > and the phone's line in it ends. So is the other party of this call; but here the phone stays
//! > on its line, beside the application's legs, and hears the room until it hangs up.

use std::sync::Arc;
use std::time::Instant;

use offhook_sip::message::StatusCode;
use tokio::sync::{mpsc, oneshot};

use super::conference::Conferring;
use super::held::Outcome;
use super::holder::{Holder, NOT_MOVED, NOT_NOW, Rank, best};
use super::leg::{Leg, LegId, Part, Party};
use super::runner::Running;
use super::transfer::{Stage, Transfer, Transferor};
use super::{Call, Control, Done};
use crate::rooms::{Room, room_of};

const NOBODY_HELD: &str = "No other call of this phone is on hold.";
/// For a call that was on hold, and is not any more.
const NONE: Outcome = Outcome { status: 404, words: Some(NOBODY_HELD) };
/// What the phone held has come.
const COMES: Outcome = Outcome { status: 200, words: None };

/// Asks a call whether a phone holds it.
#[derive(Debug)]
pub(crate) struct AskMeeting {
    by: Holder,
    answer: oneshot::Sender<Candidate>,
}

/// A call that a phone holds; the greatest is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    rank: Rank,
    what: OnHold,
}

/// What of a phone's is on hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum OnHold {
    /// Something that cannot be brought along now.
    Busy,
    /// A party.
    Party,
    /// A room, in which others talk.
    Room(String),
}

/// Orders a call that a phone holds into a room.
#[derive(Debug)]
pub(crate) struct Bring {
    by: Holder,
    into: String,
    orderer: oneshot::Sender<Outcome>,
}

/// A call that is on hold.
#[derive(Debug)]
pub(crate) struct Found {
    control: mpsc::Sender<Control>,
    what: OnHold,
}

/// Why a transfer leads to a room in which its phone stays.
pub(super) struct Meets {
    room: Arc<Room>,
    /// The call that is on hold.
    control: mpsc::Sender<Control>,
    by: Holder,
}

impl Call {
    /// Whether a leg's phone may bring this call and another one together.
    pub(super) fn may_meet(&self, id: LegId) -> bool {
        let Some(leg) = self.leg_ref(id).filter(|leg| leg.party.is_phone() && leg.confirmed) else {
            return false;
        };
        let talks = |other: &&Leg| other.confirmed && other.port().is_some();
        let other = self.other(id).filter(talks).map(|other| other.id);
        // A partner's party is its own call's to look at, when it is put through.
        let mixed = other.into_iter().chain([id]).all(|id| !self.only_passes(id));
        let both = mixed && (other.is_some() || self.partner.is_some());
        leg.tag().is_some() && both && self.transfer.is_none()
    }

    /// The code was pressed.
    pub(super) fn meet_by_keys(&mut self, now: Instant, id: LegId) {
        let Some(by) = self.leg_ref(id).and_then(Holder::of) else { return };
        let label = self.leg_ref(id).map(|leg| leg.label);
        if !self.is_settled() || self.holds(id) {
            self.timeline.note(now, label, "a conference is not made: something runs");
            return self.say_unless_heard(id, NOT_NOW);
        }
        let own = self.entry.control().clone();
        let mut calls = self.entry.calls_of(by.extension());
        calls.retain(|call| !call.same_channel(&own));
        let run = self.run_id();
        self.meeting = Some(run);
        self.work.push(Box::pin(async move {
            let ask = |answer| Control::AskMeeting(Box::new(AskMeeting { by: by.clone(), answer }));
            let found = best(calls, ask).await;
            let found = found.map(|(Candidate { what, .. }, control)| Found { control, what });
            Done::Found { run, leg: id, found }
        }));
    }

    /// The phone's other calls have answered.
    pub(super) fn on_found(&mut self, now: Instant, run: u64, id: LegId, found: Option<Found>) {
        if self.meeting.take_if(|asked| *asked == run).is_none() {
            return;
        }
        let Some(by) = self.leg_ref(id).and_then(Holder::of) else { return };
        if !self.may_meet(id) || !self.is_settled() {
            return self.say_unless_heard(id, NOT_NOW);
        }
        let Some(Found { control, what }) = found else {
            self.timeline.note(now, None, "a conference is not made: no other call is on hold");
            return self.say_to(id, NOBODY_HELD);
        };
        let name = match what {
            OnHold::Room(name) => name,
            OnHold::Party => room_of(&self.record.id),
            OnHold::Busy => {
                self.timeline.note(now, None, "a conference is not made: the call on hold is busy");
                return self.say_to(id, NOT_NOW);
            }
        };
        let room = self.services.rooms.enter(&self.services.engine, &name);
        let meets = Some(Box::new(Meets { room, control, by }));
        self.put_into_room(now, id, name, meets, None);
    }

    /// Puts the other party of a phone through to a room, in which the phone stays itself, or is
    /// already and hears of it in the call that ordered it.
    fn put_into_room(
        &mut self,
        now: Instant,
        id: LegId,
        name: String,
        meets: Option<Box<Meets>>,
        orderer: Option<oneshot::Sender<Outcome>>,
    ) {
        let Some(leg) = self.leg_ref(id) else { return };
        let Party::Phone(extension) = leg.party.clone() else { return };
        let (label, part) = (leg.label, leg.part);
        self.transfer_ordered(now, Some(label), &extension, &name, false);
        self.stop_music();
        let by = Transferor::Leg { id, part, report: None, gone: false };
        let other = self.other(id).map(|leg| leg.id);
        let stage = if other.is_some() { Stage::Asked } else { Stage::Elsewhere };
        let remaining = other.unwrap_or(id);
        let of = extension.clone();
        let new = Transfer::new(by, remaining, of);
        let transfer = Transfer { stage, by_keys: true, meets, orderer, ..new };
        self.transfer = Some(Box::new(transfer));
        if other.is_none() {
            return self.pass_on_to(now, extension, name);
        }
        if let Some(leg) = self.leg(id) {
            leg.part = Part::Leaving;
        }
        // The cloud has no part in it: nobody leaves the office.
        self.stop_play_of(remaining);
        self.call_target(now, &name);
    }

    /// The other party is in the room: the phone comes too, and what it holds.
    pub(super) fn stay_in_room(&mut self, now: Instant, id: LegId, meets: Meets) {
        let Meets { room, control, by } = meets;
        let into = room.name().to_owned();
        self.beside = self.confer(id, room);
        let label = self.leg_ref(id).map(|leg| leg.label);
        self.timeline.note(now, label, "stays in the conference");
        let (orderer, outcome) = oneshot::channel();
        let told = control.try_send(Control::Bring(Box::new(Bring { by, into, orderer })));
        self.work.push(Box::pin(async move {
            let outcome = match told {
                // As long as that call takes; it answers, or it ends.
                Ok(()) => outcome.await.unwrap_or(Outcome::UNKNOWN),
                Err(_) => NONE,
            };
            Done::Brought { leg: id, outcome }
        }));
    }

    /// The call that was on hold has come, or it does not.
    pub(super) fn on_brought(&mut self, now: Instant, id: LegId, outcome: Outcome) {
        if !outcome.is_success() {
            let text = "the call on hold did not come into the conference";
            self.timeline.note(now, None, format!("{text}: {}", outcome.status));
            self.say_to(id, outcome.words.unwrap_or(NOT_MOVED));
        }
    }

    /// Another call of the phone asks whether it holds this one.
    pub(super) fn on_ask_meeting(&self, ask: AskMeeting) {
        let AskMeeting { by, answer } = ask;
        if let Some((_, candidate)) = self.held_with(&by) {
            let _ = answer.send(candidate);
        }
    }

    /// And orders it into a room.
    pub(super) fn on_bring(&mut self, now: Instant, bring: Bring) {
        let Bring { by, into, orderer } = bring;
        // Gone is who ordered it, when nobody hears the answer.
        if orderer.is_closed() {
            return;
        }
        let Some((id, Candidate { what, .. })) = self.held_with(&by) else {
            let _ = orderer.send(NONE);
            return;
        };
        match what {
            OnHold::Busy => {
                let _ = orderer.send(Outcome::NOT_NOW);
            }
            OnHold::Party => {
                self.put_into_room(now, id, into, None, Some(orderer));
            }
            OnHold::Room(_) => {
                let _ = orderer.send(COMES);
                self.hang_up_leg(now, id);
            }
        }
    }

    /// The leg by which a phone holds this call, or a room that this call is in.
    fn held_with(&self, by: &Holder) -> Option<(LegId, Candidate)> {
        let held = self.legs.iter().filter_map(|leg| {
            let (rank, what) = (by.holds(leg)?, self.kept_on_hold(leg.id)?);
            Some((leg.id, Candidate { rank, what }))
        });
        held.max_by(|(_, one), (_, other)| one.cmp(other))
    }

    /// What the phone of a leg holds by it.
    fn kept_on_hold(&self, id: LegId) -> Option<OnHold> {
        let running = match &self.running {
            Running::Conferring(conferring) => Some(conferring),
            _ => None,
        };
        let room = running.into_iter().chain(&self.beside).find(|room| room.leg == id);
        if let Some(room) = room.map(Conferring::room) {
            return room.is_asked_for().then(|| OnHold::Room(room.name().to_owned()));
        }
        if self.transfer.is_none() && self.leg_ref(id)?.tag().is_none() {
            // Its phone has put it through and is about to hang up.
            return None;
        }
        let other = self.other(id).map(|other| other.id);
        if other.into_iter().chain([id]).any(|id| self.only_passes(id)) {
            // Nobody could mix it.
            return None;
        }
        let free = self.may_meet(id) && self.is_settled();
        Some(if free { OnHold::Party } else { OnHold::Busy })
    }

    /// The phone's party, which is in another call, is in the room; or it is not.
    pub(super) fn met_elsewhere(&mut self, now: Instant, transfer: Transfer, status: StatusCode) {
        let Transferor::Leg { id, gone: false, .. } = transfer.by else { return };
        match transfer.meets {
            Some(_) if !status.is_success() => self.say_why(now, id, NOT_NOW),
            Some(meets) => {
                self.partner = None;
                self.stay_in_room(now, id, *meets);
            }
            None if status.is_success() && transfer.by_keys => self.hang_up_leg(now, id),
            None => {}
        }
    }

    /// A transfer by keys came to nothing. Whoever pressed them hears why.
    pub(super) fn tell_who_pressed(
        &mut self,
        now: Instant,
        transfer: &Transfer,
        status: StatusCode,
    ) {
        let Transferor::Leg { id, gone: false, .. } = transfer.by else { return };
        if !transfer.by_keys {
            return;
        }
        let words = match &transfer.meets {
            Some(_) => NOT_NOW,
            None => Outcome { status: status.code(), words: transfer.words }.spoken(),
        };
        self.say_why(now, id, words);
    }

    fn say_why(&mut self, now: Instant, id: LegId, words: &str) {
        let label = self.leg_ref(id).map(|leg| leg.label);
        self.timeline.note(now, label, format!("is told: {words}"));
        self.say_to(id, words);
    }

    /// What plays or is recorded now is the application's: words would end it.
    pub(super) fn say_unless_heard(&mut self, id: LegId, words: &str) {
        let sounds = matches!(
            self.running,
            Running::Playing { .. } | Running::Digits(_) | Running::Recording(_)
        );
        if !sounds {
            self.say_to(id, words);
        }
    }
}
