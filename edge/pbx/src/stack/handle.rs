//! What the rest of the house sees of the stack.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use offhook_sip::flow::Flow;
use offhook_sip::header::Headers;
use offhook_sip::message::{Request, Response};
use offhook_sip::transaction::ServerTx;
use offhook_sip::uri::{HostPort, SipUri, Uri};
use tokio::sync::{mpsc, oneshot};

use crate::resolve::Locator;
use crate::transport::advertise::Addresses;
use crate::transport::wire::Wire;

/// A Contact URI with this host in a request given to [`SipHandle::send`] gets the advertised
/// host, port and transport of the flow that the request really takes. The user part and other
/// parameters stay. So a Contact is right even when failover changes the interface.
pub const CONTACT_PLACEHOLDER: &str = "contact.invalid";

/// Most orders that may wait for the stack task before new requests are refused as overload.
const MAX_WAITING_ORDERS: usize = 16_384;

/// Who gets the answers: a mailbox and an id that is never used again.
#[derive(Clone, Debug)]
pub struct Owner {
    id: u64,
    mailbox: mpsc::Sender<SipEvent>,
}

impl Owner {
    /// A fresh owner with a mailbox of `capacity` events (64 to 256 is right for a call). A
    /// mailbox that stays full loses events; in-dialog requests are then answered 503.
    pub fn channel(capacity: usize) -> (Self, mpsc::Receiver<SipEvent>) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let (mailbox, receiver) = mpsc::channel(capacity.max(1));
        (Self { id: NEXT.fetch_add(1, Ordering::Relaxed), mailbox }, receiver)
    }

    /// The id.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Whether nobody will read the mailbox any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.mailbox.is_closed()
    }

    /// Leaves an event in the mailbox; gives it back when the mailbox is full or gone.
    pub(crate) fn tell(&self, event: SipEvent) -> Result<(), Box<SipEvent>> {
        self.mailbox.try_send(event).map_err(|e| Box::new(e.into_inner()))
    }
}

/// What an owner is told.
#[derive(Debug)]
pub enum SipEvent {
    /// A response to the request sent under `token`; provisional ones, then one final, and for
    /// INVITE every further 2xx (retransmitted or forked).
    Response {
        /// The token given to [`SipHandle::send`].
        token: u64,
        /// The response.
        response: Response,
        /// The way it came.
        flow: Flow,
    },
    /// The request sent under `token` will get no response (any more). Comes at most once, and
    /// never after a final response.
    Failed {
        /// The token given to [`SipHandle::send`].
        token: u64,
        /// Why.
        kind: SendFailure,
    },
    /// A request in a dialog that was registered with [`SipHandle::register_dialog`].
    Request {
        /// Answer it with [`SipHandle::respond`].
        tx: ServerTx,
        /// The request.
        request: Request,
        /// The way it came.
        flow: Flow,
    },
    /// An ACK to a 2xx, in a registered dialog.
    Ack {
        /// The ACK, maybe with an answer in its body.
        request: Request,
        /// The way it came.
        flow: Flow,
    },
    /// The INVITE of a claimed server transaction was cancelled. The CANCEL itself is answered
    /// already; the INVITE wants its 487.
    Cancel {
        /// The INVITE's transaction.
        invite: ServerTx,
        /// The CANCEL (its Reason header is of interest).
        request: Request,
    },
}

/// Why a request got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendFailure {
    /// All targets kept silent (RFC 3261 Timer B or F).
    #[error("no answer")]
    Timeout,
    /// No target could be reached.
    #[error("not reachable")]
    Transport,
    /// The name could not be resolved; the text says which and why.
    #[error("{0}")]
    Resolve(String),
    /// Our own table is full.
    #[error("too many requests under way")]
    Overloaded,
    /// Cancelled by its owner before anything was sent.
    #[error("cancelled")]
    Cancelled,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Where the URI says, by RFC 3263, with failover.
    Uri(Uri),
    /// Exactly this way. A stream flow without a connection takes one to `remote`, or makes it;
    /// one whose connection is gone fails at once.
    Flow(Flow),
    /// Over several peers in this order (trunk failover): each is resolved by RFC 3263, the next
    /// one is tried after timeout, transport error or 503.
    Peers {
        /// In order of preference.
        uris: Vec<Uri>,
    },
}

