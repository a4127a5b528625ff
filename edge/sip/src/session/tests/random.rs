//! Whatever is fed in whatever order: no panic, one `Ended`, an end to every wait.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::lab::*;
use crate::header::HeaderName;
use crate::message::{Method, Request};
use crate::session::{
    InboundToken, OfferToken, Output, ReliableProvisionals, RequestToken, SendFailure, ServerTx,
    Session, SessionConfig, SessionEvent,
};

/// One thing that happens to a session.
#[derive(Clone, Debug)]
enum Step {
    Wait(u32),
    Timeout,
    Provisional(u16, bool),
    Accept(bool),
    Reject(u16),
    Redirect,
    Hangup,
    ReInvite(bool),
    Update(bool),
    AnswerOffer(bool),
    Send(u8),
    RespondInbound(u16),
    Retry,
    GiveUp,
    /// A request of the peer: method, step of CSeq, with SDP, with our RSeq.
    Request {
        method: u8,
        skip: i8,
        sdp: bool,
        rack: u8,
    },
    Ack {
        back: u8,
        sdp: bool,
    },
    Cancel(u8),
    /// A response to one of our transactions: which, status, tag, SDP, RSeq.
    Response {
        which: u8,
        status: u16,
        tag: u8,
        sdp: bool,
        rseq: Option<u8>,
    },
    Failure(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let status = prop_oneof![
        Just(100u16),
        Just(180),
        Just(183),
        Just(200),
        Just(202),
        Just(302),
        Just(401),
        Just(407),
        Just(408),
        Just(422),
        Just(481),
        Just(487),
        Just(491),
        Just(500),
        Just(603),
        100u16..700,
    ];
    prop_oneof![
        (0u32..40_000).prop_map(Step::Wait),
        Just(Step::Timeout),
        (100u16..200, any::<bool>()).prop_map(|(s, d)| Step::Provisional(s, d)),
        any::<bool>().prop_map(Step::Accept),
        status.clone().prop_map(Step::Reject),
        Just(Step::Redirect),
        Just(Step::Hangup),
        any::<bool>().prop_map(Step::ReInvite),
        any::<bool>().prop_map(Step::Update),
        any::<bool>().prop_map(Step::AnswerOffer),
        any::<u8>().prop_map(Step::Send),
        status.clone().prop_map(Step::RespondInbound),
        Just(Step::Retry),
        Just(Step::GiveUp),
        (any::<u8>(), -2i8..4, any::<bool>(), 0u8..3)
            .prop_map(|(method, skip, sdp, rack)| Step::Request { method, skip, sdp, rack }),
        (0u8..3, any::<bool>()).prop_map(|(back, sdp)| Step::Ack { back, sdp }),
        any::<u8>().prop_map(Step::Cancel),
        (any::<u8>(), status, 0u8..3, any::<bool>(), proptest::option::of(0u8..4)).prop_map(
            |(which, status, tag, sdp, rseq)| Step::Response { which, status, tag, sdp, rseq }
        ),
        any::<u8>().prop_map(Step::Failure),
    ]
}

/// A session and what a careless world knows of it.
struct World {
    session: Session,
    now: Instant,
    cseq: u32,
    next_tx: u64,
    sent: Vec<(RequestToken, Request)>,
    offer: Option<OfferToken>,
    inbound: Option<InboundToken>,
    challenged: Option<RequestToken>,
    rseq: u32,
    ended: usize,
}

impl World {
    fn callee(config: SessionConfig, fields: &[&str], offer: bool) -> Self {
        let invite = bobs_invite(fields, offer.then_some(OFFER));
        let (session, now) = incoming(config, &invite);
        Self::around(session, now)
    }

    fn caller(config: SessionConfig, offer: bool) -> Self {
        let (session, now) = outgoing(config, if offer { sdp(OFFER) } else { None });
        Self::around(session, now)
    }

