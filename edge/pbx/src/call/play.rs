//! Plays, collects digits, sends digits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use offhook_media::dtmf::{Digit, DigitSet};
use offhook_media::engine::{Control, Playback, Repeat};
use offhook_media::sound::Part;
use offhook_sma::action::{
    Action, AudioSource, LegTag, PlayAudio, PlayAudioAndGetDigits, ReceiveDigits, SendDigits,
};
use offhook_sma::digits::{Collector, Verdict};
use offhook_sma::event::{ActionData, ActionError, EventType, error_type};
use offhook_sma::speech::Speak;

use super::leg::LegId;
use super::runner::{DIGIT_GAP, DigitsRun, Play, Running, digit_set, gone};
use super::sounds::{self, Loaded, NotLoaded};
use super::{Call, Done, Listening};
use crate::event::CallEventKind;

/// A `,` among digits (AWS's half second).
const COMMA: Duration = Duration::from_millis(500);

/// Keys that are kept for a prompt that is not there yet: as many as an action takes at most.
const MOST_AHEAD: usize = 128;

impl Call {
    pub(super) fn start_play(&mut self, now: Instant, leg: LegId, action: &PlayAudio) {
        let repeat = match action.repeat {
            0 => Repeat::Forever,
            1 => Repeat::Once,
            n => Repeat::Times(u32::try_from(n).unwrap_or(u32::MAX)),
        };
        let stop_on = digit_set(&action.playback_terminators);
        self.load(action.audio_source.clone(), now, Play::Audio { leg, repeat, stop_on });
    }

    pub(super) fn start_speak(&mut self, now: Instant, leg: LegId, action: &Speak) {
        let source = AudioSource::Speech(Box::new(action.speech.clone()));
        let (repeat, stop_on) = (Repeat::Once, DigitSet::NONE);
        self.load(source, now, Play::Audio { leg, repeat, stop_on });
    }

    /// Reads audio, at once when it is in memory.
    pub(super) fn load(&mut self, source: AudioSource, now: Instant, then: Play) {
        let load = self.run_id();
        let name = sounds::name_of(&source);
        self.timeline.add(now, None, CallEventKind::Prompt { name });
        let sounds = Arc::clone(&self.services.sounds);
        let at_hand = sounds.at_hand(&source).or_else(|| sounds.lately(now, &source));
        self.running = Running::Loading { load, then };
        if let Some(clips) = at_hand {
            return self.on_clips(now, load, Ok(clips));
        }
        let loading = sounds.load(source);
        self.work.push(Box::pin(async move { Done::Clips { load, clips: loading.await } }));
    }

    pub(super) fn on_clips(&mut self, now: Instant, wanted: u64, clips: Result<Loaded, NotLoaded>) {
        if let Ok(loaded) = &clips {
            self.services.sounds.lately.note(now, loaded);
        }
        if !matches!(&self.running, Running::Loading { load, .. } if *load == wanted) {
            return;
        }
        let Running::Loading { then, .. } = std::mem::replace(&mut self.running, Running::Nothing)
        else {
            return;
        };
        let clips = match (clips, then) {
            (Ok(clips), then) => (clips, then),
            (Err(error), Play::Apology) => {
                self.timeline.note(now, None, error.text);
                return self.hang_up_all(now, "the application failed");
            }
            (Err(error), Play::Ringback) => {
                self.timeline.note(now, None, error.text);
                self.running = Running::Bridging;
                return;
            }
            (Err(error), _) => {
                self.fail(now, error.failure, None, &error.text);
                let error = ActionError::new(error.kind, error.text);
                return self.action_failed(now, &error);
            }
        };
        for note in clips.0.notes {
            self.timeline.note(now, None, note);
        }
        self.play(now, clips.0.parts, clips.1);
    }

