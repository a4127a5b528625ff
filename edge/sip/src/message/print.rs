//! Messages to bytes.

use std::fmt::Write;

use bytes::{BufMut, Bytes, BytesMut};

use super::{Message, Request, Response};
use crate::header::{HeaderName, Headers};

/// Room for a start line without URI, Content-Length and the empty line.
const FRAME: usize = 64;
/// Room for a Request-URI of usual length.
const URI: usize = 96;

impl Request {
    /// As it goes on the wire: long header names, Content-Length last and always there.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(room(&self.headers, &self.body) + URI);
        // Writing to a growing buffer cannot fail.
        let _ = write!(out, "{} {} SIP/2.0\r\n", self.method, self.uri);
        finish(out, &self.headers, &self.body)
    }
}

impl Response {
    /// As it goes on the wire: long header names, Content-Length last and always there.
    pub fn to_bytes(&self) -> Bytes {
        let room = room(&self.headers, &self.body) + self.reason.len();
        let mut out = BytesMut::with_capacity(room);
        let _ = write!(out, "SIP/2.0 {} ", self.status);
        // A line break in the reason phrase would begin a header field.
        out.extend(self.reason.iter().map(|b| if matches!(b, b'\r' | b'\n') { b' ' } else { *b }));
        out.put_slice(b"\r\n");
        finish(out, &self.headers, &self.body)
    }
}

impl Message {
    /// As it goes on the wire.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Self::Request(request) => request.to_bytes(),
            Self::Response(response) => response.to_bytes(),
        }
    }
}

fn room(headers: &Headers, body: &Bytes) -> usize {
    let fields: usize =
        headers.iter().map(|h| h.name.as_str().len() + h.value.as_bytes().len() + 4).sum();
    FRAME + fields + body.len()
}

fn finish(mut out: BytesMut, headers: &Headers, body: &Bytes) -> Bytes {
    for header in headers {
        if header.name == HeaderName::ContentLength {
            continue;
        }
        out.put_slice(header.name.as_str().as_bytes());
        out.put_slice(b": ");
        out.put_slice(header.value.as_bytes());
        out.put_slice(b"\r\n");
    }
    let _ = write!(out, "Content-Length: {}\r\n\r\n", body.len());
    out.put_slice(body);
    out.freeze()
}
