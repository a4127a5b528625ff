//! How the one who holds the caller's leg is told: by the service's API, by a queue, or by the
//! table. The latter two are for an office that has no port open to the world.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use offhook_dnis::Lease;
use serde_json::{Value, json};

use crate::sdk::Sdk;
use crate::task::TaskError;

/// `UpdateSipMediaApplicationCall`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// `SipMediaApplicationId`.
    pub application: String,
    /// The call; its owner is the `TransactionId`.
    pub lease: Lease,
    /// At most twenty.
    pub arguments: BTreeMap<String, String>,
}

impl Update {
    /// As a message: the API's parameters in one object.
    #[must_use]
    pub fn message(&self) -> Value {
        json!({
            "SipMediaApplicationId": self.application, "TransactionId": self.lease.owner,
            "Arguments": self.arguments
        })
    }
}

/// Why an update did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct DeliverError {
    /// What it means for the flow.
    pub refusal: Refusal,
    /// In words.
    pub words: String,
}

impl DeliverError {
    /// Of a service's refusal.
    pub(super) fn of(error: &TaskError) -> Self {
        Self { refusal: refusal(&error.error), words: error.to_string() }
    }
}

/// What a flow can make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The call is gone (404).
    Ended,
    /// It makes no sense, or is not allowed.
    Refused,
    /// Nobody answered, or is busy: it may be tried again.
    Unavailable,
}

/// Brings updates to the one who holds the leg.
pub trait Deliver: Send + Sync {
    /// Brings one. It may be brought twice: the application takes the second one for the first.
    fn deliver<'a>(&'a self, update: &'a Update) -> BoxFuture<'a, Result<(), DeliverError>>;
}

/// The ways there are.
#[derive(Clone)]
pub enum Way {
    /// `UpdateSipMediaApplicationCall` of the service, or of a box at an address of its own.
    Api(Sdk),
    /// A message in an SQS queue, by its URL.
    Queue(Sdk, String),
}

/// Waits before the next attempt; the caller of [`Deliver::deliver`] bounds them all.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(250), Duration::from_millis(500)];
/// What one attempt may take.
const PATIENCE: Duration = Duration::from_secs(1);

impl Deliver for Way {
    fn deliver<'a>(&'a self, update: &'a Update) -> BoxFuture<'a, Result<(), DeliverError>> {
        Box::pin(async move {
            let mut pauses = PAUSES.iter();
            loop {
                let late = Err(DeliverError {
                    refusal: Refusal::Unavailable,
                    words: format!("no answer within {} s", PATIENCE.as_secs()),
                });
                let error =
                    match tokio::time::timeout(PATIENCE, self.once(update)).await.unwrap_or(late) {
                        Ok(()) => return Ok(()),
                        Err(error) => error,
                    };
                match pauses.next() {
                    Some(pause) if error.refusal == Refusal::Unavailable => {
                        tokio::time::sleep(*pause).await;
                    }
                    _ => return Err(error),
                }
            }
        })
    }
}

impl Way {
    async fn once(&self, update: &Update) -> Result<(), DeliverError> {
        let (sdk, service, action, what) = match self {
            Self::Api(sdk) => {
                (sdk, "chimesdkvoice", "updateSipMediaApplicationCall", update.message())
            }
            Self::Queue(sdk, url) => {
                let body = update.message().to_string();
                (sdk, "sqs", "sendMessage", json!({"QueueUrl": url, "MessageBody": body}))
            }
        };
        match sdk.call(service, action, &what).await {
            Ok(_) => Ok(()),
            Err(error) => Err(DeliverError::of(&error)),
        }
    }
}

/// By the name of an error, whose prefix is the service's.
fn refusal(error: &str) -> Refusal {
    let passing = [
        "SdkClientException",
        "ThrottledClientException",
        "ThrottlingException",
        "TooManyRequestsException",
        "ServiceFailureException",
        "ServiceUnavailableException",
        "InternalFailureException",
        "InternalErrorException",
        "RequestThrottledException",
    ];
    match error.split_once('.').map_or(error, |(_, name)| name) {
        // Of Chime and of Connect.
        "NotFoundException" | "ResourceNotFoundException" => Refusal::Ended,
        name if passing.contains(&name)
            || name.starts_with("Http5")
            || name.starts_with("Http429") =>
        {
            Refusal::Unavailable
        }
        _ => Refusal::Refused,
    }
}
