//! The handle on a conference.

use std::sync::Arc;

use super::api::{Playback, Role};
use super::shared::WEBRTC_HOME;
use super::worker::{Command, MixOrder, Order};
use super::{Engine, MediaPort, Shared};

/// Names a conference for the life of the process; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct MixId(pub(super) u64);

/// People who hear one another, whatever their codecs and packet lengths: the three loudest are
/// heard, in wideband where two or more of them have it. Dropping it leaves its ports alone.
pub struct Conference {
    shared: Arc<Shared>,
    id: MixId,
    home: usize,
}

impl Engine {
    /// Opens a conference with nobody in it.
    pub fn conference(&self) -> Conference {
        let shared = &self.shared;
        let id = MixId(shared.next_id.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        // A browser cannot come to another thread.
        let home = shared.webrtc.as_ref().map_or_else(|| shared.least_loaded(), |_| WEBRTC_HOME);
        shared.send(home, Command::Mix(id, MixOrder::Open));
        Conference { shared: shared.clone(), id, home }
    }
}

impl Conference {
    /// Lets a port in, or changes what it does here. It leaves its bridge, and comes to this
    /// conference's thread; it leaves by [`Engine::unbridge`], a bridge, or when it is dropped. What
    /// is played to a port itself is heard in place of the conference.
    pub fn set(&self, port: &MediaPort, role: Role) {
        let home = self.shared.bring(port, self.home);
        self.shared.send(home, Command::Port(port.id, Order::Mix(self.id, role)));
    }

    /// Plays to all who hear, in place of an earlier announcement, while they go on talking. Its
    /// digits and events are nobody's.
    pub fn announce(&self, playback: Playback) {
        self.shared.send(self.home, Command::Mix(self.id, MixOrder::Announce(playback)));
    }
}

impl std::fmt::Debug for Conference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conference").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Drop for Conference {
    fn drop(&mut self) {
        self.shared.send(self.home, Command::Mix(self.id, MixOrder::Close));
    }
}
