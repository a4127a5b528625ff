//! Functions that workflows invoke as they would a Lambda function, and that are part of this box:
//! on AWS one of the same name does the same.

use offhook_flows::schedule::{OutboundCall, arguments_of};
use offhook_flows::services::{Request, ServiceError};
use offhook_pbx::keep::Extensions as _;
use offhook_pbx::pin;
use serde_json::{Value, json};

use super::Applications;
use super::office::{CHECK_PIN, PLACE_CALL};

/// `None`: the request is none of these functions'.
pub(super) async fn call(
    applications: &Applications,
    request: &Request,
) -> Option<Result<Value, ServiceError>> {
    let invoke = request.service == "lambda" && request.action.eq_ignore_ascii_case("invoke");
    let function = request.arguments.get("FunctionName").and_then(Value::as_str);
    let function = function.filter(|_| invoke)?;
    let name = function.rsplit(":function:").next().unwrap_or(function);
    let name = name.split(':').next().unwrap_or(name);
    let payload = payload(request.arguments.get("Payload"));
    let result = match name {
        CHECK_PIN => check_pin(applications, &payload).await,
        PLACE_CALL => place_call(applications, request, &payload).await,
        _ => return None,
    };
    Some(result.map(
        |payload| json!({"ExecutedVersion": "$LATEST", "StatusCode": 200, "Payload": payload}),
    ))
}

/// An object, or the text of one.
fn payload(payload: Option<&Value>) -> Value {
    match payload {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or(Value::Null),
        Some(value) => value.clone(),
        None => Value::Null,
    }
}

/// `{Extension, Pin}` to `{Correct}`. Guesses are counted as those of the voicemail menu are.
async fn check_pin(applications: &Applications, payload: &Value) -> Result<Value, ServiceError> {
    let text = |key: &str| payload.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (extension, given) = (text("Extension"), text("Pin"));
    let all = applications.store().load_extensions().await;
    let all =
        all.map_err(|error| ServiceError::new("Lambda.ServiceException", error.to_string()))?;
    let stored = all.into_iter().find(|e| e.number == extension).and_then(|e| e.pin);
    let Some(stored) = stored else { return Ok(json!({"Correct": false})) };
    let right = tokio::task::spawn_blocking(move || pin::verify(&stored, &given)).await;
    let correct = applications.pins().admits(&extension, right.unwrap_or(false));
    Ok(json!({"Correct": correct}))
}

/// What AWS's sample has its function do: `CreateSipMediaApplicationCall`.
async fn place_call(
    applications: &Applications,
    request: &Request,
    payload: &Value,
) -> Result<Value, ServiceError> {
    let text = |key: &str| payload.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let call = OutboundCall {
        id: request.idempotency.clone(),
        again: false,
        from: text("BusinessPhoneNumber"),
        to: text("BusinessOwnerPhoneNumber"),
        sip_media_application: text("SipMediaApplicationId"),
        arguments: arguments_of(payload),
    };
    let transaction = applications.place_call(call).await?;
    let body = json!({"SipMediaApplicationCall": {"TransactionId": transaction}});
    Ok(json!({"statusCode": 200, "body": body.to_string()}))
}
