//! The task itself: what it owns, and its loop.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use offhook_sip::ids::Ids;
use offhook_sip::message::{Response, StatusCode};
use offhook_sip::transaction::{self, ClientTx, ServerTx, TransactionLayer};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::handle::Order;
use super::sends::{Located, Sending};
use super::sticky::Sticky;
use super::{DialogKey, NewRequest, Owner, SipHandle};
use crate::bans::Bans;
use crate::metrics::Metrics;
use crate::resolve::Locator;
use crate::transport::advertise::Addresses;
use crate::transport::wire::{Incoming, Wire};

/// Messages and orders handled before timers are looked at again.
const BATCH: usize = 64;
/// New requests waiting for the office.
const OFFICE_QUEUE: usize = 1_024;

/// Longer than `max_ring_seconds` may be.
const LONGEST_INVITE: Duration = Duration::from_secs(3_700);

/// What the stack is told once.
#[derive(Clone, Debug)]
pub struct StackConfig {
    /// Timers and limits of transactions.
    pub transactions: transaction::Config,
    /// Silence from a target after which the next one is tried, when there is one. Longer than a
    /// lost datagram and its first retransmissions, shorter than a caller's patience.
    pub next_target_after: Duration,
    /// Text of the Server header in answers the stack gives by itself.
    pub server: String,
    /// Largest datagram that is looked at.
    pub max_datagram: usize,
}

/// Timers and limits of transactions by the configuration.
///
/// A call is given up by its own clock (`ring_seconds`, `max_ring_seconds`), which Timer C of
/// RFC 3261 §16.6 must not forestall: it is longer than any of them, for an INVITE that has lost its
/// owner.
pub fn transactions(sip: &offhook_config::Sip) -> transaction::Config {
    transaction::Config {
        t1: sip.t1,
        t2: sip.t2,
        t4: sip.t4,
        timer_c: LONGEST_INVITE,
        max_client: sip.max_transactions,
        max_server: sip.max_transactions,
        ..Default::default()
    }
}

impl Default for StackConfig {
    fn default() -> Self {
        Self {
            transactions: transaction::Config::default(),
            next_target_after: Duration::from_secs(5),
            server: "Offhook".into(),
            max_datagram: 65_535,
        }
    }
}

/// What the stack works with.
pub struct Parts {
    /// The way out.
    pub wire: Arc<dyn Wire>,
    /// The way in.
    pub incoming: mpsc::Receiver<Incoming>,
    /// RFC 3263.
    pub locator: Arc<Locator>,
    /// Who we are to whom.
    pub addresses: Arc<Addresses>,
    /// Who is shut out.
    pub bans: Bans,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Branches and tags.
    pub ids: Ids,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// The running stack.
pub struct Stack {
    pub(super) config: StackConfig,
    pub(super) layer: TransactionLayer,
    pub(super) wire: Arc<dyn Wire>,
    pub(super) locator: Arc<Locator>,
    pub(super) addresses: Arc<Addresses>,
    pub(super) bans: Bans,
    pub(super) metrics: Arc<Metrics>,
    pub(super) office: mpsc::Sender<NewRequest>,
    /// Requests under way, by our own number.
    pub(super) sends: HashMap<u64, Sending>,
    pub(super) next_send: u64,
    pub(super) by_tx: HashMap<ClientTx, u64>,
    pub(super) by_token: HashMap<(u64, u64), u64>,
    /// Client transactions that were given up: a late 2xx is acknowledged and hung up.
    pub(super) orphans: HashMap<ClientTx, offhook_sip::message::Request>,
    /// INVITEs that wait for their final response, and who hears of a CANCEL.
    pub(super) invites: HashMap<ServerTx, Invited>,
    /// When they are looked through for those that nobody will answer any more.
    pub(super) next_sweep: Option<Instant>,
    pub(super) dialogs: HashMap<DialogKey, Owner>,
    pub(super) sticky: Sticky,
    pub(super) located: mpsc::UnboundedSender<Located>,
    /// Places that took no large request over TCP, and until when they are spared.
    pub(super) udp_only: HashMap<std::net::SocketAddr, Instant>,
    /// When a silent target is given up for the next: deadline and send.
    pub(super) patience: std::collections::BTreeSet<(Instant, u64)>,
}

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stack").field("sends", &self.sends.len()).finish_non_exhaustive()
    }
}

