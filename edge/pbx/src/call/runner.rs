//! Runs actions: one after the other, each to its end.

use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_media::dtmf::{Digit, DigitSet};
use offhook_media::engine::{PlayEnd, PortEvent, PortEventKind, Repeat};
use offhook_media::sdp::Direction as MediaDirection;
use offhook_sip::header::Headers;
use offhook_sip::message::StatusCode;
use offhook_sma::action::{Action, AudioSource, Hangup, LegTag, PlayAudioAndGetDigits};
use offhook_sma::digits::Collector;
use offhook_sma::event::{ActionData, ActionError, EventType, Status, error_type};

use super::Call;
use super::leg::{LegId, Part, media_fact};
use super::record::Recording;
use crate::failure;

/// Length of a digit that is passed on from INFO.
pub(super) const INFO_TONE: Duration = Duration::from_millis(160);
/// Silence between two digits.
pub(super) const DIGIT_GAP: Duration = Duration::from_millis(60);

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
    /// Time to pass ([`Call::action_deadline`]).
    Pausing,
    /// Somebody to answer ([`Call::bridging`]).
    Bridging,
    /// The leg to end.
    Echoing,
}

impl Running {
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Digits(run) => run.collector.deadline(),
            Self::Recording(recording) => recording.deadline(),
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

