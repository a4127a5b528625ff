//! The same things in two spellings: a SIP media application's (`SessionState`) and Lex's
//! (`sessionState`).

use serde_json::{Map, Value, json};

/// Deeper is nothing that either of them has.
const DEPTH: usize = 16;

/// Members whose own members are names that somebody else gave, and are left alone.
fn is_data(name: &str) -> bool {
    ["sessionattributes", "contextattributes", "slots", "subslots"]
        .iter()
        .any(|data| name.eq_ignore_ascii_case(data))
}

/// All members with their first letter changed.
fn spelled(value: &Value, first: fn(char) -> char, data: bool, depth: usize) -> Value {
    if depth > DEPTH {
        return Value::Null;
    }
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| {
                let mut letters = name.chars();
                let turned = letters.next().map(first).into_iter().chain(letters).collect();
                let spelling = if data { name.clone() } else { turned };
                (spelling, spelled(value, first, !data && is_data(name), depth + 1))
            });
            Value::Object(members.collect())
        }
        Value::Array(list) => {
            list.iter().map(|value| spelled(value, first, false, depth + 1)).collect()
        }
        other => other.clone(),
    }
}

/// `Configuration` of the action as the members of a `ConfigurationEvent`.
pub(super) fn configuration(configuration: &Map<String, Value>) -> Map<String, Value> {
    let low = |letter: char| letter.to_ascii_lowercase();
    let known = ["SessionState", "WelcomeMessages"].into_iter();
    let members = known.filter_map(|name| {
        let value = configuration.get(name)?;
        let none = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        let value = (!none).then_some(value)?;
        let name = if name == "SessionState" { "sessionState" } else { "welcomeMessages" };
        Some((name.to_owned(), spelled(value, low, false, 0)))
    });
    members.collect()
}

/// `IntentResultEvent` as `IntentResult`, with the members that AWS documents.
pub(super) fn result(event: &Value) -> Map<String, Value> {
    let state = event.get("sessionState").unwrap_or(&Value::Null);
    let attributes = state.get("sessionAttributes").cloned().unwrap_or_else(|| json!({}));
    let mut told = Map::new();
    told.insert("SessionAttributes".to_owned(), attributes);
    told.extend(state.get("intent").and_then(of_intent).map(|i| ("Intent".to_owned(), i)));
    let all = event.get("interpretations").and_then(Value::as_array);
    let interpretations = all.into_iter().flatten().map(|one| {
        let mut told = Map::new();
        if let Some(score) = one.get("nluConfidence") {
            // A number where the runtime's own examples have one.
            let score = score.get("score").unwrap_or(score);
            told.insert("NluConfidence".to_owned(), json!({"Score": score}));
        }
        told.extend(one.get("intent").and_then(of_intent).map(|i| ("Intent".to_owned(), i)));
        Value::Object(told)
    });
    let interpretations: Vec<Value> = interpretations.collect();
    let session = event.get("sessionId").cloned().unwrap_or_default();
    Map::from_iter([
        ("SessionId".to_owned(), session),
        ("SessionState".to_owned(), Value::Object(told)),
        ("Interpretations".to_owned(), Value::Array(interpretations)),
    ])
}

fn of_intent(intent: &Value) -> Option<Value> {
    let high = |letter: char| letter.to_ascii_uppercase();
    let mut told = spelled(intent, high, false, 0);
    let members = told.as_object_mut()?;
    members
        .retain(|name, _| ["Name", "Slots", "State", "ConfirmationState"].contains(&name.as_str()));
    let slots = members.entry("Slots").or_insert_with(|| json!({})).as_object_mut();
    for slot in slots.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut) {
        // As in AWS's example: there also where there is one value.
        slot.entry("Values").or_insert_with(|| json!([]));
    }
    Some(told)
}

/// The name of the intent that the bot is at.
pub(super) fn intent(event: &Value) -> Option<String> {
    let intent = event.get("sessionState")?.get("intent")?;
    let text = |key: &str| intent.get(key).and_then(Value::as_str);
    let state = text("state").unwrap_or("no state");
    Some(format!("{} ({state})", text("name")?))
}

/// Whether the bot expects nothing more: the dialogue is closed (developer guide, "Using the API to
/// start a streaming conversation"), or it says nothing of what is next and the intent has come to
/// its end. A bot that goes on after a fulfilled intent says so (`ElicitIntent`).
pub(super) fn is_over(event: &Value) -> bool {
    let Some(state) = event.get("sessionState") else { return false };
    let next = state.get("dialogAction").and_then(|action| action.get("type")?.as_str());
    let intent = state.get("intent").and_then(|intent| intent.get("state")?.as_str());
    match next {
        Some("Close") => true,
        None | Some("None") => {
            matches!(intent, Some("Fulfilled" | "Failed" | "ReadyForFulfillment"))
        }
        Some(_) => false,
    }
}
