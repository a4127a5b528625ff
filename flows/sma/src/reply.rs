//! Replies: what an application answers, and what is wrong with one that makes no sense.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::action::kinds::{as_object, settle};
use crate::action::{Action, KNOWN_ACTIONS};
use crate::rules::{InvalidReply, Rules};

/// Most actions in one reply.
pub const MAX_ACTIONS: usize = 10;
/// Most key/value pairs of transaction attributes.
pub const MAX_ATTRIBUTES: usize = 100;
/// Most bytes of them as JSON.
pub const MAX_ATTRIBUTE_BYTES: usize = 20 * 1024;

/// An application's answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Reply {
    /// Always [`crate::SCHEMA_VERSION`].
    pub schema_version: String,
    /// `None`: go on with what runs. Empty: [`crate::rules::Rules::empty_list`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actions: Option<Vec<Action>>,
    /// `None`: keep what is kept. Otherwise it replaces all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_attributes: Option<Map<String, Value>>,
}

impl Reply {
    /// These actions, attributes unchanged.
    pub fn actions(actions: Vec<Action>) -> Self {
        Self {
            schema_version: crate::SCHEMA_VERSION.to_owned(),
            actions: Some(actions),
            transaction_attributes: None,
        }
    }

    /// Goes on with what runs.
    pub fn nothing() -> Self {
        Self { schema_version: crate::SCHEMA_VERSION.to_owned(), ..Self::default() }
    }

    /// Reads a reply that came as JSON.
    ///
    /// # Errors
    /// The first thing that is wrong, in AWS's words.
    pub fn parse(json: &[u8]) -> Result<Self, ReplyError> {
        let json = without_mark(json);
        match serde_json::from_slice(json) {
            Ok(value) => Self::read(value),
            Err(_) if json.iter().all(u8::is_ascii_whitespace) => Err(ReplyError::Blank),
            Err(e) => Err(ReplyError::Unreadable(e.to_string())),
        }
    }

    /// Reads a reply that is a value already.
    ///
    /// # Errors
    /// The first thing that is wrong, in AWS's words.
    pub fn read(mut value: Value) -> Result<Self, ReplyError> {
        if value.is_null() {
            return Err(ReplyError::Blank);
        }
        has_version(&mut value)?;
        if let Some(attributes) = value.get_mut("TransactionAttributes") {
            as_object(attributes);
        }
        if let Some(Value::Array(actions)) = value.get_mut("Actions") {
            if actions.len() > MAX_ACTIONS {
                return Err(ReplyError::TooManyActions);
            }
            for (action, number) in actions.iter_mut().zip(1..) {
                complete(action, number)?;
            }
        }
        serde_json::from_value(value).map_err(|e| ReplyError::Unreadable(e.to_string()))
    }

    /// Whether it is within the limits of a session.
    ///
    /// # Errors
    /// The first that it exceeds, in AWS's words.
    pub fn check(&self, rules: &Rules) -> Result<(), ReplyError> {
        if self.actions.as_ref().is_some_and(|actions| actions.len() > MAX_ACTIONS) {
            return Err(ReplyError::TooManyActions);
        }
        let Some(attributes) = &self.transaction_attributes else { return Ok(()) };
        if attributes.len() > rules.max_attributes {
            return Err(ReplyError::TooManyAttributes(rules.max_attributes));
        }
        match serde_json::to_string(attributes) {
            Ok(json) if json.len() <= MAX_ATTRIBUTE_BYTES => Ok(()),
            _ => Err(ReplyError::AttributesTooLong),
        }
    }
}

/// JSON without the byte order mark that some programs of Windows and PHP begin it with (RFC 8259
/// §8.1: it may be ignored).
#[must_use]
pub fn without_mark(json: &[u8]) -> &[u8] {
    json.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(json)
}

/// Whether it says that it is a reply, and if not, what it seems to be instead.
fn has_version(value: &mut Value) -> Result<(), ReplyError> {
    let unreadable = |text: &str| Err(ReplyError::Unreadable(text.to_owned()));
    let members = match value {
        Value::Object(members) => members,
        Value::String(_) => {
            return unreadable(
                "The response is text: return the object itself, without JSON.stringify or json.dumps.",
            );
        }
        Value::Array(_) => return unreadable("The response is a list and not an object."),
        _ => return unreadable("The response is not an object."),
    };
    match members.get("SchemaVersion") {
        Some(Value::String(version)) if version == crate::SCHEMA_VERSION => return Ok(()),
        Some(version) if version.as_f64() == Some(1.0) => {
            members.insert("SchemaVersion".to_owned(), crate::SCHEMA_VERSION.into());
            return Ok(());
        }
        Some(_) => return Err(ReplyError::SchemaVersion),
        None => {}
    }
    if members.contains_key("statusCode") {
        return unreadable(
            "The response is one for API Gateway: return what stands in its body, as an object.",
        );
    }
    match members.keys().find(|key| key.eq_ignore_ascii_case("SchemaVersion")) {
        Some(key) => unreadable(&format!("\"{key}\" is written \"SchemaVersion\".")),
        None => Err(ReplyError::SchemaVersion),
    }
}

/// An action as it is read: a parameter that is null was not given, and `Parameters` need not be.
fn complete(action: &mut Value, number: usize) -> Result<(), ReplyError> {
    let Value::Object(members) = action else {
        return Err(ReplyError::Unreadable(format!("Action {number} is not an object.")));
    };
    match members.get("Type") {
        Some(Value::String(name)) if KNOWN_ACTIONS.contains(&name.as_str()) => {}
        Some(Value::String(name)) => return Err(ReplyError::UnsupportedAction(name.clone())),
        Some(_) => {
            return Err(ReplyError::Unreadable(format!(
                "The Type of action {number} is not text."
            )));
        }
        None => return Err(ReplyError::Unreadable(format!("Action {number} has no Type."))),
    }
    match members.get_mut("Parameters") {
        Some(Value::Object(parameters)) => {
            parameters.values_mut().for_each(drop_nulls);
            settle(parameters);
        }
        Some(Value::Null) | None => {
            members.insert("Parameters".to_owned(), Value::Object(Map::new()));
        }
        Some(other) => as_object(other),
    }
    Ok(())
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// What is wrong with a reply; the texts are those AWS writes to its log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ReplyError {
    #[error("Response is blank or empty")]
    Blank,
    #[error("Error while reading actions list. {0}")]
    Unreadable(String),
    #[error(
        "The schema version in the invocation request does not match the schema version in the response."
    )]
    SchemaVersion,
    #[error("Unsupported action name specified: {0}")]
    UnsupportedAction(String),
    #[error("Too many actions specified in a response.")]
    TooManyActions,
    #[error("Transaction Attributes has too many mappings. Maximum number of mappings is {0}")]
    TooManyAttributes(usize),
    #[error("Transaction Attributes are longer than {MAX_ATTRIBUTE_BYTES} bytes")]
    AttributesTooLong,
}

/// `ErrorType` where AWS documents none ([`InvalidReply::Each`]).
pub const INVALID_RESPONSE: &str = "InvalidResponse";

impl ReplyError {
    /// `ErrorType` of the `INVALID_LAMBDA_RESPONSE` that it leads to; `None`: it ends the call.
    pub fn error_type(&self, rules: &Rules) -> Option<&'static str> {
        match self {
            Self::TooManyAttributes(_) | Self::AttributesTooLong => {
                Some("TransactionAttributesInvalidMapSize")
            }
            _ => (rules.invalid_reply == InvalidReply::Each).then_some(INVALID_RESPONSE),
        }
    }
}
