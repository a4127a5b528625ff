//! What callers hear who are played a prompt, and what playing and recording cost.

use std::collections::HashMap;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use super::appliance::{Appliance, addresses, all_went};
use super::figures::Figure;
use super::inbox::{self, Inbox};
use super::process::{cpu_seconds, pss_kb};
use super::{Outcome, SERVER, host, relay, rtp, sip};

/// CPU seconds a call-minute of Asterisk by the floor's, both of one run on one machine
/// (`facts/bench.md`): what carries over is the ratio. Playback may cost a third of it, recording half.
const ASTERISK_PLAYS: f64 = 0.103 / 0.020;
const ASTERISK_RECORDS: f64 = 0.021 / 0.020;

/// A packet of a prompt: the appliance's port, its number, when it came.
type Arrival = (u16, u16, Instant);

/// Keeps what arrives until it is told to stop.
fn listen(socket: &UdpSocket, stop: &AtomicBool, room: usize) -> io::Result<Vec<Arrival>> {
    let mut arrivals = Vec::with_capacity(room);
    let mut inbox = Inbox::new();
    // The kernel's times are of the wall clock.
    let (now, clock) = (Instant::now(), inbox::wall_clock());
    while !stop.load(Ordering::Relaxed) {
        let limit = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        let mut fds = [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN)];
        let _ = poll(&mut fds, Some(&limit));
        inbox.take(socket, |arrived| {
            if arrived.bytes.len() == 172 {
                let number = u16::from_be_bytes([arrived.bytes[2], arrived.bytes[3]]);
                let at = now + arrived.at.saturating_sub(clock);
                arrivals.push((arrived.from.port(), number, at));
            }
        })?;
    }
    Ok(arrivals)
}

/// Plays to `count` callers.
pub(crate) fn playback(appliance: &Appliance, count: usize, seconds: u64) -> Outcome<Vec<Figure>> {
    let (signalling, media) = addresses()?;
    let socket = UdpSocket::bind(media.0)?;
    rtp::large_buffer(&socket);
    inbox::note_times(&socket)?;
    let stop = Arc::new(AtomicBool::new(false));
    let longest = seconds as usize * host::ATTEMPTS;
    let room = count * (longest + count / 50 + 5) * 50;
    let listener = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || listen(&socket, &stop, room)
    });
    let mut calls = sip::Calls::new(SERVER.parse()?, signalling, media, 5000 + count as u32)?;
    calls.dial("700");
    let up = calls.set_up(count, 100.0)?.len();
    std::thread::sleep(Duration::from_secs(1));
    let (from, to, cpu) = host::undisturbed(|| {
        let (from, cpu) = (Instant::now(), cpu_seconds(appliance.pid()));
        std::thread::sleep(Duration::from_secs(seconds));
        Ok((from, Instant::now(), cpu_seconds(appliance.pid()) - cpu))
    })?;
    let answered = calls.answered();
    stop.store(true, Ordering::Relaxed);
    let arrivals = listener.join().map_err(|_| "the listener broke off")??;
    calls.tear_down()?;
    all_went(sip::Outcome { ok: up, begun: count }, count, "prompts")?;
    let floor = relay::floor(count, seconds)?.s_per_call_minute();
    let mut figures = punctuality(&arrivals, &answered, (from, to), count);
    let minutes = count as f64 * (to - from).as_secs_f64() / 60.0;
    figures.push(Figure::beside(
        format!("prompt playback: CPU per call-minute, {count} calls"),
        cpu / minutes,
        "s",
        ("bare epoll relay", floor),
        Some(ASTERISK_PLAYS / 3.0),
    ));
    Ok(figures)
}

