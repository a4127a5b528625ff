//! The parts a session's state is made of.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::outputs::{OfferToken, RequestToken};
use super::session_timer::Agreement;
use crate::dialog::Dialog;
use crate::header::{HeaderName, Headers};
use crate::message::{Request, Response, StatusCode};
use crate::transaction::ServerTx;
use crate::uri::Uri;

/// Which end of the call we are. The caller chose the Call-ID (RFC 3261 §14.1 asks for it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Caller,
    Callee,
}

/// Where the call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Our INVITE has no final response yet.
    Calling,
    /// The peer's INVITE has no final response of ours yet.
    Ringing,
    /// A 2xx was received or sent.
    Live,
    /// `Ended` was said; what remains is to tidy up (BYE, late ACKs and 2xx).
    Over,
}

/// One branch of a call: a dialog and what was agreed in it.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) dialog: Dialog,
    /// The peer said that it takes UPDATE.
    pub(super) takes_update: bool,
    /// The peer's latest session description on this branch.
    pub(super) answer: Option<Bytes>,
    /// Offer and answer of the first INVITE are through, reliably.
    pub(super) agreed: bool,
    /// RSeq of the last reliable provisional received.
    pub(super) rseq: Option<u32>,
    /// The ACKs sent for the latest 2xx, to be sent again when one of these comes again.
    acks: Vec<(u32, Request)>,
}

/// A 2xx may still come again after the next INVITE was answered too; not after the one behind it.
const MAX_ACKS: usize = 2;

impl Leg {
    pub(super) fn new(dialog: Dialog) -> Self {
        let (takes_update, agreed) = (false, false);
        Self { dialog, takes_update, answer: None, agreed, rseq: None, acks: Vec::new() }
    }

    /// Keeps the ACK for the 2xx to the INVITE with that sequence number.
    pub(super) fn keep_ack(&mut self, cseq: u32, ack: Request) {
        self.acks.retain(|(kept, _)| *kept != cseq);
        if self.acks.len() >= MAX_ACKS {
            self.acks.remove(0);
        }
        self.acks.push((cseq, ack));
    }

    /// The ACK sent for the 2xx to the INVITE with that sequence number.
    pub(super) fn ack(&self, cseq: u32) -> Option<&Request> {
        self.acks.iter().find(|(kept, _)| *kept == cseq).map(|(_, ack)| ack)
    }

    /// Learns from Allow what the peer takes; a message without Allow says nothing.
    pub(super) fn learn(&mut self, headers: &Headers) {
        if headers.get(&HeaderName::Allow).is_some() {
            self.takes_update = super::wire::has_token(headers, &HeaderName::Allow, "UPDATE");
        }
    }

    pub(super) fn tag(&self) -> &str {
        &self.dialog.id().remote_tag
    }
}

/// Our initial INVITE.
#[derive(Debug)]
pub(super) struct Caller {
    /// The transaction in flight or the last one.
    pub(super) token: RequestToken,
    /// As sent last.
    pub(super) request: Request,
    pub(super) next_hop: Uri,
    pub(super) cseq: u32,
    pub(super) offered: bool,
    /// A final response or failure came, or it will never come.
    pub(super) done: bool,
    pub(super) provisional_seen: bool,
}

/// State of offer and answer around the initial INVITE we got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstOffer {
    /// The INVITE had an offer that we have not answered reliably.
    Theirs,
    /// The INVITE had none; we have to offer.
    OursDue,
    /// Our offer is out in a reliable provisional; the PRACK will answer.
    OursOpen,
    /// Both are through.
    Done,
}

/// Which of our 18x are sent reliably (RFC 3262 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reliably {
    Never,
    /// The caller can do it: all but those that would break the order of offer and answer.
    WherePossible,
    /// The caller requires it.
    Always,
}

/// The peer's initial INVITE, until our final response.
#[derive(Debug)]
pub(super) struct Callee {
    pub(super) tx: ServerTx,
    /// Response with Via, From, To (tagged), Call-ID, CSeq and Record-Route.
    pub(super) template: Response,
    pub(super) cseq: u32,
    pub(super) first: FirstOffer,
    pub(super) reliably: Reliably,
    pub(super) next_rseq: u32,
    pub(super) unacknowledged: Option<Reliable>,
    pub(super) queue: std::collections::VecDeque<Queued>,
    /// The last plain provisional, to be sent again as it is.
    pub(super) last_provisional: Option<Response>,
    /// The last reliable one, to be said again in a new one: status and what its owner added.
    pub(super) again: Option<(StatusCode, Headers)>,
    pub(super) repeat_at: Option<Instant>,
    /// When the INVITE loses its meaning (Expires, RFC 3261 §13.3.1).
    pub(super) expires_at: Option<Instant>,
    pub(super) agreement: Option<Agreement>,
}

