//! AWS JSON 1.0 and 1.1.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use super::{Call, Protocol, Sdk, json_of, recase};
use crate::sigv4::Draft;
use crate::task::TaskError;

pub(super) async fn call(sdk: &Sdk, call: &Call<'_>) -> Result<Value, TaskError> {
    let Protocol::Json { version, target, camel } = &call.row.protocol else {
        return Err(TaskError::runtime(format!("{} speaks no JSON", call.row.name)));
    };
    let parameters = call.parameters.clone();
    let body =
        if *camel { recase(parameters, char::to_ascii_lowercase) } else { parameters }.to_string();
    let kind = format!("application/x-amz-json-{version}");
    let mut draft = Draft::post("", "/", &kind, Bytes::from(body));
    let target = format!("{target}.{}", call.action);
    draft.headers.push(("x-amz-target".to_owned(), target));
    let result = json_of(&call.ask(&sdk.aws, draft).await?)?;
    let result = if *camel { recase(result, char::to_ascii_uppercase) } else { result };
    Ok(if call.row.name == "sfn" { with_dates(result) } else { result })
}

/// Step Functions gives times as text; its API gives seconds.
fn with_dates(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| {
                let date = name.ends_with("Date").then(|| value.as_f64().and_then(written));
                let value = date.flatten().unwrap_or_else(|| with_dates(value));
                (name, value)
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(with_dates).collect(),
        other => other,
    }
}

fn written(seconds: f64) -> Option<Value> {
    // Exact to the millisecond for all times that a Timestamp has.
    #[allow(clippy::cast_possible_truncation)]
    let time = Timestamp::from_millisecond((seconds * 1000.0).round() as i64).ok()?;
    Some(Value::from(time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()))
}
