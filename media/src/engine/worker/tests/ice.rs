//! A leg with ICE on ports of its own.

use super::*;
use crate::webrtc::lite::{check, keepalive};
use crate::webrtc::{Credentials, IceTerms};

/// A leg with ICE whose peer says it is at `said`, and is where it asks from.
struct Phone {
    id: PortId,
    terms: IceTerms,
    rtp: std::net::SocketAddr,
    rtcp: std::net::SocketAddr,
    said: UdpSocket,
    real: UdpSocket,
}

fn bound() -> UdpSocket {
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let socket = UdpSocket::bind(free).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

fn phone(remote: &Remote, id: u64) -> Phone {
    let (rtp, rtcp, said, real) = (bound(), bound(), bound(), bound());
    let [at, rtcp_at] = [&rtp, &rtcp].map(|socket| socket.local_addr().unwrap());
    let id = PortId(id);
    let leg =
        Leg::new(Instant::now(), id, mpsc::channel(8).0, Arc::default(), Duration::from_secs(60));
    remote.send(Command::Adopt(Box::new(Port::new(leg, rtp, rtcp))));
    let terms = IceTerms { local: Credentials::fresh(), remote: Credentials::fresh() };
    let phone = Phone { id, terms, rtp: at, rtcp: rtcp_at, said, real };
    describe(remote, &phone, |_| {});
    phone
}

/// A phone with ICE that is bridged with a peer without, as ordered.
fn call() -> (Worker, Vec<epoll::Event>, Remote, Phone, Peer) {
    let (worker, remote) = Worker::new().unwrap();
    let (a, b) = (phone(&remote, 1), peer(&remote, 2));
    remote.send(Command::Port(a.id, Order::Bridge(b.id)));
    (worker, Vec::with_capacity(BATCH), remote, a, b)
}

fn describe(remote: &Remote, phone: &Phone, change: impl FnOnce(&mut StreamConfig)) {
    let mut stream = StreamConfig::new(phone.said.local_addr().unwrap(), Codec::Pcmu);
    stream.ice = Some(Box::new(phone.terms.clone()));
    change(&mut stream);
    remote.send(Command::Port(phone.id, Order::SetStream(Box::new(stream))));
}

fn says(sequence: u16, fill: u8) -> Vec<u8> {
    let timestamp = u32::from(sequence) * 160;
    let header = Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 5 };
    [&header.to_bytes()[..], &[fill; 160]].concat()
}

/// What came: by what its payload is filled with; 0 for what is no RTP.
fn heard(socket: &UdpSocket) -> Vec<u8> {
    let mut wire = [0; 300];
    let mut heard = Vec::new();
    while let Ok(length) = socket.recv(&mut wire) {
        heard.push(if length == 172 { wire[12] } else { 0 });
    }
    heard
}

fn turns(worker: &mut Worker, events: &mut Vec<epoll::Event>) {
    for _ in 0..3 {
        // Something is always due: the turn does not wait.
        rustix::io::write(&*worker.wake, &1_u64.to_ne_bytes()).unwrap();
        worker.turn(events);
    }
}

fn counted(worker: &mut Worker, phone: &Phone) -> (u64, u64) {
    let slot = worker.by_id[&phone.id];
    let counters = worker.port(slot).unwrap().leg.counters.snapshot();
    (counters.strangers, counters.dropped)
}

