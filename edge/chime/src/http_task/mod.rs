//! `http:invoke`: a request to an address of the workflow's (Step Functions Developer Guide, "Call
//! HTTPS APIs in Step Functions workflows").

mod connection;
mod form;
mod token;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request};
use serde_json::{Map, Value, json};

use crate::https::{Answer, HttpError, Limits, Trust, Url};
use crate::sigv4::encoded;
use crate::task::{MAX_DATA, TaskError, too_large};

use self::connection::Kept;
pub use self::connection::{Connection, OAuthClient};
use self::form::{ArrayFormat, pairs};

/// A request must be done within this (hard limit of HTTP tasks).
const LIMITS: Limits = Limits { time: Duration::from_secs(60), body: MAX_DATA };
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"];
/// Headers that a workflow may not set ("Unsupported headers").
const FORBIDDEN: [&str; 34] = [
    "a-im",
    "accept-charset",
    "accept-datetime",
    "accept-encoding",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-md5",
    "date",
    "expect",
    "forwarded",
    "from",
    "host",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "max-forwards",
    "origin",
    "pragma",
    "proxy-authorization",
    "range",
    "referer",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "warning",
];
/// And those that begin so.
const FORBIDDEN_BEGINNINGS: [&str; 3] = ["x-forwarded-", "x-amz-", "x-amzn-"];

/// HTTP tasks.
#[derive(Debug, Clone)]
pub struct HttpTasks {
    /// By name, or by whole ARN.
    connections: Arc<BTreeMap<String, Result<Arc<Kept>, String>>>,
    region: String,
}

impl HttpTasks {
    /// With these connections, by name (as in `…:connection/NAME/ID`) or by whole ARN. `region`
    /// stands in `User-Agent`.
    ///
    /// # Errors
    /// In words: something of a connection cannot stand in a request.
    pub fn new(
        connections: BTreeMap<String, Connection>,
        region: &str,
        trust: &Trust,
    ) -> Result<Self, String> {
        let mut tasks = Self::none(region);
        for (name, connection) in connections {
            tasks.set(name, Ok((connection, trust.clone())))?;
        }
        Ok(tasks)
    }

    /// With no connection yet.
    #[must_use]
    pub fn none(region: &str) -> Self {
        Self { connections: Arc::default(), region: region.to_owned() }
    }

    /// Adds a connection, or why it cannot be used: only tasks that name it are told.
    ///
    /// # Errors
    /// In words: it cannot be used. It is added nevertheless.
    pub fn set(
        &mut self,
        name: String,
        made: Result<(Connection, Trust), String>,
    ) -> Result<(), String> {
        let kept = made.and_then(|(is, trust)| Kept::new(&name, is, trust).map(Arc::new));
        let outcome = kept.as_ref().map(drop).map_err(Clone::clone);
        Arc::make_mut(&mut self.connections).insert(name, kept);
        outcome
    }

    /// Takes a connection over from before, with its tokens; whether there was one to be used.
    pub fn keep(&mut self, name: &str, before: &Self) -> bool {
        let Some(Ok(kept)) = before.connections.get(name) else { return false };
        let kept = Ok(Arc::clone(kept));
        Arc::make_mut(&mut self.connections).insert(name.to_owned(), kept);
        true
    }

    /// `arn:aws:states:::http:invoke`.
    ///
    /// # Errors
    /// `States.Http.StatusCode.NNN`: an answer of 400 and more, or a redirect.
    /// `States.Http.Socket`: no answer within 60 s. `States.Runtime`: the task is written wrongly.
    /// `States.DataLimitExceeded`: the answer is larger than 256 KiB.
    /// `Events.ConnectionResource.ResourceNotFound`: there is no such connection; and
    /// `….InvalidConnectionState`, `….InternalError` where its access token cannot be had.
    pub async fn invoke(&self, parameters: &Value) -> Result<Value, TaskError> {
        let connection = self.connection(parameters)?;
        let (url, mut request) = self.request(parameters, connection)?;
        let token = connection.token().await?;
        if let Some(Ok(value)) = token.as_ref().map(|token| HeaderValue::from_str(token)) {
            request.headers_mut().insert("authorization", value);
        }
        let answer = connection.http.ask(&url.endpoint, request, LIMITS).await;
        let answer = answer.map_err(|error| match error {
            HttpError::TooLarge(_) => too_large(),
            HttpError::Unsendable(words) => TaskError::runtime(words),
            error => TaskError::new("States.Http.Socket", error.to_string()),
        })?;
        let status = answer.status.as_u16();
        if let (401 | 407, Some(token)) = (status, &token) {
            connection.refused(token).await;
        }
        let result = result(&answer)?;
        if status < 300 {
            return Ok(result);
        }
        Err(TaskError::new(format!("States.Http.StatusCode.{status}"), result.to_string()))
    }

