//! Events: what an application is told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::action::{Action, LegTag, RecordingDestination};

/// Why an application is invoked: all eleven that AWS knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventType {
    /// Somebody calls.
    NewInboundCall,
    /// A call was asked for by the API.
    NewOutboundCall,
    /// That call rings.
    Ringing,
    /// It was answered.
    CallAnswered,
    /// The last action on the list is done.
    ActionSuccessful,
    /// An action failed; those after it were dropped.
    ActionFailed,
    /// A call update stopped an action.
    ActionInterrupted,
    /// Digits that `ReceiveDigits` waited for.
    DigitsReceived,
    /// Somebody used `UpdateSipMediaApplicationCall`.
    CallUpdateRequested,
    /// A leg ended.
    Hangup,
    /// The last reply made no sense.
    InvalidLambdaResponse,
}

impl EventType {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NewInboundCall => "NEW_INBOUND_CALL",
            Self::NewOutboundCall => "NEW_OUTBOUND_CALL",
            Self::Ringing => "RINGING",
            Self::CallAnswered => "CALL_ANSWERED",
            Self::ActionSuccessful => "ACTION_SUCCESSFUL",
            Self::ActionFailed => "ACTION_FAILED",
            Self::ActionInterrupted => "ACTION_INTERRUPTED",
            Self::DigitsReceived => "DIGITS_RECEIVED",
            Self::CallUpdateRequested => "CALL_UPDATE_REQUESTED",
            Self::Hangup => "HANGUP",
            Self::InvalidLambdaResponse => "INVALID_LAMBDA_RESPONSE",
        }
    }
}

/// One invocation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InvocationEvent {
    /// Always [`crate::SCHEMA_VERSION`].
    pub schema_version: String,
    /// 1 for the first event of a call, one more each time.
    pub sequence: u32,
    /// Why.
    pub invocation_event_type: EventType,
    /// The action that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_data: Option<ActionData>,
    /// The call as it stands.
    pub call_details: CallDetails,
    /// Only on `INVALID_LAMBDA_RESPONSE`; on `ACTION_FAILED` it is inside `action_data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// Beside `error_type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Subject {
    /// An action, its parameters echoed with what was resolved and defaulted.
    Action(Action),
    /// Anything else (`CallUpdateRequest`, …).
    Other {
        /// Its name.
        #[serde(rename = "Type")]
        kind: String,
        /// Its parameters.
        #[serde(rename = "Parameters", default)]
        parameters: Map<String, Value>,
    },
}

/// `ActionData`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ActionData {
    /// `Type` and `Parameters`.
    #[serde(flatten)]
    pub subject: Subject,
    /// Digits that were collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_digits: Option<String>,
    /// Where a recording went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_destination: Option<RecordingDestination>,
    /// The digit that ended a recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_terminator_used: Option<String>,
    /// Why it failed, in AWS's words ([`error_type`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// The same for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Offhook: the final SIP status that a call to the other side got (486, 480, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sip_status: Option<u16>,
}

impl ActionData {
    /// Nothing but the action.
    pub fn of(action: Action) -> Self {
        Self {
            subject: Subject::Action(action),
            received_digits: None,
            recording_destination: None,
            recording_terminator_used: None,
            error_type: None,
            error_message: None,
            sip_status: None,
        }
    }

    /// The action, when it is about one that is known here.
    pub fn action(&self) -> Option<&Action> {
        match &self.subject {
            Subject::Action(action) => Some(action),
            Subject::Other { .. } => None,
        }
    }

    /// The same with a reason why it failed.
    pub fn failed(mut self, error: &ActionError) -> Self {
        self.error_type = Some(error.kind.to_owned());
        self.error_message = Some(error.message.clone());
        self.sip_status = error.sip_status;
        self
    }
}

/// Why an action failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionError {
    /// One of [`error_type`].
    pub kind: &'static str,
    /// For people.
    pub message: String,
    /// The final SIP status behind it, when there was one.
    pub sip_status: Option<u16>,
}

impl ActionError {
    /// Without a SIP status.
    pub fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), sip_status: None }
    }
}

/// The words AWS uses for failures of actions.
#[allow(missing_docs)]
pub mod error_type {
    pub const INVALID_ACTION_PARAMETER: &str = "InvalidActionParameter";
    pub const MISSING_REQUIRED_ACTION_PARAMETER: &str = "MissingRequiredActionParameter";
    pub const INVALID_AUDIO_SOURCE: &str = "InvalidAudioSource";
    pub const ACTION_EXECUTION_THROTTLED: &str = "ActionExecutionThrottled";
    pub const SYSTEM_EXCEPTION: &str = "SystemException";
    pub const CALL_NOT_ANSWERED: &str = "CallNotAnswered";
    pub const INVALID_DIGITS_RECEIVED: &str = "InvalidDigitsReceived";
}

/// `CallDetails`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallDetails {
    /// A GUID: our id of the call.
    pub transaction_id: String,
    /// What the application asked to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_attributes: Option<Map<String, Value>>,
    /// Twelve digits.
    pub aws_account_id: String,
    /// A region's name.
    pub aws_region: String,
    /// The rule that led here, on calls that came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sip_rule_id: Option<String>,
    /// The application (`SipApplicationId` in old examples).
    #[serde(alias = "SipApplicationId")]
    pub sip_media_application_id: String,
    /// The legs.
    pub participants: Vec<Participant>,
}

/// One leg.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Participant {
    /// A GUID.
    pub call_id: String,
    /// Which.
    pub participant_tag: LegTag,
    /// Number called.
    pub to: String,
    /// Number calling.
    pub from: String,
    /// Towards us or from us.
    pub direction: Direction,
    /// Milliseconds since 1970, as text.
    pub start_time_in_milliseconds: String,
    /// Absent until the leg is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Custom headers of the leg, names as sent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sip_headers: BTreeMap<String, String>,
}

/// Direction of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Direction {
    Inbound,
    Outbound,
}

/// Whether a leg is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Status {
    Connected,
    Disconnected,
}
