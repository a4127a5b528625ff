//! A leg with DTLS on ports of its own.

use super::*;
use crate::webrtc::desk::Desk;
use crate::webrtc::{DtlsTerms, Identity};

fn bound() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

fn turns(worker: &mut Worker, events: &mut Vec<epoll::Event>) {
    for _ in 0..3 {
        // Something is always due: the turn does not wait.
        rustix::io::write(&*worker.wake, &1_u64.to_ne_bytes()).unwrap();
        worker.turn(events);
    }
}

#[test]
fn dtls_of_strangers_takes_no_memory_once_there_are_keys() {
    let (mut worker, remote) = Worker::new().unwrap();
    let mut events = Vec::with_capacity(BATCH);
    let [us, phone] = [(); 2].map(|()| Identity::fresh().unwrap());
    let terms = |of: &Identity, active| DtlsTerms { fingerprint: of.fingerprint().clone(), active };
    worker.identify(Arc::new(us.clone()));
    let (a, stranger) = (peer(&remote, 1), bound());
    let mut stream = StreamConfig::new(a.socket.local_addr().unwrap(), Codec::Pcmu);
    stream.dtls = Some(Box::new(terms(&phone, false)));
    remote.send(Command::Port(a.id, Order::SetStream(Box::new(stream))));
    turns(&mut worker, &mut events);
    let mut send = |to: std::net::SocketAddr, packet: &[u8]| {
        a.socket.send_to(packet, to).unwrap();
    };
    let now = Instant::now();
    let mut desk = Desk::new(now, terms(&us, true), &phone, a.port, &mut send);
    for _ in 0..20 {
        turns(&mut worker, &mut events);
        let mut wire = [0; 2_000];
        while let Ok(n) = a.socket.recv(&mut wire) {
            desk.receive(now, a.port, &wire[..n], &mut send);
        }
    }
    assert!(desk.keys().is_some());
    let slot = worker.by_id[&a.id];
    let suite = desk.keys().unwrap().tx.suite();
    assert!(worker.port(slot).is_some_and(|port| port.has_below()), "{suite:?}");
    let hello =
        [22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 9];
    for packet in [&hello[..], &[21, 254, 253, 0, 0], &[22; 40]] {
        for _ in 0..50 {
            stranger.send_to(packet, a.port).unwrap();
            let used = allocation_counter::measure(|| turns(&mut worker, &mut events));
            assert_eq!(used.count_total, 0, "{used:?}");
        }
    }
    assert!(stranger.recv(&mut [0; 100]).is_err(), "and gets no answer");
    remote.send(Command::Port(a.id, Order::Close));
    turns(&mut worker, &mut events);
    assert!(worker.by_id.is_empty() && worker.slots.free() == 1);
}
