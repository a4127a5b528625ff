//! A bench with a virtual clock, and the tests on it.

mod client;
mod limits;
mod lossy;
mod peers;
mod random;
mod server;
mod tables;
mod wakeups;

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{ClientTx, Config, Counts, Event, ServerTx, TransactionLayer};
use crate::flow::{ConnectionId, Flow, Transport};
use crate::header::Headers;
use crate::ids::Ids;
use crate::message::{Message, Method, Request, Response, StatusCode};
use crate::parse;
use crate::uri::HostPort;

fn udp() -> Flow {
    let (local, remote) = ("192.0.2.1:5060", "198.51.100.7:5060");
    Flow {
        transport: Transport::Udp,
        local: local.parse().unwrap(),
        remote: remote.parse().unwrap(),
        connection: None,
    }
}

fn tcp() -> Flow {
    Flow { transport: Transport::Tcp, connection: Some(ConnectionId(1)), ..udp() }
}

fn us() -> HostPort {
    "192.0.2.1:5060".parse().unwrap()
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A received request; `extra` are further header lines.
fn request(method: &str, branch: &str, extra: &str) -> Request {
    let text = format!(
        "{method} sip:100@192.0.2.1 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 198.51.100.7:5060;branch={branch};rport=5060\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:101@192.0.2.1>;tag=from-{branch}\r\n\
         To: <sip:100@192.0.2.1>\r\n\
         Call-ID: call-{branch}\r\n\
         CSeq: 7 {method}\r\n\
         {extra}Content-Length: 0\r\n\r\n"
    );
    match parse::datagram(Bytes::from(text)).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => unreachable!(),
    }
}

/// One of ours, before it has a Via.
fn outgoing(method: Method) -> Request {
    let mut request = request("OPTIONS", "x", "");
    request.headers.remove(&crate::header::HeaderName::Via);
    let cseq = format!("7 {method}");
    request.headers.set(crate::header::HeaderName::CSeq, cseq);
    request.method = method;
    request
}

fn answer(request: &Request, code: u16) -> Response {
    let mut response = Response::to_request(request, StatusCode::new(code).unwrap(), None);
    if code > 100 {
        response.ensure_to_tag("ours");
    }
    response
}

/// A layer, its clock, and all that it sent and said.
struct Bench {
    layer: TransactionLayer,
    now: Instant,
    start: Instant,
    /// Milliseconds since the start, way, and message.
    sent: Vec<(u64, Flow, Message)>,
    events: Vec<Event>,
}

impl Bench {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        let now = Instant::now();
        let layer = TransactionLayer::new(config, Ids::from_seed(1));
        Self { layer, now, start: now, sent: Vec::new(), events: Vec::new() }
    }

    fn drain(&mut self) {
        let at = u64::try_from((self.now - self.start).as_millis()).unwrap();
        while let Some(transmit) = self.layer.poll_transmit() {
            let message = parse::datagram(transmit.bytes).unwrap();
            self.sent.push((at, transmit.flow, message));
        }
        while let Some(event) = self.layer.poll_event() {
            self.events.push(event);
        }
    }

    /// Lets time pass, stopping wherever the layer wants to be woken.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.layer.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.layer.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn receive(&mut self, message: Message, flow: Flow) {
        self.layer.receive(self.now, message, flow);
        self.drain();
    }

    /// Receives a request over UDP and gives its transaction, if it is a new one.
    fn ask(&mut self, request: &Request) -> Option<ServerTx> {
        self.ask_over(request, udp())
    }

    fn ask_over(&mut self, request: &Request, flow: Flow) -> Option<ServerTx> {
        self.events.clear();
        self.receive(Message::Request(request.clone()), flow);
        self.events.iter().find_map(|event| match event {
            Event::Request { tx, .. } => Some(*tx),
            _ => None,
        })
    }

    fn respond(&mut self, tx: ServerTx, response: Response) {
        self.layer.respond(self.now, tx, response);
        self.drain();
    }

    fn send(&mut self, request: Request, flow: Flow) -> ClientTx {
        let tx = self.layer.send_request(self.now, request, flow, &us()).unwrap();
        self.drain();
        tx
    }

    fn cancel(&mut self, tx: ClientTx) -> Option<ClientTx> {
        let cancel = self.layer.cancel(self.now, tx, Headers::new());
        self.drain();
        cancel
    }

    /// The peer answers the last request sent with that method.
    fn answered(&mut self, method: &Method, code: u16) {
        let request = self.last_request(method);
        self.receive(Message::Response(answer(&request, code)), udp());
    }

    fn last_request(&self, method: &Method) -> Request {
        let mut requests = self.sent.iter().rev().filter_map(|(_, _, message)| match message {
            Message::Request(request) if request.method == *method => Some(request.clone()),
            _ => None,
        });
        requests.next().unwrap()
    }

    /// What was sent since the last call: `"0 INVITE"`, `"200 100"`.
    fn log(&mut self) -> Vec<String> {
        self.sent
            .drain(..)
            .map(|(at, _, message)| match message {
                Message::Request(request) => format!("{at} {}", request.method),
                Message::Response(response) => format!("{at} {}", response.status.code()),
            })
            .collect()
    }

    /// What was said since the last call.
    fn said(&mut self) -> Vec<String> {
        self.events
            .drain(..)
            .map(|event| match event {
                Event::Request { request, .. } => format!("request {}", request.method),
                Event::Ack { .. } => "ack".into(),
                Event::Cancel { .. } => "cancel".into(),
                Event::Response { response, .. } => format!("response {}", response.status.code()),
                Event::StrayResponse { .. } => "stray".into(),
                Event::Timeout { .. } => "timeout".into(),
                Event::TransportError { .. } => "transport error".into(),
                Event::AckTimeout { .. } => "no ack".into(),
                Event::Terminated { .. } => "terminated".into(),
            })
            .collect()
    }

    /// After all timers nothing may be left.
    fn assert_empty(mut self) {
        self.run(Duration::from_secs(600));
        assert_eq!(self.layer.counts(), Counts::default());
        assert_eq!(self.layer.leftovers(), 0);
        assert_eq!(self.layer.poll_timeout(), None);
    }
}