    /// The connection that a task names.
    fn connection(&self, parameters: &Value) -> Result<&Kept, TaskError> {
        let arn = ["Authentication", "InvocationConfig"]
            .iter()
            .find_map(|key| parameters.get(key)?.get("ConnectionArn")?.as_str());
        let Some(arn) = arn else {
            return Err(TaskError::runtime("http:invoke needs Authentication.ConnectionArn"));
        };
        let name = arn.split_once(":connection/").map_or(arn, |(_, rest)| rest);
        let name = name.split('/').next().unwrap_or_default();
        let found = self.connections.get(arn).or_else(|| self.connections.get(name));
        let found = found.ok_or_else(|| {
            let words = format!("the configuration has no connection {name:?} ({arn})");
            TaskError::new("Events.ConnectionResource.ResourceNotFound", words)
        })?;
        found.as_deref().map_err(|words| {
            let words = format!("the connection {name:?} cannot be used: {words}");
            TaskError::new("Events.ConnectionResource.InvalidConnectionState", words)
        })
    }

    fn request(
        &self,
        parameters: &Value,
        connection: &Kept,
    ) -> Result<(Url, Request<Full<Bytes>>), TaskError> {
        let text = |name: &str| parameters.get(name).and_then(Value::as_str);
        let needed = |name: &str| {
            text(name).ok_or_else(|| TaskError::runtime(format!("http:invoke needs {name}")))
        };
        let address = needed("ApiEndpoint")?;
        let method = needed("Method")?;
        if !METHODS.contains(&method) {
            return Err(TaskError::runtime(format!("http:invoke cannot {method:?}")));
        }
        let mut url = Url::parse(address)
            .and_then(|url| url.protected(address))
            .map_err(TaskError::runtime)?;
        if !connection.may_go(&url) {
            let words = format!("the connection is not for {}", url.endpoint.authority);
            return Err(TaskError::runtime(words));
        }
        let connection = &connection.is;
        let transform = Transform::of(parameters.get("Transform"))?;
        add_query(&mut url, parameters, connection, transform.arrays)?;
        let (body, kind) = body(parameters, connection, &transform)?;
        let mut headers = self.headers(parameters, connection)?;
        if let (Some(kind), false) = (kind, headers.contains_key("content-type")) {
            headers.insert("content-type", HeaderValue::from_static(kind));
        }
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|error| TaskError::runtime(error.to_string()))?;
        let mut request = Request::builder()
            .method(method)
            .uri(url.target())
            .header("host", url.endpoint.authority.as_str())
            .body(Full::new(body))
            .map_err(|error| TaskError::runtime(error.to_string()))?;
        request.headers_mut().extend(headers);
        Ok((url, request))
    }

    /// Those of the workflow, those of the connection over them.
    fn headers(&self, parameters: &Value, connection: &Connection) -> Result<HeaderMap, TaskError> {
        let mut headers = HeaderMap::new();
        let agent = format!("Amazon|StepFunctions|HttpInvoke|{}", self.region);
        let mut set = |name: &str, value: &str| {
            let (Ok(header), Ok(value)) =
                (name.to_ascii_lowercase().parse::<HeaderName>(), HeaderValue::from_str(value))
            else {
                return Err(TaskError::runtime(format!("the header {name:?} cannot be sent")));
            };
            headers.insert(header, value);
            Ok(())
        };
        set("accept", "*/*")?;
        for (name, value) in object(parameters, "Headers")? {
            let lower = name.to_ascii_lowercase();
            let unsupported = FORBIDDEN.contains(&lower.as_str())
                || FORBIDDEN_BEGINNINGS.iter().any(|begin| lower.starts_with(begin));
            if unsupported {
                let words = format!("The 'Headers' field contains unsupported values: [{lower}]");
                return Err(TaskError::runtime(words));
            }
            let values: Vec<String> = match value {
                Value::Array(values) => values.iter().filter_map(form::scalar).collect(),
                value => form::scalar(value).into_iter().collect(),
            };
            set(name, &values.join(","))?;
        }
        for (name, value) in &connection.headers {
            set(name, value)?;
        }
        set("user-agent", &agent)?;
        Ok(headers)
    }
}

/// How the body is written.
#[derive(Debug)]
struct Transform {
    form: bool,
    arrays: ArrayFormat,
}

