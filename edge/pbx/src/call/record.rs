//! `RecordAudio`: into a mailbox, a bucket or a folder. Nothing that was said is lost, whoever hangs up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use offhook_media::dtmf::Digit;
use offhook_media::engine::{MediaPort, RecordEnd, SilenceRule};
use offhook_sma::action::{RecordAudio, RecordingDestination};
use offhook_sma::event::{ActionData, ActionError, EventType, Outcome, error_type};

use super::leg::LegId;
use super::record_file::{File, Purpose, Started, begin, close, kept};
use super::runner::{Running, digit_set, gone};
use super::{Call, Done, LastWords};
use crate::event::CallEventKind;
use crate::failure;

/// Longest recording, whatever the action says.
const LONGEST: Duration = Duration::from_secs(4 * 3600);
/// Longest where the action says nothing (AWS documents no default): a message of an hour is 58 MB,
/// about what AWS would play.
const UNSAID: Duration = Duration::from_secs(3600);
/// How long the media thread may take to hand over the last packets of a leg that is gone.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A recording that runs.
pub(super) struct Recording {
    run: u64,
    leg: LegId,
    action: RecordAudio,
    file: Option<File>,
    /// The leg's port, when the leg is gone: the media thread may still have its last packets.
    port: Option<Arc<MediaPort>>,
    /// When the recording is finished whatever the media thread says.
    give_up: Option<Instant>,
}

impl Recording {
    /// Whether something of it is in a file.
    pub(super) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.give_up
    }

    /// Its leg is gone and the media thread has not handed over everything yet.
    pub(super) fn waits_for_last_words(&self) -> bool {
        self.port.is_some()
    }
}

/// All of it is written and kept.
pub(super) struct Recorded {
    duration: Duration,
    ended_by: &'static str,
    terminator: Option<Digit>,
    kept: Result<bool, String>,
    destination: RecordingDestination,
}

impl Call {
    pub(super) fn start_recording(&mut self, now: Instant, leg: LegId, action: RecordAudio) {
        let run = self.run_id();
        let Some((path, announcement)) = self.destination(leg, run, &action) else {
            return self.action_failed(now, &invalid_destination());
        };
        let recording = Recording { run, leg, action, file: None, port: None, give_up: None };
        self.running = Running::Recording(Box::new(recording));
        let services = Arc::clone(&self.services);
        self.work.push(Box::pin(async move {
            let started = begin(&services, path, announcement).await;
            Done::Started { run, started }
        }));
    }

    pub(super) fn on_recording_started(
        &mut self,
        now: Instant,
        wanted: u64,
        started: Result<Started, String>,
    ) {
        let current = match &mut self.running {
            Running::Recording(recording) if recording.run == wanted => Some(recording),
            _ => None,
        };
        let (recording, started) = match (current, started) {
            (Some(recording), Ok(started)) => (recording, started),
            (Some(_), Err(error)) => {
                self.fail(now, failure::STORE_FAILED, None, &error);
                let error = ActionError::new(error_type::SYSTEM_EXCEPTION, error);
                return self.action_failed(now, &error);
            }
            // The caller was gone before the file was there: nothing was said.
            (None, Ok(started)) => return self.write(0, started, "hangup", None, Duration::ZERO),
            (None, Err(_)) => return,
        };
        let Started(file) = started;
        let sink = file.handle.sink();
        recording.file = Some(file);
        let action = &recording.action;
        let seconds = action.duration_in_seconds.map(Duration::from_secs);
        let silence = action.silence_duration_in_seconds.map(|seconds| SilenceRule {
            threshold: u16::try_from(action.silence_threshold).unwrap_or(u16::MAX),
            duration: Duration::from_secs(seconds),
        });
        let order = offhook_media::engine::Recording {
            id: wanted,
            to: sink,
            max: Some(seconds.unwrap_or(UNSAID).min(LONGEST)),
            silence,
            terminators: digit_set(&action.recording_terminators),
        };
        let leg = recording.leg;
        match self.leg_ref(leg).and_then(super::leg::Leg::port) {
            Some(port) => port.record(order),
            None => self.action_failed(now, &gone()),
        }
    }

    /// The media thread says that the recording is over.
    pub(super) fn on_record_ended(
        &mut self,
        now: Instant,
        id: u64,
        by: RecordEnd,
        speech: Duration,
    ) {
        let Running::Recording(recording) = &self.running else { return };
        if recording.run != id {
            return;
        }
        let (ended_by, digit) = match by {
            RecordEnd::Terminator(digit) => ("terminator", Some(digit)),
            RecordEnd::Silence => ("silence", None),
            RecordEnd::Length => ("length", None),
            RecordEnd::Stopped => ("hangup", None),
        };
        // Five seconds of nobody speaking are no message.
        let said = if by == RecordEnd::Silence { speech } else { Duration::MAX };
        self.finish_recording(now, ended_by, digit, said);
    }