/// An INVITE of somebody else's.
#[derive(Debug)]
pub(super) struct Invited {
    pub(super) owner: Option<Owner>,
    pub(super) cancelled: Option<offhook_sip::message::Request>,
    /// What is answered when its owner is gone without having answered.
    pub(super) refusal: Box<Response>,
    /// Whether it is a re-INVITE.
    pub(super) in_dialog: bool,
    pub(super) since: Instant,
    /// At the last sweep already nobody was there to answer it.
    pub(super) abandoned: bool,
}

/// Streams of work into the task.
struct Inboxes {
    incoming: mpsc::Receiver<Incoming>,
    orders: mpsc::UnboundedReceiver<Order>,
    located: mpsc::UnboundedReceiver<Located>,
    waiting: Arc<AtomicUsize>,
}

impl Stack {
    /// Starts the task on the current runtime. It ends when the wire closes its inbox, or when all
    /// handles are gone.
    pub fn spawn(config: StackConfig, parts: Parts) -> (SipHandle, mpsc::Receiver<NewRequest>) {
        let (orders, order_inbox) = mpsc::unbounded_channel();
        let (located, located_inbox) = mpsc::unbounded_channel();
        let (office, requests) = mpsc::channel(OFFICE_QUEUE);
        let waiting = Arc::new(AtomicUsize::new(0));
        let handle = SipHandle::new(
            orders,
            Arc::clone(&waiting),
            Arc::clone(&parts.addresses),
            Arc::clone(&parts.locator),
            Arc::clone(&parts.wire),
        );
        let inboxes = Inboxes {
            incoming: parts.incoming,
            orders: order_inbox,
            located: located_inbox,
            waiting,
        };
        let stack = Self {
            layer: TransactionLayer::new(config.transactions.clone(), parts.ids),
            config,
            wire: parts.wire,
            locator: parts.locator,
            addresses: parts.addresses,
            bans: parts.bans,
            metrics: parts.metrics,
            office,
            sends: HashMap::new(),
            next_send: 0,
            by_tx: HashMap::new(),
            by_token: HashMap::new(),
            orphans: HashMap::new(),
            invites: HashMap::new(),
            next_sweep: None,
            dialogs: HashMap::new(),
            sticky: Sticky::default(),
            located,
            udp_only: HashMap::new(),
            patience: std::collections::BTreeSet::new(),
        };
        tokio::spawn(stack.run(inboxes));
        (handle, requests)
    }

    async fn run(mut self, mut from: Inboxes) {
        let sleep = tokio::time::sleep_until(Instant::now());
        tokio::pin!(sleep);
        loop {
            let deadline = self.deadline();
            if let Some(at) = deadline
                && sleep.deadline() != at
            {
                sleep.as_mut().reset(at);
            }
            tokio::select! {
                biased;
                order = from.orders.recv() => match order {
                    Some(order) => {
                        from.waiting.fetch_sub(1, Ordering::Relaxed);
                        self.order(order);
                    }
                    None => return,
                },
                message = from.incoming.recv() => match message {
                    Some(message) => self.incoming(message),
                    None => return,
                },
                Some(located) = from.located.recv() => self.located(located),
                () = &mut sleep, if deadline.is_some() => {}
            }
            self.drain(&mut from);
            self.timers();
            self.pump();
        }
    }

