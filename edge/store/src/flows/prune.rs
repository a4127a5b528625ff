//! Throwing away executions that ended long ago.

use rusqlite::{Connection, params};

/// Executions and their histories that one step throws away.
const STEP: i64 = 20;

/// Those that have ended and began before `limit`; `true` when none of them is left.
pub(crate) fn throw_away(connection: &Connection, limit: i64) -> rusqlite::Result<bool> {
    let old = "SELECT id FROM flow_executions WHERE started < ?1 AND stopped IS NOT NULL
               ORDER BY started LIMIT ?2";
    let events = format!("DELETE FROM flow_events WHERE execution IN ({old})");
    connection.prepare_cached(&events)?.execute(params![limit, STEP])?;
    let executions = format!("DELETE FROM flow_executions WHERE id IN ({old})");
    let thrown = connection.prepare_cached(&executions)?.execute(params![limit, STEP])?;
    Ok(i64::try_from(thrown).unwrap_or(0) < STEP)
}
