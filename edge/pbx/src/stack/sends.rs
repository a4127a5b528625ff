//! Requests of ours: finding the way, trying the next target, giving up.

use std::collections::VecDeque;
use std::net::SocketAddr;

use offhook_sip::flow::Flow;
use offhook_sip::header::{HeaderName, Headers};
use offhook_sip::message::{Method, Request, Response, StatusCode};
use offhook_sip::transaction::ClientTx;
use offhook_sip::uri::{HostPort, Uri};
use tokio::time::Instant;

use super::contact;
use super::large;
use super::orphan;
use super::sticky::Key;
use super::task::Stack;
use super::{Owner, SendFailure, SipEvent, Target};
use crate::resolve::{Hop, ResolveError};

/// A send's next place to try.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// Still to be resolved.
    Uri(Uri),
    /// An address.
    Hop(Hop),
    /// Exactly this way.
    Flow(Flow),
}

/// One request of an owner's, over all its targets.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) token: u64,
    pub(super) owner: Owner,
    /// Kept while it may have to be sent to another target.
    pub(super) request: Option<Request>,
    invite: bool,
    pub(super) stages: VecDeque<Stage>,
    /// The place that is tried over a stream because the request is large.
    pub(super) stream: Option<SocketAddr>,
    current: Option<ClientTx>,
    flow: Option<Flow>,
    /// The next hop whose way is remembered when it works.
    hop: Option<Key>,
    patience: Option<Instant>,
    /// A response was told: another target's answer would confuse the owner.
    told: bool,
    cancelled: bool,
    finished: bool,
}

/// What resolving gave.
#[derive(Debug)]
pub(super) enum Located {
    /// For a send.
    Send { id: u64, outcome: Result<Vec<Hop>, ResolveError> },
    /// For an ACK.
    Ack { request: Request, outcome: Result<Vec<Hop>, ResolveError> },
}

impl Stack {
    pub(super) fn send(&mut self, token: u64, request: Request, target: Target, owner: Owner) {
        let hop = match &target {
            Target::Uri(uri) => request.call_id().and_then(|id| Key::new(&id, uri)),
            Target::Flow(_) | Target::Peers { .. } => None,
        };
        let remembered = hop.as_ref().and_then(|key| self.sticky.find(key, Instant::now()));
        let remembered = remembered.filter(|flow| self.wire.is_alive(flow));
        let mut stages: VecDeque<_> = match target {
            Target::Uri(uri) => [Stage::Uri(uri)].into(),
            Target::Flow(flow) => [Stage::Flow(flow)].into(),
            Target::Peers { uris } => uris.into_iter().map(Stage::Uri).collect(),
        };
        if let Some(flow) = remembered {
            stages.push_front(Stage::Flow(flow));
        }
        self.next_send += 1;
        let id = self.next_send;
        let invite = request.method == Method::Invite;
        self.by_token.insert((owner.id(), token), id);
        let sending = Sending {
            token,
            owner,
            request: Some(request),
            invite,
            stages,
            stream: None,
            current: None,
            flow: None,
            hop,
            patience: None,
            told: false,
            cancelled: false,
            finished: false,
        };
        self.sends.insert(id, sending);
        self.advance(id, SendFailure::Transport);
    }

    /// Goes to the next target; `failure` is what is told when there is none.
    fn advance(&mut self, id: u64, mut failure: SendFailure) {
        loop {
            let Some(sending) = self.sends.get_mut(&id) else { return };
            let Some(stage) = sending.stages.pop_front() else {
                return self.give_up(id, failure);
            };
            let hop = match stage {
                Stage::Flow(flow) => match self.attempt(id, flow, None) {
                    Ok(()) => return,
                    Err(e) => {
                        failure = e;
                        continue;
                    }
                },
                Stage::Hop(hop) => hop,
                Stage::Uri(uri) => match self.locator.direct(&uri) {
                    Ok(Some(hop)) => hop,
                    Ok(None) => return self.locate(id, uri),
                    Err(e) => {
                        failure = SendFailure::Resolve(e.to_string());
                        continue;
                    }
                },
            };
            let hop = self.over_a_stream(id, &hop).unwrap_or(hop);
            let flow = self.addresses.flow_to(hop.transport, hop.address);
            match self.attempt(id, flow, hop.host.as_deref()) {
                Ok(()) => return,
                Err(e) => failure = e,
            }
            self.no_stream(id);
        }
    }

    /// The current target did not work out; when it was a stream, its place is told of no more.
    fn no_stream(&mut self, id: u64) {
        let place = self.sends.get_mut(&id).and_then(|s| s.stream.take());
        if let Some(place) = place {
            self.spare(place);
        }
    }

