//! How the one who holds the caller's leg is told: by the service's API, by a queue, or by the
//! table. The latter two are for an office that has no port open to the world.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use offhook_dnis::Lease;
use serde_json::{Value, json};

use super::notes;
use crate::dnis::{DynamoDbPool, Left};
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

    /// As a note in the table: the message, with an id of this request and the time, which a queue
    /// would know by itself.
    fn note(&self, now: Timestamp) -> (String, String) {
        use std::hash::{BuildHasher as _, RandomState};
        // One of two requests of a call in the same millisecond is the other one's repetition.
        let random = RandomState::new().hash_one(&self.lease.owner);
        let id = format!("{:x}-{random:x}", now.as_millisecond());
        let mut message = self.message();
        message["Id"] = Value::from(id.as_str());
        message["SentTimestamp"] = Value::from(now.as_millisecond().to_string());
        (message.to_string(), id)
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
        Self { refusal: refusal(error), words: error.to_string() }
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

    /// Whether it is brought by the lease's own row.
    fn needs_a_lease(&self) -> bool {
        false
    }
}

/// The ways there are.
#[derive(Clone)]
pub enum Way {
    /// `UpdateSipMediaApplicationCall` of the service, or of a box at an address of its own.
    Api(Sdk),
    /// A message in an SQS queue, by its URL.
    Queue(Sdk, String),
    /// A note at the lease in the table.
    Table(DynamoDbPool),
}

/// Waits before the next attempt; the caller of [`Deliver::deliver`] bounds them all.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(250), Duration::from_millis(500)];
/// What one attempt may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// For so long is looked what becomes of a note that was left, and with so much between.
const LOOKING: Duration = Duration::from_millis(900);
const BETWEEN: Duration = Duration::from_millis(200);

impl Deliver for Way {
    fn needs_a_lease(&self) -> bool {
        matches!(self, Self::Table(_))
    }

    fn deliver<'a>(&'a self, update: &'a Update) -> BoxFuture<'a, Result<(), DeliverError>> {
        Box::pin(async move {
            let mut pauses = PAUSES.iter();
            let note = update.note(self.now());
            loop {
                let late = || DeliverError {
                    refusal: Refusal::Unavailable,
                    words: format!("no answer within {} s", PATIENCE.as_secs()),
                };
                let error = match tokio::time::timeout(PATIENCE, self.once(update, &note.0)).await {
                    Ok(Ok(())) => {
                        let looking = self.outcome(update, &note.1);
                        let seen = tokio::time::timeout(LOOKING, looking).await;
                        return seen.unwrap_or(Ok(()));
                    }
                    Ok(Err(error)) => error,
                    Err(_) => late(),
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
    /// By the clock that whoever takes a note compares with: DynamoDB's, where it has told it.
    fn now(&self) -> Timestamp {
        match self {
            Self::Table(pool) => pool.now(),
            // SQS writes the time of a message itself.
            Self::Queue(..) | Self::Api(_) => Timestamp::now(),
        }
    }

    /// What has become of it, where that can be seen. A note that nobody has taken within
    /// [`LOOKING`] waits at its lease, as a message waits in a queue.
    async fn outcome(&self, update: &Update, id: &str) -> Result<(), DeliverError> {
        let Self::Table(pool) = self else { return Ok(()) };
        let mut taken = false;
        loop {
            tokio::time::sleep(BETWEEN).await;
            // Whoever cannot look has asked all the same.
            let Ok(left) = pool.note_left(&update.lease).await else { return Ok(()) };
            match left {
                // He gives the pair back when he is taken back.
                Left::Gone => return Ok(()),
                Left::There => {}
                Left::Answered(answer) => match notes::refusal(&answer, id) {
                    Some((refusal, words)) => return Err(DeliverError { refusal, words }),
                    // A refusal would stand there by now.
                    None if taken => return Ok(()),
                    None => taken = true,
                },
            }
        }
    }

    async fn once(&self, update: &Update, note: &str) -> Result<(), DeliverError> {
        let (sdk, service, action, what) = match self {
            Self::Api(sdk) => {
                (sdk, "chimesdkvoice", "updateSipMediaApplicationCall", update.message())
            }
            Self::Queue(sdk, url) => {
                let body = update.message().to_string();
                (sdk, "sqs", "sendMessage", json!({"QueueUrl": url, "MessageBody": body}))
            }
            Self::Table(pool) => return leave(pool, update, note).await,
        };
        match sdk.call(service, action, &what).await {
            Ok(_) => Ok(()),
            Err(error) => Err(DeliverError::of(&error)),
        }
    }
}

async fn leave(pool: &DynamoDbPool, update: &Update, note: &str) -> Result<(), DeliverError> {
    match pool.leave_note(&update.lease, note).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(DeliverError {
            refusal: Refusal::Ended,
            words: "the call has given its pair back".to_owned(),
        }),
        Err(error) => Err(DeliverError { refusal: Refusal::Unavailable, words: error.to_string() }),
    }
}

/// By the name of an error, whose prefix is the service's, and by its status.
fn refusal(error: &TaskError) -> Refusal {
    // Told with 400 by some services.
    let passing = [
        "SdkClientException",
        "ThrottledClientException",
        "ThrottlingException",
        "TooManyRequestsException",
        "RequestThrottledException",
        "KmsThrottledException",
    ];
    let name = error.error.split_once('.').map_or(error.error.as_str(), |(_, name)| name);
    match (name, error.status) {
        // Of Chime and of Connect.
        ("NotFoundException" | "ResourceNotFoundException", _) => Refusal::Ended,
        (name, _) if passing.contains(&name) => Refusal::Unavailable,
        // Each service has names of its own for what goes wrong in it.
        (_, Some(408 | 429 | 500..)) => Refusal::Unavailable,
        _ => Refusal::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AwsError;

    #[test]
    fn what_is_told_with_5xx_is_tried_again_whatever_its_name() {
        for (status, code, wanted) in [
            (429, "ThrottledClientException", Refusal::Unavailable),
            (400, "ThrottlingException", Refusal::Unavailable),
            // Chime, Connect, SQS; a load balancer.
            (500, "ServiceFailureException", Refusal::Unavailable),
            (500, "InternalServiceException", Refusal::Unavailable),
            (503, "ServiceUnavailable", Refusal::Unavailable),
            (500, "InternalServerError", Refusal::Unavailable),
            (502, "Http502", Refusal::Unavailable),
            (404, "NotFoundException", Refusal::Ended),
            (404, "ResourceNotFoundException", Refusal::Ended),
            (400, "BadRequestException", Refusal::Refused),
            (403, "ForbiddenException", Refusal::Refused),
            (401, "UnauthorizedClientException", Refusal::Refused),
        ] {
            let (service, message) = ("connect".to_owned(), "no".to_owned());
            let refused = AwsError::Refused { service, status, code: code.to_owned(), message };
            let told = DeliverError::of(&crate::sdk::failed("Connect", refused));
            assert_eq!(told.refusal, wanted, "{status} {code}");
        }
    }
}
