//! `StartCallRecording` and what goes with it: one leg on tape, beside whatever else runs.
//!
//! What the leg hears is what its other party says; our own prompts are not on it.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use offhook_config::RecordingPlace;
use offhook_media::engine::MediaPort;
use offhook_media::recorder::{FileKind, Format, Side};
use offhook_sma::action::{CallRecordingDestination, StartCallRecording, Track};
use offhook_sma::event::ActionError;

use super::leg::LegId;
use super::runner::Running;
use super::taping::{self, Opened};
use super::{Call, Done, guid};
use crate::event::CallEventKind;
use crate::keep::Recording;

/// What keys begin with when the action names nothing.
const PREFIX: &str = "Amazon-Chime-SMA-Call-Recordings";

/// A leg's recording.
pub(super) struct LegTape {
    leg: LegId,
    track: Track,
    /// `None`: it was stopped, and a leg is recorded once.
    running: Option<Box<taping::Running>>,
}

impl Call {
    pub(super) fn start_leg_tape(&mut self, now: Instant, leg: LegId, action: &StartCallRecording) {
        if self.leg_tapes.iter().any(|tape| tape.leg == leg) {
            let why = "A call leg is recorded once, and it is or was.";
            return self.action_failed(now, &ActionError::system(why));
        }
        let run = self.run_id();
        let started = SystemTime::now();
        let kind: FileKind = Format::Pcm16.into();
        let id = guid(&mut self.ids);
        let call_id = self.leg_ref(leg).map(|leg| leg.call_id.clone()).unwrap_or_default();
        let location = location(&action.destination.location, started, &self.record.id, &call_id);
        let file = self.config().recordings_outbox().join(format!("{id}.{}", kind.extension()));
        let (bucket, key) = self.place_of(&location);
        let recording = Recording {
            key,
            bucket,
            id,
            call_id: self.record.id.clone(),
            started,
            duration_ms: 0,
            file,
            stored: None,
            attempts: 0,
            error: None,
        };
        let track = action.track;
        self.leg_tapes.push(LegTape { leg, track, running: None });
        self.running = Running::Taping { run, leg, location };
        let services = Arc::clone(&self.services);
        let sides = if track == Track::Both { 2 } else { 1 };
        self.work.push(Box::pin(async move {
            let opened = taping::open(&services, recording, kind, sides).await;
            Done::TapeOpened { run, opened }
        }));
    }

    /// Bucket and key: of a `[[bucket]]`, or the key in the store of recordings, whose own bucket is
    /// not named in it.
    fn place_of(&self, location: &str) -> (Option<String>, String) {
        let Some((named, key)) = location.split_once('/') else {
            return (None, location.to_owned());
        };
        if self.config().bucket(named).is_some() {
            return (Some(named.to_owned()), key.to_owned());
        }
        let own = match &self.config().recording.place {
            RecordingPlace::S3(place) => place.bucket == named,
            RecordingPlace::Folder(_) => false,
        };
        (None, if own { key } else { location }.to_owned())
    }

    /// Gives back what was not for a leg's tape.
    pub(super) fn on_leg_tape_opened(
        &mut self,
        now: Instant,
        wanted: u64,
        opened: Result<Opened, String>,
    ) -> Option<Result<Opened, String>> {
        let ours = matches!(&self.running, Running::Taping { run, .. } if *run == wanted);
        if !ours {
            return Some(opened);
        }
        let Running::Taping { leg, location, .. } =
            std::mem::replace(&mut self.running, Running::Nothing)
        else {
            return Some(opened);
        };
        match opened {
            Ok(opened) => {
                self.timeline.add(now, None, CallEventKind::Taped);
                if let Some(tape) = self.leg_tapes.iter_mut().find(|tape| tape.leg == leg) {
                    tape.running = Some(Box::new(taping::Running::of(opened, true)));
                }
                let kind = "S3".to_owned();
                self.action_done(now, |data| {
                    data.call_recording_destination =
                        Some(CallRecordingDestination { kind, location });
                });
            }
            Err(error) => {
                self.leg_tapes.retain(|tape| tape.leg != leg);
                self.tape_broken(now, &error);
                self.action_failed(now, &ActionError::system(&error));
            }
        }
        None
    }