    fn finish_recording(
        &mut self,
        now: Instant,
        ended_by: &'static str,
        terminator: Option<Digit>,
        said: Duration,
    ) {
        let Running::Recording(recording) = &mut self.running else { return };
        let run = recording.run;
        recording.give_up = None;
        let gone = recording.port.take().is_some();
        let Some(file) = recording.file.take() else { return };
        if gone {
            // The leg is gone: nobody waits for this action.
            self.running = Running::Nothing;
        }
        let _ = now;
        self.write(run, Started(file), ended_by, terminator, said);
    }

    /// The leg of the running recording is gone; its port is kept for its last packets.
    pub(super) fn keep_last_words(&mut self, now: Instant, leg: LegId, port: Arc<MediaPort>) {
        if let Running::Recording(recording) = &mut self.running
            && recording.leg == leg
            && recording.file.is_some()
        {
            port.stop_record();
            recording.port = Some(port);
            recording.give_up = Some(now + LAST_WORDS);
        }
    }

    /// The action ended because its leg did. With a file open it goes on until the last packet; its
    /// number is given then.
    pub(super) fn finish_recording_later(&mut self, recording: Recording) -> Option<u64> {
        let run = recording.run;
        if recording.port.is_some() {
            self.running = Running::Recording(Box::new(recording));
            return Some(run);
        }
        let file = recording.file?;
        self.write(run, Started(file), "hangup", None, Duration::MAX);
        Some(run)
    }

    /// The recording of a leg that is gone is written: first that is told, then the `HANGUP`.
    fn tell_last_words(&mut self, now: Instant, outcome: Outcome) {
        let Some(last) = self.last_words.take() else { return };
        let LastWords { action, leg, hangup, .. } = *last;
        let failed = outcome.error_type.is_some();
        let kind = if failed { EventType::ActionFailed } else { EventType::ActionSuccessful };
        let data = ActionData { outcome, ..ActionData::of(action) };
        self.tell(now, leg, kind, Some(data));
        self.tell(now, leg, EventType::Hangup, Some(hangup));
    }

    pub(super) fn recording_timeout(&mut self, now: Instant) {
        let due = match &self.running {
            Running::Recording(recording) => recording.give_up.is_some_and(|at| at <= now),
            _ => false,
        };
        if due {
            self.finish_recording(now, "hangup", None, Duration::MAX);
        }
    }

    /// Closes the file, then tells the store; until both are done the call's task lives.
    fn write(
        &mut self,
        run: u64,
        started: Started,
        ended_by: &'static str,
        terminator: Option<Digit>,
        said: Duration,
    ) {
        let services = Arc::clone(&self.services);
        let shortest = self.config().voicemail.min;
        let Started(File { handle, purpose }) = started;
        self.work.push(Box::pin(async move {
            let done = close(handle).await;
            let duration = done.duration();
            let worth = duration >= shortest && said > Duration::ZERO;
            let path = done.path.to_string_lossy().into_owned();
            let kept = kept(&services, &purpose, done, worth).await;
            let destination = match purpose {
                Purpose::Message { mailbox, .. } => RecordingDestination::Mailbox { mailbox },
                Purpose::Object { bucket: bucket_name, key, .. } => {
                    RecordingDestination::S3 { bucket_name, prefix: None, key: Some(key) }
                }
                Purpose::Folder => RecordingDestination::Folder { path },
            };
            let recorded = Recorded { duration, ended_by, terminator, kept, destination };
            Done::Recorded { run, recorded }
        }));
    }

    pub(super) fn on_recorded(&mut self, now: Instant, run: u64, recorded: Recorded) {
        let duration_ms = u64::try_from(recorded.duration.as_millis()).unwrap_or(u64::MAX);
        let ended_by = recorded.ended_by.to_owned();
        self.timeline.add(now, Some('A'), CallEventKind::Recorded { duration_ms, ended_by });
        let waiting =
            matches!(&self.running, Running::Recording(r) if r.run == run && r.port.is_none());
        let last = self.last_words.as_ref().is_some_and(|last| last.run == run);
        let destination = recorded.destination;
        match recorded.kept {
            Err(error) => {
                self.fail(now, failure::STORE_FAILED, None, &error);
                let text = "Error occurred while uploading recording to S3 bucket.";
                let error =
                    ActionError::new(error_type::SYSTEM_EXCEPTION, format!("{text} {error}"));
                if waiting {
                    self.action_failed(now, &error);
                } else if last {
                    let outcome = Outcome {
                        error_type: Some(error.kind.to_owned()),
                        error_message: Some(error.message),
                        ..Outcome::default()
                    };
                    self.tell_last_words(now, outcome);
                }
            }
            Ok(kept) => {
                if !kept {
                    self.timeline.note(now, None, "too short or silent: no message was kept");
                }
                let used = recorded.terminator.map(|digit| digit.to_string());
                if waiting {
                    self.action_done(now, |data| {
                        data.recording_terminator_used = used;
                        data.recording_destination = Some(destination);
                    });
                } else if last {
                    let recording_destination = Some(destination);
                    let outcome = Outcome { recording_destination, ..Outcome::default() };
                    self.tell_last_words(now, outcome);
                }
            }
        }
    }
}

fn invalid_destination() -> ActionError {
    ActionError::new(
        error_type::INVALID_ACTION_PARAMETER,
        "RecordingDestination parameter value is invalid.",
    )
}
