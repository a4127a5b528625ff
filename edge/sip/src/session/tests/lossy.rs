//! Two sessions on real transaction layers over a network that loses, delays, reorders and
//! duplicates: whatever both users do, both sides end and nothing is left.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::lab::*;
use super::pair::*;
use crate::flow::{Flow, Transport};
use crate::ids::Ids;
use crate::message::{Method, Request, Response, StatusCode};
use crate::session::{
    Output, PreferRefresher, ReliableProvisionals, RequestToken, SendFailure, Session,
    SessionConfig, SessionEvent,
};
use crate::transaction::{ClientTx, Config, Counts, Event, ServerTx, TransactionLayer};
use crate::uri::HostPort;

const SECOND: Duration = Duration::from_secs(1);

/// A user agent: one session on a transaction layer of its own.
struct Node {
    address: SocketAddr,
    layer: TransactionLayer,
    ids: Ids,
    config: Arc<SessionConfig>,
    session: Option<Session>,
    tokens: HashMap<RequestToken, ClientTx>,
    clients: HashMap<ClientTx, RequestToken>,
    ended: Vec<String>,
}

impl Node {
    fn new(address: &str, seed: u64, config: SessionConfig) -> Self {
        Self {
            address: address.parse().unwrap(),
            layer: TransactionLayer::new(Config::default(), Ids::from_seed(seed)),
            ids: Ids::from_seed(seed + 1000),
            config: Arc::new(config),
            session: None,
            tokens: HashMap::new(),
            clients: HashMap::new(),
            ended: Vec::new(),
        }
    }

    fn flow_to(&self, peer: SocketAddr) -> Flow {
        Flow { transport: Transport::Udp, local: self.address, remote: peer, connection: None }
    }

    /// Moves everything between session and layer until both are quiet.
    fn settle(&mut self, now: Instant, peer: SocketAddr) {
        for round in 0.. {
            assert!(round < 100, "the node never comes to rest");
            let mut moved = false;
            while let Some(event) = self.layer.poll_event() {
                moved = true;
                self.on_event(now, event);
            }
            while let Some(output) = self.session.as_mut().and_then(Session::poll_output) {
                moved = true;
                self.on_output(now, output, peer);
            }
            if !moved {
                return;
            }
        }
    }

    fn on_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Request { tx, request, .. } => self.on_request(now, tx, &request),
            Event::Ack { request, .. } => {
                if let Some(session) = &mut self.session {
                    session.handle_ack(now, &request);
                }
            }
            Event::Cancel { invite, request, .. } => {
                if let Some(session) = &mut self.session {
                    session.handle_cancel(now, invite, &request);
                }
            }
            Event::Response { tx, response, .. } => {
                if let (Some(token), Some(session)) = (self.clients.get(&tx), &mut self.session) {
                    session.handle_response(now, *token, &response);
                }
            }
            Event::Timeout { tx } | Event::TransportError { tx } => {
                if let (Some(token), Some(session)) = (self.clients.get(&tx), &mut self.session) {
                    session.handle_failure(now, *token, SendFailure::Timeout);
                }
            }
            Event::StrayResponse { .. } | Event::AckTimeout { .. } | Event::Terminated { .. } => {}
        }
    }

    fn on_request(&mut self, now: Instant, tx: ServerTx, request: &Request) {
        if let Some(session) = &mut self.session {
            session.handle_request(now, tx, request);
            return;
        }
        if request.method != Method::Invite || request.to_tag().is_some() {
            let status = StatusCode::CALL_DOES_NOT_EXIST;
            let mut response = Response::to_request(request, status, None);
            response.ensure_to_tag("none");
            self.layer.respond(now, tx, response);
            return;
        }
        let config = Arc::clone(&self.config);
        let contact = uri(&format!("sip:bob@{}", self.address));
        match Session::incoming(now, config, &mut self.ids, request, tx, contact) {
            Ok(session) => self.session = Some(session),
            Err(response) => self.layer.respond(now, tx, response),
        }
    }

    fn on_output(&mut self, now: Instant, output: Output, peer: SocketAddr) {
        let (flow, sent_by) = (self.flow_to(peer), HostPort::from(self.address));
        match output {
            Output::Send { token, request, .. } => {
                let tx = self.layer.send_request(now, request, flow, &sent_by).unwrap();
                self.tokens.insert(token, tx);
                self.clients.insert(tx, token);
            }
            Output::SendAck { request, .. } => self.layer.send_stateless(request, flow, &sent_by),
            Output::Cancel { token, headers } => {
                if let Some(tx) = self.tokens.get(&token) {
                    self.layer.cancel(now, *tx, headers);
                }
            }
            Output::Respond { tx, response } => self.layer.respond(now, tx, response),
            Output::Event(event) => self.on_news(now, &event),
        }
    }

    fn on_news(&mut self, now: Instant, event: &SessionEvent) {
        let Some(session) = &mut self.session else { return };
        match event {
            SessionEvent::Offer { token, .. } => {
                session.answer_offer(now, *token, body(ANSWER)).unwrap();
            }
            SessionEvent::Request { token, .. } => {
                session.respond(now, *token, StatusCode::OK, &none(), None).unwrap();
            }
            SessionEvent::Ended { .. } => self.ended.push(name(event)),
            _ => {}
        }
    }

    fn due(&self) -> Option<Instant> {
        let session = self.session.as_ref().and_then(Session::poll_timeout);
        session.into_iter().chain(self.layer.poll_timeout()).min()
    }
}

