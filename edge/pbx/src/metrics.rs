//! Counters and gauges as plain atomics; the daemon exports them.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows, or a gauge that goes both ways.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.add(1);
    }

    /// `n` more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Sets a gauge.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// One less, of a gauge.
    pub fn dec(&self) {
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |v| Some(v.saturating_sub(1)));
    }

    /// The value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $name:ident: $kind:ident,)+) => {
        /// Everything that is counted. One instance, shared.
        #[derive(Debug, Default)]
        pub struct Metrics { $($(#[doc = $doc])+ pub $name: Counter,)+ }

        /// Whether a metric only grows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Kind { Counter, Gauge }

        impl Metrics {
            /// Name, help text, kind and value of every metric.
            pub fn all(&self) -> Vec<(&'static str, &'static str, Kind, u64)> {
                vec![$((stringify!($name), concat!($($doc),+), Kind::$kind, self.$name.get())),+]
            }
        }
    };
}

metrics! {
    /// SIP messages received.
    sip_received: Counter,
    /// SIP messages sent.
    sip_sent: Counter,
    /// Messages that could not be read.
    sip_malformed: Counter,
    /// Datagrams that are no SIP at all, and stray responses.
    sip_stray: Counter,
    /// Packets and connections of banned sources, dropped unread.
    sip_banned_dropped: Counter,
    /// Messages that could not be sent.
    sip_send_failed: Counter,
    /// Requests answered 503 because a table or queue of ours was full.
    sip_overloaded: Counter,
    /// Events lost because their owner's mailbox was full.
    mailbox_overflows: Counter,
    /// Client transactions under way.
    client_transactions: Gauge,
    /// Server transactions under way.
    server_transactions: Gauge,
    /// Dialogs in the map.
    dialogs: Gauge,
    /// TCP, TLS and WebSocket connections open.
    connections: Gauge,
    /// Connections refused by a limit.
    connections_refused: Counter,
    /// TLS handshakes that failed.
    tls_handshakes_failed: Counter,
    /// Requests for a WebSocket that were refused: no SIP, or a page of another site.
    websockets_refused: Counter,
    /// Contacts registered now.
    bindings: Gauge,
    /// Registrations that hold in memory only, because the disk did not take them.
    registrations_unkept: Gauge,
    /// REGISTER requests answered 200.
    registrations: Counter,
    /// Requests with wrong credentials.
    auth_failures: Counter,
    /// Addresses banned now.
    bans: Gauge,
    /// Subscriptions now: to message lamps and to conferences.
    subscriptions: Gauge,
    /// Candidates that peers sent by INFO (RFC 8840) and that could not be read.
    candidates_malformed: Counter,
    /// Trunks that answer their OPTIONS.
    trunks_up: Gauge,
    /// Recordings that have ended and are not where they belong yet.
    recordings_waiting: Gauge,
    /// Those of them that failed to be stored at least once.
    recordings_failing: Gauge,
    /// Seconds since the oldest recording that waits began.
    recordings_oldest_seconds: Gauge,
    /// Recordings stored where they belong.
    recordings_stored: Counter,
    /// Attempts to store a recording that failed.
    recordings_delayed: Counter,
    /// Calls that were to be recorded and are not, or not to their end.
    recordings_broken: Counter,
    /// Moments of phones that the screens' program was told of (`[screen_pop]`).
    screen_pops_told: Counter,
    /// Moments of phones that it was not: no room, no answer, or too late.
    screen_pops_lost: Counter,
    /// Callers who found no free pair of numbers (`[dnis]`).
    dnis_exhausted: Counter,
    /// 1: the last caller who looked for a pair found none.
    dnis_is_exhausted: Gauge,
    /// Free bytes of the fullest disk that we write to.
    disk_free_bytes: Gauge,
    /// Disks that are nearly full: below the limit of which the operator wants to be told.
    disks_low: Gauge,
    /// Disks on which nothing is recorded any more, to leave room for the rest.
    disks_full: Gauge,
    /// DNS lookups sent to a resolver.
    dns_lookups: Counter,
    /// DNS lookups that failed.
    dns_failures: Counter,
}
