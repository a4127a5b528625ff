//! Trunks: named profiles of a peer that carries calls to and from the outside.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::net::IpNet;
use crate::schema::{Record, Srtp, Transport};
use crate::secret::Secret;
use crate::voice_connector::Region;

/// `[[trunk]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunk {
    /// Named in `trunk:NAME`.
    pub name: String,
    /// Profile.
    pub kind: TrunkKind,
    /// Where calls out go: `host` or `host:port`; IPv6 in brackets.
    pub host: HostPort,
    /// How they go there. `None` (generic only): found out by RFC 3263.
    pub transport: Option<Transport>,
    /// User name and password for the peer's challenges.
    pub credentials: Option<TrunkCredentials>,
    /// Our number on calls out, E.164; an extension's own `caller_id` comes first, and before both what
    /// an application asks for.
    pub caller_id: Option<String>,
    /// Keep the caller's own number when a call is passed on from another trunk, unless its application
    /// asks for another; most carriers refuse that (403).
    pub keep_caller: bool,
    /// Numbers that are ours on this trunk, E.164. When given, caller IDs must be among them.
    pub numbers: Vec<String>,
    /// Trunks with smaller numbers are tried first.
    pub order: u32,
    /// Calls that may be up at once on this trunk; `None`: the appliance's limit alone.
    pub max_calls: Option<usize>,
    /// Digits taken off the number before it goes out (after `+` was, when `plus` is false).
    pub strip: usize,
    /// Text put in front of it.
    pub prepend: String,
    /// Whether numbers go out as `+1555…` or without the plus.
    pub plus: bool,
    /// SRTP with this peer.
    pub srtp: Srtp,
    /// Interval of OPTIONS health checks; `None`: none.
    pub options: Option<Duration>,
    /// Addresses it calls from, besides those that the profile knows.
    pub peers: Vec<IpNet>,
    /// Whether calls out may use it. `false`: calls in only.
    pub outbound: bool,
    /// Whether its calls are recorded; `None`: whatever the other party or `[recording]` says.
    pub record: Option<Record>,
}

/// Profiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrunkKind {
    /// Amazon Chime SDK Voice Connector, or an Amazon Connect transfer connector.
    VoiceConnector {
        /// Names its published address ranges.
        region: Region,
    },
    /// Any other SIP peer.
    Generic {
        /// Register with it.
        register: Option<Register>,
        /// Request-URI of calls out with `{number}` in it; `None`: `sip:{number}@host`.
        dial: Option<DialTemplate>,
    },
}

/// Registration with a carrier (RFC 3261 §10.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    /// Where to register; the trunk's host when not given.
    pub registrar: HostPort,
    /// Interval that we ask for.
    pub expires: Duration,
}

/// User name and password of a trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkCredentials {
    /// Digest user name.
    pub username: String,
    /// Password.
    pub password: Secret,
}

/// A host and, when written, a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// Name, IPv4 address, or IPv6 address without brackets.
    pub host: String,
    /// Port, when written.
    pub port: Option<u16>,
}

impl HostPort {
    /// The address, when the host is one and no name.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl std::str::FromStr for HostPort {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const PORT: &str = "has a port that is no number from 1 to 65535";
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or("lacks the closing bracket")?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| "is no IPv6 address in brackets")?;
                match rest.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None if rest.is_empty() => (host, None),
                    None => return Err(PORT),
                }
            }
            None if text.parse::<std::net::Ipv6Addr>().is_ok() => (text, None),
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if host.is_empty() || !(host.contains(':') || host.chars().all(name)) {
            return Err("must be a host name or address, without `sip:` and without a path");
        }
        let port = match port.map(str::parse::<u16>) {
            None => None,
            Some(Ok(port)) if port > 0 => Some(port),
            Some(_) => return Err(PORT),
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

/// A SIP URI with `{number}` where the number goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialTemplate {
    before: String,
    after: String,
}

impl DialTemplate {
    /// The URI for a number.
    pub fn uri(&self, number: &str) -> String {
        format!("{}{number}{}", self.before, self.after)
    }

    /// Host and port that calls go to, when they are plainly written.
    pub fn host(&self) -> Option<HostPort> {
        let (_, host) = self.after.split_once('@')?;
        host.split([';', '?']).next()?.parse().ok()
    }
}

impl std::str::FromStr for DialTemplate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !(text.starts_with("sip:") || text.starts_with("sips:")) {
            return Err("must begin with `sip:`");
        }
        let (before, after) = text.split_once("{number}").ok_or("must hold `{number}`")?;
        if after.contains('{') || text.contains(char::is_whitespace) || !after.contains('@') {
            return Err("must look like \"sip:{number}@host:5060\"");
        }
        Ok(Self { before: before.to_owned(), after: after.to_owned() })
    }
}

impl Trunk {
    /// Whether a source address is a peer of this trunk: the region's published ranges, `peers`,
    /// and the host when it is written as an address.
    pub fn is_peer(&self, source: IpAddr) -> bool {
        let published = match &self.kind {
            TrunkKind::VoiceConnector { region } => region.contains(source),
            TrunkKind::Generic { .. } => false,
        };
        published
            || self.peers.iter().any(|net| net.contains(source))
            || self.host.ip().is_some_and(|ip| IpNet::host(ip).contains(source))
    }

    /// The number as this trunk wants it: plus, `strip` and `prepend` applied.
    pub fn number_out(&self, number: &str) -> String {
        let number = if self.plus { number } else { number.strip_prefix('+').unwrap_or(number) };
        let rest: String = number.chars().skip(self.strip).collect();
        format!("{}{rest}", self.prepend)
    }

    /// Request-URI of a call out to a number (E.164, or a service number as dialled).
    pub fn request_uri(&self, number: &str) -> String {
        let number = self.number_out(number).replace('#', "%23");
        if let TrunkKind::Generic { dial: Some(template), .. } = &self.kind {
            return template.uri(&number);
        }
        match self.transport {
            None => format!("sip:{number}@{}", self.host),
            Some(transport) => {
                format!("sip:{number}@{};transport={}", self.host, transport.as_str())
            }
        }
    }

    /// URI that health checks ask (OPTIONS).
    pub fn health_uri(&self) -> String {
        match self.transport {
            None => format!("sip:{}", self.host),
            Some(transport) => format!("sip:{};transport={}", self.host, transport.as_str()),
        }
    }
}
