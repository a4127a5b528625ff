//! A call that supervisors listen to.
//!
//! > The supervisor's leg stays in its own call. What is shared is a room of the media engine: this
//! > call lets its two talkers meet there instead of in a bridge, and the supervisor's call comes in
//! > with a role. When the last supervisor goes, the talkers are bridged again; when this call ends,
//! > the supervisors hear of it and nothing else of them ends anything here.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use offhook_config::{Notice, Supervising};
use offhook_media::dtmf::Digit;
use offhook_media::engine::{Conference, MediaPort, Playback, PortId, Role};
use offhook_sma::action::{AudioSource, LegTag};
use offhook_sma::speech::SpeechParameters;
use tokio::sync::{mpsc, oneshot};

use super::leg::{Leg, LegId, LegMedia, Party};
use super::runner::{DIGIT_GAP, INFO_TONE};
use super::sounds::{Loaded, NotLoaded};
use super::{Call, Control, Done};
use crate::event::CallEventKind;
use crate::keep::Supervised;

/// Supervisors of one call at a time.
const MOST: usize = 4;
/// The last supervisions that a call's record keeps.
const MOST_KEPT: usize = 16;
/// Names the notice among playbacks: its end is told to nobody.
const NOTICE: u64 = u64::MAX;

/// Asks a call to be listened to.
#[derive(Debug)]
pub(crate) struct Watch {
    /// The extension that listens.
    pub(super) by: String,
    /// The one whose call it is, to whom whispers go.
    pub(super) of: String,
    /// The call that asks.
    pub(super) control: mpsc::Sender<Control>,
    /// Also when the call is on hold.
    pub(super) held_too: bool,
    /// Dropped, it says that the supervisor is gone.
    pub(super) life: oneshot::Receiver<()>,
    pub(super) answer: oneshot::Sender<Result<Watched, NotWatched>>,
}

/// The answer: where they talk.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(super) room: Arc<Conference>,
    /// The supervised extension's.
    pub(super) staff: PortId,
    /// Dropped, it says that there is nothing to listen to any more.
    pub(super) life: oneshot::Receiver<()>,
}

/// Why a call is not listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NotWatched {
    /// The extension talks to nobody.
    NotTalking,
    /// One side holds the call.
    Held,
    /// What they speak is only passed on here, and cannot be mixed.
    Foreign,
    /// Enough people listen already.
    Full,
    /// Somebody talks to an emergency service.
    Emergency,
}

impl NotWatched {
    /// For the supervisor, who hears it.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::NotTalking | Self::Held => "That extension is in no call.",
            Self::Foreign => "This call cannot be listened to. Its sound is not decoded here.",
            Self::Full => "Too many people are listening to this call already.",
            Self::Emergency => "An emergency call is not listened to.",
        }
    }
}

/// The supervisors of this call and where they hear it.
pub(super) struct Supervision {
    room: Arc<Conference>,
    /// Talkers that are in the room.
    members: Vec<PortId>,
    people: Vec<Supervisor>,
}

struct Supervisor {
    by: String,
    of: String,
    control: mpsc::Sender<Control>,
    run: u64,
    _life: oneshot::Sender<()>,
}

impl Call {
    /// A supervisor's call asks.
    pub(super) fn on_watch(&mut self, now: Instant, watch: Watch) {
        let staff = match self.watchable(&watch) {
            Ok(staff) => staff,
            Err(why) => {
                let _ = watch.answer.send(Err(why));
                return;
            }
        };
        let open = self.supervision.as_ref().map(|supervision| Arc::clone(&supervision.room));
        let room = open.unwrap_or_else(|| Arc::new(self.services.engine.conference()));
        let (life, ends) = oneshot::channel();
        let watched = Watched { room: Arc::clone(&room), staff, life: ends };
        let Watch { by, of, control, life: theirs, answer, .. } = watch;
        if answer.send(Ok(watched)).is_err() {
            // It gave up waiting: nothing was changed here.
            return;
        }
        let run = self.run_id();
        self.note_supervised(now, &by, Supervising::Listen);
        let supervisor = Supervisor { by, of, control, run, _life: life };
        let supervision = self.supervision.get_or_insert_with(|| {
            Box::new(Supervision { room, members: Vec::new(), people: Vec::new() })
        });
        supervision.people.push(supervisor);
        self.work.push(Box::pin(async move {
            let _ = theirs.await;
            Done::SupervisorGone { run }
        }));
        self.keep_supervised(now);
        self.give_notice();
    }