/// What identifies a dialog for incoming requests (RFC 3261 §12): Call-ID and our own tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DialogKey {
    /// Call-ID.
    pub call_id: Box<str>,
    /// Our tag (To tag of what comes in).
    pub local_tag: Box<str>,
}

impl DialogKey {
    /// From parts.
    pub fn new(call_id: impl Into<Box<str>>, local_tag: impl Into<Box<str>>) -> Self {
        Self { call_id: call_id.into(), local_tag: local_tag.into() }
    }
}

/// A request outside any dialog: work for the office.
#[derive(Debug)]
pub struct NewRequest {
    /// Answer it with [`SipHandle::respond`]; for INVITE call [`SipHandle::claim`] first.
    pub tx: ServerTx,
    /// The request.
    pub request: Request,
    /// The way it came.
    pub flow: Flow,
}

/// The address for media on the interface a flow uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaAddress {
    /// Where to bind.
    pub bind: IpAddr,
    /// What to write into SDP.
    pub advertised: IpAddr,
}

/// An order to the stack task.
#[derive(Debug)]
pub(crate) enum Order {
    Send { token: u64, request: Request, target: Target, owner: Owner },
    Cancel { token: u64, owner: u64, extra: Headers },
    SendAck { request: Request, target: Target },
    Prove { tx: ServerTx },
    Respond { tx: ServerTx, response: Response },
    RespondOnce { tx: ServerTx, response: Response },
    Ping { back: oneshot::Sender<bool> },
    Claim { tx: ServerTx, owner: Owner },
    RegisterDialog { key: DialogKey, owner: Owner },
    ForgetDialog { key: DialogKey, owner: u64 },
}

/// The way to the stack task. Cheap to clone.
#[derive(Clone)]
pub struct SipHandle {
    orders: mpsc::UnboundedSender<Order>,
    /// Orders not yet taken; the channel itself is unbounded so that answers and forgetting
    /// always get through, and [`SipHandle::send`] is what meets the limit.
    waiting: Arc<AtomicUsize>,
    addresses: Arc<Addresses>,
    locator: Arc<Locator>,
    wire: Arc<dyn Wire>,
}

impl std::fmt::Debug for SipHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SipHandle").finish_non_exhaustive()
    }
}

impl SipHandle {
    pub(crate) fn new(
        orders: mpsc::UnboundedSender<Order>,
        waiting: Arc<AtomicUsize>,
        addresses: Arc<Addresses>,
        locator: Arc<Locator>,
        wire: Arc<dyn Wire>,
    ) -> Self {
        Self { orders, waiting, addresses, locator, wire }
    }

