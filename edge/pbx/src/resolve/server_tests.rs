//! Real questions to a real server: hickory against a small one on loopback, UDP and TCP.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use offhook_sip::uri::Uri;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::dns::Dns;
use super::locate::Abilities;
use super::{CachingResolver, Hop, Locator, Question, RecordKind, Resolver};
use crate::metrics::Metrics;

const A: u16 = 1;
const AAAA: u16 = 28;
const SRV: u16 = 33;
const NAPTR: u16 = 35;

/// RDATA with its time to live, by name and type.
type Zone = HashMap<(String, u16), Vec<(u32, Vec<u8>)>>;

/// Name, type, and `udp` or `tcp`.
type Asked = (String, u16, &'static str);

struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

fn name(text: &str) -> Vec<u8> {
    let labels = text.split('.').filter(|label| !label.is_empty());
    let mut octets: Vec<u8> =
        labels.flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).collect();
    octets.push(0);
    octets
}

fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Vec<u8> {
    let numbers = [priority, weight, port].map(u16::to_be_bytes).concat();
    [numbers, name(target)].concat()
}

fn naptr(order: u16, service: &str, replacement: &str) -> Vec<u8> {
    let text = |t: &str| [&[t.len() as u8], t.as_bytes()].concat();
    let numbers = [order, 1].map(u16::to_be_bytes).concat();
    [numbers, text("s"), text(service), text(""), name(replacement)].concat()
}

fn address(ip: &str) -> Vec<u8> {
    match ip.parse().unwrap() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// Name and type of the question, and its octets.
fn question(query: &[u8]) -> (String, u16, &[u8]) {
    let mut at = 12;
    let mut labels = Vec::new();
    while query[at] != 0 {
        let length = usize::from(query[at]);
        labels.push(String::from_utf8(query[at + 1..=at + length].to_vec()).unwrap());
        at += length + 1;
    }
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    (labels.join(".").to_ascii_lowercase(), kind, &query[12..at + 5])
}

fn answer(zone: &Zone, query: &[u8], over: &'static str, server: &Server) -> Vec<u8> {
    let (asked, kind, octets) = question(query);
    server.asked.lock().unwrap().push((asked.clone(), kind, over));
    let known = zone.keys().any(|(n, _)| *n == asked);
    let records = zone.get(&(asked.clone(), kind)).cloned().unwrap_or_default();
    // What is too long for a datagram comes truncated (RFC 1035 §4.2.1).
    let cut = over == "udp" && asked.starts_with("long");
    let records = if cut { Vec::new() } else { records };
    let flags: u16 = 0x8580 | if cut { 0x0200 } else { 0 } | if known { 0 } else { 3 };
    let counts = [flags, 1, records.len() as u16, 0, 0].map(u16::to_be_bytes).concat();
    let mut reply = [&query[..2], &counts, octets].concat();
    for (ttl, data) in records {
        reply.extend([0xc0, 12]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1]);
        reply.extend(ttl.to_be_bytes());
        reply.extend((data.len() as u16).to_be_bytes());
        reply.extend(data);
    }
    reply
}

async fn serve(zone: Zone) -> Arc<Server> {
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            break (udp, tcp);
        }
    };
    let server = Arc::new(Server { address: udp.local_addr().unwrap(), asked: Arc::default() });
    let zone = Arc::new(zone);
    let (us, all) = (Arc::clone(&server), Arc::clone(&zone));
    tokio::spawn(async move {
        let mut buffer = [0; 4_096];
        while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
            if !question(&buffer[..length]).0.contains("silent") {
                let reply = answer(&all, &buffer[..length], "udp", &us);
                udp.send_to(&reply, from).await.unwrap();
            }
        }
    });
    let us = Arc::clone(&server);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = tcp.accept().await {
            let (us, zone) = (Arc::clone(&us), Arc::clone(&zone));
            tokio::spawn(async move {
                while let Ok(length) = socket.read_u16().await {
                    let mut query = vec![0; length.into()];
                    socket.read_exact(&mut query).await.unwrap();
                    let reply = answer(&zone, &query, "tcp", &us);
                    socket.write_u16(reply.len() as u16).await.unwrap();
                    socket.write_all(&reply).await.unwrap();
                }
            });
        }
    });
    server
}

fn locator(servers: &[SocketAddr]) -> Locator {
    let dns = Arc::new(Dns::with_servers(servers).unwrap());
    let abilities = Abilities { udp: true, tcp: true, tls: true, v4: true, v6: true };
    Locator::new(CachingResolver::new(dns, Arc::new(Metrics::default())), abilities, 3)
}

