//! Says what came of something that a phone ordered by a call.

use offhook_sma::action::{Action, LegTag, Target};
use offhook_sma::event::{EventType, InvocationEvent};
use offhook_sma::reply::Reply;
use offhook_sma::speech::{Speak, SpeechParameters};

use futures_util::future::BoxFuture;

use super::{AppError, Application, GivenUp, builtin, hang_up, play};
use crate::failure::Failure;

/// Speaks, then hangs up. Where nobody can speak a sound says whether it went well.
#[derive(Debug)]
pub(crate) struct Told {
    words: &'static str,
    well: bool,
    /// Of the order, for the record, when all is said.
    failure: Option<&'static Failure>,
    /// Nobody can speak.
    mute: bool,
    over: bool,
}

impl Told {
    pub(crate) fn new(words: &'static str, well: bool, failure: Option<&'static Failure>) -> Self {
        Self { words, well, failure, mute: false, over: false }
    }

    fn reply(&mut self, event: &InvocationEvent) -> Reply {
        match event.invocation_event_type {
            EventType::NewInboundCall => {
                let speech = SpeechParameters::text(self.words);
                let speak = Speak { target: Target::tag(LegTag::A), speech };
                Reply::actions(vec![Action::Speak(Box::new(speak)), hang_up(LegTag::A, 0)])
            }
            EventType::ActionFailed if self.mute => Reply::actions(vec![hang_up(LegTag::A, 500)]),
            EventType::ActionFailed => {
                self.mute = true;
                let sound = builtin(if self.well { "beep" } else { "error" });
                Reply::actions(vec![play(sound), hang_up(LegTag::A, 0)])
            }
            EventType::Hangup => {
                self.over = true;
                Reply::nothing()
            }
            _ => Reply::nothing(),
        }
    }
}

impl Application for Told {
    fn name(&self) -> &'static str {
        "told"
    }

    fn handle(&mut self, event: InvocationEvent) -> BoxFuture<'_, Result<Reply, AppError>> {
        let reply = self.reply(&event);
        Box::pin(std::future::ready(Ok(reply)))
    }

    /// Not before the end: what failed before an answer is history.
    fn take_failure(&mut self) -> Option<GivenUp> {
        let failure = self.failure.take_if(|_| self.over)?;
        Some(GivenUp { failure, why: self.words.to_owned() })
    }
}
