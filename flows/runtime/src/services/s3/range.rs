//! A part of an object (RFC 9110, section 14): `bytes=0-99`, `bytes=100-`, `bytes=-100`.

use crate::services::sdk::Fault;

/// Which bytes of `size` a `Range` asks for: the first and the last. `None`: it says nothing that
/// can be read, and all are sent, as S3 does.
pub(super) fn of(range: &str, size: u64) -> Result<Option<(u64, u64)>, Fault> {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|it| it.split_once('-')) else {
        return Ok(None);
    };
    let end = size.saturating_sub(1);
    let found = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.min(end)),
        (Ok(first), Err(_)) if last.is_empty() => (first, end),
        (Err(_), Ok(count)) if first.is_empty() && count > 0 => (size.saturating_sub(count), end),
        (Err(_), Ok(0)) if first.is_empty() => return Err(unsatisfiable()),
        _ => return Ok(None),
    };
    if found.0 >= size { Err(unsatisfiable()) } else { Ok(Some(found)) }
}

fn unsatisfiable() -> Fault {
    let message = "The requested range is not satisfiable";
    Fault { modelled: false, ..Fault::new("InvalidRange", message) }.with_status(416)
}
