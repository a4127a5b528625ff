//! Streams that are passed on, over real sockets.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use offhook_media::engine::{Carried, Engine, EngineConfig, MediaPort, PipeConfig};
use tokio::sync::mpsc;

const PATIENCE: Duration = Duration::from_secs(60);

struct Side {
    socket: UdpSocket,
    control: UdpSocket,
    port: MediaPort,
}

impl Side {
    fn new(engine: &Engine, carried: Carried) -> Self {
        let bind = || {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            socket
        };
        let (socket, control) = (bind(), bind());
        let port = engine.open(Ipv4Addr::LOCALHOST.into(), mpsc::channel(8).0).unwrap();
        port.set_pipe(PipeConfig {
            carried,
            remote: socket.local_addr().unwrap(),
            remote_rtcp: Some(control.local_addr().unwrap()),
            srtp: None,
            send: true,
        });
        Self { socket, control, port }
    }
}

fn heard(socket: &UdpSocket) -> Option<Vec<u8>> {
    let mut bytes = [0; 2000];
    let n = socket.recv(&mut bytes).ok()?;
    Some(bytes[..n].to_vec())
}

/// Sends until it arrives: orders take a moment.
fn passes(from: &UdpSocket, to: std::net::SocketAddr, hearer: &UdpSocket, bytes: &[u8]) {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        from.send_to(bytes, to).unwrap();
        if let Some(found) = heard(hearer) {
            assert_eq!(found, bytes);
            return;
        }
    }
    panic!("nothing was passed on");
}

fn video(length: usize) -> Vec<u8> {
    let mut packet =
        vec![0x90, 0x63, 0, 1, 0, 0, 0, 9, 0, 0, 0, 5, 0xbe, 0xde, 0, 1, 0x10, 7, 0, 0];
    packet.resize(length, 0x55);
    packet
}

#[test]
fn video_its_reports_and_its_header_extensions_go_both_ways_between_threads() {
    let engine = Engine::start(EngineConfig { threads: 2, ..EngineConfig::default() }).unwrap();
    let (a, b) = (Side::new(&engine, Carried::Rtp), Side::new(&engine, Carried::Rtp));
    engine.bridge(&a.port, &b.port);
    let report = [0x80, 201, 0, 1, 0, 0, 0, 9];
    for (from, to) in [(&a, &b), (&b, &a)] {
        passes(&from.socket, from.port.rtp_addr(), &to.socket, &video(1400));
        passes(&from.control, from.port.rtcp_addr(), &to.control, &report);
    }
    // Whoever else sends is heard by nobody.
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    while heard(&b.socket).is_some() {}
    stranger.send_to(&video(100), a.port.rtp_addr()).unwrap();
    assert_eq!(heard(&b.socket), None);
    assert!(a.port.counters().strangers > 0 && a.port.counters().received > 0);
    drop((a, b));
    assert_eq!(engine.open_ports(), 0);
}

#[test]
fn a_fax_goes_both_ways_and_ends_with_its_ports() {
    let engine = Engine::start(EngineConfig::default()).unwrap();
    let (a, b) = (Side::new(&engine, Carried::Udptl), Side::new(&engine, Carried::Udptl));
    engine.bridge(&a.port, &b.port);
    for (from, to) in [(&a, &b), (&b, &a)] {
        passes(&from.socket, from.port.rtp_addr(), &to.socket, &[0, 7, 1, 2, 0, 1, 9]);
    }
    drop(b);
    a.socket.send_to(&[0, 8, 1], a.port.rtp_addr()).unwrap();
    drop(a);
    assert_eq!(engine.open_ports(), 0);
}

#[test]
fn two_pipes_that_name_each_other_are_a_ring_that_turns_slowly() {
    let engine = Engine::start(EngineConfig::default()).unwrap();
    let (a, b) = (Side::new(&engine, Carried::Udptl), Side::new(&engine, Carried::Udptl));
    let (c, d) = (Side::new(&engine, Carried::Udptl), Side::new(&engine, Carried::Udptl));
    let toward = |side: &Side, other: &Side| {
        side.port.set_pipe(PipeConfig {
            carried: Carried::Udptl,
            remote: other.port.rtp_addr(),
            remote_rtcp: None,
            srtp: None,
            send: true,
        });
    };
    toward(&b, &c);
    toward(&c, &b);
    toward(&a, &d);
    toward(&d, &a);
    engine.bridge(&a.port, &b.port);
    engine.bridge(&c.port, &d.port);
    let began = Instant::now();
    a.socket.send_to(&[1, 2, 3], a.port.rtp_addr()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let seconds = began.elapsed().as_secs() + 2;
    assert!(a.port.counters().received <= 4_000 * seconds, "{:?}", a.port.counters());
}
