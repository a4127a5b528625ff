//! How late packets of many streams are, each on a grid of its own.

use std::collections::HashMap;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use super::Outcome;
use super::inbox::{self, Inbox};
use super::rtp;

/// Time between two packets of a stream.
const GRID: Duration = Duration::from_millis(20);

/// A packet: its sender's port, its number, when it came.
pub(crate) type Arrival = (u16, u16, Instant);

/// Notes what arrives at a socket, in a thread of its own.
pub(crate) struct Listener {
    stop: Arc<AtomicBool>,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Listener {
    /// Has room for so many packets.
    pub(crate) fn start(socket: UdpSocket, room: usize) -> Outcome<Self> {
        rtp::large_buffer(&socket);
        inbox::note_times(&socket)?;
        let stop = Arc::new(AtomicBool::new(false));
        let arrivals = Arc::new(Mutex::new(Vec::with_capacity(room)));
        let thread = std::thread::spawn({
            let (stop, arrivals) = (Arc::clone(&stop), Arc::clone(&arrivals));
            move || listen(&socket, &stop, &arrivals)
        });
        Ok(Self { stop, arrivals, thread: Some(thread) })
    }

    /// What came between two times.
    pub(crate) fn between(&self, from: Instant, to: Instant) -> Vec<Arrival> {
        let arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        arrivals.iter().filter(|arrival| (from..to).contains(&arrival.2)).copied().collect()
    }

    /// Stops listening: when the first packet of each sender came.
    pub(crate) fn firsts(mut self) -> Outcome<HashMap<u16, Instant>> {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().map_err(|_| "the listener broke off")??;
        }
        let mut firsts = HashMap::new();
        for (port, _, at) in &*self.arrivals.lock().unwrap_or_else(PoisonError::into_inner) {
            firsts.entry(*port).or_insert(*at);
        }
        Ok(firsts)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn listen(socket: &UdpSocket, stop: &AtomicBool, to: &Mutex<Vec<Arrival>>) -> io::Result<()> {
    let mut inbox = Inbox::new();
    // The kernel's times are of the wall clock.
    let (now, clock) = (Instant::now(), inbox::wall_clock());
    while !stop.load(Ordering::Relaxed) {
        let limit = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        let mut fds = [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN)];
        let _ = poll(&mut fds, Some(&limit));
        let mut arrivals = to.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.take(socket, |arrived| {
            if arrived.bytes.len() == 172 {
                let number = u16::from_be_bytes([arrived.bytes[2], arrived.bytes[3]]);
                let at = now + arrived.at.saturating_sub(clock);
                arrivals.push((arrived.from.port(), number, at));
            }
        })?;
    }
    Ok(())
}

/// What a turn showed.
pub(crate) struct Turn {
    /// Milliseconds that packets were late, sorted.
    late: Vec<f64>,
    /// Streams of which nothing is missing.
    pub(crate) whole: usize,
    /// When in the 20 ms each stream's packets were due, microseconds.
    pub(crate) phases: Vec<u64>,
}

impl Turn {
    /// Of what came from `from` to `to`. A stream's grid is where its most punctual packet was.
    pub(crate) fn of(arrivals: &[Arrival], from: Instant, to: Instant) -> Self {
        let mut streams: HashMap<u16, Vec<(u16, Duration)>> = HashMap::new();
        for &(port, sequence, at) in arrivals {
            streams.entry(port).or_default().push((sequence, at.saturating_duration_since(from)));
        }
        // One that ended, or stopped, is not a punctual one.
        let packets = (to - from).as_millis() as usize / 20;
        let mut turn = Self { late: Vec::new(), whole: 0, phases: Vec::new() };
        for stream in streams.values() {
            let Some(&(base, _)) = stream.first() else { continue };
            // One more turn of the grid, so that nothing is before the first.
            let offset = |&(sequence, at): &(u16, Duration)| {
                (at + GRID).as_secs_f64() * 1e3 - f64::from(sequence.wrapping_sub(base)) * 20.0
            };
            let best = stream.iter().map(offset).fold(f64::INFINITY, f64::min);
            turn.late.extend(stream.iter().map(|packet| offset(packet) - best));
            turn.phases.push((best * 1e3) as u64 % GRID.as_micros() as u64);
            turn.whole += usize::from(stream.len() + 2 >= packets);
        }
        turn.late.sort_by(f64::total_cmp);
        turn
    }

    /// How late the packet is that so many others are more punctual than, in milliseconds.
    pub(crate) fn late(&self, share: f64) -> f64 {
        share_of(&self.late, share)
    }
}

/// What stands at that share of a sorted list.
pub(crate) fn share_of(sorted: &[f64], share: f64) -> f64 {
    let at = (sorted.len().saturating_sub(1)) as f64 * share;
    sorted.get(at as usize).copied().unwrap_or(f64::NAN)
}

/// What stands at that share of each turn, in the middle one and in the worst.
pub(crate) fn middle_and_worst(turns: &[Turn], share: f64) -> (f64, f64) {
    let mut late: Vec<f64> = turns.iter().map(|turn| turn.late(share)).collect();
    late.sort_by(f64::total_cmp);
    let at = |n: usize| late.get(n).copied().unwrap_or(f64::NAN);
    (at(late.len() / 2), at(late.len().saturating_sub(1)))
}
