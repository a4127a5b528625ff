//! A network made of channels, for tests under a paused clock. Not compiled into the product.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use offhook_sip::flow::{Flow, Transport};
use offhook_sip::ids::Ids;
use offhook_sip::message::{Message, Request, Response, StatusCode};
use offhook_sip::parse;
use tokio::sync::mpsc;

use super::{NewRequest, Parts, SipHandle, Stack, StackConfig};
use crate::bans::{Bans, Policy};
use crate::metrics::Metrics;
use crate::resolve::locate::Abilities;
use crate::resolve::{
    Answer, Answering, CachingResolver, Locator, Question, Record, RecordKind, ResolveError,
    Resolver,
};
use crate::transport::advertise::{Addresses, ListenAddress};
use crate::transport::wire::{Incoming, Wire, WireError};

/// Our own address in the lab.
pub(crate) const US: &str = "192.0.2.1:5060";

/// Sends into a channel; addresses in `dead` cannot be reached, nor by streams those in `closed`.
#[derive(Debug)]
pub(crate) struct LabWire {
    out: mpsc::UnboundedSender<(Flow, Bytes)>,
    pub(crate) dead: Mutex<HashSet<SocketAddr>>,
    pub(crate) closed: Mutex<HashSet<SocketAddr>>,
}

impl Wire for LabWire {
    fn send(&self, flow: &Flow, bytes: Bytes) -> Result<(), WireError> {
        if self.dead.lock().unwrap().contains(&flow.remote) {
            return Err(WireError::Failed);
        }
        if !self.is_alive(flow) {
            return Err(WireError::Gone);
        }
        self.out.send((*flow, bytes)).map_err(|_| WireError::Gone)
    }

    fn is_alive(&self, flow: &Flow) -> bool {
        !flow.transport.is_reliable() || !self.closed.lock().unwrap().contains(&flow.remote)
    }
}

/// A table of names. A name that is not there has no records; one in `silent` is never answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub(crate) records: Arc<Mutex<HashMap<Question, Vec<Record>>>>,
    pub(crate) silent: Arc<Mutex<HashSet<Box<str>>>>,
    pub(crate) asked: Arc<Mutex<Vec<Question>>>,
    pub(crate) ttl: Arc<Mutex<Duration>>,
    /// How long an answer takes.
    pub(crate) slow: Arc<Mutex<Duration>>,
}

impl Names {
    pub(crate) fn address(&self, name: &str, addresses: &[&str]) {
        let records = addresses.iter().map(|a| Record::Address(a.parse().unwrap())).collect();
        self.set(name, RecordKind::V4, records);
    }

    pub(crate) fn srv(&self, name: &str, records: &[(u16, u16, u16, &str)]) {
        let srv = |(priority, weight, port, target): &(u16, u16, u16, &str)| Record::Srv {
            priority: *priority,
            weight: *weight,
            port: *port,
            target: (*target).into(),
        };
        self.set(name, RecordKind::Srv, records.iter().map(srv).collect());
    }

    pub(crate) fn set(&self, name: &str, kind: RecordKind, records: Vec<Record>) {
        self.records.lock().unwrap().insert(Question::new(name, kind), records);
    }
}

impl Resolver for Names {
    fn lookup(&self, question: Question) -> Answering {
        self.asked.lock().unwrap().push(question.clone());
        if self.silent.lock().unwrap().contains(&question.name) {
            return Box::pin(std::future::pending::<Result<Answer, ResolveError>>());
        }
        let records = self.records.lock().unwrap().get(&question).cloned().unwrap_or_default();
        let ttl = *self.ttl.lock().unwrap();
        let ttl = if ttl.is_zero() { Duration::from_secs(60) } else { ttl };
        let slow = *self.slow.lock().unwrap();
        Box::pin(async move {
            if !slow.is_zero() {
                tokio::time::sleep(slow).await;
            }
            Ok(Answer { records, ttl })
        })
    }
}

/// One stack and the ends of its wire.
pub(crate) struct Lab {
    pub(crate) sip: SipHandle,
    pub(crate) requests: mpsc::Receiver<NewRequest>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) bans: Bans,
    pub(crate) wire: Arc<LabWire>,
    pub(crate) names: Names,
    pub(crate) locator: Arc<Locator>,
    pub(crate) addresses: Arc<Addresses>,
    inject: mpsc::Sender<Incoming>,
    sent: mpsc::UnboundedReceiver<(Flow, Bytes)>,
}

/// Yields until every task has nothing more to do without the clock.
pub(crate) async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

