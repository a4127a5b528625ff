//! What a relayed call costs beside the floor, which is the simplest possible epoll relay.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use super::appliance::{Appliance, addresses, all_went, beside};
use super::figures::Figure;
use super::process::{cpu_seconds, pss_kb};
use super::{Outcome, SERVER, host, inbox, rtp, sip};
use crate::killed::Killed;

/// Calls set up in a second.
const RAMP: f64 = 100.0;
/// Turns of each, alternating.
const TURNS: usize = 5;

/// The sockets of both sides of all calls.
pub(crate) struct Sides(pub(crate) UdpSocket, pub(crate) UdpSocket);

impl Sides {
    pub(crate) fn open() -> Outcome<Self> {
        let (_, media) = addresses()?;
        let sides = Self(UdpSocket::bind(media.0)?, UdpSocket::bind(media.1)?);
        for socket in [&sides.0, &sides.1] {
            socket.set_nonblocking(true)?;
            rtp::large_buffer(socket);
            inbox::note_times(socket)?;
        }
        Ok(sides)
    }
}

/// What a load cost, and what was heard.
#[derive(Debug, Default)]
pub(crate) struct Cost {
    pub(crate) cpu: f64,
    /// How long the load talked.
    pub(crate) seconds: f64,
    pub(crate) heard: rtp::Heard,
}

impl Cost {
    pub(crate) fn us_per_packet(&self) -> f64 {
        self.cpu * 1e6 / self.heard.received.max(1) as f64
    }

    /// 50 packets a second each way.
    pub(crate) fn s_per_call_minute(&self) -> f64 {
        self.us_per_packet() * 6000.0 / 1e6
    }

    fn add(&mut self, other: Self) {
        self.cpu += other.cpu;
        self.seconds += other.seconds;
        self.heard.add(other.heard);
    }
}

/// CPU seconds that `pid` spends while the calls talk, and what was heard.
pub(crate) fn talk(
    sides: &Sides,
    calls: &[sip::Media],
    seconds: u64,
    pid: u32,
    tick: &mut u64,
) -> Outcome<Cost> {
    let sockets = (&sides.0, &sides.1);
    // The first second is for latches and caches.
    rtp::talk(sockets, calls, Duration::from_secs(1), *tick)?;
    *tick += 100;
    host::undisturbed(|| {
        let before = cpu_seconds(pid);
        let heard = rtp::talk(sockets, calls, Duration::from_secs(seconds), *tick)?;
        *tick += 100 + seconds * 50;
        Ok(Cost { cpu: cpu_seconds(pid) - before, seconds: seconds as f64, heard })
    })
}

/// The bare relay as a process on the appliance's CPU.
pub(crate) struct Floor {
    child: Killed,
    pub(crate) media: Vec<sip::Media>,
}

