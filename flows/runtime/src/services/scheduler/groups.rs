//! Groups of schedules. The group `default` is always there.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::schedule::SCHEDULES;
use crate::services::Request;
use crate::services::sdk::Fault;
use crate::store::{EntryChange, EntryRange, EntryWrite, Expect};

use super::parse::Fields;
use super::{Inner, internal, no_group, time};

const GROUPS: &str = "scheduler/groups";
const DEFAULT: &str = "default";
/// Groups on one machine.
const MOST: usize = 500;
/// Schedules that are deleted in one step.
const CHUNK: usize = 100;

fn described(request: &Request, name: &str, created: Timestamp) -> Value {
    json!({
        "Arn": arn(request, name),
        "CreationDate": time(created),
        "LastModificationDate": time(created),
        "Name": name,
        "State": "ACTIVE",
    })
}

fn arn(request: &Request, name: &str) -> String {
    format!("arn:aws:scheduler:{}:{}:schedule-group/{name}", request.region, request.account)
}

impl Inner {
    /// Refuses a group that is not there.
    pub(super) async fn check_group(&self, name: &str) -> Result<(), Fault> {
        self.group(name).await.map(drop)
    }

    /// When a group was made.
    async fn group(&self, name: &str) -> Result<Timestamp, Fault> {
        if name == DEFAULT {
            return Ok(Timestamp::UNIX_EPOCH);
        }
        let entry = self.entries.get_entry(GROUPS.to_owned(), name.as_bytes().to_vec());
        let entry = entry.await.map_err(internal)?.ok_or_else(|| no_group(name))?;
        serde_json::from_slice(&entry.body).map_err(internal)
    }

    pub(super) async fn create_group(
        &self,
        request: &Request,
        fields: Fields<'_>,
    ) -> Result<Value, Fault> {
        let name = fields.name("Name")?;
        let all = EntryRange { space: GROUPS.to_owned(), limit: MOST, ..EntryRange::default() };
        if self.entries.range_entries(all).await.map_err(internal)?.len() >= MOST {
            let message = format!("There are {MOST} schedule groups, and no more may be made.");
            return Err(Fault::new("ServiceQuotaExceededException", message).with_status(402));
        }
        let body = serde_json::to_vec(&request.now).map_err(internal)?;
        let change = EntryChange {
            space: GROUPS.to_owned(),
            key: name.as_bytes().to_vec(),
            expect: Expect::Absent,
            write: EntryWrite::Put { body, due: None },
        };
        let made =
            name != DEFAULT && self.entries.change_entries(vec![change]).await.map_err(internal)?;
        if !made {
            let message = format!("Schedule group {name} already exists.");
            return Err(Fault::new("ConflictException", message).with_status(409));
        }
        Ok(json!({"ScheduleGroupArn": arn(request, name)}))
    }

    pub(super) async fn get_group(
        &self,
        request: &Request,
        fields: Fields<'_>,
    ) -> Result<Value, Fault> {
        let name = fields.name("Name")?;
        Ok(described(request, name, self.group(name).await?))
    }

    pub(super) async fn list_groups(
        &self,
        request: &Request,
        fields: Fields<'_>,
    ) -> Result<Value, Fault> {
        let prefix = fields.text("NamePrefix")?.unwrap_or("");
        let all = EntryRange { space: GROUPS.to_owned(), limit: MOST, ..EntryRange::default() };
        let mut groups = vec![(DEFAULT.to_owned(), Timestamp::UNIX_EPOCH)];
        for entry in self.entries.range_entries(all).await.map_err(internal)? {
            let name = String::from_utf8_lossy(&entry.key).into_owned();
            groups.push((name, serde_json::from_slice(&entry.body).map_err(internal)?));
        }
        let shown = groups.iter().filter(|(name, _)| name.starts_with(prefix));
        let shown: Vec<Value> = shown.map(|(name, at)| described(request, name, *at)).collect();
        Ok(json!({"ScheduleGroups": shown}))
    }

    /// Deletes a group and its schedules.
    pub(super) async fn delete_group(&self, fields: Fields<'_>) -> Result<Value, Fault> {
        let name = fields.name("Name")?;
        if name == DEFAULT {
            return Err(Fault::new(
                "ValidationException",
                "Deletion of the default schedule group is not allowed.",
            ));
        }
        self.check_group(name).await?;
        let gone = |space: &str, key: Vec<u8>| EntryChange {
            space: space.to_owned(),
            key,
            expect: Expect::Any,
            write: EntryWrite::Delete,
        };
        // The group first, so that nobody adds to it meanwhile.
        let group = gone(GROUPS, name.as_bytes().to_vec());
        self.entries.change_entries(vec![group]).await.map_err(internal)?;
        loop {
            let range = EntryRange {
                space: SCHEDULES.to_owned(),
                from: format!("{name}\0").into_bytes(),
                to: Some(format!("{name}\u{1}").into_bytes()),
                limit: CHUNK,
                ..EntryRange::default()
            };
            let chunk = self.entries.range_entries(range).await.map_err(internal)?;
            if chunk.is_empty() {
                break;
            }
            let all = chunk.into_iter().map(|entry| gone(SCHEDULES, entry.key)).collect();
            self.entries.change_entries(all).await.map_err(internal)?;
        }
        self.count.store(usize::MAX, Ordering::Relaxed);
        Ok(json!({}))
    }
}
