//! Handlers elsewhere: what is asked with an event and answers with actions, a Lambda function or
//! a webhook, and how often it is asked (`offhook_sma::invoke`).

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use offhook_sma::event::InvocationEvent;
use offhook_sma::invoke::{Fault, GiveUp, Invocation, Policy, Step};
use offhook_sma::reply::{Reply, ReplyError, without_mark};
use serde_json::Value;
use tokio::time::Instant;

use crate::lambda::{FunctionName, InvocationType, Invoke, Lambda};

/// Why one attempt gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct HandlerError {
    /// What it means for the retries.
    pub fault: Fault,
    /// For the operator.
    pub words: String,
}

impl HandlerError {
    /// Of the other side or the network.
    pub(crate) fn other(words: impl Into<String>) -> Self {
        let words = words.into();
        Self { fault: Fault::Other(words.clone()), words }
    }
}

/// One attempt.
pub type Attempt<'a> = Pin<Box<dyn Future<Output = Result<Bytes, HandlerError>> + Send + 'a>>;

/// Something elsewhere that runs calls.
pub trait Handler: Send + Sync {
    /// As the operator named it: `lambda:ivr`, `webhook:https://…`.
    fn name(&self) -> &str;

    /// Asks it once. `id`: the same with each attempt for one event. What is not answered when
    /// the future is dropped, or after `patience`, is given up.
    fn attempt(&self, id: String, event: Bytes, patience: Duration) -> Attempt<'_>;
}

/// Why a handler gave no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Not in time, or not without an error, as often as it was asked.
    #[error("{why}{}", last.as_ref().map(|last| format!(" ({last})")).unwrap_or_default())]
    GaveUp {
        /// In AWS's words.
        why: GiveUp,
        /// What the last attempt came to, for the operator.
        last: Option<String>,
    },
    /// What it answers makes no sense.
    #[error(transparent)]
    Invalid(#[from] ReplyError),
}

/// Asks a handler until it answers, or until the policy says that it will not. Attempts that take
/// long go on beside later ones: the first answer is the answer.
///
/// # Errors
/// See [`AskError`].
pub async fn ask(
    handler: &dyn Handler,
    event: &InvocationEvent,
    policy: Policy,
) -> Result<Reply, AskError> {
    let id = format!("{}/{}", event.call_details.transaction_id, event.sequence);
    let body = match serde_json::to_vec(event) {
        Ok(body) => Bytes::from(body),
        Err(error) => return Err(ReplyError::Unreadable(error.to_string()).into()),
    };
    let mut invocation = Invocation::new(Instant::now().into_std(), policy);
    let mut attempts = FuturesUnordered::new();
    let mut last = None;
    loop {
        let until = match invocation.poll(Instant::now().into_std()) {
            Step::Invoke => {
                attempts.push(handler.attempt(id.clone(), body.clone(), policy.deadline));
                continue;
            }
            Step::WaitUntil(until) => Instant::from_std(until),
            Step::GiveUp(why) => return Err(AskError::GaveUp { why, last }),
        };
        tokio::select! {
            Some(outcome) = attempts.next() => match outcome {
                Ok(reply) => return Ok(Reply::parse(&reply)?),
                Err(error) => {
                    invocation.failed(Instant::now().into_std(), &error.fault);
                    last = Some(error.words);
                }
            },
            () = tokio::time::sleep_until(until) => {}
        }
    }
}

/// A Lambda function that runs calls.
#[derive(Debug, Clone)]
pub struct LambdaHandler {
    name: String,
    lambda: Lambda,
    function: FunctionName,
}

impl LambdaHandler {
    /// One function.
    #[must_use]
    pub fn new(lambda: Lambda, function: FunctionName) -> Self {
        Self { name: format!("lambda:{function}"), lambda, function }
    }
}

impl Handler for LambdaHandler {
    fn name(&self) -> &str {
        &self.name
    }

    fn attempt(&self, _: String, event: Bytes, patience: Duration) -> Attempt<'_> {
        Box::pin(async move {
            let invoked = self.lambda.invoke(Invoke {
                function: &self.function,
                payload: event,
                kind: InvocationType::RequestResponse,
                log_tail: false,
                client_context: None,
                patience,
            });
            let invoked = invoked
                .await
                .map_err(|error| HandlerError { fault: error.fault(), words: error.to_string() })?;
            match invoked.error() {
                None => Ok(invoked.payload),
                Some((kind, message)) => {
                    Err(HandlerError::other(format!("the function ended in {kind}: {message}")))
                }
            }
        })
    }
}

/// The beginning of what somebody answered, for a message.
pub(crate) fn excerpt(body: &[u8]) -> String {
    const MOST: usize = 80;
    let text = String::from_utf8_lossy(body);
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut short: String = text.trim().chars().take(MOST).map(plain).collect();
    if text.trim().chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}

/// Whether a body is JSON.
pub(crate) fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(without_mark(body)).is_ok()
}

#[cfg(test)]
mod tests;
