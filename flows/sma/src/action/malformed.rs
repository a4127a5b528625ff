//! An action of a known type whose parameters cannot be read, and what is wrong with it.

use serde::de::Error as _;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::kinds::{Kind, kind};
use super::{AudioSource, Endpoint, KNOWN_ACTIONS, LegTag, RecordingDestination, Target};
use crate::event::{ActionError, error_type};

/// It fails with `ACTION_FAILED`, in AWS's words, when its turn comes; what stood before it on the
/// list has run then.
#[derive(Debug, Clone, PartialEq)]
pub struct Malformed {
    kind: &'static str,
    /// All of its parameters.
    target: Target,
}

/// Parameters without which an action makes no sense.
const REQUIRED: &[(&str, &[&str])] = &[
    ("CallAndBridge", &["Endpoints"]),
    ("PlayAudio", &["AudioSource"]),
    ("PlayAudioAndGetDigits", &["AudioSource", "RepeatDurationInMilliseconds"]),
    ("SpeakAndGetDigits", &["SpeechParameters", "RepeatDurationInMilliseconds"]),
    ("RecordAudio", &["RecordingDestination"]),
    (
        "ReceiveDigits",
        &[
            "InputDigitsRegex",
            "InBetweenDigitsDurationInMilliseconds",
            "FlushDigitsDurationInMilliseconds",
        ],
    ),
    ("SendDigits", &["Digits"]),
    ("Pause", &["DurationInMilliseconds"]),
    ("StartCallRecording", &["Track", "Destination"]),
    ("VoiceFocus", &["Enable"]),
    ("JoinChimeMeeting", &["JoinToken"]),
    ("ModifyChimeMeetingAttendees", &["Operation", "MeetingId", "AttendeeList"]),
    ("StartBotConversation", &["BotAliasArn"]),
    ("JoinConference", &["Conference"]),
    ("SuperviseCall", &["Extension"]),
];

impl Malformed {
    /// The type's name on the wire.
    pub fn name(&self) -> &'static str {
        self.kind
    }

    /// The leg it is for.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The same.
    pub fn target_mut(&mut self) -> &mut Target {
        &mut self.target
    }

    /// What is wrong with it.
    pub fn error(&self) -> ActionError {
        let given = &self.target.other;
        let required = REQUIRED.iter().find(|(kind, _)| *kind == self.kind);
        for key in required.map(|(_, keys)| *keys).unwrap_or_default() {
            if !given.contains_key(*key) {
                return missing(key);
            }
        }
        match given.iter().find(|(key, value)| !fits(key, value)) {
            Some((key, _)) => wrong(key),
            None => invalid(format!("A parameter of {} is invalid.", self.kind)),
        }
    }
}

fn invalid(text: impl Into<String>) -> ActionError {
    ActionError::new(error_type::INVALID_ACTION_PARAMETER, text)
}

fn missing(key: &str) -> ActionError {
    let kind = error_type::MISSING_REQUIRED_ACTION_PARAMETER;
    let key = if key == "SpeechParameters" { "Text" } else { key };
    ActionError::new(kind, format!("{key} is a required parameter."))
}

/// The documented words for a parameter that does not fit.
fn wrong(key: &str) -> ActionError {
    let audio = |text: &str| ActionError::new(error_type::INVALID_AUDIO_SOURCE, text);
    match key {
        "AudioSource" | "FailureAudioSource" => audio("Audio Source parameter value is invalid."),
        "RingbackTone" => audio("Ringtone parameter value is invalid."),
        "CallId" | "ParticipantTag" => {
            invalid("CallId or ParticipantTag parameter for action is invalid")
        }
        "CallTimeoutSeconds" => invalid(
            "The MaxCallTimeout parameter is invalid. Timeout must be between 0 and 120 seconds.",
        ),
        "CallerIdNumber" => invalid("Invalid caller ID."),
        "Endpoints" => invalid("Endpoint parameter is invalid."),
        "DurationInMilliseconds" => invalid("The Duration parameter is invalid."),
        "ToneDurationInMilliseconds" => invalid("ToneDuration parameter value is invalid."),
        "MeetingId" => invalid("Meeting ID parameter value is invalid."),
        "AttendeeList" => invalid("Attendee List parameter value is invalid."),
        "Operation" => {
            invalid("The ModifyChimeMeetingAttendees Operation parameter value is invalid")
        }
        "DurationInSeconds"
        | "SilenceDurationInSeconds"
        | "SilenceThreshold"
        | "RecordingDestination"
        | "JoinToken" => invalid(format!("{key} parameter value is invalid.")),
        key => invalid(format!("The {key} parameter is invalid.")),
    }
}

/// Whether a value is of the kind that this parameter has, whatever the action.
fn fits(key: &str, value: &Value) -> bool {
    fn reads<T: serde::de::DeserializeOwned>(value: &Value) -> bool {
        T::deserialize(value).is_ok()
    }
    match key {
        "ParticipantTag" => reads::<LegTag>(value),
        "AudioSource" | "FailureAudioSource" | "RingbackTone" => reads::<AudioSource>(value),
        "RecordingDestination" => reads::<RecordingDestination>(value),
        "Endpoints" => reads::<Vec<Endpoint>>(value),
        "Track" => reads::<super::Track>(value),
        "Destination" => reads::<super::CallRecordingDestination>(value),
        "SpeechParameters" | "FailureSpeechParameters" => {
            reads::<crate::speech::SpeechParameters>(value)
        }
        "Configuration" => value.is_object(),
        key => match kind(key) {
            Kind::Name | Kind::Text => value.is_string(),
            Kind::Number => crate::lenient::number(value).is_ok(),
            Kind::Flag => value.is_boolean(),
            Kind::Texts => reads::<Vec<String>>(value),
            Kind::Headers => reads::<std::collections::BTreeMap<String, String>>(value),
            Kind::Nested | Kind::Other => true,
        },
    }
}

impl Serialize for Malformed {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut action = s.serialize_struct("Action", 2)?;
        action.serialize_field("Type", self.kind)?;
        action.serialize_field("Parameters", &self.target)?;
        action.end()
    }
}

impl<'de> Deserialize<'de> for Malformed {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Raw {
            #[serde(rename = "Type")]
            kind: String,
            #[serde(default)]
            parameters: Option<Map<String, Value>>,
        }
        let raw = Raw::deserialize(d)?;
        let kind = KNOWN_ACTIONS.iter().find(|kind| **kind == raw.kind);
        let kind = kind.ok_or_else(|| D::Error::custom("not the type of an action"))?;
        let mut other = raw.parameters.unwrap_or_default();
        // What does not name a leg stays where it was found, to be told of.
        let mut target = Target::default();
        if let Some(id) = other.get("CallId").and_then(Value::as_str) {
            target.call_id = Some(id.to_owned());
            other.remove("CallId");
        }
        if let Some(Ok(tag)) = other.get("ParticipantTag").map(LegTag::deserialize) {
            target.participant_tag = Some(tag);
            other.remove("ParticipantTag");
        }
        target.other = other;
        Ok(Self { kind, target })
    }
}
