//! Messages that a workflow sends to the queue of the call that it runs.

use std::collections::HashMap;

use md5::{Digest, Md5};
use offhook_asl::execution::TaskCall;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::tokens::Waiting;
use crate::names::hex;
use crate::services::ServiceError;

/// `sqs:sendMessage` to a call's queue.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueMessage {
    /// `MessageBody`: an object, or text that is JSON.
    pub body: Value,
    /// The token that the state waits for, if it waits for one.
    pub token: Option<String>,
    /// Whether it still does.
    pub waiting: Option<Waiting>,
    /// The state that sent it.
    pub state: String,
}

/// The queues that calls listen to, by address.
#[derive(Default)]
pub(super) struct Queues(HashMap<String, mpsc::Sender<QueueMessage>>);

impl Queues {
    pub(super) fn open(&mut self, url: String, messages: mpsc::Sender<QueueMessage>) {
        self.0.insert(url, messages);
    }

    pub(super) fn close(&mut self, url: &str) {
        self.0.remove(url);
    }

    /// Whether a task sends to one of them.
    pub(super) fn takes(&self, service: &str, action: &str, arguments: &Value) -> bool {
        let sends = service.trim_start_matches("aws-sdk:") == "sqs" && action == "sendMessage";
        sends && self.sender(arguments).is_some()
    }

    fn sender(&self, arguments: &Value) -> Option<&mpsc::Sender<QueueMessage>> {
        self.0.get(arguments.get("QueueUrl")?.as_str()?)
    }

    /// Hands the message over; gives what SQS would answer.
    pub(super) fn send(
        &mut self,
        call: &TaskCall,
        (token, waiting): (Option<String>, Option<Waiting>),
    ) -> Result<Value, ServiceError> {
        let gone = || {
            ServiceError::new(
                "SQS.QueueDoesNotExistException",
                "The specified queue does not exist: the call has ended.",
            )
        };
        let sender = self.sender(&call.arguments).ok_or_else(gone)?;
        let body = call.arguments.get("MessageBody").cloned().unwrap_or(Value::Null);
        if body.is_null() {
            let missing = "The request must contain the parameter MessageBody.";
            return Err(ServiceError::new("SQS.MissingParameterException", missing));
        }
        let text = match &body {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let digest = hex(&Md5::digest(&text));
        let message = QueueMessage { body, token, waiting, state: call.state.clone() };
        match sender.try_send(message) {
            Ok(()) => {
                Ok(json!({ "MD5OfMessageBody": digest, "MessageId": super::tokens::new_name() }))
            }
            Err(mpsc::error::TrySendError::Full(_)) => Err(ServiceError::new(
                "SQS.OverLimitException",
                "Too many messages wait for this call already.",
            )),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(gone()),
        }
    }
}
