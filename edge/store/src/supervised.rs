//! Who listened to a call, as it stands in its row.

use offhook_pbx::keep::{Supervised, Supervising};
use serde::{Deserialize, Serialize};

use crate::convert::{nanos, time};

#[derive(Serialize, Deserialize)]
struct Written {
    at: i64,
    until: Option<i64>,
    by: String,
    how: How,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum How {
    Listen,
    Whisper,
    Barge,
}

/// A JSON list; `None` when nobody did.
pub(crate) fn written(supervised: &[Supervised]) -> rusqlite::Result<Option<String>> {
    if supervised.is_empty() {
        return Ok(None);
    }
    let written: Vec<Written> = supervised
        .iter()
        .map(|Supervised { at, until, by, how }| Written {
            at: nanos(*at),
            until: until.map(nanos),
            by: by.clone(),
            how: match how {
                Supervising::Listen => How::Listen,
                Supervising::Whisper => How::Whisper,
                Supervising::Barge => How::Barge,
            },
        })
        .collect();
    let json = serde_json::to_string(&written);
    json.map(Some).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// What another version of Offhook wrote and this one does not understand is left out: the call's
/// timeline has it.
pub(crate) fn read(json: &str) -> Vec<Supervised> {
    let written: Vec<Written> = serde_json::from_str(json).unwrap_or_default();
    let supervised = |Written { at, until, by, how }| Supervised {
        at: time(at),
        until: until.map(time),
        by,
        how: match how {
            How::Listen => Supervising::Listen,
            How::Whisper => Supervising::Whisper,
            How::Barge => Supervising::Barge,
        },
    };
    written.into_iter().map(supervised).collect()
}
