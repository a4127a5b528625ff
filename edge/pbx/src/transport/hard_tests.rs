//! Peers that behave badly, and IPv6, on real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use offhook_sip::flow::Transport;
use offhook_sip::header::{Contact, HeaderName};
use offhook_sip::ids::Ids;
use offhook_sip::message::{Message, Method, Request, Response, StatusCode};
use offhook_sip::{digest, parse};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::Limits;
use super::listen::{ListenConfig, NetConfig};
use super::net::Net;
use super::tests::{OPTIONS, bound, certificate, listen, message, start, tls_listen};
use super::wire::{Incoming, Wire, WireError};
use crate::bans::{Bans, Policy};
use crate::metrics::Metrics;
use crate::registrar::tests::{Memory, extension};
use crate::registrar::{Authenticator, Directory, Registrar, RegistrarConfig};
use crate::resolve::locate::Abilities;
use crate::resolve::{CachingResolver, Locator};
use crate::stack::lab::Names;
use crate::stack::{Owner, Parts, SipEvent, Stack, StackConfig};
use crate::trunk::Peers;

/// Limits that are soon reached, and by nobody who speaks at once on a slow machine.
fn hasty() -> Limits {
    let soon = Duration::from_secs(2);
    Limits { handshake: soon, patience: soon, ..Limits::default() }
}

/// Until the other side closes.
async fn closed(socket: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest).await;
    rest
}

#[tokio::test]
async fn whoever_never_finishes_a_handshake_is_dropped_by_a_timer() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    let config = NetConfig {
        listen: vec![tls_listen(folder.path())],
        limits: hasty(),
        ..Default::default()
    };
    let mut started = start(config);
    let mut silent = TcpStream::connect(bound(&started, Transport::Tls)).await.unwrap();
    closed(&mut silent).await;
    assert!(matches!(started.incoming.recv().await, Some(Incoming::Lost { .. })));
    assert_eq!(started.net.connections(), 0);
}

#[tokio::test]
async fn half_a_message_or_nothing_but_keep_alives_keeps_no_place() {
    let config =
        NetConfig { listen: vec![listen(Transport::Tcp)], limits: hasty(), ..Default::default() };
    let mut started = start(config);
    let us = bound(&started, Transport::Tcp);
    let mut slow = TcpStream::connect(us).await.unwrap();
    slow.write_all(&OPTIONS[..40]).await.unwrap();
    closed(&mut slow).await;
    let mut idle = TcpStream::connect(us).await.unwrap();
    idle.write_all(b"\r\n\r\n").await.unwrap();
    assert_eq!(closed(&mut idle).await, b"\r\n");
    // One that was of use may be silent.
    let mut good = TcpStream::connect(us).await.unwrap();
    good.write_all(OPTIONS).await.unwrap();
    let (flow, _) = message(&mut started).await;
    good.write_all(b"\r\n\r\n").await.unwrap();
    good.read_exact(&mut [0; 2]).await.unwrap();
    let mut another = TcpStream::connect(us).await.unwrap();
    closed(&mut another).await;
    assert!(started.net.is_alive(&flow), "it outlived one that came later and said nothing");
}

#[tokio::test]
async fn garbage_closes_its_own_stream_and_no_other() {
    let mut started =
        start(NetConfig { listen: vec![listen(Transport::Tcp)], ..Default::default() });
    let us = bound(&started, Transport::Tcp);
    let mut good = TcpStream::connect(us).await.unwrap();
    good.write_all(OPTIONS).await.unwrap();
    let (flow, _) = message(&mut started).await;
    for junk in [&b"\x16\x03\x01\x02\x00"[..], b"GET / HTTP/1.1\r\n\r\n", &[0xff; 2_000]] {
        let mut bad = TcpStream::connect(us).await.unwrap();
        let _ = bad.write_all(junk).await;
        let _ = bad.shutdown().await;
        closed(&mut bad).await;
    }
    good.write_all(OPTIONS).await.unwrap();
    assert_eq!(message(&mut started).await.0, flow);
}

#[tokio::test]
async fn garbage_on_a_stream_and_in_a_handshake_counts_towards_a_ban() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    let ways = [listen(Transport::Tcp), tls_listen(folder.path())];
    for (way, transport) in ways.into_iter().zip([Transport::Tcp, Transport::Tls]) {
        let metrics = Arc::new(Metrics::default());
        let policy = Policy {
            failures: 2,
            window: Duration::from_secs(60),
            ban: Duration::from_secs(60),
            never: Vec::new(),
        };
        let bans = Bans::new(policy, None, Arc::clone(&metrics), None);
        let config = NetConfig { listen: vec![way], ..Default::default() };
        let mut started = Net::start(config, bans.clone(), metrics);
        let us = bound(&started, transport);
        for last in [false, true] {
            let mut bad = TcpStream::connect(us).await.unwrap();
            let _ = bad.write_all(b"GET / HTTP/1.1\r\n\r\n").await;
            closed(&mut bad).await;
            assert!(matches!(started.incoming.recv().await, Some(Incoming::Lost { .. })));
            assert_eq!(bans.is_banned(us.ip()), last, "{transport}");
        }
    }
}

