//! The runtime API of AWS Lambda: a function asks for an invocation, answers it, and asks for the
//! next (Lambda developer guide, "Using the Lambda runtime API for custom runtimes").
//!
//! Four requests over plain HTTP on the function's own machine: the client that is here anyway does
//! them. See docs/decisions/0020-functions-without-a-runtime-crate.md.

use std::fmt::Display;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde_json::{Value, json};

use crate::https::{Answer, Client, Endpoint, HttpError, Limits, Trust};

const VERSION: &str = "/2018-06-01/runtime";
/// An event of the largest size, and some more.
const MOST_EVENT: usize = 7 << 20;
/// The function sleeps while it waits for the next one, for hours.
const NEXT: Limits = Limits { time: Duration::from_secs(24 * 3_600), body: MOST_EVENT };
const ANSWER: Limits = Limits { time: Duration::from_secs(10), body: 64 << 10 };

/// Why a function cannot go on: Lambda starts another one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// `AWS_LAMBDA_RUNTIME_API` is not set, or is no address.
    #[error("AWS_LAMBDA_RUNTIME_API is not set to a host and port: this runs within AWS Lambda")]
    Nowhere,
    /// It did not answer, or not as it should.
    #[error("the runtime API: {0}")]
    Broken(String),
}

/// The runtime API.
#[derive(Debug, Clone)]
pub struct Runtime {
    http: Client,
    endpoint: Endpoint,
}

/// One invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    id: String,
    /// The event.
    pub event: Bytes,
}

impl Runtime {
    /// At `host:port`, as `AWS_LAMBDA_RUNTIME_API` has it.
    ///
    /// # Errors
    /// [`RuntimeError::Nowhere`].
    pub fn new(address: Option<&str>, trust: Trust) -> Result<Self, RuntimeError> {
        let endpoint = address.and_then(|address| Endpoint::parse(&format!("http://{address}")));
        Ok(Self { http: Client::new(trust), endpoint: endpoint.ok_or(RuntimeError::Nowhere)? })
    }

    /// Answers invocations until the process is ended, or the API fails. An `Err` of the handler is
    /// the function's error, as an exception would be: `(errorType, errorMessage)`.
    ///
    /// # Errors
    /// [`RuntimeError::Broken`].
    pub async fn serve<F>(&self, mut handler: F) -> Result<(), RuntimeError>
    where
        F: AsyncFnMut(&[u8]) -> Result<Value, (String, String)>,
    {
        loop {
            let invocation = self.next().await?;
            let outcome = handler(&invocation.event).await;
            self.answer(&invocation, outcome).await?;
        }
    }

    /// Waits for an invocation.
    ///
    /// # Errors
    /// [`RuntimeError::Broken`].
    pub async fn next(&self) -> Result<Invocation, RuntimeError> {
        let answer = loop {
            match self.ask("GET", "/invocation/next", Vec::new(), NEXT).await {
                Err(HttpError::TimedOut(_)) => {}
                other => break other.map_err(|error| RuntimeError::Broken(error.to_string()))?,
            }
        };
        let id = answer.header("lambda-runtime-aws-request-id").map(str::to_owned);
        match id.filter(|id| answer.status.is_success() && is_id(id)) {
            Some(id) => Ok(Invocation { id, event: answer.body }),
            None => Err(RuntimeError::Broken(format!("no invocation: {}", answer.status))),
        }
    }

    /// Answers one.
    ///
    /// # Errors
    /// [`RuntimeError::Broken`].
    pub async fn answer(
        &self,
        invocation: &Invocation,
        outcome: Result<Value, (String, String)>,
    ) -> Result<(), RuntimeError> {
        let (what, body) = match outcome {
            Ok(answer) => ("response", answer),
            Err((kind, words)) => ("error", error(&kind, &words)),
        };
        self.post(&format!("/invocation/{}/{what}", invocation.id), &body).await
    }

    /// The function cannot begin.
    ///
    /// # Errors
    /// [`RuntimeError::Broken`].
    pub async fn cannot_begin(&self, why: &impl Display) -> Result<(), RuntimeError> {
        self.post("/init/error", &error("Runtime.Configuration", &why.to_string())).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<(), RuntimeError> {
        let answer = self.ask("POST", path, body.to_string().into_bytes(), ANSWER).await;
        let answer = answer.map_err(|error| RuntimeError::Broken(error.to_string()))?;
        // "Container error. Non-recoverable state. Runtime should exit promptly."
        if answer.status.is_server_error() {
            return Err(RuntimeError::Broken(format!("{path}: {}", answer.status)));
        }
        // Too late, or too large: Lambda tells the caller, and the next invocation comes.
        Ok(())
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Vec<u8>,
        limits: Limits,
    ) -> Result<Answer, HttpError> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{VERSION}{path}"))
            .header("host", self.endpoint.authority.as_str())
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| HttpError::Unsendable(error.to_string()))?;
        self.http.ask(&self.endpoint, request, limits).await
    }
}

fn is_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn error(kind: &str, words: &str) -> Value {
    json!({"errorType": kind, "errorMessage": words, "stackTrace": []})
}
