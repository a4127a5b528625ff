//! An event, as the decisions look at it. Legs are found by their tag or their id, never by their
//! place in the list.

use std::collections::BTreeMap;

use offhook_sma::action::Action;
use offhook_sma::event::{Participant, Status, Subject};
use offhook_sma::{EventType, InvocationEvent, LegTag};
use serde_json::Value;

/// An event.
#[derive(Clone, Copy)]
pub(super) struct View<'a>(pub(super) &'a InvocationEvent);

impl<'a> View<'a> {
    pub(super) fn leg(self, tag: LegTag) -> Option<&'a Participant> {
        // A leg that ended may stay in the list beside the one that took its place.
        let legs = &self.0.call_details.participants;
        let of_tag = || legs.iter().filter(|leg| leg.participant_tag == tag);
        let up = |leg: &&Participant| leg.status != Some(Status::Disconnected);
        of_tag().find(up).or_else(|| of_tag().next_back())
    }

    /// The other leg, when somebody is on it (or is being called).
    pub(super) fn other_leg(self) -> Option<&'a Participant> {
        self.leg(LegTag::B).filter(|leg| leg.status != Some(Status::Disconnected))
    }

    /// Whether the caller is gone, though the event says something else.
    pub(super) fn caller_is_gone(self) -> bool {
        self.leg(LegTag::A).is_some_and(|leg| leg.status == Some(Status::Disconnected))
    }

    /// Who called: on a call of ours, who was called.
    pub(super) fn caller(self) -> &'a str {
        let Some(leg) = self.leg(LegTag::A) else { return "" };
        if self.is_outbound() { &leg.to } else { &leg.from }
    }

    /// Our number of the first leg.
    pub(super) fn own_number(self) -> &'a str {
        let Some(leg) = self.leg(LegTag::A) else { return "" };
        if self.is_outbound() { &leg.from } else { &leg.to }
    }

    fn is_outbound(self) -> bool {
        let leg = self.leg(LegTag::A);
        leg.is_some_and(|leg| leg.direction == offhook_sma::event::Direction::Outbound)
    }

    /// The action that it is about.
    pub(super) fn action(self) -> &'a str {
        match self.0.action_data.as_ref().map(|data| &data.subject) {
            Some(Subject::Action(action)) => action.name(),
            Some(Subject::Other { kind, .. }) => kind,
            None => "",
        }
    }

    /// Whether it says that a sound could not be played.
    pub(super) fn failed_to_play(self) -> bool {
        self.0.invocation_event_type == EventType::ActionFailed && self.action() == "PlayAudio"
    }

    /// The leg that hung up: its tag and id. The tag counts; without one the id, and without that
    /// the leg that is down.
    pub(super) fn hung_up(self) -> (LegTag, Option<String>) {
        let target = self.0.action_data.as_ref().and_then(|data| data.action()).map(Action::target);
        let id = target.and_then(|target| target.call_id.clone());
        let legs = &self.0.call_details.participants;
        let by_id = || legs.iter().find(|leg| Some(&leg.call_id) == id.as_ref());
        let down = || legs.iter().find(|leg| leg.status == Some(Status::Disconnected));
        let tag = target
            .and_then(|target| target.participant_tag)
            .or_else(|| Some(by_id().or_else(down)?.participant_tag));
        let tag = tag.unwrap_or(LegTag::A);
        let of_tag = || {
            let gone = |leg: &&Participant| {
                leg.participant_tag == tag && leg.status == Some(Status::Disconnected)
            };
            legs.iter().find(gone).map(|leg| leg.call_id.clone())
        };
        (tag, id.or_else(of_tag))
    }

    /// What an API request carried.
    pub(super) fn arguments(self) -> BTreeMap<String, String> {
        let Some(data) = &self.0.action_data else { return BTreeMap::new() };
        let Subject::Other { parameters, .. } = &data.subject else { return BTreeMap::new() };
        let Some(Value::Object(given)) = parameters.get("Arguments") else {
            return BTreeMap::new();
        };
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        given.iter().map(|(name, value)| (name.clone(), text(value))).collect()
    }

    /// Why something failed, for people.
    pub(super) fn failure(self) -> String {
        let data = self.0.action_data.as_ref();
        let kind = data.and_then(|data| data.error_type.as_ref()).or(self.0.error_type.as_ref());
        let words =
            data.and_then(|data| data.error_message.as_ref()).or(self.0.error_message.as_ref());
        let text = |text: Option<&String>| text.cloned().unwrap_or_default();
        format!("{}: {} {}", self.what(), text(kind), text(words)).trim_end().to_owned()
    }

    fn what(self) -> &'a str {
        match self.0.invocation_event_type {
            EventType::InvalidLambdaResponse => "the reply was refused",
            _ => self.action(),
        }
    }
}
