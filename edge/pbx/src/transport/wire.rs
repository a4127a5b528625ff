//! The border between the stack task and whatever carries bytes: sockets, or a test's network.

use bytes::Bytes;
use offhook_sip::flow::Flow;
use offhook_sip::message::Message;
use offhook_sip::parse::Rejected;

/// Why bytes could not be handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Nothing of ours speaks this transport in this address family.
    #[error("no listener for this transport")]
    NoListener,
    /// The connection is closed.
    #[error("the connection is gone")]
    Gone,
    /// The connection's or socket's queue is full.
    #[error("the way out is congested")]
    Full,
    /// A limit on connections was met.
    #[error("too many connections")]
    TooMany,
    /// The system refused (no route, message too long, …).
    #[error("sending failed")]
    Failed,
}

/// Carries bytes. Never waits.
pub trait Wire: Send + Sync {
    /// Hands over one message.
    ///
    /// # Errors
    /// When it is sure that the message does not go out. What fails later comes back as
    /// [`Incoming::Lost`].
    fn send(&self, flow: &Flow, bytes: Bytes) -> Result<(), WireError>;

    /// The flow that a request to `flow.remote` really takes: for streams one with a connection,
    /// an existing one (RFC 3261 §18.1.1) or one that is now being made. `host` is whom a TLS peer
    /// must prove to be.
    ///
    /// # Errors
    /// When there is no way.
    fn open(&self, flow: Flow, host: Option<&str>) -> Result<Flow, WireError> {
        let _ = host;
        Ok(flow)
    }

    /// [`Wire::open`] for an answer whose own connection is gone: its port is what a stranger
    /// wrote, so that it takes no place that is kept for our own connections.
    ///
    /// # Errors
    /// When there is no way, or too many such connections to that source.
    fn open_for_answer(&self, flow: Flow) -> Result<Flow, WireError> {
        self.open(flow, None)
    }

    /// Whether the flow's connection still lives; datagram flows always do.
    fn is_alive(&self, flow: &Flow) -> bool {
        let _ = flow;
        true
    }
}

/// What comes from the wire.
#[derive(Debug)]
pub enum Incoming {
    /// One datagram, unread.
    Datagram {
        /// The way it came.
        flow: Flow,
        /// All of it.
        bytes: Bytes,
    },
    /// A message cut out of a stream.
    Message {
        /// The way it came.
        flow: Flow,
        /// The message.
        message: Message,
    },
    /// Something on a stream that is no valid message, though its framing was right.
    Bad {
        /// The way it came.
        flow: Flow,
        /// What is wrong, and what to answer.
        rejected: Rejected,
    },
    /// A connection ended or could not be made.
    Lost {
        /// Its flow.
        flow: Flow,
    },
}
