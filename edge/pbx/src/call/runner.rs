//! Runs actions: one after the other, each to its end.

use std::time::{Duration, Instant};

use offhook_media::dtmf::{Digit, DigitSet};
use offhook_media::engine::Repeat;
use offhook_sip::header::Headers;
use offhook_sip::message::StatusCode;
use offhook_sma::action::{Action, AudioSource, Hangup, LegTag, PlayAudioAndGetDigits};
use offhook_sma::digits::Collector;
use offhook_sma::event::{ActionData, ActionError, EventType, error_type};
use offhook_sma::invoke::GIVE_UP_STATUS;

use super::Call;
use super::bot::Talking;
use super::conference::Conferring;
use super::leg::{LegId, Part};
use super::record::Recording;
use super::supervising::Supervising;
use crate::failure;

/// Length of a digit that is passed on from INFO.
pub(super) const INFO_TONE: Duration = Duration::from_millis(160);
/// Silence between two digits.
pub(super) const DIGIT_GAP: Duration = Duration::from_millis(60);

/// A codec that we do not have (RFC 3261 §21.4.26).
const NOT_ACCEPTABLE: u16 = 488;

/// What the running action waits for.
pub(super) enum Running {
    Nothing,
    /// The caller's ACK; the action starts then.
    Answering,
    /// Its clips to be read.
    Loading {
        load: u64,
        then: Play,
    },
    /// A playback to end.
    Playing {
        playback: u64,
    },
    /// Digits: while the prompt plays and after it.
    Digits(Box<DigitsRun>),
    /// A recording.
    Recording(Box<Recording>),
    /// Digits to be sent; the rest in `left`.
    Sending {
        leg: LegId,
        left: String,
    },
    /// The file of a leg's recording to be made.
    Taping {
        run: u64,
        leg: LegId,
        location: String,
    },
    /// Time to pass ([`Call::action_deadline`]).
    Pausing,
    /// Somebody to answer ([`Call::bridging`]).
    Bridging,
    /// The leg to end.
    Echoing,
    /// The leg to end; meanwhile it talks with others.
    Conferring(Conferring),
    /// A bot to have understood something.
    Talking(Box<Talking>),
    /// The leg to end, or the call that it listens to.
    Supervising(Box<Supervising>),
}

impl Running {
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Digits(run) => run.collector.deadline(),
            Self::Recording(recording) => recording.deadline(),
            Self::Talking(talking) => Some(talking.deadline()),
            _ => None,
        }
    }
}

/// What clips are loaded for.
pub(super) enum Play {
    /// `PlayAudio`.
    Audio { leg: LegId, repeat: Repeat, stop_on: DigitSet },
    /// An attempt of `PlayAudioAndGetDigits`.
    Prompt(Box<DigitsRun>),
    /// An apology, then the end.
    Apology,
    /// The caller's ringback while somebody is called.
    Ringback,
}

/// `PlayAudioAndGetDigits`.
pub(super) struct DigitsRun {
    pub(super) leg: LegId,
    pub(super) action: PlayAudioAndGetDigits,
    pub(super) collector: Collector,
    pub(super) attempts_left: u64,
    pub(super) playback: u64,
    /// Keys that were pressed before the prompt could be heard.
    pub(super) ahead: Vec<char>,
}

impl Call {
    /// Starts the next action when nothing runs; says whether something was done.
    pub(super) fn advance(&mut self, now: Instant) -> bool {
        if !matches!(self.running, Running::Nothing) || self.awaiting_reply {
            return false;
        }
        let Some(action) = self.script.start_next().cloned() else { return false };
        self.start_action(now, action);
        true
    }

