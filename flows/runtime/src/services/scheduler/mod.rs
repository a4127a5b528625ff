//! EventBridge Scheduler on this machine (API Reference, version 2021-06-30).
//!
//! What is acknowledged is kept; [`crate::schedule::Schedules`] hands it out when it comes.

mod groups;
mod parse;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::schedule::{Record, SCHEDULES};
use crate::store::{Entries, Entry, EntryChange, EntryRange, EntryWrite, Expect};

use super::sdk::{self, Fault, ServiceName};
use super::{Answer, Request, Service, ServiceError};
use parse::Fields;

/// Schedules on one machine.
const MOST: usize = 100_000;
/// Schedules in one answer of `ListSchedules`.
const PAGE: usize = 100;

const NAME: ServiceName = ServiceName {
    optimized: "Scheduler",
    client: "AmazonEventBridgeScheduler",
    optimized_base: "AmazonEventBridgeSchedulerException",
    sdk: "Scheduler",
};

/// The service.
#[derive(Clone)]
pub struct Scheduler {
    inner: Arc<Inner>,
}

struct Inner {
    entries: Arc<dyn Entries>,
    wake: Box<dyn Fn() + Send + Sync>,
    /// How many schedules there are; `usize::MAX`: not counted yet.
    count: AtomicUsize,
}

impl Scheduler {
    /// Keeps schedules in `entries`, and calls `wake` when the next of them may come earlier than
    /// before: whoever waits for [`crate::schedule::Schedules::next_deadline`] asks again.
    pub fn new(entries: Arc<dyn Entries>, wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self { inner: Arc::new(Inner { entries, wake, count: AtomicUsize::new(usize::MAX) }) }
    }
}

impl Service for Scheduler {
    fn names(&self) -> &'static [&'static str] {
        &["scheduler"]
    }

    fn call(&self, request: Request) -> Answer {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { inner.serve(&request).await })
    }
}

fn internal(why: impl std::fmt::Display) -> Fault {
    Fault::new("InternalServerException", format!("Internal server error: {why}")).with_status(500)
}

fn not_found(name: &str) -> Fault {
    Fault::new("ResourceNotFoundException", format!("Schedule {name} does not exist."))
        .with_status(404)
}

fn no_group(name: &str) -> Fault {
    Fault::new("ResourceNotFoundException", format!("Schedule group {name} does not exist."))
        .with_status(404)
}

/// Under which a schedule is kept: no name holds a zero.
fn key(group: &str, name: &str) -> Vec<u8> {
    format!("{group}\0{name}").into_bytes()
}

impl Inner {
    async fn serve(&self, request: &Request) -> Result<Value, ServiceError> {
        let Some(known) = parse::known(&request.action) else {
            return Err(ServiceError::unsupported(request));
        };
        let fields = Fields::of(request, known)?;
        let done = match request.action.as_str() {
            "createSchedule" => self.create(request, fields).await,
            "updateSchedule" => self.update(request, fields).await,
            "getSchedule" => self.get(fields).await,
            "deleteSchedule" => self.delete(fields).await,
            "listSchedules" => self.list(fields).await,
            "createScheduleGroup" => self.create_group(request, fields).await,
            "getScheduleGroup" => self.get_group(request, fields).await,
            "listScheduleGroups" => self.list_groups(request, fields).await,
            _ => self.delete_group(fields).await,
        };
        done.map_err(|fault| sdk::error(NAME, request, &fault))
    }

