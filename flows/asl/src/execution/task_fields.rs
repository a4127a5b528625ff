//! What the fields of a Task come to.

use super::sight::{Sight, no_seconds, no_whole, whole};
use crate::failure::Failure;
use crate::json::Json;
use crate::jsonata::Expected;
use crate::limits;
use crate::machine::model::{Setting, State, Task};
use serde_json::Value;

/// What the fields of a Task come to in one attempt.
pub(super) struct Asked {
    pub(super) arguments: Json,
    pub(super) timeout: Option<u64>,
    pub(super) heartbeat: Option<u64>,
    pub(super) role_arn: Option<String>,
}

pub(super) fn ask(sight: &Sight<'_>, state: &State, task: &Task) -> Result<Asked, Failure> {
    let input = sight.effective_input()?;
    let arguments = match &state.arguments {
        Some(arguments) => sight.payload(arguments, &input, "Arguments")?.into(),
        None => input.clone(),
    };
    let role = match &task.credentials {
        Some(credentials) => Some(sight.payload(credentials, &input, "Credentials")?),
        None => None,
    };
    let role_arn = role.and_then(|role| Some(role.get("RoleArn")?.as_str()?.to_owned()));
    Ok(Asked {
        arguments,
        timeout: seconds(sight, task.timeout.as_ref(), &input, "TimeoutSeconds")?,
        heartbeat: seconds(sight, task.heartbeat.as_ref(), &input, "HeartbeatSeconds")?,
        role_arn,
    })
}

fn seconds(
    sight: &Sight<'_>,
    setting: Option<&Setting>,
    input: &Value,
    what: &str,
) -> Result<Option<u64>, Failure> {
    let Some(setting) = setting else { return Ok(None) };
    let value = sight.setting(setting, input, Expected::Number)?;
    let number = whole(&value);
    match number {
        Some(seconds) if (1..=limits::SECONDS as i64).contains(&seconds) => {
            return Ok(Some(seconds.unsigned_abs()));
        }
        _ => {}
    }
    let (path, field) = setting.cited().unwrap_or((what, "value"));
    Err(match (setting, number) {
        (Setting::Query { .. }, Some(seconds)) => no_seconds(field, seconds),
        (Setting::Query { .. }, None) => no_whole(field, &value),
        _ => Failure::runtime(format!(
            "The {field} parameter does not reference an integer from 1 to {}: {path} == {value}",
            limits::SECONDS
        )),
    })
}