#[tokio::test]
async fn an_old_phone_and_whoever_goes_away_before_a_handshake_are_not_held_for_scanners() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    let metrics = Arc::new(Metrics::default());
    let policy = Policy {
        failures: 1,
        window: Duration::from_secs(60),
        ban: Duration::from_secs(60),
        never: Vec::new(),
    };
    let bans = Bans::new(policy, None, Arc::clone(&metrics), None);
    let config = NetConfig { listen: vec![tls_listen(folder.path())], ..Default::default() };
    let mut started = Net::start(config, bans.clone(), metrics);
    let us = bound(&started, Transport::Tls);
    drop(TcpStream::connect(us).await.unwrap());
    assert!(matches!(started.incoming.recv().await, Some(Incoming::Lost { .. })));
    // A ClientHello of TLS 1.0 (RFC 2246 §7.4.1.2) that offers TLS_RSA_WITH_AES_128_CBC_SHA.
    let hello = [&[3, 1][..], &[7; 32], &[0, 0, 2, 0, 0x2f, 1, 0]].concat();
    let length = u8::try_from(hello.len()).unwrap();
    let record = [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &hello].concat();
    let mut old = TcpStream::connect(us).await.unwrap();
    old.write_all(&record).await.unwrap();
    assert_eq!(closed(&mut old).await.first(), Some(&21), "it is told why, by an alert");
    assert!(matches!(started.incoming.recv().await, Some(Incoming::Lost { .. })));
    assert!(!bans.is_banned(us.ip()));
}

#[tokio::test]
async fn strangers_who_take_all_places_leave_us_those_for_our_own_connections() {
    let limits = Limits { connections: 16, per_source: 100, ..Limits::default() };
    let config = NetConfig { listen: vec![listen(Transport::Tcp)], limits, ..Default::default() };
    let mut started = start(config);
    let us = bound(&started, Transport::Tcp);
    let mut strangers = Vec::new();
    for _ in 0..15 {
        let mut stranger = TcpStream::connect(us).await.unwrap();
        stranger.write_all(OPTIONS).await.unwrap();
        message(&mut started).await;
        strangers.push(stranger);
    }
    let mut refused = TcpStream::connect(us).await.unwrap();
    closed(&mut refused).await;
    let trunk = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let flow = started.addresses.flow_to(Transport::Tcp, trunk.local_addr().unwrap());
    let flow = started.net.open(flow, None).unwrap();
    started.net.send(&flow, OPTIONS.into()).unwrap();
    trunk.accept().await.unwrap();
    let another = started.addresses.flow_to(Transport::Tcp, "127.0.0.1:9".parse().unwrap());
    assert_eq!(started.net.open(another, None), Err(WireError::TooMany));
}

#[tokio::test]
async fn a_datagram_to_nobody_disturbs_none_to_others() {
    let started = start(NetConfig { listen: vec![listen(Transport::Udp)], ..Default::default() });
    let gone = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for _ in 0..5 {
        for to in [gone, peer.local_addr().unwrap()] {
            let flow = started.addresses.flow_to(Transport::Udp, to);
            started.net.send(&flow, OPTIONS.into()).unwrap();
        }
        assert_eq!(peer.recv(&mut [0; 2_000]).await.unwrap(), OPTIONS.len());
    }
}

#[tokio::test]
async fn a_large_datagram_arrives_whole() {
    let mut started =
        start(NetConfig { listen: vec![listen(Transport::Udp)], ..Default::default() });
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let large = vec![b'x'; 60_000];
    peer.send_to(&large, bound(&started, Transport::Udp)).await.unwrap();
    let Some(Incoming::Datagram { bytes, .. }) = started.incoming.recv().await else { panic!() };
    assert_eq!(bytes.len(), 60_000);
}

#[test]
fn a_connection_without_a_listener_of_its_kind_tells_no_port_zero() {
    let none = super::advertise::Addresses::new(Vec::new(), Vec::new(), Vec::new());
    let flow = none.flow_to(Transport::Tcp, "127.0.0.1:5060".parse().unwrap());
    assert_eq!(none.sent_by(&flow).to_string(), "127.0.0.1");
}

/// A phone on `[::1]` with a plain socket.
struct Phone {
    socket: UdpSocket,
    us: SocketAddr,
}

impl Phone {
    async fn send(&self, text: &[u8]) {
        self.socket.send_to(text, self.us).await.unwrap();
    }

    async fn receive(&self) -> Message {
        let mut buffer = vec![0; 65_535];
        let (length, _) = self.socket.recv_from(&mut buffer).await.unwrap();
        parse::datagram(buffer[..length].to_vec().into()).unwrap()
    }

