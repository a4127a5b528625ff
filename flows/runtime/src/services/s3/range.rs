//! A part of an object (RFC 9110, section 14): `bytes=0-99`, `bytes=100-`, `bytes=-100`.

use crate::services::sdk::Fault;

/// Which bytes of `size` a `Range` asks for: the first and the last. `None`: it says nothing that
/// can be read, and all are sent, as S3 does.
pub(super) fn of(range: &str, size: u64) -> Result<Option<(u64, u64)>, Fault> {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|it| it.split_once('-')) else {
        return Ok(None);
    };
    let end = size.saturating_sub(1);
    let found = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => (first, last.min(end)),
        (Some(first), None) if last.is_empty() => (first, end),
        (None, Some(0)) if first.is_empty() => return Err(unsatisfiable()),
        (None, Some(count)) if first.is_empty() => (size.saturating_sub(count), end),
        _ => return Ok(None),
    };
    if found.0 >= size { Err(unsatisfiable()) } else { Ok(Some(found)) }
}

/// Digits, however many: what is past the end is past the end.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

fn unsatisfiable() -> Fault {
    let message = "The requested range is not satisfiable";
    Fault { modelled: false, ..Fault::new("InvalidRange", message) }.with_status(416)
}