    /// Takes what else is there without waiting, so that a burst costs one wake-up.
    fn drain(&mut self, from: &mut Inboxes) {
        for _ in 0..BATCH {
            self.pump();
            let mut idle = true;
            if let Ok(order) = from.orders.try_recv() {
                from.waiting.fetch_sub(1, Ordering::Relaxed);
                self.order(order);
                idle = false;
            }
            if let Ok(message) = from.incoming.try_recv() {
                self.incoming(message);
                idle = false;
            }
            // In its turn too: orders that never end must not hold up who waits for a name.
            if let Ok(located) = from.located.try_recv() {
                self.located(located);
                idle = false;
            }
            if idle {
                return;
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let layer = self.layer.poll_timeout().map(Instant::from_std);
        let patience = self.patience.first().map(|(at, _)| *at);
        [layer, patience, self.next_sweep].into_iter().flatten().min()
    }

    fn timers(&mut self) {
        let now = Instant::now();
        if self.layer.poll_timeout().is_some_and(|at| at <= now.into_std()) {
            self.layer.handle_timeout(now.into_std());
        }
        while let Some((at, id)) = self.patience.first().copied()
            && at <= now
        {
            self.patience.pop_first();
            self.give_up_target(id);
        }
        self.sweep_invites(now);
    }

    /// Sends and tells whatever the layer has ready.
    pub(super) fn pump(&mut self) {
        loop {
            let mut idle = true;
            while let Some(transmit) = self.layer.poll_transmit() {
                idle = false;
                self.transmit(&transmit.flow, transmit.bytes);
            }
            while let Some(event) = self.layer.poll_event() {
                idle = false;
                self.event(event);
            }
            if idle {
                break;
            }
        }
        let refused = self.layer.take_refused();
        if refused > 0 {
            self.metrics.sip_overloaded.add(refused);
        }
        let counts = self.layer.counts();
        self.metrics.client_transactions.set(counts.client as u64);
        self.metrics.server_transactions.set(counts.server as u64);
        self.metrics.dialogs.set(self.dialogs.len() as u64);
    }

    fn order(&mut self, order: Order) {
        match order {
            Order::Send { token, request, target, owner } => {
                self.send(token, request, target, owner);
            }
            Order::Cancel { token, owner, extra } => self.cancel(token, owner, extra),
            Order::SendAck { request, target } => self.send_ack(request, target),
            Order::Prove { tx } => self.layer.prove(tx),
            Order::Respond { tx, response } => self.respond(tx, response),
            Order::RespondOnce { tx, response } => self.layer.respond_once(tx, response),
            Order::Ping { back } => {
                // Whoever asked may have lost patience.
                let _ = back.send(!self.office.is_closed());
            }
            Order::Claim { tx, owner } => self.claim(tx, &owner),
            Order::RegisterDialog { key, owner } => {
                self.dialogs.insert(key, owner);
            }
            Order::ForgetDialog { key, owner } => self.forget_dialog(&key, owner),
        }
    }

    fn forget_dialog(&mut self, key: &DialogKey, owner: u64) {
        if self.dialogs.get(key).is_none_or(|o| o.id() != owner) {
            return;
        }
        let Some(owner) = self.dialogs.remove(key) else { return };
        if !owner.is_gone() {
            return;
        }
        self.answer_for(owner.id());
    }

    pub(super) fn respond(&mut self, tx: ServerTx, response: Response) {
        if response.status.is_final() {
            // From here on a CANCEL has no effect (RFC 3261 §9.2).
            self.invites.remove(&tx);
        }
        self.layer.respond(Instant::now().into_std(), tx, response);
    }

    /// Answers by itself, with our Server header.
    pub(super) fn refuse(
        &mut self,
        tx: ServerTx,
        request: &offhook_sip::message::Request,
        status: StatusCode,
    ) {
        let response = self.refusal(request, status);
        self.respond(tx, response);
    }

    /// The same to a stranger: see [`SipHandle::respond_once`].
    pub(super) fn refuse_once(
        &mut self,
        tx: ServerTx,
        request: &offhook_sip::message::Request,
        status: StatusCode,
    ) {
        let response = self.refusal(request, status);
        self.layer.respond_once(tx, response);
    }

    fn refusal(&self, request: &offhook_sip::message::Request, status: StatusCode) -> Response {
        use offhook_sip::header::HeaderName;
        let mut response = Response::to_request(request, status, None);
        response.headers.set(HeaderName::Server, self.config.server.as_str());
        if status == StatusCode::SERVICE_UNAVAILABLE {
            self.metrics.sip_overloaded.inc();
            let wait = self.config.transactions.retry_after;
            response.headers.set(HeaderName::RetryAfter, wait.to_string());
        }
        response
    }
}
