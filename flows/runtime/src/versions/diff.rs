//! What differs between two definitions, by state.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// One difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Where: a JSON pointer (RFC 6901) into the definition.
    pub path: String,
    /// What.
    pub change: Change,
}

/// Kinds of difference.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It is in the second only.
    Added(Value),
    /// It is in the first only.
    Removed(Value),
    /// It is in both, and not the same.
    Changed {
        /// In the first.
        from: Value,
        /// In the second.
        to: Value,
    },
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.change {
            Change::Added(value) => write!(f, "+ {} {}", self.path, short(value)),
            Change::Removed(value) => write!(f, "- {} {}", self.path, short(value)),
            Change::Changed { from, to } => {
                write!(f, "~ {} {} -> {}", self.path, short(from), short(to))
            }
        }
    }
}

/// Characters of a value in a line.
const SHOWN: usize = 120;

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// All differences, in the order of their places. The order of keys and white space make none;
/// text that is no JSON differs as a whole.
pub fn diff(from: &str, to: &str) -> Vec<Difference> {
    let read = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| text.into());
    let (from, to): (Value, Value) = (read(from), read(to));
    let mut found = Vec::new();
    compare(&mut String::new(), &from, &to, &mut found);
    found
}

fn compare(path: &mut String, from: &Value, to: &Value, found: &mut Vec<Difference>) {
    match (from, to) {
        (Value::Object(from), Value::Object(to)) => compare_objects(path, from, to, found),
        (Value::Array(from), Value::Array(to)) => {
            for index in 0..from.len().max(to.len()) {
                at(path, &index.to_string(), |path| {
                    part(path, from.get(index), to.get(index), found);
                });
            }
        }
        _ => part(path, Some(from), Some(to), found),
    }
}

fn compare_objects(
    path: &mut String,
    from: &Map<String, Value>,
    to: &Map<String, Value>,
    found: &mut Vec<Difference>,
) {
    let keys: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    for key in keys {
        at(path, &key.replace('~', "~0").replace('/', "~1"), |path| {
            part(path, from.get(key), to.get(key), found);
        });
    }
}

fn part(path: &mut String, from: Option<&Value>, to: Option<&Value>, found: &mut Vec<Difference>) {
    let change = match (from, to) {
        (Some(from), Some(to)) if from == to => return,
        (Some(from), Some(to)) if nested(from, to) => return compare(path, from, to, found),
        (Some(from), Some(to)) => Change::Changed { from: from.clone(), to: to.clone() },
        (None, Some(to)) => Change::Added(to.clone()),
        (Some(from), None) => Change::Removed(from.clone()),
        (None, None) => return,
    };
    found.push(Difference { path: path.clone(), change });
}

fn nested(from: &Value, to: &Value) -> bool {
    (from.is_object() && to.is_object()) || (from.is_array() && to.is_array())
}

fn at(path: &mut String, step: &str, inside: impl FnOnce(&mut String)) {
    let length = path.len();
    path.push('/');
    path.push_str(step);
    inside(path);
    path.truncate(length);
}
