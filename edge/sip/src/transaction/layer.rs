//! The tables, the queues, and the calls that reach both sides.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::client::Client;
use super::key::{Key, KeyMaker};
use super::overload::{Lingering, Refusals};
use super::server::Server;
use super::timers::{Queue, Slot};
use super::{ClientTx, Config, Counts, Event, Input, ServerTx, Transmit, TxId};
use crate::flow::Flow;
use crate::ids::Ids;
use crate::message::{Message, StatusCode};

/// All transactions of one element. See the [module](super).
///
/// After each call that takes `now` drain [`Self::poll_transmit`] and [`Self::poll_event`], and
/// call [`Self::handle_timeout`] at [`Self::poll_timeout`].
#[derive(Debug)]
pub struct TransactionLayer {
    pub(super) config: Config,
    pub(super) ids: Ids,
    pub(super) keys: KeyMaker,
    pub(super) clients: HashMap<ClientTx, Client>,
    pub(super) client_keys: HashMap<Key, ClientTx>,
    pub(super) servers: HashMap<ServerTx, Server>,
    pub(super) server_keys: HashMap<Key, ServerTx>,
    pub(super) merges: HashMap<Key, ServerTx>,
    pub(super) lingering: Lingering,
    pub(super) refusals: Refusals,
    pub(super) queue: Queue,
    pub(super) transmits: VecDeque<Transmit>,
    pub(super) events: VecDeque<Event>,
    pub(super) refused: u64,
    last_id: u64,
}

impl TransactionLayer {
    /// Empty tables. `ids` makes branches and tags.
    pub fn new(mut config: Config, ids: Ids) -> Self {
        // A T1 of zero would retransmit without end.
        config.t1 = config.t1.max(Duration::from_millis(1));
        config.t2 = config.t2.max(config.t1);
        // What is kept for calls must leave room for others, however small the table.
        config.client_reserve = config.client_reserve.min(config.max_client / 4);
        config.server_reserve = config.server_reserve.min(config.max_server / 4);
        Self {
            config,
            ids,
            keys: KeyMaker::default(),
            clients: HashMap::new(),
            client_keys: HashMap::new(),
            servers: HashMap::new(),
            server_keys: HashMap::new(),
            merges: HashMap::new(),
            lingering: Lingering::default(),
            refusals: Refusals::default(),
            queue: Queue::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            refused: 0,
            last_id: 0,
        }
    }

    /// A fresh To tag, for who answers a request for somebody who is gone.
    pub fn tag(&mut self) -> String {
        self.ids.tag()
    }

    /// Takes a parsed message whose top Via has `received` and `rport` filled in
    /// (RFC 3261 §18.2.1, RFC 3581 §4).
    pub fn receive(&mut self, now: Instant, message: Message, flow: Flow) {
        match message {
            Message::Request(request) => self.receive_request(now, request, flow),
            Message::Response(response) => self.receive_response(now, response, flow),
        }
        self.tidy();
    }

    /// Fires what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, tx)) = self.queue.pop_due(now) {
            match tx {
                TxId::Client(id) => {
                    let Some(client) = self.clients.get_mut(&id) else { continue };
                    if client.timers.is_queued(at) {
                        client.timers.woken();
                        self.drive_client(now, id, None, None);
                    }
                }
                TxId::Server(id) => {
                    let Some(server) = self.servers.get_mut(&id) else { continue };
                    if server.timers.is_queued(at) {
                        server.timers.woken();
                        self.drive_server(now, id, None, None);
                    }
                }
            }
        }
        self.tidy();
    }

    /// When [`Self::handle_timeout`] wants to be called; `None`: nothing is running.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.queue.next(self.config.tidy_grain)
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next thing to know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// How many requests of others have found the table full since the last call.
    pub fn take_refused(&mut self) -> u64 {
        std::mem::take(&mut self.refused)
    }

    /// How many transactions there are.
    pub fn counts(&self) -> Counts {
        Counts { client: self.clients.len(), server: self.servers.len() }
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn transmit(&mut self, flow: Flow, bytes: Bytes) {
        self.transmits.push_back(Transmit { flow, bytes });
    }

    /// Keeps the helper queues in proportion to the tables.
    pub(super) fn tidy(&mut self) {
        let Self { clients, servers, queue, .. } = self;
        let live = |at, tx| match tx {
            TxId::Client(id) => clients.get(&id).is_some_and(|c| c.timers.is_queued(at)),
            TxId::Server(id) => servers.get(&id).is_some_and(|s| s.timers.is_queued(at)),
        };
        queue.trim(live);
        if queue.len() > 2 * (clients.len() + servers.len()) + 256 {
            queue.compact(live);
        }
        self.lingering.trim(&self.servers);
    }

    #[cfg(test)]
    pub(super) fn leftovers(&self) -> usize {
        self.client_keys.len() + self.server_keys.len() + self.merges.len() + self.queue.len()
    }

    #[cfg(test)]
    pub(super) fn wakeups(&self) -> usize {
        self.queue.len()
    }
}

impl From<Slot> for Input {
    fn from(slot: Slot) -> Self {
        match slot {
            Slot::Tick => Self::Tick,
            Slot::Expire => Self::Expire,
        }
    }
}

impl From<StatusCode> for Input {
    fn from(status: StatusCode) -> Self {
        match status {
            s if s.is_provisional() => Self::Provisional,
            s if s.is_success() => Self::Success,
            _ => Self::Failure,
        }
    }
}
