//! Client and server transactions (RFC 3261 §17 as corrected by RFC 6026 and RFC 4320).
//!
//! > [`TransactionLayer`] has no socket and no clock: messages and `now` go in, and after each
//! > call [`TransactionLayer::poll_transmit`] and [`TransactionLayer::poll_event`] are drained.
//!
//! Each kind of transaction is one table, `step(state, input) -> (state, actions)`, in a file of
//! its own: `client_invite`, `client_non_invite`, `server_invite`, `server_non_invite`.
//! The tables know nothing of reliable transports: `timers` says which timer runs for how long
//! on which transport, and a timer that lasts no time at all fires at once.
//!
//! What an entry keeps is what it may have to send again, never more: a request until it is
//! answered, then the ACK; the last response on the server side, and a key of 16 bytes.

mod client;
mod client_invite;
mod client_non_invite;
mod client_side;
mod key;
mod layer;
mod overload;
mod server;
mod server_invite;
mod server_non_invite;
mod server_side;
#[cfg(test)]
mod tests;
mod timers;

use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

use crate::flow::Flow;
use crate::message::{Request, Response};

pub use layer::TransactionLayer;
use timers::Timer;

/// Names one client transaction for ever; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientTx(pub(crate) u64);

/// Names one server transaction for ever; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerTx(pub(crate) u64);

/// Either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum TxId {
    Client(ClientTx),
    Server(ServerTx),
}

/// When an INVITE is answered with 100 (RFC 3261 §17.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trying {
    /// With the arrival of the request.
    AtOnce,
    /// When the owner has sent nothing for this long (the RFC says 200 ms).
    After(Duration),
}

/// Durations and limits. The default holds the values of RFC 3261 (Table 4).
#[derive(Clone, Debug)]
pub struct Config {
    /// Round-trip estimate; 500 ms.
    pub t1: Duration,
    /// Longest retransmission interval of non-INVITE requests and INVITE responses; 4 s.
    pub t2: Duration,
    /// Longest time a message stays in the network; 5 s.
    pub t4: Duration,
    /// How long a called party may ring without any news before the layer cancels the INVITE by
    /// itself (Timer C, §16.6 step 11; more than 3 min). Each 101..199 starts it anew.
    pub timer_c: Duration,
    /// When an INVITE is answered with 100.
    pub trying: Trying,
    /// Most client transactions at a time. A CANCEL is never refused: there is one at most for
    /// each INVITE.
    pub max_client: usize,
    /// How many of `max_client` only requests inside a dialog may use; a quarter of them at most.
    pub client_reserve: usize,
    /// Most server transactions at a time, those included that only linger to answer
    /// retransmissions.
    pub max_server: usize,
    /// How many of `max_server` only requests inside a dialog may use, so that calls can end
    /// while new ones flood in; a quarter of them at most.
    pub server_reserve: usize,
    /// Seconds in the Retry-After of a 503.
    pub retry_after: u32,
    /// Most 503 a second when full; what comes beyond is dropped in silence.
    pub refusals_per_second: u32,
    /// Answers a merged request (§8.2.2.2) with 482 instead of passing it on.
    pub refuse_merged: bool,
    /// Reports responses that match no transaction instead of dropping them.
    pub report_stray: bool,
    /// How late a timer may be that only tidies up (D, I, J, K, L, M): whoever drives the layer
    /// wakes once for all that end within it. Zero: each is exact.
    pub tidy_grain: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            timer_c: Duration::from_secs(185),
            trying: Trying::After(Duration::from_millis(200)),
            max_client: 32_768,
            client_reserve: 4_096,
            max_server: 131_072,
            server_reserve: 16_384,
            retry_after: 10,
            refusals_per_second: 200,
            refuse_merged: true,
            report_stray: false,
            tidy_grain: Duration::ZERO,
        }
    }
}

/// Bytes to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The way they shall take.
    pub flow: Flow,
    /// One whole message.
    pub bytes: Bytes,
}

/// What the layer has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A new request, neither ACK nor CANCEL. Its owner answers by
    /// [`TransactionLayer::respond`].
    Request {
        /// The transaction to answer.
        tx: ServerTx,
        /// The request.
        request: Request,
        /// Where it came from.
        flow: Flow,
    },
    /// An ACK that ends no transaction here: it acknowledges a 2xx and belongs to a dialog.
    Ack {
        /// The ACK.
        request: Request,
        /// Where it came from.
        flow: Flow,
    },
    /// An INVITE without a final response is to be given up. The layer has answered the CANCEL
    /// with 200; the owner of the INVITE answers that with 487 (RFC 3261 §9.2).
    Cancel {
        /// The INVITE's transaction.
        invite: ServerTx,
        /// The CANCEL's own, answered already.
        cancel: ServerTx,
        /// The CANCEL, for its Reason.
        request: Request,
    },
    /// A response, retransmitted and forked 2xx to an INVITE included (RFC 6026 §7.2); of the 100
    /// only the first is reported.
    Response {
        /// The transaction.
        tx: ClientTx,
        /// The response.
        response: Response,
        /// Where it came from.
        flow: Flow,
    },
    /// A response without a transaction, when [`Config::report_stray`] asks for it.
    StrayResponse {
        /// The response.
        response: Response,
        /// Where it came from.
        flow: Flow,
    },
    /// No final response came in time (Timers B and F, or 64*T1 after a CANCEL).
    Timeout {
        /// The transaction, which is gone.
        tx: ClientTx,
    },
    /// The transport failed before a final response.
    TransportError {
        /// The transaction, which is gone.
        tx: ClientTx,
    },
    /// The ACK to a final response above 299 never came (Timer H).
    AckTimeout {
        /// The transaction, which is gone.
        tx: ServerTx,
    },
    /// A transaction is gone. Comes once for each, and after everything else about it.
    Terminated {
        /// Which.
        tx: TxId,
    },
}

/// How many transactions there are. All zero some time after the last message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Client transactions.
    pub client: usize,
    /// Server transactions.
    pub server: usize,
}

/// The table of client transactions is full; the request was not sent. Ours to answer for:
/// shed load or raise [`Config::max_client`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("too many SIP client transactions")]
pub struct Overloaded;

/// What can happen to a transaction. `Provisional`, `Success` and `Failure` stand for a response:
/// received by a client, to be sent by a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// The same request again.
    Request,
    /// An ACK.
    Ack,
    /// A response of 100..=199.
    Provisional,
    /// A response of 200..=299.
    Success,
    /// A response of 300..=699.
    Failure,
    /// The owner gives the INVITE up.
    Cancel,
    /// The retransmission timer fired.
    Tick,
    /// The timer that ends the state fired.
    Expire,
    /// The transport failed.
    TransportError,
}

/// What a transition asks of the layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    /// Pass the message in hand to the owner.
    Deliver,
    /// Send the response in hand and keep its bytes.
    Send,
    /// Send the kept bytes again.
    Resend,
    /// Acknowledge the response in hand and keep the ACK's bytes.
    SendAck,
    /// Send a CANCEL for this INVITE.
    SendCancel,
    /// Start a timer.
    Arm(Timer),
    /// Start a retransmission timer anew, with twice its last interval.
    Double(Timer),
    /// Stop the retransmission timer.
    StopTick,
    /// Drop the kept bytes: nothing will be sent again.
    Forget,
    /// Tell the owner that no answer came.
    ReportTimeout,
    /// Tell the owner that the transport failed.
    ReportTransport,
    /// Tell the owner that no ACK came.
    ReportNoAck,
}
