//! The rules of one call: numbering of events, participants, attributes, and the action list.

use std::collections::VecDeque;

use crate::action::{Action, LegTag, Target};
use crate::event::{
    ActionData, ActionError, CallDetails, EventType, InvocationEvent, Participant, Status,
    error_type,
};
use crate::reply::Reply;

/// Most invocations in one call (AWS's own limit).
pub const MAX_INVOCATIONS: u32 = 1000;

/// A call as the application sees it.
#[derive(Debug)]
pub struct Transaction {
    details: CallDetails,
    sequence: u32,
}

impl Transaction {
    /// A new call; no event was sent yet.
    pub fn new(details: CallDetails) -> Self {
        Self { details, sequence: 0 }
    }

    /// As it stands.
    pub fn details(&self) -> &CallDetails {
        &self.details
    }

    /// Events so far.
    pub fn invocations(&self) -> u32 {
        self.sequence
    }

    /// The next event.
    pub fn event(&mut self, kind: EventType, data: Option<ActionData>) -> InvocationEvent {
        self.sequence = self.sequence.saturating_add(1);
        InvocationEvent {
            schema_version: crate::SCHEMA_VERSION.to_owned(),
            sequence: self.sequence,
            invocation_event_type: kind,
            action_data: data,
            call_details: self.details.clone(),
            error_type: None,
            error_message: None,
        }
    }

    /// Takes over the attributes of a reply: they replace all that was kept, and an empty map
    /// clears.
    pub fn keep_attributes(&mut self, reply: &Reply) {
        if let Some(new) = &reply.transaction_attributes {
            self.details.transaction_attributes = (!new.is_empty()).then(|| new.clone());
        }
    }

    /// The newest participant with this tag.
    pub fn participant(&self, tag: LegTag) -> Option<&Participant> {
        self.details.participants.iter().rev().find(|p| p.participant_tag == tag)
    }

    /// Adds a leg; one with the same tag before it is forgotten, as in AWS.
    pub fn add_participant(&mut self, participant: Participant) {
        self.remove_participant(participant.participant_tag);
        self.details.participants.push(participant);
    }

    /// Takes a leg out of the list.
    pub fn remove_participant(&mut self, tag: LegTag) {
        self.details.participants.retain(|p| p.participant_tag != tag);
    }

    /// Sets a leg's status.
    pub fn set_status(&mut self, tag: LegTag, status: Status) {
        let leg = self.details.participants.iter_mut().find(|p| p.participant_tag == tag);
        if let Some(leg) = leg {
            leg.status = Some(status);
        }
    }

    /// Whether a leg other than `tag` is up: only then are actions run that answer a hangup.
    pub fn other_connected(&self, tag: LegTag) -> bool {
        let mut legs = self.details.participants.iter();
        legs.any(|p| p.participant_tag != tag && p.status == Some(Status::Connected))
    }

    /// Which leg an action is for.
    ///
    /// # Errors
    /// `InvalidActionParameter` when it names a leg that there is not.
    pub fn resolve(&self, target: &Target, invoked_for: LegTag) -> Result<LegTag, ActionError> {
        let legs = &self.details.participants;
        let found = match (&target.call_id, target.participant_tag) {
            (Some(id), _) => legs.iter().find(|p| p.call_id == *id),
            (None, Some(tag)) => legs.iter().find(|p| p.participant_tag == tag),
            (None, None) => legs.iter().find(|p| p.participant_tag == invoked_for),
        };
        found.map(|p| p.participant_tag).ok_or_else(|| {
            ActionError::new(
                error_type::INVALID_ACTION_PARAMETER,
                "CallId or ParticipantTag parameter for action is invalid",
            )
        })
    }
}

/// The action list: what runs, and what waits behind it.
#[derive(Debug, Default)]
pub struct Script {
    running: Option<Action>,
    waiting: VecDeque<Action>,
}

impl Script {
    /// The action that runs.
    pub fn running(&self) -> Option<&Action> {
        self.running.as_ref()
    }

    /// The same, to fill in what was resolved.
    pub fn running_mut(&mut self) -> Option<&mut Action> {
        self.running.as_mut()
    }

    /// Whether nothing runs and nothing waits.
    pub fn is_idle(&self) -> bool {
        self.running.is_none() && self.waiting.is_empty()
    }

    /// A reply came. No actions: nothing changes. A list, even an empty one, takes the place of
    /// what waited; what runs goes on to its end.
    pub fn take(&mut self, reply: Reply) {
        if let Some(actions) = reply.actions {
            self.waiting = actions.into();
        }
    }

    /// Begins the next action, when none runs.
    pub fn start_next(&mut self) -> Option<&Action> {
        if self.running.is_some() {
            return None;
        }
        self.running = self.waiting.pop_front();
        self.running.as_ref()
    }

    /// The running action is done. `Some`: the application is to be told.
    pub fn succeeded(&mut self) -> Option<Action> {
        let done = self.running.take()?;
        (self.waiting.is_empty() || done.always_reports()).then_some(done)
    }

    /// The running action failed: what waited behind it is dropped.
    pub fn failed(&mut self) -> Option<Action> {
        self.waiting.clear();
        self.running.take()
    }

    /// Forgets all of it (a leg is gone, or a call update stopped it).
    pub fn clear(&mut self) -> Option<Action> {
        self.waiting.clear();
        self.running.take()
    }
}
