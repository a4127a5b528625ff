//! One client transaction: its state and what it may have to send again.

use bytes::Bytes;

use super::key::Key;
use super::timers::{Deadlines, Timer};
use super::{Action, ClientTx, Input, client_invite, client_non_invite};
use crate::flow::Flow;
use crate::header::{CSeq, HeaderName, HeaderValue, Headers};
use crate::message::{Method, Request, Response};

#[derive(Debug)]
pub(super) struct Client {
    pub(super) key: Key,
    pub(super) flow: Flow,
    pub(super) machine: Machine,
    pub(super) timers: Deadlines,
    /// The request, later the ACK; empty when nothing will be sent again.
    pub(super) kept: Bytes,
    /// A provisional response came, so that a 100 says nothing new.
    pub(super) heard: bool,
    /// For an INVITE without a final response: what its ACK and CANCEL are made of.
    pub(super) invite: Option<Box<Invite>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Machine {
    Invite(client_invite::State),
    NonInvite(client_non_invite::State),
}

impl Machine {
    pub(super) fn new(method: &Method) -> Self {
        match method {
            Method::Invite => Self::Invite(client_invite::State::Calling),
            _ => Self::NonInvite(client_non_invite::State::Trying),
        }
    }

    /// The timers that start with the request: retransmission and giving up.
    pub(super) fn first_timers(self) -> [Timer; 2] {
        match self {
            Self::Invite(_) => [Timer::A, Timer::B],
            Self::NonInvite(_) => [Timer::E, Timer::F],
        }
    }

    pub(super) fn step(&mut self, input: Input) -> &'static [Action] {
        match self {
            Self::Invite(state) => {
                let (next, actions) = client_invite::step(*state, input);
                *state = next;
                actions
            }
            Self::NonInvite(state) => {
                let (next, actions) = client_non_invite::step(*state, input);
                *state = next;
                actions
            }
        }
    }

    pub(super) fn is_terminated(self) -> bool {
        matches!(
            self,
            Self::Invite(client_invite::State::Terminated)
                | Self::NonInvite(client_non_invite::State::Terminated)
        )
    }

    /// Whether the owner has had its final answer.
    pub(super) fn is_answered(self) -> bool {
        use {client_invite::State as I, client_non_invite::State as N};
        matches!(
            self,
            Self::Invite(I::Completed | I::Accepted | I::Terminated)
                | Self::NonInvite(N::Completed | N::Terminated)
        )
    }
}

/// The header fields of an INVITE that its ACK and CANCEL repeat.
#[derive(Debug)]
pub(super) struct Invite {
    skeleton: Request,
    /// The CANCEL that waits for a provisional response, and what it shall carry besides.
    pub(super) cancel: Option<(ClientTx, Headers)>,
}

impl Invite {
    /// `request` has our Via on top already.
    pub(super) fn of(request: &Request) -> Self {
        let mut headers = Headers::new();
        let mut copy = |name: HeaderName, limit: usize| {
            for value in request.headers.get_all(&name).take(limit) {
                // A copy of its own: a slice would keep a whole received datagram alive.
                let value = Bytes::copy_from_slice(value.as_bytes());
                headers.push(name.clone(), HeaderValue::new(value));
            }
        };
        copy(HeaderName::Via, 1);
        // §17.1.1.3, §9.1: the Route set of the INVITE, so that both take the same way.
        copy(HeaderName::Route, usize::MAX);
        copy(HeaderName::MaxForwards, 1);
        copy(HeaderName::From, 1);
        copy(HeaderName::To, 1);
        copy(HeaderName::CallId, 1);
        copy(HeaderName::CSeq, 1);
        let skeleton = Request {
            method: Method::Invite,
            uri: request.uri.clone(),
            headers,
            body: Bytes::new(),
        };
        Self { skeleton, cancel: None }
    }

    fn derive(&self, method: Method) -> Request {
        let mut request = self.skeleton.clone();
        if let Ok(mut cseq) = request.cseq() {
            cseq.method = method.clone();
            request.headers.set_typed::<CSeq>(&cseq);
        }
        request.method = method;
        request
    }

    /// The ACK to a final response above 299 (§17.1.1.3): all of the INVITE, but the To of the
    /// response.
    pub(super) fn ack(&self, response: &Response) -> Bytes {
        let mut ack = self.derive(Method::Ack);
        if let Some(to) = response.headers.get(&HeaderName::To) {
            ack.headers.set(HeaderName::To, to.clone());
        }
        ack.to_bytes()
    }

    /// The CANCEL (§9.1), with `extra` fields.
    pub(super) fn cancel(&self, extra: &Headers) -> Request {
        let mut cancel = self.derive(Method::Cancel);
        for header in extra {
            cancel.headers.push(header.name.clone(), header.value.clone());
        }
        cancel
    }
}
