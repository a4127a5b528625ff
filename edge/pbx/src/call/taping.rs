//! The conversation on tape: who talks to whom is recorded on two sides, whoever takes whose place.
//!
//! > The tape follows the call: after everything that happened it is asked who is heard now. A party
//! > keeps its side as long as it is there; the caller's is the left one.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

use offhook_config::{Config, Record, RecordingFormat};
use offhook_media::engine::MediaPort;
use offhook_media::recorder::{FileKind, Format, RecordingDone, Side, Tape};
use offhook_sma::action::LegTag;
use tokio::sync::oneshot;

use super::leg::{Leg, Party};
use super::{Call, Done, Services, guid};
use crate::event::CallEventKind;
use crate::failure;
use crate::keep::Recording;

/// How long the media threads may take to hand over the last words.
const LAST_WORDS: Duration = Duration::from_secs(2);
const SIDES: [Side; 2] = [Side::Left, Side::Right];

/// What the operator may say of a call's recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TapeOrder {
    /// From now on, whatever the configuration says.
    Start,
    /// No more of it in this call.
    Stop,
    /// Silence is recorded.
    Pause,
    /// What is said is recorded again.
    Resume,
}

/// Whether the conversation is recorded.
#[derive(Default)]
pub(super) enum Taping {
    /// Not, or not yet.
    #[default]
    Off,
    /// The file is being made.
    Opening {
        run: u64,
        ordered: bool,
    },
    On(Box<Running>),
    /// No more in this call.
    Over,
}

pub(super) struct Running {
    id: String,
    tape: Tape,
    /// By the operator, whatever the configuration says.
    ordered: bool,
    sides: [Option<Weak<MediaPort>>; 2],
}

/// The file is open and announced.
pub(super) struct Opened {
    id: String,
    tape: Tape,
}

/// All of it is on the disk, and known to the store.
pub(super) struct Taped {
    duration: Duration,
    error: Option<String>,
}

impl Call {
    /// Lets the tape hear whoever talks now.
    pub(super) fn keep_taping(&mut self, now: Instant) {
        match &self.taping {
            Taping::Off if self.is_to_be_taped() && self.talkers().len() == SIDES.len() => {
                self.open_tape(false);
            }
            Taping::On(running) if !running.ordered && self.is_kept_off() => {
                self.end_tape();
                // Somebody else may take that party's place.
                self.taping = Taping::Off;
                self.timeline.note(now, None, "somebody is in the call who is never recorded");
            }
            Taping::On(_) => {
                let talkers = self.talkers();
                if let Taping::On(running) = &mut self.taping {
                    running.follow(&talkers);
                }
            }
            Taping::Off | Taping::Opening { .. } | Taping::Over => {}
        }
    }

    /// Those who are heard, and the side that is theirs if it is free.
    pub(super) fn talkers(&self) -> Vec<(Side, Arc<MediaPort>)> {
        if self.record.ended.is_some() {
            return Vec::new();
        }
        let port = |tag| {
            let leg = self.legs.iter().find(|leg| leg.tag() == Some(tag) && leg.answered)?;
            leg.media.as_ref()?.port.clone()
        };
        let mut talkers: Vec<_> = [(Side::Left, LegTag::A), (Side::Right, LegTag::B)]
            .into_iter()
            .filter_map(|(side, tag)| Some((side, port(tag)?)))
            .collect();
        // After a transfer the other party is another call's.
        if let ([(side, _)], Some(partner)) = (&talkers[..], &self.partner)
            && !partner.over
        {
            let side = if *side == Side::Left { Side::Right } else { Side::Left };
            talkers.push((side, Arc::clone(&partner.port)));
        }
        talkers
    }

    /// Whether the configuration has this call recorded.
    fn is_to_be_taped(&self) -> bool {
        !self.is_kept_off() && is_recorded(self.config(), self.parties())
    }

    /// Whether somebody takes part who is never recorded, be it in the call that is joined to this.
    fn is_kept_off(&self) -> bool {
        let partner = self.partner.as_deref().map(|partner| &partner.party);
        said(self.config(), self.parties().chain(partner)).contains(&Record::Never)
    }

    pub(super) fn parties(&self) -> impl Iterator<Item = &Party> {
        self.legs.iter().filter(|leg| leg.tag().is_some()).map(|leg: &Leg| &leg.party)
    }

    fn open_tape(&mut self, ordered: bool) {
        let run = self.run_id();
        self.taping = Taping::Opening { run, ordered };
        let started = SystemTime::now();
        let kind = file_kind(self.config().recording.format);
        let id = guid(&mut self.ids);
        let file = self.config().recordings_outbox().join(format!("{id}.{}", kind.extension()));
        let recording = Recording {
            key: key(&self.config().recording.prefix, started, &self.record.id, kind),
            id,
            call_id: self.record.id.clone(),
            started,
            duration_ms: 0,
            file,
            bucket: None,
            stored: None,
            attempts: 0,
            error: None,
        };
        let services = Arc::clone(&self.services);
        self.work.push(Box::pin(async move {
            let opened = open(&services, recording, kind, 2).await;
            Done::TapeOpened { run, opened }
        }));
    }

