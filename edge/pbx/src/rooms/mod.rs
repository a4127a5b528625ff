//! Conferences that go on: their rooms, and who is in them.
//!
//! > A room is there as long as somebody holds it; whoever is in it holds it by a [`Presence`]. So
//! > nobody has to end one, and none stays behind.

mod body;
mod roster;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use offhook_media::engine::{Conference, Engine};

use crate::changes::Changes;

pub use self::roster::{RosterParts, Rosters};

/// What the names of rooms begin with that phones asked for.
const ROOM: &str = "conf-";

/// The name of the room that a phone asked for with this call (RFC 4579 §5.4): nobody guesses it.
pub(crate) fn room_of(call: &str) -> String {
    format!("{ROOM}{}", call.replace('-', ""))
}

/// The conferences that go on, by name: each as long as a call is in it.
#[derive(Debug, Default)]
pub struct Rooms {
    rooms: Mutex<HashMap<String, Weak<Room>>>,
    changes: Arc<Changes>,
}

impl Rooms {
    pub(crate) fn enter(&self, engine: &Engine, name: &str) -> Arc<Room> {
        let mut rooms = self.table();
        rooms.retain(|_, room| room.strong_count() > 0);
        if let Some(room) = rooms.get(name).and_then(Weak::upgrade) {
            return room;
        }
        let room = Arc::new(Room {
            name: name.to_owned(),
            conference: engine.conference(),
            people: Mutex::default(),
            changes: Arc::clone(&self.changes),
        });
        rooms.insert(name.to_owned(), Arc::downgrade(&room));
        room
    }

    /// Whether this is the name of a room that a phone asked for, and somebody is in it.
    pub(crate) fn is_asked_for(&self, name: &str) -> bool {
        let rooms = self.table();
        name.starts_with(ROOM) && rooms.get(name).is_some_and(|room| room.strong_count() > 0)
    }

    /// Who is in a room, in the order in which they came; `None`: there is no such room (any more).
    fn people(&self, name: &str) -> Option<Vec<(u64, Participant)>> {
        let room = self.table().get(name).and_then(Weak::upgrade)?;
        let people = room.people().all.clone();
        Some(people.into_iter().collect())
    }

    fn table(&self) -> MutexGuard<'_, HashMap<String, Weak<Room>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A conference with a name.
#[derive(Debug)]
pub(crate) struct Room {
    name: String,
    conference: Conference,
    people: Mutex<People>,
    changes: Arc<Changes>,
}

#[derive(Debug, Default)]
struct People {
    all: BTreeMap<u64, Participant>,
    last: u64,
}

/// Somebody in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Participant {
    /// The number that others may see.
    pub(crate) number: String,
    pub(crate) name: Option<String>,
    /// Hears and is not heard.
    pub(crate) muted: bool,
}

/// The number of those who do not want to be known.
const ANONYMOUS: &str = "anonymous";

impl Participant {
    /// Who may be known.
    pub(crate) fn known(number: &str, name: Option<&str>) -> Self {
        Self { number: number.to_owned(), name: name.map(str::to_owned), muted: false }
    }

    pub(crate) fn anonymous() -> Self {
        Self::known(ANONYMOUS, None)
    }

    fn is_anonymous(&self) -> bool {
        self.number == ANONYMOUS
    }
}

impl Room {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether a phone asked for it: it is reached by its name.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.name.starts_with(ROOM)
    }

    pub(crate) fn conference(&self) -> &Conference {
        &self.conference
    }

    /// Puts somebody on the list, for as long as the answer lives.
    pub(crate) fn come(self: Arc<Self>, who: Participant) -> Presence {
        let id = {
            let mut people = self.people();
            people.last += 1;
            let id = people.last;
            people.all.insert(id, who);
            id
        };
        self.changes.put(&self.name);
        Presence { room: self, id }
    }

    fn people(&self) -> MutexGuard<'_, People> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.changes.put(&self.name);
    }
}

/// Somebody's place in a room.
#[derive(Debug)]
pub(crate) struct Presence {
    room: Arc<Room>,
    id: u64,
}

impl Presence {
    pub(crate) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    pub(crate) fn is_muted(&self) -> bool {
        self.room.people().all.get(&self.id).is_some_and(|who| who.muted)
    }

    pub(crate) fn mute(&self, muted: bool) {
        if let Some(who) = self.room.people().all.get_mut(&self.id) {
            who.muted = muted;
        }
        self.room.changes.put(&self.room.name);
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.room.people().all.remove(&self.id);
        self.room.changes.put(&self.room.name);
    }
}