    fn register(&self, seq: u32) -> Request {
        let here = self.socket.local_addr().unwrap();
        let text = format!(
            "REGISTER sip:{us} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{seq};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:101@{us}>;tag=1\r\nTo: <sip:101@{us}>\r\n\
             Call-ID: v6\r\nCSeq: {seq} REGISTER\r\nContact: <sip:101@{here}>\r\n\
             Expires: 600\r\nContent-Length: 0\r\n\r\n",
            us = self.us
        );
        crate::registrar::tests::parse(&text)
    }
}

#[tokio::test]
async fn a_phone_on_ipv6_registers_and_is_called() {
    let address = "[::1]:0".parse().unwrap();
    let on = |transport| ListenConfig {
        transport,
        address,
        external: None,
        tls: None,
        origins: Vec::new(),
    };
    let config = NetConfig { listen: vec![on(Transport::Udp)], ..Default::default() };
    let metrics = Arc::new(Metrics::default());
    let policy = Policy {
        failures: 5,
        window: Duration::from_secs(60),
        ban: Duration::from_secs(60),
        never: Vec::new(),
    };
    let bans = Bans::new(policy, None, Arc::clone(&metrics), None);
    let started = super::Net::start(config, bans.clone(), Arc::clone(&metrics));
    assert!(started.problems.is_empty(), "{:?}", started.problems);
    let us = bound(&started, Transport::Udp);
    let resolver = CachingResolver::new(Arc::new(Names::default()), Arc::clone(&metrics));
    let locator = Locator::new(resolver, Abilities::of(&started.addresses), 1);
    let parts = Parts {
        wire: Arc::clone(&started.net) as _,
        incoming: started.incoming,
        locator: Arc::new(locator),
        addresses: Arc::clone(&started.addresses),
        bans: bans.clone(),
        metrics: Arc::clone(&metrics),
        ids: Ids::from_seed(1),
    };
    let (sip, mut requests) = Stack::spawn(StackConfig::default(), parts);
    let directory = Directory::new();
    directory.put(extension("101"));
    let ids = Ids::from_seed(2);
    let (addresses, counters) = (Arc::clone(&started.addresses), Arc::clone(&metrics));
    let auth = Authenticator::new("lab", addresses, ids, directory, Peers::new(), bans, counters);
    let config = RegistrarConfig::from(&offhook_config::Config::default());
    let keep = Arc::new(Memory::default());
    let registrar =
        Registrar::new(config, keep, auth, sip.clone(), Arc::clone(&started.net) as _, metrics);

    let phone = Phone { socket: UdpSocket::bind("[::1]:0").await.unwrap(), us };
    let first = phone.register(1);
    phone.send(&first.to_bytes()).await;
    registrar.handle(requests.recv().await.unwrap());
    let Message::Response(challenge) = phone.receive().await else { panic!() };
    assert_eq!(challenge.status, StatusCode::UNAUTHORIZED);
    let secret = digest::Secret::Password("secret".into());
    let mut client = digest::Client::new("101", secret, Ids::from_seed(3));
    client.challenged(&first, &challenge).unwrap();
    let mut again = phone.register(2);
    client.authorize(&mut again);
    phone.send(&again.to_bytes()).await;
    registrar.handle(requests.recv().await.unwrap());
    let Message::Response(ok) = phone.receive().await else { panic!() };
    assert_eq!(ok.status, StatusCode::OK);

    let contact = registrar.lookup("101").remove(0);
    let uri = contact.uri.clone();
    let mut invite = Request::new(Method::Invite, uri.clone());
    let ours = format!("<sip:us@{}>", crate::stack::CONTACT_PLACEHOLDER);
    for (name, value) in [
        (HeaderName::From, "<sip:us@[::1]>;tag=9".to_owned()),
        (HeaderName::To, format!("<{uri}>")),
        (HeaderName::CallId, "call".to_owned()),
        (HeaderName::CSeq, "1 INVITE".to_owned()),
        (HeaderName::Contact, ours),
    ] {
        invite.headers.push(name, value);
    }
    let (owner, mut mailbox) = Owner::channel(8);
    sip.send(1, invite, contact.target, &owner);
    let Message::Request(call) = phone.receive().await else { panic!() };
    assert_eq!(call.uri, uri);
    assert_eq!(call.top_via().unwrap().sent_by.to_string(), us.to_string());
    let Ok(Some(Contact::Addr(at))) = call.headers.typed::<Contact>() else { panic!() };
    assert_eq!(at.uri.to_string(), format!("sip:us@{us}"));
    assert_eq!(sip.media_address(&contact.flow).advertised, us.ip());
    let mut answer = Response::to_request(&call, StatusCode::OK, None);
    answer.ensure_to_tag("phone");
    phone.send(&answer.to_bytes()).await;
    let Some(SipEvent::Response { response, .. }) = mailbox.recv().await else { panic!() };
    assert_eq!(response.status, StatusCode::OK);
}
