//! URIs: sip, sips and tel (RFC 3261 §19.1, RFC 3966), and any other kept as text.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

pub use self::host::{Host, HostPort};
use crate::flow::Transport;
use crate::params::is_uri_text;
pub use crate::params::{MAX_PARAMS, ParamError, Params};

mod compare;
mod host;
#[cfg(test)]
mod tests;

/// A `sip:` or `sips:` URI.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SipUri {
    /// `sips:`.
    pub secure: bool,
    /// The user part as written, escapes kept (`%41` stays `%41`); may hold `;` parameters of a
    /// telephone-subscriber and a password after `:`.
    pub user: Option<Box<str>>,
    /// Host and port.
    pub host_port: HostPort,
    /// URI parameters.
    pub params: Params,
    /// `?name=value&…` as written, without the question mark.
    pub headers: Option<Box<str>>,
}

/// A `tel:` URI (RFC 3966).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TelUri {
    /// The number as written, with `+` when global and with visual separators.
    pub number: Box<str>,
    /// Parameters (`phone-context`, `ext`, …).
    pub params: Params,
}

/// Any URI.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Uri {
    /// `sip:` and `sips:`.
    Sip(SipUri),
    /// `tel:`.
    Tel(TelUri),
    /// Another scheme, whole text as written. To be answered 416 by who cannot use it.
    Other(Box<str>),
}

/// Why a URI could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// No `scheme:` in front, or nothing behind it.
    #[error("no scheme, or nothing behind it")]
    Scheme,
    /// White space, a control, a quote or an angle bracket.
    #[error("character that must be escaped")]
    Char,
    /// An empty or impossible host, such as an IPv6 address without brackets.
    #[error("malformed host")]
    Host,
    /// Not a number in 0..=65535.
    #[error("malformed port")]
    Port,
    /// An empty user before the `@`.
    #[error("empty user")]
    User,
    /// A malformed parameter.
    #[error(transparent)]
    Param(#[from] ParamError),
}

impl SipUri {
    /// `sip:host`, nothing else.
    pub fn new(host: impl Into<HostPort>) -> Self {
        Self {
            secure: false,
            user: None,
            host_port: host.into(),
            params: Params::new(),
            headers: None,
        }
    }

    /// With a user given as plain text: what may not stand there is escaped (RFC 3261 §19.1.2).
    #[must_use]
    pub fn with_user(mut self, user: &str) -> Self {
        self.user = Some(escape_user(user).into_owned().into());
        self
    }

    /// With a parameter.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: Option<&str>) -> Self {
        self.params.set(name, value);
        self
    }

    /// The user without password, escapes decoded, octets that are no UTF-8 replaced.
    pub fn user_decoded(&self) -> Option<Cow<'_, str>> {
        let user = self.user.as_deref()?;
        Some(unescape(user.split_once(':').map_or(user, |(name, _)| name)))
    }

    /// The `transport` parameter, when it names one we speak.
    pub fn transport(&self) -> Option<Transport> {
        Transport::from_name(self.params.value("transport")?)
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host_port.host
    }

    /// The port, when one is written.
    pub fn port(&self) -> Option<u16> {
        self.host_port.port
    }

    fn parse(secure: bool, text: &str) -> Result<Self, UriError> {
        if !text.bytes().all(is_uri_text) {
            return Err(UriError::Char);
        }
        // The user part may hold `?` and `;` unescaped (user-unreserved), so `@` is looked for first.
        let (user, rest) = match text.split_once('@') {
            Some(("", _)) => return Err(UriError::User),
            Some((user, rest)) => (Some(user), rest),
            None => (None, text),
        };
        let (rest, headers) = match rest.split_once('?') {
            Some((rest, headers)) => (rest, Some(headers)),
            None => (rest, None),
        };
        let (host_port, params) = match rest.split_once(';') {
            Some((host_port, params)) => (host_port, Params::of_uri(params)?),
            None => (rest, Params::new()),
        };
        Ok(Self {
            secure,
            user: user.map(Box::from),
            host_port: host_port.parse()?,
            params,
            headers: headers.map(Box::from),
        })
    }
}