async fn locate(locator: &Locator, uri: &str) -> Vec<String> {
    let hops = locator.locate(&uri.parse::<Uri>().unwrap()).await.unwrap();
    hops.iter().map(|h: &Hop| format!("{} {}", h.transport.param_name(), h.address)).collect()
}

fn carrier() -> Zone {
    let one = |data| vec![(300, data)];
    Zone::from([
        (
            ("carrier.test".into(), NAPTR),
            vec![
                (300, naptr(20, "SIP+D2U", "_sip._udp.carrier.test")),
                (300, naptr(10, "SIP+D2T", "_sip._tcp.carrier.test")),
            ],
        ),
        (
            ("_sip._udp.carrier.test".into(), SRV),
            vec![
                (60, srv(20, 0, 5062, "b.carrier.test")),
                (60, srv(10, 0, 5061, "a.carrier.test")),
            ],
        ),
        (("_sip._tcp.carrier.test".into(), SRV), one(srv(1, 1, 5065, "a.carrier.test"))),
        (("a.carrier.test".into(), A), vec![(7, address("192.0.2.1"))]),
        (("a.carrier.test".into(), AAAA), one(address("2001:db8::1"))),
        (("b.carrier.test".into(), A), one(address("192.0.2.2"))),
        (("long.test".into(), A), one(address("192.0.2.3"))),
    ])
}

#[tokio::test]
async fn naptr_srv_and_addresses_of_a_real_server_make_the_way() {
    let server = serve(carrier()).await;
    let locator = locator(&[server.address]);
    assert_eq!(
        locate(&locator, "sip:carrier.test").await,
        [
            "tcp 192.0.2.1:5065",
            "tcp [2001:db8::1]:5065",
            "udp 192.0.2.1:5061",
            "udp [2001:db8::1]:5061",
            "udp 192.0.2.2:5062",
        ]
    );
    // Known now: nobody is asked again.
    let asked = server.asked.lock().unwrap().len();
    locate(&locator, "sip:carrier.test").await;
    assert_eq!(server.asked.lock().unwrap().len(), asked);
    assert_eq!(
        locate(&locator, "sip:carrier.test;transport=udp").await,
        ["udp 192.0.2.1:5061", "udp [2001:db8::1]:5061", "udp 192.0.2.2:5062"]
    );
    assert_eq!(locate(&locator, "sip:b.carrier.test:5070").await, ["udp 192.0.2.2:5070"]);
    let nowhere = "sip:nowhere.test".parse().unwrap();
    assert!(locator.locate(&nowhere).await.is_err());
}

#[tokio::test]
async fn the_time_to_live_is_the_records_own() {
    let server = serve(carrier()).await;
    let dns = Dns::with_servers(&[server.address]).unwrap();
    let answer = dns.lookup(Question::new("a.carrier.test", RecordKind::V4)).await.unwrap();
    assert!((Duration::from_secs(1)..=Duration::from_secs(7)).contains(&answer.ttl), "{answer:?}");
    assert_eq!(answer.records.len(), 1);
    let none = dns.lookup(Question::new("b.carrier.test", RecordKind::V6)).await.unwrap();
    assert!(none.records.is_empty(), "no records are an answer, too");
}

#[tokio::test]
async fn what_is_truncated_is_fetched_over_tcp() {
    let server = serve(carrier()).await;
    let locator = locator(&[server.address]);
    assert_eq!(locate(&locator, "sip:long.test:5060").await, ["udp 192.0.2.3:5060"]);
    let asked = server.asked.lock().unwrap();
    assert!(asked.contains(&("long.test".into(), A, "tcp")), "{asked:?}");
}

#[tokio::test]
async fn a_silent_server_is_passed_over_and_holds_up_no_other_question() {
    let dead = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = serve(carrier()).await;
    let two = locator(&[dead.local_addr().unwrap(), server.address]);
    assert_eq!(locate(&two, "sip:b.carrier.test:5060").await, ["udp 192.0.2.2:5060"]);
    let one = Arc::new(locator(&[server.address]));
    let waiting = Arc::clone(&one);
    let silent =
        tokio::spawn(async move { waiting.locate(&"sip:silent.test:5060".parse().unwrap()).await });
    assert_eq!(locate(&one, "sip:b.carrier.test:5060").await, ["udp 192.0.2.2:5060"]);
    assert!(!silent.is_finished());
    silent.abort();
}
