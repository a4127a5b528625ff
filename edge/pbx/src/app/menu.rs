//! The voicemail menu (`*97`): hears, saves and deletes messages.
//!
//! Before the first message `*` leads to another mailbox, behind its PIN.
//!
//! Keys while a message plays and after it: `1` again, `2` save, `3` delete, `#` next, `*` end. While
//! it plays, too: `4` five seconds back, `5` pause and go on, `6` five seconds on. Those the media
//! thread follows by itself; here they only come after the end.
//!
//! > A key is about the message that plays or has just played, and about no other. No key destroys
//! > a message of which nothing was heard: whoever presses `3` twice, or a moment too late, is told
//! > the choices first, and a second `3` is needed. What was skipped unheard stays new.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use offhook_media::prompts::{Prompt, number_prompts};
use offhook_sma::action::{
    Action, AudioSource, DigitInput, LegTag, PlayAudioAndGetDigits, PlaybackControl, Target,
};
use offhook_sma::event::{EventType, InvocationEvent, error_type};
use offhook_sma::reply::Reply;
use tokio::time::Instant;

use super::{AppError, Application, builtin, hang_up, hung_up_leg, play};
use crate::keep::{Keep, Voicemail};
use crate::pin;

/// Wrong PINs before the call ends.
const TRIES: u32 = 3;
/// So much of a message counts as having heard it. Longer than a key that was meant for the one
/// before is late, the time included in which its file is read.
const HEARD_AFTER: Duration = Duration::from_secs(2);

/// How far a key goes in a message, in ms.
const SEEK: i64 = 5_000;

/// Told when a mailbox's counts changed, to set the lamp right.
pub type Lamp = Arc<dyn Fn(&str) + Send + Sync>;

enum State {
    /// Nothing asked yet.
    Start,
    /// Waits for a mailbox's number.
    Number,
    /// Waits for its PIN.
    Pin { tries: u32 },
    /// Says how many there are.
    Counted,
    /// Plays a message.
    Playing {
        /// Since when.
        since: Instant,
        /// Whether it was heard before.
        heard: bool,
    },
    /// Asks what is to become of it.
    Asked { heard: bool },
    /// Says what became of one; then the next one plays.
    Told,
    /// Says good-bye.
    Over,
}

/// The menu.
pub struct VoicemailMenu {
    keep: Arc<dyn Keep>,
    lamp: Lamp,
    mailbox: String,
    /// Whether the call comes from the mailbox's own phone: no PIN then.
    own: bool,
    state: State,
    /// What is still to be heard, next first.
    messages: Vec<Voicemail>,
    guard: Arc<pin::Guard>,
}

impl VoicemailMenu {
    /// `own`: the authenticated extension that calls; `None`: a call from outside.
    pub fn new(
        own: Option<String>,
        keep: Arc<dyn Keep>,
        lamp: Lamp,
        guard: Arc<pin::Guard>,
    ) -> Self {
        Self {
            keep,
            guard,
            lamp,
            own: own.is_some(),
            mailbox: own.unwrap_or_default(),
            state: State::Start,
            messages: Vec::new(),
        }
    }

    async fn answer(&mut self, event: InvocationEvent) -> Result<Reply, AppError> {
        if hung_up_leg(&event).is_some() {
            return Ok(Reply::nothing());
        }
        // No digits in time is how a prompt ends; whatever else went wrong, it was not played.
        let unplayable = event.invocation_event_type == EventType::ActionFailed
            && event.action_data.as_ref().and_then(|d| d.error_type.as_deref())
                != Some(error_type::INVALID_DIGITS_RECEIVED);
        if unplayable && matches!(self.state, State::Playing { .. }) {
            return Ok(self.skip());
        }
        let digits = match event.invocation_event_type {
            EventType::ActionSuccessful => {
                event.action_data.and_then(|d| d.outcome.received_digits).unwrap_or_default()
            }
            EventType::NewInboundCall | EventType::ActionFailed => String::new(),
            _ => return Ok(Reply::nothing()),
        };
        match self.state {
            State::Start if self.own => self.open().await,
            State::Start => Ok(self.ask_number()),
            State::Number if digits.is_empty() => Ok(self.end("goodbye")),
            State::Number => {
                self.mailbox = digits;
                self.state = State::Pin { tries: 1 };
                Ok(ask(builtin("vm-enter-pin"), "#", 16, 6_000))
            }
            State::Pin { tries } => self.check_pin(&digits, tries).await,
            State::Counted if digits == "*" => Ok(self.ask_number()),
            State::Counted if self.messages.is_empty() => Ok(self.end("goodbye")),
            State::Counted | State::Told => Ok(self.play_message(false)),
            State::Playing { since, heard } => {
                let heard = heard || digits.is_empty() || since.elapsed() >= HEARD_AFTER;
                self.key(&digits, heard, false).await
            }
            State::Asked { heard } => self.key(&digits, heard, true).await,
            State::Over => Ok(Reply::actions(vec![hang_up(LegTag::A, 0)])),
        }
    }

