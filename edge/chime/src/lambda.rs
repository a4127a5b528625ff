//! AWS Lambda: `Invoke`, and what a function's name may look like.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde_json::Value;

use crate::aws::{Aws, AwsError, Service};
use crate::https::{Answer, Limits};
use crate::sigv4::{Draft, encoded};

const SERVICE: Service<'static> = Service { prefix: "lambda", signing: "lambda" };
/// What a function may answer: Lambda's own limit.
const MAX_ANSWER: usize = 6 << 20;
/// What may be sent to one that is waited for, and to one that is not: Lambda's own limits.
const MAX_PAYLOAD: usize = 6 << 20;
const MAX_EVENT: usize = 1 << 20;

/// A function as an operator or a workflow names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionName {
    /// As it is asked for: a name, or an ARN; without version or alias.
    name: String,
    /// Version or alias.
    qualifier: Option<String>,
    /// Of an ARN.
    region: Option<String>,
}

impl FunctionName {
    /// Reads `ivr`, `ivr:live`, `111122223333:function:ivr` or
    /// `arn:aws:lambda:us-east-1:111122223333:function:ivr:live`.
    ///
    /// # Errors
    /// In words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let (count, region) = match parts.as_slice() {
            ["arn", partition, "lambda", region, account, "function", _, ..]
                if partition.starts_with("aws") =>
            {
                if !crate::aws::is_region(region) || !is_account(account) {
                    return Err(format!("{text:?} is no ARN of a function"));
                }
                (7, Some((*region).to_owned()))
            }
            ["arn", ..] => return Err(format!("{text:?} is no ARN of a function")),
            [account, "function", _, ..] if is_account(account) => (3, None),
            _ => (1, None),
        };
        let (name, rest) = parts.split_at(count);
        let word = |word: &str, more: &str| {
            let good = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c) || more.contains(c);
            (1..=128).contains(&word.len()) && word.chars().all(good)
        };
        let qualifier = match rest {
            [] => None,
            [one] if word(one, "$.") => Some((*one).to_owned()),
            _ => return Err(format!("{text:?} is no name of a function")),
        };
        if !name.last().is_some_and(|name| word(name, "")) {
            return Err(format!("{text:?} is no name of a function"));
        }
        Ok(Self { name: name.join(":"), qualifier, region })
    }

    /// The same at a version or an alias.
    #[must_use]
    pub fn at(mut self, qualifier: Option<&str>) -> Self {
        if let Some(qualifier) = qualifier {
            self.qualifier = Some(qualifier.to_owned());
        }
        self
    }
}

impl std::fmt::Display for FunctionName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        match &self.qualifier {
            Some(qualifier) => write!(f, ":{qualifier}"),
            None => Ok(()),
        }
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether the answer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InvocationType {
    /// It is.
    #[default]
    RequestResponse,
    /// Lambda puts it into a queue of its own.
    Event,
    /// Nothing runs: names and rights are checked.
    DryRun,
}

impl InvocationType {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RequestResponse => "RequestResponse",
            Self::Event => "Event",
            Self::DryRun => "DryRun",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::RequestResponse, Self::Event, Self::DryRun].into_iter().find(|t| t.as_str() == text)
    }
}

/// One invocation.
#[derive(Debug, Clone)]
pub struct Invoke<'a> {
    /// Which function.
    pub function: &'a FunctionName,
    /// JSON.
    pub payload: Bytes,
    /// Whether it is waited for.
    pub kind: InvocationType,
    /// The last 4 KiB of its log are wanted.
    pub log_tail: bool,
    /// Base64, for `context.client_context`.
    pub client_context: Option<&'a str>,
    /// How long the answer is waited for.
    pub patience: Duration,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoked {
    /// 200, 202 of an event, 204 of a dry run.
    pub status: u16,
    /// The function's answer, or what it says of its error.
    pub payload: Bytes,
    /// `Handled` or `Unhandled`: the function ended in an error, and `payload` tells it.
    pub function_error: Option<String>,
    /// The version that ran.
    pub executed_version: Option<String>,
    /// The end of its log.
    pub log: Option<String>,
}

impl Invoked {
    /// What the function says of its error: its type and its message.
    #[must_use]
    pub fn error(&self) -> Option<(String, String)> {
        let told: Value = serde_json::from_slice(&self.payload).unwrap_or_default();
        let field = |name: &str| told.get(name).and_then(Value::as_str).map(str::to_owned);
        // An emulator of the runtime alone (RIE) has no header for it.
        let by_shape = || field("SchemaVersion").is_none() && told.get("errorMessage").is_some();
        if self.function_error.is_none() && !by_shape() {
            return None;
        }
        let kind = field("errorType").or_else(|| self.function_error.clone());
        let message = field("errorMessage").unwrap_or_default();
        Some((kind.unwrap_or_else(|| "Unhandled".to_owned()), message))
    }
}

/// AWS Lambda, or what stands in for it.
#[derive(Debug, Clone)]
pub struct Lambda(Aws);

impl Lambda {
    /// With these credentials and addresses.
    #[must_use]
    pub fn new(aws: Aws) -> Self {
        Self(aws)
    }

    /// Invokes a function (Lambda API, `Invoke`).
    ///
    /// # Errors
    /// See [`AwsError`]. A function that ends in an error is none: see [`Invoked::error`].
    pub async fn invoke(&self, what: Invoke<'_>) -> Result<Invoked, AwsError> {
        let most = if what.kind == InvocationType::Event { MAX_EVENT } else { MAX_PAYLOAD };
        if what.payload.len() > most {
            let size = what.payload.len();
            let words =
                format!("the payload of {} is {size} bytes, more than {most}", what.function);
            return Err(AwsError::Unsendable(words));
        }
        let region = what.function.region.as_deref().unwrap_or(self.0.region());
        let endpoint = self.0.endpoint(SERVICE, region)?;
        let path = format!("/2015-03-31/functions/{}/invocations", encoded(&what.function.name));
        let mut draft =
            Draft::post(&endpoint.authority, &path, "application/json", what.payload.clone());
        if let Some(qualifier) = &what.function.qualifier {
            draft.query.push(("Qualifier".to_owned(), qualifier.clone()));
        }
        let mut header = |name: &str, value: &str| {
            draft.headers.push((name.to_owned(), value.to_owned()));
        };
        header("x-amz-invocation-type", what.kind.as_str());
        if what.log_tail && what.kind == InvocationType::RequestResponse {
            header("x-amz-log-type", "Tail");
        }
        if let Some(context) = what.client_context {
            header("x-amz-client-context", context);
        }
        let limits = Limits { time: what.patience, body: MAX_ANSWER };
        let answer = self.0.call(SERVICE, region, &endpoint, draft, limits).await?;
        Ok(invoked(&answer))
    }
}

fn invoked(answer: &Answer) -> Invoked {
    let header = |name: &str| answer.header(name).map(str::to_owned);
    let log = header("x-amz-log-result").and_then(|log| BASE64.decode(log).ok());
    Invoked {
        status: answer.status.as_u16(),
        payload: answer.body.clone(),
        function_error: header("x-amz-function-error"),
        executed_version: header("x-amz-executed-version"),
        log: log.map(|log| String::from_utf8_lossy(&log).into_owned()),
    }
}
