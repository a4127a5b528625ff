//! Compares a recorded value, which may have placeholders, with ours.

use serde_json::Value;

/// Words that stand alone for a value that varies.
const VARYING: &[&str] = &[
    "timestamp",
    "date",
    "start-time",
    "entered-time",
    "start-date",
    "stop-date",
    "map_run_arn",
    "activity_arn",
    "<timestamp>",
];

/// The first difference, if there is one.
pub(crate) fn difference(at: &str, recorded: &Value, ours: &Value) -> Option<String> {
    let differ = || Some(format!("{at}: recorded {recorded}, ours {ours}"));
    match (recorded, ours) {
        (Value::Object(left), Value::Object(right)) => {
            for (key, value) in left {
                let Some(other) = right.get(key) else {
                    return Some(format!("{at}/{key}: recorded {value}, ours has none"));
                };
                if let Some(found) = difference(&format!("{at}/{key}"), value, other) {
                    return Some(found);
                }
            }
            let extra = right.keys().find(|key| !left.contains_key(*key))?;
            Some(format!("{at}/{extra}: ours {}, recorded has none", right[extra]))
        }
        (Value::Array(left), Value::Array(right)) => {
            if left.len() != right.len() {
                return differ();
            }
            left.iter().zip(right).enumerate().find_map(|(index, (left, right))| {
                difference(&format!("{at}/{index}"), left, right)
            })
        }
        (Value::Number(left), Value::Number(right)) if left.as_f64() == right.as_f64() => None,
        (Value::String(left), Value::String(right)) => {
            if left == right || VARYING.contains(&left.as_str()) || fits(left, right) {
                return None;
            }
            // Texts that hold JSON: white space does not count.
            match (serde_json::from_str::<Value>(left), serde_json::from_str::<Value>(right)) {
                (Ok(left), Ok(right)) => {
                    difference(at, &left, &right).or_else(|| disorder(at, &left, &right))
                }
                _ => differ(),
            }
        }
        // The recordings show JSON objects in texts as objects.
        (Value::Object(_) | Value::Array(_) | Value::Number(_), Value::String(text)) => {
            match serde_json::from_str::<Value>(text) {
                Ok(ours) => {
                    difference(at, recorded, &ours).or_else(|| disorder(at, recorded, &ours))
                }
                Err(_) => differ(),
            }
        }
        _ if recorded == ours => None,
        _ => differ(),
    }
}

/// The first object of a payload whose members come in another order than on AWS.
fn disorder(at: &str, recorded: &Value, ours: &Value) -> Option<String> {
    match (recorded, ours) {
        (Value::Object(left), Value::Object(right)) => {
            if !left.keys().eq(right.keys()) {
                let names = |members: &serde_json::Map<String, Value>| {
                    members.keys().cloned().collect::<Vec<_>>().join(" ")
                };
                return Some(format!("{at}: recorded {}, ours {}", names(left), names(right)));
            }
            left.iter()
                .zip(right.values())
                .find_map(|((key, left), right)| disorder(&format!("{at}/{key}"), left, right))
        }
        (Value::Array(left), Value::Array(right)) => left
            .iter()
            .zip(right)
            .enumerate()
            .find_map(|(index, (left, right))| disorder(&format!("{at}/{index}"), left, right)),
        _ => None,
    }
}

/// Words that stand within a text.
const WITHIN: &[&str] = &["activity_arn"];

/// Whether `text` is `pattern` with something in place of each `<…>`.
fn fits(pattern: &str, text: &str) -> bool {
    let marked = WITHIN.iter().fold(pattern.to_owned(), |text, word| text.replace(word, "<x>"));
    let pattern = marked.as_str();
    if !pattern.contains('<') {
        return false;
    }
    let mut literals = Vec::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('<') {
        literals.push(before);
        let mut after = after;
        // `<<task_token>:1>` is one placeholder.
        let mut depth = 1;
        while depth > 0 {
            let Some(at) = after.find(['<', '>']) else { return false };
            depth += if after.as_bytes()[at] == b'<' { 1 } else { -1 };
            after = &after[at + 1..];
        }
        rest = after;
    }
    literals.push(rest);
    let Some(mut text) = text.strip_prefix(literals[0]) else { return false };
    for (index, literal) in literals.iter().enumerate().skip(1) {
        if index + 1 == literals.len() {
            return text.ends_with(literal);
        }
        let Some(at) = text.find(literal) else { return false };
        text = &text[at + literal.len()..];
    }
    true
}
