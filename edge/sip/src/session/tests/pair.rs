//! Two sessions on an ideal wire with a virtual clock.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::lab::*;
use crate::header::Headers;
use crate::ids::Ids;
use crate::message::{Method, Request, Response, StatusCode};
use crate::session::{Output, RequestToken, ServerTx, Session, SessionConfig, SessionEvent};

/// One side of a [`Pair`].
pub(super) struct Side {
    pub(super) config: Arc<SessionConfig>,
    pub(super) session: Option<Session>,
    pub(super) events: Vec<SessionEvent>,
    pub(super) ids: Ids,
    /// Answers offers and requests by itself.
    pub(super) polite: bool,
}

enum Wire {
    Request { token: RequestToken, request: Request },
    Ack(Request),
    Cancel { token: RequestToken, headers: Headers },
    Response { tx: ServerTx, response: Response },
}

/// Two sessions, an ideal transaction layer between them and a clock.
pub(super) struct Pair {
    pub(super) now: Instant,
    pub(super) start: Instant,
    pub(super) sides: [Side; 2],
    wire: VecDeque<(usize, Wire)>,
    /// Server transaction to the side and token that began it.
    origin: HashMap<ServerTx, (usize, RequestToken)>,
    finals: HashMap<ServerTx, bool>,
    next_tx: u64,
    /// `a INVITE`, `b 200`, in the order of delivery.
    pub(super) ladder: Vec<String>,
    /// Says which deliveries are lost.
    pub(super) lose: Box<dyn FnMut(&str) -> bool>,
}

pub(super) const A: usize = 0;
pub(super) const B: usize = 1;

impl Pair {
    pub(super) fn new(a: SessionConfig, b: SessionConfig) -> Self {
        let side = |config, seed| Side {
            config: Arc::new(config),
            session: None,
            events: Vec::new(),
            ids: Ids::from_seed(seed),
            polite: true,
        };
        let now = Instant::now();
        Self {
            now,
            start: now,
            sides: [side(a, 1), side(b, 2)],
            wire: VecDeque::new(),
            origin: HashMap::new(),
            finals: HashMap::new(),
            next_tx: 1,
            ladder: Vec::new(),
            lose: Box::new(|_| false),
        }
    }

    /// A calls B; the INVITE is delivered.
    pub(super) fn call(a: SessionConfig, b: SessionConfig, offer: Option<Bytes>) -> Self {
        let mut pair = Self::new(a, b);
        let side = &mut pair.sides[A];
        side.session = Some(Session::outgoing(
            pair.now,
            Arc::clone(&side.config),
            &mut side.ids,
            invite(offer),
        ));
        pair.run();
        pair
    }

    pub(super) fn side(&mut self, side: usize) -> &mut Session {
        self.sides[side].session.as_mut().unwrap()
    }

    /// A call that is answered at once.
    pub(super) fn answered(a: SessionConfig, b: SessionConfig) -> Self {
        let mut pair = Self::call(a, b, sdp(OFFER));
        let now = pair.now;
        pair.side(B).accept(now, sdp(ANSWER), none()).unwrap();
        pair.run();
        pair
    }

    pub(super) fn events(&mut self, side: usize) -> Vec<String> {
        std::mem::take(&mut self.sides[side].events).iter().map(name).collect()
    }

    /// Delivers until all is quiet.
    pub(super) fn run(&mut self) {
        loop {
            for side in [A, B] {
                self.collect(side);
            }
            let Some((from, message)) = self.wire.pop_front() else { return };
            self.deliver(from, message);
        }
    }

