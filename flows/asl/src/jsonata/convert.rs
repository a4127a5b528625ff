//! Between JSON values and the evaluator's.

use super::limits;
use crate::value::MOST_DEPTH;
use jsonata_core::value::{JArray, JValue};
use serde_json::{Map, Number, Value};

/// As the evaluator sees it: every number a double.
pub(super) fn to_jsonata(value: &Value) -> JValue {
    match value {
        Value::Null => JValue::Null,
        Value::Bool(truth) => JValue::Bool(*truth),
        Value::Number(number) => JValue::Number(number.as_f64().unwrap_or(0.0)),
        Value::String(text) => JValue::string(text.as_str()),
        Value::Array(items) => {
            let flat = !items.iter().any(Value::is_array);
            JValue::Array(JArray::new_flat(items.iter().map(to_jsonata).collect(), flat))
        }
        Value::Object(members) => object(members.iter().map(|(name, v)| (name.as_str(), v))),
    }
}

/// An object of these members.
pub(super) fn object<'a>(members: impl Iterator<Item = (&'a str, &'a Value)>) -> JValue {
    JValue::object(members.map(|(name, value)| (name.to_owned(), to_jsonata(value))).collect())
}

/// As JSON: `Some(None)` for nothing, `None` for more than a value may hold.
pub(super) fn from_jsonata(value: &JValue) -> Option<Option<Value>> {
    limits::weight(value)?;
    Some(json(value, 0))
}

/// Nothing, and functions, have no JSON: they fall out of objects and are null in arrays.
fn json(value: &JValue, depth: usize) -> Option<Value> {
    if depth > MOST_DEPTH {
        return None;
    }
    match value {
        JValue::Null => Some(Value::Null),
        JValue::Bool(truth) => Some(Value::Bool(*truth)),
        JValue::Number(number) => Some(self::number(*number)),
        JValue::String(text) => Some(Value::String(text.to_string())),
        JValue::Array(items) => Some(Value::Array(
            items.iter().map(|item| json(item, depth + 1).unwrap_or(Value::Null)).collect(),
        )),
        JValue::Object(members) => {
            let mut object = Map::new();
            for (name, member) in members.iter() {
                if let Some(member) = json(member, depth + 1) {
                    object.insert(name.clone(), member);
                }
            }
            Some(Value::Object(object))
        }
        _ => None,
    }
}

/// A whole number as one. What is no number in JSON is JavaScript's name for it, as on AWS.
fn number(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < 9_223_372_036_854_775_808.0 {
        return Value::from(number as i64);
    }
    match Number::from_f64(number) {
        Some(number) => Value::Number(number),
        None if number.is_nan() => "NaN".into(),
        None if number < 0.0 => "-Infinity".into(),
        None => "Infinity".into(),
    }
}
