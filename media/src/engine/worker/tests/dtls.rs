//! A leg with DTLS on ports of its own.

use super::*;
use crate::engine::wakes;
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

/// A phone that begins, and its leg.
struct Call {
    worker: Worker,
    events: Vec<epoll::Event>,
    remote: Remote,
    us: Identity,
    phone: Identity,
    leg: Peer,
}

impl Call {
    fn new() -> Self {
        let (mut worker, remote) = Worker::new().unwrap();
        let [us, phone] = [(); 2].map(|()| Identity::fresh().unwrap());
        worker.identify(Arc::new(us.clone()));
        let leg = peer(&remote, 1);
        let events = Vec::with_capacity(BATCH);
        let mut call = Self { worker, events, remote, us, phone, leg };
        call.describe(call.leg.socket.local_addr().unwrap());
        call
    }

    fn describe(&mut self, phone: std::net::SocketAddr) {
        self.order(phone, true);
        turns(&mut self.worker, &mut self.events);
    }

    /// Says where the phone is, and whether it has DTLS.
    fn order(&self, phone: std::net::SocketAddr, dtls: bool) {
        let mut stream = StreamConfig::new(phone, Codec::Pcmu);
        let fingerprint = self.phone.fingerprint().clone();
        stream.dtls = dtls.then(|| Box::new(DtlsTerms { fingerprint, active: false }));
        self.remote.send(Command::Port(self.leg.id, Order::SetStream(Box::new(stream))));
    }

    /// Somebody begins a handshake, and sends what it says so.
    fn begins(&self, who: &Identity, send: &mut dyn FnMut(std::net::SocketAddr, &[u8])) -> Desk {
        let fingerprint = self.us.fingerprint().clone();
        let terms = DtlsTerms { fingerprint, active: true };
        Desk::new(Instant::now(), terms, who, self.leg.port, send)
    }

    /// The phone begins from there; what secures its packets if that led to keys.
    fn shakes_hands(&mut self, from: &UdpSocket) -> Option<SrtpSession> {
        let mut send = |to: std::net::SocketAddr, packet: &[u8]| {
            from.send_to(packet, to).unwrap();
        };
        let desk = self.begins(&self.phone, &mut send);
        self.goes_on(from, desk)
    }

    /// Until there are keys, or nobody has more to say.
    fn goes_on(&mut self, from: &UdpSocket, mut desk: Desk) -> Option<SrtpSession> {
        let mut send = |to: std::net::SocketAddr, packet: &[u8]| {
            from.send_to(packet, to).unwrap();
        };
        for _ in 0..20 {
            turns(&mut self.worker, &mut self.events);
            let mut wire = [0; 2_000];
            while let Ok(n) = from.recv(&mut wire) {
                desk.receive(Instant::now(), self.leg.port, &wire[..n], &mut send);
            }
        }
        desk.keys().cloned().and_then(SrtpSession::new)
    }

    /// The phone speaks from there; how many of its packets were taken by now.
    fn speaks(
        &mut self,
        from: &UdpSocket,
        secured: Option<&mut SrtpSession>,
        sequence: u16,
    ) -> u64 {
        let timestamp = u32::from(sequence) * 160;
        let header = Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 5 };
        let plain = [&header.to_bytes()[..], &[7; 160]].concat();
        from.send_to(&sealed(secured, &plain), self.leg.port).unwrap();
        turns(&mut self.worker, &mut self.events);
        let slot = self.worker.by_id[&self.leg.id];
        self.worker.port(slot).unwrap().leg.counters.snapshot().received
    }

    /// The call is over, and nothing is left.
    fn ends(mut self) {
        self.remote.send(Command::Port(self.leg.id, Order::Close));
        turns(&mut self.worker, &mut self.events);
        assert!(self.worker.by_id.is_empty() && self.worker.slots.free() == 1);
    }
}

#[test]
fn dtls_of_strangers_takes_no_memory_once_there_are_keys() {
    let mut call = Call::new();
    let own = call.leg.socket.try_clone().unwrap();
    assert!(call.shakes_hands(&own).is_some());
    let slot = call.worker.by_id[&call.leg.id];
    assert!(call.worker.port(slot).is_some_and(|port| port.has_below()));
    let (stranger, mut hello) = (bound(), Vec::new());
    let other = Identity::fresh().unwrap();
    call.begins(&other, &mut |_, packet| hello.extend_from_slice(packet));
    for packet in [&hello[..], &[21, 254, 253, 0, 0], &[22; 40]] {
        for _ in 0..50 {
            stranger.send_to(packet, call.leg.port).unwrap();
            let used = allocation_counter::measure(|| turns(&mut call.worker, &mut call.events));
            assert_eq!(used.count_total, 0, "{used:?}");
        }
    }
    assert!(stranger.recv(&mut [0; 100]).is_err(), "and gets no answer");
    let counters = call.worker.port(slot).unwrap().leg.counters.snapshot();
    assert_eq!(counters.strangers, 150);
    call.ends();
}