    /// Resolves beside the task: a slow server holds up nobody else.
    fn locate(&self, id: u64, uri: Uri) {
        let locator = std::sync::Arc::clone(&self.locator);
        let located = self.located.clone();
        tokio::spawn(async move {
            let outcome = locator.locate(&uri).await;
            let _ = located.send(Located::Send { id, outcome });
        });
    }

    pub(super) fn located(&mut self, located: Located) {
        match located {
            Located::Ack { request, outcome } => {
                if let Some(hop) = outcome.ok().and_then(|hops| hops.into_iter().next()) {
                    let flow = self.addresses.flow_to(hop.transport, hop.address);
                    self.ack(request, flow, hop.host.as_deref());
                }
            }
            Located::Send { id, outcome } => {
                let Some(sending) = self.sends.get_mut(&id) else { return };
                let failure = match outcome {
                    Ok(mut hops) => {
                        if sending.request.as_ref().is_some_and(large::is_large) {
                            large::prefer_streams(&mut hops);
                        }
                        for hop in hops.into_iter().rev() {
                            sending.stages.push_front(Stage::Hop(hop));
                        }
                        SendFailure::Transport
                    }
                    Err(e) => SendFailure::Resolve(e.to_string()),
                };
                self.advance(id, failure);
            }
        }
    }

    /// Sends to one place in a transaction of its own.
    fn attempt(&mut self, id: u64, flow: Flow, host: Option<&str>) -> Result<(), SendFailure> {
        let flow = self.wire.open(flow, host).map_err(|_| SendFailure::Transport)?;
        let sent_by = self.addresses.sent_by(&flow);
        let Some(sending) = self.sends.get_mut(&id) else { return Ok(()) };
        let more = !sending.stages.is_empty();
        let request = if more { sending.request.clone() } else { sending.request.take() };
        let Some(mut request) = request else { return Err(SendFailure::Transport) };
        contact::complete(&mut request.headers, &self.addresses, &flow);
        let now = Instant::now();
        let sent = self.layer.send_request(now.into_std(), request, flow, &sent_by);
        let tx = sent.map_err(|_| SendFailure::Overloaded)?;
        sending.current = Some(tx);
        sending.flow = Some(flow);
        if more {
            let patience = self.config.next_target_after;
            let stream = sending.stream.is_some();
            let at = now + if stream { patience.min(large::PATIENCE) } else { patience };
            sending.patience = Some(at);
            self.patience.insert((at, id));
        }
        self.by_tx.insert(tx, id);
        Ok(())
    }

    fn calm(&mut self, id: u64) {
        let patience = self.sends.get_mut(&id).and_then(|s| s.patience.take());
        if let Some(at) = patience {
            self.patience.remove(&(at, id));
        }
    }

    /// The current target was silent for too long, and there is another.
    pub(super) fn give_up_target(&mut self, id: u64) {
        let Some(sending) = self.sends.get_mut(&id) else { return };
        sending.patience = None;
        if let Some(tx) = sending.current.take() {
            self.by_tx.remove(&tx);
            if sending.invite {
                // Whoever answers late must not ring on, nor talk to nobody.
                let request = sending.request.clone();
                self.layer.cancel(Instant::now().into_std(), tx, Headers::new());
                if let Some(request) = request {
                    self.orphans.insert(tx, request);
                }
            }
        }
        if let Some(key) = self.sends.get(&id).and_then(|s| s.hop.clone()) {
            self.sticky.forget(&key);
        }
        self.no_stream(id);
        self.advance(id, SendFailure::Timeout);
    }

    pub(super) fn response(&mut self, tx: ClientTx, response: Response, flow: Flow) {
        let Some(id) = self.by_tx.get(&tx).copied() else {
            if let Some(invite) = self.orphans.get(&tx) {
                let hangup = orphan::hang_up(invite, &response);
                self.dispose(hangup, flow);
            }
            return;
        };
        self.calm(id);
        let Some(sending) = self.sends.get_mut(&id) else { return };
        let unavailable = response.status == StatusCode::SERVICE_UNAVAILABLE;
        if sending.stream.take().is_some() {
            // Whoever answers, be it by a 100, has taken the stream: the same server would say the
            // same to the datagram.
            sending.stages.pop_front();
        }
        let next = unavailable && !sending.stages.is_empty() && !sending.told && !sending.cancelled;
        if next {
            // RFC 3263 §4.3: a 503 counts as a failed target.
            sending.current = None;
            self.by_tx.remove(&tx);
            return self.advance(id, SendFailure::Transport);
        }
        let heard = response.status != StatusCode::TRYING;
        sending.told |= heard;
        let is_final = response.status.is_final();
        if heard {
            sending.stages.clear();
            sending.request = None;
            // What counts is who answered: a challenge comes from the one who knows the nonce.
            if let (Some(key), Some(flow)) = (sending.hop.take(), sending.flow) {
                self.sticky.remember(key, flow, Instant::now());
            }
        }
        let (token, owner) = (sending.token, sending.owner.clone());
        if is_final {
            sending.finished = true;
            let keep = sending.invite && response.status.is_success();
            self.tell(&owner, SipEvent::Response { token, response, flow });
            if !keep {
                self.forget_send(id);
            }
        } else {
            self.tell(&owner, SipEvent::Response { token, response, flow });
        }
    }