    fn start_action(&mut self, now: Instant, action: Action) {
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
        let Some(leg) = self.tagged(tag) else {
            // The leg ended a moment ago; its HANGUP is on the way to the application.
            return self.action_failed(now, &gone());
        };
        let (id, unanswered) = (leg.id, !leg.confirmed && leg.part == Part::Caller);
        if action.answers() && unanswered {
            self.running = Running::Answering;
            if let Err(error) = self.answer_caller(now, None) {
                self.running = Running::Nothing;
                self.action_failed(now, &error);
            }
            return;
        }
        match action {
            Action::CallAndBridge(a) => self.start_bridging(now, a),
            Action::Hangup(a) => self.start_hangup(now, id, &a),
            Action::PlayAudio(a) => self.start_play(now, id, &a),
            Action::PlayAudioAndGetDigits(a) => self.start_digits(now, id, a),
            Action::RecordAudio(a) => self.start_recording(now, id, a),
            Action::ReceiveDigits(a) => self.start_listening(now, id, &a),
            Action::SendDigits(a) => self.start_sending(now, id, &a),
            Action::Echo(_) => self.start_echo(now, id),
            Action::Pause(a) => {
                if !(1..=30_000).contains(&a.duration_in_milliseconds) {
                    return self.action_failed(now, &invalid("The Duration parameter is invalid."));
                }
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
        let Some(action) = self.script.succeeded() else { return };
        let tag = action.target().participant_tag.unwrap_or(self.invoked_for);
        let mut data = ActionData::of(action);
        fill(&mut data);
        self.tell(now, tag, EventType::ActionSuccessful, Some(data));
    }

    pub(super) fn action_failed(&mut self, now: Instant, error: &ActionError) {
        self.running = Running::Nothing;
        self.action_deadline = None;
        let Some(action) = self.script.failed() else { return };
        let tag = action.target().participant_tag.unwrap_or(self.invoked_for);
        let text = format!("{} failed: {} {}", action.name(), error.kind, error.message);
        self.timeline.note(now, None, text);
        let data = ActionData::of(action).failed(error);
        self.tell(now, tag, EventType::ActionFailed, Some(data));
    }

    /// A leg is gone: an action on it ends without a word, the `HANGUP` says it all. Bridging is
    /// the caller's.
    pub(super) fn abandon_action(&mut self, tag: LegTag) {
        let running_tag = self.script.running().and_then(|a| a.target().participant_tag);
        if self.script.running().is_some() && running_tag.unwrap_or(LegTag::A) != tag {
            return;
        }
        // A recording has its own way to its end.
        self.script.clear();
        if let Running::Recording(recording) =
            std::mem::replace(&mut self.running, Running::Nothing)
        {
            self.finish_recording_later(*recording);
        }
        self.action_deadline = None;
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
    }

    /// Answers the caller with 200. `codec_of`: what the other leg speaks.
    pub(super) fn answer_caller(
        &mut self,
        now: Instant,
        codec_of: Option<offhook_media::codec::Codec>,
    ) -> Result<(), ActionError> {
        let Some(leg) = self.tagged(LegTag::A) else { return Err(gone()) };
        if leg.answered {
            return Ok(());
        }
        let id = leg.id;
        let sdp = match self.caller_sdp(now, codec_of) {
            Ok(sdp) => sdp,
            Err(error) => {
                if let Some(leg) = self.leg(id) {
                    let _ = leg.session.reject(
                        now,
                        StatusCode::NOT_ACCEPTABLE_HERE,
                        None,
                        Headers::new(),
                    );
                }
                return Err(error);
            }
        };
        let Some(leg) = self.leg(id) else { return Err(gone()) };
        if leg.session.accept(now, Some(sdp), Headers::new()).is_err() {
            return Err(gone());
        }
        leg.answered = true;
        self.transaction.set_status(LegTag::A, Status::Connected);
        if self.record.answered.is_none() && !matches!(self.running, Running::Bridging) {
            self.answered_after_all();
            let voicemail = self.app_name == "voicemail";
            self.record.disposition = if voicemail { "voicemail" } else { "answered" }.to_owned();
            self.keep_record();
        }
        Ok(())
    }

    /// Our description for the caller: the answer to the INVITE's offer, or an offer of ours when
    /// it had none. The same one again once it was said (RFC 3261 §13.2.1).
    pub(super) fn caller_sdp(
        &mut self,
        now: Instant,
        codec: Option<offhook_media::codec::Codec>,
    ) -> Result<Bytes, ActionError> {
        let Some(leg) = self.tagged(LegTag::A) else { return Err(gone()) };
        let id = leg.id;
        if let Err(error) = self.ensure_media(id) {
            self.fail(now, failure::NO_MEDIA_PORTS, None, &error);
            return Err(ActionError::new(error_type::SYSTEM_EXCEPTION, error));
        }
        let Some(leg) = self.leg(id) else { return Err(gone()) };
        let offer = leg.session.remote_sdp().cloned();
        let Some(media) = &mut leg.media else { return Err(gone()) };
        if let Some(said) = &media.said {
            return Ok(said.clone());
        }
        if let Some(codec) = codec {
            media.prefer(codec);
        }
        let Some(offer) = offer else { return Ok(media.offer(MediaDirection::SendRecv)) };
        match media.answer(&offer) {
            Ok((sdp, stream)) => {
                self.timeline.add(now, Some('A'), media_fact(&stream));
                Ok(sdp)
            }
            Err(error) => {
                let failure = failure_of(&error);
                self.fail(now, failure, Some(error.sip_status()), &error.to_string());
                let mut failed = ActionError::new(error_type::SYSTEM_EXCEPTION, error.to_string());
                failed.sip_status = Some(error.sip_status());
                Err(failed)
            }
        }
    }

    /// The caller's ACK came: what waited for it starts.
    pub(super) fn caller_confirmed(&mut self, now: Instant) {
        if !matches!(self.running, Running::Answering) {
            return;
        }
        self.running = Running::Nothing;
        if let Some(action) = self.script.running().cloned() {
            self.start_action(now, action);
        }
    }

    fn start_hangup(&mut self, now: Instant, id: LegId, action: &Hangup) {
        let reasons = self.reason_headers();
        let code = u16::try_from(action.sip_response_code).unwrap_or(480);
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
                let answerer = failure::Answerer::Phone;
                self.fail(now, failure::of_response(code, "", answerer), Some(code), "");
            }
        } else {
            leg.session.hangup(now, reasons);
        }
        // The leg's `HANGUP` is what the application hears (`Ended` follows at once).
        self.script.succeeded();
        self.running = Running::Nothing;
    }

