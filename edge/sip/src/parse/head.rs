//! Start line and header fields.

use bytes::Bytes;
use memchr::memmem;

use super::{ErrorKind, MAX_HEADERS, ParseError};
use crate::header::{Header, HeaderName, HeaderValue, Headers};
use crate::message::{Method, StatusCode};
use crate::params::token_len;
use crate::uri::Uri;

/// What a message begins with.
#[derive(Debug)]
pub(crate) enum Start {
    Request { method: Method, uri: Uri },
    Response { status: StatusCode, reason: Bytes },
}

/// Everything before the body, read as far as it could be.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) start: Result<Start, ErrorKind>,
    /// The method of what looks like a request, for the verdict on a broken one.
    pub(crate) method: Option<Method>,
    /// Without Content-Length.
    pub(crate) headers: Headers,
    /// `None`: absent, or malformed.
    pub(crate) content_length: Option<usize>,
    /// Whether there is a malformed Content-Length, or different ones.
    pub(crate) bad_length: bool,
    /// The first error among the header lines.
    pub(crate) error: Option<ParseError>,
    /// Address of the first octet, to tell offsets of slices.
    base: usize,
}

/// Where the body begins: after the first empty line.
pub(crate) fn end_of_head(bytes: &[u8]) -> Option<usize> {
    memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4)
}

impl Head {
    /// Reads `bytes`, which begin with the start line and end with the head.
    pub(crate) fn read(bytes: &Bytes) -> Self {
        let line = memmem::find(bytes, b"\r\n").unwrap_or(bytes.len());
        let (start, method) = start_line(&bytes.slice(..line));
        let mut head = Self {
            start,
            method,
            headers: Headers(Vec::with_capacity(16)),
            content_length: None,
            bad_length: false,
            error: None,
            base: bytes.as_ptr() as usize,
        };
        let mut at = line + 2;
        while let Some(rest) = bytes.get(at..).filter(|r| !r.is_empty() && !r.starts_with(b"\r\n"))
        {
            let length = field_len(rest);
            if let Err(kind) = head.field(bytes, at, length) {
                head.bad_length |= kind == ErrorKind::ContentLength;
                head.error.get_or_insert(ParseError { kind, offset: at });
            }
            at += length + 2;
            if head.headers.len() > MAX_HEADERS {
                let kind = ErrorKind::TooManyHeaders;
                head.error.get_or_insert(ParseError { kind, offset: at });
                break;
            }
        }
        head
    }

    /// Octets from the start of the message to `value`.
    pub(crate) fn offset(&self, value: &HeaderValue) -> usize {
        (value.0.as_ptr() as usize).saturating_sub(self.base)
    }

    fn field(&mut self, bytes: &Bytes, at: usize, length: usize) -> Result<(), ErrorKind> {
        let field = bytes.get(at..at + length).unwrap_or_default();
        let colon = memchr::memchr(b':', field).ok_or(ErrorKind::HeaderLine("no colon"))?;
        let (name, value) = field.split_at(colon);
        // White space may stand before the colon (RFC 3261 §25.1 HCOLON), not before the name.
        let trailing = name.iter().rev().take_while(|b| matches!(b, b' ' | b'\t')).count();
        let name = name.get(..colon - trailing).unwrap_or_default();
        let name = HeaderName::parse(name).ok_or(ErrorKind::HeaderLine("field name"))?;
        let blank = |b: &&u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n');
        let value = value.get(1..).unwrap_or_default();
        if !folds_only(value) {
            return Err(ErrorKind::HeaderLine("line break without white space behind it"));
        }
        let before = value.iter().take_while(blank).count();
        let after = value.iter().skip(before).rev().take_while(blank).count();
        let value = HeaderValue(bytes.slice(at + colon + 1 + before..at + length - after));
        if name != HeaderName::ContentLength {
            self.headers.0.push(Header { name, value });
            return Ok(());
        }
        let length = content_length(&value.0).ok_or(ErrorKind::ContentLength)?;
        // Two that say the same do no harm; two that differ must not be guessed about
        // (RFC 4475 §3.3.9).
        match self.content_length.replace(length) {
            Some(other) if other != length => Err(ErrorKind::ContentLength),
            _ => Ok(()),
        }
    }
}