    fn around(session: Session, now: Instant) -> Self {
        let mut world = Self {
            session,
            now,
            cseq: 10,
            next_tx: 2,
            sent: Vec::new(),
            offer: None,
            inbound: None,
            challenged: None,
            rseq: 0,
            ended: 0,
        };
        world.drain();
        world
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Send { token, request, next_hop: _ } => {
                    // What we send can be read.
                    self.sent.push((token, with_via(request, token.0)));
                }
                Output::Respond { response, .. } => {
                    let response = parsed_response(&response);
                    if let Some(rseq) = response.headers.text(&HeaderName::RSeq) {
                        self.rseq = rseq.parse().unwrap();
                    }
                }
                Output::Event(event) => self.note(&event),
                Output::SendAck { .. } | Output::Cancel { .. } => {}
            }
        }
    }

    fn note(&mut self, event: &SessionEvent) {
        assert!(
            self.ended == 0
                || matches!(
                    event,
                    SessionEvent::Challenge { .. }
                        | SessionEvent::Response { .. }
                        | SessionEvent::RequestFailed { .. }
                ),
            "after the end: {event:?}"
        );
        match event {
            SessionEvent::Offer { token, .. } => self.offer = Some(*token),
            SessionEvent::Request { token, .. } => self.inbound = Some(*token),
            SessionEvent::Challenge { token, .. } => self.challenged = Some(*token),
            SessionEvent::Ended { .. } => self.ended += 1,
            _ => {}
        }
    }

    fn peer_request(&mut self, method: &str, cseq: u32, with_sdp: bool, rack: u8) -> Request {
        let rack =
            format!("RAck: {} 10 INVITE", self.rseq.wrapping_sub(1).wrapping_add(rack.into()));
        let fields: &[&str] = if method == "PRACK" { &[&rack] } else { &[] };
        let sdp = with_sdp.then_some(ANSWER);
        let mut request = in_dialog(&self.session, method, cseq, fields, sdp);
        if self.session.call_id() != "one@atlanta" {
            request.headers.set(HeaderName::CallId, self.session.call_id().to_owned());
            request.headers.set(HeaderName::From, "<sip:bob@biloxi.example.com>;tag=t0");
        }
        request
    }

    fn apply(&mut self, step: &Step) {
        let (now, session) = (self.now, &mut self.session);
        let description = |yes: bool| if yes { sdp(ANSWER) } else { None };
        match step {
            Step::Wait(ms) => {
                self.now += Duration::from_millis(u64::from(*ms));
                session.handle_timeout(self.now);
            }
            Step::Timeout => {
                if let Some(at) = session.poll_timeout() {
                    self.now = self.now.max(at);
                    session.handle_timeout(self.now);
                }
            }
            Step::Provisional(status, with) => {
                let _ = session.provisional(now, code(*status), description(*with), none());
            }
            Step::Accept(with) => drop(session.accept(now, description(*with), none())),
            Step::Reject(status) => drop(session.reject(now, code(*status), None, none())),
            Step::Redirect => drop(session.redirect(now, code(302), &[], none())),
            Step::Hangup => session.hangup(now, none()),
            Step::ReInvite(with) => drop(session.reinvite(now, description(*with), none())),
            Step::Update(with) => drop(session.update(now, description(*with), none())),
            Step::AnswerOffer(yes) => {
                if let Some(token) = self.offer {
                    let _ = if *yes {
                        session.answer_offer(now, token, body(ANSWER))
                    } else {
                        session.refuse_offer(now, token, code(488))
                    };
                }
            }
            Step::Send(which) => {
                let methods = [Method::Info, Method::Refer, Method::Message, Method::Bye];
                let method = methods[usize::from(*which) % methods.len()].clone();
                let _ = session.send(now, method, &none(), None);
            }
            Step::RespondInbound(status) => {
                if let Some(token) = self.inbound {
                    let _ = session.respond(now, token, code(*status), &none(), None);
                }
            }
            Step::Retry => {
                if let Some(token) = self.challenged {
                    let _ = session.retry_with(now, token, &none());
                }
            }
            Step::GiveUp => {
                if let Some(token) = self.challenged {
                    let _ = session.give_up(now, token);
                }
            }
            Step::Request { method, skip, sdp, rack } => self.request(*method, *skip, *sdp, *rack),
            Step::Ack { back, sdp } => {
                let cseq = self.cseq.saturating_sub(u32::from(*back));
                let ack = self.peer_request("ACK", cseq, *sdp, 0);
                self.session.handle_ack(now, &ack);
            }
            Step::Cancel(which) => {
                let tx = ServerTx(1 + u64::from(*which) % self.next_tx);
                let cancel = self.peer_request("CANCEL", self.cseq, false, 0);
                self.session.handle_cancel(now, tx, &cancel);
            }
            Step::Response { which, status, tag, sdp, rseq } => {
                self.response(*which, *status, *tag, *sdp, *rseq);
            }
            Step::Failure(which) => {
                if let Some((token, _)) = self.pick(*which) {
                    self.session.handle_failure(now, token, SendFailure::Transport);
                }
            }
        }
        self.drain();
    }

    fn request(&mut self, method: u8, skip: i8, sdp: bool, rack: u8) {
        let methods =
            ["INVITE", "UPDATE", "PRACK", "BYE", "INFO", "OPTIONS", "REFER", "FOO", "INVITE"];
        let method = methods[usize::from(method) % methods.len()];
        self.cseq = self.cseq.saturating_add_signed(skip.into());
        let request = self.peer_request(method, self.cseq, sdp, rack);
        let tx = ServerTx(self.next_tx);
        self.next_tx += 1;
        self.session.handle_request(self.now, tx, &request);
    }

    fn response(&mut self, which: u8, status: u16, tag: u8, sdp: bool, rseq: Option<u8>) {
        let Some((token, request)) = self.pick(which) else { return };
        let tags = ["t0", "t1", ""];
        let rseq = rseq.map(|r| r.to_string());
        let mut fields = vec![(HeaderName::SessionExpires, "90;refresher=uac")];
        if let Some(rseq) = &rseq {
            fields.push((HeaderName::Require, "100rel"));
            fields.push((HeaderName::RSeq, rseq));
        }
        let tag = tags.get(usize::from(tag)).copied().unwrap_or_default();
        let mut plain = request.clone();
        plain.headers.remove(&HeaderName::Via);
        let response = answer(&plain, status, tag, &fields, sdp.then_some(ANSWER));
        self.session.handle_response(self.now, token, &response);
    }

    fn pick(&self, which: u8) -> Option<(RequestToken, Request)> {
        // Mostly the latest ones, they are the ones still open.
        let back = usize::from(which) % self.sent.len().clamp(1, 4);
        self.sent.iter().rev().nth(back).cloned()
    }

    /// Hangs up, answers nothing more, and waits.
    fn finish(mut self) {
        self.session.hangup(self.now, none());
        self.drain();
        for _ in 0..1000 {
            let Some(at) = self.session.poll_timeout() else { break };
            assert!(
                at > self.now || {
                    self.session.handle_timeout(self.now);
                    self.drain();
                    self.session.poll_timeout().is_none_or(|next| next > self.now)
                },
                "a timer that does not move"
            );
            self.now = self.now.max(at);
            self.session.handle_timeout(self.now);
            self.drain();
        }
        assert_eq!(self.session.poll_timeout(), None);
        assert!(self.session.is_finished());
        assert_eq!(self.ended, 1);
    }
}