    /// The port of the supervised extension.
    fn watchable(&self, watch: &Watch) -> Result<PortId, NotWatched> {
        if self.emergency || self.to_emergency {
            return Err(NotWatched::Emergency);
        }
        let talks = self.bridging.is_none() && self.transfer.is_none();
        if !talks || self.talkers().len() != 2 {
            return Err(NotWatched::NotTalking);
        }
        let staff = self.supervised_leg(&watch.of).and_then(Leg::port);
        let staff = staff.ok_or(NotWatched::NotTalking)?;
        let codecs = self.legs.iter().filter(|leg| leg.tag().is_some());
        let mut codecs = codecs.filter_map(|leg| leg.media.as_ref().and_then(LegMedia::codec));
        if codecs.any(|codec| !codec.is_understood()) {
            return Err(NotWatched::Foreign);
        }
        if self.supervision.as_ref().is_some_and(|supervision| supervision.people.len() >= MOST) {
            return Err(NotWatched::Full);
        }
        if self.on_hold() && !watch.held_too {
            return Err(NotWatched::Held);
        }
        Ok(staff.id())
    }

    fn supervised_leg(&self, of: &str) -> Option<&Leg> {
        let is = |leg: &&Leg| matches!(&leg.party, Party::Phone(number) if number == of);
        self.legs.iter().filter(|leg| leg.tag().is_some() && leg.answered).find(is)
    }

    /// Keeps those who talk now in the room, whoever takes whose place, and lets the supervisors go
    /// whose extension is out of the call.
    pub(super) fn keep_supervised(&mut self, now: Instant) {
        let Some(mut supervision) = self.supervision.take() else { return };
        let talkers = self.talkers();
        let over = self.record.ended.is_some() || self.emergency;
        let stays = |one: &Supervisor| !over && self.supervised_leg(&one.of).is_some();
        let (people, gone): (Vec<_>, Vec<_>) = supervision.people.drain(..).partition(stays);
        for supervisor in gone {
            self.supervisor_goes(now, &supervisor);
        }
        if people.is_empty() {
            if let [(_, a), (_, b)] = &talkers[..] {
                // Before the room closes: nobody misses a word.
                self.services.engine.bridge(a, b);
            }
            return;
        }
        supervision.people = people;
        for (_, port) in talkers.iter().filter(|(_, p)| !supervision.members.contains(&p.id())) {
            supervision.room.set(port, Role::TALKS);
        }
        supervision.members = talkers.iter().map(|(_, port)| port.id()).collect();
        self.supervision = Some(supervision);
    }

    /// Lets two ports hear each other: in the room, when somebody listens.
    pub(super) fn let_hear(&self, a: &MediaPort, b: &MediaPort) {
        match &self.supervision {
            Some(supervision) => {
                supervision.room.set(a, Role::TALKS);
                supervision.room.set(b, Role::TALKS);
            }
            None => self.services.engine.bridge(a, b),
        }
    }

    /// Another call may have taken our talker out of the room, for a bridge with its own.
    pub(super) fn meet_again(&mut self) {
        if let Some(supervision) = &mut self.supervision {
            supervision.members.clear();
        }
    }

