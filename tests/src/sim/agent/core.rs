//! The task of an agent: transactions, and what belongs to no call.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use offhook_sip::digest;
use offhook_sip::flow::{Flow, Transport};
use offhook_sip::header::{HeaderName, NameAddr, Via};
use offhook_sip::ids::Ids;
use offhook_sip::message::{Message, Method, Request, Response, StatusCode};
use offhook_sip::parse;
use offhook_sip::session::{RequestToken, SendFailure, Session, SessionConfig};
use offhook_sip::transaction::{self, ClientTx, Event, ServerTx, TransactionLayer};
use offhook_sip::uri::{HostPort, Uri};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::super::net::{Packet, SimNet};
use super::{AgentConfig, Events, Left, NewCall, Order, Reply, aor, contact};

pub(super) struct Call {
    pub(super) session: Session,
    pub(super) events: Events,
    pub(super) refuse: Option<StatusCode>,
    pub(super) version: u32,
    pub(super) digest: Option<digest::Client>,
    /// To requests that are no session business.
    pub(super) answer: StatusCode,
}

impl Call {
    pub(super) fn new(session: Session, events: Events, digest: Option<digest::Client>) -> Self {
        Self { session, events, refuse: None, version: 1, digest, answer: StatusCode::OK }
    }
}

struct Plain {
    request: Request,
    to: SocketAddr,
    reply: Reply,
    digest: Option<digest::Client>,
}

/// The agent's task owns all of it.
pub(super) struct Core {
    net: SimNet,
    pub(super) config: AgentConfig,
    pub(super) session_config: Arc<SessionConfig>,
    pub(super) layer: TransactionLayer,
    pub(super) ids: Ids,
    cseq: u32,
    next: u64,
    /// In the order of their keys: what happens may not depend on how a map hashes.
    pub(super) calls: BTreeMap<u64, Call>,
    pub(super) of_client: HashMap<ClientTx, (u64, RequestToken)>,
    plain: HashMap<ClientTx, Plain>,
    new_calls: mpsc::UnboundedSender<NewCall>,
    new_requests: mpsc::UnboundedSender<Request>,
}

impl Core {
    pub(super) fn new(
        net: SimNet,
        config: AgentConfig,
        new_calls: mpsc::UnboundedSender<NewCall>,
        new_requests: mpsc::UnboundedSender<Request>,
    ) -> Self {
        Self {
            net,
            session_config: Arc::new(config.session.clone()),
            layer: TransactionLayer::new(config.transactions.clone(), Ids::from_seed(config.seed)),
            ids: Ids::from_seed(!config.seed),
            config,
            cseq: 1,
            next: 1,
            calls: BTreeMap::new(),
            of_client: HashMap::new(),
            plain: HashMap::new(),
            new_calls,
            new_requests,
        }
    }