#[test]
fn media_of_a_leg_with_ice_flows_between_us_and_where_the_peer_asked_from_and_nowhere_else() {
    let (mut worker, mut events, _remote, a, b) = call();
    let stranger = bound();
    turns(&mut worker, &mut events);

    // Before the peer has chosen nobody is heard, nor spoken to.
    b.socket.send_to(&says(1, 1), b.port).unwrap();
    a.said.send_to(&says(1, 2), a.rtp).unwrap();
    stranger.send_to(&says(1, 3), a.rtp).unwrap();
    turns(&mut worker, &mut events);
    assert_eq!((heard(&a.said), heard(&a.real), heard(&b.socket)), (vec![], vec![], vec![]));

    // Who does not know the password is told nothing, on either port.
    for to in [a.rtp, a.rtcp] {
        stranger.send_to(&check(&a.terms, "wrong", true), to).unwrap();
        turns(&mut worker, &mut events);
        assert_eq!(heard(&stranger), Vec::<u8>::new());
    }
    let password = &a.terms.local.password;
    for to in [a.rtp, a.rtcp] {
        a.real.send_to(&check(&a.terms, password, true), to).unwrap();
        turns(&mut worker, &mut events);
        assert_eq!(heard(&a.real), [0], "an answer, from the port that was asked");
    }
    b.socket.send_to(&says(2, 10), b.port).unwrap();
    a.real.send_to(&says(1, 20), a.rtp).unwrap();
    a.said.send_to(&says(2, 30), a.rtp).unwrap();
    stranger.send_to(&says(3, 40), a.rtp).unwrap();
    turns(&mut worker, &mut events);
    assert_eq!((heard(&a.said), heard(&a.real), heard(&b.socket)), (vec![], vec![10], vec![20]));

    // It may choose another way, which it has to prove first; the socket is nobody's alone.
    stranger.send_to(&check(&a.terms, password, true), a.rtp).unwrap();
    turns(&mut worker, &mut events);
    assert_eq!(heard(&stranger), [0]);
    let strange = counted(&mut worker, &a).0;
    assert_eq!(strange, 6, "three before there was a way, two that forged, and one beside it");
}

#[test]
fn what_strangers_send_to_a_leg_with_ice_takes_no_memory_and_media_of_its_peer_none_either() {
    let (mut worker, mut events, _remote, a, b) = call();
    let stranger = bound();
    a.real.send_to(&check(&a.terms, &a.terms.local.password, true), a.rtp).unwrap();
    turns(&mut worker, &mut events);
    for sequence in 1..50 {
        a.real.send_to(&says(sequence, 9), a.rtp).unwrap();
        let used = allocation_counter::measure(|| turns(&mut worker, &mut events));
        assert!(sequence == 1 || used.count_total == 0, "{used:?}");
    }
    assert_eq!(heard(&b.socket).len(), 49);
    let other = IceTerms { local: Credentials::fresh(), ..a.terms.clone() };
    for packet in [check(&other, "guess", true), vec![0; 20], vec![1; 1_500], vec![22; 40]] {
        for _ in 0..100 {
            stranger.send_to(&packet, a.rtp).unwrap();
            let used = allocation_counter::measure(|| turns(&mut worker, &mut events));
            assert_eq!(used.count_total, 0, "{used:?}");
        }
    }
    // With the names, as somebody on the way may know them: nothing of it stays.
    for _ in 0..300 {
        stranger.send_to(&check(&a.terms, "guess", true), a.rtp).unwrap();
        let used = allocation_counter::measure(|| turns(&mut worker, &mut events));
        assert_eq!(used.bytes_current, 0, "{used:?}");
    }
    assert_eq!(heard(&stranger), Vec::<u8>::new());
}

#[test]
fn a_restart_keeps_media_where_it_is_and_an_end_of_ice_lets_it_go_where_signalling_says() {
    let (mut worker, mut events, remote, mut a, b) = call();
    a.real.send_to(&check(&a.terms, &a.terms.local.password, true), a.rtp).unwrap();
    turns(&mut worker, &mut events);
    a.terms = IceTerms { local: Credentials::fresh(), remote: Credentials::fresh() };
    describe(&remote, &a, |_| {});
    b.socket.send_to(&says(1, 10), b.port).unwrap();
    turns(&mut worker, &mut events);
    assert_eq!((heard(&a.said), heard(&a.real)), (vec![], vec![0, 10]));
    a.said.send_to(&check(&a.terms, &a.terms.local.password, true), a.rtp).unwrap();
    turns(&mut worker, &mut events);
    b.socket.send_to(&says(2, 20), b.port).unwrap();
    turns(&mut worker, &mut events);
    assert_eq!((heard(&a.said), heard(&a.real)), (vec![0, 20], vec![]));
    let other = bound();
    describe(&remote, &a, |stream| {
        (stream.ice, stream.remote_rtp) = (None, other.local_addr().unwrap());
    });
    turns(&mut worker, &mut events);
    b.socket.send_to(&says(3, 30), b.port).unwrap();
    turns(&mut worker, &mut events);
    b.socket.send_to(&says(4, 40), b.port).unwrap();
    turns(&mut worker, &mut events);
    assert_eq!(heard(&other), [30, 40]);
    // The port goes, with all that it knew.
    remote.send(Command::Port(a.id, Order::Close));
    turns(&mut worker, &mut events);
    assert!(!worker.by_id.contains_key(&a.id) && worker.slots.free() == 1);
}