/// What the users do.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Ring(u16, bool),
    Accept,
    Reject,
    Hangup,
    ReInvite,
    Update,
    Info,
}

struct World {
    now: Instant,
    nodes: [Node; 2],
    rng: StdRng,
    loss: f64,
    air: Vec<(Instant, usize, Bytes)>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut config = || SessionConfig {
            session_expires: rng.random_bool(0.5).then_some(90),
            refresher: if rng.random_bool(0.5) {
                PreferRefresher::Us
            } else {
                PreferRefresher::Peer
            },
            reliable_provisionals: if rng.random_bool(0.5) {
                ReliableProvisionals::IfOffered
            } else {
                ReliableProvisionals::Never
            },
            ..SessionConfig::default()
        };
        let nodes = [
            Node::new("192.0.2.1:5060", seed * 2, config()),
            Node::new("192.0.2.2:5060", seed * 2 + 1, config()),
        ];
        let loss = [0.0, 0.1, 0.3, 0.6][(seed % 4) as usize];
        Self { now: Instant::now(), nodes, rng, loss, air: Vec::new() }
    }

    fn call(&mut self) {
        let offer = if self.rng.random_bool(0.7) { sdp(OFFER) } else { None };
        let node = &mut self.nodes[A];
        let config = Arc::clone(&node.config);
        node.session = Some(Session::outgoing(self.now, config, &mut node.ids, invite(offer)));
    }

    fn act(&mut self, side: usize, deed: Deed) {
        let now = self.now;
        let Some(session) = &mut self.nodes[side].session else { return };
        // What does not fit the state is refused, and that is part of the test.
        let _ = match deed {
            Deed::Ring(status, with) => {
                let description = if with { sdp(ANSWER) } else { None };
                session.provisional(now, code(status), description, none())
            }
            Deed::Accept => session.accept(now, sdp(ANSWER), none()),
            Deed::Reject => session.reject(now, code(486), None, none()),
            Deed::ReInvite => session.reinvite(now, sdp(OFFER), none()),
            Deed::Update => session.update(now, sdp(OFFER), none()),
            Deed::Info => session.send(now, Method::Info, &none(), None).map(|_| ()),
            Deed::Hangup => {
                session.hangup(now, none());
                Ok(())
            }
        };
    }

    /// Runs until `end` or until nothing is left to happen.
    fn run(&mut self, end: Instant) {
        for _ in 0..20_000 {
            for side in [A, B] {
                let peer = self.nodes[1 - side].address;
                self.nodes[side].settle(self.now, peer);
                self.launch(side);
            }
            let timers = self.nodes.iter().filter_map(Node::due);
            let next = timers.chain(self.air.iter().map(|(at, ..)| *at)).min();
            match next.filter(|at| *at <= end) {
                Some(at) => self.now = self.now.max(at),
                None => {
                    self.now = self.now.max(end);
                    return;
                }
            }
            self.land();
            let now = self.now;
            for node in &mut self.nodes {
                if let Some(session) = &mut node.session {
                    session.handle_timeout(now);
                }
                node.layer.handle_timeout(now);
            }
        }
        panic!("the world never comes to rest");
    }

    fn launch(&mut self, side: usize) {
        while let Some(transmit) = self.nodes[side].layer.poll_transmit() {
            let copies = if self.rng.random_bool(self.loss) {
                0
            } else if self.rng.random_bool(0.05) {
                2
            } else {
                1
            };
            for _ in 0..copies {
                let delay = Duration::from_millis(self.rng.random_range(5..250));
                self.air.push((self.now + delay, 1 - side, transmit.bytes.clone()));
            }
        }
    }

    fn land(&mut self) {
        let now = self.now;
        let mut landed: Vec<(Instant, usize, Bytes)> =
            self.air.extract_if(.., |(at, ..)| *at <= now).collect();
        landed.sort_by_key(|(at, ..)| *at);
        for (_, side, bytes) in landed {
            let peer = self.nodes[1 - side].address;
            let flow = self.nodes[side].flow_to(peer);
            let message = crate::parse::datagram(bytes).unwrap();
            self.nodes[side].layer.receive(now, message, flow);
            self.nodes[side].settle(now, peer);
        }
    }
}

