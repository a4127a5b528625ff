//! Calls that talk with each other in a conference.
//!
//! > Whoever is left alone in a room that a phone asked for, after that phone has gone, hears so, and
//! > is hung up when nobody comes: nobody else would end the call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use offhook_media::dtmf::Digit;
use offhook_media::engine::{Playback, Role};

use super::leg::{Leg, LegId, Part, Party};
use super::runner::{Running, gone, not_decoded};
use super::{Call, Done, Services};
use crate::rooms::{Alone, Participant, Presence, Room, room_of};

/// The key by which somebody is heard no more, and again.
const MUTE: char = '*';
/// Whoever is left alone waits this long for others.
const ALONE: Duration = Duration::from_secs(10);
const LEFT_ALONE: &str = "Everybody else has left the conference.";

/// A leg in a conference. Dropping it takes the leg off the list of who is there.
pub(super) struct Conferring {
    pub(super) leg: LegId,
    presence: Presence,
}

impl Conferring {
    pub(super) fn room(&self) -> &Arc<Room> {
        self.presence.room()
    }

    /// Mutes and unmutes; what the leg does in the room from now on.
    fn toggle(&mut self) -> Role {
        let muted = !self.presence.is_muted();
        self.presence.mute(muted);
        if muted { Role::LISTENS } else { Role::TALKS }
    }
}

impl Call {
    pub(super) fn start_conferring(&mut self, now: Instant, leg: LegId, name: &str) {
        if self.only_passes(leg) {
            return self.action_failed(now, &not_decoded());
        }
        let room = self.services.rooms.enter(&self.services.engine, name);
        room.conference().announce(beep(&self.services));
        // It asked for the room by this very call, and was not put through to it.
        let host = name == room_of(&self.record.id) && self.record.transfers.is_empty();
        match self.enter(leg, room, host) {
            Some(conferring) => self.running = Running::Conferring(conferring),
            None => self.action_failed(now, &gone()),
        }
    }

    /// Lets a phone talk with those whom it brings into a room.
    pub(super) fn confer(&self, leg: LegId, room: Arc<Room>) -> Option<Conferring> {
        self.enter(leg, room, true)
    }

    fn enter(&self, leg: LegId, room: Arc<Room>, host: bool) -> Option<Conferring> {
        let port = self.leg_ref(leg).and_then(Leg::port)?;
        let presence = room.come(self.participant(leg), host);
        presence.room().conference().set(port, Role::TALKS);
        if let Some(alone) = presence.alone().filter(|_| !self.emergency) {
            self.work.push(Box::pin(left_alone(leg, alone)));
        }
        Some(Conferring { leg, presence })
    }

    /// Who a leg's party is, for the list of those in a room.
    fn participant(&self, id: LegId) -> Participant {
        let caller = self.identity_of(id);
        let leg = self.leg_ref(id);
        let mut who = match caller.is_hidden() || leg.is_some_and(|leg| leg.hidden) {
            true => Participant::anonymous(),
            false => Participant::known(caller.shown(), caller.shown_name()),
        };
        if let Some(Party::Phone(extension)) = leg.map(|leg| &leg.party) {
            who.extension = Some(extension.clone());
        }
        who
    }

    /// A leg is the only one left in its room.
    pub(super) fn on_alone(&mut self, now: Instant, id: LegId, alone: Alone) {
        if self.emergency {
            return;
        }
        let Some(label) = self.leg_ref(id).map(|leg| leg.label) else { return };
        self.timeline.note(now, Some(label), "is left alone in the conference");
        self.say_to(id, LEFT_ALONE);
        self.work.push(Box::pin(stays_alone(id, alone)));
    }

    /// And nobody came.
    pub(super) fn on_stayed_alone(&mut self, now: Instant, id: LegId) {
        if self.emergency {
            return;
        }
        if self.leg_ref(id).is_some_and(|leg| leg.part != Part::Beside) {
            self.ends("us", "nobody else was left in the conference");
        }
        self.hang_up_leg(now, id);
    }

    /// Mutes and unmutes.
    pub(super) fn confer_by_key(&mut self, leg: LegId, digit: Digit) {
        let running = match &mut self.running {
            Running::Conferring(conferring) => Some(conferring),
            _ => None,
        };
        let all = running.into_iter().chain(self.beside.as_mut());
        let conferring = all.into_iter().find(|conferring| conferring.leg == leg);
        let Some(conferring) = conferring.filter(|_| digit.as_char() == MUTE) else { return };
        let role = conferring.toggle();
        let room = Arc::clone(conferring.room());
        let Some(port) = self.leg_ref(leg).and_then(Leg::port) else { return };
        room.conference().set(port, role);
        port.play(beep(&self.services));
    }
}

async fn left_alone(leg: LegId, mut alone: Alone) -> Done {
    while alone.begins().await {
        // Who comes first, or after the last one left, is given time to be joined.
        if alone.has_met() || tokio::time::timeout(ALONE, alone.ends()).await.is_err() {
            return Done::Alone { leg, alone };
        }
    }
    Done::Nothing
}

async fn stays_alone(leg: LegId, mut alone: Alone) -> Done {
    match tokio::time::timeout(ALONE, alone.ends()).await {
        Ok(()) => left_alone(leg, alone).await,
        Err(_) => Done::StayedAlone { leg },
    }
}

/// Its end is told to nobody.
pub(super) fn beep(services: &Services) -> Playback {
    Playback::of(u64::MAX, vec![services.sounds.beep()])
}
