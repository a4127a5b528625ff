//! A conference by keys: a phone that talks in one call and holds another presses the code of
//! `[conference]`, and all three are in a room (the kind that RFC 4579 §5.4 makes for phones that
//! ask for one by themselves).
//!
//! > The call that is held is put through to the room, as by a REFER, and the phone's line in it
//! > ends. So is the other party of this call; but here the phone stays on its line, beside the
//! > application's legs, and hears the room until it hangs up.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use offhook_sip::header::Headers;
use offhook_sip::message::StatusCode;
use tokio::sync::{mpsc, oneshot};

use super::conference::Conferring;
use super::leg::{Leg, LegId, Part, Party, Way};
use super::runner::Running;
use super::transfer::{Stage, Transfer, Transferor};
use super::{Call, Control, Done};
use crate::rooms::{Room, room_of};

/// A call answers another one at once; one that does not is gone.
const ANSWER: Duration = Duration::from_secs(5);
const NOT_NOW: &str = "The call cannot be moved now. Please try again.";
const NOBODY_HELD: &str = "No other call of this phone is on hold.";

/// Asks a call whether a phone holds it, or orders it into a room.
#[derive(Debug)]
pub(crate) struct Bring {
    /// The phone's extension and address.
    by: String,
    at: IpAddr,
    /// `None`: it is only asked.
    into: Option<String>,
    answer: oneshot::Sender<Held>,
}

/// What a call is to a phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Held {
    No,
    /// Its party is on hold.
    Party,
    /// The phone holds a room, in which others talk.
    Room(String),
}

/// A call that is on hold.
#[derive(Debug)]
pub(crate) struct Found {
    control: mpsc::Sender<Control>,
    held: Held,
}

