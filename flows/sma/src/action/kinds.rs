//! Which kind of JSON a parameter is, and what handlers write for it that is of another kind.
//!
//! AWS's pages show one kind for each parameter, its own samples several, and they run there:
//! `"CallId": ""` (sma-bridging), `"ParticipantTag": ""` (PSTN audio workshop, lex-ivr),
//! `"Enable": "True"` (voice-focus), a text for `TerminatorDigits` (the samples that read contact
//! flows of Amazon Connect). Numbers for texts come from tables.

use serde_json::{Map, Value};

/// What a parameter of this name is, whatever the action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A `CallId`, a tag, an ARN: an empty one was not given.
    Name,
    Text,
    Number,
    Flag,
    Texts,
    /// Texts by names of any kind.
    Headers,
    /// An object of the application's own, or unknown here.
    Other,
    /// Has parameters in it.
    Nested,
}

pub(super) fn kind(key: &str) -> Kind {
    match key {
        "CallId" | "ParticipantTag" | "Arn" => Kind::Name,
        "InputDigitsRegex" | "CallerIdNumber" | "Text" | "Digits" | "JoinToken" | "MeetingId"
        | "Operation" | "BotAliasArn" | "LocaleId" | "Engine" | "LanguageCode" | "TextType"
        | "VoiceId" | "Conference" | "Extension" | "Uri" | "BucketName" | "Key" | "Prefix"
        | "Location" | "Mailbox" | "Name" | "Path" => Kind::Text,
        "PlaybackTerminators" | "TerminatorDigits" | "RecordingTerminators" | "AttendeeList" => {
            Kind::Texts
        }
        "Repeat" | "CallTimeoutSeconds" | "SipResponseCode" | "MinNumberOfDigits"
        | "MaxNumberOfDigits" | "SilenceThreshold" => Kind::Number,
        "Enable" => Kind::Flag,
        "SipHeaders" => Kind::Headers,
        "AudioSource"
        | "FailureAudioSource"
        | "RingbackTone"
        | "RecordingDestination"
        | "Endpoints"
        | "Destination"
        | "SpeechParameters"
        | "FailureSpeechParameters"
        | "Parts" => Kind::Nested,
        key if key.ends_with("InMilliseconds") || key.ends_with("InSeconds") => Kind::Number,
        _ => Kind::Other,
    }
}

/// Makes parameters what the pages show, as far as what is meant cannot be mistaken.
pub(crate) fn settle(parameters: &mut Map<String, Value>) {
    parameters.retain(|key, value| is_given(kind(key), value));
    for (key, value) in parameters {
        match (kind(key), &mut *value) {
            (Kind::Name | Kind::Text, Value::Number(number)) => {
                *value = Value::String(number.to_string());
            }
            (Kind::Flag, Value::String(text)) => {
                if let Ok(flag) = text.trim().to_ascii_lowercase().parse() {
                    *value = Value::Bool(flag);
                }
            }
            (Kind::Texts, Value::Array(list)) => list.iter_mut().for_each(as_text),
            (Kind::Texts, Value::String(text)) if text.is_empty() => *value = Value::Array(vec![]),
            (Kind::Texts, Value::String(_) | Value::Number(_)) => {
                as_text(value);
                *value = Value::Array(vec![value.take()]);
            }
            (Kind::Headers, Value::Array(_)) => as_object(value),
            (Kind::Headers, Value::Object(headers)) => headers.values_mut().for_each(as_text),
            (Kind::Nested, Value::Object(inner)) => settle(inner),
            (Kind::Nested, Value::Array(list)) => {
                list.iter_mut().filter_map(Value::as_object_mut).for_each(settle);
            }
            _ => {}
        }
    }
}

fn is_given(kind: Kind, value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => {
            !(matches!(kind, Kind::Name | Kind::Number | Kind::Flag) && text.trim().is_empty())
        }
        _ => true,
    }
}

/// PHP writes an empty object as an empty list.
pub(crate) fn as_object(value: &mut Value) {
    if value.as_array().is_some_and(Vec::is_empty) {
        *value = Value::Object(Map::new());
    }
}

fn as_text(value: &mut Value) {
    if matches!(value, Value::Number(_) | Value::Bool(_)) {
        *value = Value::String(value.to_string());
    }
}
