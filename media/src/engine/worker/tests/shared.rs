//! A leg on the port that all WebRTC legs share.

use super::*;
use crate::engine::wakes;
use crate::webrtc::lite::{check, keepalive};
use crate::webrtc::{Credentials, IceTerms, Identity, Peer as Who, Remote as TheirIce, Terms};

#[test]
fn what_keeps_a_way_open_is_counted_as_a_strangers_only_from_where_nobody_proved_to_be() {
    let (mut worker, remote) = Worker::new().unwrap();
    let mut events = Vec::with_capacity(BATCH);
    let bound = || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    };
    let (phone, stranger) = (bound(), bound());
    let identity = Identity::fresh().unwrap();
    let shared = Arc::new(SharedSocket::new(bound(), identity.clone()).unwrap());
    worker.share(Arc::clone(&shared)).unwrap();
    let ice = IceTerms { local: Credentials::fresh(), remote: Credentials::fresh() };
    let (now, id) = (Instant::now(), PortId(1));
    let leg = Leg::new(now, id, mpsc::channel(8).0, Arc::default(), Duration::from_secs(60));
    let webrtc = WebRtc::new(now, Arc::clone(&shared), ice.local.clone());
    let port = Box::new(Port::shared(leg, webrtc));
    let mut stream = StreamConfig::new(phone.local_addr().unwrap(), Codec::Pcmu);
    stream.webrtc = Some(Box::new(Terms {
        local: ice.local.clone(),
        lite: true,
        remote: TheirIce { credentials: ice.remote.clone(), lite: false, candidates: Vec::new() },
        fingerprint: identity.fingerprint().clone(),
        active: false,
        peer: Who::Phone,
    }));
    // The peer asks as soon as it is answered, before the thread is woken for what goes with that.
    let ((), wakes) = wakes::gather(|| {
        remote.send(Command::Adopt(port));
        remote.send(Command::Port(id, Order::SetStream(Box::new(stream))));
    });
    let mut say = |from: &UdpSocket, packet: &[u8]| {
        from.send_to(packet, shared.bound).unwrap();
        worker.turn(&mut events);
        shared.counters().strangers
    };
    assert_eq!(say(&phone, &keepalive()), 1, "before it has proved anything");
    assert_eq!(say(&phone, &check(&ice, &ice.local.password, true)), 1);
    assert!(phone.recv(&mut [0; 200]).is_ok(), "an answer");
    drop(wakes);
    assert_eq!(say(&phone, &keepalive()), 1);
    assert_eq!(say(&stranger, &keepalive()), 2);
    // Whoever knows the name alone, from the phone's address too.
    assert_eq!(say(&phone, &check(&ice, "guess", true)), 3);
    remote.send(Command::Port(id, Order::Close));
    worker.turn(&mut events);
    assert!(worker.by_id.is_empty() && worker.slots.free() == 1);
}
