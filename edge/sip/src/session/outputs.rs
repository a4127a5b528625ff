//! What a session is told and what it says: tokens, outputs, events, errors.

use bytes::Bytes;

use crate::header::{HeaderValue, Headers, NameAddr};
use crate::message::{Method, Request, Response, StatusCode};
use crate::transaction::ServerTx;
use crate::uri::Uri;

/// A client transaction the session asked for; the owner maps it to its own. Unique in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestToken(pub u64);

/// An offer of the peer that waits for `answer_offer` or `refuse_offer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OfferToken(pub u64);

/// An in-dialog request of the peer that waits for `respond`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InboundToken(pub u64);

/// A call to be placed.
#[derive(Clone, Debug)]
pub struct OutgoingInvite {
    /// Request-URI, and the first remote target.
    pub request_uri: Uri,
    /// From; its tag is replaced by a fresh one.
    pub from: NameAddr,
    /// To; must have no tag.
    pub to: NameAddr,
    /// Where the peer reaches us within the dialog.
    pub contact: Uri,
    /// Call-ID; `None` makes one.
    pub call_id: Option<String>,
    /// Routes to go through first (a pre-loaded route set, RFC 3261 §8.1.2).
    pub route: Vec<NameAddr>,
    /// Further headers, passed on as they are. Headers the session writes itself are dropped.
    pub headers: Headers,
    /// The offer; `None` asks the peer to offer in its answer.
    pub sdp: Option<Bytes>,
}

/// Something the owner has to do, in order.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // drained at once, never stored in numbers
pub enum Output {
    /// Start a client transaction.
    Send {
        /// Comes back with every response and the failure of this transaction.
        token: RequestToken,
        /// The request, without Via.
        request: Request,
        /// Where RFC 3261 sends it: the first Route or the Request-URI.
        next_hop: Uri,
    },
    /// Send an ACK for a 2xx, outside of any transaction.
    SendAck {
        /// The ACK, without Via.
        request: Request,
        /// Where to.
        next_hop: Uri,
    },
    /// Cancel the INVITE of that token; the transaction layer waits for a provisional itself.
    Cancel {
        /// The INVITE's token.
        token: RequestToken,
        /// For the CANCEL (Reason).
        headers: Headers,
    },
    /// Answer a server transaction; the same 2xx or reliable 1xx may come again.
    Respond {
        /// The transaction the request came with.
        tx: ServerTx,
        /// The response.
        response: Response,
    },
    /// News for the application.
    Event(SessionEvent),
}

/// In what the peer's offer came; says what `answer_offer` will send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferKind {
    /// A re-INVITE; the answer goes out in its 2xx. Without SDP the "answer" is our offer, and
    /// the peer's answer follows as `OfferAccepted`.
    ReInvite,
    /// An UPDATE; answered in its 2xx (RFC 3311).
    Update,
    /// A PRACK; answered in its 2xx (RFC 3262 §5).
    Prack,
    /// A reliable provisional response to our offerless INVITE; answered in the PRACK.
    Provisional,
    /// A 2xx to our offerless INVITE or re-INVITE; answered in the ACK.
    Answer,
}

/// Who or what ended the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// BYE or CANCEL of the peer.
    Remote,
    /// `hangup`, `reject` or `redirect` of the owner.
    Local,
    /// The peer refused our INVITE; `Rejected` came before.
    Rejected,
    /// The session timer ran out (RFC 4028 §10).
    SessionTimer,
    /// Our 2xx was never acknowledged (RFC 3261 §13.3.1.4).
    AckTimeout,
    /// Our reliable provisional was never acknowledged (RFC 3262 §3).
    PrackTimeout,
    /// A request of ours did not get through.
    Failure(SendFailure),
    /// The peer no longer knows the dialog (481), or answered 408 (RFC 3261 §12.2.1.2).
    DialogLost,
    /// The peer broke the offer/answer rules so that no media can be agreed.
    Protocol,
}

/// Why a request of ours got no final response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendFailure {
    /// No answer in time.
    Timeout,
    /// The transport failed.
    Transport,
    /// The next hop has no address.
    Unresolved,
    /// Our own tables are full.
    Overloaded,
}

