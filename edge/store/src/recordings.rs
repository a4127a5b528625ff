//! Recorded conversations. The rows are here, the audio is in files, or where it was brought.

use std::sync::Arc;

use offhook_pbx::keep::{Backlog, Kept, Recording, Recordings};
use rusqlite::{Connection, Row, params};

use crate::Store;
use crate::convert::{nanos, path, path_text, time, whole};
use crate::flows::seal::Seal;
use crate::lane::{Refused, Urgency, all_or_none};

/// What the workflow of a recording is told of it when its call did not live to tell it: sealed, as
/// snapshots of executions are. NULL: nobody is to be told.
pub(crate) const TOLD: &str = "
ALTER TABLE recordings ADD COLUMN told BLOB;
CREATE INDEX recordings_told ON recordings (call_id) WHERE told IS NOT NULL;
";

const COLUMNS: &str =
    "id, call_id, started, duration_ms, file, key, stored, attempts, error, bucket";

impl Recordings for Store {
    fn begin_recording(&self, recording: Recording) -> Kept<()> {
        self.write(Urgency::Disk, move |connection| begin(connection, &recording, None))
    }

    fn begin_told_recording(&self, recording: Recording, told: String) -> Kept<()> {
        let shared = Arc::clone(&self.shared);
        self.write(Urgency::Disk, move |connection| {
            let sealed = shared.seal.close(&recording.id, told.into_bytes());
            // What is said is worth more than who hears of it after a crash.
            let sealed = sealed.inspect_err(|error| tracing::error!(error, "no key"));
            begin(connection, &recording, sealed.ok())
        })
    }

    fn finish_recording(&self, id: String, duration_ms: u64) -> Kept<()> {
        self.write(Urgency::Disk, move |connection| {
            if duration_ms == 0 {
                return forget(connection, &id);
            }
            let sql = "UPDATE recordings SET finished = 1, duration_ms = ?2 WHERE id = ?1";
            change(connection, sql, &id, whole(duration_ms))
        })
    }

    fn unfinished_recordings(&self) -> Kept<Vec<Recording>> {
        self.select("WHERE finished = 0 ORDER BY started LIMIT ?1".to_owned(), usize::MAX)
    }

    fn waiting_recordings(&self, fresh: bool, limit: usize) -> Kept<Vec<Recording>> {
        let fresh = if fresh { "AND attempts = 0" } else { "" };
        self.select(
            format!(
                "WHERE finished = 1 AND stored IS NULL {fresh} ORDER BY attempts, started LIMIT ?1"
            ),
            limit,
        )
    }

    fn recording_stored(&self, id: String, location: String) -> Kept<()> {
        self.write(Urgency::Disk, move |connection| {
            let sql = "UPDATE recordings SET stored = ?2, error = NULL WHERE id = ?1";
            change(connection, sql, &id, location)
        })
    }

    fn recording_delayed(&self, id: String, error: String) -> Kept<()> {
        self.write(Urgency::Company, move |connection| {
            let sql = "UPDATE recordings SET attempts = attempts + 1, error = ?2 WHERE id = ?1";
            change(connection, sql, &id, error)
        })
    }

    fn recordings_backlog(&self) -> Kept<Backlog> {
        self.read(|connection| {
            let sql = "SELECT count(*), count(nullif(attempts, 0)), min(started)
                       FROM recordings WHERE finished = 1 AND stored IS NULL";
            let backlog = connection.prepare_cached(sql)?.query_row([], |row| {
                let count = |n: i64| u64::try_from(n).unwrap_or(0);
                Ok(Backlog {
                    waiting: count(row.get(0)?),
                    failing: count(row.get(1)?),
                    oldest: row.get::<_, Option<i64>>(2)?.map(time),
                })
            })?;
            Ok(backlog)
        })
    }

    fn list_recordings(&self, limit: usize) -> Kept<Vec<Recording>> {
        self.select("ORDER BY started DESC LIMIT ?1".to_owned(), limit)
    }
}