impl Transform {
    fn of(value: Option<&Value>) -> Result<Self, TaskError> {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let form = match text(value.and_then(|t| t.get("RequestBodyEncoding"))).as_deref() {
            None | Some("NONE") => false,
            Some("URL_ENCODED") => true,
            Some(other) => {
                let words = format!("RequestBodyEncoding cannot be {other:?}");
                return Err(TaskError::runtime(words));
            }
        };
        let options = value.and_then(|t| t.get("RequestEncodingOptions"));
        let arrays = match text(options.and_then(|o| o.get("ArrayFormat"))) {
            None => ArrayFormat::Indices,
            Some(word) => ArrayFormat::parse(&word)
                .ok_or_else(|| TaskError::runtime(format!("ArrayFormat cannot be {word:?}")))?,
        };
        Ok(Self { form, arrays })
    }
}

/// A parameter that is an object, or is not there.
fn object<'a>(
    parameters: &'a Value,
    name: &str,
) -> Result<impl Iterator<Item = (&'a String, &'a Value)>, TaskError> {
    match parameters.get(name) {
        None | Some(Value::Null) => Ok(None.into_iter().flatten()),
        Some(Value::Object(members)) => Ok(Some(members).into_iter().flatten()),
        Some(_) => Err(TaskError::runtime(format!("http:invoke: {name} must be an object"))),
    }
}

/// The query of the address, of the task, and of the connection, the last before the others.
fn add_query(
    url: &mut Url,
    parameters: &Value,
    connection: &Connection,
    arrays: ArrayFormat,
) -> Result<(), TaskError> {
    let mut added: Vec<(String, String)> = Vec::new();
    for (name, value) in object(parameters, "QueryParameters")? {
        if !connection.query.contains_key(name) {
            pairs(name, value, arrays, &mut added);
        }
    }
    added.extend(connection.query.iter().map(|(n, v)| (n.clone(), v.clone())));
    for (name, value) in added {
        if !url.query.is_empty() {
            url.query.push('&');
        }
        url.query.push_str(&format!("{}={}", encoded(&name), encoded(&value)));
    }
    Ok(())
}

/// The body and its kind.
fn body(
    parameters: &Value,
    connection: &Connection,
    transform: &Transform,
) -> Result<(Bytes, Option<&'static str>), TaskError> {
    let mut body = parameters.get("RequestBody").cloned().unwrap_or_default();
    if !connection.body.is_empty() {
        match &mut body {
            Value::Null => body = Value::Object(connection.body.clone()),
            Value::Object(members) => members.extend(connection.body.clone()),
            _ => {
                let words = "the connection has body parameters: RequestBody must be an object";
                return Err(TaskError::runtime(words));
            }
        }
    }
    if transform.form {
        let Value::Object(members) = &body else {
            let words = "RequestBody must be an object to be URL_ENCODED";
            return Err(TaskError::runtime(words));
        };
        let mut form = Vec::new();
        for (name, value) in members {
            pairs(name, value, transform.arrays, &mut form);
        }
        let form: Vec<String> =
            form.iter().map(|(n, v)| format!("{}={}", encoded(n), encoded(v))).collect();
        return Ok((Bytes::from(form.join("&")), Some("application/x-www-form-urlencoded")));
    }
    let text = match body {
        Value::Null => return Ok((Bytes::new(), None)),
        Value::String(text) => text,
        other => other.to_string(),
    };
    if text.len() > MAX_DATA {
        return Err(TaskError::new("States.DataLimitExceeded", "the body is larger than 256 KiB"));
    }
    Ok((Bytes::from(text), Some("application/json")))
}

/// `{"Headers": {name: [values]}, "ResponseBody": …, "StatusCode": 200, "StatusText": "OK"}`.
fn result(answer: &Answer) -> Result<Value, TaskError> {
    let mut headers: Map<String, Value> = Map::new();
    for (name, value) in &answer.headers {
        let value = Value::from(String::from_utf8_lossy(value.as_bytes()));
        match headers.get_mut(name.as_str()) {
            Some(Value::Array(values)) => values.push(value),
            _ => {
                headers.insert(name.to_string(), Value::Array(vec![value]));
            }
        }
    }
    let kind = answer.header("content-type").unwrap_or_default().to_ascii_lowercase();
    let unsupported = ["image/", "video/", "audio/", "application/octet-stream"];
    if let Some(begin) = unsupported.iter().find(|begin| kind.starts_with(**begin)) {
        let words = format!("the answer is {begin}…: a workflow can hold only text");
        return Err(TaskError::runtime(words));
    }
    let text = match std::str::from_utf8(&answer.body) {
        Ok(text) => text.to_owned(),
        // ISO 8859-1, where nothing says otherwise.
        Err(_) => answer.body.iter().map(|byte| char::from(*byte)).collect(),
    };
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    let status = answer.status;
    Ok(json!({
        "Headers": headers,
        "ResponseBody": body,
        "StatusCode": status.as_u16(),
        "StatusText": status.canonical_reason().unwrap_or_default(),
    }))
}
