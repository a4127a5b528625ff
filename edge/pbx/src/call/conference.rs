//! Calls that talk with each other in a conference.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use offhook_media::dtmf::Digit;
use offhook_media::engine::{Conference, Engine, Playback, Role};

use super::leg::{Leg, LegId};
use super::runner::{Running, gone};
use super::{Call, Services};

/// The key by which somebody is heard no more, and again.
const MUTE: char = '*';

/// The conferences that go on, by name: each as long as a call is in it.
#[derive(Debug, Default)]
pub struct Rooms(Mutex<HashMap<String, Weak<Conference>>>);

impl Rooms {
    fn enter(&self, engine: &Engine, name: &str) -> Arc<Conference> {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.retain(|_, room| room.strong_count() > 0);
        if let Some(room) = rooms.get(name).and_then(Weak::upgrade) {
            return room;
        }
        let room = Arc::new(engine.conference());
        rooms.insert(name.to_owned(), Arc::downgrade(&room));
        room
    }

    /// Whether this is the name of a room that a phone asked for, and somebody is in it.
    pub(crate) fn is_asked_for(&self, name: &str) -> bool {
        let rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        name.starts_with(ROOM) && rooms.get(name).is_some_and(|room| room.strong_count() > 0)
    }
}

/// What the names of such rooms begin with.
const ROOM: &str = "conf-";

/// The name of the room that a phone asked for with this call (RFC 4579 §5.4): nobody guesses it.
pub(crate) fn room_of(call: &str) -> String {
    format!("{ROOM}{}", call.replace('-', ""))
}

/// A leg in a conference.
pub(super) struct Conferring {
    room: Arc<Conference>,
    leg: LegId,
    muted: bool,
}

impl Call {
    pub(super) fn start_conferring(&mut self, now: Instant, leg: LegId, name: &str) {
        let Some(port) = self.leg_ref(leg).and_then(Leg::port) else {
            return self.action_failed(now, &gone());
        };
        let room = self.services.rooms.enter(&self.services.engine, name);
        room.announce(beep(&self.services));
        room.set(port, Role::TALKS);
        self.running = Running::Conferring(Conferring { room, leg, muted: false });
    }

    /// Mutes and unmutes.
    pub(super) fn confer_by_key(&mut self, leg: LegId, digit: Digit) {
        let Running::Conferring(conferring) = &mut self.running else { return };
        if conferring.leg != leg || digit.as_char() != MUTE {
            return;
        }
        conferring.muted = !conferring.muted;
        let role = if conferring.muted { Role::LISTENS } else { Role::TALKS };
        let room = Arc::clone(&conferring.room);
        let Some(port) = self.leg_ref(leg).and_then(Leg::port) else { return };
        room.set(port, role);
        port.play(beep(&self.services));
    }
}

/// Its end is told to nobody.
pub(super) fn beep(services: &Services) -> Playback {
    Playback::of(u64::MAX, vec![services.sounds.beep()])
}
