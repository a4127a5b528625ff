//! SQS on this machine (API Reference, version 2012-11-05): the queues of calls, which the router
//! empties at once, and small named queues.
//!
//! Queues are known by the last part of their URL. FIFO queues are refused by name. A long poll
//! does not wait: it answers with what is there.

mod messages;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::store::Entries;

use super::fields::Fields;
use super::sdk::{self, Fault, ServiceName};
use super::{Answer, ExecutionInfo, Request, Service, ServiceError, Upstream};
use messages::{Sent, attributes_digest, digest};

/// A message may have this many bytes (Developer Guide, "Amazon SQS message quotas").
const MESSAGE_BYTES: usize = 1024 * 1024;

const NAME: ServiceName = ServiceName {
    optimized: "SQS",
    client: "AmazonSQS",
    optimized_base: "AmazonSQSException",
    sdk: "Sqs",
};

/// A message for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallMessage {
    /// `QueueUrl`.
    pub queue_url: String,
    /// `MessageBody`: the text of a response to an event of the call.
    pub body: String,
    /// `MessageId`: the same for the same request of the same execution.
    pub id: String,
    /// Who sends it.
    pub execution: ExecutionInfo,
}

/// The queues of calls.
pub trait CallQueues: Send + Sync {
    /// Whether a URL is that of a call's queue.
    fn is_call(&self, queue_url: &str) -> bool;
    /// Hands a message to the call. An error when the call is over, in SQS's words:
    /// [`no_such_queue`].
    fn deliver(&self, message: CallMessage) -> BoxFuture<'static, Result<(), Fault>>;
}

/// Which named queues are on this machine; the others are upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalQueues {
    /// All.
    All,
    /// These.
    Named(BTreeSet<String>),
}

/// The queue is not there.
pub fn no_such_queue() -> Fault {
    Fault::new("QueueDoesNotExist", "The specified queue does not exist.")
}

/// The service.
#[derive(Clone)]
pub struct Sqs {
    inner: Arc<Inner>,
}

struct Inner {
    entries: Arc<dyn Entries>,
    calls: Arc<dyn CallQueues>,
    local: LocalQueues,
    upstream: Arc<dyn Upstream>,
}

impl Sqs {
    /// Named queues are kept in `entries`.
    pub fn new(
        entries: Arc<dyn Entries>,
        calls: Arc<dyn CallQueues>,
        local: LocalQueues,
        upstream: Arc<dyn Upstream>,
    ) -> Self {
        Self { inner: Arc::new(Inner { entries, calls, local, upstream }) }
    }
}

impl Service for Sqs {
    fn names(&self) -> &'static [&'static str] {
        &["sqs"]
    }

    fn call(&self, request: Request) -> Answer {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { inner.serve(request).await })
    }
}

fn known(action: &str) -> Option<&'static [&'static str]> {
    Some(match action {
        "sendMessage" => &[
            "QueueUrl",
            "MessageBody",
            "MessageAttributes",
            "DelaySeconds",
            "MessageDeduplicationId",
            "MessageGroupId",
            "MessageSystemAttributes",
        ],
        "receiveMessage" => &[
            "QueueUrl",
            "MaxNumberOfMessages",
            "VisibilityTimeout",
            "WaitTimeSeconds",
            "AttributeNames",
            "MessageAttributeNames",
            "MessageSystemAttributeNames",
            "ReceiveRequestAttemptId",
        ],
        "deleteMessage" => &["QueueUrl", "ReceiptHandle"],
        "changeMessageVisibility" => &["QueueUrl", "ReceiptHandle", "VisibilityTimeout"],
        "purgeQueue" | "deleteQueue" => &["QueueUrl"],
        "createQueue" => &["QueueName", "Attributes", "Tags"],
        "getQueueUrl" => &["QueueName", "QueueOwnerAWSAccountId"],
        _ => return None,
    })
}

/// The last part of a queue's URL.
fn queue_name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

