//! What services keep: items of tables, schedules, queued messages.

use jiff::Timestamp;
use offhook_flows::store::{Entries, Entry, EntryChange, EntryRange, EntryWrite, Expect, Kept};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{kept, limit, nanos, time};
use crate::Store;
use crate::convert::whole;
use crate::lane::{Refused, Urgency, all_or_none};

const ENTRY: &str = "SELECT space, key, body, due, revision FROM flow_entries";

impl Entries for Store {
    fn get_entry(&self, space: String, key: Vec<u8>) -> Kept<Option<Entry>> {
        kept(self.read(move |connection| {
            let sql = format!("{ENTRY} WHERE space = ?1 AND key = ?2");
            Ok(connection.prepare_cached(&sql)?.query_row(params![space, key], entry).optional()?)
        }))
    }

    fn range_entries(&self, range: EntryRange) -> Kept<Vec<Entry>> {
        kept(self.read(move |connection| {
            let order = if range.reverse { "DESC" } else { "ASC" };
            // Blobs are compared byte by byte, as keys are.
            let behind = if range.to.is_some() { "key < ?3" } else { "?3 IS NULL" };
            let sql = format!(
                "{ENTRY} WHERE space = ?1 AND key >= ?2 AND {behind} ORDER BY key {order} LIMIT ?4"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let values = params![range.space, range.from, range.to, limit(range.limit)];
            let rows = statement.query_map(values, entry)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        }))
    }

    fn due_entries(&self, space: String, now: Timestamp, most: usize) -> Kept<Vec<Entry>> {
        kept(self.read(move |connection| {
            let sql = format!("{ENTRY} WHERE space = ?1 AND due <= ?2 ORDER BY due, key LIMIT ?3");
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params![space, nanos(now), limit(most)], entry)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        }))
    }

    fn next_due(&self, space: String) -> Kept<Option<Timestamp>> {
        kept(self.read(move |connection| {
            let sql = "SELECT min(due) FROM flow_entries WHERE space = ?1 AND due IS NOT NULL";
            let next: Option<i64> =
                connection.prepare_cached(sql)?.query_row([space], |row| row.get(0))?;
            Ok(next.map(time))
        }))
    }

    fn change_entries(&self, changes: Vec<EntryChange>) -> Kept<bool> {
        kept(self.write(Urgency::Disk, move |connection| {
            for change in &changes {
                if !holds(connection, change)? {
                    return Ok(false);
                }
            }
            all_or_none(connection, || {
                changes.iter().try_for_each(|change| write(connection, change))
            })?;
            Ok(true)
        }))
    }
}

fn holds(connection: &Connection, change: &EntryChange) -> Result<bool, Refused> {
    if change.expect == Expect::Any {
        return Ok(true);
    }
    let sql = "SELECT revision FROM flow_entries WHERE space = ?1 AND key = ?2";
    let found: Option<i64> = connection
        .prepare_cached(sql)?
        .query_row(params![change.space, change.key], |row| row.get(0))
        .optional()?;
    Ok(match change.expect {
        Expect::Any => true,
        Expect::Absent => found.is_none(),
        Expect::Revision(revision) => found == Some(whole(revision)),
    })
}

fn write(connection: &Connection, change: &EntryChange) -> Result<(), Refused> {
    let EntryChange { space, key, write, .. } = change;
    match write {
        EntryWrite::Check => {}
        EntryWrite::Delete => {
            let sql = "DELETE FROM flow_entries WHERE space = ?1 AND key = ?2";
            connection.prepare_cached(sql)?.execute(params![space, key])?;
        }
        EntryWrite::Put { body, due } => {
            let mut next = connection
                .prepare_cached("UPDATE flow_revision SET last = last + 1 RETURNING last")?;
            let revision: i64 = next.query_row([], |row| row.get(0))?;
            let mut insert = connection.prepare_cached(
                "INSERT OR REPLACE INTO flow_entries (space, key, body, due, revision)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            insert.execute(params![space, key, body, due.map(nanos), revision])?;
        }
    }
    Ok(())
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        space: row.get(0)?,
        key: row.get(1)?,
        body: row.get(2)?,
        due: row.get::<_, Option<i64>>(3)?.map(time),
        revision: u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
    })
}
