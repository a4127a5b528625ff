//! REST with JSON.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::table::Operation;
use super::{Call, Protocol, Sdk, json_of, recase, scalar};
use crate::sigv4::{Draft, encoded};
use crate::task::TaskError;

pub(super) async fn call(sdk: &Sdk, call: &Call<'_>) -> Result<Value, TaskError> {
    let Protocol::Rest { camel, operations } = &call.row.protocol else {
        return Err(TaskError::runtime(format!("{} is no REST service", call.row.name)));
    };
    let Some(operation) = operations.iter().find(|op| op.name == call.action) else {
        let names: Vec<String> =
            operations.iter().map(|op| super::first(op.name, char::to_ascii_lowercase)).collect();
        return Err(call.unknown(&names.join(", ")));
    };
    let mut rest = call.parameters.as_object().cloned().unwrap_or_default();
    let path = path(operation, &mut rest, call.row.name)?;
    let query = query(operation, &mut rest);
    let (body, raw) = body(operation, rest, *camel);
    let mut draft = Draft::post("", &path, "application/json", body);
    draft.method = operation.method;
    draft.query = query;
    let answer = call.ask(&sdk.aws, draft).await?;
    let result = json_of(&answer)?;
    if raw {
        let kind = answer.header("content-type").unwrap_or_default();
        return Ok(serde_json::json!({"Body": result, "ContentType": kind}));
    }
    Ok(if *camel { recase(result, char::to_ascii_uppercase) } else { result })
}

/// The path with its parameters, which are taken out of `rest`.
fn path(
    operation: &Operation,
    rest: &mut Map<String, Value>,
    service: &str,
) -> Result<String, TaskError> {
    let mut path = String::new();
    for piece in operation.path.split_inclusive('}') {
        let Some((before, name)) = piece.strip_suffix('}').and_then(|p| p.split_once('{')) else {
            path.push_str(piece);
            continue;
        };
        path.push_str(before);
        match rest.remove(name).as_ref().and_then(scalar).filter(|value| !value.is_empty()) {
            Some(value) => path.push_str(&encoded(&value)),
            None => {
                let action = super::first(operation.name, char::to_ascii_lowercase);
                return Err(TaskError::runtime(format!("{service}:{action} needs {name}")));
            }
        }
    }
    Ok(path)
}

fn query(operation: &Operation, rest: &mut Map<String, Value>) -> Vec<(String, String)> {
    let take = |(name, on_wire): &(&str, &str)| {
        let value = scalar(&rest.remove(*name)?)?;
        Some(((*on_wire).to_owned(), value))
    };
    operation.query.iter().filter_map(take).collect()
}

/// The body; `true`: it is one parameter of its own, and so is that of the answer.
fn body(operation: &Operation, mut rest: Map<String, Value>, camel: bool) -> (Bytes, bool) {
    if operation.method == "GET" || operation.method == "DELETE" {
        return (Bytes::new(), false);
    }
    if operation.name == "InvokeModel" {
        let body = match rest.remove("Body") {
            Some(Value::String(text)) => text,
            Some(value) => value.to_string(),
            None => String::new(),
        };
        return (Bytes::from(body), true);
    }
    let rest = Value::Object(rest);
    let rest = if camel { recase(rest, char::to_ascii_lowercase) } else { rest };
    (Bytes::from(rest.to_string()), false)
}
