//! Bytes to messages.
//!
//! What RFC 4475 lets an element tolerate is tolerated where it cannot be misread; what it calls
//! invalid is [`Rejected`], with the response to send when the request could be read well enough.

mod error;
mod head;
mod verdict;

#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use self::error::{ErrorKind, ParseError, Rejected};
pub(crate) use self::head::{Head, end_of_head};
use crate::message::Message;

/// More header fields than any honest message has.
pub const MAX_HEADERS: usize = 256;

/// More values of Via, or of Contact, than any honest message has.
pub const MAX_VALUES: usize = 128;

/// One datagram is one message (RFC 3261 §18.3): what follows Content-Length octets of body is
/// dropped, fewer are an error, and without Content-Length the body is the rest.
///
/// Errors: not a message, or not one to work with. See [`Rejected::reply`].
#[allow(clippy::needless_pass_by_value, reason = "the message keeps slices of it")]
pub fn datagram(bytes: Bytes) -> Result<Message, Rejected> {
    let skipped = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    let bytes = bytes.slice(skipped..);
    if bytes.iter().all(|b| *b == 0) {
        // Nothing, or the zeros some phones keep their NAT binding alive with.
        return Err(ParseError { kind: ErrorKind::Empty, offset: skipped }.alone());
    }
    let Some(end) = end_of_head(&bytes) else {
        return Err(Head::read(&bytes).reject(ErrorKind::NoEmptyLine, bytes.len()));
    };
    let head = Head::read(&bytes.slice(..end));
    let rest = bytes.slice(end..);
    let body = match head.content_length {
        None => rest,
        Some(length) if length <= rest.len() => rest.slice(..length),
        Some(expected) => {
            return Err(head.reject(ErrorKind::BodyShort { expected, found: rest.len() }, end));
        }
    };
    head.finish(body)
}