    pub(super) async fn run(
        mut self,
        mut inbox: mpsc::UnboundedReceiver<Packet>,
        mut orders: mpsc::UnboundedReceiver<Order>,
    ) {
        loop {
            self.settle();
            let sessions = self.calls.values().filter_map(|call| call.session.poll_timeout());
            let due = sessions.chain(self.layer.poll_timeout()).min().map(Instant::from_std);
            let wake = async {
                match due {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(packet) = inbox.recv() => self.packet(packet),
                order = orders.recv() => match order {
                    Some(order) => self.order(order),
                    None => break,
                },
                () = wake => self.timers(),
            }
        }
        self.net.detach(self.config.address);
    }

    fn timers(&mut self) {
        let now = now();
        if self.layer.poll_timeout().is_some_and(|at| at <= now) {
            self.layer.handle_timeout(now);
        }
        for call in self.calls.values_mut() {
            if call.session.poll_timeout().is_some_and(|at| at <= now) {
                call.session.handle_timeout(now);
            }
        }
    }

    /// Does all that can be done now.
    fn settle(&mut self) {
        loop {
            let mut idle = true;
            while let Some(transmit) = self.layer.poll_transmit() {
                self.net.send(transmit.flow.local, transmit.flow.remote, transmit.bytes);
            }
            while let Some(event) = self.layer.poll_event() {
                idle = false;
                self.event(event);
            }
            let keys: Vec<u64> = self.calls.keys().copied().collect();
            for key in keys {
                while let Some(output) =
                    self.calls.get_mut(&key).and_then(|call| call.session.poll_output())
                {
                    idle = false;
                    self.output(key, output);
                }
            }
            if idle {
                break;
            }
        }
        self.calls.retain(|_, call| !call.session.is_finished());
    }

    pub(super) fn flow(&self, remote: SocketAddr) -> Flow {
        Flow { transport: Transport::Udp, local: self.config.address, remote, connection: None }
    }

    pub(super) fn next_hop(&self, uri: &Uri) -> SocketAddr {
        let host_port = uri.as_sip().map(|uri| &uri.host_port);
        let address =
            host_port.and_then(|hp| Some((hp.host.ip()?, hp.port.unwrap_or(5060)).into()));
        address.unwrap_or(self.config.proxy)
    }

    fn packet(&mut self, packet: Packet) {
        let Ok(mut message) = parse::datagram(packet.bytes) else { return };
        if let Message::Request(request) = &mut message
            && let Ok(mut via) = request.top_via()
        {
            via.stamp(packet.from);
            request.headers.set_first_typed::<Via>(&via);
        }
        let flow = self.flow(packet.from);
        self.layer.receive(now(), message, flow);
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Request { tx, request, .. } => self.request(tx, request),
            Event::Ack { request, .. } => {
                if let Some(call) = self.dialog_of(&request) {
                    call.session.handle_ack(now(), &request);
                }
            }
            Event::Cancel { invite, request, .. } => {
                // A session knows its own transactions and leaves others alone.
                for call in self.calls.values_mut() {
                    call.session.handle_cancel(now(), invite, &request);
                }
            }
            Event::Response { tx, response, .. } => self.response(tx, response),
            Event::Timeout { tx } => self.failed(tx, SendFailure::Timeout),
            Event::TransportError { tx } => self.failed(tx, SendFailure::Transport),
            Event::Terminated { tx: transaction::TxId::Client(tx) } => {
                self.of_client.remove(&tx);
            }
            Event::StrayResponse { .. } | Event::AckTimeout { .. } | Event::Terminated { .. } => {}
        }
    }

    fn dialog_of(&mut self, request: &Request) -> Option<&mut Call> {
        let (id, tag) = (request.call_id()?.into_owned(), request.to_tag()?);
        self.calls.values_mut().find(|c| c.session.call_id() == id && c.session.local_tag() == tag)
    }

    fn request(&mut self, tx: ServerTx, mut request: Request) {
        if request.to_tag().is_some() {
            match self.dialog_of(&request) {
                Some(call) => call.session.handle_request(now(), tx, &request),
                // Of a subscription that a test keeps itself; those of a REFER are their call's.
                None if request.method == Method::Notify
                    && request.headers.text(&HeaderName::Event).is_some_and(|e| e != "refer") =>
                {
                    self.answer(tx, &request, StatusCode::OK);
                    let _ = self.new_requests.send(request);
                }
                None => self.answer(tx, &request, StatusCode::CALL_DOES_NOT_EXIST),
            }
            return;
        }
        if request.method != Method::Invite {
            let known = matches!(request.method, Method::Options | Method::Notify);
            let status = if known { StatusCode::OK } else { StatusCode::METHOD_NOT_ALLOWED };
            self.answer(tx, &request, status);
            let _ = self.new_requests.send(request);
            return;
        }
        if self.config.record_route {
            request.headers.push_front(HeaderName::RecordRoute, self.route());
        }
        let config = Arc::clone(&self.session_config);
        let contact = contact(&self.config);
        match Session::incoming(now(), config, &mut self.ids, &request, tx, contact) {
            Ok(session) => {
                let (events, inbox) = mpsc::unbounded_channel();
                self.next += 1;
                let digest = self.digest();
                let call = Call::new(session, events, digest);
                self.calls.insert(self.next, call);
                let _ = self.new_calls.send((self.next, request, inbox));
            }
            Err(refusal) => self.layer.respond(now(), tx, refusal),
        }
    }

