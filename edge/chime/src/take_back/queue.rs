//! An SQS queue by which an office that has no port open is asked to move its calls: messages in
//! the form of `UpdateSipMediaApplicationCall`.
//!
//! > A message is deleted when its call was told, or when it never can be. One that comes twice is
//! > done once; one that cannot be done comes back a few times, and no more.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::pause::Pause;
use crate::sdk::Sdk;
use crate::task::{TOO_LARGE, TaskError};

/// Messages of one answer (SQS's own limit).
const MOST: usize = 10;
/// For so long nobody else is given a message that is here.
const HIDDEN: u64 = 30;
/// A message that could not be done comes again after so many seconds.
const AGAIN: u64 = 2;
/// How often it may come.
pub(super) const TIMES: u64 = 5;
/// Ids that are remembered: a queue may give a message twice.
pub(super) const REMEMBERED: usize = 256;
/// Octets of a body: twenty arguments of some length.
const MOST_BODY: usize = 64 << 10;

/// What became of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// The call was told.
    Told,
    /// It never can be: the call is gone, or the request makes no sense.
    Hopeless(String),
    /// Not now.
    Later(String),
    /// Not here: whoever else looks into the queue may have the call, until the message is too old.
    Elsewhere,
}

/// Those who have the calls.
pub trait Moves: Send + Sync {
    /// Tells a call `CALL_UPDATE_REQUESTED`.
    fn update(
        &self,
        application: &str,
        transaction: &str,
        arguments: BTreeMap<String, String>,
    ) -> Taken;
}

/// What is worth telling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// An update came, and was done.
    Done {
        /// Its call.
        transaction: String,
    },
    /// A message was thrown away.
    Dropped {
        /// Its call, when it could be read.
        transaction: String,
        /// In words.
        why: String,
    },
    /// The queue cannot be asked.
    Unreachable(String),
    /// It can again.
    Reachable,
}

/// How the queue is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueConfig {
    /// Its URL.
    pub url: String,
    /// How long an empty queue is waited on, at most 20 s.
    pub wait: Duration,
    /// An update that is older finds another world: Connect has said something else by now.
    pub max_age: Duration,
}

/// The queue.
#[derive(Debug)]
pub struct Queue {
    sdk: Sdk,
    config: QueueConfig,
    done: VecDeque<String>,
    /// Messages that are asked for at once.
    most: usize,
}

/// An update as it stands in a message.
pub(super) struct Update {
    pub(super) application: String,
    pub(super) transaction: String,
    pub(super) arguments: BTreeMap<String, String>,
}

impl Queue {
    /// Nothing is asked yet.
    #[must_use]
    pub fn new(sdk: Sdk, config: QueueConfig) -> Self {
        Self { sdk, config, done: VecDeque::new(), most: MOST }
    }

    /// Moves calls until the future is dropped.
    pub async fn run(mut self, moves: &dyn Moves, mut tell: impl FnMut(Told)) {
        let mut pause = Pause::default();
        loop {
            let polled = self.poll(moves, &mut tell).await;
            pause.after(polled, &mut tell).await;
        }
    }

    /// Waits for messages once, and does what they say.
    ///
    /// # Errors
    /// The queue cannot be asked. What was done is done, and is not done again.
    pub async fn poll(
        &mut self,
        moves: &dyn Moves,
        tell: &mut impl FnMut(Told),
    ) -> Result<(), TaskError> {
        let mut first = Ok(());
        for message in &self.receive().await? {
            // The others are hidden from everybody else: they do not wait for this one.
            first = first.and(self.take(message, moves, tell).await);
        }
        first
    }