impl Floor {
    pub(crate) fn start(calls: usize) -> Outcome<Self> {
        let (child, line) = beside(&["--floor", &calls.to_string()])?;
        let ports: Vec<u16> = line.split_whitespace().filter_map(|p| p.parse().ok()).collect();
        let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let pairs = ports.chunks_exact(2);
        let media = pairs
            .map(|pair| sip::Media {
                caller: at(pair[0]),
                callee: at(pair[1]),
                callee_payload_type: 0,
            })
            .collect();
        Ok(Self { child, media })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

/// The same load through both, turn by turn, each of a third of `seconds`, so that what disturbs one
/// disturbs the other.
pub(crate) fn beside_the_floor(
    sides: &Sides,
    calls: &[sip::Media],
    seconds: u64,
    pid: u32,
    tick: &mut u64,
) -> Outcome<(Cost, Cost)> {
    let floor = Floor::start(calls.len())?;
    let (mut ours, mut bare) = (Cost::default(), Cost::default());
    let turn = seconds.div_ceil(3);
    for _ in 0..TURNS {
        ours.add(talk(sides, calls, turn, pid, tick)?);
        bare.add(talk(sides, &floor.media, turn, floor.pid(), tick)?);
    }
    Ok((ours, bare))
}

/// The same of calls whose sides know no telephone events: their audio is listened to.
pub(crate) fn listened_to(appliance: &Appliance, count: usize, seconds: u64) -> Outcome<Figure> {
    let (signalling, media) = addresses()?;
    let sides = Sides::open()?;
    let mut calls = sip::Calls::new(SERVER.parse()?, signalling, media, 3000)?;
    calls.without_events();
    let up = calls.set_up(count, RAMP)?;
    all_went(sip::Outcome { ok: up.len(), begun: count }, count, "relayed calls")?;
    let (ours, floor) = beside_the_floor(&sides, &up, seconds, appliance.pid(), &mut 0)?;
    calls.tear_down()?;
    let name = format!("CPU per relayed packet, listening for tones of keys, {count} calls");
    let baseline = ("bare epoll relay", floor.us_per_packet());
    Ok(Figure::beside(name, ours.us_per_packet(), "us", baseline, None))
}

/// The same load sent from side to side with nothing between: what of a latency is the load's.
pub(crate) fn direct(sides: &Sides, count: usize) -> Outcome<rtp::Heard> {
    let (_, media) = addresses()?;
    let pair = sip::Media { caller: media.1, callee: media.0, callee_payload_type: 0 };
    let calls: Vec<_> = std::iter::repeat_n(pair, count).collect();
    let mut heard = rtp::Heard::default();
    for _ in 0..TURNS {
        heard.add(host::undisturbed(|| {
            Ok(rtp::talk((&sides.0, &sides.1), &calls, Duration::from_secs(1), 0)?)
        })?);
    }
    Ok(heard)
}

/// What the floor costs alone.
pub(crate) fn floor(count: usize, seconds: u64) -> Outcome<Cost> {
    let (sides, floor) = (Sides::open()?, Floor::start(count)?);
    talk(&sides, &floor.media, seconds.div_ceil(2), floor.pid(), &mut 0)
}

/// Figures of `count` relayed calls.
pub(crate) fn relay(appliance: &Appliance, count: usize, seconds: u64) -> Outcome<Vec<Figure>> {
    let (signalling, media) = addresses()?;
    let sides = Sides::open()?;
    let before = pss_kb(appliance.pid());
    let mut calls = sip::Calls::new(SERVER.parse()?, signalling, media, 10 + count as u32)?;
    let up = calls.set_up(count, RAMP)?;
    all_went(sip::Outcome { ok: up.len(), begun: count }, count, "relayed calls")?;
    let (ours, floor) = beside_the_floor(&sides, &up, seconds, appliance.pid(), &mut 0)?;
    let memory = (pss_kb(appliance.pid()) - before) / count as f64;
    calls.tear_down()?;
    let figure = |what: &str, value: f64, unit, bare: f64, goal| {
        let baseline = ("bare epoll relay", bare);
        Figure::beside(format!("{what}, {count} calls"), value, unit, baseline, goal)
    };
    let per_packet = (ours.us_per_packet(), floor.us_per_packet());
    let per_minute = (ours.s_per_call_minute(), floor.s_per_call_minute());
    let us = |cost: &Cost, percent| cost.heard.latency_us(percent);
    let worst = |cost: &Cost| cost.heard.worst_latency_us(99.0);
    let plain = |what: String, value, unit, goal| Figure::plain(what, value, unit, Some(goal));
    let direct = direct(&sides, count)?;
    let mut figures = vec![
        figure("CPU per relayed packet", per_packet.0, "us", per_packet.1, Some(1.15)),
        figure("CPU per relayed call-minute", per_minute.0, "s", per_minute.1, None),
        figure("latency p50, middle turn", us(&ours, 50.0), "us", us(&floor, 50.0), None),
        figure("latency p99, middle turn", us(&ours, 99.0), "us", us(&floor, 99.0), None),
        figure("latency p99, worst turn", worst(&ours), "us", worst(&floor), None),
    ];
    // A load with nothing between: its own share, which is in all of the above.
    for (name, percent) in [("p50", 50.0), ("p99", 99.0)] {
        let name = format!("latency {name} of the same packets sent directly, {count} calls");
        figures.push(Figure::plain(name, direct.latency_us(percent), "us", None));
    }
    if count >= 1000 {
        for (name, percent, goal) in [("p50", 50.0, 50.0), ("p99", 99.0, 300.0)] {
            let added = us(&ours, percent) - direct.latency_us(percent);
            figures.push(plain(
                format!("added latency {name}, middle turn, {count} calls"),
                added,
                "us",
                goal,
            ));
        }
    }
    let lost = format!("packets lost of {} sent, {count} calls", ours.heard.sent);
    figures.push(plain(lost, ours.heard.loss_percent(), "%", 0.01));
    figures.push(plain(format!("memory per relayed call, {count} calls"), memory, "kB", 60.0));
    Ok(figures)
}
