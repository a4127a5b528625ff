//! `SuperviseCall`: the leg of a supervisor, who hears another call ([`super::supervised`]).

use std::time::{Duration, Instant};

use offhook_config::Supervising as How;
use offhook_media::dtmf::Digit;
use offhook_media::engine::Role;
use offhook_sma::event::{ActionError, error_type};
use tokio::sync::{mpsc, oneshot};

use super::conference::beep;
use super::identity::Source;
use super::leg::{Leg, LegId};
use super::runner::{Running, gone, invalid};
use super::supervised::{NotWatched, Watch, Watched};
use super::{Call, Control, Done};

/// A call answers at once; one that does not is gone.
const ANSWER: Duration = Duration::from_secs(5);
/// The keys, and what they are for.
const KEYS: [(char, How); 3] = [('4', How::Listen), ('5', How::Whisper), ('6', How::Barge)];

/// A supervisor's leg.
pub(super) struct Supervising {
    run: u64,
    leg: LegId,
    by: String,
    of: String,
    /// `None`: the calls of the extension are being asked.
    with: Option<With>,
}

/// The call that is listened to.
pub(super) struct With {
    watched: Watched,
    control: mpsc::Sender<Control>,
    /// Dropped, it tells that call that we are gone, whatever the reason.
    _life: oneshot::Sender<()>,
}

impl Call {
    pub(super) fn start_supervising(&mut self, now: Instant, leg: LegId, of: &str) {
        let Source::Phone(by) = self.caller.source.clone() else {
            return self.action_failed(now, &invalid("Only a phone of the office supervises."));
        };
        if self.config().supervisor(&by, of).is_none() {
            let text = "You may not listen to the calls of that extension.";
            return self.action_failed(now, &invalid(text));
        }
        let calls = self.entry.calls_of(of);
        let own = self.entry.control().clone();
        let run = self.run_id();
        let of = of.to_owned();
        let supervising = Supervising { run, leg, by: by.clone(), of: of.clone(), with: None };
        self.running = Running::Supervising(Box::new(supervising));
        self.work.push(Box::pin(async move {
            let outcome = ask(&calls, &by, &of, &own).await.map(Box::new);
            Done::Watching { run, outcome }
        }));
    }

    /// The extension's calls have answered.
    pub(super) fn on_watching(
        &mut self,
        now: Instant,
        wanted: u64,
        outcome: Result<Box<With>, NotWatched>,
    ) {
        let Running::Supervising(supervising) = &mut self.running else { return };
        if supervising.run != wanted {
            return;
        }
        let (leg, of) = (supervising.leg, supervising.of.clone());
        let mut with = match outcome {
            Ok(with) => *with,
            Err(why) => {
                let error = ActionError::new(error_type::SYSTEM_EXCEPTION, why.words());
                return self.action_failed(now, &error);
            }
        };
        let (_, never) = oneshot::channel();
        let life = std::mem::replace(&mut with.watched.life, never);
        let room = std::sync::Arc::clone(&with.watched.room);
        supervising.with = Some(with);
        let Some(port) = self.leg_ref(leg).and_then(Leg::port) else {
            return self.action_failed(now, &gone());
        };
        room.set(port, Role::LISTENS);
        self.timeline.note(now, None, format!("listens to the call of extension {of}"));
        self.work.push(Box::pin(async move {
            let _ = life.await;
            Done::WatchedGone { run: wanted }
        }));
    }

    /// There is nothing to listen to any more.
    pub(super) fn on_watched_gone(&mut self, now: Instant, run: u64) {
        let Running::Supervising(supervising) = &self.running else { return };
        if supervising.run != run {
            return;
        }
        if let Some(port) = self.leg_ref(supervising.leg).and_then(Leg::port) {
            self.services.engine.unbridge(port);
        }
        self.action_done(now, |_| {});
    }

    /// Listens, whispers or barges in.
    pub(super) fn supervise_by_key(&mut self, now: Instant, leg: LegId, digit: Digit) {
        let Running::Supervising(supervising) = &self.running else { return };
        let how = KEYS.iter().find(|(key, _)| *key == digit.as_char()).map(|(_, how)| *how);
        let (Some(how), Some(with)) = (how, &supervising.with) else { return };
        let right = self.config().supervisor(&supervising.by, &supervising.of);
        let may = right.is_some_and(|right| how == How::Listen || right.may.contains(&how));
        let Some(port) = self.leg_ref(leg).and_then(Leg::port).filter(|_| may) else { return };
        if supervising.leg != leg {
            return;
        }
        let role = match how {
            How::Listen => Role::LISTENS,
            How::Whisper => Role::whispers_to(with.watched.staff),
            How::Barge => Role::TALKS,
        };
        with.watched.room.set(port, role);
        port.play(beep(&self.services));
        let control = self.entry.control().clone();
        let _ = with.control.try_send(Control::Supervises { control, how });
        self.timeline.note(now, None, format!("supervises: {}", how.as_str()));
    }
}

/// Asks the calls of an extension, those on hold last.
async fn ask(
    calls: &[mpsc::Sender<Control>],
    by: &str,
    of: &str,
    own: &mpsc::Sender<Control>,
) -> Result<With, NotWatched> {
    let mut why = NotWatched::NotTalking;
    for held_too in [false, true] {
        for call in calls {
            let (life, theirs) = oneshot::channel();
            let (answer, answered) = oneshot::channel();
            let (by, of, control) = (by.to_owned(), of.to_owned(), own.clone());
            let watch = Watch { by, of, control, held_too, life: theirs, answer };
            if call.try_send(Control::Watch(Box::new(watch))).is_err() {
                continue;
            }
            match tokio::time::timeout(ANSWER, answered).await {
                Ok(Ok(Ok(watched))) => {
                    return Ok(With { watched, control: call.clone(), _life: life });
                }
                Ok(Ok(Err(refused))) => why = why.max(refused),
                Ok(Err(_)) | Err(_) => {}
            }
        }
        if why != NotWatched::Held {
            break;
        }
    }
    Err(why)
}
