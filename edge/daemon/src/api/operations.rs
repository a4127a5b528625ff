//! The operations: path and body of a request become a typed one, by the rules of the API's model.

use std::collections::BTreeMap;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};
use offhook_chime::sigv4::decoded;
use offhook_pbx::office::CreateCall;
use serde_json::{Map, Value, json};

use super::calls::Arguments;
use super::error::ApiError;
use crate::dial::CLICK_TO_CALL;

/// Most pairs of a map (`SMAUpdateCallArgumentsMap`, `SMACreateCallArgumentsMap`, `SipHeadersMap`).
const MAX_PAIRS: usize = 20;
/// Characters of what a phone dials.
const MAX_DIALLED: usize = 64;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// `UpdateSipMediaApplicationCall`.
    Update { application: String, transaction: String, arguments: Arguments },
    /// `CreateSipMediaApplicationCall`.
    Create(CreateCall),
}

/// Reads a request.
pub(super) fn read(method: &Method, path: &str, body: &[u8]) -> Result<Operation, ApiError> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    match (method, segments.as_slice()) {
        (&Method::POST, ["sip-media-applications", application, "calls"]) => {
            let application = label(application, "sipMediaApplicationId")?;
            create(application, &members(body)?).map(Operation::Create)
        }
        (&Method::POST, ["sip-media-applications", application, "calls", transaction]) => {
            let application = label(application, "sipMediaApplicationId")?;
            let transaction = label(transaction, "transactionId")?;
            let arguments = pairs(&members(body)?, "Arguments")?;
            let arguments = arguments.ok_or_else(|| null("arguments"))?;
            Ok(Operation::Update { application, transaction, arguments })
        }
        _ => Err(ApiError::unknown_operation()),
    }
}

/// A part of the path: `.*\S.*`.
fn label(text: &str, name: &str) -> Result<String, ApiError> {
    let text = String::from_utf8(decoded(text)).unwrap_or_default();
    if text.trim().is_empty() {
        return Err(broken(name, "Member must satisfy regular expression pattern: .*\\S.*"));
    }
    Ok(text)
}

fn members(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    // botocore sends nothing where there is nothing to say.
    if body.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(ApiError::bad_request("The body must be a JSON object")),
        Err(error) => Err(ApiError::bad_request(format!("The body is no JSON: {error}"))),
    }
}

fn create(application: String, members: &Map<String, Value>) -> Result<CreateCall, ApiError> {
    // What a phone would dial is no number of AWS's yet.
    let number = if application == CLICK_TO_CALL { dialled } else { number };
    Ok(CreateCall {
        from: number(members, "FromPhoneNumber", "fromPhoneNumber")?,
        to: number(members, "ToPhoneNumber", "toPhoneNumber")?,
        application,
        sip_headers: pairs(members, "SipHeaders")?.unwrap_or_default(),
        arguments: pairs(members, "ArgumentsMap")?.unwrap_or_default(),
    })
}

fn text<'a>(
    members: &'a Map<String, Value>,
    name: &str,
    told: &str,
) -> Result<&'a String, ApiError> {
    match members.get(name) {
        None | Some(Value::Null) => Err(null(told)),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(ApiError::bad_request(format!("{name} must be a string"))),
    }
}

/// An extension, or what a phone dials.
fn dialled(members: &Map<String, Value>, name: &str, told: &str) -> Result<String, ApiError> {
    let text = text(members, name, told)?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"+*#_-.() ".contains(&b);
    if !(1..=MAX_DIALLED).contains(&text.trim().len()) || !text.bytes().all(fits) {
        let rule = format!(
            "Member must satisfy regular expression pattern: ^[A-Za-z0-9+*#_.() -]{{1,{MAX_DIALLED}}}$"
        );
        return Err(broken(told, &rule));
    }
    Ok(text.trim().to_owned())
}

/// `^\+?[1-9]\d{1,14}$`.
fn number(members: &Map<String, Value>, name: &str, told: &str) -> Result<String, ApiError> {
    let text = text(members, name, told)?;
    let digits = text.strip_prefix('+').unwrap_or(text);
    let good = (2..=15).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.starts_with('0');
    if !good {
        let rule = "Member must satisfy regular expression pattern: ^\\+?[1-9]\\d{1,14}$";
        return Err(broken(told, rule));
    }
    Ok(text.clone())
}

/// A map of strings to strings, 0 to 20 of them.
fn pairs(members: &Map<String, Value>, name: &str) -> Result<Option<Arguments>, ApiError> {
    let map = match members.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(map)) => map,
        Some(_) => {
            return Err(ApiError::bad_request(format!("{name} must be a map of strings")));
        }
    };
    if map.len() > MAX_PAIRS {
        let rule = format!("Member must have length less than or equal to {MAX_PAIRS}");
        return Err(broken(&lower_first(name), &rule));
    }
    let pair = |(key, value): (&String, &Value)| match value {
        Value::String(value) => Ok((key.clone(), value.clone())),
        _ => Err(ApiError::bad_request(format!("{name}: the value of {key:?} must be a string"))),
    };
    map.iter().map(pair).collect::<Result<BTreeMap<_, _>, _>>().map(Some)
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|c| c.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

fn null(name: &str) -> ApiError {
    broken(name, "Member must not be null")
}

fn broken(name: &str, rule: &str) -> ApiError {
    ApiError::bad_request(format!(
        "1 validation error detected: Value at '{name}' failed to satisfy constraint: {rule}"
    ))
}

/// `{"SipMediaApplicationCall": {"TransactionId": …}}`.
pub(super) fn call(transaction: &str) -> Value {
    json!({"SipMediaApplicationCall": {"TransactionId": transaction}})
}

/// An answer of JSON.
pub(super) fn written(status: u16, body: Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