    /// Nothing more can be done for the caller: says so and ends the call.
    pub(super) fn apologise(&mut self, now: Instant) {
        self.script.clear();
        let Some(leg) = self.tagged(LegTag::A) else {
            return self.hang_up_all(now, "the application failed");
        };
        if !leg.answered {
            let id = leg.id;
            if let Some(leg) = self.leg(id) {
                let _ = leg.session.reject(
                    now,
                    StatusCode::SERVER_INTERNAL_ERROR,
                    None,
                    Headers::new(),
                );
            }
            return self.hang_up_all(now, "the application failed");
        }
        self.load(AudioSource::Builtin { name: "error".to_owned() }, now, Play::Apology);
    }

    pub(super) fn on_media(&mut self, now: Instant, event: PortEvent) {
        let owner = self.legs.iter().find(|l| l.port().is_some_and(|p| p.id() == event.port));
        let leg = owner.map(|leg| (leg.id, leg.label));
        let PortEvent { kind, .. } = event;
        match kind {
            PortEventKind::Digit { digit, .. } => {
                if let Some((leg, _)) = leg {
                    self.on_digit(now, leg, digit);
                }
            }
            PortEventKind::PlayEnded { id, by } => self.on_play_ended(now, id, by),
            PortEventKind::RecordEnded { id, by, speech, .. } => {
                self.on_record_ended(now, id, by, speech);
            }
            PortEventKind::DigitsSent => {
                if matches!(self.running, Running::Sending { .. }) {
                    self.action_deadline = None;
                    self.send_more(now);
                }
            }
            PortEventKind::FirstPacket { from } => {
                self.timeline.note(now, leg.map(|l| l.1), format!("audio comes from {from}"));
            }
            PortEventKind::SrtpFailed => {
                let text = "encrypted audio cannot be read: the keys do not fit";
                self.timeline.note(now, leg.map(|l| l.1), text);
            }
            PortEventKind::NoMedia { silent_for } => {
                let text = format!("no audio for {} s", silent_for.as_secs());
                self.timeline.note(now, leg.map(|l| l.1), text);
                // Before the answer a caller need not send anything.
                let answered = self.record.answered.is_some();
                if self.config().media.silence_hangup.is_some() && answered && !self.on_hold() {
                    self.fail(now, failure::NO_MEDIA, None, "");
                    self.hang_up_all(now, "no audio came for a long time");
                }
            }
        }
    }

    fn on_hold(&self) -> bool {
        self.legs.iter().any(|leg| leg.media.as_ref().is_some_and(|m| m.held))
    }

    fn on_play_ended(&mut self, now: Instant, id: u64, by: PlayEnd) {
        match &mut self.running {
            Running::Playing { playback } if *playback == id => {
                if self.script.running().is_none() {
                    self.running = Running::Nothing;
                    return self.hang_up_all(now, "the application failed");
                }
                self.action_done(now, |_| {});
            }
            Running::Digits(run) if run.playback == id => {
                // The digit that stopped it is reported when the key is released.
                let _ = by;
                let wait = Duration::from_millis(run.action.repeat_duration_in_milliseconds);
                run.collector.start(now, wait);
            }
            _ => {}
        }
    }
}

/// The error of an action whose leg is no longer there.
pub(super) fn gone() -> ActionError {
    ActionError::new(error_type::SYSTEM_EXCEPTION, "the leg has ended")
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
        E::SrtpRequired | E::SrtpOff | E::Crypto(_) => failure::ENCRYPTION_REQUIRED,
        E::NoCommonCodec { .. } | E::NoAudio | E::Refused | E::Transport(_) => {
            failure::NO_COMMON_CODEC
        }
        _ => failure::BAD_SDP,
    }
}