    async fn check_pin(&mut self, digits: &str, tries: u32) -> Result<Reply, AppError> {
        // The same words and the same time for a box that there is not, that has no PIN or is
        // locked: it must not be told.
        let known = self.keep.load_extensions().await.map_err(kept)?;
        let stored = known.into_iter().find(|e| e.number == self.mailbox).and_then(|e| e.pin);
        let has_one = stored.is_some();
        let (stored, digits) = (stored.unwrap_or_else(|| pin::NOBODYS.into()), digits.to_owned());
        // Milliseconds of arithmetic: signalling, whose thread this is, does not wait for them.
        let right = tokio::task::spawn_blocking(move || pin::verify(&stored, &digits)).await;
        let right = right.map_err(|e| AppError::Failed(e.to_string()))? && has_one;
        if has_one && self.guard.admits(&self.mailbox, right) {
            return self.open().await;
        }
        if tries >= TRIES {
            return Ok(self.end("vm-wrong-pin"));
        }
        self.state = State::Pin { tries: tries + 1 };
        Ok(ask(builtin("vm-wrong-pin"), "#", 16, 6_000))
    }

    /// Somebody else's phone, or a call from outside: which mailbox, then its PIN.
    fn ask_number(&mut self) -> Reply {
        self.own = false;
        self.messages.clear();
        self.state = State::Number;
        ask(builtin("vm-enter-mailbox"), "#", 20, 6_000)
    }

    /// A message that cannot be played is left as it is: it was not heard.
    fn skip(&mut self) -> Reply {
        self.messages.pop();
        self.tell("error")
    }

    /// Says a prompt by itself, without keys, and goes on to the next message after it: a key
    /// pressed meanwhile is about no message.
    fn tell(&mut self, prompt: &str) -> Reply {
        self.state = State::Told;
        Reply::actions(vec![play(builtin(prompt))])
    }

    async fn open(&mut self) -> Result<Reply, AppError> {
        let mut messages = self.keep.list_voicemails(self.mailbox.clone()).await.map_err(kept)?;
        // New ones first, each kind oldest first; taken from the end.
        messages.sort_by_key(|m| (m.heard, m.received));
        messages.reverse();
        self.messages = messages;
        self.state = State::Counted;
        if self.messages.is_empty() {
            return Ok(ask(builtin("vm-no-messages"), "", 1, 1_000));
        }
        let count = |heard| self.messages.iter().filter(|m| m.heard == heard).count();
        let said = spoken_counts(count(false), count(true));
        Ok(ask(builtin(&said), "", 1, 1_000))
    }

    /// `heard`: it was heard before in this call.
    fn play_message(&mut self, heard: bool) -> Reply {
        let Some(message) = self.messages.last() else { return self.end("vm-no-more") };
        let heard = heard || message.heard;
        self.state = State::Playing { since: Instant::now(), heard };
        let path = message.file.to_string_lossy().into_owned();
        ask_with(AudioSource::File { path }, "", 1, 3_000, seek_keys())
    }

    /// Says the choices, after `before`.
    fn ask_what(&mut self, before: &str, heard: bool) -> Reply {
        self.state = State::Asked { heard };
        ask(builtin(format!("{before} vm-message-menu").trim_start()), "", 1, 3_000)
    }

