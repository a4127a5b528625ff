//! Requests we receive.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::key::Key;
use super::server::{Machine, Server};
use super::timers::Deadlines;
use super::{Action, Event, Input, ServerTx, TransactionLayer, Transmit, TxId};
use crate::flow::Flow;
use crate::header::{HeaderName, Via};
use crate::message::{Method, Request, Response, StatusCode};

/// What an input brings along.
pub(super) enum InHand {
    Response(Response),
    Ack(Request, Flow),
}

impl TransactionLayer {
    /// Answers a request. To an INVITE any number of provisional responses and then one final one;
    /// a 2xx may be given again as often as its owner wants it retransmitted. To other requests
    /// one final response; provisional ones and 408 are not sent (RFC 4320 §4.1, §4.2).
    ///
    /// Does nothing when the transaction is gone.
    pub fn respond(&mut self, now: Instant, tx: ServerTx, response: Response) {
        let Some(server) = self.servers.get(&tx) else { return };
        let status = response.status;
        if !server.machine.is_invite() && !server.machine.is_lingering() {
            if status.is_provisional() {
                return;
            }
            if status == StatusCode::REQUEST_TIMEOUT {
                self.remove_server(tx);
                self.tidy();
                return;
            }
        }
        self.drive_server(now, tx, Some(status.into()), Some(InHand::Response(response)));
        self.tidy();
    }

    /// Sends a final response once and forgets the transaction: for challenges and refusals to
    /// strangers, which shall cost us no memory and no retransmissions (RFC 3261 §26.3.2.4,
    /// §8.2.7). A response without a To tag gets one that is the same for every retransmission of
    /// the request (§8.2.7); see [`Self::gave_tag`]. The ACK to it comes back as an [`Event::Ack`] that no dialog knows.
    pub fn respond_once(&mut self, tx: ServerTx, mut response: Response) {
        let Some(server) = self.servers.get(&tx) else { return };
        let flow = server.flow;
        let tag = self.passing_tag(response.call_id().as_deref(), response.from_tag().as_deref());
        response.ensure_to_tag(&tag);
        self.transmit(flow, response.to_bytes());
        self.remove_server(tx);
        self.tidy();
    }

    /// Whether the To tag of a request is the one of [`Self::respond_once`]: a client that answers
    /// our challenge with the tag of it (§22.2 does not ask for that) is in no dialog all the same.
    pub fn gave_tag(&self, request: &Request) -> bool {
        request.to_tag().is_some_and(|tag| {
            tag == self.passing_tag(request.call_id().as_deref(), request.from_tag().as_deref())
        })
    }

    fn passing_tag(&self, call_id: Option<&str>, from_tag: Option<&str>) -> String {
        self.keys.passing_tag(call_id, from_tag)
    }

    pub(super) fn receive_request(&mut self, now: Instant, request: Request, flow: Flow) {
        // Without a Via there is nowhere to send an answer to.
        let Ok(via) = request.top_via() else { return };
        let method = match request.method {
            Method::Ack => Method::Invite,
            ref other => other.clone(),
        };
        let key = self.keys.server(&request, &via, flow.transport, &method);
        match (self.server_keys.get(&key).copied(), &request.method) {
            (Some(tx), Method::Ack) => {
                let accepted = Some(InHand::Ack(request, flow));
                self.drive_server(now, tx, Some(Input::Ack), accepted);
            }
            // §17.1.1.3: an ACK to a 2xx is a transaction of its own, without any answer.
            (None, Method::Ack) => self.events.push_back(Event::Ack { request, flow }),
            (Some(tx), _) => {
                self.follow(tx, flow);
                self.drive_server(now, tx, Some(Input::Request), None);
            }
            (None, Method::Cancel) => self.receive_cancel(now, request, flow, &via, key),
            (None, _) => self.receive_new(now, request, flow, &via, key),
        }
    }

    /// A peer that repeats its request over a new connection waits there for the answer
    /// (§18.2.2).
    fn follow(&mut self, tx: ServerTx, flow: Flow) {
        if let Some(server) = self.servers.get_mut(&tx)
            && flow.transport.is_reliable()
            && server.flow.transport == flow.transport
            && server.flow.remote.ip() == flow.remote.ip()
        {
            server.flow = flow;
        }
    }

