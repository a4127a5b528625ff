//! The transfers of a call, as they stand in its row.

use offhook_pbx::keep::Transferred;
use serde::{Deserialize, Serialize};

use crate::convert::{nanos, time};

#[derive(Serialize, Deserialize)]
struct Written {
    at: i64,
    by: String,
    to: String,
    attended: bool,
    status: Option<u16>,
}

/// A JSON list; `None` when there are none.
pub(crate) fn written(transfers: &[Transferred]) -> rusqlite::Result<Option<String>> {
    if transfers.is_empty() {
        return Ok(None);
    }
    let written: Vec<Written> = transfers
        .iter()
        .cloned()
        .map(|Transferred { at, by, to, attended, status }| Written {
            at: nanos(at),
            by,
            to,
            attended,
            status,
        })
        .collect();
    let json = serde_json::to_string(&written);
    json.map(Some).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// What another version of Offhook wrote and this one does not understand is left out: the call's
/// timeline has it.
pub(crate) fn read(json: &str) -> Vec<Transferred> {
    let written: Vec<Written> = serde_json::from_str(json).unwrap_or_default();
    let transfer = |Written { at, by, to, attended, status }| Transferred {
        at: time(at),
        by,
        to,
        attended,
        status,
    };
    written.into_iter().map(transfer).collect()
}
