//! Call records and their timelines.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use offhook_pbx::event::{CallEvent, CallEventKind};
use offhook_pbx::keep::{CallFilter, CallRecord, Calls, CloudIds, KeepError, Kept};
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use crate::convert::{nanos, time};
use crate::error::describe;
use crate::lane::{Job, Refused, Urgency};
use crate::{Shared, Store, supervised, transfers};

const COLUMNS: &str = "id, started, answered, ended, caller, dialled, original_caller, source,
    destination, disposition, failure, hung_up_by, transfers, supervised, transaction_id,
    sip_media_application_id, contact_id, initial_contact_id";

/// How AWS knows calls: few have anything there.
pub(crate) const CLOUD: &str = "
ALTER TABLE calls ADD COLUMN transaction_id TEXT;
ALTER TABLE calls ADD COLUMN sip_media_application_id TEXT;
ALTER TABLE calls ADD COLUMN contact_id TEXT;
ALTER TABLE calls ADD COLUMN initial_contact_id TEXT;
CREATE INDEX calls_by_transaction ON calls (transaction_id) WHERE transaction_id IS NOT NULL;
CREATE INDEX calls_by_contact ON calls (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX calls_by_initial_contact ON calls (initial_contact_id)
    WHERE initial_contact_id IS NOT NULL;
";
impl Calls for Store {
    fn put_call(&self, record: CallRecord) -> Kept<()> {
        self.write(Urgency::Company, move |connection| put(connection, &record))
    }

    fn append_events(&self, call: String, events: Vec<CallEvent>) {
        let shared = &self.shared;
        let count = events.len();
        let waiting = shared.queued_events.fetch_add(count, Ordering::Relaxed);
        let job = Append { shared: shared.clone(), call, events: Some(events), count };
        if waiting + count > shared.max_queued_events {
            return job.lose();
        }
        if let Err((error, job)) = self.writes.push(Box::new(job)) {
            job.answer(Err(error));
        }
    }

    fn list_calls(&self, limit: usize) -> Kept<Vec<CallRecord>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(move |connection| {
            let sql = format!("SELECT {COLUMNS} FROM calls ORDER BY started DESC LIMIT ?1");
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map([limit], record)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn find_calls(&self, filter: CallFilter, limit: usize) -> Kept<Vec<CallRecord>> {
        if filter == CallFilter::default() {
            return self.list_calls(limit);
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(move |connection| find(connection, &filter, limit))
    }

    /// A prefix that several calls share is refused with a text that says so.
    fn show_call(&self, id: String) -> Kept<Option<(CallRecord, Vec<CallEvent>)>> {
        self.read(move |connection| show(connection, &id))
    }
}

/// Each condition has an index of its own.
fn find(
    connection: &Connection,
    filter: &CallFilter,
    limit: i64,
) -> Result<Vec<CallRecord>, Refused> {
    let mut conditions = Vec::new();
    if filter.contact.is_some() {
        conditions.push("(contact_id = ?1 OR initial_contact_id = ?1)");
    }
    if filter.transaction.is_some() {
        conditions.push("(transaction_id = ?2 OR id = ?2)");
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM calls WHERE {}
         ORDER BY started DESC LIMIT ?3",
        conditions.join(" AND ")
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![filter.contact, filter.transaction, limit], record)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn put(connection: &Connection, record: &CallRecord) -> Result<(), Refused> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO calls (id, started, answered, ended, caller, dialled,
         original_caller, source, destination, disposition, failure, hung_up_by, transfers,
         supervised, transaction_id, sip_media_application_id, contact_id, initial_contact_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
    )?;
    statement.execute(params![
        record.id,
        nanos(record.started),
        record.answered.map(nanos),
        record.ended.map(nanos),
        record.from,
        record.to,
        record.original_caller,
        record.source,
        record.destination,
        record.disposition,
        record.failure,
        record.hung_up_by,
        transfers::written(&record.transfers)?,
        supervised::written(&record.supervised)?,
        record.cloud.transaction_id,
        record.cloud.sip_media_application_id,
        record.cloud.contact_id,
        record.cloud.initial_contact_id,
    ])?;
    Ok(())
}

fn record(row: &Row<'_>) -> rusqlite::Result<CallRecord> {
    Ok(CallRecord {
        id: row.get(0)?,
        started: time(row.get(1)?),
        answered: row.get::<_, Option<i64>>(2)?.map(time),
        ended: row.get::<_, Option<i64>>(3)?.map(time),
        from: row.get(4)?,
        to: row.get(5)?,
        original_caller: row.get(6)?,
        source: row.get(7)?,
        destination: row.get(8)?,
        disposition: row.get(9)?,
        failure: row.get(10)?,
        hung_up_by: row.get(11)?,
        transfers: row.get_ref(12)?.as_str_or_null()?.map_or_else(Vec::new, transfers::read),
        supervised: row.get_ref(13)?.as_str_or_null()?.map_or_else(Vec::new, supervised::read),
        cloud: CloudIds {
            transaction_id: row.get(14)?,
            sip_media_application_id: row.get(15)?,
            contact_id: row.get(16)?,
            initial_contact_id: row.get(17)?,
        },
    })
}

fn show(
    connection: &Connection,
    id: &str,
) -> Result<Option<(CallRecord, Vec<CallEvent>)>, Refused> {
    // The character above all others ends the range of texts that begin with `id`.
    let sql = format!("SELECT {COLUMNS} FROM calls WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 2");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([id, &format!("{id}\u{10ffff}")], record)?;
    let mut found = rows.collect::<rusqlite::Result<Vec<CallRecord>>>()?.into_iter();
    let (first, second) = (found.next(), found.next());
    let Some(call) = first else { return Ok(None) };
    if second.is_some() && call.id != id {
        return Err(Refused::Because(format!("several calls begin with {id}: give more of it")));
    }
    let sql = "SELECT json FROM events WHERE call = ?1 ORDER BY seq";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([&call.id])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        read_events(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?, &mut events);
    }
    Ok(Some((call, events)))
}

/// An event as it stands in a row's JSON list. One row holds what was appended at once: thirty
/// rows of a call would cost ten times as much.
#[derive(Serialize)]
struct Written<'a> {
    at: i64,
    leg: Option<&'a str>,
    kind: &'a CallEventKind,
}

/// [`Written`], before its kind is understood.
#[derive(Deserialize)]
struct Stored {
    at: i64,
    leg: Option<String>,
    kind: serde_json::Value,
}

/// An event of another version of Offhook that is not understood becomes a note with its text.
fn read_events(json: &str, events: &mut Vec<CallEvent>) {
    let stored: Vec<Stored> = serde_json::from_str(json).unwrap_or_else(|_| {
        vec![Stored { at: 0, leg: None, kind: serde_json::Value::String(json.to_owned()) }]
    });
    events.extend(stored.into_iter().map(|Stored { at, leg, kind }| {
        let text = kind.to_string();
        let kind = serde_json::from_value(kind).unwrap_or(CallEventKind::Note { text });
        CallEvent { at: time(at), leg, kind }
    }));
}

/// Events on their way to the timeline. Nobody waits for them.
struct Append {
    shared: Arc<Shared>,
    call: String,
    /// `None` once written.
    events: Option<Vec<CallEvent>>,
    count: usize,
}

impl Append {
    fn lose(mut self) {
        self.shared.queued_events.fetch_sub(self.count, Ordering::Relaxed);
        self.shared.lose_events(std::mem::take(&mut self.call), self.count);
    }
}

impl Job for Append {
    fn urgency(&self) -> Urgency {
        Urgency::Company
    }

    fn run(&mut self, connection: &Connection, path: &Path) {
        let events = self.events.take().unwrap_or_default();
        if let Err(error) = append(connection, &self.shared, &self.call, &events) {
            tracing::warn!(error = describe(path, &error), "a call's events are lost");
            self.events = Some(events);
        }
    }

    fn answer(self: Box<Self>, committed: Result<(), KeepError>) {
        if committed.is_err() || self.events.is_some() {
            self.lose();
        } else {
            self.shared.queued_events.fetch_sub(self.count, Ordering::Relaxed);
        }
    }
}

fn append(
    connection: &Connection,
    shared: &Shared,
    call: &str,
    events: &[CallEvent],
) -> rusqlite::Result<()> {
    let Some(last) = events.iter().map(|event| nanos(event.at)).max() else { return Ok(()) };
    let written: Vec<Written<'_>> = events
        .iter()
        .map(|CallEvent { at, leg, kind }| Written { at: nanos(*at), leg: leg.as_deref(), kind })
        .collect();
    let json = serde_json::to_string(&written)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let seq = shared.next_row.fetch_add(1, Ordering::Relaxed);
    let sql = "INSERT INTO events (call, seq, at, json) VALUES (?1, ?2, ?3, ?4)";
    connection.prepare_cached(sql)?.execute(params![call, seq, last, json]).map(drop)
}

/// Notes in the timelines how many events found no room.
pub(crate) fn write_lost_events(connection: &Connection, shared: &Shared) -> rusqlite::Result<()> {
    for (call, count) in shared.take_lost_events() {
        let text = format!("events_lost: {count} (the journal could not keep up)");
        let kind = CallEventKind::Note { text };
        append(connection, shared, &call, &[CallEvent { at: SystemTime::now(), leg: None, kind }])?;
    }
    Ok(())
}

/// A call without an end belongs to a daemon that was killed: it ended with its last event.
pub(crate) fn close_lost(connection: &Connection) -> Result<usize, Refused> {
    Ok(connection.execute(
        "UPDATE calls SET disposition = 'lost', failure = 'lost',
         ended = max(started, coalesce((SELECT max(at) FROM events WHERE call = calls.id), 0))
         WHERE ended IS NULL",
        [],
    )?)
}
