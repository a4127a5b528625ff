//! Small questions about JSON values.

use jiff::Timestamp;
use serde_json::{Number, Value};

/// How deep a value may be nested: what walks one recursively must not run out of stack.
pub const MOST_DEPTH: usize = 400;

/// The moment a text names, as Java reads ISO 8601's extended format with an offset: the seconds may
/// be missing, the `T` may not.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once(['T', 't'])?;
    let extended = date.trim_start_matches(['+', '-']).contains('-') && time.get(2..3) == Some(":");
    let plain =
        text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | ':' | '.'));
    if extended && plain { text.parse().ok() } else { None }
}

/// The JSON type's name.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// About how many bytes `value` takes as JSON.
pub(crate) fn weight(value: &Value) -> usize {
    let (mut todo, mut bytes) = (vec![value], 0);
    while let Some(value) = todo.pop() {
        bytes += match value {
            Value::String(text) => text.len() + 3,
            Value::Array(items) => {
                todo.extend(items);
                2
            }
            Value::Object(members) => {
                todo.extend(members.values());
                2 + members.keys().map(|name| name.len() + 4).sum::<usize>()
            }
            _ => 5,
        };
    }
    bytes
}

/// As many bytes as `value` has as JSON at the most: every character of a text escaped.
pub(crate) fn most_bytes(value: &Value) -> usize {
    const ESCAPED: usize = 6;
    const NUMBER: usize = 32;
    let (mut todo, mut bytes) = (vec![value], 0);
    while let Some(value) = todo.pop() {
        bytes += match value {
            Value::String(text) => ESCAPED * text.len() + 3,
            Value::Array(items) => {
                todo.extend(items);
                3
            }
            Value::Object(members) => {
                todo.extend(members.values());
                3 + members.keys().map(|name| ESCAPED * name.len() + 4).sum::<usize>()
            }
            Value::Null | Value::Bool(_) => 6,
            // An integer, or the shortest text of a double.
            Value::Number(_) => NUMBER,
        };
    }
    bytes
}

/// Equality in which 1 is 1.0 and the order of members does not count.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    left == right || kind(left) == kind(right) && canonical(left) == canonical(right)
}

/// A text that two values share if and only if they are the same.
pub(crate) fn canonical(value: &Value) -> String {
    sorted(value).to_string()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(plain(number)),
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().map(|(k, v)| (k.clone(), sorted(v))).collect();
            members.sort_by(|left, right| left.0.cmp(&right.0));
            Value::Object(members.into_iter().collect())
        }
        other => other.clone(),
    }
}

/// A whole number written as one, if it is small enough to be exact.
fn plain(number: &Number) -> Number {
    match number.as_f64() {
        Some(n) if n.fract() == 0.0 && n.abs() < 9e15 => Number::from(n as i64),
        _ => number.clone(),
    }
}

/// Whether `value` is nested no deeper than [`MOST_DEPTH`].
pub fn is_shallow(value: &Value) -> bool {
    is_within(value, MOST_DEPTH)
}

/// Whether `value` is nested no deeper than `most`.
pub(crate) fn is_within(value: &Value, most: usize) -> bool {
    let mut todo = vec![(value, 0)];
    while let Some((value, depth)) = todo.pop() {
        if depth > most {
            return false;
        }
        match value {
            Value::Array(items) => todo.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(members) => todo.extend(members.values().map(|v| (v, depth + 1))),
            _ => {}
        }
    }
    true
}