    fn receive_new(&mut self, now: Instant, request: Request, flow: Flow, via: &Via, key: Key) {
        let way_back = way_back(via, flow);
        if !self.make_room(now, &request) {
            self.refused += 1;
            if self.refusals.allow(now, self.config.refusals_per_second) {
                let mut refusal = own_answer(&request, StatusCode::SERVICE_UNAVAILABLE, &key.tag());
                refusal.headers.push(HeaderName::RetryAfter, self.config.retry_after.to_string());
                self.transmit(way_back, refusal.to_bytes());
            }
            return;
        }
        let merge = self.keys.merge(&request);
        if self.config.refuse_merged && merge.is_some_and(|m| self.merges.contains_key(&m)) {
            // §8.2.2.2: the same request came on another way and is being dealt with.
            let refusal = own_answer(&request, StatusCode::LOOP_DETECTED, &key.tag());
            self.transmit(way_back, refusal.to_bytes());
            return;
        }
        let tx = self.start_server(now, &request, way_back, key, merge);
        self.events.push_back(Event::Request { tx, request, flow });
        self.drive_server(now, tx, None, None);
    }

    /// §9.2.
    fn receive_cancel(&mut self, now: Instant, request: Request, flow: Flow, via: &Via, key: Key) {
        let way_back = way_back(via, flow);
        let invite_key = self.keys.server(&request, via, flow.transport, &Method::Invite);
        let Some(invite) = self.server_keys.get(&invite_key).copied() else {
            let status = StatusCode::CALL_DOES_NOT_EXIST;
            let refusal = own_answer(&request, status, &key.tag());
            self.transmit(way_back, refusal.to_bytes());
            return;
        };
        let known = self.servers.get(&invite);
        // §9.2: the To tag SHOULD be that of the responses to the INVITE.
        let tag = known.and_then(|s| s.to_tag.as_deref().map(str::to_owned));
        let cancellable = known.is_some_and(|s| s.machine.is_cancellable());
        let answer = own_answer(&request, StatusCode::OK, &tag.unwrap_or_else(|| invite_key.tag()));
        // Not subject to the limit: there is one CANCEL at most for each INVITE.
        let cancel = self.start_server(now, &request, way_back, key, None);
        let in_hand = Some(InHand::Response(answer));
        self.drive_server(now, cancel, Some(Input::Success), in_hand);
        if cancellable {
            self.events.push_back(Event::Cancel { invite, cancel, request });
        }
    }

    /// Whether a new request finds a place, after forgetting what only lingers.
    fn make_room(&mut self, now: Instant, request: &Request) -> bool {
        let in_dialog = request.method == Method::Bye || request.to_tag().is_some();
        let (reserve, age) = if in_dialog {
            (0, Duration::ZERO)
        } else {
            (self.config.server_reserve, self.config.t4)
        };
        // Under pressure Timers J and H are cut short to T4, by which time most retransmissions are
        // over.
        // More than one may have to go: calls that ended have taken places of the reserve.
        while self.servers.len() + reserve >= self.config.max_server {
            match self.lingering.evict(now, age, &self.servers) {
                Some(tx) => self.remove_server(tx),
                None => return false,
            }
        }
        true
    }

    fn start_server(
        &mut self,
        now: Instant,
        request: &Request,
        flow: Flow,
        key: Key,
        merge: Option<Key>,
    ) -> ServerTx {
        let tx = ServerTx(self.next_id());
        let machine = Machine::new(&request.method);
        let mut timers = Deadlines::default();
        for timer in machine.first_timers() {
            timers.arm(now, *timer, &self.config, flow.transport.is_reliable());
        }
        self.server_keys.insert(key, tx);
        if let Some(merge) = merge {
            self.merges.insert(merge, tx);
        }
        // A CANCEL is answered on the spot.
        let kept = match request.method {
            Method::Cancel => Bytes::new(),
            _ => Response::to_request(request, StatusCode::TRYING, None).to_bytes(),
        };
        let server =
            Server { key, merge, flow, machine, timers, kept, to_tag: None, proven: false };
        self.servers.insert(tx, server);
        tx
    }

    /// Whoever sent this INVITE has answered a challenge, so it was there: its ACK is taken with
    /// whatever To tag it has. For others our tag is what shows that they saw the 2xx, and nobody
    /// else's address stands in their packets.
    pub fn prove(&mut self, tx: ServerTx) {
        if let Some(server) = self.servers.get_mut(&tx) {
            server.proven = true;
        }
    }

