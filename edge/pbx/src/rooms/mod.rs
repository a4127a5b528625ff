//! Conferences that go on: their rooms, and who is in them.
//!
//! > A room is there as long as somebody holds it; whoever is in it holds it by a [`Presence`]. So
//! > nobody has to end one, and none stays behind.

mod body;
mod roster;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use offhook_media::engine::{Conference, Engine};
use tokio::sync::watch;

use crate::changes::Changes;

pub use self::roster::{RosterParts, Rosters};

/// What the names of rooms begin with that phones asked for.
const ROOM: &str = "conf-";

/// The name of the room that a phone asked for with this call (RFC 4579 §5.4): nobody guesses it.
pub(crate) fn room_of(call: &str) -> String {
    format!("{ROOM}{}", call.replace('-', ""))
}

/// Whether [`room_of`] made the name, and not an operator's `conference:conf-weekly`.
fn is_of_a_call(name: &str) -> bool {
    let call = name.strip_prefix(ROOM).unwrap_or_default();
    call.len() == 32 && call.bytes().all(|b| b.is_ascii_hexdigit())
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
            people: watch::Sender::default(),
            changes: Arc::clone(&self.changes),
        });
        rooms.insert(name.to_owned(), Arc::downgrade(&room));
        room
    }

    /// Whether this is the name of a room that a phone asked for, and somebody is in it.
    pub(crate) fn is_asked_for(&self, name: &str) -> bool {
        let rooms = self.table();
        is_of_a_call(name) && rooms.get(name).is_some_and(|room| room.strong_count() > 0)
    }

    /// Who is in a room, in the order in which they came; `None`: there is no such room (any more).
    fn people(&self, name: &str) -> Option<Vec<(u64, Participant)>> {
        let room = self.table().get(name).and_then(Weak::upgrade)?;
        let people = room.people.borrow().all.clone();
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
    people: watch::Sender<People>,
    changes: Arc<Changes>,
}

#[derive(Debug, Default)]
struct People {
    all: BTreeMap<u64, Participant>,
    /// The extensions whose room it is: that asked for it, or brought others into it.
    hosts: BTreeSet<String>,
    last: u64,
    /// Two were in it at a time.
    met: bool,
}

impl People {
    /// Whether this one is the only one, and no host.
    fn is_left_alone(&self, id: u64) -> bool {
        let host =
            |who: &Participant| who.extension.as_ref().is_some_and(|e| self.hosts.contains(e));
        self.all.len() == 1 && self.all.get(&id).is_some_and(|who| !host(who))
    }
}

/// Somebody in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Participant {
    /// The number that others may see.
    pub(crate) number: String,
    pub(crate) name: Option<String>,
    /// Hears and is not heard.
    pub(crate) muted: bool,
    /// Of a phone of the office: whose it is, whoever may see it.
    pub(crate) extension: Option<String>,
}

/// The number of those who do not want to be known.
const ANONYMOUS: &str = "anonymous";

impl Participant {
    /// Who may be known.
    pub(crate) fn known(number: &str, name: Option<&str>) -> Self {
        let (number, name) = (number.to_owned(), name.map(str::to_owned));
        Self { number, name, muted: false, extension: None }
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
        is_of_a_call(&self.name)
    }

    pub(crate) fn conference(&self) -> &Conference {
        &self.conference
    }

    /// Puts somebody on the list, for as long as the answer lives. `host`: it is his room.
    pub(crate) fn come(self: Arc<Self>, who: Participant, host: bool) -> Presence {
        let mut id = 0;
        self.people.send_modify(|people| {
            people.last += 1;
            id = people.last;
            people.hosts.extend(who.extension.clone().filter(|_| host));
            people.all.insert(id, who);
            people.met |= people.all.len() > 1;
        });
        self.changes.put(&self.name);
        Presence { room: self, id }
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
        self.room.people.borrow().all.get(&self.id).is_some_and(|who| who.muted)
    }

    pub(crate) fn mute(&self, muted: bool) {
        self.room.people.send_modify(|people| {
            if let Some(who) = people.all.get_mut(&self.id) {
                who.muted = muted;
            }
        });
        self.room.changes.put(&self.room.name);
    }

    /// Tells when this one is left alone in a room that a phone asked for, and its phones are gone;
    /// `None`: nobody ends such a room. It keeps no room open.
    pub(crate) fn alone(&self) -> Option<Alone> {
        let people = || self.room.people.subscribe();
        self.room.is_asked_for().then(|| Alone { id: self.id, people: people() })
    }
}

/// Watches for one who is left alone in a room.
#[derive(Debug)]
pub(crate) struct Alone {
    id: u64,
    people: watch::Receiver<People>,
}

impl Alone {
    /// Waits until he is; `false`: he is not in the room any more.
    pub(crate) async fn begins(&mut self) -> bool {
        let id = self.id;
        let seen = |people: &People| people.is_left_alone(id) || !people.all.contains_key(&id);
        self.people.wait_for(seen).await.is_ok_and(|people| people.all.contains_key(&id))
    }

    /// Whether anybody was ever with anybody in this room; else he may be the first who comes.
    pub(crate) fn has_met(&self) -> bool {
        self.people.borrow().met
    }

    /// Waits until he is not any more.
    pub(crate) async fn ends(&mut self) {
        let id = self.id;
        let _ = self.people.wait_for(|people| !people.is_left_alone(id)).await;
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.room.people.send_modify(|people| drop(people.all.remove(&self.id)));
        self.room.changes.put(&self.room.name);
    }
}
