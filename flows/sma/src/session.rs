//! The rules of one call: numbering of events, participants, attributes, and the action list.

use std::collections::VecDeque;

use serde_json::Map;

use crate::action::{Action, LegTag, Target};
use crate::event::{
    ActionData, ActionError, CallDetails, Direction, EventType, InvocationEvent, Participant,
    Status, error_type,
};
use crate::reply::Reply;
use crate::rules::{Attributes, EmptyList, Rules};

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
            other: Map::new(),
        }
    }

    /// The next event as it would be if all legs were gone by then. It is not counted.
    pub fn last_event(&self, kind: EventType, data: Option<ActionData>) -> InvocationEvent {
        let mut copy = Self { details: self.details.clone(), sequence: self.sequence };
        let mut event = copy.event(kind, data);
        for leg in &mut event.call_details.participants {
            leg.status = Some(Status::Disconnected);
        }
        event
    }

    /// `INVALID_LAMBDA_RESPONSE`: its reasons stand at the top, beside `CallDetails`
    /// (attribute-trans-invalid; the prose of pstn-invocations says otherwise).
    pub fn invalid_reply(&mut self, kind: &str, message: &str) -> InvocationEvent {
        let mut event = self.event(EventType::InvalidLambdaResponse, None);
        event.error_type = Some(kind.to_owned());
        event.error_message = Some(message.to_owned());
        event
    }

    /// Takes over the attributes of a reply: they replace all that was kept, and an empty map
    /// clears.
    pub fn keep_attributes(&mut self, reply: &Reply, rules: &Rules) {
        let Some(new) = &reply.transaction_attributes else { return };
        let kept = self.details.transaction_attributes.take();
        let mut all = match rules.attributes {
            Attributes::Merge if !new.is_empty() => kept.unwrap_or_default(),
            _ => Map::new(),
        };
        all.extend(new.clone());
        self.details.transaction_attributes = (!all.is_empty()).then_some(all);
    }

    /// Whether actions are run that answer this event of this leg: never those to `RINGING` and
    /// the like, and not when nobody is there for them.
    pub fn acts_on(&self, told: EventType, leg: LegTag, rules: &Rules) -> bool {
        let alive = |p: &Participant| p.status != Some(Status::Disconnected);
        match told {
            EventType::Hangup => self.other_connected(leg),
            _ => rules.takes_actions(told) && self.details.participants.iter().any(alive),
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

    /// Makes a leg that was called one that calls, with the same two numbers; `rule_of` gives the
    /// SIP rule of the number that it calls then.
    pub fn set_inbound(&mut self, tag: LegTag, rule_of: impl FnOnce(&str) -> String) {
        let leg = self.details.participants.iter_mut().find(|p| p.participant_tag == tag);
        if let Some(leg) = leg.filter(|leg| leg.direction != Direction::Inbound) {
            leg.direction = Direction::Inbound;
            std::mem::swap(&mut leg.from, &mut leg.to);
            self.details.sip_rule_id = Some(rule_of(&leg.to));
        }
    }

    /// Whether a leg other than `tag` is up: only then are actions run that answer a hangup.
    pub fn other_connected(&self, tag: LegTag) -> bool {
        let mut legs = self.details.participants.iter();
        legs.any(|p| p.participant_tag != tag && p.status == Some(Status::Connected))
    }

    /// Which leg an action is for. One that names none is for the leg of the event that it answers,
    /// and when that is gone for whoever is left.
    ///
    /// # Errors
    /// `InvalidActionParameter` when it names a leg that there is not.
    pub fn resolve(&self, target: &Target, invoked_for: LegTag) -> Result<LegTag, ActionError> {
        let legs = &self.details.participants;
        let found = match (&target.call_id, target.participant_tag) {
            (Some(id), _) => legs.iter().find(|p| p.call_id == *id),
            (None, Some(tag)) => legs.iter().find(|p| p.participant_tag == tag),
            (None, None) => {
                let alive = |p: &&Participant| p.status != Some(Status::Disconnected);
                let of_event = legs.iter().find(|p| p.participant_tag == invoked_for);
                of_event.filter(alive).or_else(|| legs.iter().find(alive)).or(of_event)
            }
        };
        found.map(|p| p.participant_tag).ok_or_else(|| {
            ActionError::new(
                error_type::INVALID_ACTION_PARAMETER,
                "CallId or ParticipantTag parameter for action is invalid",
            )
        })
    }
}

/// What a reply did to the action list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Nothing.
    Kept,
    /// Another list waits behind what runs.
    Replaced,
    /// The same, and what runs is to be stopped: [`Script::interrupted`].
    Interrupts,
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

    /// Whether something waits behind what runs.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Forgets what waits; what runs goes on.
    pub fn drop_waiting(&mut self) {
        self.waiting.clear();
    }

    /// Whether nothing runs and nothing waits.
    pub fn is_idle(&self) -> bool {
        self.running.is_none() && self.waiting.is_empty()
    }

    /// A reply came. No actions: nothing changes. A list takes the place of what waited; what runs
    /// goes on to its end, unless the reply is to a call update and it can be interrupted.
    pub fn take(&mut self, reply: Reply, told: EventType, rules: &Rules) -> Taken {
        let Some(actions) = reply.actions else { return Taken::Kept };
        if actions.is_empty() && rules.empty_list == EmptyList::Keeps {
            return Taken::Kept;
        }
        let stops = actions.is_empty() || told == EventType::CallUpdateRequested;
        self.waiting = actions.into();
        match &self.running {
            Some(running) if stops && running.is_interruptible(rules) => Taken::Interrupts,
            _ => Taken::Replaced,
        }
    }

    /// The running action was stopped half-way; what waits has its turn.
    pub fn interrupted(&mut self) -> Option<Action> {
        self.running.take()
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
    pub fn succeeded(&mut self, rules: &Rules) -> Option<Action> {
        let done = self.running.take()?;
        (self.waiting.is_empty() || done.always_reports(rules)).then_some(done)
    }

    /// The running `Hangup` is carried out: the application hears of it by `HANGUP`. What waits has
    /// its turn when that was answered.
    pub fn hung_up(&mut self) -> Option<Action> {
        self.running.take()
    }

    /// A leg is gone. An action that ran on it ends without a word, and so does what waited behind
    /// it; gives that action.
    pub fn leg_gone(&mut self, leg: LegTag) -> Option<Action> {
        let on = |action: &Action| action.target().participant_tag.unwrap_or(LegTag::A) == leg;
        if !self.running.as_ref().is_some_and(on) {
            return None;
        }
        self.clear()
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