    /// Lets time pass.
    pub(super) fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        self.run();
        for _ in 0..100_000 {
            let sessions = self.sides.iter().filter_map(|side| side.session.as_ref());
            let due = sessions.filter_map(Session::poll_timeout).min();
            match due.filter(|at| *at <= end) {
                Some(at) => {
                    assert!(at >= self.start);
                    self.now = self.now.max(at);
                }
                None => {
                    self.now = end;
                    return;
                }
            }
            let now = self.now;
            for side in &mut self.sides {
                if let Some(session) = &mut side.session {
                    session.handle_timeout(now);
                }
            }
            self.run();
        }
        panic!("timers never stop: {:?}", self.ladder.iter().rev().take(20).collect::<Vec<_>>());
    }

    fn collect(&mut self, from: usize) {
        let now = self.now;
        let mut wire = Vec::new();
        let Side { session: Some(session), events, polite, .. } = &mut self.sides[from] else {
            return;
        };
        while let Some(output) = session.poll_output() {
            match output {
                Output::Send { token, request, .. } => {
                    wire.push(Wire::Request { token, request });
                }
                Output::SendAck { request, .. } => wire.push(Wire::Ack(request)),
                Output::Cancel { token, headers } => wire.push(Wire::Cancel { token, headers }),
                Output::Respond { tx, response } => wire.push(Wire::Response { tx, response }),
                Output::Event(event) => {
                    if *polite {
                        let reply = if from == A { OFFER } else { ANSWER };
                        match &event {
                            SessionEvent::Offer { token, .. } => {
                                session.answer_offer(now, *token, body(reply)).unwrap();
                            }
                            SessionEvent::Request { token, .. } => {
                                session
                                    .respond(now, *token, StatusCode::OK, &none(), None)
                                    .unwrap();
                            }
                            _ => {}
                        }
                    }
                    events.push(event);
                }
            }
        }
        self.wire.extend(wire.into_iter().map(|message| (from, message)));
    }

    fn deliver(&mut self, from: usize, message: Wire) {
        let who = if from == A { "a" } else { "b" };
        let to = 1 - from;
        let label = match &message {
            Wire::Request { request, .. } => format!("{who} {}", request.method),
            Wire::Ack(_) => format!("{who} ACK"),
            Wire::Cancel { .. } => format!("{who} CANCEL"),
            Wire::Response { response, .. } => format!("{who} {}", response.status.code()),
        };
        if (self.lose)(&label) {
            self.ladder.push(format!("{label} lost"));
            return;
        }
        self.ladder.push(label);
        match message {
            Wire::Request { token, request } => {
                let request = with_via(request, token.0);
                let tx = ServerTx(self.next_tx);
                self.next_tx += 1;
                self.origin.insert(tx, (from, token));
                self.receive(to, tx, &request);
            }
            Wire::Ack(request) => {
                let (now, request) = (self.now, with_via(request, 0));
                if let Some(session) = &mut self.sides[to].session {
                    session.handle_ack(now, &request);
                }
            }
            Wire::Cancel { token, headers } => {
                let tx = self.origin.iter().find(|(_, origin)| **origin == (from, token));
                let Some(tx) = tx.map(|(tx, _)| *tx) else { return };
                if self.finals.contains_key(&tx) {
                    return;
                }
                let mut cancel = Request::new(Method::Cancel, uri("sip:bob@192.0.2.2"));
                cancel.headers = headers;
                let now = self.now;
                if let Some(session) = &mut self.sides[to].session {
                    session.handle_cancel(now, tx, &cancel);
                }
            }
            Wire::Response { tx, response } => {
                let Some((side, token)) = self.origin.get(&tx).copied() else { return };
                assert_eq!(side, to, "a response goes back to who asked");
                if response.status.is_final() {
                    let again = self.finals.insert(tx, true).is_some();
                    assert!(!again || response.status.is_success(), "one final response");
                }
                let (now, response) = (self.now, parsed_response(&response));
                if let Some(session) = &mut self.sides[to].session {
                    session.handle_response(now, token, &response);
                }
            }
        }
    }

    fn receive(&mut self, to: usize, tx: ServerTx, request: &Request) {
        let now = self.now;
        let side = &mut self.sides[to];
        if let Some(session) = &mut side.session {
            session.handle_request(now, tx, request);
            return;
        }
        let contact = uri("sip:bob@192.0.2.2");
        let config = Arc::clone(&side.config);
        match Session::incoming(now, config, &mut side.ids, request, tx, contact) {
            Ok(session) => side.session = Some(session),
            Err(response) => self.wire.push_back((to, Wire::Response { tx, response })),
        }
    }

    /// Both sides said `Ended` once and have nothing left.
    pub(super) fn assert_over(&mut self) {
        self.advance(Duration::from_secs(200));
        for side in [A, B] {
            if let Some(session) = &self.sides[side].session {
                assert!(session.is_finished(), "side {side}: {:?}", self.ladder);
                assert_eq!(session.poll_timeout(), None);
            }
        }
    }
}