    /// No answer from the current target.
    pub(super) fn failed(&mut self, tx: ClientTx, failure: SendFailure) {
        self.orphans.remove(&tx);
        let Some(id) = self.by_tx.remove(&tx) else { return };
        self.calm(id);
        let Some(sending) = self.sends.get_mut(&id) else { return };
        sending.current = None;
        if let Some(key) = sending.hop.clone() {
            self.sticky.forget(&key);
        }
        self.no_stream(id);
        self.advance(id, failure);
    }

    /// After a 2xx to INVITE the transaction lingers for retransmissions and forks (RFC 6026).
    pub(super) fn client_gone(&mut self, tx: ClientTx) {
        self.orphans.remove(&tx);
        if let Some(id) = self.by_tx.remove(&tx) {
            self.forget_send(id);
        }
    }

    fn give_up(&mut self, id: u64, failure: SendFailure) {
        let Some(sending) = self.sends.get(&id) else { return };
        if !sending.finished {
            let event = SipEvent::Failed { token: sending.token, kind: failure };
            let owner = sending.owner.clone();
            self.tell(&owner, event);
        }
        self.forget_send(id);
    }

    fn forget_send(&mut self, id: u64) {
        self.calm(id);
        let Some(sending) = self.sends.remove(&id) else { return };
        if let Some(tx) = sending.current {
            self.by_tx.remove(&tx);
        }
        let key = (sending.owner.id(), sending.token);
        if self.by_token.get(&key) == Some(&id) {
            self.by_token.remove(&key);
        }
    }

    pub(super) fn cancel(&mut self, token: u64, owner: u64, extra: Headers) {
        let Some(id) = self.by_token.get(&(owner, token)).copied() else { return };
        self.calm(id);
        let Some(sending) = self.sends.get_mut(&id) else { return };
        sending.cancelled = true;
        sending.stages.clear();
        match sending.current {
            Some(tx) if !sending.finished => {
                self.layer.cancel(Instant::now().into_std(), tx, extra);
            }
            Some(_) => {}
            // Still resolving: nothing was sent, nothing is to be cancelled.
            None => self.give_up(id, SendFailure::Cancelled),
        }
    }

    pub(super) fn send_ack(&mut self, request: Request, target: Target) {
        let uri = match target {
            Target::Flow(flow) => return self.ack(request, flow, None),
            Target::Uri(uri) => Some(uri),
            Target::Peers { uris } => uris.into_iter().next(),
        };
        let Some(uri) = uri else { return };
        let key = request.call_id().and_then(|id| Key::new(&id, &uri));
        if let Some(flow) = key.and_then(|key| self.sticky.find(&key, Instant::now())) {
            return self.ack(request, flow, None);
        }
        match self.locator.direct(&uri) {
            Ok(Some(hop)) => {
                let flow = self.addresses.flow_to(hop.transport, hop.address);
                self.ack(request, flow, hop.host.as_deref());
            }
            Ok(None) => {
                let locator = std::sync::Arc::clone(&self.locator);
                let located = self.located.clone();
                tokio::spawn(async move {
                    let outcome = locator.locate(&uri).await;
                    let _ = located.send(Located::Ack { request, outcome });
                });
            }
            Err(error) => tracing::warn!(%error, "an ACK cannot be sent"),
        }
    }

    fn ack(&mut self, mut request: Request, flow: Flow, host: Option<&str>) {
        let Ok(flow) = self.wire.open(flow, host) else {
            return self.metrics.sip_send_failed.inc();
        };
        contact::complete(&mut request.headers, &self.addresses, &flow);
        let sent_by: HostPort = self.addresses.sent_by(&flow);
        self.layer.send_stateless(request, flow, &sent_by);
    }

    /// Acknowledges and ends a call that nobody wants any more.
    fn dispose(&mut self, hangup: Option<orphan::HangUp>, flow: Flow) {
        let Some(orphan::HangUp { ack, bye }) = hangup else { return };
        let sent_by = self.addresses.sent_by(&flow);
        self.layer.send_stateless(ack, flow, &sent_by);
        let mut bye = bye;
        bye.headers.set(HeaderName::UserAgent, self.config.server.as_str());
        // Its answer interests nobody; the transaction only sees to retransmissions.
        let _ = self.layer.send_request(Instant::now().into_std(), bye, flow, &sent_by);
    }
}
