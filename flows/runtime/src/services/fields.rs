//! Members of a request to a small service.

use serde_json::{Map, Value};

use super::sdk::Fault;
use super::{Request, ServiceError};

/// The members of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    members: &'a Map<String, Value>,
    /// The exception for what is wrong with them.
    code: &'static str,
}

impl<'a> Fields<'a> {
    /// Those of a request, of which the action knows `known`.
    pub(super) fn of(
        request: &'a Request,
        known: &[&str],
        code: &'static str,
    ) -> Result<Self, ServiceError> {
        static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        let members = request.arguments.as_object().unwrap_or(&EMPTY);
        match members.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(ServiceError::new(
                "States.Runtime",
                format!(
                    "The field \"{name}\" is not supported by {}:{}",
                    request.service, request.action
                ),
            )),
            None => Ok(Self { members, code }),
        }
    }

    /// A member, if it is there and not `null`.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, Fault> {
        let text = |value: &'a Value| {
            value.as_str().ok_or_else(|| self.invalid(format!("{name} must be a string.")))
        };
        self.get(name).map(text).transpose()
    }

    /// A text that has to be there.
    pub(super) fn required(&self, name: &str) -> Result<&'a str, Fault> {
        let message = format!("The request must contain the parameter {name}.");
        let missing = Fault { modelled: false, ..Fault::new("MissingParameter", message) };
        self.text(name)?.filter(|text| !text.is_empty()).ok_or(missing)
    }

    /// A text, or any JSON, which becomes its text.
    pub(super) fn body(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }

    /// A whole number, also one that is written as text.
    pub(super) fn integer(&self, name: &str, least: i64, most: i64) -> Result<Option<i64>, Fault> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let whole = value.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 9e15);
        let number = match value {
            Value::String(text) => text.parse().ok(),
            other => other.as_i64().or_else(|| format!("{}", whole?).parse().ok()),
        };
        match number {
            Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => Err(self.invalid(format!(
                "Value {value} for parameter {name} is invalid. Reason: Must be between {least} and {most}, if provided."
            ))),
        }
    }

    /// What is wrong with a member.
    pub(super) fn invalid(&self, message: impl Into<String>) -> Fault {
        Fault { modelled: false, ..Fault::new(self.code, message) }
    }
}
