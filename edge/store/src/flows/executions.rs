//! Executions, what they go on from, and their histories.

use std::sync::Arc;

use offhook_flows::store::{
    ExecutionChange, ExecutionFilter, ExecutionRecord, Executions, Kept, Saved,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{from_word, kept, limit, nanos, time, to_word};
use crate::Store;
use crate::convert::whole;
use crate::lane::{Refused, Urgency, all_or_none};

const RECORD: &str = "SELECT arn, machine, name, version, alias, status, started, stopped, input,
    output, error, cause, transaction_id, started_by FROM flow_executions";

impl Executions for Store {
    fn save_execution(&self, change: ExecutionChange) -> Kept<Saved> {
        let shared = Arc::clone(&self.shared);
        kept(self.write(Urgency::Company, move |connection| {
            let mut change = change;
            if let Some(body) = change.snapshot.take() {
                let sealed = shared.seal.close(&change.record.arn, body);
                change.snapshot = Some(sealed.map_err(Refused::Because)?);
            }
            all_or_none(connection, || save(connection, &change))
        }))
    }

    fn unfinished_executions(&self) -> Kept<Vec<(ExecutionRecord, Vec<u8>)>> {
        let shared = Arc::clone(&self.shared);
        kept(self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT arn, machine, name, version, alias, status, started, stopped, input,
                 output, error, cause, transaction_id, started_by, body
                 FROM flow_executions JOIN flow_snapshots ON id = execution ORDER BY id",
            )?;
            let rows = statement.query_map([], |row| Ok((record(row)?, row.get(14)?)))?;
            let sealed: Vec<(ExecutionRecord, Vec<u8>)> = rows.collect::<rusqlite::Result<_>>()?;
            let open = |(record, body): (ExecutionRecord, Vec<u8>)| {
                // Without its key it cannot go on; the runtime says so, and it stays.
                let body = shared.seal.open(&record.arn, body).unwrap_or_else(|error| {
                    tracing::error!(arn = record.arn, error, "a snapshot cannot be read");
                    Vec::new()
                });
                (record, body)
            };
            Ok(sealed.into_iter().map(open).collect())
        }))
    }

    fn recorded(&self, transaction_id: String) -> Kept<Vec<String>> {
        let shared = Arc::clone(&self.shared);
        kept(self.read(move |connection| {
            Ok(crate::recordings::told(connection, &shared.seal, &transaction_id)?)
        }))
    }

    fn get_execution(&self, arn: String) -> Kept<Option<ExecutionRecord>> {
        kept(self.read(move |connection| {
            let sql = format!("{RECORD} WHERE arn = ?1");
            Ok(connection.prepare_cached(&sql)?.query_row([arn], record).optional()?)
        }))
    }

    fn list_executions(&self, filter: ExecutionFilter) -> Kept<Vec<ExecutionRecord>> {
        kept(self.read(move |connection| list(connection, &filter)))
    }

    fn execution_history(&self, arn: String, after: u64, most: usize) -> Kept<Vec<String>> {
        kept(self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT json FROM flow_events
                 WHERE execution = (SELECT id FROM flow_executions WHERE arn = ?1) AND id > ?2
                 ORDER BY id LIMIT ?3",
            )?;
            let rows =
                statement.query_map(params![arn, whole(after), limit(most)], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        }))
    }
}

fn save(connection: &Connection, change: &ExecutionChange) -> Result<Saved, Refused> {
    let Some(id) = save_record(connection, &change.record, change.new)? else {
        return Ok(Saved::NameTaken);
    };
    match &change.snapshot {
        Some(body) => {
            let sql = "INSERT OR REPLACE INTO flow_snapshots (execution, body) VALUES (?1, ?2)";
            connection.prepare_cached(sql)?.execute(params![id, body])?
        }
        None => {
            if let Some(call) = &change.record.transaction_id {
                crate::recordings::forget_told(connection, call)?;
            }
            let sql = "DELETE FROM flow_snapshots WHERE execution = ?1";
            connection.prepare_cached(sql)?.execute([id])?
        }
    };
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO flow_events (execution, id, json) VALUES (?1, ?2, ?3)",
    )?;
    for (event, json) in &change.history {
        insert.execute(params![id, whole(*event), json])?;
    }
    Ok(Saved::Yes)
}

/// The row's id; `None`: it is `new`, and there is one of that name.
fn save_record(
    connection: &Connection,
    record: &ExecutionRecord,
    new: bool,
) -> Result<Option<i64>, Refused> {
    let on_conflict = match new {
        true => "DO NOTHING",
        false => {
            "(arn) DO UPDATE SET status = excluded.status, stopped = excluded.stopped,
             output = excluded.output, error = excluded.error, cause = excluded.cause"
        }
    };
    let sql = format!(
        "INSERT INTO flow_executions (arn, machine, name, version, alias, status, started, stopped,
         input, output, error, cause, transaction_id, started_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
         ON CONFLICT {on_conflict} RETURNING id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let values = params![
        record.arn,
        record.machine,
        record.name,
        record.version,
        record.alias,
        to_word(&record.status)?,
        nanos(record.started),
        record.stopped.map(nanos),
        &*record.input,
        record.output,
        record.error,
        record.cause,
        record.transaction_id,
        record.started_by,
    ];
    Ok(statement.query_row(values, |row| row.get(0)).optional()?)
}

fn list(
    connection: &Connection,
    filter: &ExecutionFilter,
) -> Result<Vec<ExecutionRecord>, Refused> {
    let status = filter.status.as_ref().map(to_word).transpose()?;
    let mut sql = RECORD.to_owned();
    // A condition that is not asked for must not keep an index from being used.
    let conditions = [
        (filter.machine.is_some(), "machine = ?1", "?1 IS NULL"),
        (status.is_some(), "status = ?2", "?2 IS NULL"),
        // All that begin so stand between it and it with the last of all characters behind.
        (
            filter.transaction_id.is_some(),
            "transaction_id BETWEEN ?3 AND ?3 || char(0x10ffff)",
            "?3 IS NULL",
        ),
        (filter.name.is_some(), "name = ?5", "?5 IS NULL"),
    ];
    for (index, (asked, condition, nothing)) in conditions.into_iter().enumerate() {
        sql.push_str(if index == 0 { " WHERE " } else { " AND " });
        sql.push_str(if asked { condition } else { nothing });
    }
    sql.push_str(" ORDER BY started DESC, id DESC LIMIT ?4");
    let mut statement = connection.prepare_cached(&sql)?;
    let values =
        params![filter.machine, status, filter.transaction_id, limit(filter.limit), filter.name];
    let rows = statement.query_map(values, record)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn record(row: &Row<'_>) -> rusqlite::Result<ExecutionRecord> {
    Ok(ExecutionRecord {
        arn: row.get(0)?,
        machine: row.get(1)?,
        name: row.get(2)?,
        version: row.get(3)?,
        alias: row.get(4)?,
        status: from_word(row, 5)?,
        started: time(row.get(6)?),
        stopped: row.get::<_, Option<i64>>(7)?.map(time),
        input: row.get::<_, String>(8)?.into(),
        output: row.get(9)?,
        error: row.get(10)?,
        cause: row.get(11)?,
        transaction_id: row.get(12)?,
        started_by: row.get(13)?,
    })
}
