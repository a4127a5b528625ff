//! A user agent on the sans-IO cores: a desk phone, or a carrier's edge.
//!
//! > One task owns the transactions and the sessions; the test holds an [`Agent`] and a [`Line`]
//! > for each call. The agent answers offers and challenges by itself, everything else is told.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use offhook_sip::digest;
use offhook_sip::flow::{Flow, Transport};
use offhook_sip::header::{HeaderName, Headers, NameAddr, Via};
use offhook_sip::ids::Ids;
use offhook_sip::message::{Message, Method, Request, Response, StatusCode};
use offhook_sip::parse;
use offhook_sip::session::{
    OutgoingInvite, Output, RequestToken, SendFailure, Session, SessionConfig, SessionEvent,
};
use offhook_sip::transaction::{self, ClientTx, Event, ServerTx, TransactionLayer};
use offhook_sip::uri::{HostPort, SipUri, Uri};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::Instant;

use super::line::{Act, Line, code};
use super::net::{Packet, SimNet};
use super::sdp::{self, Direction};

/// Port of an agent's audio, unless it moved. Nothing is ever there.
pub const AUDIO_PORT: u16 = 40_000;

/// Who an agent is.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// Where it is in the network.
    pub address: SocketAddr,
    /// User part of its address of record.
    pub user: String,
    /// Host part of its address of record.
    pub domain: String,
    /// Password for challenges; `None`: it never has any.
    pub password: Option<String>,
    /// Where requests out of any dialog go: the appliance.
    pub proxy: SocketAddr,
    /// What its Contact says instead of its address (a private one, behind a Record-Route).
    pub contact: Option<SocketAddr>,
    /// Whether a proxy at its own address stands in the path of its calls (RFC 3261 §16.6).
    pub record_route: bool,
    /// How its sessions behave.
    pub session: SessionConfig,
    /// How its transactions behave.
    pub transactions: transaction::Config,
    /// For tags, branches and nonces.
    pub seed: u64,
}

impl AgentConfig {
    /// A phone with a password.
    pub fn phone(address: SocketAddr, user: &str, password: &str, proxy: SocketAddr) -> Self {
        Self { password: Some(password.to_owned()), ..Self::carrier(address, user, proxy) }
    }

    /// Somebody without a password.
    pub fn carrier(address: SocketAddr, user: &str, proxy: SocketAddr) -> Self {
        let session = SessionConfig {
            answers_challenges: true,
            user_agent: Some("sim".into()),
            ..SessionConfig::default()
        };
        Self {
            address,
            user: user.to_owned(),
            domain: proxy.ip().to_string(),
            password: None,
            proxy,
            contact: None,
            record_route: false,
            session,
            transactions: transaction::Config::default(),
            seed: u64::from(address.port()) << 32 | address_bits(address),
        }
    }
}

fn address_bits(address: SocketAddr) -> u64 {
    match address {
        SocketAddr::V4(v4) => u64::from(u32::from(*v4.ip())),
        SocketAddr::V6(_) => 6,
    }
}

/// A call to be placed.
#[derive(Clone, Debug, Default)]
pub struct Dial {
    /// User part of the Request-URI.
    pub to: String,
    /// User part of From; the agent's own when not given.
    pub from: Option<String>,
    /// More headers.
    pub headers: Headers,
    /// Without an offer: the peer shall make one.
    pub without_offer: bool,
}

impl Dial {
    /// A plain call.
    pub fn to(number: &str) -> Self {
        Self { to: number.to_owned(), ..Self::default() }
    }

    /// With another number in From.
    #[must_use]
    pub fn from(mut self, number: &str) -> Self {
        self.from = Some(number.to_owned());
        self
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push(HeaderName::parse(name.as_bytes()).expect("a header name"), value);
        self
    }
}

/// What an agent has left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Calls.
    pub sessions: usize,
    /// Transactions.
    pub transactions: transaction::Counts,
}

