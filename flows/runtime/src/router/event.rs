//! What an event means for the workflow (the sample's event router, and where we differ from it).

use offhook_sma::action::{Action, LegTag};
use offhook_sma::event::{EventType, InvocationEvent, Participant, Status, Subject};
use serde_json::Value;

use super::WAKE_ARGUMENT;

/// What the sample says when an event has no words for why something failed.
const NO_CAUSE: &str = "No cause reported";

/// What is to be done about an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Start the execution.
    Begin,
    /// Nothing: it tells only.
    Informational,
    /// The waiting task is done, and the event is its result.
    Success,
    /// The waiting task failed.
    Failure {
        /// The event's type.
        error: String,
        /// Why.
        cause: String,
    },
    /// A leg ended.
    Hangup(LegTag),
    /// Nobody is there any more; the `HANGUP` that follows says it.
    Gone,
    /// The router itself asked whether a message waits.
    Wake,
}

pub(crate) fn meaning(event: &InvocationEvent) -> Meaning {
    match event.invocation_event_type {
        EventType::NewInboundCall | EventType::NewOutboundCall => Meaning::Begin,
        EventType::Ringing | EventType::ActionInterrupted => Meaning::Informational,
        EventType::CallUpdateRequested if is_wake(event) => Meaning::Wake,
        EventType::ActionSuccessful if nobody_is_there(event) && !recorded(event) => Meaning::Gone,
        EventType::ActionSuccessful
        | EventType::CallAnswered
        | EventType::CallUpdateRequested
        | EventType::DigitsReceived => Meaning::Success,
        EventType::ActionFailed if nobody_is_there(event) => Meaning::Gone,
        EventType::ActionFailed | EventType::InvalidLambdaResponse => {
            let error = event.invocation_event_type.as_str().to_owned();
            Meaning::Failure { error, cause: cause(event) }
        }
        EventType::Hangup => Meaning::Hangup(hung_up(event)),
    }
}

fn cause(event: &InvocationEvent) -> String {
    let data = event.action_data.as_ref().and_then(|data| data.error_message.clone());
    data.or_else(|| event.error_message.clone()).unwrap_or_else(|| NO_CAUSE.to_owned())
}

/// A recording is not lost because the caller hung up.
fn recorded(event: &InvocationEvent) -> bool {
    event.action_data.as_ref().is_some_and(|data| {
        data.recording_destination.is_some()
            || matches!(data.action(), Some(Action::RecordAudio(_)))
    })
}

/// Legs that are up, or may come up.
pub(super) fn legs(event: &InvocationEvent) -> impl Iterator<Item = &Participant> {
    let gone = match event.invocation_event_type {
        EventType::Hangup => Some(hung_up(event)),
        _ => None,
    };
    let legs = event.call_details.participants.iter();
    legs.filter(move |leg| {
        leg.status != Some(Status::Disconnected) && gone != Some(leg.participant_tag)
    })
}

pub(super) fn nobody_is_there(event: &InvocationEvent) -> bool {
    legs(event).next().is_none()
}

/// Which leg a `HANGUP` is about: the one that it names, or that has the `CallId` that it names.
fn hung_up(event: &InvocationEvent) -> LegTag {
    let data = event.action_data.as_ref();
    let (tag, id) = match data.map(|data| &data.subject) {
        Some(Subject::Action(action)) => {
            let target = action.target();
            (target.participant_tag, target.call_id.as_deref())
        }
        Some(Subject::Other { parameters, .. }) => {
            let tag = parameters.get("ParticipantTag").cloned();
            let tag = tag.and_then(|tag| serde_json::from_value(tag).ok());
            (tag, parameters.get("CallId").and_then(Value::as_str))
        }
        None => (None, None),
    };
    let legs = &event.call_details.participants;
    let by_id = || legs.iter().find(|leg| Some(leg.call_id.as_str()) == id);
    tag.or_else(|| by_id().map(|leg| leg.participant_tag)).unwrap_or(LegTag::A)
}

fn is_wake(event: &InvocationEvent) -> bool {
    match event.action_data.as_ref().map(|data| &data.subject) {
        Some(Subject::Other { parameters, .. }) => {
            parameters.get("Arguments").is_some_and(|all| all.get(WAKE_ARGUMENT).is_some())
        }
        _ => false,
    }
}

/// The token that the event's attributes name.
pub(super) fn wait_token(event: &InvocationEvent) -> Option<&str> {
    event.call_details.transaction_attributes.as_ref()?.get("WaitToken")?.as_str()
}
