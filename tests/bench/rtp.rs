//! The media load: 50 packets a second in each direction of each call, time-stamped, and the
//! floor that everything is compared with: the simplest possible epoll relay.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, epoll, poll};
use rustix::time::Timespec;

use crate::inbox::{self, Inbox};
use crate::process;
use crate::sip::Media;

/// What a media load showed.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Packets sent.
    pub(crate) sent: u64,
    /// Packets that came back on the other side.
    pub(crate) received: u64,
    /// From the sender's clock before sending until the kernel had it for the receiver, nanoseconds,
    /// sorted: those of each turn.
    pub(crate) latency: Vec<Vec<u64>>,
    /// For how long the load's own core was away, in all.
    pub(crate) away: Duration,
}

impl Heard {
    /// A percentile of each turn's latency, microseconds; sorted.
    fn percentiles(&self, percent: f64) -> Vec<f64> {
        let of_turn = |turn: &Vec<u64>| {
            let last = turn.len().saturating_sub(1);
            let at = (last as f64 * percent / 100.0).round() as usize;
            turn.get(at).map_or(f64::NAN, |n| *n as f64 / 1000.0)
        };
        let mut turns: Vec<f64> = self.latency.iter().map(of_turn).collect();
        turns.sort_by(f64::total_cmp);
        turns
    }

    /// A percentile of the latency, microseconds, in the middle one of the turns: the host of a virtual
    /// machine takes its cores away for milliseconds that it does not always own up to.
    pub(crate) fn latency_us(&self, percent: f64) -> f64 {
        let turns = self.percentiles(percent);
        turns.get(turns.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// The same in the worst of the turns.
    pub(crate) fn worst_latency_us(&self, percent: f64) -> f64 {
        self.percentiles(percent).last().copied().unwrap_or(f64::NAN)
    }

    /// Takes what another load showed.
    pub(crate) fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.away += other.away;
        self.latency.extend(other.latency);
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
    first(|| load(sides, calls, length, first_tick, 2))
}

/// As [`talk`], but only callers talk.
pub(crate) fn talk_one_way(
    sides: (&UdpSocket, &UdpSocket),
    calls: &[Media],
    length: Duration,
    first_tick: u64,
) -> io::Result<Heard> {
    first(|| load(sides, calls, length, first_tick, 1))
}

/// Does it in a thread that goes before others.
fn first<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let done = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                process::go_first();
                work()
            })
            .join()
    });
    done.unwrap_or_else(|_| Err(io::Error::other("the load broke off")))
}

/// Room for what comes while the load sends: as root beyond what the system gives to all.
pub(crate) fn large_buffer(socket: &UdpSocket) {
    use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_recv_buffer_size_force};
    if set_socket_recv_buffer_size_force(socket, 8 << 20).is_err() {
        let _ = set_socket_recv_buffer_size(socket, 8 << 20);
    }
}

/// Packets sent before the clock of the next is looked at.
const AT_ONCE: usize = 16;
/// A load whose core was away for longer than this goes on from where it was: phones do not send in
/// bursts what they could not send before, and a relay would be full of it for long.
const AWAY: Duration = Duration::from_millis(1);
/// So long before the next packet the load does not sleep any more: waking it would cost the relay.
const AWAKE: Duration = Duration::from_millis(1);

/// Packets sent before what has come is taken, many at once: the kernel has noted when each came.
const UNREAD: u64 = 32;

fn load(
    sides: (&UdpSocket, &UdpSocket),
    calls: &[Media],
    length: Duration,
    first_tick: u64,
    ways: u64,
) -> io::Result<Heard> {
    let (mut heard, mut inbox, mut latency) = (Heard::default(), Inbox::new(), Vec::new());
    let (begin, mut lost) = (Instant::now(), Duration::ZERO);
    let streams = (calls.len() as u64 * ways).max(1);
    let step = Duration::from_millis(20).as_secs_f64() / streams as f64;
    let mut packet = [0u8; 172];
    let (mut slot, mut drained) = (0u64, 0u64);
    while begin.elapsed() < length {
        for _ in 0..AT_ONCE {
            let due = Duration::from_secs_f64(slot as f64 * step) + lost;
            let Some(late) = begin.elapsed().checked_sub(due) else { break };
            if late > AWAY {
                lost += late;
            }
            let (tick, which) = (slot / streams, slot % streams);
            let Some(call) = calls.get((which / ways) as usize) else { break };
            let (socket, to) =
                if which % ways == 0 { (sides.0, call.caller) } else { (sides.1, call.callee) };
            packet[1] = if which % ways == 0 { 0 } else { call.callee_payload_type };
            write_packet(&mut packet, first_tick + tick, which as u32);
            heard.sent += u64::from(socket.send_to(&packet, to).is_ok());
            slot += 1;
        }
        let due = Duration::from_secs_f64(slot as f64 * step) + lost;
        let next = due.saturating_sub(begin.elapsed());
        if next > AWAKE {
            wait(sides, (next - AWAKE).min(Duration::from_millis(5)))?;
        }
        if next > AWAKE || slot >= drained + UNREAD {
            drained = slot;
            heard.received += drain(sides, &mut inbox, &mut latency)?;
        }
    }
    // What is still on its way.
    let end = Instant::now();
    while end.elapsed() < Duration::from_millis(100) {
        wait(sides, Duration::from_millis(5))?;
        heard.received += drain(sides, &mut inbox, &mut latency)?;
    }
    heard.away = lost;
    latency.sort_unstable();
    heard.latency.push(latency);
    Ok(heard)
}

fn write_packet(packet: &mut [u8; 172], tick: u64, ssrc: u32) {
    packet[0] = 0x80;
    packet[2..4].copy_from_slice(&(tick as u16).to_be_bytes());
    packet[4..8].copy_from_slice(&((tick * 160) as u32).to_be_bytes());
    packet[8..12].copy_from_slice(&(ssrc + 1).to_be_bytes());
    packet[12..20].copy_from_slice(&(inbox::wall_clock().as_nanos() as u64).to_be_bytes());
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

/// Takes a batch of each side; the next packet to be sent does not wait for all.
fn drain(
    sides: (&UdpSocket, &UdpSocket),
    inbox: &mut Inbox,
    latency: &mut Vec<u64>,
) -> io::Result<u64> {
    let before = latency.len();
    for socket in [sides.0, sides.1] {
        inbox.take(socket, |arrived| {
            // RTCP shares no port with RTP here; anything shorter is not ours.
            if arrived.bytes.len() != 172 {
                return;
            }
            let mut sent = [0; 8];
            sent.copy_from_slice(&arrived.bytes[12..20]);
            let at = arrived.at.as_nanos() as u64;
            latency.push(at.saturating_sub(u64::from_be_bytes(sent)));
        })?;
    }
    Ok((latency.len() - before) as u64)
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
    process::go_first();
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
