//! Who we are: `[server]`, `[[listen]]`, `[http]`, `[api]`, `[journal]`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::net::IpNet;

/// How phone numbers appear in logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogNumbers {
    /// Last digits only.
    #[default]
    Masked,
    /// Whole.
    Full,
}

/// `[server]`: who we are and where our files are.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Digest realm. Changing it makes every stored HA1 useless: phones must be added again.
    pub realm: String,
    /// SIP domains that are ours, besides our own addresses.
    pub domains: Vec<String>,
    /// Database, recordings, voicemail.
    pub data_dir: PathBuf,
    /// Text of User-Agent and Server headers.
    pub user_agent: String,
    /// Address that peers outside must be told when we stand behind NAT.
    pub external_address: Option<IpAddr>,
    /// Addresses on our side of the NAT: they are told the interface's own address.
    pub local_networks: Vec<IpNet>,
    /// How long live calls may go on after SIGTERM.
    pub drain: Duration,
    /// How numbers appear in logs.
    pub log_numbers: LogNumbers,
    /// Time zone for spoken times and schedules; the system's when not given.
    pub time_zone: Option<TimeZone>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            realm: "offhook".into(),
            domains: Vec::new(),
            data_dir: "/var/lib/offhook".into(),
            user_agent: "Offhook".into(),
            external_address: None,
            local_networks: private_networks(),
            drain: Duration::from_secs(30),
            log_numbers: LogNumbers::Masked,
            time_zone: None,
        }
    }
}

/// Transports that can be listened on or used by a trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
    /// Secure WebSocket (RFC 7118): listened on only.
    Wss,
}

impl Transport {
    /// As written in the configuration and in a URI's `transport` parameter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Wss => "wss",
        }
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

/// The listening sockets: what was written, or UDP and TCP on `0.0.0.0:5060`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listens(pub Vec<Listen>);

impl std::ops::Deref for Listens {
    type Target = [Listen];

    fn deref(&self) -> &[Listen] {
        &self.0
    }
}

impl<'a> IntoIterator for &'a Listens {
    type Item = &'a Listen;
    type IntoIter = std::slice::Iter<'a, Listen>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl Default for Listens {
    fn default() -> Self {
        let any = SocketAddr::from(([0, 0, 0, 0], 5060));
        let listen = |transport| Listen {
            transport,
            address: any,
            external_address: None,
            tls: None,
            origins: Vec::new(),
        };
        Self(vec![listen(Transport::Udp), listen(Transport::Tcp)])
    }
}

/// `[[listen]]`: one listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Protocol.
    pub transport: Transport,
    /// Address and port; port 0 lets the system choose (tests).
    pub address: SocketAddr,
    /// Address that peers of this interface must be told, instead of `server.external_address`.
    pub external_address: Option<IpAddr>,
    /// Certificate chain and key; there for TLS and WSS, and only there.
    pub tls: Option<TlsFiles>,
    /// Web sites whose pages may connect (RFC 6454), for WSS; empty: all.
    pub origins: Vec<String>,
}

/// Certificate and key of a TLS socket. Read again on reload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsFiles {
    /// PEM file with the certificate chain, leaf first.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

/// `[http]`: metrics and the local interface of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Where; loopback unless the operator says otherwise. Port 0 lets the system choose.
    pub address: SocketAddr,
}

impl Default for Http {
    fn default() -> Self {
        Self { address: SocketAddr::from(([127, 0, 0, 1], 9480)) }
    }
}

/// `[api]`: AWS's API of calls, for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// Where; `None`: nowhere. Port 0 lets the system choose (tests).
    pub listen: Option<SocketAddr>,
    /// PEM file with the certificate chain, leaf first; there when `key` is.
    pub certificate: Option<PathBuf>,
    /// PEM file with the private key.
    pub key: Option<PathBuf>,
    /// Requests that one access key may make in a second.
    pub requests_per_second: u32,
}

impl Default for Api {
    fn default() -> Self {
        Self { listen: None, certificate: None, key: None, requests_per_second: 10 }
    }
}

/// `[journal]`: how long call records and timelines are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// Days; 0: for ever.
    pub keep_days: u32,
    /// Calls; 0: any number.
    pub keep_calls: u64,
}

impl Default for Journal {
    fn default() -> Self {
        Self { keep_days: 90, keep_calls: 100_000 }
    }
}

/// Loopback, RFC 1918, link-local and unique local addresses.
pub(super) fn private_networks() -> Vec<IpNet> {
    vec![
        IpNet::v4([127, 0, 0, 0], 8),
        IpNet::v4([10, 0, 0, 0], 8),
        IpNet::v4([172, 16, 0, 0], 12),
        IpNet::v4([192, 168, 0, 0], 16),
        IpNet::v4([169, 254, 0, 0], 16),
        IpNet::v4([100, 64, 0, 0], 10),
        IpNet::v6([0, 0, 0, 0, 0, 0, 0, 1], 128),
        IpNet::v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
        IpNet::v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
    ]
}
