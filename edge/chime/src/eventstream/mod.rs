//! Amazon's event streams (`application/vnd.amazon.eventstream`; Smithy specification, "Amazon Event
//! Stream"): messages with headers and a payload, guarded by CRC-32, in a byte stream. No socket.
//!
//! > `[length: u32][headers: u32][CRC of these 8][headers][payload][CRC of all before]`, big-endian.

mod crc;
mod headers;
#[cfg(test)]
mod tests;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use self::crc::crc32;
pub use self::headers::Value;

/// Octets of a message's two lengths and their checksum.
const PRELUDE: usize = 12;
/// Octets of a message that are neither headers nor payload.
const OVERHEAD: usize = PRELUDE + 4;
/// Octets of a message's headers: the specification's limit.
const MOST_HEADERS: usize = 128 << 10;
/// Octets of a message that is taken. The specification allows 16 MiB; what is spoken here sends
/// some hundred octets of audio at a time, and an intent's result of 25 KB at most.
const MOST_MESSAGE: usize = 1 << 20;

/// Why octets are no message, or a message cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than what is taken.
    #[error("a message of {0} bytes is too long")]
    TooLong(usize),
    /// Its lengths contradict each other.
    #[error("a message's lengths make no sense")]
    Lengths,
    /// A checksum is wrong.
    #[error("a message's checksum is wrong")]
    Checksum,
    /// Its headers cannot be read.
    #[error("a message's headers make no sense")]
    Headers,
    /// The stream ended within a message.
    #[error("the stream ended within a message")]
    Torn,
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    headers: Vec<(String, Value)>,
    payload: Bytes,
}

impl Message {
    /// Without headers.
    #[must_use]
    pub fn new(payload: Bytes) -> Self {
        Self { headers: Vec::new(), payload }
    }

    /// Sets a header, in place of one of the same name.
    pub fn set(&mut self, name: &str, value: Value) {
        self.headers.retain(|(n, _)| n != name);
        self.headers.push((name.to_owned(), value));
    }

    /// A header.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// A header that is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What it carries.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The headers alone, as they stand in the message.
    pub(crate) fn encoded_headers(&self) -> Result<Bytes, FrameError> {
        let mut out = BytesMut::new();
        for (name, value) in &self.headers {
            headers::write(name, value, &mut out)?;
        }
        if out.len() > MOST_HEADERS {
            return Err(FrameError::TooLong(out.len()));
        }
        Ok(out.freeze())
    }

    /// As octets.
    ///
    /// # Errors
    /// It is longer than a message may be, or a header is.
    pub fn encode(&self) -> Result<Bytes, FrameError> {
        let headers = self.encoded_headers()?;
        let total = OVERHEAD + headers.len() + self.payload.len();
        if total > MOST_MESSAGE {
            return Err(FrameError::TooLong(total));
        }
        let number = |n: usize| u32::try_from(n).map_err(|_| FrameError::TooLong(n));
        let mut out = BytesMut::with_capacity(total);
        out.put_u32(number(total)?);
        out.put_u32(number(headers.len())?);
        out.put_u32(crc32(&out));
        out.put_slice(&headers);
        out.put_slice(&self.payload);
        out.put_u32(crc32(&out));
        Ok(out.freeze())
    }
}

/// Takes the octets of a stream as they come, and gives its messages.
#[derive(Debug, Default)]
pub struct Decoder {
    waiting: BytesMut,
}

impl Decoder {
    /// More octets. After an error nothing more can be read from the stream.
    ///
    /// # Errors
    /// More wait than one message may have, and no message was taken.
    pub fn push(&mut self, octets: &[u8]) -> Result<(), FrameError> {
        // One piece of the wire beyond a message that is not whole yet.
        let most = 2 * MOST_MESSAGE;
        if self.waiting.len() + octets.len() > most {
            return Err(FrameError::TooLong(self.waiting.len() + octets.len()));
        }
        self.waiting.extend_from_slice(octets);
        Ok(())
    }

    /// The next message, when all of it is there.
    ///
    /// # Errors
    /// See [`FrameError`].
    pub fn message(&mut self) -> Result<Option<Message>, FrameError> {
        let Some(prelude) = self.waiting.get(..PRELUDE) else { return Ok(None) };
        let (lengths, mut crc) = prelude.split_at(PRELUDE - 4);
        // Before the lengths are believed.
        if crc32(lengths) != crc.get_u32() {
            return Err(FrameError::Checksum);
        }
        let mut lengths = lengths;
        let total = usize::try_from(lengths.get_u32()).unwrap_or(usize::MAX);
        let headers = usize::try_from(lengths.get_u32()).unwrap_or(usize::MAX);
        if total > MOST_MESSAGE {
            return Err(FrameError::TooLong(total));
        }
        let payload = total.checked_sub(OVERHEAD).and_then(|rest| rest.checked_sub(headers));
        if payload.is_none() || headers > MOST_HEADERS {
            return Err(FrameError::Lengths);
        }
        if self.waiting.len() < total {
            return Ok(None);
        }
        let mut message = self.waiting.split_to(total).freeze();
        let mut crc = message.split_off(total - 4);
        if crc32(&message) != crc.get_u32() {
            return Err(FrameError::Checksum);
        }
        message.advance(PRELUDE);
        let payload = message.split_off(headers);
        Ok(Some(Message { headers: headers::read(message)?, payload }))
    }

    /// The stream is over.
    ///
    /// # Errors
    /// [`FrameError::Torn`]: within a message.
    pub fn finish(&self) -> Result<(), FrameError> {
        if self.waiting.is_empty() { Ok(()) } else { Err(FrameError::Torn) }
    }
}
