//! What relaying costs: `cargo run --release -p offhook-media --example relay_cost -- [calls] [seconds]`.
//!
//! Runs so many calls of 50 packets a second each way through the engine over loopback, then through
//! the barest relay there is (an epoll, a receive and a send to a fixed address), and prints the CPU
//! time of the relaying thread per packet and per call-minute, and the latency added.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measuring tool")]

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use offhook_media::codec::Codec;
use offhook_media::engine::{Engine, EngineConfig, StreamConfig};
use offhook_media::rtp::Header;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;

const LOCALHOST: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn main() {
    let mut args = std::env::args().skip(1).map(|a| a.parse::<u64>().unwrap());
    let (calls, seconds) = (args.next().unwrap_or(100), args.next().unwrap_or(10));
    engine(calls, seconds);
    bare(calls, seconds);
}

fn nonblocking() -> UdpSocket {
    let socket = UdpSocket::bind((LOCALHOST, 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

fn engine(calls: u64, seconds: u64) {
    let engine = Engine::start(EngineConfig::default()).unwrap();
    let mut ports = Vec::new();
    let mut legs = Vec::new();
    for _ in 0..calls {
        let pair = [(); 2].map(|()| {
            let socket = nonblocking();
            let port = engine.open(LOCALHOST, tokio::sync::mpsc::channel(8).0).unwrap();
            port.set_stream(StreamConfig::new(socket.local_addr().unwrap(), Codec::Pcmu));
            (socket, port)
        });
        engine.bridge(&pair[0].1, &pair[1].1);
        for (socket, port) in pair {
            socket.connect(port.rtp_addr()).unwrap();
            legs.push(socket);
            ports.push(port);
        }
    }
    report("engine", calls, seconds, "media-0", &legs);
}

fn bare(calls: u64, seconds: u64) {
    let mut legs = Vec::new();
    let mut relay: Vec<(UdpSocket, SocketAddr)> = Vec::new();
    for _ in 0..calls * 2 {
        let (ours, theirs) = (nonblocking(), nonblocking());
        theirs.connect(ours.local_addr().unwrap()).unwrap();
        relay.push((ours, theirs.local_addr().unwrap()));
        legs.push(theirs);
    }
    let work = move || {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        for (n, (socket, _)) in relay.iter().enumerate() {
            let data = epoll::EventData::new_u64(n as u64);
            epoll::add(&poll, socket, data, epoll::EventFlags::IN).unwrap();
        }
        let mut events = Vec::with_capacity(128);
        let mut buffer = [0; 2048];
        loop {
            epoll::wait(&poll, spare_capacity(&mut events), None).unwrap();
            for event in events.drain(..) {
                let n = event.data.u64() as usize;
                if let Ok((len, _)) = relay[n].0.recv_from(&mut buffer) {
                    let (socket, to) = &relay[n ^ 1];
                    let _ = socket.send_to(&buffer[..len], to);
                }
            }
        }
    };
    std::thread::Builder::new().name("bare".into()).spawn(work).unwrap();
    report("bare epoll", calls, seconds, "bare", &legs);
}

/// CPU time of the thread of this name.
fn cpu_time(thread: &str) -> Duration {
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path();
        if std::fs::read_to_string(path.join("comm")).unwrap().trim() == thread {
            let stat = std::fs::read_to_string(path.join("schedstat")).unwrap();
            return Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap());
        }
    }
    Duration::ZERO
}

fn report(name: &str, calls: u64, seconds: u64, thread: &str, legs: &[UdpSocket]) {
    drive(1, legs);
    let before = cpu_time(thread);
    let (sent, mut latencies) = drive(seconds, legs);
    let used = cpu_time(thread) - before;
    latencies.sort_unstable();
    let at = |per_mille: usize| latencies[latencies.len().saturating_sub(1) * per_mille / 1000];
    let got = latencies.len();
    println!(
        "{name:>12}: {calls} calls, {:.2} us a packet, {:.4} CPU s a call-minute, {got}/{sent} arrived, latency p50 {:?} p99 {:?}",
        used.as_secs_f64() * 1e6 / got as f64,
        used.as_secs_f64() / got as f64 * 6000.0,
        at(500),
        at(990)
    );
}

/// Every leg sends each 20 ms, spread over the interval; returns packets sent and each one's time
/// from sending to arrival.
fn drive(seconds: u64, legs: &[UdpSocket]) -> (u64, Vec<Duration>) {
    static SEQUENCE: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0);
    static EPOCH: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let epoch = *EPOCH.get_or_init(Instant::now);
    let start = Instant::now();
    let total = seconds * 50 * legs.len() as u64;
    let gap = Duration::from_millis(20) / legs.len() as u32;
    let mut latencies = Vec::with_capacity(total as usize);
    let mut buffer = [0; 400];
    let mut receive = |from: &UdpSocket, latencies: &mut Vec<Duration>| {
        while let Ok(n) = from.recv(&mut buffer) {
            let at: [u8; 8] = buffer[n - 8..n].try_into().unwrap();
            let at = Duration::from_nanos(u64::from_be_bytes(at));
            latencies.push(epoch.elapsed().saturating_sub(at));
        }
    };
    let mut sequence = 0;
    for n in 0..total {
        let leg = (n % legs.len() as u64) as usize;
        if leg == 0 {
            sequence = SEQUENCE.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        let timestamp = u32::from(sequence) * 160;
        let ssrc = 1000 + leg as u32;
        let header = Header { marker: false, payload_type: 0, sequence, timestamp, ssrc };
        let mut wire = [0; 172];
        wire[..12].copy_from_slice(&header.to_bytes());
        wire[164..].copy_from_slice(&(epoch.elapsed().as_nanos() as u64).to_be_bytes());
        let _ = legs[leg].send(&wire);
        // The packet comes out at the partner; looking there at once gives its real arrival.
        let next = gap * (n as u32 + 1);
        loop {
            receive(&legs[leg ^ 1], &mut latencies);
            if start.elapsed() >= next {
                break;
            }
        }
    }
    std::thread::sleep(Duration::from_millis(100));
    for leg in legs {
        receive(leg, &mut latencies);
    }
    (total, latencies)
}
