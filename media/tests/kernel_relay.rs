//! Calls that the kernel relays, in network namespaces that this test makes: caller, box, callee. Without
//! root or `ip` there is nothing to try, and the test says so.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

use std::net::{IpAddr, UdpSocket};
use std::os::fd::AsFd as _;
use std::process::Command;
use std::time::{Duration, Instant};

use offhook_media::codec::Codec;
use offhook_media::dtmf::DigitSet;
use offhook_media::engine::{
    Engine, EngineConfig, KernelRelay, MediaPort, PortEvent, PortEventKind, Recording, SampleSink,
    StreamConfig, TelephoneEvent,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::sync::mpsc;

const PATIENCE: Duration = Duration::from_secs(60);

/// Three namespaces in a row, gone with this.
struct Net {
    names: [String; 3],
}

impl Net {
    fn up(test: &str) -> Option<Self> {
        let names = ["a", "box", "b"].map(|n| format!("oh-{test}-{n}-{}", std::process::id()));
        let net = Self { names };
        let [a, middle, b] = &net.names;
        for name in &net.names {
            if !ip(&["netns", "add", name]) {
                eprintln!("not tried: network namespaces need root and iproute2");
                return None;
            }
        }
        for (side, host, prefix) in [(a, "eth-a", "10.91.1"), (b, "eth-b", "10.91.2")] {
            let (far, near) = (format!("{prefix}.2/24"), format!("{prefix}.1/24"));
            let link = ["-n", middle, "link", "add", host, "type", "veth"];
            assert!(ip(&[&link[..], &["peer", "name", "eth0", "netns", side]].concat()));
            assert!(ip(&["-n", side, "addr", "add", &far, "dev", "eth0"]));
            assert!(ip(&["-n", middle, "addr", "add", &near, "dev", host]));
            assert!(ip(&["-n", side, "link", "set", "eth0", "up"]));
            assert!(ip(&["-n", middle, "link", "set", host, "up"]));
            // Checksums are made and looked at as on a wire, where `ethtool` is there to say so.
            let tool = ["netns", "exec", side, "ethtool", "-K", "eth0", "tx", "off", "rx", "off"];
            ip(&tool);
        }
        Some(net)
    }

    fn enter(&self, which: usize) {
        let file = std::fs::File::open(format!("/run/netns/{}", self.names[which])).unwrap();
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
    }

    fn socket(&self, which: usize, address: &str) -> UdpSocket {
        self.enter(which);
        let socket = UdpSocket::bind((address, 4000)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        self.enter(1);
        socket
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in &self.names {
            ip(&["netns", "del", name]);
        }
    }
}

fn ip(args: &[&str]) -> bool {
    Command::new("ip").args(args).output().is_ok_and(|done| done.status.success())
}

/// One side of a call.
struct Side {
    socket: UdpSocket,
    port: MediaPort,
    events: mpsc::Receiver<PortEvent>,
    ssrc: u32,
    sequence: u16,
}

impl Side {
    fn new(engine: &Engine, socket: UdpSocket, ours: &str, ssrc: u32, sequence: u16) -> Self {
        let (sender, events) = mpsc::channel(16);
        let port = engine.open(ours.parse::<IpAddr>().unwrap(), sender).unwrap();
        let mut stream = StreamConfig::new(socket.local_addr().unwrap(), Codec::Pcmu);
        stream.telephone_event = Some(TelephoneEvent { send_pt: 101, recv_pt: 101, clock: 8000 });
        port.set_stream(stream);
        socket.connect(port.rtp_addr()).unwrap();
        Self { socket, port, events, ssrc, sequence }
    }

    fn packet(&mut self, payload_type: u8, payload: &[u8]) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = vec![0x80, payload_type];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend((u32::from(self.sequence) * 160).to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(payload);
        packet
    }

    /// Speaks until the other side hears it: orders to the engine are carried out in their own time.
    fn gets_through(&mut self, other: &Side) {
        other.socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let begin = Instant::now();
        let mut heard = [0; 400];
        while other.socket.recv(&mut heard).is_err() {
            assert!(begin.elapsed() < PATIENCE, "nothing gets through");
            let packet = self.packet(0, &[1; 160]);
            self.socket.send(&packet).unwrap();
        }
        other.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        while heard[2..4] != self.sequence.to_be_bytes() {
            other.socket.recv(&mut heard).unwrap();
        }
    }

    /// Says something, which the other side hears unchanged from the box's address.
    fn reaches(&mut self, other: &Side) {
        let payload = [self.sequence as u8; 160];
        let packet = self.packet(0, &payload);
        self.socket.send(&packet).unwrap();
        let mut heard = [0; 400];
        let n = other.socket.recv(&mut heard).unwrap_or_else(|error| {
            let counters = (self.port.counters(), other.port.counters());
            panic!("{} of {:x} does not arrive: {error} {counters:?}", self.sequence, self.ssrc)
        });
        // The first packet of a source carries the marker.
        heard[1] &= 0x7f;
        assert_eq!(heard[..n], packet, "{} of {:x}", self.sequence, self.ssrc);
        // A leg takes a thousand packets a second.
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn engine() -> Engine {
    Engine::start(EngineConfig { kernel_relay: true, ..EngineConfig::default() }).unwrap()
}

/// A call that both talk on until the kernel has it; `None` where the kernel refuses.
fn call(net: &Net) -> Option<(Engine, Side, Side)> {
    net.enter(1);
    let engine = engine();
    if let KernelRelay::Refused { why } = engine.kernel_relay() {
        eprintln!("not tried: {why}");
        return None;
    }
    let (a, b) = (net.socket(0, "10.91.1.2"), net.socket(2, "10.91.2.2"));
    let mut a = Side::new(&engine, a, "10.91.1.1", 0xaaaa, 65_300);
    let mut b = Side::new(&engine, b, "10.91.2.1", 0xbbbb, 100);
    engine.bridge(&a.port, &b.port);
    a.gets_through(&b);
    b.gets_through(&a);
    until(&engine, 2, &mut a, &mut b);
    Some((engine, a, b))
}

/// Both talk until the kernel has so many directions.
fn until(engine: &Engine, paths: usize, a: &mut Side, b: &mut Side) {
    let begin = Instant::now();
    while engine.kernel_relay() != (KernelRelay::On { paths }) {
        assert!(begin.elapsed() < PATIENCE, "{:?}", engine.kernel_relay());
        a.reaches(b);
        b.reaches(a);
    }
}

#[derive(Default)]
struct Nowhere;

impl SampleSink for Nowhere {
    fn push(&mut self, _: &[i16]) {}
}

#[test]
fn a_plain_call_is_relayed_by_the_kernel_and_counted_to_the_last_packet() {
    let Some(net) = Net::up("plain") else { return };
    let Some((engine, mut a, mut b)) = call(&net) else { return };
    let before = (a.port.counters(), b.port.counters());
    // More than one round of the numbers, which no gap and no jump may show.
    for _ in 0..640 {
        a.reaches(&b);
        b.reaches(&a);
    }
    for (before, side) in [(before.0, &a), (before.1, &b)] {
        let after = side.port.counters();
        assert_eq!(after.received - before.received, 640);
        assert_eq!(after.sent - before.sent, 640);
        assert_eq!(after.received_in_kernel - before.received_in_kernel, 630, "one in 64 comes up");
        assert_eq!((after.lost, after.loss_runs), (0, 0));
    }
    engine.shutdown();
}

#[test]
fn keys_are_told_while_the_kernel_relays_and_strangers_are_not_relayed() {
    let Some(net) = Net::up("keys") else { return };
    let Some((_engine, mut a, mut b)) = call(&net) else { return };
    let mut timestamp = None;
    for end in [0u8, 0x80, 0x80, 0x80] {
        let mut packet = a.packet(101, &[5, end | 10, 1, 0x40]);
        let begin = *timestamp.get_or_insert([packet[4], packet[5], packet[6], packet[7]]);
        packet[4..8].copy_from_slice(&begin);
        a.socket.send(&packet).unwrap();
        assert_eq!(b.socket.recv(&mut [0; 400]).unwrap(), 16);
    }
    a.reaches(&b);
    let digits = std::iter::from_fn(|| a.events.try_recv().ok())
        .filter(|event| matches!(event.kind, PortEventKind::Digit { .. }));
    assert_eq!(digits.count(), 1);
    net.enter(0);
    let stranger = UdpSocket::bind("10.91.1.2:5000").unwrap();
    net.enter(1);
    let packet = a.packet(0, &[9; 160]);
    stranger.send_to(&packet, a.port.rtp_addr()).unwrap();
    a.sequence -= 1;
    a.reaches(&b);
    b.reaches(&a);
}

#[test]
fn a_call_that_is_recorded_comes_back_to_userspace_and_leaves_it_again() {
    let Some(net) = Net::up("record") else { return };
    let Some((engine, mut a, mut b)) = call(&net) else { return };
    let terminators = DigitSet::NONE;
    let to = Box::new(Nowhere);
    a.port.record(Recording { id: 1, to, max: None, silence: None, terminators });
    // What goes the other way is recorded by nobody, and is taken by the kernel again.
    until(&engine, 0, &mut a, &mut b);
    until(&engine, 1, &mut a, &mut b);
    let before = a.port.counters();
    for _ in 0..100 {
        a.reaches(&b);
        b.reaches(&a);
    }
    assert_eq!(a.port.counters().received_in_kernel, before.received_in_kernel);
    a.port.stop_record();
    until(&engine, 2, &mut a, &mut b);
    assert_eq!((a.port.counters().lost, a.port.counters().loss_runs), (0, 0));
}

#[test]
fn nothing_stays_in_the_kernel_when_the_call_or_the_engine_ends() {
    let Some(net) = Net::up("end") else { return };
    let Some((engine, mut a, b)) = call(&net) else { return };
    let Side { port, socket, .. } = b;
    drop(port);
    let begin = Instant::now();
    while engine.kernel_relay() != (KernelRelay::On { paths: 0 }) {
        assert!(begin.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    let packet = a.packet(0, &[1; 160]);
    a.socket.send(&packet).unwrap();
    socket.set_nonblocking(true).unwrap();
    assert!(socket.recv(&mut [0; 400]).is_err(), "nobody relays it");
    // The table is the engine's: another one makes its own, and the first one's is gone.
    engine.shutdown();
    drop((a.port, engine));
    let nft = ["netns", "exec", &net.names[1], "nft", "list", "tables"];
    while let Ok(tables) = Command::new("ip").args(nft).output() {
        // The thread that has it ends by itself.
        let tables = String::from_utf8_lossy(&tables.stdout).into_owned();
        if !tables.contains("offhook") {
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "{tables}");
    }
    assert_eq!(self::engine().kernel_relay(), KernelRelay::On { paths: 0 });
}

#[test]
fn who_may_not_is_told_and_relays_in_userspace() {
    let refused = std::thread::spawn(|| {
        if !rustix::process::geteuid().is_root() {
            return Some(engine().kernel_relay());
        }
        // A thread that gives up its capabilities, and no other with it.
        let none = rustix::thread::CapabilitySets {
            effective: rustix::thread::CapabilitySet::empty(),
            permitted: rustix::thread::CapabilitySet::empty(),
            inheritable: rustix::thread::CapabilitySet::empty(),
        };
        rustix::thread::set_capabilities(None, none).ok()?;
        Some(engine().kernel_relay())
    });
    if let Some(relay) = refused.join().unwrap() {
        let KernelRelay::Refused { why } = relay else { panic!("{relay:?}") };
        assert!(why.contains("CAP_NET_ADMIN"), "{why}");
    }
}