impl Lab {
    pub(crate) fn new() -> Self {
        let metrics = Arc::new(Metrics::default());
        let policy = Policy {
            failures: 5,
            window: Duration::from_secs(60),
            ban: Duration::from_secs(600),
            never: Vec::new(),
        };
        let bans = Bans::new(policy, None, Arc::clone(&metrics), None);
        let names = Names::default();
        let abilities = Abilities { udp: true, tcp: true, tls: true, v4: true, v6: false };
        let resolver = CachingResolver::new(Arc::new(names.clone()), Arc::clone(&metrics));
        let locator = Arc::new(Locator::new(resolver, abilities, 7));
        let listen =
            |transport| ListenAddress { transport, bound: US.parse().unwrap(), external: None };
        let listeners = [Transport::Udp, Transport::Tcp, Transport::Tls].map(listen).to_vec();
        let addresses = Arc::new(Addresses::new(listeners, Vec::new(), Vec::new()));
        let (out, sent) = mpsc::unbounded_channel();
        let wire = Arc::new(LabWire { out, dead: Mutex::default(), closed: Mutex::default() });
        let (inject, incoming) = mpsc::channel(4_096);
        let parts = Parts {
            wire: Arc::clone(&wire) as Arc<dyn Wire>,
            incoming,
            locator: Arc::clone(&locator),
            addresses: Arc::clone(&addresses),
            bans: bans.clone(),
            metrics: Arc::clone(&metrics),
            ids: Ids::from_seed(1),
        };
        let (sip, requests) = Stack::spawn(StackConfig::default(), parts);
        Self { sip, requests, metrics, bans, wire, names, locator, addresses, inject, sent }
    }

    /// A datagram from `source`.
    pub(crate) async fn datagram(&self, source: &str, text: impl Into<Bytes>) {
        let flow = udp(source);
        self.inject.send(Incoming::Datagram { flow, bytes: text.into() }).await.unwrap();
        settle().await;
    }

    /// A message on a stream.
    pub(crate) async fn stream(&self, flow: Flow, text: impl Into<Bytes>) {
        let message = parse::datagram(text.into()).unwrap();
        self.inject.send(Incoming::Message { flow, message }).await.unwrap();
        settle().await;
    }

    /// A connection ended.
    pub(crate) async fn lost(&self, flow: Flow) {
        self.inject.send(Incoming::Lost { flow }).await.unwrap();
        settle().await;
    }

    /// The next message sent, and the way; waits under the paused clock.
    pub(crate) async fn sent_over(&mut self) -> (Flow, Message) {
        // Of the paused clock: what never comes is a test that failed, not one that hangs.
        let sent = tokio::time::timeout(Duration::from_secs(24 * 3_600), self.sent.recv());
        let (flow, bytes) = sent.await.unwrap().unwrap();
        (flow, parse::datagram(bytes).unwrap())
    }

    /// The next message sent, and whereto; waits under the paused clock.
    pub(crate) async fn sent(&mut self) -> (SocketAddr, Message) {
        let (flow, message) = self.sent_over().await;
        (flow.remote, message)
    }

    pub(crate) async fn sent_request(&mut self) -> (SocketAddr, Request) {
        loop {
            if let (to, Message::Request(request)) = self.sent().await {
                return (to, request);
            }
        }
    }

    pub(crate) async fn sent_response(&mut self) -> (SocketAddr, Response) {
        loop {
            if let (to, Message::Response(response)) = self.sent().await {
                return (to, response);
            }
        }
    }

    /// What was sent and not yet looked at, without waiting.
    pub(crate) async fn drain(&mut self) -> Vec<(SocketAddr, Message)> {
        settle().await;
        let mut all = Vec::new();
        while let Ok((flow, bytes)) = self.sent.try_recv() {
            all.push((flow.remote, parse::datagram(bytes).unwrap()));
        }
        all
    }

    /// `peer` answers a request of ours.
    pub(crate) async fn answer(&self, peer: SocketAddr, request: &Request, status: StatusCode) {
        let mut response = Response::to_request(request, status, None);
        response.ensure_to_tag("peer");
        self.datagram(&peer.to_string(), response.to_bytes()).await;
    }

    /// Lets all timers run out and says what is left: client and server transactions.
    pub(crate) async fn survivors(&mut self) -> (u64, u64) {
        tokio::time::sleep(Duration::from_secs(400)).await;
        self.drain().await;
        (self.metrics.client_transactions.get(), self.metrics.server_transactions.get())
    }
}

pub(crate) fn udp(source: &str) -> Flow {
    Flow {
        transport: Transport::Udp,
        local: US.parse().unwrap(),
        remote: source.parse().unwrap(),
        connection: None,
    }
}

/// A request as a phone at `source` would send it.
pub(crate) fn request(
    method: &str,
    uri: &str,
    source: &str,
    call_id: &str,
    seq: u32,
    more: &str,
) -> String {
    let aor = uri.split(';').next().unwrap_or(uri);
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {source};branch=z9hG4bK{call_id}{seq}{method};rport\r\n\
         Max-Forwards: 70\r\nFrom: <{aor}>;tag=f{call_id}\r\nTo: <{aor}>\r\n\
         Call-ID: {call_id}\r\nCSeq: {seq} {method}\r\n{more}Content-Length: 0\r\n\r\n"
    )
}