fn deeds(rng: &mut StdRng) -> Vec<(u64, usize, Deed)> {
    let mut deeds = Vec::new();
    for _ in 0..rng.random_range(0..3) {
        let status = if rng.random_bool(0.5) { 180 } else { 183 };
        deeds.push((rng.random_range(0..4000), B, Deed::Ring(status, rng.random_bool(0.5))));
    }
    let answer = if rng.random_bool(0.85) { Deed::Accept } else { Deed::Reject };
    deeds.push((rng.random_range(0..8000), B, answer));
    for _ in 0..rng.random_range(0..4) {
        let deed = [Deed::ReInvite, Deed::Update, Deed::Info][rng.random_range(0..3)];
        deeds.push((rng.random_range(0..20_000), rng.random_range(0..2), deed));
    }
    if rng.random_bool(0.7) {
        deeds.push((rng.random_range(0..12_000), rng.random_range(0..2), Deed::Hangup));
    }
    // Hanging up close to the answer is where the races are.
    if rng.random_bool(0.3) {
        let at = deeds.iter().find(|d| matches!(d.2, Deed::Accept)).map_or(0, |d| d.0);
        deeds.push((at + rng.random_range(0..600), rng.random_range(0..2), Deed::Hangup));
    }
    deeds.sort_by_key(|(at, ..)| *at);
    deeds
}

fn play(seed: u64) -> Vec<String> {
    let mut world = World::new(seed);
    let start = world.now;
    world.call();
    let deeds = deeds(&mut world.rng);
    for (at, side, deed) in deeds {
        world.run(start + Duration::from_millis(at));
        world.act(side, deed);
    }
    world.run(start + 200 * SECOND);
    for side in [A, B] {
        world.act(side, Deed::Hangup);
        world.run(world.now + SECOND);
    }
    world.run(world.now + 400 * SECOND);
    let mut outcomes = Vec::new();
    for node in &mut world.nodes {
        if let Some(session) = &node.session {
            assert_eq!(node.ended.len(), 1, "seed {seed}: {:?}", node.ended);
            assert!(session.is_finished(), "seed {seed}: {session:?}");
            assert_eq!(session.poll_timeout(), None, "seed {seed}");
        }
        assert_eq!(node.layer.counts(), Counts::default(), "seed {seed}");
        assert_eq!(node.layer.poll_timeout(), None, "seed {seed}");
        outcomes.append(&mut node.ended);
    }
    outcomes
}

#[test]
fn calls_over_a_bad_network_end_on_both_sides_and_leave_nothing() {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for seed in 0..400 {
        for outcome in play(seed) {
            *seen.entry(outcome).or_default() += 1;
        }
    }
    // The runs are only worth something when they reach all the ways out.
    for outcome in ["Ended Local", "Ended Remote", "Ended Rejected", "Ended AckTimeout"] {
        assert!(seen.contains_key(outcome), "{outcome} was never reached: {seen:?}");
    }
}