/// Length of a field with its folds, without the CRLF that ends it.
fn field_len(rest: &[u8]) -> usize {
    let mut from = 0;
    while let Some(at) = memchr::memchr(b'\n', rest.get(from..).unwrap_or_default()) {
        let end = from + at;
        let crlf = end > 0 && rest.get(end - 1) == Some(&b'\r');
        if crlf && !matches!(rest.get(end + 1), Some(b' ' | b'\t')) {
            return end - 1;
        }
        from = end + 1;
    }
    rest.len()
}

/// Whether every CR and LF belongs to a fold: CRLF with white space behind it.
fn folds_only(value: &[u8]) -> bool {
    let mut at = 0;
    while let Some(next) = memchr::memchr2(b'\r', b'\n', value.get(at..).unwrap_or_default()) {
        at += next;
        if !matches!(value.get(at..), Some([b'\r', b'\n', b' ' | b'\t', ..])) {
            return false;
        }
        at += 3;
    }
    true
}

/// Digits only: no sign (RFC 4475 §3.1.2.3), no list.
fn content_length(value: &[u8]) -> Option<usize> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// The start line, and the method of what looks like a request.
fn start_line(line: &Bytes) -> (Result<Start, ErrorKind>, Option<Method>) {
    if memchr::memchr2(b'\r', b'\n', line).is_some() {
        return (Err(ErrorKind::StartLine("line break")), None);
    }
    if line.get(..4).is_some_and(|p| p.eq_ignore_ascii_case(b"SIP/")) {
        return (status_line(line), None);
    }
    let Ok(text) = std::str::from_utf8(line) else {
        return (Err(ErrorKind::StartLine("not UTF-8")), None);
    };
    let (method, rest) = text.split_at(token_len(text));
    let Some(method) = Method::parse(method.as_bytes()).filter(|_| rest.starts_with(' ')) else {
        return (Err(ErrorKind::NotSip), None);
    };
    let start = request_line(rest).map(|uri| Start::Request { method: method.clone(), uri });
    (start, Some(method))
}

/// ` Request-URI SIP-Version`: one space each, nothing behind (RFC 3261 §7.1, RFC 4475
/// §3.1.2.8 to §3.1.2.10).
fn request_line(rest: &str) -> Result<Uri, ErrorKind> {
    let rest = rest.strip_prefix(' ').ok_or(ErrorKind::NotSip)?;
    let (uri, version) = rest.rsplit_once(' ').ok_or(ErrorKind::NotSip)?;
    if version.is_empty() || uri.starts_with(' ') || uri.ends_with(' ') {
        return Err(ErrorKind::StartLine("more than one space"));
    }
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        let sip = version.get(..4).is_some_and(|p| p.eq_ignore_ascii_case("SIP/"));
        let number = |b: u8| b.is_ascii_digit() || b == b'.';
        let versioned = sip && version.len() > 4 && version.bytes().skip(4).all(number);
        return Err(if versioned { ErrorKind::Version } else { ErrorKind::NotSip });
    }
    let uri: Uri = uri.parse().map_err(ErrorKind::RequestUri)?;
    // Headers are not allowed in a Request-URI (RFC 3261 §19.1.1 table 1).
    match uri.as_sip() {
        Some(sip) if sip.headers.is_some() => Err(ErrorKind::StartLine("headers in Request-URI")),
        _ => Ok(uri),
    }
}

/// `SIP-Version Status-Code Reason-Phrase` (RFC 3261 §7.2).
fn status_line(line: &Bytes) -> Result<Start, ErrorKind> {
    let rest = match line.get(..8) {
        Some(version) if version.eq_ignore_ascii_case(b"SIP/2.0 ") => line.slice(8..),
        _ => return Err(ErrorKind::Version),
    };
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let code = rest.get(..digits).and_then(|d| std::str::from_utf8(d).ok());
    let status = code.filter(|c| c.len() == 3).and_then(|c| c.parse().ok());
    let status = status.and_then(StatusCode::new).ok_or(ErrorKind::Status)?;
    match rest.get(digits) {
        // The space before an empty reason phrase is often forgotten.
        None => Ok(Start::Response { status, reason: Bytes::new() }),
        Some(b' ') => Ok(Start::Response { status, reason: rest.slice(digits + 1..) }),
        Some(_) => Err(ErrorKind::Status),
    }
}
