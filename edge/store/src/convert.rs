//! Values of the heart as values of SQLite, and back.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use offhook_pbx::keep::Transport;
use rusqlite::types::Type;

use crate::lane::Refused;

/// Nanoseconds since 1970; times before are 1970, times after 2262 are 2262.
pub(crate) fn nanos(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

pub(crate) fn time(nanos: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

/// A text column that means something. Ours wrote it, so a failure is damage.
pub(crate) fn parsed<T: FromStr>(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|_| {
        let error = format!("`{text}` makes no sense here");
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
    })
}

pub(crate) fn transport(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Transport> {
    match row.get_ref(column)?.as_str()? {
        "UDP" => Ok(Transport::Udp),
        "TCP" => Ok(Transport::Tcp),
        "TLS" => Ok(Transport::Tls),
        "WSS" => Ok(Transport::Wss),
        other => {
            let error = format!("`{other}` is no transport");
            Err(rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
        }
    }
}

pub(crate) fn path_text(path: &Path) -> Result<&str, Refused> {
    let refused = || Refused::Because(format!("{} is not UTF-8", path.display()));
    path.to_str().ok_or_else(refused)
}

pub(crate) fn path(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<PathBuf> {
    row.get::<_, String>(column).map(PathBuf::from)
}

/// Milliseconds and counts: what does not fit is the largest that does.
pub(crate) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
