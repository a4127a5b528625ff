//! A guessed key that is given up for one that was told.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::store::{Entry, EntryChange, EntryRange, EntryWrite, Expect};

use super::hints::told_by_key;
use super::refusal::Refusal;
use super::table::Table;
use super::tables::definition;
use super::write::decode;
use super::{CHUNK, Inner, internal};

/// Items of a table that are put under another key at once, and their bytes.
const MOST_ITEMS: usize = 10_000;
const MOST_BYTES: usize = 16 * 1024 * 1024;

impl Inner {
    /// A table that is there, with the key that a request tells: the first `Key` after a guess either
    /// bears it out or says how the table is keyed.
    pub(super) async fn confirmed(&self, table: Table, arguments: &Json) -> Result<Table, Refusal> {
        if table.guess.is_none() {
            return Ok(table);
        }
        let Some(told) = told_by_key(&table.name, arguments) else { return Ok(table) };
        let attributes = || told.schema().attributes();
        let is_borne_out = attributes().count() == table.schema().attributes().count()
            && attributes().all(|key| table.is_key(&key.name));
        let told = if is_borne_out { Table { guess: None, ..table.clone() } } else { told };
        self.rekey(&table, &told).await?;
        Ok(told)
    }

    /// Puts all items of `old`, whose key was guessed, under the key of `new`.
    pub(super) async fn rekey(&self, old: &Table, new: &Table) -> Result<(), Refusal> {
        let mut changes = if (&old.partition, &old.sort) == (&new.partition, &new.sort) {
            Vec::new()
        } else {
            moved(&self.all_entries(old).await?, old, new)?
        };
        changes.push(definition(new, Expect::Any)?);
        if !self.entries.change_entries(changes).await.map_err(internal)? {
            return Err(internal("the items of the table change while its key does"));
        }
        self.fill_indexes(new).await
    }

    async fn all_entries(&self, table: &Table) -> Result<Vec<Entry>, Refusal> {
        let (mut all, mut bytes) = (Vec::new(), 0_usize);
        let mut from = Vec::new();
        loop {
            let range =
                EntryRange { space: table.space(), from, limit: CHUNK, ..EntryRange::default() };
            let chunk = self.entries.range_entries(range).await.map_err(internal)?;
            let next = chunk.get(CHUNK - 1).map(|last| [last.key.as_slice(), &[0]].concat());
            bytes += chunk.iter().map(|entry| entry.body.len()).sum::<usize>();
            all.extend(chunk);
            if all.len() > MOST_ITEMS || bytes > MOST_BYTES {
                return Err(stuck(table, "has too many items to be given another"));
            }
            match next {
                Some(next) => from = next,
                None => return Ok(all),
            }
        }
    }
}

/// What has to be written so that `entries` are under the key of `new`.
fn moved(entries: &[Entry], old: &Table, new: &Table) -> Result<Vec<EntryChange>, Refusal> {
    let mut changes: BTreeMap<&[u8], (Expect, EntryWrite)> = entries
        .iter()
        .map(|entry| (entry.key.as_slice(), (Expect::Revision(entry.revision), EntryWrite::Delete)))
        .collect();
    let mut keys = Vec::with_capacity(entries.len());
    for entry in entries {
        let key = new
            .key_of_item(&decode(&entry.body)?)
            .map_err(|_| stuck(old, &format!("has items without {}", new.key_names())))?;
        keys.push(key);
    }
    for (entry, key) in entries.iter().zip(&keys) {
        let (_, write) = changes.entry(key).or_insert((Expect::Absent, EntryWrite::Delete));
        if matches!(write, EntryWrite::Put { .. }) {
            let why = format!("has several items of the same {}", new.key_names());
            return Err(stuck(old, &why));
        }
        *write = EntryWrite::Put { body: entry.body.clone(), due: None };
    }
    let change = |(key, (expect, write)): (&[u8], _)| EntryChange {
        space: new.space(),
        key: key.to_vec(),
        expect,
        write,
    };
    Ok(changes.into_iter().map(change).collect())
}

fn stuck(table: &Table, why: &str) -> Refusal {
    Refusal::validation(format!(
        "Table {} is there with {} for its key, which was guessed, and {why}; delete it, and make it \
         with createTable",
        table.name,
        table.key_names()
    ))
}
