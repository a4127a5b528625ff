//! The media load: 50 packets a second in each direction of each call, time-stamped, and the
//! floor that everything is compared with: the simplest possible epoll relay.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, epoll, poll};
use rustix::time::Timespec;

use crate::sip::Media;

/// What a media load showed.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Packets sent.
    pub(crate) sent: u64,
    /// Packets that came back on the other side.
    pub(crate) received: u64,
    /// One way through the relay, nanoseconds, sorted.
    pub(crate) latency: Vec<u64>,
}

impl Heard {
    /// A percentile of the latency, microseconds.
    pub(crate) fn latency_us(&self, percent: f64) -> f64 {
        let last = self.latency.len().saturating_sub(1);
        let at = (last as f64 * percent / 100.0).round() as usize;
        self.latency.get(at).map_or(f64::NAN, |n| *n as f64 / 1000.0)
    }

    /// Takes what another load showed.
    pub(crate) fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.latency.extend(other.latency);
        self.latency.sort_unstable();
    }

    /// Packets lost, percent of those sent.
    pub(crate) fn loss_percent(&self) -> f64 {
        100.0 * (1.0 - self.received as f64 / self.sent.max(1) as f64)
    }
}

/// Talks on all calls for `length`: both sides, every 20 ms, evenly spread. Sequence numbers go on
/// from `first_tick`, so that one talk continues another.
pub(crate) fn talk(
    sides: (&UdpSocket, &UdpSocket),
    calls: &[Media],
    length: Duration,
    first_tick: u64,
) -> io::Result<Heard> {
    load(sides, calls, length, first_tick, 2)
}

/// As [`talk`], but only callers talk.
pub(crate) fn talk_one_way(
    sides: (&UdpSocket, &UdpSocket),
    calls: &[Media],
    length: Duration,
    first_tick: u64,
) -> io::Result<Heard> {
    load(sides, calls, length, first_tick, 1)
}

/// Room for what comes while the load sends: as root beyond what the system gives to all.
pub(crate) fn large_buffer(socket: &UdpSocket) {
    use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_recv_buffer_size_force};
    if set_socket_recv_buffer_size_force(socket, 8 << 20).is_err() {
        let _ = set_socket_recv_buffer_size(socket, 8 << 20);
    }
}

/// Packets sent before what has come is looked at.
const AT_ONCE: usize = 64;

fn load(
    sides: (&UdpSocket, &UdpSocket),
    calls: &[Media],
    length: Duration,
    first_tick: u64,
    ways: u64,
) -> io::Result<Heard> {
    let mut heard = Heard::default();
    let begin = Instant::now();
    let streams = (calls.len() as u64 * ways).max(1);
    let step = Duration::from_millis(20).as_secs_f64() / streams as f64;
    let mut packet = [0u8; 172];
    let mut slot = 0u64;
    while begin.elapsed() < length {
        // A machine that is too slow for the load sends less, and what has come is taken all the same.
        for _ in 0..AT_ONCE {
            if begin.elapsed().as_secs_f64() < slot as f64 * step {
                break;
            }
            let (tick, which) = (slot / streams, slot % streams);
            let Some(call) = calls.get((which / ways) as usize) else { break };
            let (socket, to) =
                if which % ways == 0 { (sides.0, call.caller) } else { (sides.1, call.callee) };
            packet[1] = if which % ways == 0 { 0 } else { call.callee_payload_type };
            write_packet(&mut packet, first_tick + tick, which as u32, begin);
            heard.sent += u64::from(socket.send_to(&packet, to).is_ok());
            slot += 1;
        }
        let next = Duration::from_secs_f64(slot as f64 * step).saturating_sub(begin.elapsed());
        wait(sides, next.min(Duration::from_millis(5)))?;
        drain(sides, begin, &mut heard);
    }
    // What is still on its way.
    let end = Instant::now();
    while end.elapsed() < Duration::from_millis(100) {
        wait(sides, Duration::from_millis(5))?;
        drain(sides, begin, &mut heard);
    }
    heard.latency.sort_unstable();
    Ok(heard)
}

fn write_packet(packet: &mut [u8; 172], tick: u64, ssrc: u32, begin: Instant) {
    packet[0] = 0x80;
    packet[2..4].copy_from_slice(&(tick as u16).to_be_bytes());
    packet[4..8].copy_from_slice(&((tick * 160) as u32).to_be_bytes());
    packet[8..12].copy_from_slice(&(ssrc + 1).to_be_bytes());
    packet[12..20].copy_from_slice(&(begin.elapsed().as_nanos() as u64).to_be_bytes());
}

fn wait(sides: (&UdpSocket, &UdpSocket), limit: Duration) -> io::Result<()> {
    let limit = Timespec { tv_sec: 0, tv_nsec: limit.subsec_nanos().into() };
    let mut fds = [
        PollFd::from_borrowed_fd(sides.0.as_fd(), PollFlags::IN),
        PollFd::from_borrowed_fd(sides.1.as_fd(), PollFlags::IN),
    ];
    poll(&mut fds, Some(&limit))
        .map(drop)
        .or_else(|e| if e == rustix::io::Errno::INTR { Ok(()) } else { Err(e.into()) })
}

fn drain(sides: (&UdpSocket, &UdpSocket), begin: Instant, heard: &mut Heard) {
    let mut packet = [0; 2048];
    for socket in [sides.0, sides.1] {
        while let Ok((n, _)) = socket.recv_from(&mut packet) {
            // RTCP shares no port with RTP here; anything shorter is not ours.
            if n != 172 {
                continue;
            }
            let mut sent = [0; 8];
            sent.copy_from_slice(&packet[12..20]);
            let now = begin.elapsed().as_nanos() as u64;
            heard.received += 1;
            heard.latency.push(now.saturating_sub(u64::from_be_bytes(sent)));
        }
    }
}

/// The floor: receives on one of `2 * calls` sockets, looks up where it goes, sends. Runs in a
/// process of its own until it is killed; prints its ports first.
pub(crate) fn floor(calls: usize, caller: SocketAddr, callee: SocketAddr) -> io::Result<()> {
    super::open_files();
    let mut sockets = Vec::new();
    let poller = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut ports = Vec::new();
    for n in 0..calls * 2 {
        let socket = UdpSocket::bind(("127.0.0.1", 0))?;
        socket.set_nonblocking(true)?;
        epoll::add(&poller, &socket, epoll::EventData::new_u64(n as u64), epoll::EventFlags::IN)?;
        ports.push(socket.local_addr()?.port().to_string());
        sockets.push(socket);
    }
    super::say(&ports.join(" "));
    let mut events = Vec::with_capacity(256);
    let mut packet = [0; 2048];
    loop {
        events.clear();
        match epoll::wait(&poller, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        for event in &events {
            let n = event.data.u64() as usize;
            if let Ok((length, _)) = sockets[n].recv_from(&mut packet) {
                // A packet from the caller's side leaves by the callee's socket, and back.
                let to = if n.is_multiple_of(2) { callee } else { caller };
                let _ = sockets[n ^ 1].send_to(&packet[..length], to);
            }
        }
    }
}