pub(super) enum Order {
    Dial { key: u64, dial: Dial, events: Events },
    Act { line: u64, act: Act },
    Request { request: Request, to: SocketAddr, reply: Reply },
    Left(oneshot::Sender<Left>),
}

type Events = mpsc::UnboundedSender<(Instant, SessionEvent)>;
/// A call that came in: its key, its INVITE, what happens to it.
type NewCall = (u64, Request, mpsc::UnboundedReceiver<(Instant, SessionEvent)>);
type Reply = oneshot::Sender<Result<Response, SendFailure>>;

/// A running agent. It goes when this and all its lines are dropped.
#[derive(Debug)]
pub struct Agent {
    /// As it was started.
    pub config: AgentConfig,
    orders: mpsc::UnboundedSender<Order>,
    calls: Mutex<mpsc::UnboundedReceiver<NewCall>>,
    requests: Mutex<mpsc::UnboundedReceiver<Request>>,
}

impl Agent {
    /// Starts it on the current runtime.
    pub fn start(net: &SimNet, config: AgentConfig) -> Self {
        let (orders, order_inbox) = mpsc::unbounded_channel();
        let (calls, call_inbox) = mpsc::unbounded_channel();
        let (requests, request_inbox) = mpsc::unbounded_channel();
        let inbox = net.inbox(config.address);
        let core = Core::new(net.clone(), config.clone(), calls, requests);
        tokio::spawn(core.run(inbox, order_inbox));
        Self { config, orders, calls: Mutex::new(call_inbox), requests: Mutex::new(request_inbox) }
    }

    /// Places a call.
    pub fn dial(&self, dial: Dial) -> Line {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        // Far from the numbers that the agent itself gives to calls that come in.
        let key = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed) | 1 << 63;
        let (events, inbox) = mpsc::unbounded_channel();
        let _ = self.orders.send(Order::Dial { key, dial, events });
        Line::new(key, self.orders.clone(), inbox, None)
    }

    /// The next call that comes in.
    pub async fn call(&self) -> Line {
        let (key, invite, events) = self.calls.lock().await.recv().await.expect("the agent runs");
        Line::new(key, self.orders.clone(), events, Some(invite))
    }

    /// A call that has come in already.
    pub async fn waiting_call(&self) -> Option<Line> {
        let (key, invite, events) = self.calls.lock().await.try_recv().ok()?;
        Some(Line::new(key, self.orders.clone(), events, Some(invite)))
    }

    /// The next request outside of calls (OPTIONS, NOTIFY), answered with 200 already.
    pub async fn request_seen(&self) -> Request {
        self.requests.lock().await.recv().await.expect("the agent runs")
    }

    /// Sends a request out of any dialog, with credentials when it is challenged. Call-ID, CSeq,
    /// tags and Max-Forwards are added where they are missing.
    ///
    /// # Errors
    /// When no final response comes.
    pub async fn request(&self, request: Request) -> Result<Response, SendFailure> {
        let (reply, answer) = oneshot::channel();
        let to = self.config.proxy;
        let _ = self.orders.send(Order::Request { request, to, reply });
        answer.await.unwrap_or(Err(SendFailure::Transport))
    }

    /// A REGISTER of the own contact for so many seconds; 0 takes it back.
    pub fn registration(&self, expires: u32) -> Request {
        let contact = format!("<{}>", self.contact());
        self.registration_of(&contact).with(HeaderName::Expires, expires.to_string())
    }

    /// A REGISTER with any Contact; without one when it is empty.
    pub fn registration_of(&self, contact: &str) -> Request {
        let config = &self.config;
        let own = NameAddr::new(aor(&config.user, &config.domain));
        let registrar = SipUri::new(HostPort::from(config.proxy));
        let request = Request::new(Method::Register, registrar.into())
            .with(HeaderName::From, own.to_string())
            .with(HeaderName::To, own.to_string())
            .with(HeaderName::CallId, format!("register-{}", config.user));
        if contact.is_empty() { request } else { request.with(HeaderName::Contact, contact) }
    }

    /// Registers; panics unless the answer is 200.
    pub async fn register(&self, expires: u32) -> Response {
        let answer = self.request(self.registration(expires)).await.expect("an answer to REGISTER");
        assert_eq!(answer.status, StatusCode::OK, "REGISTER of {}", self.config.user);
        answer
    }

    /// Its Contact URI.
    pub fn contact(&self) -> Uri {
        contact(&self.config)
    }

    /// What it has left.
    pub async fn left(&self) -> Left {
        let (reply, answer) = oneshot::channel();
        let _ = self.orders.send(Order::Left(reply));
        answer.await.expect("the agent runs")
    }
}

