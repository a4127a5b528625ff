//! Limits of connections.

use std::time::Duration;

/// How many connections, and for how long each may do nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// Of one source address. An office behind one NAT is one source.
    pub per_source: usize,
    /// Messages waiting to be written to one connection.
    pub write_queue: usize,
    /// Largest message on a stream.
    pub message: usize,
    /// Nothing heard for this long closes a connection.
    pub idle: Duration,
    /// From accept to the first message, and for each message from its first to its last octet.
    pub patience: Duration,
    /// For a TLS handshake.
    pub handshake: Duration,
    /// TLS handshakes of others under way at a time. They are what costs most before anybody has
    /// said who he is.
    pub handshakes: usize,
    /// Of one source address.
    pub handshakes_per_source: usize,
    /// For an outgoing connection to be made.
    pub connect: Duration,
    /// For one message to be written.
    pub write: Duration,
}

impl Limits {
    /// Those of the daemon.
    pub const DEFAULT: Self = Self {
        connections: 4_096,
        per_source: 512,
        write_queue: 64,
        message: 65_536,
        // Longer than the longest registration, so that a phone without keep-alive keeps its
        // flow.
        idle: Duration::from_secs(2 * 3_600),
        patience: Duration::from_secs(30),
        handshake: Duration::from_secs(10),
        handshakes: 512,
        // An office behind one NAT comes back all at once after a power cut.
        handshakes_per_source: 128,
        connect: Duration::from_secs(5),
        write: Duration::from_secs(10),
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
