//! Events: what an application is told.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::action::{Action, CallRecordingDestination, LegTag, RecordingDestination};

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
    #[serde(default, skip_serializing_if = "CallDetails::is_empty")]
    pub call_details: CallDetails,
    /// Only on `INVALID_LAMBDA_RESPONSE`; on `ACTION_FAILED` it is inside `action_data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// Beside `error_type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// What is not known here.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Subject {
    /// An action, its parameters echoed with what was resolved and defaulted.
    Action(Box<Action>),
    /// Anything else (`CallUpdateRequest`, …).
    Other {
        /// Its name.
        #[serde(rename = "Type")]
        kind: String,
        /// Its parameters.
        #[serde(rename = "Parameters", default, skip_serializing_if = "Map::is_empty")]
        parameters: Map<String, Value>,
    },
}

/// `Type` of what comes with `CALL_UPDATE_REQUESTED`.
pub const CALL_UPDATE_REQUEST: &str = "CallUpdateRequest";
/// `Type` of what comes with `NEW_OUTBOUND_CALL` (README of the click-to-call sample).
pub const CALL_CREATE_REQUEST: &str = "CallCreateRequest";

/// `ActionData`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ActionData {
    /// `Type` and `Parameters`.
    #[serde(flatten)]
    pub subject: Subject,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of an action, beside its type and parameters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Outcome {
    /// Digits that were collected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_digits: Option<String>,
    /// Where a recording went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording_destination: Option<RecordingDestination>,
    /// The digit that ended a recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording_terminator_used: Option<String>,
    /// Where the recording of a call will be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_recording_destination: Option<CallRecordingDestination>,
    /// What a bot understood: `SessionId`, `SessionState`, `Interpretations`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent_result: Option<Map<String, Value>>,
    /// Why it failed, in AWS's words ([`error_type`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Attendees that could not be modified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_list: Option<Vec<Value>>,
    /// Offhook: the final SIP status that a call to the other side got (486, 480, …).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sip_status: Option<u16>,
    /// What is not known here (`Error` of old examples).
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl<'de> Deserialize<'de> for ActionData {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let mut rest = Map::deserialize(d)?;
        let mut subject = Map::new();
        for key in ["Type", "Parameters"] {
            subject.extend(rest.remove_entry(key));
        }
        Ok(Self {
            subject: Subject::deserialize(Value::Object(subject)).map_err(D::Error::custom)?,
            outcome: Outcome::deserialize(Value::Object(rest)).map_err(D::Error::custom)?,
        })
    }
}

impl std::ops::Deref for ActionData {
    type Target = Outcome;

    fn deref(&self) -> &Outcome {
        &self.outcome
    }
}

impl std::ops::DerefMut for ActionData {
    fn deref_mut(&mut self) -> &mut Outcome {
        &mut self.outcome
    }
}

impl ActionData {
    /// Nothing but the action.
    pub fn of(action: Action) -> Self {
        Self { subject: Subject::Action(Box::new(action)), outcome: Outcome::default() }
    }

    /// A request of the API (`CallUpdateRequest`, `CallCreateRequest`) with its arguments.
    pub fn request(kind: &str, arguments: BTreeMap<String, String>) -> Self {
        let arguments = arguments.into_iter().map(|(k, v)| (k, Value::String(v))).collect();
        let parameters = Map::from_iter([("Arguments".to_owned(), Value::Object(arguments))]);
        let subject = Subject::Other { kind: kind.to_owned(), parameters };
        Self { subject, outcome: Outcome::default() }
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

    /// `SystemException` in AWS's words, and why.
    pub fn system(why: &str) -> Self {
        let text = format!("System error while running action. {why}");
        Self::new(error_type::SYSTEM_EXCEPTION, text)
    }
}

/// The words AWS uses for failures of actions.
#[allow(missing_docs)]
pub mod error_type {
    pub const INVALID_ACTION_PARAMETER: &str = "InvalidActionParameter";
    pub const MISSING_REQUIRED_ACTION_PARAMETER: &str = "MissingRequiredActionParameter";
    pub const INVALID_AUDIO_SOURCE: &str = "InvalidAudioSource";
    pub const ACTION_EXECUTION_THROTTLED: &str = "ActionExecutionThrottled";
    pub const RESOURCE_ACCESS_DENIED: &str = "ResourceAccessDenied";
    pub const RESOURCE_NOT_FOUND: &str = "ResourceNotFound";
    pub const SYSTEM_EXCEPTION: &str = "SystemException";
    pub const CALL_NOT_ANSWERED: &str = "CallNotAnswered";
    pub const INVALID_DIGITS_RECEIVED: &str = "InvalidDigitsReceived";
}

/// `CallDetails`. Examples of the documentation leave much of it out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CallDetails {
    /// A GUID: our id of the call.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub transaction_id: String,
    /// What the application asked to be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_attributes: Option<Map<String, Value>>,
    /// Twelve digits.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub aws_account_id: String,
    /// A region's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub aws_region: String,
    /// The rule that led here, on calls that came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sip_rule_id: Option<String>,
    /// The application (`SipApplicationId` in old examples).
    #[serde(alias = "SipApplicationId", skip_serializing_if = "String::is_empty")]
    pub sip_media_application_id: String,
    /// The legs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub participants: Vec<Participant>,
    /// What is not known here.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl CallDetails {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One leg.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Participant {
    /// A GUID.
    pub call_id: String,
    /// Which.
    #[serde(default = "leg_a")]
    pub participant_tag: LegTag,
    /// Number called.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub to: String,
    /// Number calling.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// Towards us or from us.
    #[serde(default)]
    pub direction: Direction,
    /// Milliseconds since 1970, as text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub start_time_in_milliseconds: String,
    /// Absent until the leg is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Custom headers of the leg, names as sent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sip_headers: BTreeMap<String, String>,
    /// What is not known here.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

fn leg_a() -> LegTag {
    LegTag::A
}

/// Direction of a leg.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Direction {
    #[default]
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