impl Inner {
    async fn serve(&self, request: Request) -> Result<Value, ServiceError> {
        let url = request.arguments.get("QueueUrl").and_then(Value::as_str).unwrap_or("");
        let by_name = request.arguments.get("QueueName").and_then(Value::as_str);
        let name = by_name.unwrap_or_else(|| queue_name(url)).to_owned();
        let is_call = by_name.is_none() && self.calls.is_call(url);
        let local = match &self.local {
            LocalQueues::All => true,
            LocalQueues::Named(names) => names.contains(&name),
        };
        if !is_call && !local {
            return self.upstream.call(request).await;
        }
        let Some(known) = known(&request.action) else {
            return Err(ServiceError::unsupported(&request));
        };
        let fields = Fields::of(&request, known, "InvalidParameterValue")?;
        let done = if is_call {
            self.to_call(&request, fields).await
        } else {
            check_name(&name).map_err(|fault| sdk::error(NAME, &request, &fault))?;
            self.act(&request, &name, fields).await
        };
        match done {
            Ok(result) if request.action == "sendMessage" => {
                let headers = [("connection", "keep-alive".to_owned())];
                Ok(sdk::with_metadata(&request, result, &headers))
            }
            Ok(result) => Ok(result),
            Err(fault) => Err(sdk::error(NAME, &request, &fault)),
        }
    }

    async fn act(&self, request: &Request, name: &str, fields: Fields<'_>) -> Result<Value, Fault> {
        match request.action.as_str() {
            "sendMessage" => {
                let sent = sent(request, fields)?;
                let delay = fields.integer("DelaySeconds", 0, 900)?.unwrap_or(0);
                let answer = answer(&sent);
                self.put(name, sent, request.now, delay).await?;
                Ok(answer)
            }
            "receiveMessage" => {
                let most = fields.integer("MaxNumberOfMessages", 1, 10)?.unwrap_or(1);
                let hidden = fields.integer("VisibilityTimeout", 0, 43_200)?.unwrap_or(30);
                fields.integer("WaitTimeSeconds", 0, 20)?;
                let most = usize::try_from(most).unwrap_or(1);
                self.receive(name, request.now, most, hidden).await
            }
            "deleteMessage" => {
                self.forget(name, fields.required("ReceiptHandle")?).await?;
                Ok(json!({}))
            }
            "changeMessageVisibility" => {
                let hidden = fields.integer("VisibilityTimeout", 0, 43_200)?.unwrap_or(30);
                let handle = fields.required("ReceiptHandle")?;
                self.hide(name, handle, request.now, hidden).await?;
                Ok(json!({}))
            }
            "purgeQueue" | "deleteQueue" => {
                self.purge(name).await?;
                Ok(json!({}))
            }
            // A queue is there as soon as it is named.
            _ => Ok(json!({"QueueUrl": format!(
                "https://sqs.{}.amazonaws.com/{}/{name}", request.region, request.account
            )})),
        }
    }

    async fn to_call(&self, request: &Request, fields: Fields<'_>) -> Result<Value, Fault> {
        if request.action != "sendMessage" {
            return Err(Fault::new(
                "UnsupportedOperation",
                format!("{} is not done with the queue of a call.", request.action),
            ));
        }
        let sent = sent(request, fields)?;
        let answer = answer(&sent);
        let message = CallMessage {
            queue_url: fields.required("QueueUrl")?.to_owned(),
            body: sent.body,
            id: sent.id,
            execution: request.execution.clone(),
        };
        self.calls.deliver(message).await?;
        Ok(answer)
    }
}

fn check_name(name: &str) -> Result<(), Fault> {
    if name.ends_with(".fifo") {
        let message = format!("FIFO queues are not served on this machine: {name}");
        return Err(Fault::new("UnsupportedOperation", message));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if name.is_empty() || name.len() > 80 || !name.chars().all(plain) {
        return Err(no_such_queue());
    }
    Ok(())
}

/// The message that a request sends.
fn sent(request: &Request, fields: Fields<'_>) -> Result<Sent, Fault> {
    let body = fields.body("MessageBody").filter(|body| !body.is_empty()).ok_or_else(|| Fault {
        modelled: false,
        ..Fault::new("MissingParameter", "The request must contain the parameter MessageBody.")
    })?;
    let attributes = fields.get("MessageAttributes").cloned();
    let size = body.len() + attributes.as_ref().map_or(0, |a| a.to_string().len());
    if size > MESSAGE_BYTES {
        return Err(fields.invalid(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {MESSAGE_BYTES} bytes."
        )));
    }
    let id = if request.idempotency.is_empty() {
        sdk::uuid()
    } else {
        sdk::uuid_of(&[b"sqs", request.idempotency.as_bytes()])
    };
    Ok(Sent { id, body, attributes, received: 0, sent: request.now, first_received: None })
}

fn answer(sent: &Sent) -> Value {
    let mut answer = json!({});
    if let Some(digest) = sent.attributes.as_ref().and_then(attributes_digest) {
        answer["MD5OfMessageAttributes"] = json!(digest);
    }
    answer["MD5OfMessageBody"] = json!(digest(sent.body.as_bytes()));
    answer["MessageId"] = json!(sent.id);
    answer
}
