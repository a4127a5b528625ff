//! URIs: sip, sips and tel (RFC 3261 §19.1, RFC 3966), and any other kept as text.

use std::fmt;
use std::net::IpAddr;

/// A host as in a URI or Via: a name or an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A DNS name, kept as written, compared without case.
    Name(Box<str>),
    /// An IPv4 address or an IPv6 reference (printed in brackets).
    Ip(IpAddr),
}

/// `host[:port]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// The host.
    pub host: Host,
    /// The port, when one is written.
    pub port: Option<u16>,
}

/// `;name=value` parameters in order, names compared without case, text kept as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Params(pub(crate) Vec<(Box<str>, Option<Box<str>>)>);

impl Params {
    /// `None`: absent. `Some(None)`: present without a value.
    pub fn get(&self, name: &str) -> Option<Option<&str>> {
        let (_, value) = self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?;
        Some(value.as_deref())
    }

    /// The value of a parameter that is present and has one.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.get(name).flatten()
    }

    /// Whether the parameter is there, with a value or without.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets or replaces a parameter.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(Box::from);
        match self.0.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
            Some((_, v)) => *v = value,
            None => self.0.push((name.into(), value)),
        }
    }

    /// Takes a parameter out.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }

    /// All in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(n, v)| (&**n, v.as_deref()))
    }
}

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
    /// Another scheme, whole text as written.
    Other(Box<str>),
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

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => write!(f, "{}", self.host),
        }
    }
}