    pub(super) fn on_tape_opened(
        &mut self,
        now: Instant,
        wanted: u64,
        opened: Result<Opened, String>,
    ) {
        let current = match self.taping {
            Taping::Opening { run, ordered } if run == wanted => Some(ordered),
            _ => None,
        };
        match (opened, current) {
            (Ok(opened), Some(ordered)) => {
                self.timeline.add(now, None, CallEventKind::Taped);
                if self.tape_paused {
                    opened.tape.pause();
                }
                let running = Running::of(opened, ordered);
                self.taping = Taping::On(Box::new(running));
            }
            // It is over already.
            (Ok(Opened { id, tape }), None) => self.close_tape(id, tape),
            (Err(error), _) => {
                self.taping = Taping::Over;
                self.tape_broken(now, &error);
            }
        }
    }

    /// A call that cannot be recorded goes on; the operator is told.
    pub(super) fn tape_broken(&mut self, now: Instant, error: &str) {
        self.services.metrics.recordings_broken.inc();
        self.timeline.failure(now, None, failure::STORE_FAILED, None, error);
        tracing::error!(call = %self.record.id, error, "a call is not recorded to its end");
    }

    pub(super) fn on_tape_order(&mut self, now: Instant, order: TapeOrder) {
        match (order, &mut self.taping) {
            (TapeOrder::Start, Taping::Off | Taping::Over) => self.open_tape(true),
            (TapeOrder::Start, Taping::Opening { ordered, .. }) => *ordered = true,
            (TapeOrder::Start, Taping::On(running)) => running.ordered = true,
            (TapeOrder::Pause, taping) => {
                self.tape_paused = true;
                if let Taping::On(running) = taping {
                    running.tape.pause();
                }
                self.timeline.note(now, None, "the recording pauses");
            }
            (TapeOrder::Resume, taping) => {
                self.tape_paused = false;
                if let Taping::On(running) = taping {
                    running.tape.resume();
                }
                self.timeline.note(now, None, "the recording goes on");
            }
            (TapeOrder::Stop, _) => {
                self.end_tape();
                self.timeline.note(now, None, "the recording was stopped");
            }
        }
    }

    /// Nothing more is recorded in this call.
    pub(super) fn end_tape(&mut self) {
        if let Taping::On(mut running) = std::mem::replace(&mut self.taping, Taping::Over) {
            running.follow(&[]);
            let Running { id, tape, .. } = *running;
            self.close_tape(id, tape);
        }
    }

    pub(super) fn close_tape(&mut self, id: String, tape: Tape) {
        let services = Arc::clone(&self.services);
        self.work.push(Box::pin(async move {
            let Some(done) = close(tape).await else {
                // Nobody knows what is in the file: the next start looks, and keeps it.
                let error = Some("the recorder ended before it".to_owned());
                return Done::Taped(Taped { duration: Duration::ZERO, error });
            };
            let duration = done.duration();
            let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
            let kept = services.keep.finish_recording(id, millis).await;
            services.outbox.notify_one();
            let error = done.error.map(|error| error.to_string());
            let dropped = (done.dropped > 0).then(|| "the disk was too slow for it".to_owned());
            let error = error.or(kept.err().map(|error| error.to_string())).or(dropped);
            Done::Taped(Taped { duration, error })
        }));
    }

    pub(super) fn on_taped(&mut self, now: Instant, taped: Taped) {
        let duration_ms = u64::try_from(taped.duration.as_millis()).unwrap_or(u64::MAX);
        if duration_ms == 0 && taped.error.is_none() {
            return;
        }
        let ended_by = "hangup".to_owned();
        self.timeline.add(now, None, CallEventKind::Recorded { duration_ms, ended_by });
        if let Some(error) = taped.error {
            self.tape_broken(now, &error);
        }
    }
}

impl Running {
    pub(super) fn of(opened: Opened, ordered: bool) -> Self {
        let Opened { id, tape } = opened;
        Self { id, tape, ordered, sides: Default::default() }
    }

    pub(super) fn into_parts(self) -> (String, Tape) {
        (self.id, self.tape)
    }

    pub(super) fn pause(&self, pause: bool) {
        if pause { self.tape.pause() } else { self.tape.resume() }
    }

    /// Lets go of who does not talk any more, and gives the others a side.
    pub(super) fn follow(&mut self, talkers: &[(Side, Arc<MediaPort>)]) {
        for place in &mut self.sides {
            let Some(weak) = place else { continue };
            let port = weak.upgrade();
            let talks = |port: &Arc<MediaPort>| talkers.iter().any(|(_, p)| p.id() == port.id());
            if port.as_ref().is_some_and(talks) {
                continue;
            }
            *place = None;
            // A port that is gone has let go by itself.
            if let Some(port) = port {
                port.stop_tape(self.tape.id());
            }
        }
        for (wanted, port) in talkers {
            let mut heard = self.sides.iter().flatten().filter_map(Weak::upgrade);
            if heard.any(|heard| heard.id() == port.id()) {
                continue;
            }
            let order = if *wanted == Side::Left { [0, 1] } else { [1, 0] };
            let free = order.into_iter().find(|&n| self.sides.get(n).is_some_and(Option::is_none));
            let Some((side, place)) = free.and_then(|n| SIDES.get(n).zip(self.sides.get_mut(n)))
            else {
                continue;
            };
            *place = Some(Arc::downgrade(port));
            port.tape(self.tape.id(), self.tape.track(*side));
        }
    }
}

