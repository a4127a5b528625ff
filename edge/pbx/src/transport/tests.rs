use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use offhook_sip::flow::{Flow, Transport};
use offhook_sip::message::{Message, Method};
use rustls::RootCertStore;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;

use super::advertise::{Addresses, ListenAddress};
use super::listen::{ListenConfig, NetConfig};
use super::net::{Net, Started};
use super::tls::TlsError;
use super::wire::{Incoming, Wire};
use super::{Limits, tls};
use crate::bans::{Bans, Policy};
use crate::metrics::Metrics;

pub(super) fn listen(transport: Transport) -> ListenConfig {
    let address = "127.0.0.1:0".parse().unwrap();
    ListenConfig { transport, address, external: None, tls: None, origins: Vec::new() }
}

pub(super) fn start(config: NetConfig) -> Started {
    let metrics = Arc::new(Metrics::default());
    let policy = Policy {
        failures: 0,
        window: Duration::from_secs(1),
        ban: Duration::from_secs(1),
        never: Vec::new(),
    };
    Net::start(config, Bans::new(policy, None, Arc::clone(&metrics), None), metrics)
}

fn reload(net: &Net, ca_files: &[std::path::PathBuf]) -> Result<(), TlsError> {
    net.read_certificates(ca_files).map(|renewal| net.renew(renewal))
}

pub(super) fn bound(started: &Started, transport: Transport) -> SocketAddr {
    started.addresses.listeners().iter().find(|l| l.transport == transport).unwrap().bound
}

pub(super) const OPTIONS: &[u8] = b"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKa\r\n\
From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";

