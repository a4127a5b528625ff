//! Numbers and times as text, as JSONata 2.0.6 writes and reads them.

pub(super) mod base;
pub(super) mod date;
mod instant;
pub(super) mod integer;
pub(super) mod js;
pub(super) mod number;
pub(super) mod picture;
pub(super) mod round;

use super::error::Error;

/// An error of JSONata.
fn coded(code: &'static str, words: &str) -> Error {
    Error::coded(code, words)
}
