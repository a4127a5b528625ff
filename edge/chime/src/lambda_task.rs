//! Lambda as a task of a workflow: `lambda:invoke`, `aws-sdk:lambda:invoke`, and a function's ARN
//! as the resource itself (Step Functions Developer Guide, "Invoke an AWS Lambda function").

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::lambda::{FunctionName, InvocationType, Invoke, Invoked, Lambda};
use crate::sdk::failed;
use crate::task::{MAX_DATA, TaskError, too_large};

/// Longest that a function may run: Lambda's own limit, and a little for the way.
const PATIENCE: Duration = Duration::from_secs(15 * 60 + 10);
/// Before the dot of an error's name.
const ERRORS: &str = "Lambda";

impl Lambda {
    /// `arn:aws:states:::lambda:invoke`: `FunctionName`, `Payload`, `InvocationType`,
    /// `Qualifier`, `LogType`, `ClientContext` as parameters; `Payload`, `StatusCode` and
    /// `ExecutedVersion` as the result.
    ///
    /// # Errors
    /// The function's own error by its type; `Lambda.NameException` of the service.
    pub async fn task(&self, parameters: &Value) -> Result<Value, TaskError> {
        let (invoked, _) = run(self, parameters, "lambda:invoke").await?;
        if let Some(error) = function_error(&invoked) {
            return Err(error);
        }
        let mut result = members(&invoked);
        result.insert("Payload".to_owned(), payload(&invoked)?);
        bounded(result)
    }

    /// A function's ARN as the resource: the input is its event, its answer is the result.
    ///
    /// # Errors
    /// As those of [`Lambda::task`].
    pub async fn direct(&self, function: &str, input: &Value) -> Result<Value, TaskError> {
        let parameters = json!({"FunctionName": function, "Payload": input});
        let (invoked, _) = run(self, &parameters, function).await?;
        match function_error(&invoked) {
            Some(error) => Err(error),
            None if invoked.payload.len() > MAX_DATA => Err(too_large()),
            None => payload(&invoked),
        }
    }
}

/// `aws-sdk:lambda:invoke`: the same, but its payloads are text, and a function's error is a
/// member of the result and no error of the task.
pub(crate) async fn sdk_invoke(lambda: &Lambda, parameters: &Value) -> Result<Value, TaskError> {
    let (invoked, log) = run(lambda, parameters, "lambda:invoke").await?;
    let mut result = members(&invoked);
    let text = String::from_utf8_lossy(&invoked.payload).into_owned();
    result.insert("Payload".to_owned(), Value::from(text));
    if let Some(error) = &invoked.function_error {
        result.insert("FunctionError".to_owned(), Value::from(error.as_str()));
    }
    if let (true, Some(log)) = (log, &invoked.log) {
        use base64::Engine as _;
        let log = base64::engine::general_purpose::STANDARD.encode(log);
        result.insert("LogResult".to_owned(), Value::from(log));
    }
    bounded(result)
}

/// Invokes as the parameters say; `true`: the log's end was asked for.
async fn run(
    lambda: &Lambda,
    parameters: &Value,
    task: &str,
) -> Result<(Invoked, bool), TaskError> {
    let text = |name: &str| match parameters.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(TaskError::runtime(format!("{task}: {name} must be a text"))),
    };
    let function = text("FunctionName")?
        .ok_or_else(|| TaskError::runtime(format!("{task} needs FunctionName")))?;
    let function = FunctionName::parse(function).map_err(TaskError::runtime)?;
    let function = function.at(text("Qualifier")?);
    let kind = match text("InvocationType")? {
        None => InvocationType::RequestResponse,
        Some(word) => InvocationType::parse(word)
            .ok_or_else(|| TaskError::runtime(format!("{task}: {word:?} is no InvocationType")))?,
    };
    let log_tail = text("LogType")? == Some("Tail");
    let payload = match parameters.get("Payload") {
        None => "{}".to_owned(),
        Some(payload) => payload.to_string(),
    };
    let invoked = lambda.invoke(Invoke {
        function: &function,
        payload: Bytes::from(payload),
        kind,
        log_tail,
        client_context: text("ClientContext")?,
        patience: PATIENCE,
    });
    let invoked = invoked.await.map_err(|error| failed(ERRORS, error))?;
    Ok((invoked, log_tail))
}

/// A function that ended in an error: its type is the error's name, what it said the cause. That
/// goes for a runtime that ended without a word as well (`Sandbox.Timedout`, `Runtime.ExitError`);
/// `Lambda.Unknown` is what older ones leave, who name no type.
fn function_error(invoked: &Invoked) -> Option<TaskError> {
    invoked.error()?;
    let cause = String::from_utf8_lossy(&invoked.payload).into_owned();
    let told: Value = serde_json::from_slice(&invoked.payload).unwrap_or_default();
    Some(match told.get("errorType").and_then(Value::as_str) {
        Some(kind) => TaskError::new(kind.to_owned(), cause),
        None => {
            let cause = format!(
                "The cause could not be determined because Lambda did not return an error type. \
                 Returned payload: {cause}"
            );
            TaskError::new("Lambda.Unknown", cause)
        }
    })
}

/// What a result has besides its payload.
fn members(invoked: &Invoked) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("StatusCode".to_owned(), Value::from(invoked.status));
    if let Some(version) = &invoked.executed_version {
        members.insert("ExecutedVersion".to_owned(), Value::from(version.as_str()));
    }
    members
}

/// The function's answer; nothing is `null`.
fn payload(invoked: &Invoked) -> Result<Value, TaskError> {
    if invoked.payload.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&invoked.payload).map_err(|error| {
        TaskError::new("Lambda.Unknown", format!("the function answered no JSON: {error}"))
    })
}

fn bounded(result: Map<String, Value>) -> Result<Value, TaskError> {
    let result = Value::Object(result);
    if result.to_string().len() > MAX_DATA { Err(too_large()) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// As AWS told them: the tests of `exception_handler` at github.com/department-for-transport-BODS
    /// have the first and the last.
    #[test]
    fn a_runtime_that_ended_is_named_by_its_type_and_unknown_without_one() {
        let failed = |payload: &str| {
            let error = function_error(&Invoked {
                status: 200,
                payload: Bytes::from(payload.to_owned()),
                function_error: Some("Unhandled".to_owned()),
                executed_version: None,
                log: None,
            });
            let error = error.unwrap();
            (error.error, error.cause)
        };
        for name in ["Runtime.ExitError", "Sandbox.Timedout", "ValueError"] {
            let payload =
                format!(r#"{{"errorType":"{name}","errorMessage":"Task timed out after"}}"#);
            assert_eq!(failed(&payload), (name.to_owned(), payload));
        }
        let payload = r#"{"errorMessage":"Task timed out after 902.11 seconds"}"#;
        let cause = format!(
            "The cause could not be determined because Lambda did not return an error type. \
             Returned payload: {payload}"
        );
        assert_eq!(failed(payload), ("Lambda.Unknown".to_owned(), cause));
    }
}
