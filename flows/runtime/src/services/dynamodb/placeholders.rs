//! `ExpressionAttributeNames` and `ExpressionAttributeValues`, and which of them were used.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::refusal::Refusal;
use super::value::Value;

/// What stands for names and values in the expressions of one request.
#[derive(Debug, Default)]
pub(super) struct Placeholders {
    names: BTreeMap<String, String>,
    values: BTreeMap<String, Value>,
    used: BTreeSet<String>,
}

impl Placeholders {
    /// Reads both members of a request.
    pub(super) fn parse(names: Option<&Json>, values: Option<&Json>) -> Result<Self, Refusal> {
        let mut placeholders = Self::default();
        if let Some(names) = names {
            let object = object(names, "ExpressionAttributeNames")?;
            for (key, name) in object {
                check_key(key, '#', "ExpressionAttributeNames")?;
                let Some(name) = name.as_str() else {
                    return Err(Refusal::serialization(
                        "ExpressionAttributeNames must have strings as values",
                    ));
                };
                placeholders.names.insert(key.clone(), name.to_owned());
            }
        }
        if let Some(values) = values {
            let object = object(values, "ExpressionAttributeValues")?;
            for (key, value) in object {
                check_key(key, ':', "ExpressionAttributeValues")?;
                placeholders.values.insert(key.clone(), Value::parse(value)?);
            }
        }
        Ok(placeholders)
    }

    /// The name that `#…` stands for.
    pub(super) fn name(&mut self, key: &str) -> Result<String, String> {
        let Some(name) = self.names.get(key) else {
            return Err(format!(
                "An expression attribute name used in the document path is not defined; attribute name: {key}"
            ));
        };
        self.used.insert(key.to_owned());
        Ok(name.clone())
    }

    /// The value that `:…` stands for.
    pub(super) fn value(&mut self, key: &str) -> Result<Value, String> {
        let Some(value) = self.values.get(key) else {
            return Err(format!(
                "An expression attribute value used in expression is not defined; attribute value: {key}"
            ));
        };
        self.used.insert(key.to_owned());
        Ok(value.clone())
    }

    /// Refuses what no expression used, as DynamoDB does, and placeholders without an expression.
    pub(super) fn all_used(&self, any_expression: bool) -> Result<(), Refusal> {
        let unused = |keys: Vec<&String>| {
            let keys = keys.into_iter().filter(|k| !self.used.contains(*k)).cloned();
            keys.collect::<Vec<_>>()
        };
        let sets = [
            ("ExpressionAttributeNames", unused(self.names.keys().collect())),
            ("ExpressionAttributeValues", unused(self.values.keys().collect())),
        ];
        for (what, keys) in sets {
            if keys.is_empty() {
                continue;
            }
            return Err(Refusal::validation(if any_expression {
                format!(
                    "Value provided in {what} unused in expressions: keys: {{{}}}",
                    keys.join(", ")
                )
            } else {
                format!("{what} can only be specified when using expressions")
            }));
        }
        Ok(())
    }
}

fn object<'a>(json: &'a Json, what: &str) -> Result<&'a serde_json::Map<String, Json>, Refusal> {
    match json.as_object() {
        Some(object) if object.is_empty() => {
            Err(Refusal::validation(format!("{what} must not be empty")))
        }
        Some(object) => Ok(object),
        None => Err(Refusal::serialization(format!("{what} must be an object"))),
    }
}

fn check_key(key: &str, sign: char, what: &str) -> Result<(), Refusal> {
    let rest = key.strip_prefix(sign).unwrap_or("");
    if rest.is_empty() || rest.chars().any(|c| !c.is_ascii_alphanumeric() && c != '_') {
        return Err(Refusal::validation(format!(
            "{what} contains invalid key: Syntax error; key: \"{key}\""
        )));
    }
    Ok(())
}