    pub(super) fn play(&mut self, now: Instant, parts: Vec<Part>, then: Play) {
        let id = self.run_id();
        let playback = Playback { parts, ..Playback::of(id, Vec::new()) };
        match then {
            Play::Audio { leg, repeat, stop_on } => {
                if self.play_on(leg, Playback { repeat, stop_on, ..playback }) {
                    self.running = Running::Playing { playback: id };
                } else {
                    self.action_failed(now, &gone());
                }
            }
            Play::Prompt(mut run) => {
                run.playback = id;
                let controls = controls_of(&run.action);
                let playback = Playback { stop_on: DigitSet::ALL, controls, ..playback };
                if self.play_on(run.leg, playback) {
                    let ahead = std::mem::take(&mut run.ahead);
                    self.running = Running::Digits(run);
                    self.typed_ahead(now, &ahead);
                } else {
                    self.action_failed(now, &gone());
                }
            }
            Play::Apology => {
                let Some(leg) = self.tagged(LegTag::A).map(|leg| leg.id) else { return };
                self.play_on(leg, playback);
                // Nothing in the script: the end of this playback ends the call.
                self.running = Running::Playing { playback: id };
            }
            Play::Ringback => {
                self.running = Running::Bridging;
                let Some(leg) = self.tagged(LegTag::A).map(|leg| leg.id) else { return };
                self.play_on(leg, Playback { repeat: Repeat::Forever, ..playback });
            }
        }
    }

    pub(super) fn play_on(&mut self, leg: LegId, playback: Playback) -> bool {
        let Some(port) = self.leg_ref(leg).and_then(super::leg::Leg::port) else { return false };
        port.play(playback);
        true
    }

    pub(super) fn start_digits(&mut self, now: Instant, leg: LegId, action: PlayAudioAndGetDigits) {
        let collector = match Collector::for_prompt(&action.input) {
            Ok(collector) => collector,
            Err(error) => return self.action_failed(now, &error),
        };
        let source = action.audio_source.clone();
        // AWS's widget demo asks 9,999 times for one key.
        let attempts_left = action.input.repeat.clamp(1, 10_000);
        let (playback, ahead) = (0, Vec::new());
        let run = DigitsRun { leg, action, collector, attempts_left, playback, ahead };
        self.load(source, now, Play::Prompt(Box::new(run)));
    }

    pub(super) fn on_verdict(&mut self, now: Instant, verdict: Verdict) {
        match verdict {
            Verdict::Waiting => {}
            Verdict::Accepted(digits) => {
                self.stop_prompt();
                // Nothing pressed where nothing is enough: the field is absent (the page of
                // PlayAudioAndGetDigits: it is set "when the application successfully gathers
                // digits"; AWS's business-number sample asks `IsPresent`).
                let digits = Some(digits).filter(|digits| !digits.is_empty());
                self.action_done(now, |data| data.received_digits = digits);
            }
            Verdict::Refused => {
                self.stop_prompt();
                let Running::Digits(mut run) =
                    std::mem::replace(&mut self.running, Running::Nothing)
                else {
                    return;
                };
                run.attempts_left -= 1;
                if run.attempts_left == 0 {
                    let error = ActionError::new(
                        error_type::INVALID_DIGITS_RECEIVED,
                        "no valid digits were received",
                    );
                    return self.action_failed(now, &error);
                }
                let again = run.action.audio_source.clone();
                // Both in one playback.
                let source = match run.action.failure_audio_source.clone() {
                    Some(sorry) => AudioSource::List { parts: vec![sorry, again] },
                    None => again,
                };
                self.load(source, now, Play::Prompt(run));
            }
        }
    }

    pub(super) fn stop_prompt(&self) {
        if let Running::Digits(run) = &self.running
            && let Some(port) = self.leg_ref(run.leg).and_then(super::leg::Leg::port)
        {
            port.stop_play();
        }
    }

    /// Who knows the menu need not wait for it to be read or spoken.
    fn typed_ahead(&mut self, now: Instant, keys: &[char]) {
        for key in keys {
            let Running::Digits(run) = &mut self.running else { return };
            let verdict = run.collector.digit(now, *key);
            self.stop_prompt();
            self.on_verdict(now, verdict);
        }
    }

    /// A digit of a leg, by telephone event or INFO.
    pub(super) fn on_digit(&mut self, now: Instant, leg: LegId, digit: Digit) {
        let label = self.leg_ref(leg).map(|leg| leg.label);
        self.timeline.add(now, label, CallEventKind::Digit);
        let key = digit.as_char();
        if let Running::Digits(run) = &mut self.running
            && run.leg == leg
        {
            let verdict = run.collector.digit(now, key);
            self.stop_prompt();
            return self.on_verdict(now, verdict);
        }
        if self.bot_hears_key(leg, digit) {
            return;
        }
        if let Running::Loading { then: Play::Prompt(run), .. } = &mut self.running
            && run.leg == leg
            && run.ahead.len() < MOST_AHEAD
        {
            return run.ahead.push(key);
        }
        self.confer_by_key(leg, digit);
        self.supervise_by_key(now, leg, digit);
        self.code_by_key(now, leg, digit);
        let mut listening = self.listening.iter_mut().enumerate();
        if let Some((at, listening)) = listening.find(|(_, listening)| listening.leg == leg) {
            let verdict = listening.collector.digit(now, key);
            self.heard(now, at, verdict);
        }
    }