    /// The next messages. Ten long ones are more than an answer may be here: then they come one by
    /// one, and by more again when that went well.
    async fn receive(&mut self) -> Result<Vec<Value>, TaskError> {
        let what = json!({
            "QueueUrl": self.config.url, "MaxNumberOfMessages": self.most,
            "WaitTimeSeconds": self.config.wait.as_secs().min(20), "VisibilityTimeout": HIDDEN,
            "MessageSystemAttributeNames": ["ApproximateReceiveCount", "SentTimestamp"],
            "AttributeNames": ["ApproximateReceiveCount", "SentTimestamp"]
        });
        let mut got = match self.sdk.call("sqs", "receiveMessage", &what).await {
            Ok(got) => got,
            Err(error) if error.error == TOO_LARGE && self.most > 1 => {
                self.most = 1;
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        };
        self.most = MOST.min(self.most * 2);
        let Value::Array(messages) = got["Messages"].take() else { return Ok(Vec::new()) };
        Ok(messages)
    }

    async fn take(
        &mut self,
        message: &Value,
        moves: &dyn Moves,
        tell: &mut impl FnMut(Told),
    ) -> Result<(), TaskError> {
        let id = message["MessageId"].as_str().unwrap_or_default().to_owned();
        if self.done.contains(&id) {
            return self.delete(message).await;
        }
        let attribute = |name: &str| message["Attributes"][name].as_str()?.parse::<u64>().ok();
        let update = match read(message["Body"].as_str().unwrap_or_default()) {
            Ok(update) => update,
            Err(why) => {
                tell(Told::Dropped { transaction: String::new(), why });
                return self.delete(message).await;
            }
        };
        let transaction = update.transaction.clone();
        let taken = match attribute("SentTimestamp")
            .filter(|sent| is_old(self.sdk.now("sqs"), *sent, self.config.max_age))
        {
            Some(_) => Taken::Hopeless("it is too old".to_owned()),
            None => moves.update(&update.application, &transaction, update.arguments),
        };
        let why = match taken {
            Taken::Told => {
                if self.done.len() >= REMEMBERED {
                    self.done.pop_front();
                }
                self.done.push_back(id);
                tell(Told::Done { transaction });
                return self.delete(message).await;
            }
            Taken::Later(_) if attribute("ApproximateReceiveCount").unwrap_or(1) < TIMES => {
                return self.put_back(message).await;
            }
            Taken::Elsewhere => return self.put_back(message).await,
            Taken::Later(why) => format!("it came {TIMES} times: {why}"),
            Taken::Hopeless(why) => why,
        };
        tell(Told::Dropped { transaction, why });
        self.delete(message).await
    }

    async fn delete(&self, message: &Value) -> Result<(), TaskError> {
        let what = json!({"QueueUrl": self.config.url, "ReceiptHandle": message["ReceiptHandle"]});
        self.sdk.call("sqs", "deleteMessage", &what).await.map(drop)
    }

    async fn put_back(&self, message: &Value) -> Result<(), TaskError> {
        let what = json!({
            "QueueUrl": self.config.url, "ReceiptHandle": message["ReceiptHandle"],
            "VisibilityTimeout": AGAIN
        });
        self.sdk.call("sqs", "changeMessageVisibility", &what).await.map(drop)
    }
}

/// Whether what was sent then (milliseconds since 1970) is older than this.
pub(super) fn is_old(now: Timestamp, sent: u64, max_age: Duration) -> bool {
    let now = u64::try_from(now.as_millisecond()).unwrap_or(0);
    Duration::from_millis(now.saturating_sub(sent)) > max_age
}

/// Reads a message's body.
pub(super) fn read(body: &str) -> Result<Update, String> {
    if body.len() > MOST_BODY {
        return Err(format!("the message is longer than {MOST_BODY} bytes"));
    }
    let body: Value =
        serde_json::from_str(body).map_err(|_| "the message is no JSON".to_owned())?;
    let text = |name: &str| {
        let found = body[name].as_str().filter(|text| !text.is_empty());
        found.map(str::to_owned).ok_or_else(|| format!("the message has no {name}"))
    };
    let Some(given) = body["Arguments"].as_object() else {
        return Err("the message has no Arguments".to_owned());
    };
    let argument = |(name, value): (&String, &Value)| {
        let value = value.as_str().ok_or_else(|| format!("the argument {name} is no text"))?;
        Ok::<_, String>((name.clone(), value.to_owned()))
    };
    Ok(Update {
        application: text("SipMediaApplicationId")?,
        transaction: text("TransactionId")?,
        arguments: given.iter().map(argument).collect::<Result<_, _>>()?,
    })
}
