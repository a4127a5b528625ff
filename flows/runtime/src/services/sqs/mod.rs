//! SQS on this machine (API Reference, version 2012-11-05): small named queues. What is sent to the
//! queue of a call does not come here: the runtime hands it to the call at once.
//!
//! Queues are known by the last part of their URL and are there as soon as they are named. FIFO queues are refused by name. A long poll
//! does not wait: it answers with what is there.

mod messages;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::store::Entries;

use super::fields::Fields;
use super::sdk::{self, Fault, ServiceName};
use super::{Answer, Request, Service, ServiceError, Upstream};
use messages::{Sent, attributes_digest, digest};

/// A message may have this many bytes (Developer Guide, "Amazon SQS message quotas").
const MESSAGE_BYTES: usize = 1024 * 1024;

const NAME: ServiceName = ServiceName {
    optimized: "SQS",
    client: "AmazonSQS",
    optimized_base: "AmazonSQSException",
    sdk: "Sqs",
};

/// Which named queues are on this machine; the others are upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalQueues {
    /// All.
    All,
    /// These.
    Named(BTreeSet<String>),
}

/// The queue is not there.
fn no_such_queue() -> Fault {
    Fault::new("QueueDoesNotExist", "The specified queue does not exist.")
}

/// The service.
#[derive(Clone)]
pub struct Sqs {
    inner: Arc<Inner>,
}

struct Inner {
    entries: Arc<dyn Entries>,
    local: LocalQueues,
    upstream: Arc<dyn Upstream>,
}

impl Sqs {
    /// Named queues are kept in `entries`.
    pub fn new(entries: Arc<dyn Entries>, local: LocalQueues, upstream: Arc<dyn Upstream>) -> Self {
        Self { inner: Arc::new(Inner { entries, local, upstream }) }
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
        let local = match &self.local {
            LocalQueues::All => true,
            LocalQueues::Named(names) => names.contains(&name),
        };
        if !local {
            return self.upstream.call(request).await;
        }
        let Some(known) = known(&request.action) else {
            return Err(ServiceError::unsupported(&request));
        };
        let fields = Fields::of(&request, known, "InvalidParameterValue")?;
        check_name(&name).map_err(|fault| sdk::error(NAME, &request, &fault))?;
        match self.act(&request, &name, fields).await {
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
