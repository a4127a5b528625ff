//! Where a message came from and where one is sent: the way between two hosts.

use std::fmt;
use std::net::SocketAddr;

/// Transport protocols of RFC 3261 §18 that Offhook speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams, port 5060.
    Udp,
    /// Streams, port 5060.
    Tcp,
    /// TLS over TCP, port 5061.
    Tls,
    /// Secure WebSocket (RFC 7118), port 443: browsers. They come to us; nobody can go to them.
    Wss,
}

impl Transport {
    /// The word that stands in a Via header (RFC 3261 §20.42).
    pub fn via_name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Wss => "WSS",
        }
    }

    /// The word that stands in a `transport` URI parameter (RFC 3261 §19.1.1).
    pub fn param_name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            // RFC 7118 §5.5: "ws" in a URI, secure or not.
            Self::Wss => "ws",
        }
    }

    /// Reads either spelling, without case.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls, Self::Wss].into_iter().find(|t| {
            name.eq_ignore_ascii_case(t.via_name()) || name.eq_ignore_ascii_case(t.param_name())
        })
    }

    /// Whether the transport itself retransmits, so that transactions need not (RFC 3261 §17.1.1.1).
    pub fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// Default port (RFC 3261 §19.1.2).
    pub fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Wss => 443,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.via_name())
    }
}

/// Names one connection for as long as it lives; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// The way a message took or shall take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// The protocol.
    pub transport: Transport,
    /// Our socket's address.
    pub local: SocketAddr,
    /// The peer's address as seen by our socket.
    pub remote: SocketAddr,
    /// The connection, for streams. `None` on an outgoing stream flow means "reuse one to
    /// `remote`, or open one".
    pub connection: Option<ConnectionId>,
}
