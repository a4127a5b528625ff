//! Messages of named queues.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::{SignedDuration, Timestamp};
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::services::sdk::{Fault, uuid};
use crate::store::{Entry, EntryChange, EntryRange, EntryWrite, Expect};

use super::Inner;

/// Messages of one queue, and their bytes.
const MOST: usize = 1000;
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// Sendings of one queue that are remembered. What a restart asks for again was asked for last.
pub(super) const MOST_SENDINGS: usize = 1000;
/// How long a message is kept (SQS's default `MessageRetentionPeriod`).
const KEPT: SignedDuration = SignedDuration::from_hours(96);
/// Messages that are deleted in one step.
const CHUNK: usize = 100;

/// A message as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Sent {
    pub(super) id: String,
    pub(super) body: String,
    pub(super) attributes: Option<Value>,
    /// How often it was received.
    pub(super) received: u64,
    pub(super) sent: Timestamp,
    pub(super) first_received: Option<Timestamp>,
}

fn space(queue: &str) -> String {
    format!("sqs/messages/{queue}")
}

/// Which requests have sent what they ask for, in the order of sending: one that is made again
/// after a restart has its message already, even if that was received and deleted meanwhile.
pub(super) fn sendings(queue: &str) -> String {
    format!("sqs/sendings/{queue}")
}

fn failed(why: impl std::fmt::Display) -> Fault {
    Fault::new("InternalError", format!("Internal error: {why}")).with_status(500)
}