fn settings(bits: u8) -> SessionConfig {
    SessionConfig {
        session_expires: (bits & 1 != 0).then_some(90),
        reliable_provisionals: if bits & 2 != 0 {
            ReliableProvisionals::IfOffered
        } else {
            ReliableProvisionals::Never
        },
        answers_challenges: bits & 4 != 0,
        max_parallel: 4,
        ..SessionConfig::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_callee_survives_everything_and_ends(
        bits in 0u8..8,
        offer in any::<bool>(),
        steps in proptest::collection::vec(step(), 0..40),
    ) {
        let mut world = World::callee(settings(bits), &["Supported: 100rel, timer"], offer);
        for step in &steps {
            world.apply(step);
        }
        world.finish();
    }

    #[test]
    fn a_caller_survives_everything_and_ends(
        bits in 0u8..8,
        offer in any::<bool>(),
        steps in proptest::collection::vec(step(), 0..40),
    ) {
        let mut world = World::caller(settings(bits), offer);
        for step in &steps {
            world.apply(step);
        }
        world.finish();
    }

    #[test]
    fn an_answered_call_survives_everything_and_ends(
        bits in 0u8..8,
        caller in any::<bool>(),
        steps in proptest::collection::vec(step(), 0..40),
    ) {
        let mut world = if caller {
            let mut world = World::caller(settings(bits), true);
            world.apply(&Step::Response { which: 0, status: 200, tag: 0, sdp: true, rseq: None });
            world
        } else {
            let mut world = World::callee(settings(bits), &["Supported: timer"], true);
            world.apply(&Step::Accept(true));
            world.apply(&Step::Ack { back: 0, sdp: false });
            world
        };
        for step in &steps {
            world.apply(step);
        }
        world.finish();
    }
}
