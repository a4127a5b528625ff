//! Verdicts on what is no message.

use crate::header::{HeaderError, HeaderName};
use crate::message::{Method, Response, StatusCode};
use crate::uri::UriError;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} (octet {offset})")]
pub struct ParseError {
    /// What.
    pub kind: ErrorKind,
    /// Octets from the start of the message to the line or value that is wrong.
    pub offset: usize,
}

/// What may be wrong with a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// Nothing but line breaks or zeros: a keep-alive.
    #[error("nothing but a keep-alive")]
    Empty,
    /// The first line is neither a request line nor a status line.
    #[error("not SIP")]
    NotSip,
    /// The first line is one, but malformed.
    #[error("malformed start line: {0}")]
    StartLine(&'static str),
    /// The Request-URI.
    #[error("Request-URI: {0}")]
    RequestUri(UriError),
    /// Another SIP version.
    #[error("SIP version is not 2.0")]
    Version,
    /// A status code outside 100..=699.
    #[error("status code out of range")]
    Status,
    /// A line that is no header field.
    #[error("malformed header line: {0}")]
    HeaderLine(&'static str),
    /// More than [`super::MAX_HEADERS`].
    #[error("too many header fields")]
    TooManyHeaders,
    /// More values than [`super::MAX_VALUES`].
    #[error("too many values of {0}")]
    TooManyValues(HeaderName),
    /// No empty line after the header fields.
    #[error("no empty line after the header fields")]
    NoEmptyLine,
    /// A header field every message must have.
    #[error("{0} is missing")]
    Missing(HeaderName),
    /// A header field that may be there once.
    #[error("{0} is there more than once")]
    Repeated(HeaderName),
    /// A value that does not follow its grammar.
    #[error(transparent)]
    Header(HeaderError),
    /// No number, too large a number, or two different ones.
    #[error("malformed or contradictory Content-Length")]
    ContentLength,
    /// Fewer octets than Content-Length says.
    #[error("body has {found} octets of {expected}")]
    BodyShort {
        /// Content-Length.
        expected: usize,
        /// What is there.
        found: usize,
    },
    /// The method of CSeq is not that of the request.
    #[error("CSeq has another method than the request line")]
    MethodMismatch,
}

impl ErrorKind {
    /// How a request of that method with that error is answered (RFC 3261 §21.4.1, §21.5.6).
    pub fn status(&self, method: &Method) -> StatusCode {
        match (self, method) {
            (Self::Version, _) => StatusCode::VERSION_NOT_SUPPORTED,
            // RFC 4475 §3.1.2.18: better than 400 for methods still to come.
            (Self::MethodMismatch, Method::Other(_)) => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// A message that is not to be worked with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Rejected {
    /// Why.
    pub error: ParseError,
    /// What to send back to where it came from, without any state. `None` for what is no request,
    /// for an ACK, and for a request without a Via. The Via may be unreadable: do not look into it.
    pub reply: Option<Box<Response>>,
}

impl ParseError {
    /// Without a reply.
    pub(crate) fn alone(self) -> Rejected {
        Rejected { error: self, reply: None }
    }
}