impl Store {
    fn select(&self, which: String, limit: usize) -> Kept<Vec<Recording>> {
        self.read(move |connection| {
            let sql = format!("SELECT {COLUMNS} FROM recordings {which}");
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map([whole(limit as u64)], recording)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// The events of a call's recordings that are whole, oldest first.
pub(crate) fn told(
    connection: &Connection,
    seal: &Seal,
    call: &str,
) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT id, told FROM recordings
               WHERE call_id = ?1 AND told IS NOT NULL AND finished = 1 ORDER BY started";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([call], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut all = Vec::new();
    for row in rows {
        let (id, sealed): (String, Vec<u8>) = row?;
        match seal.open(&id, sealed).map(String::from_utf8) {
            Ok(Ok(event)) => all.push(event),
            Ok(Err(_)) => tracing::error!(id, "what is told of a recording is no text"),
            Err(error) => tracing::error!(id, error, "what is told of a recording is unreadable"),
        }
    }
    Ok(all)
}

/// Nobody waits any more for what a call has recorded.
pub(crate) fn forget_told(connection: &Connection, call: &str) -> rusqlite::Result<()> {
    let sql = "UPDATE recordings SET told = NULL WHERE call_id = ?1 AND told IS NOT NULL";
    connection.prepare_cached(sql)?.execute([call]).map(drop)
}

/// Nor for what began before `limit` in calls of which no execution goes on after a restart.
pub(crate) fn forget_told_in_vain(connection: &Connection, limit: i64) -> rusqlite::Result<()> {
    let sql = "UPDATE recordings SET told = NULL WHERE told IS NOT NULL AND started < ?1
               AND NOT EXISTS (SELECT 1 FROM flow_executions AS flow
                               JOIN flow_snapshots ON flow.id = execution
                               WHERE flow.transaction_id = call_id)";
    connection.prepare_cached(sql)?.execute([limit]).map(drop)
}

fn begin(
    connection: &Connection,
    recording: &Recording,
    told: Option<Vec<u8>>,
) -> Result<(), Refused> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO recordings (id, call_id, started, duration_ms, file, key, finished,
         stored, attempts, error, bucket, told)
         VALUES (?1, ?2, ?3, 0, ?4, ?5, 0, NULL, 0, NULL, ?6, ?7)",
    )?;
    statement.execute(params![
        recording.id,
        recording.call_id,
        nanos(recording.started),
        path_text(&recording.file)?,
        recording.key,
        recording.bucket,
        told,
    ])?;
    Ok(())
}

fn change(
    connection: &Connection,
    sql: &str,
    id: &str,
    value: impl rusqlite::ToSql,
) -> Result<(), Refused> {
    match connection.prepare_cached(sql)?.execute(params![id, value])? {
        0 => Err(Refused::Because(format!("there is no recording {id}"))),
        _ => Ok(()),
    }
}

/// The row goes now; the file goes to the trash, which is emptied after the commit.
fn forget(connection: &Connection, id: &str) -> Result<(), Refused> {
    all_or_none(connection, || {
        let sql = "INSERT OR IGNORE INTO trash SELECT file FROM recordings WHERE id = ?1";
        connection.prepare_cached(sql)?.execute([id])?;
        connection.prepare_cached("DELETE FROM recordings WHERE id = ?1")?.execute([id])?;
        Ok(())
    })
}

fn recording(row: &Row<'_>) -> rusqlite::Result<Recording> {
    Ok(Recording {
        id: row.get(0)?,
        call_id: row.get(1)?,
        started: time(row.get(2)?),
        duration_ms: u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0),
        file: path(row, 4)?,
        key: row.get(5)?,
        stored: row.get(6)?,
        attempts: u32::try_from(row.get::<_, i64>(7)?).unwrap_or(u32::MAX),
        error: row.get(8)?,
        bucket: row.get(9)?,
    })
}
