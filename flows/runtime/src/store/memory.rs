//! The store that forgets: for tests, and for running a machine without a daemon.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::{
    Alias, Definitions, Entries, Entry, EntryChange, EntryRange, EntryWrite, ExecutionChange,
    ExecutionFilter, ExecutionRecord, ExecutionStatus, Executions, Expect, Kept, MachineType,
    PublishedVersion, Saved, StoreError,
};

/// Keeps everything in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    versions: BTreeMap<(String, u32), PublishedVersion>,
    /// The last number that was given, by machine.
    numbers: BTreeMap<String, u32>,
    aliases: BTreeMap<(String, String), Alias>,
    executions: BTreeMap<String, Kepts>,
    entries: BTreeMap<(String, Vec<u8>), Entry>,
    revision: u64,
}

#[derive(Debug)]
struct Kepts {
    record: ExecutionRecord,
    snapshot: Option<Vec<u8>>,
    history: BTreeMap<u64, String>,
}

impl MemoryStore {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ready<T: Send + 'static>(value: T) -> Kept<T> {
    Box::pin(std::future::ready(Ok::<T, StoreError>(value)))
}

impl Definitions for MemoryStore {
    fn publish_version(&self, mut version: PublishedVersion) -> Kept<u32> {
        let mut inner = self.inner();
        let number = inner.numbers.entry(version.machine.clone()).or_default();
        *number += 1;
        version.version = *number;
        let number = *number;
        inner.versions.insert((version.machine.clone(), number), version);
        ready(number)
    }

    fn list_versions(&self, machine: Option<String>) -> Kept<Vec<PublishedVersion>> {
        let inner = self.inner();
        let of = |v: &&PublishedVersion| machine.as_ref().is_none_or(|m| *m == v.machine);
        let mut versions: Vec<_> = inner.versions.values().filter(of).cloned().collect();
        versions.sort_by(|a, b| a.machine.cmp(&b.machine).then(b.version.cmp(&a.version)));
        ready(versions)
    }

    fn get_version(&self, machine: String, version: u32) -> Kept<Option<PublishedVersion>> {
        ready(self.inner().versions.get(&(machine, version)).cloned())
    }

    fn find_version(
        &self,
        machine: String,
        version: Option<u32>,
    ) -> Kept<Option<(u32, MachineType)>> {
        let inner = self.inner();
        let (first, last) = version.map_or((0, u32::MAX), |version| (version, version));
        let mut found = inner.versions.range((machine.clone(), first)..=(machine, last));
        ready(found.next_back().map(|((_, number), version)| (*number, version.kind)))
    }

    fn list_numbers(&self) -> Kept<Vec<(String, u32)>> {
        let mut numbers: Vec<_> = self.inner().versions.keys().cloned().collect();
        numbers.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        ready(numbers)
    }

    fn delete_version(&self, machine: String, version: u32) -> Kept<bool> {
        ready(self.inner().versions.remove(&(machine, version)).is_some())
    }

    fn put_alias(&self, alias: Alias) -> Kept<()> {
        self.inner().aliases.insert((alias.machine.clone(), alias.name.clone()), alias);
        ready(())
    }

    fn list_aliases(&self, machine: Option<String>) -> Kept<Vec<Alias>> {
        let inner = self.inner();
        let of = |a: &&Alias| machine.as_ref().is_none_or(|m| *m == a.machine);
        ready(inner.aliases.values().filter(of).cloned().collect())
    }

    fn delete_alias(&self, machine: String, name: String) -> Kept<bool> {
        ready(self.inner().aliases.remove(&(machine, name)).is_some())
    }
}

impl Executions for MemoryStore {
    fn save_execution(&self, change: ExecutionChange) -> Kept<Saved> {
        let mut inner = self.inner();
        if change.new && inner.executions.contains_key(&change.record.arn) {
            return ready(Saved::NameTaken);
        }
        let kept = inner.executions.entry(change.record.arn.clone()).or_insert_with(|| Kepts {
            record: change.record.clone(),
            snapshot: None,
            history: BTreeMap::new(),
        });
        kept.record = change.record;
        kept.snapshot = change.snapshot;
        kept.history.extend(change.history);
        ready(Saved::Yes)
    }