    fn order(&self, order: Order) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // The stack task lives as long as the program; when it is gone we are shutting down.
        let _ = self.orders.send(order);
    }

    /// Through the stack's task and back: `false` when it, or the office that takes its requests,
    /// has ended, so that no call can come any more. Whoever waits sets the limit.
    pub async fn is_well(&self) -> bool {
        let (back, answer) = oneshot::channel();
        self.order(Order::Ping { back });
        answer.await.unwrap_or(false)
    }

    /// Sends a request in a new client transaction. `token` is the caller's name for it, unique
    /// per owner. The stack adds Via; a Contact with [`CONTACT_PLACEHOLDER`] is completed. Events
    /// go to the owner's mailbox. Never for ACK.
    pub fn send(&self, token: u64, request: Request, target: Target, owner: &Owner) {
        if self.waiting.load(Ordering::Relaxed) >= MAX_WAITING_ORDERS {
            let _ = owner.tell(SipEvent::Failed { token, kind: SendFailure::Overloaded });
            return;
        }
        self.order(Order::Send { token, request, target, owner: owner.clone() });
    }

    /// Cancels an INVITE sent under `token` (RFC 3261 §9.1): waits for a provisional response by
    /// itself, or gives up the remaining targets. `extra` (a Reason) goes into the CANCEL. The
    /// INVITE's final response or failure still comes.
    pub fn cancel(&self, token: u64, owner: &Owner, extra: Headers) {
        self.order(Order::Cancel { token, owner: owner.id(), extra });
    }

    /// Sends the ACK to a 2xx (RFC 3261 §13.2.2.4), outside any transaction. Send it again when
    /// the 2xx comes again.
    pub fn send_ack(&self, request: Request, target: Target) {
        self.order(Order::SendAck { request, target });
    }

    /// Whoever sent this INVITE has answered a challenge
    /// ([`TransactionLayer::prove`](offhook_sip::transaction::TransactionLayer::prove)).
    pub fn prove(&self, tx: ServerTx) {
        self.order(Order::Prove { tx });
    }

    /// Answers a request, provisionally or finally. A 2xx to INVITE is sent again by calling this
    /// again until the ACK comes (RFC 3261 §13.3.1.4).
    pub fn respond(&self, tx: ServerTx, response: Response) {
        self.order(Order::Respond { tx, response });
    }

    /// Refuses or challenges somebody who has not shown who he is: the response goes out once and
    /// nothing of the request is kept (RFC 3261 §8.2.7, §26.3.2.4), so that forged requests fill
    /// no table and make nobody else the target of our retransmissions. A To tag is added where
    /// there is none. Only for final responses above 299, or to what is no INVITE.
    pub fn respond_once(&self, tx: ServerTx, response: Response) {
        self.order(Order::RespondOnce { tx, response });
    }

    /// Makes `owner` the one who hears of a CANCEL of this INVITE. A CANCEL that came before is
    /// told at once.
    pub fn claim(&self, tx: ServerTx, owner: &Owner) {
        self.order(Order::Claim { tx, owner: owner.clone() });
    }

    /// From now on requests and ACKs of this dialog go to `owner`, until the guard is dropped.
    /// Registering a key again moves it to the new owner.
    #[must_use = "dropping the guard forgets the dialog"]
    pub fn register_dialog(&self, key: DialogKey, owner: &Owner) -> DialogGuard {
        self.order(Order::RegisterDialog { key: key.clone(), owner: owner.clone() });
        DialogGuard { key, owner: owner.id(), handle: self.clone() }
    }

    /// Host and port to stand in our Contact, Via or Record-Route on this flow.
    pub fn local_contact(&self, flow: &Flow) -> HostPort {
        self.addresses.sent_by(flow)
    }

    /// A whole Contact URI for this flow, with the `transport` parameter where it is not UDP;
    /// `sips`: the dialog wants a SIPS URI of us ([`offhook_sip::dialog::wants_sips`]).
    pub fn contact_uri(&self, flow: &Flow, user: Option<&str>, sips: bool) -> SipUri {
        self.addresses.contact_uri(flow, user, sips)
    }

    /// Whether a flow's connection still lives; datagram flows always do.
    pub fn is_alive(&self, flow: &Flow) -> bool {
        self.wire.is_alive(flow)
    }

    /// Where media of a leg on this flow is bound, and what its SDP says.
    pub fn media_address(&self, flow: &Flow) -> MediaAddress {
        self.addresses.media(flow)
    }

    /// Resolves a target (from the cache, mostly) to the flow its first request would take, so
    /// that an offer can be written for the right interface.
    ///
    /// # Errors
    /// [`SendFailure::Resolve`] when the name leads nowhere, `Transport` when no listener fits.
    pub async fn flow_for(&self, target: &Target) -> Result<Flow, SendFailure> {
        let uris = match target {
            Target::Flow(flow) => return Ok(*flow),
            Target::Uri(uri) => std::slice::from_ref(uri),
            Target::Peers { uris } => uris.as_slice(),
        };
        let mut failure = SendFailure::Transport;
        for uri in uris {
            match self.locator.locate(uri).await {
                Ok(hops) => {
                    if let Some(hop) = hops.first() {
                        return Ok(self.addresses.flow_to(hop.transport, hop.address));
                    }
                }
                Err(e) => failure = SendFailure::Resolve(e.to_string()),
            }
        }
        Err(failure)
    }
}

/// Keeps a dialog's entry in the map. Dropping it forgets the dialog.
#[derive(Debug)]
pub struct DialogGuard {
    key: DialogKey,
    owner: u64,
    handle: SipHandle,
}

impl DialogGuard {
    /// The key.
    pub fn key(&self) -> &DialogKey {
        &self.key
    }
}

impl Drop for DialogGuard {
    fn drop(&mut self) {
        self.handle.order(Order::ForgetDialog { key: self.key.clone(), owner: self.owner });
    }
}