/// Whether a call between these is recorded: who is never recorded, is not; else it is enough that
/// one of them always is.
pub(super) fn is_recorded<'p>(config: &Config, parties: impl Iterator<Item = &'p Party>) -> bool {
    let said = said(config, parties);
    let says = |record| said.contains(&record);
    let default = config.recording.calls == Record::Always;
    !says(Record::Never) && (says(Record::Always) || default)
}

/// What the configuration says of each of these, where it does.
fn said<'p>(config: &Config, parties: impl Iterator<Item = &'p Party>) -> Vec<Record> {
    let said = parties.filter_map(|party| match party {
        Party::Phone(number) => config.extension(number)?.record,
        Party::Trunk(name) => config.trunk(name)?.record,
    });
    said.collect()
}

fn file_kind(format: RecordingFormat) -> FileKind {
    match format {
        RecordingFormat::Wav => Format::Pcm16.into(),
        RecordingFormat::WavUlaw => Format::Pcmu.into(),
        RecordingFormat::WavAlaw => Format::Pcma.into(),
        RecordingFormat::Opus => FileKind::OggOpus,
    }
}

/// `PREFIX2026/11/21/2026-11-21-13-05-59-123_CALL.wav`, in UTC: found by its day, and no two alike.
fn key(prefix: &str, started: SystemTime, call: &str, kind: FileKind) -> String {
    let time = jiff::Timestamp::try_from(started).unwrap_or_default();
    let time = time.strftime("%Y/%m/%d/%Y-%m-%d-%H-%M-%S-%3f");
    format!("{prefix}{time}_{call}.{}", kind.extension())
}

/// Makes the file and announces the recording, in this order: one that was announced has a file,
/// and a file without an announcement holds nothing.
pub(super) async fn open(
    services: &Services,
    recording: Recording,
    kind: FileKind,
    sides: u16,
) -> Result<Opened, String> {
    let recorder = Arc::clone(&services.recorder);
    let file: PathBuf = recording.file.clone();
    let opened = tokio::task::spawn_blocking(move || {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        recorder.tape(Instant::now(), &file, kind, sides)
    });
    let tape = match opened.await {
        Ok(Ok(tape)) => tape,
        Ok(Err(error)) => return Err(format!("{}: {error}", recording.file.display())),
        Err(_) => return Err("the recorder failed".to_owned()),
    };
    let id = recording.id.clone();
    services.keep.begin_recording(recording).await.map_err(|error| error.to_string())?;
    Ok(Opened { id, tape })
}

/// All that was said is on the disk when this returns; `None`: the recorder is gone and says nothing.
async fn close(tape: Tape) -> Option<RecordingDone> {
    let (tell, mut told) = oneshot::channel();
    let handle = tape.handle().clone();
    let on_done = move |done| {
        let _ = tell.send(done);
    };
    tape.end(Instant::now(), Box::new(on_done));
    // Without ours the recording ends when the last port has let go of it.
    let weak = handle.downgrade();
    drop(handle);
    match tokio::time::timeout(LAST_WORDS, &mut told).await {
        Ok(done) => done.ok(),
        Err(_) => {
            if let Some(handle) = weak.upgrade() {
                handle.finish(Box::new(|_| {}));
            }
            told.await.ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_never_recorded_is_not_and_else_one_who_always_is_decides() {
        let config = offhook_config::check(
            "[[extension]]\nnumber = \"1\"\nrecord = \"always\"\n\
             [[extension]]\nnumber = \"2\"\nrecord = \"never\"\n",
            std::path::Path::new("t"),
        )
        .unwrap();
        let recorded = |config: &Config, numbers: &[&str]| {
            let parties: Vec<_> = numbers.iter().map(|n| Party::Phone((*n).to_owned())).collect();
            is_recorded(config, parties.iter())
        };
        assert!(recorded(&config, &["1", "3"]) && !recorded(&config, &["1", "2"]));
        assert!(!recorded(&config, &["3", "4"]));
        let mut all = config.clone();
        all.recording.calls = Record::Always;
        assert!(recorded(&all, &["3", "4"]) && !recorded(&all, &["3", "2"]));
    }

    #[test]
    fn a_recording_is_named_by_its_day_and_its_call() {
        let started = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_266_359_007);
        assert_eq!(
            key("office-1/", started, "abc", FileKind::OggOpus),
            "office-1/2026/11/21/2026-11-21-13-05-59-007_abc.ogg"
        );
    }
}
