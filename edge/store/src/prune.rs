//! Throwing away what is old, in steps so small that no write waits for long.

use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OptionalExtension, params};

use crate::Shared;
use crate::convert::{nanos, time, whole};

/// Calls whose records and timelines one step throws away.
const STEP: i64 = 50;
const DAY: Duration = Duration::from_secs(86_400);
const DAY_NANOS: i64 = 86_400 * 1_000_000_000;
/// A clock so far ahead of all that happened last may be wrong at a start, and is not believed ...
const LEAP: Duration = Duration::from_secs(7 * 86_400);
/// ... until we have run for so long: by then the time has come over the network, or it was right.
const SETTLED: Duration = Duration::from_secs(86_400);

/// One step; `true` when nothing is left to throw away.
pub(crate) fn step(connection: &Connection, shared: &Shared) -> rusqlite::Result<bool> {
    let now = SystemTime::now();
    let newest = match shared.newest_at_start.get() {
        Some(newest) => *newest,
        None => {
            let found = newest(connection)?;
            *shared.newest_at_start.get_or_init(|| found)
        }
    };
    step_at(connection, shared, now, is_believable(now, newest, shared.opened.elapsed()))
}

pub(crate) fn step_at(
    connection: &Connection,
    shared: &Shared,
    now: SystemTime,
    believed: bool,
) -> rusqlite::Result<bool> {
    // What is counted goes by any clock; what is old goes by one that can be right.
    let now = if believed { now } else { SystemTime::UNIX_EPOCH };
    let limit = oldest_to_keep(connection, shared, now)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let thrown = throw_away(connection, limit, nanos(now));
    // After an I/O error the transaction may be gone already.
    match thrown {
        Ok(done) => connection.execute_batch("COMMIT").map(|()| done),
        Err(error) if connection.is_autocommit() => Err(error),
        Err(error) => connection.execute_batch("ROLLBACK").and(Err(error)),
    }
}

/// Whether the clock can be right: it stands near what happened last, or has had time to be set.
pub(crate) fn is_believable(now: SystemTime, newest: SystemTime, running: Duration) -> bool {
    running >= SETTLED || now <= newest + LEAP
}

/// When the last thing happened that we know of.
fn newest(connection: &Connection) -> rusqlite::Result<SystemTime> {
    let sql = "SELECT max(coalesce((SELECT max(started) FROM calls), 0),
                          coalesce((SELECT max(since) FROM bans), 0))";
    connection.prepare_cached(sql)?.query_row([], |row| Ok(time(row.get(0)?)))
}

/// Calls that started before this are thrown away.
fn oldest_to_keep(
    connection: &Connection,
    shared: &Shared,
    now: SystemTime,
) -> rusqlite::Result<i64> {
    let days = u32::try_from(shared.keep_days.load(Ordering::Relaxed)).unwrap_or(0);
    let by_age = match days {
        0 => i64::MIN,
        days => now.checked_sub(DAY * days).map_or(i64::MIN, nanos),
    };
    let by_number = match shared.keep_calls.load(Ordering::Relaxed) {
        0 => None,
        calls => connection
            .prepare_cached("SELECT started FROM calls ORDER BY started DESC LIMIT 1 OFFSET ?1")?
            .query_row([whole(calls - 1)], |row| row.get::<_, i64>(0))
            .optional()?,
    };
    Ok(by_age.max(by_number.unwrap_or(i64::MIN)))
}

/// `true` when nothing is left to throw away.
fn throw_away(connection: &Connection, limit: i64, now: i64) -> rusqlite::Result<bool> {
    connection.execute("DELETE FROM bindings WHERE expires <= ?1", [now])?;
    connection.execute("DELETE FROM bans WHERE until <= ?1", [now])?;
    // The journal of what is where goes with the calls'; the recordings stay where they are.
    let sql = "DELETE FROM recordings WHERE stored IS NOT NULL AND started < ?1";
    connection.prepare_cached(sql)?.execute([limit])?;
    // An execution is kept long before it is a day old.
    crate::recordings::forget_told_in_vain(connection, now.saturating_sub(DAY_NANOS))?;
    let old = "SELECT id FROM calls WHERE started < ?1 ORDER BY started LIMIT ?2";
    let events = format!("DELETE FROM events WHERE call IN ({old})");
    connection.prepare_cached(&events)?.execute(params![limit, STEP])?;
    let calls = format!("DELETE FROM calls WHERE id IN ({old})");
    let thrown = connection.prepare_cached(&calls)?.execute(params![limit, STEP])?;
    let executions = crate::flows::throw_away(connection, limit)?;
    Ok(i64::try_from(thrown).unwrap_or(0) < STEP && executions)
}

/// Deletes the files whose rows are gone. What cannot be deleted stays for the next time.
pub(crate) fn sweep_trash(connection: &Connection) {
    if let Err(error) = try_sweep(connection) {
        tracing::warn!(%error, "files of deleted messages were not cleared away");
    }
}

fn try_sweep(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("SELECT file FROM trash LIMIT 1000")?;
    let files: Vec<String> =
        statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for file in files {
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, file, "a deleted message's file stays");
            }
            _ => {
                let sql = "DELETE FROM trash WHERE file = ?1";
                connection.prepare_cached(sql)?.execute([&file])?;
            }
        }
    }
    Ok(())
}
