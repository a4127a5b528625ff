//! Whose packets are taken while a socket comes to belong to one peer.

use super::*;

fn says(sequence: u16, fill: u8) -> Vec<u8> {
    let timestamp = u32::from(sequence) * 160;
    let header = Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 5 };
    [&header.to_bytes()[..], &[fill; 160]].concat()
}

/// What came, by what its payload is filled with.
fn heard(peer: &Peer) -> Vec<u8> {
    let mut wire = [0; 300];
    let mut heard = Vec::new();
    while let Ok(length) = peer.socket.recv(&mut wire) {
        assert!(length == 172 && wire[12..172].iter().all(|byte| *byte == wire[12]));
        heard.push(wire[12]);
    }
    heard
}

#[test]
fn what_a_stranger_sent_before_the_peer_was_known_is_not_taken_for_the_peers() {
    let (mut worker, remote) = Worker::new().unwrap();
    let mut events = Vec::with_capacity(BATCH);
    let (a, b) = (peer(&remote, 1), peer(&remote, 2));
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    remote.send(Command::Port(a.id, Order::Bridge(b.id)));
    worker.turn(&mut events);
    let counted = |worker: &mut Worker| {
        let slot = worker.by_id[&a.id];
        worker.port(slot).unwrap().leg.counters.snapshot()
    };

    // All of this waits when the first packet is looked at; with the sender's own numbers, as
    // somebody would who wants to be taken for him.
    a.socket.send_to(&says(1, 10), a.port).unwrap();
    for sequence in 2..5 {
        stranger.send_to(&says(sequence, 66), a.port).unwrap();
    }
    a.socket.send_to(&says(2, 20), a.port).unwrap();
    worker.turn(&mut events);
    worker.turn(&mut events);
    assert_eq!(heard(&b), [10, 20], "the second turn takes all that waited");
    assert_eq!((counted(&mut worker).strangers, counted(&mut worker).received), (3, 2));

    // From here on the kernel keeps strangers out.
    stranger.send_to(&says(5, 66), a.port).unwrap();
    a.socket.send_to(&says(3, 30), a.port).unwrap();
    worker.turn(&mut events);
    assert_eq!(heard(&b), [30]);
    assert_eq!(counted(&mut worker).strangers, 3);

    // Signalling names another peer: the one before is a stranger.
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    let stream = StreamConfig::new(other.local_addr().unwrap(), Codec::Pcmu);
    remote.send(Command::Port(a.id, Order::SetStream(Box::new(stream))));
    worker.turn(&mut events);
    other.send_to(&says(4, 40), a.port).unwrap();
    a.socket.send_to(&says(5, 50), a.port).unwrap();
    other.send_to(&says(5, 60), a.port).unwrap();
    worker.turn(&mut events);
    worker.turn(&mut events);
    assert_eq!(heard(&b), [40, 60]);
    assert_eq!(counted(&mut worker).strangers, 4);
}