    async fn create(&self, request: &Request, fields: Fields<'_>) -> Result<Value, Fault> {
        let mut record = parse::record(request, fields)?;
        self.check_group(&record.group).await?;
        self.check_quota().await?;
        record.next = if record.enabled { record.first() } else { None };
        if !self.put(&record, Expect::Absent).await? {
            let there = self.find(&record.group, &record.name).await?;
            // Asked again after a restart, or with the same token: it is done.
            if there.is_none_or(|(_, there)| there.token != record.token) {
                let message = format!("Schedule {} already exists.", record.name);
                return Err(Fault::new("ConflictException", message).with_status(409));
            }
        } else {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        (self.wake)();
        Ok(json!({"ScheduleArn": record.arn}))
    }

    async fn update(&self, request: &Request, fields: Fields<'_>) -> Result<Value, Fault> {
        let mut record = parse::record(request, fields)?;
        let Some((entry, there)) = self.find(&record.group, &record.name).await? else {
            return Err(not_found(&record.name));
        };
        record.created = there.created;
        record.missed = there.missed;
        record.next = if record.enabled { record.first() } else { None };
        if !self.put(&record, Expect::Revision(entry.revision)).await? {
            let message = format!("Schedule {} was changed at the same time.", record.name);
            return Err(Fault::new("ConflictException", message).with_status(409));
        }
        (self.wake)();
        Ok(json!({"ScheduleArn": record.arn}))
    }

    async fn put(&self, record: &Record, expect: Expect) -> Result<bool, Fault> {
        let body = serde_json::to_vec(record).map_err(internal)?;
        let change = EntryChange {
            space: SCHEDULES.to_owned(),
            key: key(&record.group, &record.name),
            expect,
            write: EntryWrite::Put { body, due: record.next },
        };
        self.entries.change_entries(vec![change]).await.map_err(internal)
    }

    async fn find(&self, group: &str, name: &str) -> Result<Option<(Entry, Record)>, Fault> {
        let entry = self.entries.get_entry(SCHEDULES.to_owned(), key(group, name));
        let Some(entry) = entry.await.map_err(internal)? else { return Ok(None) };
        let record = serde_json::from_slice(&entry.body).map_err(internal)?;
        Ok(Some((entry, record)))
    }

    async fn get(&self, fields: Fields<'_>) -> Result<Value, Fault> {
        let name = fields.name("Name")?;
        let found = self.find(fields.group()?, name).await?;
        found.map(|(_, record)| shown(&record)).ok_or_else(|| not_found(name))
    }

    async fn delete(&self, fields: Fields<'_>) -> Result<Value, Fault> {
        let (group, name) = (fields.group()?, fields.name("Name")?);
        let Some((entry, _)) = self.find(group, name).await? else { return Err(not_found(name)) };
        let (space, expect) = (SCHEDULES.to_owned(), Expect::Revision(entry.revision));
        let gone = EntryChange { space, key: entry.key, expect, write: EntryWrite::Delete };
        if !self.entries.change_entries(vec![gone]).await.map_err(internal)? {
            let message = format!("Schedule {name} was changed at the same time.");
            return Err(Fault::new("ConflictException", message).with_status(409));
        }
        self.count.store(usize::MAX, Ordering::Relaxed);
        Ok(json!({}))
    }

    async fn list(&self, fields: Fields<'_>) -> Result<Value, Fault> {
        let most = usize::try_from(fields.integer("MaxResults", 1, 100)?.unwrap_or(100));
        let most = most.unwrap_or(PAGE).min(PAGE);
        let prefix = fields.text("NamePrefix")?.unwrap_or("");
        let state = fields.one_of("State", &["", "ENABLED", "DISABLED"])?;
        let group = fields.text("GroupName")?;
        let mut from = match fields.text("NextToken")? {
            Some(token) => [token.replace('/', "\0").as_bytes(), &[0]].concat(),
            None => group.map_or_else(Vec::new, |group| key(group, prefix)),
        };
        let mut found = Vec::new();
        loop {
            let range = EntryRange {
                space: SCHEDULES.to_owned(),
                from: from.clone(),
                limit: PAGE,
                ..EntryRange::default()
            };
            let chunk = self.entries.range_entries(range).await.map_err(internal)?;
            let last = chunk.len() < PAGE;
            for entry in chunk {
                from = [entry.key.as_slice(), &[0]].concat();
                let Ok(record) = serde_json::from_slice::<Record>(&entry.body) else { continue };
                let wanted = group.is_none_or(|group| group == record.group)
                    && record.name.starts_with(prefix)
                    && (state.is_empty() || (state == "ENABLED") == record.enabled);
                if !wanted {
                    continue;
                }
                if found.len() == most {
                    return Ok(page(&found, true));
                }
                found.push(record);
            }
            if last {
                return Ok(page(&found, false));
            }
        }
    }

    async fn check_quota(&self) -> Result<(), Fault> {
        let mut count = self.count.load(Ordering::Relaxed);
        if count == usize::MAX {
            let all =
                EntryRange { space: SCHEDULES.to_owned(), limit: MOST, ..EntryRange::default() };
            count = self.entries.range_entries(all).await.map_err(internal)?.len();
            self.count.store(count, Ordering::Relaxed);
        }
        if count < MOST {
            return Ok(());
        }
        // Perhaps some have deleted themselves; the next one is counted anew.
        self.count.store(usize::MAX, Ordering::Relaxed);
        let message = format!("There are {MOST} schedules, and no more may be made.");
        Err(Fault::new("ServiceQuotaExceededException", message).with_status(402))
    }
}

fn page(records: &[Record], more: bool) -> Value {
    let summary = |record: &Record| {
        json!({
            "Arn": record.arn,
            "CreationDate": time(record.created),
            "GroupName": record.group,
            "LastModificationDate": time(record.modified),
            "Name": record.name,
            "State": state(record),
            "Target": {"Arn": record.target.arn},
        })
    };
    let mut page = json!({"Schedules": records.iter().map(summary).collect::<Vec<_>>()});
    if let Some(last) = records.last().filter(|_| more) {
        page["NextToken"] = json!(format!("{}/{}", last.group, last.name));
    }
    page
}

fn state(record: &Record) -> &'static str {
    if record.enabled { "ENABLED" } else { "DISABLED" }
}

/// Step Functions writes times as text.
fn time(at: Timestamp) -> String {
    at.to_string()
}

fn shown(record: &Record) -> Value {
    let mut members = Map::new();
    let mut set = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    set("ActionAfterCompletion", json!(if record.delete_after { "DELETE" } else { "NONE" }));
    set("Arn", json!(record.arn));
    set("CreationDate", json!(time(record.created)));
    for (name, value) in [("Description", &record.description), ("KmsKeyArn", &record.kms_key)] {
        if let Some(value) = value {
            set(name, json!(value));
        }
    }
    for (name, at) in [("StartDate", record.start), ("EndDate", record.end)] {
        if let Some(at) = at {
            set(name, json!(time(at)));
        }
    }
    set("FlexibleTimeWindow", record.window.clone());
    set("GroupName", json!(record.group));
    set("LastModificationDate", json!(time(record.modified)));
    set("Name", json!(record.name));
    set("ScheduleExpression", json!(record.expression));
    set("ScheduleExpressionTimezone", json!(record.timezone));
    set("State", json!(state(record)));
    set("Target", record.target.given.clone());
    Value::Object(members)
}
