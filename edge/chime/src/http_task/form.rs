//! Arrays and objects as names and values of a form or a query.

use serde_json::Value;

/// How an array is written (`RequestEncodingOptions.ArrayFormat`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ArrayFormat {
    /// `a[0]=x&a[1]=y`.
    Indices,
    /// `a=x&a=y`.
    Repeat,
    /// `a=x,y`.
    Commas,
    /// `a[]=x&a[]=y`.
    Brackets,
}

impl ArrayFormat {
    pub(super) fn parse(word: &str) -> Option<Self> {
        match word {
            "INDICES" | "NONE" => Some(Self::Indices),
            "REPEAT" => Some(Self::Repeat),
            "COMMAS" => Some(Self::Commas),
            "BRACKETS" => Some(Self::Brackets),
            _ => None,
        }
    }
}

/// A scalar as text.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Null => Some(String::new()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// Writes a value under a name. Objects inside are `name[member]`.
pub(super) fn pairs(
    name: &str,
    value: &Value,
    arrays: ArrayFormat,
    out: &mut Vec<(String, String)>,
) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                pairs(&format!("{name}[{member}]"), value, arrays, out);
            }
        }
        Value::Array(items) if arrays == ArrayFormat::Commas => {
            let items: Vec<String> =
                items.iter().map(|item| scalar(item).unwrap_or_else(|| item.to_string())).collect();
            out.push((name.to_owned(), items.join(",")));
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                let name = match arrays {
                    ArrayFormat::Repeat | ArrayFormat::Commas => name.to_owned(),
                    ArrayFormat::Brackets => format!("{name}[]"),
                    ArrayFormat::Indices => format!("{name}[{i}]"),
                };
                pairs(&name, item, arrays, out);
            }
        }
        value => out.extend(scalar(value).map(|text| (name.to_owned(), text))),
    }
}