    /// Lets every leg's tape hear whoever talks now; ends those of legs that are gone.
    pub(super) fn keep_leg_tapes(&mut self) {
        if self.leg_tapes.is_empty() {
            return;
        }
        let mut tapes = std::mem::take(&mut self.leg_tapes);
        let over = self.record.ended.is_some();
        for tape in &mut tapes {
            let Some(running) = &mut tape.running else { continue };
            let talkers = self.heard_by(tape.leg, tape.track);
            running.follow(&talkers);
            let gone = self.leg_ref(tape.leg).is_none_or(|leg| leg.tag().is_none());
            if (gone || over)
                && let Some(running) = tape.running.take()
            {
                self.end_leg_tape(*running);
            }
        }
        self.leg_tapes = tapes;
    }

    fn heard_by(&self, leg: LegId, track: Track) -> Vec<(Side, Arc<MediaPort>)> {
        let own = self.leg_ref(leg).filter(|leg| leg.answered && leg.tag().is_some());
        let own = own.and_then(|leg| leg.media.as_ref()?.port.clone());
        let other = self.other_shared_port(leg);
        let (incoming, outgoing) = match track {
            Track::Both => (Some(Side::Left), Some(Side::Right)),
            Track::Incoming => (Some(Side::Left), None),
            Track::Outgoing => (None, Some(Side::Left)),
        };
        let sides = [incoming.zip(own), outgoing.zip(other)];
        sides.into_iter().flatten().collect()
    }

    fn end_leg_tape(&mut self, mut running: taping::Running) {
        running.follow(&[]);
        let (id, tape) = running.into_parts();
        self.close_tape(id, tape);
    }

    /// The tape that is meant by a leg: its own, or where it never had one that of its other party.
    /// AWS's on-demand recording sample starts LEG-B's when its owner dials out, and pauses LEG-A's.
    fn tape_of(&mut self, leg: LegId) -> Option<&mut LegTape> {
        let own = self.leg_tapes.iter().any(|tape| tape.leg == leg);
        let meant =
            |tape: &&mut LegTape| if own { tape.leg == leg } else { tape.running.is_some() };
        self.leg_tapes.iter_mut().find(meant)
    }

    /// `StopCallRecording`.
    pub(super) fn stop_leg_tape(&mut self, now: Instant, leg: LegId) {
        match self.tape_of(leg).and_then(|tape| tape.running.take()) {
            Some(running) => {
                self.end_leg_tape(*running);
                self.action_done(now, |_| {});
            }
            None => self.action_failed(now, &ActionError::system("The call leg is not recorded.")),
        }
    }

    /// `PauseCallRecording` and `ResumeCallRecording`.
    pub(super) fn pause_leg_tape(&mut self, now: Instant, leg: LegId, pause: bool) {
        let Some(running) = self.tape_of(leg).and_then(|tape| tape.running.as_deref()) else {
            return self.action_failed(now, &ActionError::system("The call leg is not recorded."));
        };
        running.pause(pause);
        self.action_done(now, |_| {});
    }
}

/// `BUCKET/PREFIX/2026/11/21/2026-11-21-13-05-59-123_TRANSACTION_CALL.wav`, in UTC.
fn location(named: &str, started: SystemTime, transaction: &str, call: &str) -> String {
    let time = jiff::Timestamp::try_from(started).unwrap_or_default();
    let time = time.strftime("%Y/%m/%d/%Y-%m-%d-%H-%M-%S-%3f");
    let (bucket, prefix) = named.split_once('/').unwrap_or((named, ""));
    let prefix = prefix.trim_matches('/');
    let prefix = if prefix.is_empty() { PREFIX } else { prefix };
    format!("{bucket}/{prefix}/{time}_{transaction}_{call}.wav")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_recording_is_named_as_aws_names_it() {
        let started = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_266_359_007);
        let name = "2026/11/21/2026-11-21-13-05-59-007_t_c.wav";
        assert_eq!(location("b", started, "t", "c"), format!("b/{PREFIX}/{name}"));
        assert_eq!(location("b/p/q/", started, "t", "c"), format!("b/p/q/{name}"));
    }
}