#[test]
fn a_peer_that_asks_nothing_for_five_seconds_is_served_where_signalling_says_it_is() {
    let (mut worker, mut events, _remote, a, b) = call();
    let stranger = bound();
    turns(&mut worker, &mut events);
    let slot = worker.by_id[&a.id];
    worker.ice_tick(Instant::now() + Duration::from_secs(3), slot);
    b.socket.send_to(&says(1, 10), b.port).unwrap();
    a.said.send_to(&says(1, 20), a.rtp).unwrap();
    turns(&mut worker, &mut events);
    assert_eq!((heard(&a.said), heard(&b.socket)), (vec![], vec![]), "it may yet ask");
    worker.ice_tick(Instant::now() + Duration::from_secs(6), slot);
    b.socket.send_to(&says(2, 11), b.port).unwrap();
    a.said.send_to(&says(2, 21), a.rtp).unwrap();
    turns(&mut worker, &mut events);
    assert_eq!((heard(&a.said), heard(&b.socket)), (vec![11], vec![21]));
    // The first who spoke is the one, as without ICE.
    stranger.send_to(&says(3, 22), a.rtp).unwrap();
    turns(&mut worker, &mut events);
    assert_eq!((heard(&b.socket), heard(&a.real)), (vec![], vec![]));
}

#[test]
fn a_prompt_that_is_ordered_before_the_peer_has_chosen_is_heard_from_its_beginning() {
    let (mut worker, remote) = Worker::new().unwrap();
    let mut events = Vec::with_capacity(BATCH);
    let a = phone(&remote, 1);
    turns(&mut worker, &mut events);
    // Each packet has a loudness of its own.
    let samples: Vec<i16> = (0..50).flat_map(|n| [n * 600; 160]).collect();
    let clip = Arc::new(Clip::from_samples(samples));
    let sound = clip.encoded(crate::g711::Law::Mu);
    let begin = Instant::now();
    let order = Order::Play(Playback::of(1, vec![Arc::clone(&clip)]));
    worker.obey(begin, Command::Port(a.id, order));
    let at = |packet| begin + Duration::from_millis(20) * packet;
    for packet in 0..10 {
        worker.tick(at(packet));
    }
    assert_eq!((heard(&a.said), heard(&a.real)), (vec![], vec![]));
    a.real.send_to(&check(&a.terms, &a.terms.local.password, true), a.rtp).unwrap();
    turns(&mut worker, &mut events);
    for packet in 10..15 {
        worker.tick(at(packet));
    }
    let all = heard(&a.real);
    assert!(all.len() > 3 && all[0] == 0, "{all:?}");
    let said = sound.iter().step_by(160).copied();
    assert!(all[1..].iter().copied().eq(said.take(all.len() - 1)), "{all:?}");
}

