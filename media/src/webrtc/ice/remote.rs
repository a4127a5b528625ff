//! What a description says of ICE (RFC 8839): name and password, and where its side may be.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Name and password of one side (RFC 8839 §5.4). The password cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Name.
    pub ufrag: Box<str>,
    /// Password.
    pub password: Box<str>,
}

impl Credentials {
    /// Fresh ones: 48 and 144 random bits.
    #[must_use]
    pub fn fresh() -> Self {
        Self { ufrag: random_text(8), password: random_text(24) }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, <hidden>)", self.ufrag)
    }
}

fn random_text(length: usize) -> Box<str> {
    const CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..length).map(|_| char::from(CHARS[usize::from(rand::random::<u8>() & 63)])).collect()
}

/// What the peer's description says of ICE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Its name and password.
    pub credentials: Credentials,
    /// It only answers (`a=ice-lite`).
    pub lite: bool,
    /// Where it may be, the best first.
    pub candidates: Vec<SocketAddr>,
}

/// One `a=candidate` value (RFC 8839 §5.1) as an address with its priority: UDP and the one
/// component only. A name (what browsers write for their own addresses, RFC 8828) is none: whom it
/// hides asks us.
#[must_use]
pub fn read_candidate(value: &str) -> Option<(u32, SocketAddr)> {
    let mut words = value.split_ascii_whitespace();
    let (_foundation, component, transport) = (words.next()?, words.next()?, words.next()?);
    let priority = words.next()?.parse().ok()?;
    let (ip, port) = (words.next()?.parse::<IpAddr>().ok()?, words.next()?.parse().ok()?);
    let usable = component == "1" && transport.eq_ignore_ascii_case("udp") && port != 0;
    let ip = ip.to_canonical();
    let one_host = !ip.is_unspecified() && !ip.is_multicast();
    (usable && one_host).then(|| (priority, SocketAddr::new(ip, port)))
}

/// Whether an `a=candidate` value is written as one (RFC 8839 §5.1), also when it is of no use here:
/// of another transport or component, or hidden behind a name.
#[must_use]
pub fn is_candidate(value: &str) -> bool {
    let words: Vec<&str> = value.split_ascii_whitespace().take(8).collect();
    let [_foundation, component, _transport, priority, _address, port, typ, _type] = words[..]
    else {
        return false;
    };
    component.parse::<u16>().is_ok_and(|component| (1..=256).contains(&component))
        && priority.parse::<u32>().is_ok()
        && port.parse::<u16>().is_ok()
        && typ.eq_ignore_ascii_case("typ")
}