fn aor(user: &str, domain: &str) -> Uri {
    format!("sip:{user}@{domain}").parse().expect("an address of record")
}

fn contact(config: &AgentConfig) -> Uri {
    let host = config.contact.unwrap_or(config.address);
    SipUri::new(HostPort::from(host)).with_user(&config.user).into()
}

struct Call {
    session: Session,
    events: Events,
    refuse: Option<StatusCode>,
    version: u32,
    digest: Option<digest::Client>,
}

struct Plain {
    request: Request,
    to: SocketAddr,
    reply: Reply,
    digest: Option<digest::Client>,
}

struct Core {
    net: SimNet,
    config: AgentConfig,
    session_config: Arc<SessionConfig>,
    layer: TransactionLayer,
    ids: Ids,
    cseq: u32,
    next: u64,
    calls: HashMap<u64, Call>,
    of_client: HashMap<ClientTx, (u64, RequestToken)>,
    plain: HashMap<ClientTx, Plain>,
    new_calls: mpsc::UnboundedSender<NewCall>,
    new_requests: mpsc::UnboundedSender<Request>,
}

impl Core {
    fn new(
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
            calls: HashMap::new(),
            of_client: HashMap::new(),
            plain: HashMap::new(),
            new_calls,
            new_requests,
        }
    }

    async fn run(
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

    fn flow(&self, remote: SocketAddr) -> Flow {
        Flow { transport: Transport::Udp, local: self.config.address, remote, connection: None }
    }

    fn next_hop(&self, uri: &Uri) -> SocketAddr {
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
                let call = Call { session, events, refuse: None, version: 1, digest };
                self.calls.insert(self.next, call);
                let _ = self.new_calls.send((self.next, request, inbox));
            }
            Err(refusal) => self.layer.respond(now(), tx, refusal),
        }
    }

    /// Record-Route of the proxy that stands before us (RFC 3261 §20.30).
    fn route(&self) -> String {
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

    fn digest(&mut self) -> Option<digest::Client> {
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

    fn dial(&mut self, key: u64, dial: Dial, events: Events) {
        let from = dial.from.as_deref().unwrap_or(&self.config.user);
        let to = SipUri::new(HostPort::from(self.config.proxy)).with_user(&dial.to);
        let invite = OutgoingInvite {
            request_uri: to.clone().into(),
            from: NameAddr::new(SipUri::new(HostPort::from(self.config.proxy)).with_user(from)),
            to: NameAddr::new(to),
            contact: contact(&self.config),
            call_id: None,
            route: Vec::new(),
            headers: dial.headers,
            sdp: (!dial.without_offer).then(|| own_sdp(AUDIO_PORT, 1, Direction::SendRecv)),
        };
        let config = Arc::clone(&self.session_config);
        let session = Session::outgoing(now(), config, &mut self.ids, invite);
        let digest = self.digest();
        let call = Call { session, events, refuse: None, version: 1, digest };
        self.calls.insert(key, call);
    }

    fn act(&mut self, line: u64, act: Act) {
        let Some(call) = self.calls.get_mut(&line) else { return };
        let (now, none) = (now(), Headers::new());
        let session = &mut call.session;
        // What an obliging answer to the INVITE's offer says.
        let answer = |session: &Session| {
            let offer = session.remote_sdp().map_or(Direction::SendRecv, |sdp| Direction::of(sdp));
            own_sdp(AUDIO_PORT, 1, offer.answer())
        };
        let _ = match act {
            Act::Ring(status, early, headers) => {
                let sdp = early.then(|| answer(session));
                session.provisional(now, status, sdp, headers)
            }
            Act::Answer(headers) => {
                let sdp = answer(session);
                session.accept(now, Some(sdp), headers)
            }
            Act::Reject(status, headers) => session.reject(now, status, None, headers),
            Act::Redirect(to) => session.redirect(now, code(302), &to, none),
            Act::Reinvite(port, direction) => {
                call.version += 1;
                session.reinvite(now, Some(own_sdp(port, call.version, direction)), none)
            }
            Act::ReinviteWithoutOffer => session.reinvite(now, None, none),
            Act::Update(direction) => {
                call.version += 1;
                session.update(now, Some(own_sdp(AUDIO_PORT, call.version, direction)), none)
            }
            Act::HangUp(headers) => {
                session.hangup(now, headers);
                Ok(())
            }
            Act::Send(method, headers, body) => {
                session.send(now, method, &headers, body).map(|_| ())
            }
            Act::Refuse(status) => {
                call.refuse = Some(status);
                Ok(())
            }
        };
    }

    fn output(&mut self, key: u64, output: Output) {
        let sent_by = HostPort::from(self.config.address);
        match output {
            Output::Send { token, mut request, next_hop } => {
                let first = request.method == Method::Invite && request.to_tag().is_none();
                if first && self.config.record_route {
                    request.headers.push_front(HeaderName::RecordRoute, self.route());
                }
                let flow = self.flow(self.next_hop(&next_hop));
                match self.layer.send_request(now(), request, flow, &sent_by) {
                    Ok(tx) => {
                        self.of_client.insert(tx, (key, token));
                    }
                    Err(_) => {
                        if let Some(call) = self.calls.get_mut(&key) {
                            call.session.handle_failure(now(), token, SendFailure::Overloaded);
                        }
                    }
                }
            }
            Output::SendAck { request, next_hop } => {
                let flow = self.flow(self.next_hop(&next_hop));
                self.layer.send_stateless(request, flow, &sent_by);
            }
            Output::Cancel { token, headers } => {
                let tx = self.of_client.iter().find(|(_, of)| **of == (key, token));
                if let Some((&tx, _)) = tx {
                    self.layer.cancel(now(), tx, headers);
                }
            }
            Output::Respond { tx, response } => self.layer.respond(now(), tx, response),
            Output::Event(event) => self.news(key, event),
        }
    }

    /// Answers offers, challenges and requests; tells the line everything.
    fn news(&mut self, key: u64, event: SessionEvent) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let now = now();
        match &event {
            SessionEvent::Offer { token, sdp, .. } => {
                let offer = sdp.as_ref().map_or(Direction::SendRecv, |sdp| Direction::of(sdp));
                call.version += 1;
                let sdp = own_sdp(AUDIO_PORT, call.version, offer.answer());
                let _ = match call.refuse {
                    Some(status) => call.session.refuse_offer(now, *token, status),
                    None => call.session.answer_offer(now, *token, sdp),
                };
            }
            SessionEvent::Request { token, .. } => {
                let _ = call.session.respond(now, *token, StatusCode::OK, &Headers::new(), None);
            }
            SessionEvent::Challenge { token, method, uri, response } => {
                let mut asked = Request::new(method.clone(), uri.clone());
                let known = call.digest.as_mut().is_some_and(|digest| {
                    let known = digest.challenged(&asked, response).is_ok();
                    digest.authorize(&mut asked);
                    known
                });
                let _ = if known {
                    call.session.retry_with(now, *token, &asked.headers).map(|_| ())
                } else {
                    call.session.give_up(now, *token)
                };
            }
            _ => {}
        }
        let _ = call.events.send((Instant::now(), event));
    }
}

fn own_sdp(port: u16, version: u32, direction: Direction) -> Bytes {
    sdp::audio("127.9.9.9", port, version, direction)
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