#[test]
fn a_leg_that_is_closed_before_its_peer_has_chosen_leaves_nothing() {
    let (mut worker, mut events, remote, a, b) = call();
    turns(&mut worker, &mut events);
    a.real.send_to(&check(&a.terms, &a.terms.local.password, false), a.rtp).unwrap();
    turns(&mut worker, &mut events);
    assert_eq!(heard(&a.real), [0], "asked, and nothing chosen");
    for id in [a.id, b.id] {
        remote.send(Command::Port(id, Order::Close));
    }
    turns(&mut worker, &mut events);
    assert!(worker.by_id.is_empty() && worker.active.is_empty() && worker.slots.free() == 2);
    let again = UdpSocket::bind(a.rtp);
    assert!(again.is_ok(), "the port is free");
}

#[test]
fn a_way_on_which_nothing_is_sent_is_kept_open_and_one_in_use_is_left_alone() {
    let (mut worker, mut events, _remote, a, b) = call();
    for to in [a.rtp, a.rtcp] {
        a.real.send_to(&check(&a.terms, &a.terms.local.password, true), to).unwrap();
        turns(&mut worker, &mut events);
    }
    assert_eq!(heard(&a.real), [0, 0]);
    let slot = worker.by_id[&a.id];
    let at = |seconds| Instant::now() + Duration::from_secs(seconds);
    worker.ice_tick(at(5), slot);
    assert_eq!(heard(&a.real), Vec::<u8>::new());
    worker.ice_tick(at(20), slot);
    worker.ice_tick(at(21), slot);
    let mut wire = [0; 100];
    for _ in 0..2 {
        assert_eq!((a.real.recv(&mut wire).unwrap(), &wire[..2]), (28, &[0, 0x11][..]));
    }
    assert_eq!(heard(&a.real), Vec::<u8>::new(), "once for each port in fifteen seconds");
    b.socket.send_to(&says(1, 10), b.port).unwrap();
    turns(&mut worker, &mut events);
    worker.ice_tick(at(40), slot);
    assert_eq!(heard(&a.real), [10, 0], "on the port of RTCP alone");
}

#[test]
fn what_keeps_a_way_open_is_no_strangers_when_the_peer_has_proved_to_be_there() {
    let (mut worker, mut events, _remote, a, _b) = call();
    let stranger = bound();
    for to in [a.rtp, a.rtcp] {
        a.real.send_to(&check(&a.terms, &a.terms.local.password, true), to).unwrap();
        turns(&mut worker, &mut events);
        a.real.send_to(&keepalive(), to).unwrap();
        turns(&mut worker, &mut events);
        assert_eq!(heard(&a.real), [0], "the check is answered and nothing else");
    }
    assert_eq!(counted(&mut worker, &a), (0, 0));
    stranger.send_to(&keepalive(), a.rtp).unwrap();
    turns(&mut worker, &mut events);
    assert_eq!(counted(&mut worker, &a), (1, 0));
}

#[test]
fn a_way_stays_in_use_by_what_is_taken_there_and_not_by_what_anybody_may_have_written() {
    for (fine, moves) in [(true, false), (false, true)] {
        let (mut worker, mut events, _remote, a, b) = call();
        let elsewhere = bound();
        let password = &a.terms.local.password;
        a.real.send_to(&check(&a.terms, password, true), a.rtp).unwrap();
        turns(&mut worker, &mut events);
        let slot = worker.by_id[&a.id];
        let at = |seconds| Instant::now() + Duration::from_secs(seconds);
        // Nine seconds later there is RTP from there, or what is of no kind that was agreed on.
        let mut packet = says(1, 20);
        packet[1] = if fine { 0 } else { 77 };
        a.real.send_to(&packet, a.rtp).unwrap();
        assert!(worker.readable(at(9), (slot as u64) << 1));
        assert_eq!(heard(&b.socket).len(), usize::from(fine));
        elsewhere.send_to(&check(&a.terms, password, true), a.rtp).unwrap();
        assert!(worker.readable(at(12), (slot as u64) << 1));
        b.socket.send_to(&says(1, 10), b.port).unwrap();
        turns(&mut worker, &mut events);
        assert_eq!(heard(&elsewhere), if moves { vec![0, 10] } else { vec![0] });
        assert_eq!(heard(&a.real), if moves { vec![0] } else { vec![0, 10] });
    }
}
