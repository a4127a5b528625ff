//! Parameters with something that fits in the place of what is not known before a call runs.

use offhook_sma::action::parameters;
use serde_json::{Map, Value, json};

use super::is_expression;

/// The same without expressions and paths. Nothing: too much hangs on one.
pub(super) fn filled(given: &Map<String, Value>) -> Option<Map<String, Value>> {
    let mut all = Map::new();
    for (key, value) in given {
        let (name, open) = match key.strip_suffix(".$") {
            Some(name) => (name, true),
            None => (key.as_str(), is_open(name_is_nested(key), value)),
        };
        let value = if open { sample(name)? } else { Some(within(name, value)?) };
        all.extend(value.map(|value| (name.to_owned(), value)));
    }
    Some(all)
}

fn name_is_nested(name: &str) -> bool {
    !parameters(name).is_empty() || name == "SipHeaders"
}

/// Whether it holds an expression; of an object whose members are known one by one, only whether it
/// is one.
fn is_open(nested: bool, value: &Value) -> bool {
    match value {
        Value::String(text) => is_expression(text),
        Value::Array(list) => list.iter().any(|item| is_open(nested, item)),
        Value::Object(members) if !nested => {
            members.iter().any(|(key, value)| key.ends_with(".$") || is_open(false, value))
        }
        _ => false,
    }
}

fn within(name: &str, value: &Value) -> Option<Value> {
    match value {
        Value::Object(headers) if name == "SipHeaders" => {
            let plain = |(key, value): (&String, &Value)| match key.strip_suffix(".$") {
                Some(name) => (name.to_owned(), json!("1")),
                None if is_open(false, value) => (key.clone(), json!("1")),
                None => (key.clone(), value.clone()),
            };
            Some(headers.iter().map(plain).collect())
        }
        Value::Object(members) if name_is_nested(name) => filled(members).map(Value::Object),
        Value::Array(list) if name_is_nested(name) => list
            .iter()
            .map(|item| match item {
                Value::Object(members) => filled(members).map(Value::Object),
                other => Some(other.clone()),
            })
            .collect(),
        other => Some(other.clone()),
    }
}

/// What fits where a parameter is needed; `Some(None)`: it may be left out. Nothing: which other
/// parameters fit depends on it.
#[allow(clippy::option_option)]
fn sample(name: &str) -> Option<Option<Value>> {
    let value = match name {
        "Type" | "BridgeEndpointType" => return None,
        "Text" => json!("text"),
        "Digits" | "InputDigitsRegex" | "Extension" | "Mailbox" => json!("1"),
        "Endpoints" => json!([{"BridgeEndpointType": "PSTN", "Uri": "+12065550100"}]),
        "AudioSource" => json!({"Type": "S3", "BucketName": "bucket", "Key": "key"}),
        "SpeechParameters" => json!({"Text": "text"}),
        "RecordingDestination" => json!({"Type": "S3", "BucketName": "bucket"}),
        "Destination" => json!({"Type": "S3", "Location": "bucket"}),
        "RepeatDurationInMilliseconds"
        | "InBetweenDigitsDurationInMilliseconds"
        | "FlushDigitsDurationInMilliseconds"
        | "DurationInMilliseconds" => json!(1000),
        "Track" => json!("BOTH"),
        "Enable" => json!(true),
        "Operation" => json!("Mute"),
        "AttendeeList" => json!(["attendee"]),
        "BotAliasArn" | "Arn" => json!("arn:aws"),
        "Uri" => json!("+12065550100"),
        "JoinToken" | "MeetingId" | "Conference" | "BucketName" | "Key" | "Location" | "Name"
        | "Path" => json!("name"),
        _ => return Some(None),
    };
    Some(Some(value))
}