/// A reliable provisional waiting for its PRACK (RFC 3262 §3).
#[derive(Debug)]
pub(super) struct Reliable {
    pub(super) rseq: u32,
    pub(super) response: Response,
    pub(super) with_sdp: bool,
    pub(super) retransmit: Retransmit,
}

/// A response that has to wait for a PRACK.
#[derive(Debug)]
pub(super) enum Queued {
    Provisional { status: StatusCode, sdp: Option<Bytes>, headers: Headers },
    Accept { sdp: Option<Bytes>, headers: Headers },
}

/// A 2xx of ours waiting for its ACK (RFC 3261 §13.3.1.4).
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) tx: ServerTx,
    pub(super) cseq: u32,
    pub(super) response: Response,
    pub(super) initial: bool,
    /// It carried our offer; the ACK has to answer.
    pub(super) offered: bool,
    pub(super) retransmit: Retransmit,
}

/// Doubling retransmission with an end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retransmit {
    at: Instant,
    interval: Duration,
    cap: Duration,
    end: Instant,
}

/// What a retransmission timer has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tick {
    Wait,
    Again,
    End,
}

impl Retransmit {
    pub(super) fn new(now: Instant, first: Duration, cap: Duration, life: Duration) -> Self {
        Self { at: now + first, interval: first, cap, end: now + life }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.at.min(self.end)
    }

    pub(super) fn tick(&mut self, now: Instant) -> Tick {
        if now >= self.end {
            return Tick::End;
        }
        if now < self.at {
            return Tick::Wait;
        }
        self.interval = self.interval.saturating_mul(2).min(self.cap);
        self.at = now + self.interval;
        Tick::Again
    }
}

/// A client transaction in flight, apart from what `Caller` knows.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) token: RequestToken,
    pub(super) request: Request,
    pub(super) next_hop: Uri,
    pub(super) kind: ClientKind,
    /// Remote tag of the branch it belongs to.
    pub(super) tag: Box<str>,
    /// How often it was sent again after 401, 407 or 422.
    pub(super) retries: u8,
}

#[derive(Clone, Debug)]
pub(super) enum ClientKind {
    /// The initial INVITE.
    Invite,
    ReInvite(Change),
    Update(Change),
    Prack,
    Bye,
    /// `Session::send`.
    Other,
}

/// A change or refresh of the session asked for by us.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) sdp: Option<Bytes>,
    /// Only to refresh the session timer.
    pub(super) refresh: bool,
    pub(super) tries: u8,
    /// Headers of the owner, for another try after 491.
    pub(super) headers: Headers,
    /// The answer that came in a reliable provisional, and its RSeq.
    pub(super) early_answer: Option<Bytes>,
    pub(super) rseq: Option<u32>,
}

/// A change waiting for its turn: after a 491 (RFC 3261 §14.1), or behind an ACK.
#[derive(Debug)]
pub(super) struct Deferred {
    /// `None`: as soon as possible.
    pub(super) at: Option<Instant>,
    pub(super) by_update: bool,
    pub(super) change: Change,
}

/// A refused request that waits for credentials.
#[derive(Debug)]
pub(super) struct Challenged {
    pub(super) client: Client,
    pub(super) response: Response,
    pub(super) until: Instant,
}

/// An in-dialog request waiting for the owner.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) token: u64,
    pub(super) tx: ServerTx,
    pub(super) template: Response,
}

/// The one offer that may be open after the first exchange (RFC 3264 §4).
#[derive(Debug)]
pub(super) enum Open {
    None,
    /// Ours, in a re-INVITE or UPDATE; also while we wait for the peer's offer in a 2xx.
    Local,
    /// Ours, in a 2xx of ours; the ACK will answer.
    LocalIn2xx,
    /// The peer's; the owner will answer.
    Remote {
        token: OfferToken,
        carrier: Carrier,
    },
}

/// What brought the peer's offer.
#[derive(Debug)]
pub(super) enum Carrier {
    ReInvite {
        tx: ServerTx,
        template: Response,
        cseq: u32,
        offer: Option<Bytes>,
        agreement: Option<Agreement>,
    },
    Update {
        tx: ServerTx,
        template: Response,
        tag: Box<str>,
        offer: Bytes,
        agreement: Option<Agreement>,
    },
    Prack {
        tx: ServerTx,
        template: Response,
        offer: Bytes,
    },
    Provisional {
        tag: Box<str>,
        rseq: u32,
        offer: Bytes,
    },
    Answer {
        cseq: u32,
        offer: Bytes,
    },
}
