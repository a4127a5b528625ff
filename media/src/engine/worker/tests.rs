//! The worker turned by hand: what the hot path costs in memory.

mod clock;
mod dtls;
mod ice;
mod shared;
mod slots;
mod strangers;

use std::net::UdpSocket;
use std::time::Duration;

use tokio::sync::mpsc;

use super::*;
use crate::clip::Clip;
use crate::codec::Codec;
use crate::engine::TelephoneEvent;
use crate::engine::api::{Playback, Recording, StreamConfig};
use crate::engine::leg::Leg;
use crate::rtp::Header;
use crate::srtp::{SrtpKey, SrtpKeys, SrtpSession, SrtpSuite, Unprotected};

struct Peer {
    socket: UdpSocket,
    id: PortId,
    port: std::net::SocketAddr,
}

fn peer(remote: &Remote, id: u64) -> Peer {
    let bind = || {
        // A port that the kernel chose it takes back when a socket is no peer's any more (Linux,
        // `__udp_disconnect`); those of the engine are asked for by number.
        let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let socket = UdpSocket::bind(free).unwrap();
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
    for (first, second) in [
        (None, None),
        (None, Some(SUITE_80)),
        (Some(SUITE_32), None),
        (Some(SUITE_32), Some(SUITE_80)),
        (Some(SUITE_256), Some(SUITE_256)),
    ] {
        let (mut worker, remote) = Worker::new().unwrap();
        let mut events = Vec::with_capacity(BATCH);
        let (a, b) = (peer(&remote, 1), peer(&remote, 2));
        let phones = [(&a, first), (&b, second)].map(|(peer, suite)| phone(&remote, peer, suite));
        let [mut at_a, mut at_b] = phones;
        remote.send(Command::Port(a.id, Order::Bridge(b.id)));
        worker.turn(&mut events);
        let mut heard = 0;
        for sequence in 0..200u16 {
            let timestamp = u32::from(sequence) * 160;
            let header = Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 5 };
            let plain = [&header.to_bytes()[..], &[sequence as u8; 160]].concat();
            for forth in [true, false] {
                let (from, to, speaks, hears) = match forth {
                    true => (&a, &b, &mut at_a, &mut at_b),
                    false => (&b, &a, &mut at_b, &mut at_a),
                };
                from.socket.send_to(&sealed(speaks.as_mut(), &plain), from.port).unwrap();
                let used = allocation_counter::measure(|| worker.turn(&mut events));
                // The first packets latch, which tells an event.
                assert!(sequence == 0 || used.count_total == 0, "{first:?} {second:?} {used:?}");
                let mut wire = [0; 300];
                let Ok(n) = to.socket.recv(&mut wire) else { continue };
                let opened = hears.as_mut().map(|phone| phone.unprotect_rtp(&mut wire[..n]));
                assert!(opened.is_none_or(|opened| opened == Unprotected::Plain(172)));
                assert_eq!(wire[12..172], plain[12..]);
                heard += 1;
            }
        }
        assert!(heard > 300, "the packets went through: {heard}");
    }
}

#[test]
fn a_key_becomes_a_tone_without_heap() {
    let (mut worker, remote) = Worker::new().unwrap();
    let mut events = Vec::with_capacity(BATCH);
    let (a, b) = (peer(&remote, 1), peer(&remote, 2));
    // Whose peer understands events, and whose does not.
    let stream = with_events(&a);
    remote.send(Command::Port(a.id, Order::SetStream(Box::new(stream))));
    remote.send(Command::Port(a.id, Order::Bridge(b.id)));
    worker.turn(&mut events);
    let mut tones = 0;
    for n in 0..60u16 {
        // Audio, then a key of fifty packets whose end is not among them.
        let payload_type = if n < 10 { 0 } else { 101 };
        let timestamp = u32::from(n.min(10)) * 160;
        let header = Header { marker: false, payload_type, sequence: n, timestamp, ssrc: 5 };
        let [high, low] = (n.saturating_sub(9) * 160).to_be_bytes();
        let payload = if n < 10 { vec![0x55; 160] } else { vec![5, 10, high, low] };
        let wire = [&header.to_bytes()[..], &payload].concat();
        a.socket.send_to(&wire, a.port).unwrap();
        let used = allocation_counter::measure(|| worker.turn(&mut events));
        // The first packets latch, and at the press the thread's list of who wants ticks grows.
        let most = u64::from(n == 10);
        assert!(n == 0 || used.count_total <= most, "{n} {used:?}");
        let heard = b.socket.recv(&mut [0; 300]).is_ok_and(|length| length == 172);
        tones += usize::from(heard && n > 10);
    }
    assert!(tones > 40, "the tone went through: {tones}");
}

const SUITE_80: SrtpSuite = SrtpSuite::AesCm128HmacSha1_80;
const SUITE_256: SrtpSuite = SrtpSuite::Aes256CmHmacSha1_80;
const SUITE_32: SrtpSuite = SrtpSuite::AesCm128HmacSha1_32;

