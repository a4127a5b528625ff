//! A stream of octets to messages (RFC 3261 §18.3): Content-Length is the only thing that tells
//! where a message ends, so nothing about it is ever guessed.

#[cfg(test)]
mod tests;

use bytes::{Buf, BytesMut};

use crate::message::Message;
use crate::params::is_token;
use crate::parse::{ErrorKind, Head, Rejected, end_of_head};

/// How large a message on a stream may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of start line and header fields. 64 KiB by default.
    pub head: usize,
    /// Octets of body. 1 MiB by default.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: 64 << 10, body: 1 << 20 }
    }
}

/// What may be pushed on top of one whole message before [`StreamParser::next`] is called.
const BACKLOG: usize = 256 << 10;

/// What came out of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamItem {
    /// A message.
    Message(Message),
    /// Something that was framed like a message but is none. Send the reply and go on.
    Bad(Rejected),
    /// CRLFCRLF between messages: to be answered with CRLF (RFC 5626 §3.5.1).
    KeepAlivePing,
    /// CRLF between messages: the answer to a ping of ours, or nothing (RFC 3261 §7.5).
    KeepAlivePong,
}

/// Nobody can tell any more where the next message begins: close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// What stands where a start line belongs is not SIP.
    #[error("not SIP")]
    NotSip,
    /// The header fields do not end within the limit.
    #[error("message head is too large")]
    HeadTooLarge,
    /// More header fields than [`crate::parse::MAX_HEADERS`].
    #[error("too many header fields")]
    TooManyHeaders,
    /// No Content-Length, which is mandatory on a stream (RFC 3261 §20.14).
    #[error("no Content-Length")]
    NoContentLength,
    /// Content-Length is no number, or there are different ones (RFC 4475 §3.1.2.3, §3.3.9).
    #[error("malformed or contradictory Content-Length")]
    BadContentLength,
    /// The body is larger than the limit.
    #[error("message body is too large")]
    BodyTooLarge,
    /// Octets were pushed again and again without taking messages out.
    #[error("messages were not taken out of the stream")]
    Backlog,
}

/// Cuts one connection's octets into messages.
///
/// After each [`push`](Self::push) call [`next`](Self::next) until it gives `None`. After an error
/// every further call gives the same error.
#[derive(Debug)]
pub struct StreamParser {
    limits: Limits,
    buffer: BytesMut,
    /// No empty line begins before this octet of the buffer.
    searched: usize,
    /// A head that waits for its body of that many octets.
    waiting: Option<(Head, usize)>,
    /// A CRLF was given out as a pong although it may be the first half of a ping.
    half_ping: bool,
    failed: Option<FramingError>,
}

impl Default for StreamParser {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl StreamParser {
    /// For a new connection.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            buffer: BytesMut::new(),
            searched: 0,
            waiting: None,
            half_ping: false,
            failed: None,
        }
    }

    /// Takes octets as they were read.
    pub fn push(&mut self, octets: &[u8]) {
        let most = self.limits.head + self.limits.body + BACKLOG;
        if self.buffer.len() + octets.len() > most {
            self.fail(FramingError::Backlog);
        }
        if self.failed.is_none() {
            self.buffer.extend_from_slice(octets);
        }
    }

    /// Whether the peer is between two messages, so that closing loses nothing.
    pub fn is_idle(&self) -> bool {
        self.buffer.is_empty() && self.waiting.is_none()
    }

    /// The next message or keep-alive; `None`: more octets are needed.
    ///
    /// Errors: the connection must be closed, see [`FramingError`].
    #[allow(clippy::should_implement_trait, reason = "an iterator would end at None")]
    pub fn next(&mut self) -> Result<Option<StreamItem>, FramingError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.step().map_err(|error| self.fail(error))
    }

    fn fail(&mut self, error: FramingError) -> FramingError {
        self.buffer = BytesMut::new();
        self.waiting = None;
        *self.failed.get_or_insert(error)
    }

    fn step(&mut self) -> Result<Option<StreamItem>, FramingError> {
        let (head, length) = match self.waiting.take() {
            Some(waiting) => waiting,
            None => {
                if let Some(item) = self.keep_alive()? {
                    return Ok(Some(item));
                }
                match self.head()? {
                    Some(found) => found,
                    None => return Ok(None),
                }
            }
        };
        if self.buffer.len() < length {
            self.waiting = Some((head, length));
            return Ok(None);
        }
        let body = self.buffer.split_to(length).freeze();
        Ok(Some(match head.finish(body) {
            Ok(message) => StreamItem::Message(message),
            Err(rejected) => StreamItem::Bad(rejected),
        }))
    }

    /// Line breaks between messages (RFC 3261 §7.5, RFC 5626 §3.5.1).
    fn keep_alive(&mut self) -> Result<Option<StreamItem>, FramingError> {
        if self.buffer.starts_with(b"\r\n\r\n") {
            self.buffer.advance(4);
            self.half_ping = false;
            return Ok(Some(StreamItem::KeepAlivePing));
        }
        // One CRLF and nothing behind it yet: a pong must be reported at once, and should it have
        // been half a ping, the other half is reported as one.
        if self.buffer.starts_with(b"\r\n") && self.buffer.get(2) != Some(&b'\r') {
            let ping = self.half_ping;
            self.half_ping = !ping && self.buffer.len() == 2;
            self.buffer.advance(2);
            return Ok(Some(if ping {
                StreamItem::KeepAlivePing
            } else {
                StreamItem::KeepAlivePong
            }));
        }
        match self.buffer.first() {
            // CR, or CRLF CR: the rest is still to come.
            Some(b'\r') => match self.buffer.get(..).unwrap_or_default() {
                b"\r" | b"\r\n\r" => Ok(None),
                _ => Err(FramingError::NotSip),
            },
            Some(b) if !is_token(*b) => Err(FramingError::NotSip),
            Some(_) => {
                self.half_ping = false;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// Start line and header fields, and the length of the body.
    fn head(&mut self) -> Result<Option<(Head, usize)>, FramingError> {
        if self.buffer.first().is_none_or(|b| *b == b'\r') {
            return Ok(None);
        }
        let rest = self.buffer.get(self.searched..).unwrap_or_default();
        let Some(end) = end_of_head(rest).map(|at| at + self.searched) else {
            self.searched = self.buffer.len().saturating_sub(3);
            return if self.buffer.len() > self.limits.head {
                Err(FramingError::HeadTooLarge)
            } else {
                Ok(None)
            };
        };
        self.searched = 0;
        if end > self.limits.head {
            return Err(FramingError::HeadTooLarge);
        }
        let head = Head::read(&self.buffer.split_to(end).freeze());
        if matches!(head.start, Err(ErrorKind::NotSip)) {
            return Err(FramingError::NotSip);
        }
        if head.headers.len() > crate::parse::MAX_HEADERS {
            return Err(FramingError::TooManyHeaders);
        }
        if head.bad_length {
            return Err(FramingError::BadContentLength);
        }
        let length = head.content_length.ok_or(FramingError::NoContentLength)?;
        if length > self.limits.body {
            return Err(FramingError::BodyTooLarge);
        }
        Ok(Some((head, length)))
    }
}
