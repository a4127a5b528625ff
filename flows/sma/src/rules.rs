//! Where AWS's documentation contradicts itself or real logs: one switch for each, with its default.

use std::time::Duration;

use crate::action::LegTag;
use crate::event::EventType;

/// How a session is run where the sources disagree. Serves as the place where a live test against
/// AWS is turned into behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Attributes of a reply and those that are kept.
    pub attributes: Attributes,
    /// Most pairs of them. 100 (transaction-attributes); the documented error text and the workshop
    /// of 2022 say 10.
    pub max_attributes: usize,
    /// A reply with `"Actions": []`.
    pub empty_list: EmptyList,
    /// Which actions are told of while others wait behind them.
    pub mid_list: MidList,
    /// `Hangup` of LEG-B while LEG-A stays.
    pub leg_b_hangup: LegBHangup,
    /// `Hangup` of the only leg.
    pub sole_leg_hangup: SoleLegHangup,
    /// `NEW_INBOUND_CALL` that is answered without an action.
    pub nothing_to_do: NothingToDo,
    /// Which replies that make no sense the application hears of.
    pub invalid_reply: InvalidReply,
    /// What a call update stops half-way.
    pub interruptible: Interruptible,
    /// Whether `Pause` as the first action answers the call. It is in the guide's list of actions
    /// that do; whether it is answered in fact is not stated.
    pub pause_answers: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            attributes: Attributes::Replace,
            max_attributes: crate::reply::MAX_ATTRIBUTES,
            empty_list: EmptyList::Keeps,
            mid_list: MidList::Workshop,
            leg_b_hangup: LegBHangup::HangupThenSuccessful,
            sole_leg_hangup: SoleLegHangup::HangupOnly,
            nothing_to_do: NothingToDo::TimesOut,
            invalid_reply: InvalidReply::Attributes,
            interruptible: Interruptible::Documented,
            pause_answers: true,
        }
    }
}

/// See [`Rules::attributes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attributes {
    /// A reply's map takes the place of the whole (transaction-attributes, workshop).
    Replace,
    /// Its pairs are added (update-trans-attributes).
    Merge,
}

/// See [`Rules::empty_list`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyList {
    /// As no list at all: what runs and waits goes on (workshop; AWS's take-back sample needs it).
    Keeps,
    /// What waits is dropped and what may be interrupted stops; the call stays up (use cases of
    /// the guide).
    Stops,
}

/// See [`Rules::mid_list`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MidList {
    /// Also `CallAndBridge`, `Hangup` and `RecordAudio` (workshop).
    Workshop,
    /// Only those whose page says "always invokes an AWS Lambda function after running".
    Documented,
}

/// See [`Rules::leg_b_hangup`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegBHangup {
    /// `HANGUP`, then `ACTION_SUCCESSFUL` when the answer to it had no actions (README of the
    /// take-back sample).
    HangupThenSuccessful,
    /// `HANGUP` alone (hangup).
    HangupOnly,
}

/// See [`Rules::sole_leg_hangup`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoleLegHangup {
    /// `HANGUP` alone (hangup, logs).
    HangupOnly,
    /// `ACTION_SUCCESSFUL` before it (some diagrams).
    SuccessfulThenHangup,
}

/// See [`Rules::nothing_to_do`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NothingToDo {
    /// It rings on and ends after [`FIRST_ACTION`] (case 1 of the guide).
    TimesOut,
    /// It ends at once: "Actions list is empty." (unexpected-hangups).
    HangsUp,
}

/// See [`Rules::invalid_reply`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidReply {
    /// Only of wrong transaction attributes, the one documented `ErrorType`; others end the call.
    Attributes,
    /// Of each, the others with the `ErrorType` [`crate::reply::INVALID_RESPONSE`].
    Each,
}

/// See [`Rules::interruptible`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruptible {
    /// `PlayAudio`, `RecordAudio`, `Pause`.
    Documented,
    /// `Speak`, which is younger than that list, too.
    SpeechToo,
}

/// How long a call may ring without an action.
pub const FIRST_ACTION: Duration = Duration::from_secs(30);

impl Rules {
    /// Whether the application's answer to this event can bear actions, whatever legs there are.
    /// Those to the first events of an outgoing call, and to an interruption, are ignored
    /// (use-create-call-api, update-sip-call).
    pub fn takes_actions(&self, told: EventType) -> bool {
        !matches!(
            told,
            EventType::NewOutboundCall | EventType::Ringing | EventType::ActionInterrupted
        )
    }

    /// Whether `ACTION_SUCCESSFUL` comes before the `HANGUP` of a `Hangup`.
    pub fn hangup_reports_first(&self, sole: bool) -> bool {
        sole && self.sole_leg_hangup == SoleLegHangup::SuccessfulThenHangup
    }

    /// Whether `ACTION_SUCCESSFUL` comes behind it, when the answer to it was silent.
    pub fn hangup_reports_behind(&self, leg: LegTag) -> bool {
        leg == LegTag::B && self.leg_b_hangup == LegBHangup::HangupThenSuccessful
    }
}
