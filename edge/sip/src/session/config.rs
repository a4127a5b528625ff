//! What a session may do and how patient it is.

use std::time::Duration;

use crate::message::Method;

/// When our 18x responses are sent reliably (RFC 3262).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReliableProvisionals {
    /// Only when the caller demands it with `Require: 100rel`.
    Never,
    /// When the caller says `Supported: 100rel` or demands it.
    IfOffered,
    /// As `IfOffered`, and a caller without 100rel gets 421 (Extension Required).
    Always,
}

/// Who should refresh the session when we may choose (RFC 4028 §7.1, §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreferRefresher {
    /// We do.
    Us,
    /// The other side does, when it can.
    Peer,
}

/// Settings of a session. Shared by many sessions behind an `Arc`.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Methods for `Allow`; an in-dialog request of another method gets 405.
    pub allow: Vec<Method>,
    /// Option tags for `Supported`; what is missing here is refused with 420 when required.
    pub supported: Vec<Box<str>>,
    /// Session interval in seconds we ask for (RFC 4028); `None`: only follow the peer's wish.
    pub session_expires: Option<u32>,
    /// Smallest session interval we accept, in seconds; never below 90 (RFC 4028 §5).
    pub min_se: u32,
    /// Who refreshes when it is ours to choose.
    pub refresher: PreferRefresher,
    /// When provisional responses are reliable.
    pub reliable_provisionals: ReliableProvisionals,
    /// Text for User-Agent and Server.
    pub user_agent: Option<Box<str>>,
    /// Whether 401 and 407 are surfaced as `Challenge` (the owner has credentials) or as failures.
    pub answers_challenges: bool,
    /// Our Contact says that this is a conference (`isfocus`, RFC 4579 §5.1).
    pub is_focus: bool,
    /// RFC 3261 T1, the round-trip estimate.
    pub t1: Duration,
    /// RFC 3261 T2, the longest wait between two retransmissions of a 2xx.
    pub t2: Duration,
    /// Max-Forwards of new requests.
    pub max_forwards: u32,
    /// How often an unanswered call repeats its last 18x so that proxies keep it
    /// (RFC 3261 §13.3.1.1: at least every three minutes, one minute advised).
    pub repeat_provisional: Duration,
    /// Most early dialogs kept for one outgoing INVITE, and most in-dialog requests waiting for an
    /// answer of the owner.
    pub max_parallel: usize,
}

/// Option tag and INFO package of candidates that a peer finds after its description (RFC 8840 §10).
pub const TRICKLE_ICE: &str = "trickle-ice";

impl SessionConfig {
    /// 64 x T1: how long a transaction or an unacknowledged answer lives.
    pub fn timeout(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// Whether we know the option tag (compared without case).
    pub fn supports(&self, option: &str) -> bool {
        self.supported.iter().any(|s| s.eq_ignore_ascii_case(option))
    }
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            allow: vec![
                Method::Invite,
                Method::Ack,
                Method::Cancel,
                Method::Bye,
                Method::Options,
                Method::Prack,
                Method::Update,
                Method::Info,
                Method::Refer,
                Method::Subscribe,
                Method::Notify,
                Method::Message,
            ],
            supported: vec!["100rel".into(), "timer".into(), "replaces".into()],
            session_expires: Some(1800),
            min_se: 90,
            refresher: PreferRefresher::Us,
            reliable_provisionals: ReliableProvisionals::Never,
            user_agent: None,
            answers_challenges: false,
            is_focus: false,
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            max_forwards: 70,
            repeat_provisional: Duration::from_secs(60),
            max_parallel: 16,
        }
    }
}
