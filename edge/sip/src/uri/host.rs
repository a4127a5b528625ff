//! Hosts and ports (RFC 3261 §25.1 `hostport`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::UriError;

/// A host as in a URI or Via: a name or an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A DNS name, kept as written, compared without case.
    Name(Box<str>),
    /// An IPv4 address or an IPv6 reference (printed in brackets).
    Ip(IpAddr),
}

impl Host {
    /// Whether both are the same host as RFC 3261 §19.1.4 compares them; an IPv4 address is the
    /// same however an IPv6 socket writes it.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ip(one), Self::Ip(other)) => one.to_canonical() == other.to_canonical(),
            (Self::Name(one), Self::Name(other)) => one.eq_ignore_ascii_case(other),
            _ => false,
        }
    }
}

/// `host[:port]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// The host.
    pub host: Host,
    /// The port, when one is written.
    pub port: Option<u16>,
}

impl Host {
    /// The address, when it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            Self::Name(_) => None,
        }
    }

    /// Equal names without case, or equal addresses.
    pub fn equivalent(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => {
                a.trim_end_matches('.').eq_ignore_ascii_case(b.trim_end_matches('.'))
            }
            _ => self == other,
        }
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip)
    }
}

impl FromStr for Host {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
            return ipv6(inner).map(|ip| Self::Ip(ip.into())).ok_or(UriError::Host);
        }
        if let Ok(ip) = Ipv4Addr::from_str(text) {
            return Ok(Self::Ip(ip.into()));
        }
        // Underscores are no host name, but Windows names have them.
        let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        if text.is_empty() || text.starts_with('.') || !text.bytes().all(name) {
            return Err(UriError::Host);
        }
        Ok(Self::Name(text.into()))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

impl HostPort {
    /// A host, with or without a port.
    pub fn new(host: Host, port: Option<u16>) -> Self {
        Self { host, port }
    }

    /// Same host (without case) and same written port.
    pub fn equivalent(&self, other: &Self) -> bool {
        self.port == other.port && self.host.equivalent(&other.host)
    }
}

impl From<SocketAddr> for HostPort {
    fn from(addr: SocketAddr) -> Self {
        Self { host: Host::Ip(addr.ip()), port: Some(addr.port()) }
    }
}

impl FromStr for HostPort {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        // The colon of a port follows the bracket of an IPv6 reference; without brackets a second
        // colon is an IPv6 address written wrongly (RFC 5118 §4.2) and fails as a host.
        let from = text.find(']').unwrap_or(0);
        let colon = text.get(from..).and_then(|t| t.rfind(':')).map(|i| i + from);
        let (host, port) = match colon {
            Some(at) => {
                let (host, port) = text.split_at(at);
                (host, Some(parse_port(port.trim_start_matches(':'))?))
            }
            None => (text, None),
        };
        Ok(Self { host: host.parse()?, port })
    }
}

/// The grammar of RFC 3261 §25.1 allows a third colon before an IPv4 part; RFC 5118 §4.10 asks to
/// tolerate it.
fn ipv6(text: &str) -> Option<Ipv6Addr> {
    text.parse().ok().or_else(|| {
        let (before, after) = text.split_once(":::")?;
        after.contains('.').then(|| format!("{before}::{after}").parse().ok())?
    })
}

fn parse_port(text: &str) -> Result<u16, UriError> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(UriError::Port);
    }
    text.parse().map_err(|_| UriError::Port)
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => write!(f, "{}", self.host),
        }
    }
}

impl From<Host> for HostPort {
    fn from(host: Host) -> Self {
        Self { host, port: None }
    }
}
