//! What an optimized integration takes for a typed value besides one.
//!
//! Step Functions reads the request with the SDK's own reader of JSON, which makes a text of a bare
//! string, a truth of its name, and leaves out attributes that are `null`. Workflows that AWS
//! publishes live on it (aws-samples/step-functions-workflows-collection: curbside-pickup,
//! human-task-reminder, quorum-with-parallel-pattern).

use serde_json::{Map, Value as Json, json};

/// Members of a request that hold attributes by name.
const ATTRIBUTES: [&str; 3] = ["Key", "Item", "ExpressionAttributeValues"];
/// Deeper ones are refused anyway.
const DEPTH: usize = 33;

/// Writes the typed values of a request out.
pub(super) fn spell_out(arguments: &mut Json) {
    for name in ATTRIBUTES {
        if let Some(Json::Object(attributes)) = arguments.get_mut(name) {
            map(attributes, 0);
        }
    }
}

fn map(attributes: &mut Map<String, Json>, depth: usize) {
    attributes.retain(|_, value| !value.is_null());
    attributes.values_mut().for_each(|value| self::value(value, depth));
}

fn value(value: &mut Json, depth: usize) {
    if depth > DEPTH {
        return;
    }
    match value {
        Json::String(text) => *value = json!({ "S": std::mem::take(text) }),
        Json::Object(typed) => {
            for (kind, inner) in typed {
                match (kind.as_str(), inner) {
                    ("L", Json::Array(items)) => {
                        items.iter_mut().for_each(|item| self::value(item, depth + 1));
                    }
                    ("M", Json::Object(members)) => map(members, depth + 1),
                    ("BOOL" | "Bool" | "NULL" | "Nul", truth) => {
                        if let Some(named) = truth.as_str().and_then(|name| name.parse().ok()) {
                            *truth = Json::Bool(named);
                        }
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}