    pub(super) fn start_action(&mut self, now: Instant, action: Action) {
        let tag = match self.transaction.resolve(action.target(), self.invoked_for) {
            Ok(tag) => tag,
            Err(error) => return self.action_failed(now, &error),
        };
        let call_id = self.transaction.participant(tag).map(|p| p.call_id.clone());
        if let Some(running) = self.script.running_mut() {
            let target = running.target_mut();
            target.participant_tag = Some(tag);
            target.call_id = call_id;
        }
        let from = self.transaction.participant(LegTag::A).map(|p| p.from.clone());
        let wrong = action.check(&from.unwrap_or_default()).err();
        if let Some(error) = wrong.or_else(|| self.impossible(&action, tag)) {
            return self.action_failed(now, &error);
        }
        let Some(leg) = self.tagged(tag) else {
            if matches!(action, Action::Hangup(_)) {
                // What was wanted is so: the other side was faster.
                return self.action_done(now, |_| {});
            }
            // The leg ended a moment ago; its HANGUP is on the way to the application.
            return self.action_failed(now, &gone());
        };
        let (id, unanswered) = (leg.id, !leg.confirmed && leg.part == Part::Caller);
        if action.answers(&self.rules) && unanswered {
            self.running = Running::Answering;
            if let Err(error) = self.answer_caller(now, None) {
                self.running = Running::Nothing;
                self.action_failed(now, &error);
            }
            return;
        }
        // Words, or a room, would be silence to it: who put it through has it again.
        let deaf = action.answers(&self.rules) && self.only_passes(id);
        if deaf && tag == LegTag::A && self.back_to_transferor(now, NOT_ACCEPTABLE) {
            return;
        }
        if action.answers(&self.rules) && tag == LegTag::A {
            // Something speaks to the party that was put through: a mailbox, an announcement.
            if let Some(remaining) = self.put_through(now) {
                let dialled = self.transaction.participant(LegTag::A).map(|p| p.to.clone());
                let who = self.shown_number(dialled.unwrap_or_default());
                self.tell_who(now, remaining, &who);
            }
        }
        match action {
            Action::CallAndBridge(a) => self.start_bridging(now, a),
            Action::Hangup(a) => self.start_hangup(now, id, &a),
            Action::PlayAudio(a) => self.start_play(now, id, &a),
            Action::PlayAudioAndGetDigits(a) => self.start_digits(now, id, a),
            Action::Speak(a) => self.start_speak(now, id, &a),
            Action::SpeakAndGetDigits(a) => self.start_digits(now, id, a.as_audio()),
            Action::RecordAudio(a) => self.start_recording(now, id, a),
            Action::ReceiveDigits(a) => self.start_listening(now, id, &a),
            Action::SendDigits(a) => self.start_sending(now, id, &a),
            Action::Echo(_) => self.start_echo(now, id),
            Action::JoinConference(a) => self.start_conferring(now, id, &a.conference),
            Action::SuperviseCall(a) => self.start_supervising(now, id, &a.extension),
            Action::StartCallRecording(a) => self.start_leg_tape(now, id, &a),
            Action::StopCallRecording(_) => self.stop_leg_tape(now, id),
            Action::PauseCallRecording(_) => self.pause_leg_tape(now, id, true),
            Action::ResumeCallRecording(_) => self.pause_leg_tape(now, id, false),
            Action::JoinChimeMeeting(a) => self.join_meeting(now, &a),
            Action::VoiceFocus(a) => self.focus(now, id, a.enable),
            Action::StartBotConversation(a) => self.start_talking(now, id, &a),
            // It is answered by now. The others never come so far.
            Action::Answer(_) | Action::ModifyChimeMeetingAttendees(_) | Action::Malformed(_) => {
                self.action_done(now, |_| {});
            }
            Action::Pause(a) => {
                self.running = Running::Pausing;
                self.action_deadline =
                    Some(now + Duration::from_millis(a.duration_in_milliseconds));
            }
        }
    }

    fn start_echo(&mut self, now: Instant, leg: LegId) {
        let Some(port) = self.leg_ref(leg).and_then(super::leg::Leg::port) else {
            return self.action_failed(now, &gone());
        };
        self.services.engine.echo(port);
        self.running = Running::Echoing;
    }

    /// The running action is done.
    pub(super) fn action_done(&mut self, now: Instant, fill: impl FnOnce(&mut ActionData)) {
        self.running = Running::Nothing;
        self.action_deadline = None;
        let interrupted = std::mem::take(&mut self.interrupting);
        let (kind, action) = if interrupted {
            (EventType::ActionInterrupted, self.script.interrupted())
        } else {
            (EventType::ActionSuccessful, self.script.succeeded(&self.rules))
        };
        let Some(action) = action else { return };
        let tag = action.target().participant_tag.unwrap_or(self.invoked_for);
        let mut data = ActionData::of(action);
        fill(&mut data);
        self.tell(now, tag, kind, Some(data));
    }

    pub(super) fn action_failed(&mut self, now: Instant, error: &ActionError) {
        self.running = Running::Nothing;
        (self.action_deadline, self.interrupting) = (None, false);
        let Some(action) = self.script.failed() else { return };
        let tag = action.target().participant_tag.unwrap_or(self.invoked_for);
        let text = format!("{} failed: {} {}", action.name(), error.kind, error.message);
        self.timeline.note(now, None, text);
        let data = ActionData::of(action).failed(error);
        self.tell(now, tag, EventType::ActionFailed, Some(data));
    }

    /// A leg is gone: an action on it ends without a word, the `HANGUP` says it all, and a caller
    /// who is gone needs nothing more. Bridging is the caller's. Gives a recording that goes on to
    /// its end.
    pub(super) fn abandon_action(&mut self, now: Instant, tag: LegTag) -> Option<(u64, Action)> {
        let running = self.script.leg_gone(tag);
        let ours = running.is_some() || self.script.running().is_none();
        if tag == LegTag::A || !self.transaction.other_connected(tag) {
            self.script.drop_waiting();
        }
        if !ours {
            return None;
        }
        self.action_deadline = None;
        self.interrupting = false;
        match std::mem::replace(&mut self.running, Running::Nothing) {
            // A recording has its own way to its end.
            Running::Recording(recording) => {
                let run = self.finish_recording_later(*recording)?;
                Some((run, running?))
            }
            Running::Talking(talking) => {
                self.note_lost(now, &talking);
                None
            }
            _ => None,
        }
    }

