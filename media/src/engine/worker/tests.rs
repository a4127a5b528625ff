//! The worker turned by hand: what the hot path costs in memory.

use tokio::sync::mpsc;

use super::*;
use crate::codec::Codec;
use crate::rtp::Header;

struct Peer {
    socket: UdpSocket,
    id: PortId,
    port: std::net::SocketAddr,
}

fn peer(remote: &Remote, id: u64) -> Peer {
    let bind = || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    };
    let (rtp, rtcp, socket) = (bind(), bind(), bind());
    let port = rtp.local_addr().unwrap();
    let id = PortId(id);
    let events = mpsc::channel(8).0;
    let leg = Leg::new(Instant::now(), id, events, Arc::default(), Duration::from_secs(60));
    remote.send(Command::Adopt(Box::new(Port::new(leg, rtp, rtcp))));
    let stream = StreamConfig::new(socket.local_addr().unwrap(), Codec::Pcmu);
    remote.send(Command::Port(id, Order::SetStream(Box::new(stream))));
    Peer { socket, id, port }
}

#[test]
fn between_receiving_and_sending_there_is_no_heap() {
    let (mut worker, remote) = Worker::new().unwrap();
    let mut events = Vec::with_capacity(BATCH);
    let (a, b) = (peer(&remote, 1), peer(&remote, 2));
    remote.send(Command::Port(a.id, Order::Bridge(b.id)));
    worker.turn(&mut events);
    let mut heard = 0;
    let mut allocated = 0;
    let mut wire = [0; 172];
    for sequence in 0..200u16 {
        let timestamp = u32::from(sequence) * 160;
        let header = Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 5 };
        wire[..12].copy_from_slice(&header.to_bytes());
        for (from, to) in [(&a, &b), (&b, &a)] {
            from.socket.send_to(&wire, from.port).unwrap();
            // The first packets latch, which tells an event.
            let used = allocation_counter::measure(|| worker.turn(&mut events));
            if sequence > 0 {
                allocated += used.count_total;
            }
            heard += u32::from(to.socket.recv(&mut [0; 200]).is_ok());
        }
    }
    assert_eq!(allocated, 0);
    assert!(heard > 300, "the packets went through: {heard}");
}

#[test]
fn a_closed_port_leaves_nothing_behind() {
    let (mut worker, remote) = Worker::new().unwrap();
    let mut events = Vec::with_capacity(BATCH);
    let peers: Vec<_> = (1..=50).map(|n| peer(&remote, n)).collect();
    for pair in peers.chunks(2) {
        remote.send(Command::Port(pair[0].id, Order::Bridge(pair[1].id)));
    }
    worker.turn(&mut events);
    assert_eq!(worker.by_id.len(), 50);
    for peer in &peers {
        remote.send(Command::Port(peer.id, Order::Close));
        remote.send(Command::Port(peer.id, Order::StopPlay));
    }
    worker.turn(&mut events);
    assert!(worker.by_id.is_empty() && worker.active.is_empty() && worker.expected.is_empty());
    assert!(worker.slots.iter().all(Option::is_none));
    assert_eq!(worker.free.len(), 50);
}

#[test]
fn orders_for_a_port_on_its_way_are_kept_in_order() {
    let (mut one, to_one) = Worker::new().unwrap();
    let (mut two, to_two) = Worker::new().unwrap();
    let mut events = Vec::with_capacity(BATCH);
    let (a, b) = (peer(&to_one, 1), peer(&to_two, 2));
    two.turn(&mut events);
    // As Engine::bridge does, with the first thread faster than the second.
    to_one.send(Command::Expect(b.id));
    to_two.send(Command::Port(b.id, Order::Move(to_one.clone())));
    to_one.send(Command::Port(a.id, Order::Bridge(b.id)));
    one.turn(&mut events);
    assert_eq!(one.by_id.len(), 1);
    two.turn(&mut events);
    one.turn(&mut events);
    assert!(two.by_id.is_empty() && one.expected.is_empty());
    let slot = one.by_id[&a.id];
    let partner = one.by_id[&b.id];
    assert_eq!(one.port(slot).unwrap().partner, Some(partner));
}

#[test]
fn an_echo_sends_back_what_came_and_ends_with_a_bridge() {
    let (mut worker, remote) = Worker::new().unwrap();
    let mut events = Vec::with_capacity(BATCH);
    let (a, b) = (peer(&remote, 1), peer(&remote, 2));
    remote.send(Command::Port(a.id, Order::Echo));
    worker.turn(&mut events);
    let mut wire = [7; 172];
    let header = Header { marker: false, payload_type: 0, sequence: 1, timestamp: 160, ssrc: 5 };
    wire[..12].copy_from_slice(&header.to_bytes());
    let say = |worker: &mut Worker, events: &mut Vec<epoll::Event>| {
        a.socket.send_to(&wire, a.port).unwrap();
        worker.turn(events);
    };
    say(&mut worker, &mut events);
    let mut back = [0; 200];
    assert_eq!(a.socket.recv(&mut back).unwrap(), wire.len());
    assert_eq!(back[12..172], wire[12..]);
    assert!(b.socket.recv(&mut back).is_err());

    remote.send(Command::Port(a.id, Order::Bridge(b.id)));
    worker.turn(&mut events);
    say(&mut worker, &mut events);
    assert!(a.socket.recv(&mut back).is_err());
    assert_eq!(b.socket.recv(&mut back).unwrap(), wire.len());
}