    /// A key, or none in time. `asked`: after the choices were said.
    async fn key(&mut self, digits: &str, heard: bool, asked: bool) -> Result<Reply, AppError> {
        let Some(message) = self.messages.last().cloned() else {
            return Ok(self.end("vm-no-more"));
        };
        let saved = message.saved || digits == "2";
        if (heard, saved) != (message.heard, message.saved) && digits != "3" {
            self.keep.mark_voicemail(message.id.clone(), heard, saved).await.map_err(kept)?;
            (self.lamp)(&self.mailbox);
            if let Some(message) = self.messages.last_mut() {
                (message.heard, message.saved) = (heard, saved);
            }
        }
        match digits {
            // Back from its end is as good as again.
            "1" | "4" => return Ok(self.play_message(heard)),
            "" if !asked => return Ok(self.ask_what("", heard)),
            // Nothing was heard of it yet: this key was meant for the one before.
            "3" if !heard && !asked => return Ok(self.ask_what("", heard)),
            "3" => {
                self.keep.delete_voicemail(message.id).await.map_err(kept)?;
                (self.lamp)(&self.mailbox);
            }
            "" | "2" | "#" | "*" => {}
            _ => return Ok(self.ask_what("invalid", heard)),
        }
        self.messages.pop();
        Ok(match digits {
            "2" => self.tell("vm-kept"),
            "3" => self.tell("vm-deleted"),
            "*" => self.end("goodbye"),
            _ => self.play_message(false),
        })
    }

    fn end(&mut self, prompt: &str) -> Reply {
        self.state = State::Over;
        Reply::actions(vec![play(builtin(prompt)), hang_up(LegTag::A, 0)])
    }
}

/// Names of prompts, one after the other: "You have | 2 | new messages | and | 1 | old message".
fn spoken_counts(new: usize, old: usize) -> String {
    let part = |count: usize, what: &str| {
        let plural = if count == 1 { "" } else { "s" };
        format!("{} vm-{what}-message{plural}", spoken_number(count))
    };
    match (new, old) {
        (new, 0) => format!("vm-you-have {}", part(new, "new")),
        (0, old) => format!("vm-you-have {}", part(old, "old")),
        (new, old) => format!("vm-you-have {} vm-and {}", part(new, "new"), part(old, "old")),
    }
}

/// Names of the prompts that say a number.
fn spoken_number(number: usize) -> String {
    let words = number_prompts(u32::try_from(number).unwrap_or(u32::MAX));
    words.into_iter().map(Prompt::name).collect::<Vec<_>>().join(" ")
}

#[allow(clippy::needless_pass_by_value)]
fn kept(error: crate::keep::KeepError) -> AppError {
    AppError::Failed(error.to_string())
}

/// Plays and collects; ended by `terminator` when it is not empty, else by `most` digits. `wait`:
/// milliseconds after the prompt.
fn ask(source: AudioSource, terminator: &str, most: u64, wait: u64) -> Reply {
    ask_with(source, terminator, most, wait, Vec::new())
}

/// Keys that go about in a message.
fn seek_keys() -> Vec<PlaybackControl> {
    let keys = [("4", -SEEK), ("5", 0), ("6", SEEK)];
    let key = |(digit, ms): (&str, i64)| PlaybackControl {
        digit: digit.to_owned(),
        seek_milliseconds: ms,
    };
    keys.map(key).to_vec()
}

fn ask_with(
    source: AudioSource,
    terminator: &str,
    most: u64,
    wait: u64,
    playback_controls: Vec<PlaybackControl>,
) -> Reply {
    let terminators = if terminator.is_empty() { vec![] } else { vec![terminator.to_owned()] };
    Reply::actions(vec![Action::PlayAudioAndGetDigits(PlayAudioAndGetDigits {
        input: DigitInput {
            input_digits_regex: None,
            min_number_of_digits: 1,
            max_number_of_digits: most,
            terminator_digits: terminators,
            in_between_digits_duration_in_milliseconds: Some(4_000),
            repeat: 1,
            repeat_duration_in_milliseconds: wait,
        },
        target: Target::tag(LegTag::A),
        audio_source: source,
        failure_audio_source: None,
        playback_controls,
    })])
}

impl Application for VoicemailMenu {
    fn name(&self) -> &'static str {
        "voicemail-menu"
    }

    fn handle(&mut self, event: InvocationEvent) -> BoxFuture<'_, Result<Reply, AppError>> {
        Box::pin(self.answer(event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_said_in_words_that_there_are_prompts_for() {
        assert_eq!(spoken_counts(1, 0), "vm-you-have 1 vm-new-message");
        assert_eq!(
            spoken_counts(2, 47),
            "vm-you-have 2 vm-new-messages vm-and 40 7 vm-old-messages"
        );
        for (number, said) in
            [(0, "0"), (20, "20"), (21, "20 1"), (213, "2 100 13"), (1234, "1 1000 2 100 30 4")]
        {
            assert_eq!(spoken_number(number), said);
        }
    }
}
