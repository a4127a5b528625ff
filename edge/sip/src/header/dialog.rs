//! Headers of reliable provisional responses (RFC 3262), session timers (RFC 4028) and Replaces
//! (RFC 3891).

use std::fmt;

use super::number::{leading_u32, number, whole_u32};
use super::{HeaderError, HeaderName, Problem, TypedHeader};
use crate::message::Method;
use crate::params::trim;
use crate::uri::Params;

number! {
    /// Sequence number of a reliable provisional response (RFC 3262 §7.1).
    RSeq u32::MAX;
}

/// Which provisional response a PRACK acknowledges (RFC 3262 §7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RAck {
    /// RSeq of that response.
    pub rseq: u32,
    /// CSeq number of its request.
    pub cseq: u32,
    /// Method of its request.
    pub method: Method,
}

impl TypedHeader for RAck {
    const NAME: HeaderName = HeaderName::RAck;

    fn parse_value(text: &str) -> Result<Self, HeaderError> {
        let parse = || {
            let mut words = text.split_ascii_whitespace();
            let (Some(rseq), Some(cseq), Some(method), None) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                return Err(Problem::Syntax("three words"));
            };
            let method = Method::parse(method.as_bytes()).ok_or(Problem::Syntax("method"))?;
            Ok(Self { rseq: whole_u32(rseq)?, cseq: whole_u32(cseq)?, method })
        };
        parse().map_err(|p: Problem| p.of(Self::NAME))
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.rseq, self.cseq, self.method)
    }
}

/// Who refreshes a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// Who sent the request that carries the header.
    Uac,
    /// Who answers it.
    Uas,
}

impl Refresher {
    /// As written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uac => "uac",
            Self::Uas => "uas",
        }
    }
}

/// Session-Expires (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// Seconds.
    pub delta: u32,
    /// Who refreshes, when said.
    pub refresher: Option<Refresher>,
}

impl TypedHeader for SessionExpires {
    const NAME: HeaderName = HeaderName::SessionExpires;

    fn parse_value(text: &str) -> Result<Self, HeaderError> {
        let parse = || {
            let (delta, params) = leading_u32(text)?;
            let refresher = match Params::of_header(params)?.value("refresher") {
                None => None,
                Some(r) if r.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
                Some(r) if r.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
                Some(_) => return Err(Problem::Syntax("refresher")),
            };
            Ok(Self { delta, refresher })
        };
        parse().map_err(|p: Problem| p.of(Self::NAME))
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.refresher {
            Some(refresher) => write!(f, "{};refresher={}", self.delta, refresher.as_str()),
            None => write!(f, "{}", self.delta),
        }
    }
}

/// Min-SE in seconds (RFC 4028 §5); parameters are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MinSe(pub u32);

impl TypedHeader for MinSe {
    const NAME: HeaderName = HeaderName::MinSe;

    fn parse_value(text: &str) -> Result<Self, HeaderError> {
        let parse = || {
            let (delta, params) = leading_u32(text)?;
            Params::of_header(params)?;
            Ok(Self(delta))
        };
        parse().map_err(|p: Problem| p.of(Self::NAME))
    }
}

impl fmt::Display for MinSe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Replaces (RFC 3891 §6.1): the dialog that an INVITE takes the place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces {
    /// Its Call-ID.
    pub call_id: Box<str>,
    /// Its tag on the side of who gets the header.
    pub to_tag: Box<str>,
    /// Its tag on the other side.
    pub from_tag: Box<str>,
    /// Only while it is early.
    pub early_only: bool,
}

impl TypedHeader for Replaces {
    const NAME: HeaderName = HeaderName::Replaces;

    fn parse_value(text: &str) -> Result<Self, HeaderError> {
        let parse = || {
            let (call_id, params) = text.split_at(text.find(';').unwrap_or(text.len()));
            let call_id = trim(call_id);
            if call_id.is_empty() || call_id.contains([' ', '\t', ',']) {
                return Err(Problem::Syntax("callid"));
            }
            let params = Params::of_header(params)?;
            let need = |name| params.value(name).ok_or(Problem::MissingParam(name));
            Ok(Self {
                call_id: call_id.into(),
                to_tag: need("to-tag")?.into(),
                from_tag: need("from-tag")?.into(),
                early_only: params.has("early-only"),
            })
        };
        parse().map_err(|p: Problem| p.of(Self::NAME))
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};to-tag={};from-tag={}", self.call_id, self.to_tag, self.from_tag)?;
        f.write_str(if self.early_only { ";early-only" } else { "" })
    }
}