    /// A room passes sound, not keys: they go on to the other party here.
    pub(super) fn pass_key_in_room(&self, from: LegId, digit: Digit) {
        if self.supervision.is_none() {
            return;
        }
        let port = match &self.bridging {
            // Before the answer a caller's keys go to whom it hears: an announcement may ask for one.
            Some(bridging) => {
                let early = bridging.early.filter(|early| *early != from);
                let caller = self.leg_ref(from).filter(|leg| leg.tag() == Some(LegTag::A));
                caller.and(early).and_then(|early| self.leg_ref(early)?.port())
            }
            None => self.other_port(from),
        };
        if let Some(port) = port {
            port.send_digits(&[digit], INFO_TONE, DIGIT_GAP);
        }
    }

    /// A supervisor's call ended, or it hung up.
    pub(super) fn on_supervisor_gone(&mut self, now: Instant, run: u64) {
        let Some(supervision) = &mut self.supervision else { return };
        let at = supervision.people.iter().position(|supervisor| supervisor.run == run);
        let Some(at) = at else { return };
        let supervisor = supervision.people.remove(at);
        self.supervisor_goes(now, &supervisor);
        self.keep_supervised(now);
    }

    /// A supervisor takes part differently from now on.
    pub(super) fn on_supervises(
        &mut self,
        now: Instant,
        control: &mpsc::Sender<Control>,
        how: Supervising,
    ) {
        let people = self.supervision.as_ref().map(|supervision| &supervision.people);
        let one = people.and_then(|all| all.iter().find(|one| one.control.same_channel(control)));
        let Some(by) = one.map(|one| one.by.clone()) else { return };
        self.note_supervised(now, &by, how);
    }

    fn note_supervised(&mut self, now: Instant, by: &str, how: Supervising) {
        let by = Party::Phone(by.to_owned()).label();
        let kind = CallEventKind::Supervised { by: by.clone(), how: how.as_str().to_owned() };
        self.timeline.add(now, None, kind);
        let kept = &mut self.record.supervised;
        match kept.iter_mut().rfind(|one| one.by == by && one.until.is_none()) {
            Some(one) => one.how = one.how.max(how),
            None => {
                if kept.len() >= MOST_KEPT {
                    kept.remove(0);
                }
                kept.push(Supervised { at: SystemTime::now(), until: None, by, how });
            }
        }
        self.keep_record();
    }

    fn supervisor_goes(&mut self, now: Instant, supervisor: &Supervisor) {
        let by = Party::Phone(supervisor.by.clone()).label();
        let kept = self.record.supervised.iter_mut();
        if let Some(one) = kept.rev().find(|one| one.by == by && one.until.is_none()) {
            one.until = Some(SystemTime::now());
        }
        self.timeline.note(now, None, format!("{by} listens no more"));
        self.keep_record();
    }

    /// What both parties are to hear of it.
    fn give_notice(&mut self) {
        let supervision = &self.config().supervision;
        let beep = (supervision.notice == Notice::Beep)
            .then(|| AudioSource::Builtin { name: "beep".to_owned() });
        let words = supervision.announcement.as_deref();
        let words = words.map(|text| AudioSource::Speech(Box::new(SpeechParameters::text(text))));
        let parts: Vec<_> = beep.into_iter().chain(words).collect();
        if parts.is_empty() {
            return;
        }
        let loading = self.services.sounds.load(AudioSource::List { parts });
        self.work.push(Box::pin(async move { Done::Notice { clips: loading.await } }));
    }

    pub(super) fn on_notice(&mut self, now: Instant, clips: Result<Loaded, NotLoaded>) {
        match (clips, &self.supervision) {
            (Ok(clips), Some(supervision)) => {
                let notice = Playback { parts: clips.parts, ..Playback::of(NOTICE, Vec::new()) };
                supervision.room.announce(notice);
            }
            (Ok(_), None) => {}
            (Err(error), _) => self.timeline.note(now, None, format!("no notice: {}", error.text)),
        }
    }
}