    /// Whether a key goes about in what plays to this leg, and does nothing else.
    pub(super) fn is_control(&self, leg: LegId, digit: Digit) -> bool {
        let Running::Digits(run) = &self.running else { return false };
        // The clock of the digits runs from the end of the prompt on.
        run.leg == leg
            && run.collector.deadline().is_none()
            && controls_of(&run.action).iter().any(|(key, _)| *key == digit)
    }

    pub(super) fn start_listening(&mut self, now: Instant, leg: LegId, action: &ReceiveDigits) {
        match Collector::for_listening(action) {
            Ok(collector) => {
                let action = self.script.running().cloned();
                let Some(action) = action else { return };
                // Each leg has its own: AWS's Voice Focus sample listens to both.
                self.listening.retain(|listening| listening.leg != leg);
                self.listening.push(Listening { leg, action, collector });
                self.action_done(now, |data| data.received_digits = Some(String::new()));
            }
            Err(error) => self.action_failed(now, &error),
        }
    }

    pub(super) fn listen_timeout(&mut self, now: Instant) {
        for at in 0..self.listening.len() {
            let Some(listening) = self.listening.get_mut(at) else { return };
            let verdict = listening.collector.expired(now);
            self.heard(now, at, verdict);
        }
    }

    fn heard(&mut self, now: Instant, at: usize, verdict: Verdict) {
        let Verdict::Accepted(digits) = verdict else { return };
        let Some(listening) = self.listening.get(at) else { return };
        let tag = self.leg_ref(listening.leg).and_then(super::leg::Leg::tag).unwrap_or(LegTag::A);
        let mut data = ActionData::of(listening.action.clone());
        data.received_digits = Some(digits);
        self.tell(now, tag, EventType::DigitsReceived, Some(data));
    }

    pub(super) fn start_sending(&mut self, now: Instant, leg: LegId, action: &SendDigits) {
        self.running = Running::Sending { leg, left: action.digits.clone() };
        self.send_more(now);
    }

    /// The next run of digits, or the next pause.
    pub(super) fn send_more(&mut self, now: Instant) {
        let tone = match self.script.running() {
            Some(Action::SendDigits(a)) => a.tone_duration_in_milliseconds,
            _ => 250,
        };
        let Running::Sending { leg, left } = &mut self.running else { return };
        let leg = *leg;
        if left.is_empty() {
            return self.action_done(now, |_| {});
        }
        if let Some(rest) = left.strip_prefix(',') {
            *left = rest.to_owned();
            self.action_deadline = Some(now + COMMA);
            return;
        }
        let (these, rest) = left.split_at(left.find(',').unwrap_or(left.len()));
        let digits: Vec<Digit> = these.chars().filter_map(Digit::from_char).collect();
        *left = rest.to_owned();
        let tone = Duration::from_millis(tone);
        let Some(port) = self.leg_ref(leg).and_then(super::leg::Leg::port) else {
            return self.action_failed(now, &gone());
        };
        port.send_digits(&digits, tone, DIGIT_GAP);
        // The engine says when they are out; on a leg without telephone events it says nothing.
        let count = u32::try_from(digits.len()).unwrap_or(u32::MAX);
        self.action_deadline = Some(now + (tone + DIGIT_GAP) * count + COMMA);
    }
}

fn controls_of(action: &PlayAudioAndGetDigits) -> Vec<(Digit, Control)> {
    let control = |ms| if ms == 0 { Control::PauseOrResume } else { Control::Seek(ms) };
    let keys = action.playback_controls.iter().flat_map(|key| {
        let digits = key.digit.chars().filter_map(Digit::from_char);
        digits.map(|digit| (digit, control(key.seek_milliseconds)))
    });
    keys.collect()
}
