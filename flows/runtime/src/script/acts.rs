//! The actions, as a caller meets them.

use std::time::Duration;

use offhook_sma::action::{
    Action, AudioSource, CallAndBridge, LegTag, PlayAudioAndGetDigits, RecordAudio,
    RecordingDestination,
};
use offhook_sma::digits::{Collector, Verdict};
use offhook_sma::event::{ActionData, ActionError, EventType, Status, error_type};
use tokio::time::Instant;

use super::player::{Player, seconds};
use super::scenario::{Callee, Move};
use crate::router::FlowError;

/// How fast texts are spoken.
const CHARACTERS_PER_SECOND: f64 = 15.0;
/// How long audio is that nobody has listened to.
const AUDIO: Duration = Duration::from_secs(3);
/// Between two keys.
const KEY: Duration = Duration::from_millis(200);
/// What is said at a recording by somebody who was told nothing.
const SAYS: f64 = 5.0;

impl Player<'_> {
    pub(super) async fn perform(&mut self, action: Action) -> Result<(), FlowError> {
        let tag = match self.transaction.resolve(action.target(), LegTag::A) {
            Ok(tag) => tag,
            Err(error) => return self.failed(&error).await,
        };
        let call_id = self.transaction.participant(tag).map(|leg| leg.call_id.clone());
        if let Some(running) = self.script.running_mut() {
            let target = running.target_mut();
            target.participant_tag = Some(tag);
            target.call_id = call_id;
        }
        if !self.is_up(tag) {
            let gone = ActionError::new(error_type::SYSTEM_EXCEPTION, "the leg has ended");
            return self.failed(&gone).await;
        }
        let from = self.transaction.participant(LegTag::A).map(|leg| leg.from.clone());
        if let Err(error) = action.check(&from.unwrap_or_default()) {
            return self.failed(&error).await;
        }
        if action.answers(&self.rules) {
            self.transaction.set_status(tag, Status::Connected);
        }
        match action {
            Action::Hangup(hangup) => self.hangup(tag, hangup.sip_response_code).await,
            Action::CallAndBridge(bridge) => self.bridge(bridge).await,
            Action::Speak(speak) => {
                let source = AudioSource::Speech(Box::new(speak.speech.clone()));
                self.listen("Speak", &source, 1).await
            }
            Action::PlayAudio(play) => {
                self.listen("PlayAudio", &play.audio_source, play.repeat.clamp(1, 10)).await
            }
            Action::SpeakAndGetDigits(speak) => self.collect(speak.as_audio()).await,
            Action::PlayAudioAndGetDigits(play) => self.collect(play).await,
            Action::RecordAudio(record) => self.record(record).await,
            Action::Pause(pause) => {
                let long = Duration::from_millis(pause.duration_in_milliseconds);
                self.pass("Pause", long).await
            }
            Action::Echo(_) | Action::JoinConference(_) | Action::SuperviseCall(_) => {
                self.pass("Conversation", Duration::from_secs(60)).await
            }
            _ => self.done(|_| {}).await,
        }
    }

    async fn done(&mut self, fill: impl FnOnce(&mut ActionData)) -> Result<(), FlowError> {
        let Some(action) = self.script.succeeded(&self.rules) else { return Ok(()) };
        let tag = action.target().participant_tag.unwrap_or(LegTag::A);
        let mut data = ActionData::of(action);
        fill(&mut data);
        self.tell(tag, EventType::ActionSuccessful, Some(data)).await?;
        Ok(())
    }

    async fn failed(&mut self, error: &ActionError) -> Result<(), FlowError> {
        let Some(action) = self.script.failed() else { return Ok(()) };
        self.line(format!("{} failed: {} {}", action.name(), error.kind, error.message));
        let tag = action.target().participant_tag.unwrap_or(LegTag::A);
        let data = ActionData::of(action).failed(error);
        self.tell(tag, EventType::ActionFailed, Some(data)).await?;
        Ok(())
    }

    async fn hangup(&mut self, tag: LegTag, status: u64) -> Result<(), FlowError> {
        let hung_up = self.script.hung_up();
        let waiting = !self.script.is_idle();
        self.line(format!("{} is hung up", if tag == LegTag::A { "the caller" } else { "LEG-B" }));
        self.transaction.set_status(tag, Status::Disconnected);
        self.talks_until = None;
        let Some(mut action) = hung_up else { return Ok(()) };
        if let Action::Hangup(hangup) = &mut action {
            hangup.sip_response_code = status;
        }
        let data = ActionData::of(action.clone());
        let acts = self.tell(tag, EventType::Hangup, Some(data)).await?;
        let other = if tag == LegTag::A { LegTag::B } else { LegTag::A };
        if !acts && !waiting && self.is_up(other) && self.rules.hangup_reports_behind(tag) {
            let data = ActionData::of(action);
            self.tell(other, EventType::ActionSuccessful, Some(data)).await?;
        }
        Ok(())
    }

    /// Time passes, unless the caller hangs up meanwhile: `false`.
    async fn stays(&mut self, what: &str, long: Duration) -> Result<bool, FlowError> {
        let Some(after) = self.hangs_up(what) else {
            tokio::time::sleep(long).await;
            return Ok(true);
        };
        if after > long {
            tokio::time::sleep(long).await;
            let after = (after - long).as_secs_f64();
            self.moves.push_front(Move::HangUp { during: None, after });
            return Ok(true);
        }
        tokio::time::sleep(after).await;
        self.line("the caller hangs up".to_owned());
        self.leg_ended(LegTag::A, 0).await?;
        Ok(false)
    }

    /// When the caller hangs up during this, if that is what comes next.
    fn hangs_up(&mut self, what: &str) -> Option<Duration> {
        match self.moves.front()? {
            Move::HangUp { during, after } if during.as_ref().is_none_or(|d| d == what) => {
                let after = seconds(*after);
                self.moves.pop_front();
                Some(after)
            }
            _ => None,
        }
    }

    async fn pass(&mut self, what: &str, long: Duration) -> Result<(), FlowError> {
        match self.stays(what, long).await? {
            true => self.done(|_| {}).await,
            false => Ok(()),
        }
    }

    /// What somebody hears, and how long it takes.
    fn hear(&mut self, source: &AudioSource) -> Duration {
        match source {
            AudioSource::Speech(speech) => {
                let text = speech.text.clone().unwrap_or_default();
                let long = text.chars().count() as f64 / CHARACTERS_PER_SECOND;
                self.say(text);
                seconds(long.max(1.0))
            }
            AudioSource::List { parts } => parts.iter().map(|part| self.hear(part)).sum(),
            AudioSource::S3 { bucket_name, key } => {
                self.hear_file(format!("s3://{bucket_name}/{key}"))
            }
            AudioSource::File { path } => self.hear_file(path.clone()),
            AudioSource::Builtin { name } => self.hear_file(format!("builtin {name}")),
        }
    }

    fn hear_file(&mut self, name: String) -> Duration {
        self.line(format!("the caller hears {name}"));
        AUDIO
    }

    async fn listen(
        &mut self,
        what: &str,
        source: &AudioSource,
        times: u64,
    ) -> Result<(), FlowError> {
        let long = self.hear(source);
        self.pass(what, long * u32::try_from(times).unwrap_or(1)).await
    }

    async fn collect(&mut self, action: PlayAudioAndGetDigits) -> Result<(), FlowError> {
        let name = self.script.running().map_or("PlayAudioAndGetDigits", Action::name);
        for attempt in 0..action.input.repeat.clamp(1, 100) {
            let mut collector = match Collector::for_prompt(&action.input) {
                Ok(collector) => collector,
                Err(error) => return self.failed(&error).await,
            };
            let mut prompt = Duration::ZERO;
            if attempt > 0
                && let Some(sorry) = &action.failure_audio_source
            {
                prompt += self.hear(sorry);
            }
            prompt += self.hear(&action.audio_source);
            let leaves = self.hangs_up(name);
            let (keys, after) = match self.moves.front() {
                Some(Move::Press { keys, after }) if leaves.is_none() => {
                    (keys.clone(), seconds(*after))
                }
                _ => (String::new(), Duration::ZERO),
            };
            if leaves.is_none()
                && matches!(self.moves.front(), Some(Move::Press { .. } | Move::Wait))
            {
                self.moves.pop_front();
            }
            let first = Duration::from_millis(action.input.repeat_duration_in_milliseconds);
            let begun = Instant::now();
            let typed = Typed { begun, prompt, first, keys: &keys, after };
            let typing = typed.into_collector(&mut collector);
            let verdict = match leaves {
                Some(leaves) => tokio::time::timeout(leaves, typing).await.ok(),
                None => Some(typing.await),
            };
            if !keys.is_empty() {
                self.line(format!("the caller presses {keys}"));
            }
            match verdict {
                None => {
                    self.line("the caller hangs up".to_owned());
                    return self.leg_ended(LegTag::A, 0).await;
                }
                Some(Verdict::Accepted(digits)) => {
                    // Nothing pressed is told by the field's absence (pstn docs: "when the
                    // application successfully gathers digits, it sets ReceivedDigits").
                    let digits = Some(digits).filter(|digits| !digits.is_empty());
                    return self.done(|data| data.received_digits = digits).await;
                }
                Some(_) => {}
            }
        }
        let kind = error_type::INVALID_DIGITS_RECEIVED;
        self.failed(&ActionError::new(kind, "no valid digits were received")).await
    }

    async fn record(&mut self, action: RecordAudio) -> Result<(), FlowError> {
        let most = Duration::from_secs(action.duration_in_seconds.unwrap_or(3_600));
        let silence = action.silence_duration_in_seconds.map(Duration::from_secs);
        let leaves = self.hangs_up("RecordAudio");
        let mut terminator = None;
        let long = match (leaves, self.moves.front().cloned()) {
            (Some(leaves), _) => leaves.min(most),
            (None, Some(Move::Press { keys, after })) if ends(&action, &keys).is_some() => {
                self.moves.pop_front();
                terminator = ends(&action, &keys);
                seconds(after).min(most)
            }
            (None, next) => {
                let says = match next {
                    Some(Move::Say { seconds }) => {
                        self.moves.pop_front();
                        seconds
                    }
                    _ => SAYS,
                };
                // Without an end by silence it goes on to its full length.
                silence.map_or(most, |silence| (seconds(says) + silence).min(most))
            }
        };
        tokio::time::sleep(long).await;
        self.line(format!("recorded {:.1} s", long.as_secs_f64()));
        let destination = kept(action.recording_destination, self.transaction.invocations());
        if leaves.is_some() {
            self.line("the caller hangs up".to_owned());
            self.transaction.set_status(LegTag::A, Status::Disconnected);
        }
        self.done(|data| {
            data.recording_destination = Some(destination);
            data.recording_terminator_used = terminator;
        })
        .await?;
        if leaves.is_some() {
            self.leg_ended(LegTag::A, 0).await?;
        }
        Ok(())
    }

    async fn bridge(&mut self, action: CallAndBridge) -> Result<(), FlowError> {
        let patience = Duration::from_secs(action.call_timeout_seconds.clamp(1, 120));
        let callee = self.callees.pop_front().unwrap_or_default();
        let (rings, status) = match &callee {
            Callee::Answers { after, .. } if seconds(*after) <= patience => (seconds(*after), 200),
            Callee::Answers { .. } | Callee::DoesNotAnswer => (patience, 480),
            Callee::Busy => (Duration::from_secs(2), 486),
            Callee::Refuses { status } => (Duration::from_secs(2), *status),
        };
        if !self.stays("CallAndBridge", rings).await? {
            return Ok(());
        }
        if status != 200 {
            let mut error = ActionError::new(error_type::CALL_NOT_ANSWERED, "Call not answered");
            error.sip_status = Some(status);
            return self.failed(&error).await;
        }
        let mut leg = self.participant(LegTag::B, "Outbound");
        leg.to = action.endpoints.first().map(|to| to.uri.clone()).unwrap_or_default();
        leg.from = action.caller_id_number.unwrap_or_default();
        leg.status = Some(Status::Connected);
        self.transaction.add_participant(leg);
        self.transaction.set_status(LegTag::A, Status::Connected);
        if let Callee::Answers { talks, .. } = callee {
            self.talks_until = talks.map(|talks| Instant::now() + seconds(talks));
        }
        self.line("the other party answers".to_owned());
        self.done(|_| {}).await
    }
}