/// News from a session. `Ended` comes exactly once; after it only `Challenge`, `Response` and
/// `RequestFailed` may follow, for what was under way.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)]
pub enum SessionEvent {
    /// A 101..199 to our INVITE.
    Provisional {
        /// 180, 183, ...
        status: StatusCode,
        /// Which early dialog; `None` without To tag.
        remote_tag: Option<Box<str>>,
        /// The answer or its preview (early media).
        sdp: Option<Bytes>,
        /// All of it.
        response: Response,
    },
    /// The first 2xx to our INVITE. `sdp` is the answer in force, also when it came in an earlier
    /// response of this fork; `None` when we did not offer: then an `Offer` follows.
    Answered {
        /// The answer.
        sdp: Option<Bytes>,
        /// Which dialog.
        remote_tag: Box<str>,
        /// All of it.
        response: Response,
    },
    /// A 3xx..6xx to our INVITE (Contact, Reason, Retry-After, Warning are in it). `Ended` follows.
    Rejected {
        /// All of it.
        response: Response,
    },
    /// The ACK for our 2xx to the first INVITE arrived.
    Confirmed,
    /// The peer offers. An offer of ours that was open is void by now: roll it back first.
    Offer {
        /// For `answer_offer` and `refuse_offer`.
        token: OfferToken,
        /// The offer; `None`: the peer asks for ours (re-INVITE without SDP).
        sdp: Option<Bytes>,
        /// What it came in.
        kind: OfferKind,
    },
    /// The peer took its offer back (CANCEL of a re-INVITE, or it gave up the early dialog).
    OfferWithdrawn {
        /// Which.
        token: OfferToken,
    },
    /// The peer answered our offer of `reinvite`, `update`, a reliable provisional, or a 2xx. Also
    /// when the answer to a session refresh differs from the last.
    OfferAccepted {
        /// The answer.
        sdp: Bytes,
    },
    /// Our offer failed and the session goes on as before. 491 means that the peer's own offer
    /// came in between: make a fresh one when it is still wanted.
    OfferRejected {
        /// The final status; 408 for none.
        status: StatusCode,
        /// All of it.
        response: Option<Response>,
    },
    /// INFO, REFER, NOTIFY, SUBSCRIBE, MESSAGE or another allowed method in the dialog.
    Request {
        /// For `respond`.
        token: InboundToken,
        /// All of it.
        request: Request,
    },
    /// A response to `send`, provisional ones included.
    Response {
        /// What `send` gave.
        token: RequestToken,
        /// All of it.
        response: Response,
    },
    /// `send` got no final response.
    RequestFailed {
        /// What `send` gave.
        token: RequestToken,
        /// Why.
        failure: SendFailure,
    },
    /// 401 or 407: answer with `retry_with`, or `give_up`.
    Challenge {
        /// The refused request.
        token: RequestToken,
        /// Its method (the digest needs it).
        method: Method,
        /// Its Request-URI (the digest needs it).
        uri: Uri,
        /// The challenges.
        response: Response,
    },
    /// The peer moved its Contact (target refresh).
    RemoteTargetChanged {
        /// The new one.
        uri: Uri,
    },
    /// The call is over. Media can go; keep the session until `is_finished`.
    Ended {
        /// Who or what.
        by: EndedBy,
        /// The status that ended it, if any.
        status: Option<StatusCode>,
        /// Reason header values of the peer's BYE, CANCEL or final response (RFC 3326).
        reasons: Vec<HeaderValue>,
    },
}

/// Why a command was not carried out; nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The session is over.
    #[error("the session is over")]
    Over,
    /// Not in this state (accepting an outgoing call, answering twice).
    #[error("not possible in this state of the session")]
    NotNow,
    /// No dialog exists yet.
    #[error("no dialog yet")]
    NoDialog,
    /// Another offer is open; try again after its outcome.
    #[error("an offer is still open")]
    OfferPending,
    /// A session description is needed here.
    #[error("a session description is needed")]
    NeedsSdp,
    /// The token is unknown or used up.
    #[error("unknown or used token")]
    UnknownToken,
    /// Too many waiting.
    #[error("too many requests or responses are waiting")]
    Busy,
    /// The status does not fit the command.
    #[error("this status does not fit here")]
    BadStatus,
}
