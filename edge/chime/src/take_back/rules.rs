//! What the operator decides about the application.

use std::time::Duration;

use offhook_sma::action::AudioSource;
use offhook_sma::speech::SpeechParameters;

use super::carried::{APPLICATION, Direct, TRANSACTION};
use super::target::Target;

/// What a caller gets when all pairs are in use, or cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exhausted {
    /// He waits so long for a pair, in steps.
    pub wait: Duration,
    /// One step.
    pub step: Duration,
    /// What he hears meanwhile, as long as a step; `None`: nothing.
    pub music: Option<AudioSource>,
}

/// What callers are told. An empty text is not said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Before he is bridged to Connect.
    pub greeting: String,
    /// Before he is bridged to the target.
    pub hold: String,
    /// Once, when he waits for a pair.
    pub wait: String,
    /// The target did not answer: he goes back to Connect.
    pub returning: String,
    /// Before he is hung up on.
    pub apology: String,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Which program this is, in the pool.
    pub holder: String,
    /// Engine, language and voice of what is said.
    pub voice: SpeechParameters,
    /// What is said.
    pub words: Words,
    /// A lease while Connect is being called: whoever is gone before it answers leaks no longer.
    pub ringing_lease: Duration,
    /// A lease while Connect talks.
    pub lease: Duration,
    /// How long Connect may ring, in seconds (1 to 120).
    pub connect_timeout: u64,
    /// How long the target may ring, in seconds (1 to 120).
    pub target_timeout: u64,
    /// Where calls go that name no target, and those that cannot be bridged to Connect.
    pub default_target: Option<Target>,
    /// A target without an ARN and a plus sign is an extension of this office: where Offhook itself
    /// runs the application.
    pub extensions: bool,
    /// What is said before a target is called is said while it rings, and the ringing tone after it:
    /// where Offhook itself runs the application, the target need not wait for the words.
    pub words_while_ringing: bool,
    /// The header by which a Voice Connector's target learns the transaction's id; empty: none.
    pub transaction_header: String,
    /// And the application's.
    pub application_header: String,
    /// The caller's number is shown to the target, in the place of ours.
    pub show_caller: bool,
    /// How long the caller is held when Connect hangs up: its request to take him back may be on
    /// its way. Zero: not at all.
    pub grace: Duration,
    /// How often a caller may go back to Connect when a target does not answer.
    pub returns: u32,
    /// All pairs in use.
    pub exhausted: Exhausted,
    /// A way to Connect that needs no pair. It goes before pairs.
    pub direct: Option<Direct>,
}

impl Default for Rules {
    fn default() -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            holder: "sma-function".to_owned(),
            voice: SpeechParameters {
                text: None,
                engine: Some(text("neural")),
                language_code: Some(text("en-US")),
                text_type: Some(text("text")),
                voice_id: Some(text("Joanna")),
            },
            words: Words {
                greeting: String::new(),
                hold: text("Please hold while we connect you."),
                wait: text("All lines are busy. Please hold, you are next."),
                returning: text("Nobody answers at the moment. We are taking you back."),
                apology: text("We are sorry, your call cannot be connected. Please call again."),
            },
            ringing_lease: Duration::from_secs(120),
            lease: Duration::from_secs(4 * 3_600),
            connect_timeout: 30,
            target_timeout: 30,
            default_target: None,
            extensions: false,
            words_while_ringing: false,
            transaction_header: TRANSACTION.to_owned(),
            application_header: APPLICATION.to_owned(),
            show_caller: false,
            grace: Duration::from_secs(3),
            returns: 1,
            direct: None,
            exhausted: Exhausted {
                wait: Duration::from_secs(60),
                step: Duration::from_secs(5),
                music: None,
            },
        }
    }
}

impl Rules {
    /// Steps that a caller waits for a pair.
    pub(super) fn waits(&self) -> u32 {
        let steps = self.exhausted.wait.as_millis() / self.exhausted.step.as_millis().max(1);
        u32::try_from(steps).unwrap_or(u32::MAX)
    }
}