/// MD5 in lower-case hex.
pub(super) fn digest(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// MD5 of message attributes (Developer Guide, "Calculating the MD5 message digest for message
/// attributes").
pub(super) fn attributes_digest(attributes: &Value) -> Option<String> {
    let mut attributes: Vec<(&String, &Value)> = attributes.as_object()?.iter().collect();
    if attributes.is_empty() {
        return None;
    }
    attributes.sort_by_key(|(name, _)| *name);
    let text = |bytes: &mut Vec<u8>, text: &[u8]| {
        bytes.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(text);
    };
    let mut bytes = Vec::new();
    for (name, attribute) in attributes {
        text(&mut bytes, name.as_bytes());
        text(&mut bytes, attribute.get("DataType")?.as_str()?.as_bytes());
        match attribute.get("StringValue").and_then(Value::as_str) {
            Some(value) => {
                bytes.push(1);
                text(&mut bytes, value.as_bytes());
            }
            None => {
                bytes.push(2);
                let value = attribute.get("BinaryValue")?.as_str()?;
                text(&mut bytes, &BASE64.decode(value).ok()?);
            }
        }
    }
    Some(digest(&bytes))
}

impl Inner {
    pub(super) async fn put(
        &self,
        queue: &str,
        sent: Sent,
        now: Timestamp,
        delay: i64,
    ) -> Result<(), Fault> {
        self.expire(queue, now).await?;
        let all = EntryRange { space: space(queue), limit: MOST, ..EntryRange::default() };
        let there = self.entries.range_entries(all).await.map_err(failed)?;
        let bytes: usize = there.iter().map(|entry| entry.body.len()).sum();
        let sending = sent.id.as_bytes().to_vec();
        if there.len() >= MOST || bytes >= MOST_BYTES {
            let sent = self.entries.get_entry(sendings(queue), sending).await.map_err(failed)?;
            if sent.is_some() {
                return Ok(());
            }
            let message = format!("The queue {queue} is full, and no more may be sent.");
            return Err(Fault::new("OverLimit", message));
        }
        let order = now.as_nanosecond().to_be_bytes();
        let key = [order.as_slice(), sent.id.as_bytes()].concat();
        let due = now.checked_add(SignedDuration::from_secs(delay)).unwrap_or(now);
        let forgotten = now.checked_add(KEPT).unwrap_or(now);
        let once = EntryChange {
            space: sendings(queue),
            key: sending,
            expect: Expect::Absent,
            write: EntryWrite::Put { body: Vec::new(), due: Some(forgotten) },
        };
        let change = write(queue, key, Expect::Any, &sent, due)?;
        // Not made: this request has sent it already, and its answer is the same.
        self.entries.change_entries(vec![once, change]).await.map_err(failed).map(drop)
    }

    /// Messages that may be received now, the oldest first.
    pub(super) async fn receive(
        &self,
        queue: &str,
        now: Timestamp,
        most: usize,
        hidden: i64,
    ) -> Result<Value, Fault> {
        self.expire(queue, now).await?;
        let due = self.entries.due_entries(space(queue), now, most).await.map_err(failed)?;
        let until = now.checked_add(SignedDuration::from_secs(hidden)).unwrap_or(now);
        let mut messages = Vec::new();
        for entry in due {
            let mut sent: Sent = serde_json::from_slice(&entry.body).map_err(failed)?;
            sent.received += 1;
            sent.first_received.get_or_insert(now);
            let expect = Expect::Revision(entry.revision);
            let change = write(queue, entry.key.clone(), expect, &sent, until)?;
            // Whoever received it at the same moment has it.
            if self.entries.change_entries(vec![change]).await.map_err(failed)? {
                messages.push(received(&entry, &sent));
            }
        }
        Ok(if messages.is_empty() { json!({}) } else { json!({"Messages": messages}) })
    }

    pub(super) async fn forget(&self, queue: &str, handle: &str) -> Result<(), Fault> {
        let (space, key) = (space(queue), key_of(handle)?);
        let change = EntryChange { space, key, expect: Expect::Any, write: EntryWrite::Delete };
        self.entries.change_entries(vec![change]).await.map_err(failed).map(drop)
    }

    pub(super) async fn hide(
        &self,
        queue: &str,
        handle: &str,
        now: Timestamp,
        hidden: i64,
    ) -> Result<(), Fault> {
        let key = key_of(handle)?;
        let entry = self.entries.get_entry(space(queue), key.clone()).await.map_err(failed)?;
        let Some(entry) = entry else {
            return Err(Fault::new(
                "MessageNotInflight",
                "The message referred to isn't in flight.",
            ));
        };
        let sent: Sent = serde_json::from_slice(&entry.body).map_err(failed)?;
        let until = now.checked_add(SignedDuration::from_secs(hidden)).unwrap_or(now);
        let change = write(queue, key, Expect::Revision(entry.revision), &sent, until)?;
        self.entries.change_entries(vec![change]).await.map_err(failed).map(drop)
    }

    pub(super) async fn purge(&self, queue: &str) -> Result<(), Fault> {
        loop {
            let range = EntryRange { space: space(queue), limit: CHUNK, ..EntryRange::default() };
            let chunk = self.entries.range_entries(range).await.map_err(failed)?;
            if chunk.is_empty() {
                return Ok(());
            }
            self.delete(chunk).await?;
        }
    }

    /// Deletes what was kept long enough; the key begins with the time of sending.
    async fn expire(&self, queue: &str, now: Timestamp) -> Result<(), Fault> {
        let before = now.checked_sub(KEPT).unwrap_or(now).as_nanosecond().to_be_bytes().to_vec();
        let range = EntryRange {
            space: space(queue),
            to: Some(before),
            limit: CHUNK,
            ..EntryRange::default()
        };
        let mut old = self.entries.range_entries(range).await.map_err(failed)?;
        old.extend(self.old_sendings(queue, now).await?);
        self.delete(old).await
    }

    /// Sendings that are forgotten: those of messages that are too old, and the oldest of too many.
    async fn old_sendings(&self, queue: &str, now: Timestamp) -> Result<Vec<Entry>, Fault> {
        let all = now.checked_add(KEPT).unwrap_or(now);
        let most = MOST_SENDINGS + CHUNK;
        let found = self.entries.due_entries(sendings(queue), all, most).await.map_err(failed)?;
        let too_many = found.len().saturating_sub(MOST_SENDINGS);
        let old =
            |(n, entry): &(usize, Entry)| *n < too_many || entry.due.is_some_and(|at| at <= now);
        let old = found.into_iter().enumerate().take_while(old).take(CHUNK);
        Ok(old.map(|(_, entry)| entry).collect())
    }

    async fn delete(&self, entries: Vec<Entry>) -> Result<(), Fault> {
        if entries.is_empty() {
            return Ok(());
        }
        let gone = entries.into_iter().map(|entry| EntryChange {
            space: entry.space,
            key: entry.key,
            expect: Expect::Any,
            write: EntryWrite::Delete,
        });
        self.entries.change_entries(gone.collect()).await.map_err(failed).map(drop)
    }
}

fn write(
    queue: &str,
    key: Vec<u8>,
    expect: Expect,
    sent: &Sent,
    due: Timestamp,
) -> Result<EntryChange, Fault> {
    let body = serde_json::to_vec(sent).map_err(failed)?;
    let write = EntryWrite::Put { body, due: Some(due) };
    Ok(EntryChange { space: space(queue), key, expect, write })
}

fn received(entry: &Entry, sent: &Sent) -> Value {
    let first = sent.first_received.unwrap_or(sent.sent).as_millisecond();
    let mut message = json!({
        "Attributes": {
            "ApproximateFirstReceiveTimestamp": first.to_string(),
            "ApproximateReceiveCount": sent.received.to_string(),
            "SentTimestamp": sent.sent.as_millisecond().to_string(),
        },
        "Body": sent.body,
        "MD5OfBody": digest(sent.body.as_bytes()),
        "MessageId": sent.id,
        "ReceiptHandle": BASE64.encode([entry.key.as_slice(), b"#", uuid().as_bytes()].concat()),
    });
    if let Some(attributes) = &sent.attributes {
        message["MessageAttributes"] = attributes.clone();
        message["MD5OfMessageAttributes"] = json!(attributes_digest(attributes));
    }
    message
}

/// The key that a receipt handle holds: 16 bytes of time, a UUID, `#`, a UUID.
fn key_of(handle: &str) -> Result<Vec<u8>, Fault> {
    let invalid = || {
        Fault::new(
            "ReceiptHandleIsInvalid",
            format!("The input receipt handle \"{handle}\" is not a valid receipt handle."),
        )
    };
    let bytes = BASE64.decode(handle).map_err(|_| invalid())?;
    match bytes.get(52) {
        Some(b'#') if bytes.len() == 89 => Ok(bytes[..52].to_vec()),
        _ => Err(invalid()),
    }
}