/// Why a transfer leads to a room in which its phone stays.
pub(super) struct Meets {
    room: Arc<Room>,
    /// The call that is on hold.
    control: mpsc::Sender<Control>,
    at: IpAddr,
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
        let Some((by, at)) = self.leg_ref(id).and_then(phone_of) else { return };
        let label = self.leg_ref(id).map(|leg| leg.label);
        if !self.is_settled() || self.holds(id) {
            self.timeline.note(now, label, "a conference is not made: something runs");
            return self.say_unless_heard(id, NOT_NOW);
        }
        let own = self.entry.control().clone();
        let mut calls = self.entry.calls_of(&by);
        calls.retain(|call| !call.same_channel(&own));
        let run = self.run_id();
        self.meeting = Some(run);
        self.work.push(Box::pin(async move {
            let found = find(&calls, &by, at).await;
            Done::Found { run, leg: id, found }
        }));
    }

    /// The phone's other calls have answered.
    pub(super) fn on_found(&mut self, now: Instant, run: u64, id: LegId, found: Option<Found>) {
        if self.meeting.take_if(|asked| *asked == run).is_none() {
            return;
        }
        let Some((extension, at)) = self.leg_ref(id).and_then(phone_of) else { return };
        if !self.may_meet(id) || !self.is_settled() {
            return self.say_unless_heard(id, NOT_NOW);
        }
        let Some(Found { control, held }) = found else {
            self.timeline.note(now, None, "a conference is not made: no other call is on hold");
            return self.say_to(id, NOBODY_HELD);
        };
        let name = match held {
            Held::Room(name) => name,
            Held::Party | Held::No => room_of(&self.record.id),
        };
        let room = self.services.rooms.enter(&self.services.engine, &name);
        let meets = Some(Box::new(Meets { room, control, at }));
        self.put_into_room(now, id, extension, name, meets);
    }

    /// Puts the other party of a phone through to a room.
    fn put_into_room(
        &mut self,
        now: Instant,
        id: LegId,
        extension: String,
        name: String,
        meets: Option<Box<Meets>>,
    ) {
        let Some(leg) = self.leg_ref(id) else { return };
        let (label, part) = (leg.label, leg.part);
        self.transfer_ordered(now, Some(label), &extension, &name, false);
        self.stop_music();
        let by = Transferor::Leg { id, part, report: None, gone: false };
        let other = self.other(id).map(|leg| leg.id);
        let stage = if other.is_some() { Stage::Asked } else { Stage::Elsewhere };
        let remaining = other.unwrap_or(id);
        let of = extension.clone();
        let new = Transfer::new(by, remaining, of);
        let transfer = Transfer { stage, by_keys: true, meets, ..new };
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
        let Meets { room, control, at } = meets;
        let into = room.name().to_owned();
        let Some((by, _)) = self.leg_ref(id).and_then(phone_of) else { return };
        self.beside = self.confer(id, room);
        let label = self.leg_ref(id).map(|leg| leg.label);
        self.timeline.note(now, label, "stays in the conference");
        let (answer, answered) = oneshot::channel();
        let _ =
            control.try_send(Control::Bring(Box::new(Bring { by, at, into: Some(into), answer })));
        self.work.push(Box::pin(async move {
            let held = match tokio::time::timeout(ANSWER, answered).await {
                Ok(Ok(held)) => held,
                Ok(Err(_)) | Err(_) => Held::No,
            };
            Done::Brought { leg: id, held }
        }));
    }

    /// The call that was on hold has come, or is not there any more.
    pub(super) fn on_brought(&mut self, now: Instant, id: LegId, held: &Held) {
        if *held == Held::No {
            self.timeline.note(now, None, "the call on hold did not come into the conference");
            self.say_to(id, NOBODY_HELD);
        }
    }

    /// Another call of the phone asks, or orders.
    pub(super) fn on_bring(&mut self, now: Instant, bring: Bring) {
        let Bring { by, at, into, answer } = bring;
        let Some((id, held)) = self.held_with(&by, at) else {
            let _ = answer.send(Held::No);
            return;
        };
        // Gone is who asked, when nobody hears the answer.
        if answer.send(held.clone()).is_err() {
            return;
        }
        match (into, held) {
            (Some(name), Held::Party) => self.put_into_room(now, id, by, name, None),
            (Some(_), Held::Room(_)) => {
                if let Some(leg) = self.leg(id) {
                    leg.session.hangup(now, Headers::new());
                }
            }
            (_, Held::No) | (None, _) => {}
        }
    }

    /// The leg by which a phone holds this call, or a room that this call is in.
    fn held_with(&self, by: &str, at: IpAddr) -> Option<(LegId, Held)> {
        let holds = |leg: &&Leg| {
            phone_of(leg).is_some_and(|(extension, ip)| extension == by && ip == at)
                && leg.confirmed
                && self.holds(leg.id)
        };
        let id = self.legs.iter().find(holds)?.id;
        let running = match &self.running {
            Running::Conferring(conferring) => Some(conferring),
            _ => None,
        };
        let room = running.into_iter().chain(&self.beside).find(|room| room.leg == id);
        if let Some(room) = room.map(Conferring::room) {
            let name = Held::Room(room.name().to_owned());
            return room.is_asked_for().then_some((id, name));
        }
        (self.may_meet(id) && self.is_settled()).then_some((id, Held::Party))
    }

    /// The phone's party, which is in another call, is in the room; or it is not.
    pub(super) fn met_elsewhere(&mut self, now: Instant, transfer: Transfer, status: StatusCode) {
        let Transferor::Leg { id, gone: false, .. } = transfer.by else { return };
        match transfer.meets {
            Some(_) if !status.is_success() => self.say_to(id, NOT_NOW),
            Some(meets) => {
                self.partner = None;
                self.stay_in_room(now, id, *meets);
            }
            None if status.is_success() && transfer.by_keys => {
                if let Some(leg) = self.leg(id) {
                    leg.session.hangup(now, Headers::new());
                }
            }
            None => {}
        }
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

/// A phone's extension and address.
fn phone_of(leg: &Leg) -> Option<(String, IpAddr)> {
    match (&leg.party, leg.way) {
        (Party::Phone(number), Way::Flow(flow)) => {
            Some((number.clone(), flow.remote.ip().to_canonical()))
        }
        _ => None,
    }
}

/// The first of these calls that the phone holds.
async fn find(calls: &[mpsc::Sender<Control>], by: &str, at: IpAddr) -> Option<Found> {
    for call in calls {
        let (answer, answered) = oneshot::channel();
        let bring = Bring { by: by.to_owned(), at, into: None, answer };
        if call.try_send(Control::Bring(Box::new(bring))).is_err() {
            continue;
        }
        if let Ok(Ok(held)) = tokio::time::timeout(ANSWER, answered).await
            && held != Held::No
        {
            return Some(Found { control: call.clone(), held });
        }
    }
    None
}
