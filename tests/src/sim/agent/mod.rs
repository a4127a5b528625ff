//! A user agent on the sans-IO cores: a desk phone, or a carrier's edge.
//!
//! > One task owns the transactions and the sessions; the test holds an [`Agent`] and a [`Line`]
//! > for each call. The agent answers offers and challenges by itself, everything else is told.

mod calls;
mod core;

use std::net::SocketAddr;

use bytes::Bytes;
use offhook_sip::header::{HeaderName, Headers, NameAddr};
use offhook_sip::message::{Method, Request, Response, StatusCode};
use offhook_sip::session::{SendFailure, SessionConfig, SessionEvent};
use offhook_sip::transaction;
use offhook_sip::uri::{HostPort, SipUri, Uri};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::Instant;

use self::core::Core;
use super::line::{Act, Line, PATIENCE};
use super::net::SimNet;

/// Port of an agent's audio, unless it moved. Nothing is ever there.
pub const AUDIO_PORT: u16 = 40_000;

/// Makes a description: the first offer, or the answer to one (`None`: it is refused with 488).
pub type Describe = fn(Option<&Bytes>) -> Option<Bytes>;

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
    /// What it offers, and answers to an offer, where that is more than PCMU.
    pub describe: Option<Describe>,
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
            describe: None,
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
        let mut calls = self.calls.lock().await;
        let call = tokio::time::timeout(PATIENCE, calls.recv()).await;
        let call = call.unwrap_or_else(|_| panic!("nobody calls {}", self.config.user));
        let (key, invite, events) = call.expect("the agent runs");
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
