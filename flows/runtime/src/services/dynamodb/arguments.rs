//! Members of a request, in AWS's words where they are wrong.

use serde_json::{Map, Value as Json};

use crate::services::{Request, ServiceError};

use super::condition::Condition;
use super::path::Path;
use super::placeholders::Placeholders;
use super::project;
use super::refusal::Refusal;
use super::value::{Item, parse_item};

/// Members of the API as it was before expressions (Developer Guide, "Legacy DynamoDB conditional
/// parameters"), each with what replaces it.
const LEGACY: [(&str, &str); 7] = [
    ("AttributesToGet", "ProjectionExpression"),
    ("AttributeUpdates", "UpdateExpression"),
    ("ConditionalOperator", "ConditionExpression"),
    ("Expected", "ConditionExpression"),
    ("KeyConditions", "KeyConditionExpression"),
    ("QueryFilter", "FilterExpression"),
    ("ScanFilter", "FilterExpression"),
];

/// The members of a request or of a part of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arguments<'a> {
    members: &'a Map<String, Json>,
}

impl<'a> Arguments<'a> {
    /// Those of a request, of which the action knows `known`.
    pub(super) fn of_request(request: &'a Request, known: &[&str]) -> Result<Self, ServiceError> {
        static EMPTY: std::sync::LazyLock<Map<String, Json>> = std::sync::LazyLock::new(Map::new);
        let members = match &request.arguments {
            Json::Object(members) => members,
            Json::Null => &EMPTY,
            _ => {
                return Err(ServiceError::new(
                    "States.Runtime",
                    format!(
                        "The arguments of {}:{} must be an object",
                        request.service, request.action
                    ),
                ));
            }
        };
        let legacy = |name: &str| LEGACY.iter().any(|(old, _)| *old == name);
        match members.keys().find(|name| !known.contains(&name.as_str()) && !legacy(name)) {
            Some(name) => Err(ServiceError::new(
                "States.Runtime",
                format!(
                    "The field \"{name}\" is not supported by {}:{}",
                    request.service, request.action
                ),
            )),
            None => Ok(Self { members }),
        }
    }

    /// Those of a part of a request.
    pub(super) fn of_part(part: &'a Json, what: &str) -> Result<Self, Refusal> {
        let members = part.as_object();
        let members =
            members.ok_or_else(|| Refusal::serialization(format!("{what} must be an object")))?;
        Ok(Self { members })
    }

    /// A member, if it is there and not `null`.
    pub(super) fn get(&self, name: &str) -> Option<&'a Json> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// Refuses members of the old API by name.
    pub(super) fn no_legacy(&self) -> Result<(), Refusal> {
        match LEGACY.iter().find(|(old, _)| self.get(old).is_some()) {
            Some((old, new)) => Err(Refusal::validation(format!(
                "{old} is a legacy parameter and is not served here; use {new}"
            ))),
            None => Ok(()),
        }
    }

    /// A member that has to be there.
    pub(super) fn required(&self, name: &str) -> Result<&'a Json, Refusal> {
        self.get(name).ok_or_else(|| {
            let mut letters = name.chars();
            let first: String = letters.next().map(|c| c.to_ascii_lowercase()).into_iter().collect();
            Refusal::validation(format!(
                "1 validation error detected: Value null at '{first}{}' failed to satisfy constraint: Member must not be null",
                letters.as_str()
            ))
        })
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        let text = |value: &'a Json| {
            value.as_str().ok_or_else(|| Refusal::serialization(format!("{name} must be a string")))
        };
        self.get(name).map(text).transpose()
    }

    /// A text that has to be there.
    pub(super) fn required_text(&self, name: &str) -> Result<&'a str, Refusal> {
        self.required(name)?;
        Ok(self.text(name)?.unwrap_or_default())
    }

    /// Yes or no, no if it is not there.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.get(name) {
            None => Ok(false),
            Some(Json::Bool(yes)) => Ok(*yes),
            Some(_) => Err(Refusal::serialization(format!("{name} must be true or false"))),
        }
    }

    /// A whole number from `least`.
    pub(super) fn integer(&self, name: &str, least: u64) -> Result<Option<u64>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.as_u64().or_else(|| whole(value)) {
            Some(number) if number >= least => Ok(Some(number)),
            _ => Err(Refusal::validation(format!(
                "1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: Member must have value greater than or equal to {least}"
            ))),
        }
    }

    /// One of some words; the first if it is not there.
    pub(super) fn one_of(
        &self,
        name: &str,
        words: &[&'static str],
    ) -> Result<&'static str, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(words.first().copied().unwrap_or("")) };
        words.iter().find(|word| **word == text).copied().ok_or_else(|| {
            Refusal::validation(format!(
                "1 validation error detected: Value '{text}' at '{name}' failed to satisfy constraint: Member must satisfy enum value set: [{}]",
                words.join(", ")
            ))
        })
    }

    /// An object of typed values that has to be there.
    pub(super) fn item(&self, name: &str) -> Result<Item, Refusal> {
        parse_item(self.required(name)?)
    }

    /// What stands for names and values.
    pub(super) fn placeholders(&self) -> Result<Placeholders, Refusal> {
        Placeholders::parse(
            self.get("ExpressionAttributeNames"),
            self.get("ExpressionAttributeValues"),
        )
    }

    /// A condition.
    pub(super) fn condition(
        &self,
        name: &str,
        placeholders: &mut Placeholders,
    ) -> Result<Option<Condition>, Refusal> {
        let Some(source) = self.text(name)? else { return Ok(None) };
        Condition::parse(source, placeholders).map(Some).map_err(|why| invalid(name, &why))
    }

    /// A projection.
    pub(super) fn projection(
        &self,
        placeholders: &mut Placeholders,
    ) -> Result<Option<Vec<Path>>, Refusal> {
        let Some(source) = self.text("ProjectionExpression")? else { return Ok(None) };
        let parsed = project::parse(source, placeholders);
        parsed.map(Some).map_err(|why| invalid("ProjectionExpression", &why))
    }

    /// The table's name, also when it is given as an ARN.
    pub(super) fn table_name(&self) -> Result<&'a str, Refusal> {
        let name = self.required_text("TableName")?;
        let name = match name.rsplit_once(":table/") {
            Some((arn, name)) if arn.starts_with("arn:") => name,
            _ => name,
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if name.is_empty() || name.len() > 255 || !name.chars().all(plain) {
            return Err(Refusal::validation(format!(
                "1 validation error detected: Value '{name}' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
            )));
        }
        Ok(name)
    }
}

/// JSONata makes `5.0` of what was 5.
fn whole(value: &Json) -> Option<u64> {
    let number = value.as_f64()?;
    let fits = number.fract() == 0.0 && (0.0..9e15).contains(&number);
    if fits { format!("{number}").parse().ok() } else { None }
}

/// AWS's words for an expression that cannot be read.
pub(super) fn invalid(expression: &str, why: &str) -> Refusal {
    Refusal::validation(format!("Invalid {expression}: {why}"))
}