pub(super) async fn message(started: &mut Started) -> (Flow, Message) {
    loop {
        match started.incoming.recv().await.unwrap() {
            Incoming::Message { flow, message } => return (flow, message),
            Incoming::Lost { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Writes a fresh certificate for `localhost` and gives the roots that trust it.
pub(super) fn certificate(folder: &Path) -> RootCertStore {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("chain.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    roots
}

pub(super) fn tls_listen(folder: &Path) -> ListenConfig {
    let tls = Some((folder.join("chain.pem"), folder.join("key.pem")));
    ListenConfig { tls, ..listen(Transport::Tls) }
}

pub(super) async fn dial(
    roots: RootCertStore,
    address: SocketAddr,
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let socket = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config)).connect(name, socket).await
}

#[tokio::test]
async fn datagrams_go_both_ways() {
    let mut started =
        start(NetConfig { listen: vec![listen(Transport::Udp)], ..Default::default() });
    let us = bound(&started, Transport::Udp);
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    peer.send_to(b"hello", us).await.unwrap();
    let Incoming::Datagram { flow, bytes } = started.incoming.recv().await.unwrap() else {
        panic!()
    };
    assert_eq!(bytes, "hello");
    assert_eq!(flow.remote, peer.local_addr().unwrap());
    started.net.send(&flow, Bytes::from_static(b"world")).unwrap();
    let mut buffer = [0; 16];
    assert_eq!(peer.recv(&mut buffer).await.unwrap(), 5);
}

#[tokio::test]
async fn one_listener_that_cannot_open_leaves_the_others_serving() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let busy = ListenConfig { address: taken.local_addr().unwrap(), ..listen(Transport::Tcp) };
    let no_certificate = listen(Transport::Tls);
    let all = vec![busy, no_certificate, listen(Transport::Udp)];
    let started = start(NetConfig { listen: all, ..Default::default() });
    assert_eq!(started.problems.len(), 2);
    assert!(started.problems[0].to_string().starts_with("cannot listen on TCP 127.0.0.1:"));
    assert_eq!(started.addresses.listeners().len(), 1);
}

#[tokio::test]
async fn a_stream_is_cut_into_messages_pinged_and_reused() {
    let mut started =
        start(NetConfig { listen: vec![listen(Transport::Tcp)], ..Default::default() });
    let mut peer = TcpStream::connect(bound(&started, Transport::Tcp)).await.unwrap();
    let (a, b) = OPTIONS.split_at(50);
    peer.write_all(b"\r\n\r\n").await.unwrap();
    let mut pong = [0; 2];
    peer.read_exact(&mut pong).await.unwrap();
    assert_eq!(&pong, b"\r\n");
    peer.write_all(a).await.unwrap();
    peer.flush().await.unwrap();
    peer.write_all(&[b, OPTIONS].concat()).await.unwrap();
    let (flow, first) = message(&mut started).await;
    let (again, _) = message(&mut started).await;
    assert_eq!(flow, again);
    assert!(matches!(first, Message::Request(r) if r.method == Method::Options));
    // A request of ours to that peer takes the same connection.
    let wanted = Flow { connection: None, ..flow };
    assert_eq!(started.net.open(wanted, None).unwrap(), flow);
    started.net.send(&flow, Bytes::from_static(b"answer")).unwrap();
    let mut answer = [0; 6];
    peer.read_exact(&mut answer).await.unwrap();
    drop(peer);
    let Incoming::Lost { flow: lost } = started.incoming.recv().await.unwrap() else { panic!() };
    assert_eq!(lost, flow);
    assert!(!started.net.is_alive(&flow));
    assert_eq!(started.net.connections(), 0);
}

#[tokio::test]
async fn a_stream_whose_framing_is_in_doubt_is_closed() {
    let mut started =
        start(NetConfig { listen: vec![listen(Transport::Tcp)], ..Default::default() });
    let mut peer = TcpStream::connect(bound(&started, Transport::Tcp)).await.unwrap();
    let text = String::from_utf8(OPTIONS.to_vec()).unwrap().replace("Content-Length: 0\r\n", "");
    peer.write_all(text.as_bytes()).await.unwrap();
    let mut rest = Vec::new();
    peer.read_to_end(&mut rest).await.unwrap();
    assert!(matches!(started.incoming.recv().await, Some(Incoming::Lost { .. })));
    assert_eq!(started.net.connections(), 0);
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_at_once() {
    let limits = Limits { per_source: 1, ..Limits::default() };
    let config = NetConfig { listen: vec![listen(Transport::Tcp)], limits, ..Default::default() };
    let mut started = start(config);
    let us = bound(&started, Transport::Tcp);
    let mut first = TcpStream::connect(us).await.unwrap();
    first.write_all(OPTIONS).await.unwrap();
    message(&mut started).await;
    let mut second = TcpStream::connect(us).await.unwrap();
    assert!(matches!(second.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    assert_eq!(started.net.connections(), 1);
}

#[tokio::test]
async fn a_connection_is_made_on_demand_and_a_refused_one_is_reported() {
    let mut started =
        start(NetConfig { listen: vec![listen(Transport::Tcp)], ..Default::default() });
    let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = |remote| Flow {
        transport: Transport::Tcp,
        local: bound(&started, Transport::Tcp),
        remote,
        connection: None,
    };
    let (good, remote) = (to(peer.local_addr().unwrap()), peer.local_addr().unwrap());
    let flow = started.net.open(good, Some("peer.test")).unwrap();
    // Written before the connection is there.
    started.net.send(&flow, Bytes::from_static(OPTIONS)).unwrap();
    let (mut socket, _) = peer.accept().await.unwrap();
    let mut read = vec![0; OPTIONS.len()];
    socket.read_exact(&mut read).await.unwrap();
    assert_eq!(read, OPTIONS);
    socket.write_all(OPTIONS).await.unwrap();
    assert_eq!(message(&mut started).await.0, flow);
    drop((socket, peer));
    assert!(matches!(started.incoming.recv().await, Some(Incoming::Lost { .. })));
    let refused = started.net.open(Flow { connection: None, remote, ..good }, None).unwrap();
    let Incoming::Lost { flow } = started.incoming.recv().await.unwrap() else { panic!() };
    assert_eq!(flow, refused);
    assert_eq!(started.net.connections(), 0);
}

#[tokio::test]
async fn a_new_certificate_serves_new_connections_and_old_ones_live_on() {
    let folder = tempfile::tempdir().unwrap();
    let old_roots = certificate(folder.path());
    let mut started =
        start(NetConfig { listen: vec![tls_listen(folder.path())], ..Default::default() });
    assert!(started.problems.is_empty(), "{:?}", started.problems);
    let us = bound(&started, Transport::Tls);
    let mut old = dial(old_roots.clone(), us).await.unwrap();
    old.write_all(OPTIONS).await.unwrap();
    let (flow, _) = message(&mut started).await;
    let new_roots = certificate(folder.path());
    reload(&started.net, &[]).unwrap();
    // The old connection still works, in both directions.
    old.write_all(OPTIONS).await.unwrap();
    assert_eq!(message(&mut started).await.0, flow);
    started.net.send(&flow, Bytes::from_static(b"still")).unwrap();
    let mut still = [0; 5];
    old.read_exact(&mut still).await.unwrap();
    assert!(dial(old_roots, us).await.is_err(), "the old certificate is not shown any more");
    let mut new = dial(new_roots, us).await.unwrap();
    new.write_all(OPTIONS).await.unwrap();
    assert_ne!(message(&mut started).await.0.connection, flow.connection);
    // A broken file changes nothing.
    std::fs::write(folder.path().join("chain.pem"), "rubbish").unwrap();
    assert!(reload(&started.net, &[]).is_err());
    new.write_all(OPTIONS).await.unwrap();
    message(&mut started).await;
}

#[tokio::test]
async fn an_outgoing_tls_peer_must_prove_its_name() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    let mut server =
        start(NetConfig { listen: vec![tls_listen(folder.path())], ..Default::default() });
    let ca_files = vec![folder.path().join("chain.pem")];
    let mut client = start(NetConfig { ca_files, ..Default::default() });
    let flow = Flow {
        transport: Transport::Tls,
        local: "0.0.0.0:0".parse().unwrap(),
        remote: bound(&server, Transport::Tls),
        connection: None,
    };
    let right = client.net.open(flow, Some("localhost")).unwrap();
    client.net.send(&right, Bytes::from_static(OPTIONS)).unwrap();
    message(&mut server).await;
    let wrong = client.net.open(flow, Some("elsewhere.test")).unwrap();
    assert_ne!(right, wrong, "a proven name is not another");
    let Incoming::Lost { flow: lost } = client.incoming.recv().await.unwrap() else { panic!() };
    assert_eq!(lost, wrong);
    assert_eq!(client.net.connections(), 1);
    assert!(tls::client_config(&[folder.path().join("missing.pem")]).is_err());
}

#[tokio::test]
async fn a_ca_file_that_cannot_be_read_and_an_odd_certificate_in_one_take_no_trust_away() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    let mut server =
        start(NetConfig { listen: vec![tls_listen(folder.path())], ..Default::default() });
    let der = folder.path().join("ca.der");
    std::fs::write(&der, [0x30, 0x82, 1, 2, 0xff]).unwrap();
    let good = std::fs::read_to_string(folder.path().join("chain.pem")).unwrap();
    let odd = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let bundle = folder.path().join("bundle.pem");
    std::fs::write(&bundle, format!("{odd}{good}")).unwrap();
    let only_odd = folder.path().join("odd.pem");
    std::fs::write(&only_odd, odd).unwrap();
    assert!(tls::client_config(&[only_odd]).is_err());
    let ca_files = vec![der, bundle];
    let client = start(NetConfig { ca_files: ca_files.clone(), ..Default::default() });
    let flow = Flow {
        transport: Transport::Tls,
        local: "0.0.0.0:0".parse().unwrap(),
        remote: bound(&server, Transport::Tls),
        connection: None,
    };
    let first = client.net.open(flow, Some("localhost")).unwrap();
    client.net.send(&first, Bytes::from_static(OPTIONS)).unwrap();
    message(&mut server).await;
    // A reload with it is refused, and what is trusted stays trusted.
    let refused = reload(&client.net, &ca_files).unwrap_err().to_string();
    assert!(refused.contains("ca.der"), "{refused}");
    client.net.ended(first).await;
    let again = client.net.open(flow, Some("localhost")).unwrap();
    assert_ne!(first, again);
    client.net.send(&again, Bytes::from_static(OPTIONS)).unwrap();
    message(&mut server).await;
}

#[tokio::test]
async fn what_did_not_open_at_the_start_is_opened_later() {
    let folder = tempfile::tempdir().unwrap();
    let taken = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let busy = ListenConfig { address, ..listen(Transport::Udp) };
    let all = vec![busy, tls_listen(folder.path())];
    let mut started = start(NetConfig { listen: all, ..Default::default() });
    assert_eq!((started.problems.len(), started.net.listen_problems().len()), (2, 2));
    drop(taken);
    let roots = certificate(folder.path());
    reload(&started.net, &[]).unwrap();
    while !started.net.listen_problems().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(started.net.listeners().first(), Some(&format!("udp {address}")));
    let mut peer = dial(roots, bound(&started, Transport::Tls)).await.unwrap();
    peer.write_all(OPTIONS).await.unwrap();
    message(&mut started).await;
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let flow = started.addresses.flow_to(Transport::Udp, peer.local_addr().unwrap());
    assert_eq!(flow.local, address);
    started.net.send(&flow, Bytes::from_static(b"world")).unwrap();
    assert_eq!(peer.recv(&mut [0; 16]).await.unwrap(), 5);
}

#[test]
fn peers_beyond_the_nat_are_told_the_external_address() {
    let listener = |ip: &str, external: Option<IpAddr>| ListenAddress {
        transport: Transport::Udp,
        bound: SocketAddr::new(ip.parse().unwrap(), 5060),
        external: external.map(|ip| (ip, None)),
    };
    let flow = |local: &str, remote: &str| Flow {
        transport: Transport::Udp,
        local: SocketAddr::new(local.parse().unwrap(), 5060),
        remote: SocketAddr::new(remote.parse().unwrap(), 5060),
        connection: None,
    };
    let own = Some("203.0.113.2".parse().unwrap());
    let listeners = vec![listener("10.0.0.2", None), listener("10.1.0.2", own)];
    let external = vec!["203.0.113.1".parse().unwrap()];
    let office = vec!["198.51.100.0/24".parse().unwrap(), "10.0.0.0/24".parse().unwrap()];
    let addresses = Addresses::new(listeners, external, office);
    let told = |local, remote| addresses.sent_by(&flow(local, remote)).to_string();
    assert_eq!(told("10.0.0.2", "10.0.0.9"), "10.0.0.2:5060");
    assert_eq!(told("10.0.0.2", "198.51.100.9"), "10.0.0.2:5060", "a local network by name");
    assert_eq!(told("10.0.0.2", "3.80.16.5"), "203.0.113.1:5060");
    assert_eq!(told("10.0.0.2", "10.9.0.1"), "203.0.113.1:5060", "private, and beyond the NAT");
    assert_eq!(told("10.1.0.2", "3.80.16.5"), "203.0.113.2:5060", "the interface's own");
    let media = addresses.media(&flow("10.1.0.2", "3.80.16.5"));
    assert_eq!(media.bind, "10.1.0.2".parse::<IpAddr>().unwrap());
    assert_eq!(Some(media.advertised), own);
}

#[test]
fn a_sips_uri_is_told_where_tls_is_and_nowhere_else() {
    let addresses = Addresses::new(Vec::new(), Vec::new(), Vec::new());
    let told = |transport, sips| {
        let (local, remote) = ("10.0.0.2:5061".parse().unwrap(), "10.0.0.9:5061".parse().unwrap());
        let flow = Flow { transport, local, remote, connection: None };
        addresses.contact_uri(&flow, None, sips).to_string()
    };
    assert_eq!(told(Transport::Tls, true), "sips:10.0.0.2:5061");
    assert_eq!(told(Transport::Tls, false), "sip:10.0.0.2:5061;transport=tls");
    assert_eq!(told(Transport::Udp, true), "sip:10.0.0.2:5061");
    assert_eq!(told(Transport::Tcp, true), "sip:10.0.0.2:5061;transport=tcp");
}
