//! Signalling: `[sip]`, `[registrar]`, `[bans]`.

use std::path::PathBuf;
use std::time::Duration;

use super::server::private_networks;
use crate::net::IpNet;

/// `[sip]`: timers and limits of signalling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sip {
    /// Timer T1 (RFC 3261 §17.1.1.1).
    pub t1: Duration,
    /// Timer T2.
    pub t2: Duration,
    /// Timer T4.
    pub t4: Duration,
    /// Transactions of each kind that may be open at once.
    pub max_transactions: usize,
    /// Calls that may be up at once.
    pub max_calls: usize,
    /// Connections that may be open at once.
    pub max_connections: usize,
    /// Largest message on a stream, in bytes.
    pub max_message_bytes: usize,
    /// Session interval that we ask for (RFC 4028); `None`: we never ask, but agree when asked.
    pub session_expires: Option<Duration>,
    /// Smallest session interval that we accept (RFC 4028 §5, 90 s or more).
    pub min_se: Duration,
    /// Whether we offer reliable provisional responses (RFC 3262).
    pub reliable_provisional: bool,
    /// Longest a call may ring before it is given up.
    pub max_ring: Duration,
    /// Longest a call may last; `None`: for ever.
    pub max_call: Option<Duration>,
    /// More certification authorities (PEM) for TLS to trunks, besides the system's.
    pub ca_files: Vec<PathBuf>,
}

impl Default for Sip {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            max_transactions: 50_000,
            max_calls: 1_000,
            max_connections: 4_096,
            max_message_bytes: 65_536,
            session_expires: Some(Duration::from_secs(1_800)),
            min_se: Duration::from_secs(90),
            reliable_provisional: true,
            max_ring: Duration::from_secs(180),
            max_call: None,
            ca_files: Vec::new(),
        }
    }
}

/// `[registrar]`: limits of registrations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registrar {
    /// Shorter ones are refused with 423 (RFC 3261 §10.3).
    pub min_expires: Duration,
    /// Longer ones are shortened.
    pub max_expires: Duration,
    /// When the phone names none.
    pub default_expires: Duration,
    /// Contacts of one extension.
    pub max_contacts: usize,
    /// Digests that phones are asked for, strongest first, never empty.
    pub digest: Vec<Digest>,
}

impl Default for Registrar {
    fn default() -> Self {
        Self {
            min_expires: Duration::from_secs(60),
            max_expires: Duration::from_secs(3_600),
            default_expires: Duration::from_secs(3_600),
            max_contacts: 10,
            // RFC 8760 §2.4 wants a phone to pass over a challenge that it does not know. Many that
            // are in use (everything on libre before 2.0) give up at the sight of a second one.
            digest: vec![Digest::Md5],
        }
    }
}

/// Hashes of digest authentication (RFC 7616 §3.3, RFC 8760).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Digest {
    Md5,
    Sha256,
}

/// `[bans]`: what happens to sources of wrong passwords and to scanners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bans {
    /// This many failures within `window` ban a source; 0: nobody is ever banned.
    pub failures: u32,
    /// Span over which failures are counted.
    pub window: Duration,
    /// For how long.
    pub ban: Duration,
    /// Ranges that are never banned. Peers of trunks never are, without being listed.
    pub never: Vec<IpNet>,
}

impl Default for Bans {
    fn default() -> Self {
        Self {
            failures: 10,
            window: Duration::from_secs(60),
            ban: Duration::from_secs(600),
            never: private_networks(),
        }
    }
}
