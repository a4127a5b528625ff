//! What workflows want kept: definitions, executions with their histories, and what services keep.

mod definitions;
mod entries;
mod executions;
mod prune;
pub(crate) mod seal;

use jiff::Timestamp;
use offhook_flows::store::{Kept, StoreError};
use offhook_pbx::keep;
use rusqlite::types::Type;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::lane::Refused;

pub(crate) use prune::throw_away;

pub(crate) const SCHEMA: &str = "
CREATE TABLE flow_versions (
    machine TEXT NOT NULL,
    version INTEGER NOT NULL,
    kind TEXT NOT NULL,
    definition TEXT NOT NULL,
    digest TEXT NOT NULL,
    description TEXT NOT NULL,
    published INTEGER NOT NULL,
    PRIMARY KEY (machine, version)
) STRICT;
-- The last number that was given: one of a deleted version is not given again.
CREATE TABLE flow_numbers (machine TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE flow_aliases (
    machine TEXT NOT NULL,
    name TEXT NOT NULL,
    routes TEXT NOT NULL,
    former TEXT NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (machine, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE flow_executions (
    id INTEGER PRIMARY KEY,
    arn TEXT NOT NULL UNIQUE,
    machine TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    alias TEXT,
    status TEXT NOT NULL,
    started INTEGER NOT NULL,
    stopped INTEGER,
    input TEXT NOT NULL,
    output TEXT,
    error TEXT,
    cause TEXT,
    transaction_id TEXT
) STRICT;
CREATE INDEX flow_executions_by_start ON flow_executions (started);
CREATE INDEX flow_executions_by_machine ON flow_executions (machine, started);
CREATE INDEX flow_executions_by_call ON flow_executions (transaction_id)
    WHERE transaction_id IS NOT NULL;
-- What an execution goes on from; one that has ended has none.
CREATE TABLE flow_snapshots (execution INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE flow_events (
    execution INTEGER NOT NULL,
    id INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (execution, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE flow_entries (
    space TEXT NOT NULL,
    key BLOB NOT NULL,
    body BLOB NOT NULL,
    due INTEGER,
    revision INTEGER NOT NULL,
    PRIMARY KEY (space, key)
) STRICT;
CREATE INDEX flow_entries_due ON flow_entries (space, due) WHERE due IS NOT NULL;
CREATE TABLE flow_revision (last INTEGER NOT NULL) STRICT;
INSERT INTO flow_revision VALUES (0);
";

/// The same answer with the errors of the other trait.
fn kept<T: Send + 'static>(answer: keep::Kept<T>) -> Kept<T> {
    Box::pin(async move {
        answer.await.map_err(|error| match error {
            keep::KeepError::Overloaded => StoreError::Overloaded,
            keep::KeepError::Failed(why) => StoreError::Failed(why),
        })
    })
}

/// Nanoseconds since 1970; what does not fit is the nearest that does.
fn nanos(time: Timestamp) -> i64 {
    let nanos = time.as_nanosecond().clamp(i64::MIN.into(), i64::MAX.into());
    i64::try_from(nanos).unwrap_or(i64::MAX)
}

fn time(nanos: i64) -> Timestamp {
    // Every `i64` of nanoseconds is a time between 1677 and 2262.
    Timestamp::from_nanosecond(nanos.into()).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

fn to_json<T: Serialize>(value: &T) -> Result<String, Refused> {
    serde_json::to_string(value).map_err(|error| Refused::Because(error.to_string()))
}

/// A text column that holds JSON. Ours wrote it, so a failure is damage.
fn from_json<T: DeserializeOwned>(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(row.get_ref(column)?.as_str()?).map_err(|error| damaged(column, error))
}

/// A text column that holds one word of an enumeration.
fn from_word<T: DeserializeOwned>(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<T> {
    let word = row.get_ref(column)?.as_str()?;
    serde_json::from_value(word.into()).map_err(|error| damaged(column, error))
}

fn to_word<T: Serialize>(value: &T) -> Result<String, Refused> {
    Ok(to_json(value)?.trim_matches('"').to_owned())
}

fn damaged(column: usize, error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}
