//! The headers of RFC 3261 that are neither address, number nor list of tokens.

use std::borrow::Cow;
use std::fmt;

use super::number::{leading_u32, whole_u32};
use super::{HeaderError, HeaderName, Problem, TypedHeader};
use crate::message::Method;
use crate::params::{quote, quoted_len, token_len, trim, trim_start, unquote};
use crate::uri::Params;

/// CSeq (RFC 3261 §20.16).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CSeq {
    /// The sequence number.
    pub seq: u32,
    /// The method.
    pub method: Method,
}

impl TypedHeader for CSeq {
    const NAME: HeaderName = HeaderName::CSeq;

    fn parse_value(text: &str) -> Result<Self, HeaderError> {
        let parse = || {
            let (seq, rest) = leading_u32(text)?;
            let method = trim(rest);
            if !rest.starts_with([' ', '\t']) {
                return Err(Problem::Syntax("sequence number and method"));
            }
            let method = Method::parse(method.as_bytes()).ok_or(Problem::Syntax("method"))?;
            Ok(Self { seq, method })
        };
        parse().map_err(|p: Problem| p.of(Self::NAME))
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seq, self.method)
    }
}

/// Call-ID (RFC 3261 §20.8), compared with case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallId(pub Box<str>);

impl TypedHeader for CallId {
    const NAME: HeaderName = HeaderName::CallId;

    fn parse_value(text: &str) -> Result<Self, HeaderError> {
        let text = trim(text);
        if text.is_empty() {
            return Err(Problem::Empty.of(Self::NAME));
        }
        // Wider than `word`, but one word.
        if text.contains([' ', '\t', ',']) || text.chars().any(char::is_control) {
            return Err(Problem::Syntax("callid").of(Self::NAME));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Content-Type (RFC 3261 §20.15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentType {
    /// `application` of `application/sdp`.
    pub kind: Box<str>,
    /// `sdp` of `application/sdp`.
    pub subtype: Box<str>,
    /// `charset`, `boundary`, `version`, …
    pub params: Params,
}

impl ContentType {
    /// Without parameters.
    pub fn new(kind: &str, subtype: &str) -> Self {
        Self { kind: kind.into(), subtype: subtype.into(), params: Params::new() }
    }

    /// `application/sdp`.
    pub fn sdp() -> Self {
        Self::new("application", "sdp")
    }

    /// Compares type and subtype without case.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }
}

impl TypedHeader for ContentType {
    const NAME: HeaderName = HeaderName::ContentType;

    fn parse_value(text: &str) -> Result<Self, HeaderError> {
        let parse = || {
            let text = trim(text);
            let (kind, rest) = text.split_at(token_len(text));
            let rest = trim_start(rest).strip_prefix('/').ok_or(Problem::Syntax("media type"))?;
            let rest = trim_start(rest);
            let (subtype, params) = rest.split_at(token_len(rest));
            if kind.is_empty() || subtype.is_empty() {
                return Err(Problem::Syntax("media type"));
            }
            let params = Params::of_header(params)?;
            Ok(Self { kind: kind.into(), subtype: subtype.into(), params })
        };
        parse().map_err(|p: Problem| p.of(Self::NAME))
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.kind, self.subtype, self.params)
    }
}

/// Reason (RFC 3326): why a request was sent, or a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// `SIP`, `Q.850`, …
    pub protocol: Box<str>,
    /// `cause`, `text` and others.
    pub params: Params,
}

impl Reason {
    /// `protocol;cause=N;text="…"`.
    pub fn new(protocol: &str, cause: u32, text: &str) -> Self {
        let mut params = Params::new();
        params.set("cause", Some(&cause.to_string()));
        if !text.is_empty() {
            params.set_quoted("text", text);
        }
        Self { protocol: protocol.into(), params }
    }

    /// The cause, when it is a number.
    pub fn cause(&self) -> Option<u32> {
        self.params.value("cause").and_then(|c| whole_u32(c).ok())
    }

    /// The text without quotes.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        self.params.unquoted("text")
    }
}

impl TypedHeader for Reason {
    const NAME: HeaderName = HeaderName::Reason;
    const LIST: bool = true;

    fn parse_value(text: &str) -> Result<Self, HeaderError> {
        let text = trim(text);
        let (protocol, params) = text.split_at(token_len(text));
        if protocol.is_empty() {
            return Err(Problem::Syntax("protocol").of(Self::NAME));
        }
        let params = Params::of_header(params).map_err(|p| Problem::from(p).of(Self::NAME))?;
        Ok(Self { protocol: protocol.into(), params })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.protocol, self.params)
    }
}

/// Warning (RFC 3261 §20.43).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Three digits.
    pub code: u16,
    /// Who warns: a host or a pseudonym.
    pub agent: Box<str>,
    /// Words for a human.
    pub text: Box<str>,
}

impl TypedHeader for Warning {
    const NAME: HeaderName = HeaderName::Warning;
    const LIST: bool = true;

    fn parse_value(text: &str) -> Result<Self, HeaderError> {
        let parse = || {
            let (code, rest) = leading_u32(text)?;
            let code = u16::try_from(code).ok().filter(|c| (100..1000).contains(c));
            let (agent, quoted) =
                trim_start(rest).split_once([' ', '\t']).ok_or(Problem::Syntax("agent"))?;
            let quoted = trim(quoted);
            if !quoted.starts_with('"') || quoted_len(quoted) != Some(quoted.len()) {
                return Err(Problem::Quote);
            }
            let code = code.ok_or(Problem::Number)?;
            Ok(Self { code, agent: agent.into(), text: unquote(quoted).into() })
        };
        parse().map_err(|p: Problem| p.of(Self::NAME))
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.code, self.agent, quote(&self.text))
    }
}
