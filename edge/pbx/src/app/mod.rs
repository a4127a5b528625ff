//! Applications: what runs a call. Events in, actions out; nothing else decides what a call does.
//!
//! The built-in ones here use the same actions that a workflow or a Lambda uses; a desk phone
//! calling a desk phone takes the same road as a customer in an IVR.

mod click;
mod dial;
mod menu;
mod simple;
mod told;
mod voicemail;

pub(crate) use click::Click;
pub use dial::{Dial, Step};
pub use menu::{Lamp, VoicemailMenu};
pub use simple::{Conference, Echo, NewConference, Play, Record, Refuse, Say, Supervise};
pub(crate) use told::Told;
pub use voicemail::{Greeting, Mailbox, Voicemail};

use futures_util::future::BoxFuture;
use offhook_sma::action::{Action, AudioSource, Hangup, LegTag, PlayAudio, Target};
use offhook_sma::event::{ActionData, EventType, InvocationEvent, Subject};
use offhook_sma::reply::{Reply, ReplyError};

use crate::failure::Failure;

/// Something that runs calls.
pub trait Application: Send {
    /// Its name, for the timeline (`dial`, `voicemail`, …).
    fn name(&self) -> &'static str;

    /// Tells it what happened; it says what to do. Called for one event at a time. The call goes
    /// on while the future is pending: whatever plays, plays.
    fn handle(&mut self, event: InvocationEvent) -> BoxFuture<'_, Result<Reply, AppError>>;

    /// Whether it goes on when the appliance died with its call, and is told then of what the call had
    /// recorded until that.
    fn outlives_call(&self) -> bool {
        false
    }

    /// What was remarkable since the last time, for the call's timeline.
    fn take_notes(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// Why it has given the call up with the reply that it just gave; once. Asked after
    /// the notes.
    fn take_failure(&mut self) -> Option<GivenUp> {
        None
    }
}

/// Why an application has given a call up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// By the catalogue.
    pub failure: &'static Failure,
    /// In words.
    pub why: String,
}

/// Why an application gave no usable answer. The call hears an apology and ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppError {
    /// It could not be asked (network, rights, throttling).
    #[error("the application cannot be reached: {0}")]
    Unreachable(String),
    /// It took too long.
    #[error("the application did not answer in time")]
    TimedOut,
    /// It failed and said so.
    #[error("the application failed: {0}")]
    Failed(String),
    /// Its answer makes no sense.
    #[error(transparent)]
    Invalid(#[from] ReplyError),
}

/// An application that needs no waiting: one event, one reply.
pub(crate) trait Immediate: Send {
    fn name(&self) -> &'static str;
    fn reply(&mut self, event: &InvocationEvent) -> Reply;
}

impl<T: Immediate> Application for T {
    fn name(&self) -> &'static str {
        Immediate::name(self)
    }

    fn handle(&mut self, event: InvocationEvent) -> BoxFuture<'_, Result<Reply, AppError>> {
        let reply = self.reply(&event);
        Box::pin(std::future::ready(Ok(reply)))
    }
}

/// `Hangup` of a leg with a final status, for calls that may not be answered yet.
pub(crate) fn hang_up(leg: LegTag, status: u16) -> Action {
    Action::Hangup(Hangup { target: Target::tag(leg), sip_response_code: u64::from(status) })
}

/// `PlayAudio` to the caller, once.
pub(crate) fn play(source: AudioSource) -> Action {
    Action::PlayAudio(PlayAudio {
        target: Target::tag(LegTag::A),
        audio_source: source,
        repeat: 1,
        playback_terminators: Vec::new(),
    })
}

/// A prompt that came with the program.
pub(crate) fn builtin(name: &str) -> AudioSource {
    AudioSource::Builtin { name: name.to_owned() }
}

/// The leg that a `HANGUP` is about.
pub(crate) fn hung_up_leg(event: &InvocationEvent) -> Option<LegTag> {
    if event.invocation_event_type != EventType::Hangup {
        return None;
    }
    let data = event.action_data.as_ref()?;
    match &data.subject {
        Subject::Action(action) => action.target().participant_tag,
        Subject::Other { .. } => None,
    }
}

/// The action that an `ACTION_SUCCESSFUL` or `ACTION_FAILED` is about.
pub(crate) fn subject(event: &InvocationEvent) -> Option<(&ActionData, &Action)> {
    let data = event.action_data.as_ref()?;
    Some((data, data.action()?))
}

#[cfg(test)]
mod tests;