/// Keys, and when they are pressed.
struct Typed<'a> {
    begun: Instant,
    prompt: Duration,
    /// How long the first key is waited for behind the prompt.
    first: Duration,
    keys: &'a str,
    after: Duration,
}

impl Typed<'_> {
    async fn into_collector(self, collector: &mut Collector) -> Verdict {
        let mut keys = self.keys.chars();
        let mut next = keys.next();
        let mut key_at = self.begun + self.after;
        let prompt_ends = self.begun + self.prompt;
        let mut started = false;
        loop {
            let deadline = match (started || collector.has_digits(), collector.deadline()) {
                (false, _) => prompt_ends,
                (true, Some(at)) => Instant::from_std(at),
                (true, None) => return Verdict::Refused,
            };
            let key = next.filter(|_| key_at <= deadline);
            tokio::time::sleep_until(if key.is_some() { key_at } else { deadline }).await;
            let now = Instant::now().into_std();
            let verdict = match key {
                Some(key) => {
                    next = keys.next();
                    key_at += KEY;
                    collector.digit(now, key)
                }
                None if !started && !collector.has_digits() => {
                    started = true;
                    collector.start(now, self.first);
                    continue;
                }
                None => collector.expired(now),
            };
            if verdict != Verdict::Waiting {
                return verdict;
            }
        }
    }
}

/// The first of the keys that ends a recording.
fn ends(action: &RecordAudio, keys: &str) -> Option<String> {
    let ends = |key: &char| action.recording_terminators.iter().any(|t| t.contains(*key));
    keys.chars().find(ends).map(String::from)
}

fn kept(destination: RecordingDestination, number: u32) -> RecordingDestination {
    match destination {
        RecordingDestination::S3 { bucket_name, prefix, .. } => {
            let folder = prefix.as_deref().map(|p| format!("{}/", p.trim_end_matches('/')));
            let key = format!("{}recording-{number}.wav", folder.unwrap_or_default());
            RecordingDestination::S3 { bucket_name, prefix, key: Some(key) }
        }
        other => other,
    }
}
