//! Somebody outside was asked and has answered, and the phone puts its caller through to that call:
//! where `[cloud] attended` says so, the cloud calls whoever was asked anew, and so this call has to
//! end first.
//!
//! > Everything stays as it is until the cloud has taken the order. Does it not, the phone has both
//! > of its calls still; of which it has let go of one, there is nothing to go back to, and the two
//! > parties are joined here.
//!
//! The call with the caller asks ([`super::joining`]) and is with the cloud meanwhile
//! ([`super::cloud`]); here is what the call with whoever was asked does.

use std::time::{Duration, Instant};

use offhook_media::engine::Playback;
use offhook_sma::action::{AudioSource, LegTag};
use offhook_sma::event::Status;
use offhook_sma::speech::SpeechParameters;
use tokio::sync::mpsc;

use super::joining::{Join, JoinRefused};
use super::leg::{Leg, LegId, Part, Party};
use super::sounds::{Loaded, NotLoaded};
use super::{Call, Control, Done};

/// The cloud is about to call: a parting word takes no longer.
const PARTING: Duration = Duration::from_secs(3);
const FREED: &str = "the cloud calls anew who was asked";

/// This call is one that its phone has put a caller of the cloud's through to.
pub(super) enum Consulted {
    /// The other call asks the cloud.
    Awaited {
        run: u64,
        by: mpsc::Sender<Control>,
        phone: LegId,
        /// The phone has hung up here: whoever was asked waits alone.
        let_go: bool,
    },
    /// The cloud has taken the order: whoever was asked hears so, and is hung up on.
    Freed { run: u64, until: Instant },
}

impl Consulted {
    pub(super) fn is_awaited_by(&self, call: &mpsc::Sender<Control>) -> bool {
        matches!(self, Self::Awaited { by, .. } if by.same_channel(call))
    }

    pub(super) fn is_let_go(&self) -> bool {
        matches!(self, Self::Awaited { let_go: true, .. })
    }
}

impl Call {
    /// Whether this leg's party is outside and was called from here: it can be called anew.
    pub(super) fn was_called_outside(&self, id: LegId) -> bool {
        let called = self.leg_ref(id).filter(|leg| leg.part == Part::Callee);
        called.is_some_and(|leg| matches!(leg.party, Party::Trunk(_))) && !self.emergency
    }

    /// The other call of the phone will ask the cloud.
    pub(super) fn await_cloud(&mut self, now: Instant, join: Join, phone: LegId) {
        let dialled = self.record.to.clone();
        let Some((by, life)) = join.refuse_for(JoinRefused::Talking { dialled }) else { return };
        let run = self.run_id();
        self.consulted = Some(Box::new(Consulted::Awaited { run, by, phone, let_go: false }));
        self.timeline.note(now, None, "the cloud is asked for whom the phone puts through to here");
        self.work.push(Box::pin(async move {
            let freed = life.await.is_ok();
            Done::NotAwaited { run, freed }
        }));
    }

    /// The phone has hung up: `true`, the other one waits for what the cloud says.
    pub(super) fn lets_go(&mut self, now: Instant, id: LegId) -> bool {
        let Some(other) = self.beside_phone(id) else { return false };
        match self.consulted.as_deref_mut() {
            Some(Consulted::Awaited { phone, let_go, .. }) if *phone == id => *let_go = true,
            _ => return false,
        }
        self.timeline.note(now, None, "the phone has hung up: the other one waits for the cloud");
        self.transaction.set_status(LegTag::A, Status::Disconnected);
        self.listening.retain(|listening| listening.leg != id);
        self.music = None;
        self.stop_play_of(other);
        self.play_while_waiting(now, other);
        true
    }

    /// The other call does not wait for the cloud any more: `freed`, it has taken the order; else
    /// that call has given up, or is over.
    pub(super) fn on_not_awaited(&mut self, now: Instant, wanted: u64, freed: bool) {
        let is =
            |c: &mut Box<Consulted>| matches!(**c, Consulted::Awaited { run, .. } if run == wanted);
        let Some(consulted) = self.consulted.take_if(is) else { return };
        let let_go = consulted.is_let_go();
        match *consulted {
            Consulted::Awaited { phone, .. } if freed => self.on_freed(now, phone),
            _ if let_go => self.nobody_left(now),
            _ => {}
        }
    }

    /// The phone is gone, and nobody comes in its place.
    pub(super) fn nobody_left(&mut self, now: Instant) {
        self.ends("caller", "hung up");
        self.hang_up_all(now, "nobody is left to talk to");
    }

    /// The cloud has taken the order: whoever was asked is to be free for its call.
    fn on_freed(&mut self, now: Instant, phone: LegId) {
        self.timeline.note(now, None, FREED);
        self.ends("us", FREED);
        let other = self.beside_phone(phone);
        self.stop_music();
        self.leaves_its_place(now, phone);
        let words = self.config().cloud.attended_words.clone();
        let Some(other) = other.filter(|id| !words.is_empty() && !self.only_passes(*id)) else {
            return self.hang_up_all(now, FREED);
        };
        self.stop_play_of(other);
        let run = self.run_id();
        self.consulted = Some(Box::new(Consulted::Freed { run, until: now + PARTING }));
        let text = AudioSource::Speech(Box::new(SpeechParameters::text(words)));
        let loading = self.services.sounds.load(text);
        self.work
            .push(Box::pin(async move { Done::Parting { run, leg: other, clips: loading.await } }));
    }

    pub(super) fn on_parting_words(
        &mut self,
        now: Instant,
        run: u64,
        leg: LegId,
        clips: Result<Loaded, NotLoaded>,
    ) {
        if !self.is_freed(run) {
            return;
        }
        let port = self.leg_ref(leg).and_then(Leg::port);
        match (clips, port) {
            (Ok(clips), Some(port)) => {
                port.play(Playback { parts: clips.parts, ..Playback::of(run, Vec::new()) });
            }
            (Ok(_), None) => self.parting_said(now, run),
            (Err(error), _) => {
                self.timeline.note(now, None, format!("no parting word: {}", error.text));
                self.parting_said(now, run);
            }
        }
    }

    /// A playback has ended, perhaps that of the parting word.
    pub(super) fn parting_said(&mut self, now: Instant, playback: u64) {
        if self.is_freed(playback) {
            self.consulted = None;
            self.hang_up_all(now, FREED);
        }
    }

    /// When [`Call::parting_timeout`] is due.
    pub(super) fn parting_deadline(&self) -> Option<Instant> {
        match self.consulted.as_deref()? {
            Consulted::Freed { until, .. } => Some(*until),
            Consulted::Awaited { .. } => None,
        }
    }

    pub(super) fn parting_timeout(&mut self, now: Instant) {
        if self.parting_deadline().is_some_and(|until| until <= now) {
            self.consulted = None;
            self.hang_up_all(now, FREED);
        }
    }

    fn is_freed(&self, wanted: u64) -> bool {
        let consulted = self.consulted.as_deref();
        matches!(consulted, Some(Consulted::Freed { run, .. }) if *run == wanted)
    }

    /// Whoever the phone has called.
    pub(super) fn beside_phone(&self, phone: LegId) -> Option<LegId> {
        let other = |leg: &&Leg| leg.tag().is_some() && leg.id != phone && leg.port().is_some();
        self.legs.iter().find(other).map(|leg| leg.id)
    }
}