    pub(super) fn action_timeout(&mut self, now: Instant) {
        if self.action_deadline.is_some_and(|at| at <= now) {
            self.action_deadline = None;
            match &self.running {
                Running::Pausing => self.action_done(now, |_| {}),
                Running::Sending { .. } => self.send_more(now),
                _ => {}
            }
        }
        if let Running::Digits(run) = &mut self.running {
            let verdict = run.collector.expired(now);
            self.on_verdict(now, verdict);
        }
        self.recording_timeout(now);
        self.talk_timeout(now);
    }

    fn start_hangup(&mut self, now: Instant, id: LegId, action: &Hangup) {
        let code = u16::try_from(action.sip_response_code).unwrap_or(480);
        if self.tagged(LegTag::A).is_some_and(|leg| leg.id == id)
            && self.back_to_transferor(now, code)
        {
            return;
        }
        let reasons = self.reason_headers();
        let retry_after = self.failure.is_some_and(|f| f.sip_status == 503);
        let Some(leg) = self.leg(id) else { return self.action_failed(now, &gone()) };
        if leg.part == Part::Caller && !leg.answered {
            // 0 is "normal" in AWS's words; for a call that nobody answered that is 480.
            let code = if (400..700).contains(&code) { code } else { 480 };
            let status = StatusCode::new(code).unwrap_or(StatusCode::TEMPORARILY_UNAVAILABLE);
            let mut headers = Headers::new();
            if retry_after {
                headers.push(offhook_sip::header::HeaderName::RetryAfter, "10".to_owned());
            }
            let _ = leg.session.reject(now, status, None, headers);
            if self.failure.is_none() {
                let failure = if (500..600).contains(&code) {
                    failure::APPLICATION_FAILED
                } else {
                    failure::of_response(code, "", failure::Answerer::Phone)
                };
                self.fail(now, failure, Some(code), "");
            }
        } else {
            leg.session.hangup(now, reasons);
        }
        // The leg's `HANGUP` is what the application hears (`Ended` follows at once).
        self.running = Running::Nothing;
        if let Some(action) = self.script.hung_up() {
            let tag = action.target().participant_tag.unwrap_or(self.invoked_for);
            self.note_hangup(now, tag, action);
        }
    }

    /// A caller that nobody answered gets this status.
    pub(super) fn refuse_caller(&mut self, now: Instant, status: StatusCode) {
        if let Some(leg) = self.tagged(LegTag::A).filter(|leg| !leg.answered) {
            let _ = leg.session.reject(now, status, None, Headers::new());
        }
    }

    /// Nothing more can be done for the caller: says so and ends the call.
    pub(super) fn apologise(&mut self, now: Instant) {
        self.script.clear();
        if self.back_to_transferor(now, failure::APPLICATION_FAILED.sip_status) {
            return;
        }
        let Some(leg) = self.tagged(LegTag::A) else {
            return self.hang_up_all(now, "the application failed");
        };
        if !leg.answered {
            // As AWS does when its retries run out.
            let status = StatusCode::new(GIVE_UP_STATUS);
            self.refuse_caller(now, status.unwrap_or(StatusCode::TEMPORARILY_UNAVAILABLE));
            return self.hang_up_all(now, "the application failed");
        }
        self.load(AudioSource::Builtin { name: "error".to_owned() }, now, Play::Apology);
    }
}

/// The error of an action whose leg is no longer there.
pub(super) fn gone() -> ActionError {
    ActionError::new(error_type::SYSTEM_EXCEPTION, "the leg has ended")
}

/// The error of an action that needs to hear, or to be heard, where sound is only passed on.
pub(super) fn not_decoded() -> ActionError {
    ActionError::new(error_type::SYSTEM_EXCEPTION, "the sound of this leg is not decoded here")
}

pub(super) fn invalid(text: &str) -> ActionError {
    ActionError::new(error_type::INVALID_ACTION_PARAMETER, text)
}

pub(super) fn digit_set(keys: &[String]) -> DigitSet {
    offhook_sma::digits::characters(keys).into_iter().filter_map(Digit::from_char).collect()
}

/// The catalogue's entry for a negotiation that failed.
pub(super) fn failure_of(
    error: &offhook_media::negotiate::NegotiateError,
) -> &'static failure::Failure {
    use offhook_media::negotiate::NegotiateError as E;
    match error {
        E::SrtpRequired | E::SrtpOff | E::Crypto(_) | E::Dtls(_) => failure::ENCRYPTION_REQUIRED,
        E::NoCommonCodec { .. } | E::NoAudio | E::Refused | E::Transport(_) => {
            failure::NO_COMMON_CODEC
        }
        _ => failure::BAD_SDP,
    }
}