    fn unfinished_executions(&self) -> Kept<Vec<(ExecutionRecord, Vec<u8>)>> {
        let inner = self.inner();
        let unfinished = inner.executions.values();
        let unfinished = unfinished.filter_map(|k| Some((k.record.clone(), k.snapshot.clone()?)));
        ready(unfinished.collect())
    }

    fn get_execution(&self, arn: String) -> Kept<Option<ExecutionRecord>> {
        ready(self.inner().executions.get(&arn).map(|k| k.record.clone()))
    }

    fn list_executions(&self, filter: ExecutionFilter) -> Kept<Vec<ExecutionRecord>> {
        let inner = self.inner();
        let wanted = |r: &&ExecutionRecord| {
            filter.machine.as_ref().is_none_or(|m| *m == r.machine)
                && filter.status.is_none_or(|s: ExecutionStatus| s == r.status)
                && filter.name.as_ref().is_none_or(|name| *name == r.name)
                && filter.transaction_id.as_ref().is_none_or(|beginning| {
                    r.transaction_id.as_ref().is_some_and(|id| id.starts_with(beginning))
                })
        };
        let mut found: Vec<_> =
            inner.executions.values().map(|k| &k.record).filter(wanted).cloned().collect();
        found.sort_by_key(|record| std::cmp::Reverse(record.started));
        found.truncate(filter.limit);
        ready(found)
    }

    fn execution_history(&self, arn: String, after: u64, limit: usize) -> Kept<Vec<String>> {
        let inner = self.inner();
        let Some(kept) = inner.executions.get(&arn) else { return ready(Vec::new()) };
        let events = kept.history.range(after.saturating_add(1)..);
        ready(events.take(limit).map(|(_, event)| event.clone()).collect())
    }
}

impl Entries for MemoryStore {
    fn get_entry(&self, space: String, key: Vec<u8>) -> Kept<Option<Entry>> {
        ready(self.inner().entries.get(&(space, key)).cloned())
    }

    fn range_entries(&self, range: EntryRange) -> Kept<Vec<Entry>> {
        let inner = self.inner();
        let from = (range.space.clone(), range.from.clone());
        let within = |entry: &&Entry| {
            entry.space == range.space && range.to.as_ref().is_none_or(|to| entry.key < *to)
        };
        let mut found: Vec<Entry> =
            inner.entries.range(from..).map(|(_, e)| e).take_while(within).cloned().collect();
        if range.reverse {
            found.reverse();
        }
        found.truncate(range.limit);
        ready(found)
    }

    fn due_entries(&self, space: String, now: Timestamp, limit: usize) -> Kept<Vec<Entry>> {
        let inner = self.inner();
        let due = |e: &&Entry| e.space == space && e.due.is_some_and(|at| at <= now);
        let mut found: Vec<Entry> = inner.entries.values().filter(due).cloned().collect();
        found.sort_by_key(|entry| entry.due);
        found.truncate(limit);
        ready(found)
    }

    fn next_due(&self, space: String) -> Kept<Option<Timestamp>> {
        let inner = self.inner();
        ready(inner.entries.values().filter(|e| e.space == space).filter_map(|e| e.due).min())
    }

    fn change_entries(&self, changes: Vec<EntryChange>) -> Kept<bool> {
        let mut inner = self.inner();
        let holds = |change: &EntryChange| {
            let found = inner.entries.get(&(change.space.clone(), change.key.clone()));
            match change.expect {
                Expect::Any => true,
                Expect::Absent => found.is_none(),
                Expect::Revision(revision) => found.is_some_and(|e| e.revision == revision),
            }
        };
        if !changes.iter().all(holds) {
            return ready(false);
        }
        for EntryChange { space, key, write, .. } in changes {
            match write {
                EntryWrite::Check => {}
                EntryWrite::Delete => drop(inner.entries.remove(&(space, key))),
                EntryWrite::Put { body, due } => {
                    inner.revision += 1;
                    let revision = inner.revision;
                    let entry =
                        Entry { space: space.clone(), key: key.clone(), body, due, revision };
                    inner.entries.insert((space, key), entry);
                }
            }
        }
        ready(true)
    }
}
