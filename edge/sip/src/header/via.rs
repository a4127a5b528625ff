//! Via (RFC 3261 §20.42, rport RFC 3581).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::{HeaderError, HeaderName, Problem, TypedHeader};
use crate::flow::Transport;
use crate::params::{token_len, trim, trim_start};
use crate::uri::{HostPort, Params};

/// The transport word of a Via.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ViaTransport {
    /// One we speak.
    Known(Transport),
    /// Any other, as written (SCTP, WSS, …).
    Other(Box<str>),
}

/// One hop a request took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// The transport.
    pub transport: ViaTransport,
    /// Where that hop waits for responses.
    pub sent_by: HostPort,
    /// `branch`, `received`, `rport`, `maddr`, …
    pub params: Params,
}

impl Via {
    /// A Via of ours, asking for `rport` (RFC 3581 §3).
    pub fn new(transport: Transport, sent_by: HostPort, branch: &str) -> Self {
        let mut params = Params::new();
        params.set("branch", Some(branch));
        params.set("rport", None);
        Self { transport: ViaTransport::Known(transport), sent_by, params }
    }

    /// The branch, when there is one that is not empty.
    pub fn branch(&self) -> Option<&str> {
        self.params.value("branch").filter(|b| !b.is_empty())
    }

    /// The address the request came from; an IPv6 one may be in brackets or not (RFC 5118 §4.5).
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.value("received")?;
        let text = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        text.parse().ok()
    }

    /// `None`: no `rport`. `Some(None)`: asked for. `Some(Some(port))`: filled in.
    pub fn rport(&self) -> Option<Option<u16>> {
        Some(self.params.get("rport")?.and_then(|port| port.parse().ok()))
    }

    /// Writes down where the request really came from (RFC 3261 §18.2.1, RFC 3581 §4):
    /// `received` when it differs from sent-by or `rport` was asked for, and `rport` when asked.
    pub fn stamp(&mut self, source: SocketAddr) {
        let asked = self.params.has("rport");
        if asked || self.sent_by.host.ip() != Some(source.ip()) {
            self.params.set("received", Some(&source.ip().to_string()));
        }
        if asked {
            self.params.set("rport", Some(&source.port().to_string()));
        }
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        let rest = word(text, "SIP")?;
        let rest = word(slash(rest)?, "2.0")?;
        let rest = slash(rest)?;
        let (transport, rest) = rest.split_at(token_len(rest));
        // The white space between transport and sent-by is not optional.
        if transport.is_empty() || !rest.starts_with([' ', '\t']) {
            return Err(Problem::Syntax("transport"));
        }
        let (sent_by, params) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
        let sent_by = trim(sent_by);
        // White space may stand around the colon of the port (RFC 3261 §25.1 COLON).
        let sent_by = if sent_by.contains([' ', '\t']) {
            let (host, port) = sent_by.rsplit_once(':').ok_or(Problem::Syntax("sent-by"))?;
            format!("{}:{}", trim(host), trim(port)).parse()?
        } else {
            HostPort::from_str(sent_by)?
        };
        Ok(Self { transport: transport.into(), sent_by, params: Params::of_header(params)? })
    }
}

fn word<'a>(text: &'a str, expected: &'static str) -> Result<&'a str, Problem> {
    let (word, rest) = text.split_at(token_len(text));
    let matches = word.eq_ignore_ascii_case(expected);
    matches.then_some(rest).ok_or(Problem::Syntax("sent-protocol"))
}

/// `SLASH = SWS "/" SWS`.
fn slash(text: &str) -> Result<&str, Problem> {
    let rest = trim_start(text).strip_prefix('/').ok_or(Problem::Syntax("sent-protocol"))?;
    Ok(trim_start(rest))
}

impl TypedHeader for Via {
    const NAME: HeaderName = HeaderName::Via;
    const LIST: bool = true;

    fn parse_value(text: &str) -> Result<Self, HeaderError> {
        Self::parse(trim(text)).map_err(|p| p.of(Self::NAME))
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}{}", self.transport, self.sent_by, self.params)
    }
}

impl From<&str> for ViaTransport {
    fn from(name: &str) -> Self {
        Transport::from_name(name).map_or_else(|| Self::Other(name.into()), Self::Known)
    }
}

impl From<Transport> for ViaTransport {
    fn from(transport: Transport) -> Self {
        Self::Known(transport)
    }
}

impl fmt::Display for ViaTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(transport) => transport.fmt(f),
            Self::Other(name) => f.write_str(name),
        }
    }
}