impl From<SipUri> for Uri {
    fn from(uri: SipUri) -> Self {
        Self::Sip(uri)
    }
}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "sips:" } else { "sip:" })?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        write!(f, "{}{}", self.host_port, self.params)?;
        match &self.headers {
            Some(headers) => write!(f, "?{headers}"),
            None => Ok(()),
        }
    }
}

impl TelUri {
    /// The number without visual separators (RFC 3966 §3).
    pub fn digits(&self) -> String {
        self.number.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')')).collect()
    }

    fn parse(text: &str) -> Result<Self, UriError> {
        if !text.bytes().all(is_uri_text) {
            return Err(UriError::Char);
        }
        let (number, params) = match text.split_once(';') {
            Some((number, params)) => (number, Params::of_uri(params)?),
            None => (text, Params::new()),
        };
        if number.is_empty() {
            return Err(UriError::User);
        }
        Ok(Self { number: number.into(), params })
    }
}

impl fmt::Display for TelUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tel:{}{}", self.number, self.params)
    }
}

impl Uri {
    /// The SIP URI, when it is one.
    pub fn as_sip(&self) -> Option<&SipUri> {
        match self {
            Self::Sip(uri) => Some(uri),
            Self::Tel(_) | Self::Other(_) => None,
        }
    }

    /// Same, for changing it.
    pub fn as_sip_mut(&mut self) -> Option<&mut SipUri> {
        match self {
            Self::Sip(uri) => Some(uri),
            Self::Tel(_) | Self::Other(_) => None,
        }
    }

    /// Whether it is a `sips:` URI.
    pub fn is_sips(&self) -> bool {
        matches!(self, Self::Sip(uri) if uri.secure)
    }

    /// The scheme as written, or in lower case for those we know.
    pub fn scheme(&self) -> &str {
        match self {
            Self::Sip(uri) if uri.secure => "sips",
            Self::Sip(_) => "sip",
            Self::Tel(_) => "tel",
            Self::Other(text) => text.split(':').next().unwrap_or(""),
        }
    }

    /// The decoded user of a SIP URI or the number of a tel URI.
    pub fn user_decoded(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Sip(uri) => uri.user_decoded(),
            Self::Tel(uri) => Some(Cow::Borrowed(&uri.number)),
            Self::Other(_) => None,
        }
    }
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let (scheme, rest) = text.split_once(':').ok_or(UriError::Scheme)?;
        let scheme_char = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            || !scheme.bytes().all(scheme_char)
            || rest.is_empty()
        {
            return Err(UriError::Scheme);
        }
        if scheme.eq_ignore_ascii_case("sip") {
            SipUri::parse(false, rest).map(Self::Sip)
        } else if scheme.eq_ignore_ascii_case("sips") {
            SipUri::parse(true, rest).map(Self::Sip)
        } else if scheme.eq_ignore_ascii_case("tel") {
            TelUri::parse(rest).map(Self::Tel)
        } else if rest.bytes().all(is_uri_text) {
            Ok(Self::Other(text.into()))
        } else {
            Err(UriError::Char)
        }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sip(uri) => uri.fmt(f),
            Self::Tel(uri) => uri.fmt(f),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// `%HH` decoded. Malformed escapes stay, octets that are no UTF-8 are replaced.
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&b, tail)) = rest.split_first() {
        match compare::hex_pair(rest) {
            Some((byte, after)) => {
                out.push(byte);
                rest = after;
            }
            None => {
                out.push(b);
                rest = tail;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

/// Plain text as the user part of a SIP URI (RFC 3261 §25.1 `user`).
pub fn escape_user(text: &str) -> Cow<'_, str> {
    let plain = |b: u8| compare::is_unreserved(b) || matches!(b, b'&' | b'=' | b'+' | b'$' | b',');
    if text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for b in text.bytes() {
        if plain(b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    Cow::Owned(out)
}
