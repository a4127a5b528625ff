//! Comparison of URIs (RFC 3261 §19.1.4).

use std::borrow::Cow;

use super::{SipUri, TelUri, Uri};

impl Uri {
    /// Whether both name the same resource by the rules of RFC 3261 §19.1.4 (RFC 3966 §4 for
    /// `tel:`). Not transitive: a parameter that only one side has is mostly ignored.
    pub fn equivalent(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Sip(a), Self::Sip(b)) => a.equivalent(b),
            (Self::Tel(a), Self::Tel(b)) => a.equivalent(b),
            (Self::Other(a), Self::Other(b)) => a == b,
            _ => false,
        }
    }
}

impl SipUri {
    /// See [`Uri::equivalent`].
    pub fn equivalent(&self, other: &Self) -> bool {
        self.secure == other.secure
            && match (&self.user, &other.user) {
                // The user part is compared with case, escapes of unreserved characters apart.
                (Some(a), Some(b)) => normal(a) == normal(b),
                (None, None) => true,
                _ => false,
            }
            && self.host_port.equivalent(&other.host_port)
            && self.params_match(other)
            && headers_match(self.headers.as_deref(), other.headers.as_deref())
    }

    fn params_match(&self, other: &Self) -> bool {
        // "never match if only one has it": the components with a default, and those named there.
        const BOTH: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];
        BOTH.iter().all(|name| self.params.has(name) == other.params.has(name))
            // Of a name that is there twice, against §19.1.1, the first counts on both sides.
            && self.params.iter().all(|(name, _)| {
                match (self.params.value(name), other.params.get(name)) {
                    (_, None) => true,
                    (Some(a), Some(Some(b))) => normal(a).eq_ignore_ascii_case(&normal(b)),
                    (a, Some(b)) => a == b,
                }
            })
    }
}

impl TelUri {
    fn equivalent(&self, other: &Self) -> bool {
        // RFC 3966 §4: separators do not count, hex digits and parameter values without case, and
        // a parameter on one side only makes them differ.
        self.digits().eq_ignore_ascii_case(&other.digits())
            && self.params.len() == other.params.len()
            && self.params.iter().all(|(name, _)| {
                match (self.params.value(name), other.params.get(name)) {
                    (Some(a), Some(Some(b))) => a.eq_ignore_ascii_case(b),
                    (a, b) => Some(a) == b,
                }
            })
    }
}

/// Header components must all be there on both sides, in any order.
fn headers_match(a: Option<&str>, b: Option<&str>) -> bool {
    let list = |text: Option<&str>| {
        let mut list: Vec<(String, String)> = text
            .into_iter()
            .flat_map(|t| t.split('&'))
            .map(|h| h.split_once('=').unwrap_or((h, "")))
            .map(|(n, v)| (n.to_ascii_lowercase(), normal(v).into_owned()))
            .collect();
        list.sort_unstable();
        list
    };
    match (a, b) {
        (None, None) => true,
        _ => list(a) == list(b),
    }
}

/// Escapes of unreserved characters decoded, all others in capitals.
fn normal(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        match hex_pair(escape.as_bytes()) {
            Some((byte, _)) if is_unreserved(byte) => out.push(char::from(byte)),
            Some((byte, _)) => out.push_str(&format!("%{byte:02X}")),
            None => {
                out.push('%');
                rest = escape.get(1..).unwrap_or("");
                continue;
            }
        }
        rest = escape.get(3..).unwrap_or("");
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// `%HH` at the start, and what follows it.
pub(super) fn hex_pair(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, rest @ ..] = bytes else { return None };
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    Some((digit(*high)? << 4 | digit(*low)?, rest))
}

/// RFC 3261 §25.1 `unreserved`.
pub(super) const fn is_unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(b, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')')
}