/// How soon prompts begin after the answer, and how late packets are on their grid of 20 ms, in the
/// middle one of three parts of the time.
fn punctuality(
    arrivals: &[Arrival],
    answered: &HashMap<u16, Instant>,
    (from, to): (Instant, Instant),
    count: usize,
) -> Vec<Figure> {
    let mut first: HashMap<u16, Instant> = HashMap::new();
    let mut grids: HashMap<u16, Vec<(u16, Instant)>> = HashMap::new();
    for &(port, sequence, at) in arrivals {
        first.entry(port).or_insert(at);
        if (from..to).contains(&at) {
            grids.entry(port).or_default().push((sequence, at));
        }
    }
    let mut starts: Vec<f64> = answered
        .iter()
        .filter_map(|(port, at)| Some(first.get(port)?.saturating_duration_since(*at)))
        .map(|delay| delay.as_secs_f64() * 1e3)
        .collect();
    let third = (to - from) / 3;
    let mut late = [const { Vec::new() }; 3];
    for grid in grids.values() {
        let Some(&(base, begin)) = grid.first() else { continue };
        let offset = |&(sequence, at): &(u16, Instant)| {
            at.saturating_duration_since(begin).as_secs_f64() * 1e3
                - f64::from(sequence.wrapping_sub(base)) * 20.0
        };
        // The grid is where the most punctual packet was.
        let best = grid.iter().map(offset).fold(f64::INFINITY, f64::min);
        for packet in grid {
            let part =
                usize::from(packet.1 >= from + third) + usize::from(packet.1 >= from + 2 * third);
            late[part].push(offset(packet) - best);
        }
    }
    // One that ended, or stopped, is not a punctual one.
    let whole = (to - from).as_millis() as usize / 20;
    let heard = grids.values().filter(|grid| grid.len() + 2 >= whole).count();
    let missing = count - starts.len().min(heard);
    starts.sort_by(f64::total_cmp);
    let at = |of: &[f64], share: f64| {
        of.get(((of.len().saturating_sub(1)) as f64 * share) as usize).copied().unwrap_or(f64::NAN)
    };
    let mut latest = late.map(|mut late| {
        late.sort_by(f64::total_cmp);
        at(&late, 0.999)
    });
    latest.sort_by(f64::total_cmp);
    let figure = |what: &str, value, unit, goal| {
        Figure::plain(format!("{what}, {count} calls"), value, unit, Some(goal))
    };
    vec![
        figure("prompts that were not heard whole", missing as f64, "", 0.0),
        figure("prompt begins after the answer, latest", at(&starts, 1.0), "ms", 30.0),
        Figure::plain(
            format!("prompt begins after the answer, p99, {count} calls"),
            at(&starts, 0.99),
            "ms",
            None,
        ),
        figure("prompt packets late on the 20 ms grid, p99.9, middle third", latest[1], "ms", 5.0),
        Figure::plain(
            format!("prompt packets late on the 20 ms grid, p99.9, worst third, {count} calls"),
            latest[2],
            "ms",
            None,
        ),
    ]
}

/// Records what `count` callers say.
pub(crate) fn recording(appliance: &Appliance, count: usize, seconds: u64) -> Outcome<Vec<Figure>> {
    let (signalling, media) = addresses()?;
    let sockets = (UdpSocket::bind(media.0)?, UdpSocket::bind(media.1)?);
    let sides = (&sockets.0, &sockets.1);
    let before = pss_kb(appliance.pid());
    let mut calls = sip::Calls::new(SERVER.parse()?, signalling, media, 8000 + count as u32)?;
    calls.dial("801");
    let up = calls.set_up(count, 100.0)?;
    all_went(sip::Outcome { ok: up.len(), begun: count }, count, "recordings")?;
    for socket in [&sockets.0, &sockets.1] {
        socket.set_nonblocking(true)?;
    }
    let talk = |length, tick| rtp::talk_one_way(sides, &up, Duration::from_secs(length), tick);
    talk(2, 0)?;
    let cpu = cpu_seconds(appliance.pid());
    let heard = talk(seconds, 200)?;
    let cpu = cpu_seconds(appliance.pid()) - cpu;
    let memory = (pss_kb(appliance.pid()) - before) / count as f64;
    calls.tear_down()?;
    drop(sockets);
    let floor = relay::floor(count, seconds)?.s_per_call_minute();
    let minutes = heard.sent as f64 / 50.0 / 60.0;
    Ok(vec![
        Figure::beside(
            format!("recording: CPU per call-minute, {count} calls"),
            cpu / minutes,
            "s",
            ("bare epoll relay", floor),
            Some(ASTERISK_RECORDS / 2.0),
        ),
        Figure::plain(format!("memory per recorded call, {count} calls"), memory, "kB", None),
    ])
}