#[test]
fn a_phone_behind_a_nat_that_moved_gets_other_keys_while_its_old_media_is_still_under_way() {
    let mut call = Call::new();
    let (old, new) = (call.leg.socket.try_clone().unwrap(), bound());
    let mut first = call.shakes_hands(&old).unwrap();
    assert_eq!(call.speaks(&old, Some(&mut first), 1), 1);
    // It says where it is now, which is not where it is seen, and what it said before comes late.
    call.describe("127.0.0.2:9".parse().unwrap());
    assert_eq!(call.speaks(&old, Some(&mut first), 2), 2);
    let mut second = call.shakes_hands(&new).unwrap();
    assert_eq!(call.speaks(&new, Some(&mut second), 3), 3);
    call.ends();
}

#[test]
fn a_phone_that_begins_before_we_were_woken_for_its_answer_is_heard_at_once() {
    for secured in [false, true] {
        let mut call = Call::new();
        let own = call.leg.socket.try_clone().unwrap();
        let at = own.local_addr().unwrap();
        match secured {
            true => assert!(call.shakes_hands(&own).is_some()),
            false => {
                call.order(at, false);
                turns(&mut call.worker, &mut call.events);
                // The phone has spoken, so that its socket may be connected.
                assert_eq!(call.speaks(&own, None, 1), 1);
            }
        }
        // It offers a certificate that it did not have before.
        call.phone = Identity::fresh().unwrap();
        let ((), wakes) = wakes::gather(|| call.order(at, true));
        assert!(!wakes.is_empty());
        let mut send = |to: std::net::SocketAddr, packet: &[u8]| {
            own.send_to(packet, to).unwrap();
        };
        let desk = call.begins(&call.phone, &mut send);
        call.worker.turn(&mut call.events);
        drop(wakes);
        let mut keys = call.goes_on(&own, desk).expect("keys, and nothing was said twice");
        let taken = call.speaks(&own, Some(&mut keys), 2);
        assert_eq!(taken, if secured { 1 } else { 2 });
        call.ends();
    }
}

#[test]
fn a_phone_that_begins_before_its_answer_to_our_offer_was_read_is_heard_when_it_is() {
    let mut call = Call::new();
    let own = call.leg.socket.try_clone().unwrap();
    call.order(own.local_addr().unwrap(), false);
    turns(&mut call.worker, &mut call.events);
    let slot = call.worker.by_id[&call.leg.id];
    let mut send = |to: std::net::SocketAddr, packet: &[u8]| {
        own.send_to(packet, to).unwrap();
    };
    let desk = call.begins(&call.phone, &mut send);
    turns(&mut call.worker, &mut call.events);
    let early = call.worker.port(slot).unwrap().early.as_deref().map(std::ptr::from_ref);
    assert!(early.is_some());
    // Of a flood no more is kept.
    own.send_to(&[22; 1_000], call.leg.port).unwrap();
    turns(&mut call.worker, &mut call.events);
    assert_eq!(call.worker.port(slot).unwrap().early.as_deref().map(std::ptr::from_ref), early);
    call.describe(own.local_addr().unwrap());
    assert!(call.goes_on(&own, desk).is_some(), "keys, and nothing was said twice");
    assert!(call.worker.port(slot).unwrap().early.is_none());
    call.ends();
}

#[test]
fn what_was_ordered_behind_an_order_that_hears_a_leg_out_comes_after_it() {
    let mut call = Call::new();
    let own = call.leg.socket.try_clone().unwrap();
    let record = || Command::Port(call.leg.id, Order::Record(recording(Tape::default())));
    call.remote.send(record());
    turns(&mut call.worker, &mut call.events);
    let ((), wakes) = wakes::gather(|| assert!(call.remote.send(record())));
    // Read while the leg is heard out.
    own.send_to(&[21; 40], call.leg.port).unwrap();
    call.worker.obey(Instant::now(), Command::Port(call.leg.id, Order::StopRecord));
    drop(wakes);
    turns(&mut call.worker, &mut call.events);
    let slot = call.worker.by_id[&call.leg.id];
    assert!(call.worker.port(slot).unwrap().leg.is_recording(), "the second one goes on");
    call.ends();
}
