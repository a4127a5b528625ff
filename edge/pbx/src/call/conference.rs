//! Calls that talk with each other in a conference.

use std::sync::Arc;
use std::time::Instant;

use offhook_media::dtmf::Digit;
use offhook_media::engine::{Playback, Role};

use super::leg::{Leg, LegId};
use super::runner::{Running, gone};
use super::{Call, Services};
use crate::rooms::{Participant, Presence, Room};

/// The key by which somebody is heard no more, and again.
const MUTE: char = '*';

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
        let room = self.services.rooms.enter(&self.services.engine, name);
        room.conference().announce(beep(&self.services));
        match self.confer(leg, room) {
            Some(conferring) => self.running = Running::Conferring(conferring),
            None => self.action_failed(now, &gone()),
        }
    }

    /// Lets a leg talk with those in a room.
    pub(super) fn confer(&self, leg: LegId, room: Arc<Room>) -> Option<Conferring> {
        let port = self.leg_ref(leg).and_then(Leg::port)?;
        let presence = room.come(self.participant(leg));
        presence.room().conference().set(port, Role::TALKS);
        Some(Conferring { leg, presence })
    }

    /// Who a leg's party is, for the list of those in a room.
    fn participant(&self, leg: LegId) -> Participant {
        let caller = self.identity_of(leg);
        match caller.is_hidden() {
            true => Participant::anonymous(),
            false => Participant::known(caller.shown(), caller.shown_name()),
        }
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

/// Its end is told to nobody.
pub(super) fn beep(services: &Services) -> Playback {
    Playback::of(u64::MAX, vec![services.sounds.beep()])
}
