//! Raw header field values.

use std::borrow::Cow;
use std::convert::Infallible;
use std::str::FromStr;

use bytes::Bytes;

/// A raw value: the octets between the colon (white space trimmed) and the final CRLF, folds and
/// stray Latin-1 included, so that what we do not understand goes on byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderValue(pub(crate) Bytes);

impl HeaderValue {
    /// Any octets. CR and LF become spaces, so that a value can never begin another field.
    pub fn new(value: impl Into<Bytes>) -> Self {
        let value = value.into();
        if memchr::memchr2(b'\r', b'\n', &value).is_none() {
            return Self(value);
        }
        let line_break = |b: u8| if matches!(b, b'\r' | b'\n') { b' ' } else { b };
        Self(value.iter().map(|b| line_break(*b)).collect())
    }

    /// As received, or as it will be sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Unfolded: a line break with the white space around it is one space (RFC 3261 §7.3.1).
    /// Octets that are no UTF-8 are taken for Latin-1, all of the value then.
    pub fn to_text(&self) -> Cow<'_, str> {
        let text = match std::str::from_utf8(&self.0) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(self.0.iter().map(|b| char::from(*b)).collect()),
        };
        if memchr::memchr2(b'\r', b'\n', &self.0).is_none() {
            return text;
        }
        let mut out = String::with_capacity(text.len());
        for line in text.split(['\r', '\n']).map(|l| l.trim_matches([' ', '\t'])) {
            if !line.is_empty() && !out.is_empty() {
                out.push(' ');
            }
            out.push_str(line);
        }
        Cow::Owned(out)
    }
}

impl From<&str> for HeaderValue {
    fn from(text: &str) -> Self {
        Self::new(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for HeaderValue {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<Cow<'_, str>> for HeaderValue {
    fn from(text: Cow<'_, str>) -> Self {
        Self::new(text.into_owned())
    }
}

impl From<Bytes> for HeaderValue {
    fn from(value: Bytes) -> Self {
        Self::new(value)
    }
}

impl FromStr for HeaderValue {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
    }
}