/// Plain G.711 with telephone events: what is recorded is not kept back for tones to be found in it.
fn with_events(peer: &Peer) -> StreamConfig {
    let mut stream = StreamConfig::new(peer.socket.local_addr().unwrap(), Codec::Pcmu);
    stream.telephone_event = Some(TelephoneEvent { send_pt: 101, recv_pt: 101, clock: 8000 });
    stream
}

/// Secures a peer's leg when there is a suite; what the phone has at the other end.
fn phone(remote: &Remote, peer: &Peer, suite: Option<SrtpSuite>) -> Option<SrtpSession> {
    let (tx, rx) = (SrtpKey::generate(suite?), SrtpKey::generate(suite?));
    let mut stream = StreamConfig::new(peer.socket.local_addr().unwrap(), Codec::Pcmu);
    stream.srtp = Some(SrtpKeys { tx: tx.clone(), rx: rx.clone() });
    remote.send(Command::Port(peer.id, Order::SetStream(Box::new(stream))));
    SrtpSession::new(SrtpKeys { tx: rx, rx: tx })
}

fn sealed(phone: Option<&mut SrtpSession>, plain: &[u8]) -> Vec<u8> {
    let mut wire = plain.to_vec();
    if let Some(phone) = phone {
        wire.resize(plain.len() + 20, 0);
        let at = phone.protect_rtp(&mut wire, 0..plain.len()).unwrap();
        wire.truncate(at.end);
    }
    wire
}

/// Counts samples, and that it was finished.
#[derive(Clone, Default)]
struct Tape(Arc<std::sync::Mutex<(usize, bool)>>);

impl crate::engine::SampleSink for Tape {
    fn push(&mut self, samples: &[i16]) {
        self.0.lock().unwrap().0 += samples.len();
    }

    fn finish(self: Box<Self>) {
        self.0.lock().unwrap().1 = true;
    }
}

fn recording(tape: Tape) -> Recording {
    Recording {
        id: 1,
        to: Box::new(tape),
        max: None,
        silence: None,
        terminators: crate::dtmf::DigitSet::NONE,
    }
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
    assert!((0..50).all(|slot| worker.slots.get(slot).is_none()));
    assert_eq!(worker.slots.free(), 50);
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
    assert_eq!(one.slots.partner(slot), Some(partner));
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

/// A fault in what takes samples.
struct Faulty;

impl crate::engine::SampleSink for Faulty {
    fn push(&mut self, _: &[i16]) {
        panic!("a fault that a test makes");
    }
    fn finish(self: Box<Self>) {
        panic!("and another one");
    }
}

#[test]
fn a_fault_in_the_work_for_one_port_is_the_end_of_that_port_alone() {
    let (mut worker, remote) = Worker::new().unwrap();
    let mut events = Vec::with_capacity(BATCH);
    let [a, b, c, d] = [1, 2, 3, 4].map(|id| peer(&remote, id));
    let (sender, mut told) = mpsc::channel(8);
    let bind = || UdpSocket::bind("127.0.0.1:0").unwrap();
    let (rtp, rtcp, socket) = (bind(), bind(), bind());
    rtp.set_nonblocking(true).unwrap();
    let e = Peer { id: PortId(5), port: rtp.local_addr().unwrap(), socket };
    let leg = Leg::new(Instant::now(), e.id, sender, Arc::default(), Duration::from_secs(60));
    remote.send(Command::Adopt(Box::new(Port::new(leg, rtp, rtcp))));
    let stream = with_events(&e);
    remote.send(Command::Port(e.id, Order::SetStream(Box::new(stream))));
    for (one, two) in [(&a, &b), (&c, &e)] {
        remote.send(Command::Port(one.id, Order::Bridge(two.id)));
    }
    let to = Box::new(Faulty);
    remote.send(Command::Port(e.id, Order::Record(Recording { to, ..recording(Tape::default()) })));
    worker.turn(&mut events);
    let header = Header { marker: false, payload_type: 0, sequence: 1, timestamp: 160, ssrc: 5 };
    let wire = [&header.to_bytes()[..], &[0x10; 160]].concat();
    e.socket.send_to(&wire, e.port).unwrap();
    worker.turn(&mut events);
    assert_eq!(worker.by_id.len(), 4);
    let told: Vec<_> = std::iter::from_fn(|| told.try_recv().ok()).map(|e| e.kind).collect();
    assert_eq!(told.last(), Some(&crate::engine::PortEventKind::Broken));
    // Everybody else goes on, and what is ordered for it concerns nobody.
    remote.send(Command::Port(e.id, Order::Close));
    remote.send(Command::Port(c.id, Order::Bridge(d.id)));
    worker.turn(&mut events);
    for (from, to) in [(&a, &b), (&c, &d)] {
        from.socket.send_to(&wire, from.port).unwrap();
        worker.turn(&mut events);
        assert_eq!(to.socket.recv(&mut [0; 200]).unwrap(), wire.len());
    }
}

#[test]
fn a_thread_that_has_ended_takes_no_port() {
    let (worker, remote) = Worker::new().unwrap();
    assert!(remote.send(Command::Stop));
    drop(worker);
    assert!(!remote.send(Command::Stop));
}
