//! Between JSON values and the evaluator's.

use super::limits::MOST_WEIGHT;
use super::value::{Array, Measure, Object, Value};
use crate::value::MOST_DEPTH;
use serde_json::{Map, Number, Value as Json};
use std::rc::Rc;

/// As the evaluator sees it: every number a double.
pub(super) fn to_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => Value::Number(number.as_f64().unwrap_or(0.0)),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => {
            let items: Vec<Value> = items.iter().map(to_value).collect();
            let mut measure = Measure::default();
            items.iter().for_each(|item| measure.add(item.measure()));
            Value::Array(Array::measured(items, measure))
        }
        Json::Object(members) => {
            object(members.iter().map(|(name, member)| (name.as_str(), to_value(member))))
        }
    }
}

/// An object of these members.
pub(super) fn object<'a>(members: impl Iterator<Item = (&'a str, Value)>) -> Value {
    let mut object = Object::default();
    for (name, member) in members {
        object.insert(name.into(), member);
    }
    object.measured();
    Value::Object(Rc::new(object))
}

/// As JSON: `Some(None)` for nothing, `None` for more than a value may hold.
pub(super) fn from_value(value: &Value) -> Option<Option<Json>> {
    let measure = value.measure();
    let is_within = measure.weight <= MOST_WEIGHT + 4 && measure.depth <= MOST_DEPTH + 1;
    is_within.then(|| shown(value))
}

/// Nothing, and functions, have no JSON: they fall out of objects and are null in arrays.
pub(super) fn shown(value: &Value) -> Option<Json> {
    match value {
        Value::Null => Some(Json::Null),
        Value::Bool(truth) => Some(Json::Bool(*truth)),
        Value::Number(number) => Some(self::number(*number)),
        Value::Text(text) => Some(Json::from(&**text)),
        Value::Array(array) => {
            let items = array.items().iter().map(|item| shown(item).unwrap_or(Json::Null));
            Some(items.collect())
        }
        Value::Object(object) => {
            let mut members = Map::new();
            for (name, member) in object.members() {
                if let Some(member) = shown(member) {
                    members.insert(name.to_string(), member);
                }
            }
            Some(Json::Object(members))
        }
        Value::Undefined | Value::Function(_) | Value::Tuples(_) => None,
    }
}

/// A whole number as one. What is no number in JSON is JavaScript's name for it, as on AWS.
pub(super) fn number(number: f64) -> Json {
    if number.fract() == 0.0 && number.abs() < 9_223_372_036_854_775_808.0 {
        return Json::from(number as i64);
    }
    match Number::from_f64(number) {
        Some(number) => Json::Number(number),
        None if number.is_nan() => "NaN".into(),
        None if number < 0.0 => "-Infinity".into(),
        None => "Infinity".into(),
    }
}