    /// Feeds `input` to a transaction, and after it whatever timers are due.
    pub(super) fn drive_server(
        &mut self,
        now: Instant,
        tx: ServerTx,
        input: Option<Input>,
        mut in_hand: Option<InHand>,
    ) {
        let Self { config, servers, events, transmits, .. } = self;
        let Some(server) = servers.get_mut(&tx) else { return };
        let flow = server.flow;
        let mut send = |bytes: &Bytes| {
            if !bytes.is_empty() {
                transmits.push_back(Transmit { flow, bytes: bytes.clone() });
            }
        };
        let was_lingering = server.machine.is_lingering();
        let mut next = input.or_else(|| server.timers.take_due(now).map(Input::from));
        while let Some(input) = next {
            for action in server.machine.step(input) {
                match *action {
                    Action::Deliver => {
                        if let Some(InHand::Ack(mut request, flow)) = in_hand.take() {
                            if let Some(tag) = server.to_tag.as_ref().filter(|_| server.proven) {
                                acknowledge(&mut request, tag);
                            }
                            events.push_back(Event::Ack { request, flow });
                        }
                    }
                    Action::Send => {
                        if let Some(InHand::Response(response)) = &in_hand {
                            let ours = server.machine.is_accepted() || server.to_tag.is_none();
                            if server.machine.is_invite() && ours {
                                server.to_tag = response.to_tag().map(Into::into);
                            }
                            server.kept = response.to_bytes();
                            send(&server.kept);
                        }
                    }
                    Action::Resend => send(&server.kept),
                    Action::Arm(timer) => {
                        server.timers.arm(now, timer, config, flow.transport.is_reliable());
                    }
                    Action::Double(timer) => server.timers.double(now, timer, config),
                    Action::StopTick => server.timers.tick = None,
                    Action::Forget => server.kept = Bytes::new(),
                    Action::ReportNoAck => events.push_back(Event::AckTimeout { tx }),
                    Action::SendAck
                    | Action::SendCancel
                    | Action::ReportTimeout
                    | Action::ReportTransport => {}
                }
            }
            if server.machine.is_terminated() {
                break;
            }
            next = server.timers.take_due(now).map(Input::from);
        }
        let lingers = server.machine.is_lingering() && !was_lingering;
        self.settle_server(tx, input);
        if lingers {
            self.lingering.push(now, tx);
        }
    }

    /// After a transition: drops what the new state does not need.
    fn settle_server(&mut self, tx: ServerTx, input: Option<Input>) {
        let Some(server) = self.servers.get_mut(&tx) else { return };
        if server.machine.is_terminated() {
            self.remove_server(tx);
            return;
        }
        if !server.machine.is_cancellable() && !server.machine.is_accepted() {
            server.to_tag = None;
        }
        // §8.2.2.2 speaks of ongoing transactions. A client that repeats a refused request under
        // the same CSeq, credentials added, is wrong but not forked.
        if input == Some(Input::Failure)
            && let Some(merge) = server.merge.take()
            && self.merges.get(&merge) == Some(&tx)
        {
            self.merges.remove(&merge);
        }
        self.queue.schedule(TxId::Server(tx), &mut server.timers);
    }

    fn remove_server(&mut self, tx: ServerTx) {
        let Some(server) = self.servers.remove(&tx) else { return };
        self.server_keys.remove(&server.key);
        if let Some(merge) = server.merge
            && self.merges.get(&merge) == Some(&tx)
        {
            self.merges.remove(&merge);
        }
        self.events.push_back(Event::Terminated { tx: TxId::Server(tx) });
    }
}

/// The way of the responses (§18.2.2, RFC 3581 §4): back over the connection, or to the port that
/// the request came from when the peer asked for that, else to its sent-by port. `maddr` is not
/// followed: it would let strangers aim our answers at others.
fn way_back(via: &Via, flow: Flow) -> Flow {
    let mut back = flow;
    if !flow.transport.is_reliable() && !via.params.has("rport") {
        back.remote.set_port(via.sent_by.port.unwrap_or(flow.transport.default_port()));
    }
    back
}

/// An ACK with the branch of its INVITE belongs to our 2xx (§17.2.3, RFC 6026 §7.1), whatever tag
/// stands in its To: some clients make one up (pyVoIP), and their dialog is the one of the 2xx.
fn acknowledge(ack: &mut Request, tag: &str) {
    if ack.to_tag().is_none_or(|own| own != tag)
        && let Ok(mut to) = ack.to()
    {
        to.0.params.set("tag", Some(tag));
        ack.headers.set(HeaderName::To, to.0.to_string());
    }
}

/// A final response that the layer gives by itself.
fn own_answer(request: &Request, status: StatusCode, tag: &str) -> Response {
    let mut response = Response::to_request(request, status, None);
    response.ensure_to_tag(tag);
    response
}
