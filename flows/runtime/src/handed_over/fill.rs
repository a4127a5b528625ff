//! Parameters with something that fits in the place of what is not known before a call runs.

use offhook_sma::action::parameters;
use serde_json::{Map, Value, json};

use super::is_open_text;

/// The same without expressions, paths and what a deployment fills in. Nothing: too much hangs on one.
pub(super) fn filled(given: &Map<String, Value>) -> Option<Map<String, Value>> {
    let mut all = Map::new();
    for (key, value) in given {
        let (name, open) = match key.strip_suffix(".$") {
            Some(name) => (name, true),
            None => (key.as_str(), is_open(has_known_members(key), value)),
        };
        let value = if open { sample(name)? } else { Some(within(name, value)?) };
        all.extend(value.map(|value| (name.to_owned(), value)));
    }
    Some(all)
}

/// Whether the members of a parameter of this name are known one by one.
fn has_known_members(parameter: &str) -> bool {
    !parameters(parameter).is_empty() || parameter == "SipHeaders"
}

/// Whether it holds something that is not known yet; of an object whose members are known one by one,
/// only whether it is that itself.
fn is_open(known_members: bool, value: &Value) -> bool {
    match value {
        Value::String(text) => is_open_text(text),
        Value::Array(list) => list.iter().any(|item| is_open(known_members, item)),
        Value::Object(members) if !known_members => {
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
        Value::Object(members) if has_known_members(name) => filled(members).map(Value::Object),
        Value::Array(list) if has_known_members(name) => list
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
        // An endpoint has an ARN or a number, and which of them its type says.
        "Type" | "BridgeEndpointType" | "Arn" => return None,
        "Text" => json!("text"),
        "Digits" | "InputDigitsRegex" | "Extension" | "Mailbox" => json!("1"),
        // Of AWS's types more would be demanded.
        "Endpoints" => json!([{"BridgeEndpointType": "Extension", "Uri": "101"}]),
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
        "BotAliasArn" => {
            json!("arn:aws:lex:us-east-1:123456789012:bot-alias/ABCDEFGHIH/MNOPQRSTUV")
        }
        "Uri" | "CallerIdNumber" => json!("+12065550100"),
        "JoinToken" | "MeetingId" | "Conference" | "BucketName" | "Key" | "Location" | "Name"
        | "Path" => json!("name"),
        _ => return Some(None),
    };
    Some(Some(value))
}