    /// Record-Route of the proxy that stands before us (RFC 3261 §20.30).
    pub(super) fn route(&self) -> String {
        format!("<sip:{};lr>", self.config.address)
    }

    fn answer(&mut self, tx: ServerTx, request: &Request, status: StatusCode) {
        let mut response = Response::to_request(request, status, None);
        response.ensure_to_tag(&self.ids.tag());
        self.layer.respond(now(), tx, response);
    }

    fn response(&mut self, tx: ClientTx, response: Response) {
        if let Some((key, token)) = self.of_client.get(&tx) {
            if let Some(call) = self.calls.get_mut(key) {
                call.session.handle_response(now(), *token, &response);
            }
            return;
        }
        if !response.status.is_final() {
            return;
        }
        let Some(mut plain) = self.plain.remove(&tx) else { return };
        if let Some(digest) = &mut plain.digest
            && digest.challenged(&plain.request, &response).is_ok()
        {
            digest.authorize(&mut plain.request);
            self.send_plain(plain);
            return;
        }
        let _ = plain.reply.send(Ok(response));
    }

    fn failed(&mut self, tx: ClientTx, failure: SendFailure) {
        if let Some((key, token)) = self.of_client.remove(&tx)
            && let Some(call) = self.calls.get_mut(&key)
        {
            call.session.handle_failure(now(), token, failure);
        }
        if let Some(plain) = self.plain.remove(&tx) {
            let _ = plain.reply.send(Err(failure));
        }
    }

    pub(super) fn digest(&mut self) -> Option<digest::Client> {
        let password = self.config.password.as_deref()?;
        let secret = digest::Secret::Password(password.into());
        let ids = Ids::from_seed(u64::from_le_bytes(self.ids.bytes()));
        Some(digest::Client::new(&self.config.user, secret, ids))
    }

    fn order(&mut self, order: Order) {
        match order {
            Order::Dial { key, dial, events } => self.dial(key, dial, events),
            Order::Act { line, act } => self.act(line, act),
            Order::Request { request, to, reply } => {
                let digest = self.digest();
                self.send_plain(Plain { request, to, reply, digest });
            }
            Order::Left(reply) => {
                let transactions = self.layer.counts();
                let _ = reply.send(Left { sessions: self.calls.len(), transactions });
            }
        }
    }

    fn send_plain(&mut self, mut plain: Plain) {
        let request = &mut plain.request;
        let own = NameAddr::new(aor(&self.config.user, &self.config.domain));
        let defaults = [
            (HeaderName::From, own.to_string()),
            (HeaderName::To, own.to_string()),
            (HeaderName::CallId, self.ids.call_id()),
            (HeaderName::MaxForwards, "70".to_owned()),
        ];
        for (name, value) in defaults {
            if !request.headers.has(&name) {
                request.headers.push(name, value);
            }
        }
        if request.from_tag().is_none()
            && let Some(from) = request.headers.text(&HeaderName::From)
        {
            let from = format!("{from};tag={}", self.ids.tag());
            request.headers.set(HeaderName::From, from);
        }
        self.cseq += 1;
        request.headers.set(HeaderName::CSeq, format!("{} {}", self.cseq, request.method));
        let flow = self.flow(plain.to);
        let sent_by = HostPort::from(self.config.address);
        match self.layer.send_request(now(), plain.request.clone(), flow, &sent_by) {
            Ok(tx) => {
                self.plain.insert(tx, plain);
            }
            Err(_) => {
                let _ = plain.reply.send(Err(SendFailure::Overloaded));
            }
        }
    }
}

pub(super) fn now() -> std::time::Instant {
    Instant::now().into_std()
}
