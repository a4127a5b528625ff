//! What callers hear who are played a prompt, and what playing and recording cost.

use std::collections::HashMap;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use super::appliance::{Appliance, addresses, all_went};
use super::figures::Figure;
use super::paced::Paced;
use super::process::{cpu_seconds, pss_kb};
use super::punctual::{Listener, Turn, middle_and_worst, share_of};
use super::{Outcome, SERVER, host, relay, rtp, say, sip};

/// CPU seconds a call-minute of Asterisk by the floor's, both of one run on one machine
/// (`facts/bench.md`): what carries over is the ratio. Playback may cost a third of it, recording half.
const ASTERISK_PLAYS: f64 = 0.103 / 0.020;
const ASTERISK_RECORDS: f64 = 0.021 / 0.020;

/// Turns of each, alternating.
const TURNS: usize = 3;
/// Which of all packets are looked at.
const SHARES: [(&str, f64); 4] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("latest", 1.0)];
/// Until a turn has found its way.
const SETTLE: Duration = Duration::from_millis(300);

/// Plays to `count` callers.
pub(crate) fn playback(appliance: &Appliance, count: usize, seconds: u64) -> Outcome<Vec<Figure>> {
    let (signalling, media) = addresses()?;
    // Both have as many turns.
    let longest = 2 * (seconds as usize + TURNS) * host::most_attempts();
    let room = count * (longest + count / 50 + 5) * 50;
    let listener = Listener::start(UdpSocket::bind(media.0)?, room)?;
    let mut calls = sip::Calls::new(SERVER.parse()?, signalling, media, 5000 + count as u32)?;
    calls.dial("700");
    let up = calls.set_up(count, 100.0)?.len();
    std::thread::sleep(Duration::from_secs(1));
    let seen = beside_the_bare(appliance, &listener, Duration::from_secs(seconds))?;
    let answered = calls.answered();
    let firsts = listener.firsts()?;
    calls.tear_down()?;
    all_went(sip::Outcome { ok: up, begun: count }, count, "prompts")?;
    let floor = relay::floor(count, seconds)?.s_per_call_minute();
    let mut figures = beginnings(&firsts, &answered, &seen, count);
    figures.extend(punctuality(&seen, count));
    let minutes = count as f64 * seen.length.as_secs_f64() / 60.0;
    figures.push(Figure::beside(
        format!("prompt playback: CPU per call-minute, {count} calls"),
        seen.cpu / minutes,
        "s",
        ("bare epoll relay", floor),
        Some(ASTERISK_PLAYS / 3.0),
    ));
    Ok(figures)
}

/// What was heard of the appliance and of the bare sender, turn by turn.
#[derive(Default)]
struct Seen {
    ours: Vec<Turn>,
    bare: Vec<Turn>,
    /// CPU seconds of the appliance in its turns, and how long those were.
    cpu: f64,
    length: Duration,
    /// What the host took of the machine in the turns of each, and from begin to end.
    taken: (Duration, Duration),
    taken_in_all: Duration,
}

/// Listens to the appliance and to the bare sender in turn: that one has as many streams, due at the
/// same times of the 20 ms, and the appliance's core, while the appliance stands still.
fn beside_the_bare(appliance: &Appliance, listener: &Listener, length: Duration) -> Outcome<Seen> {
    let (mut seen, begin) = (Seen::default(), host::stolen());
    let length = length / TURNS as u32;
    let listen = || {
        std::thread::sleep(SETTLE);
        let (from, cpu) = (Instant::now(), cpu_seconds(appliance.pid()));
        std::thread::sleep(length);
        let (to, cpu) = (Instant::now(), cpu_seconds(appliance.pid()) - cpu);
        (Turn::of(&listener.between(from, to), from, to), to - from, cpu)
    };
    for n in 1..=TURNS {
        let (taken, (turn, length, cpu)) = host::least_disturbed(|| Ok(listen()))?;
        let phases = turn.phases.clone();
        seen.ours.push(turn);
        seen.taken.0 += taken;
        seen.length += length;
        seen.cpu += cpu;
        let paused = appliance.pause()?;
        let bare = Paced::start(&phases)?;
        let (taken, (turn, ..)) = host::least_disturbed(|| Ok(listen()))?;
        drop((bare, paused));
        seen.bare.push(turn);
        seen.taken.1 += taken;
        say(&format!("turn {n}, ms late: {}; bare: {}", told(&seen.ours), told(&seen.bare)));
    }
    seen.taken_in_all = host::stolen().saturating_sub(begin);
    Ok(seen)
}

/// What the last turn showed, in a word.
fn told(turns: &[Turn]) -> String {
    let Some(turn) = turns.last() else { return String::new() };
    SHARES.map(|(name, share)| format!("{name} {:.2}", turn.late(share))).join(", ")
}

/// How soon prompts begin after the answer, and whether they go on.
fn beginnings(
    firsts: &HashMap<u16, Instant>,
    answered: &HashMap<u16, Instant>,
    seen: &Seen,
    count: usize,
) -> Vec<Figure> {
    let mut starts: Vec<f64> = answered
        .iter()
        .filter_map(|(port, at)| Some(firsts.get(port)?.saturating_duration_since(*at)))
        .map(|delay| delay.as_secs_f64() * 1e3)
        .collect();
    starts.sort_by(f64::total_cmp);
    let heard = seen.ours.iter().map(|turn| turn.whole).min().unwrap_or(0);
    let missing = count - starts.len().min(heard).min(count);
    let figure = |what: &str, value, unit, goal| {
        Figure::plain(format!("{what}, {count} calls"), value, unit, goal)
    };
    vec![
        figure("prompts that were not heard whole", missing as f64, "", Some(0.0)),
        figure("prompt begins after the answer, latest", share_of(&starts, 1.0), "ms", Some(30.0)),
        figure("prompt begins after the answer, p99", share_of(&starts, 0.99), "ms", None),
    ]
}

/// How late packets are on their grid of 20 ms, beside those of the bare sender: where that one's are
/// late the machine is.
fn punctuality(seen: &Seen, count: usize) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (name, share) in SHARES {
        let (ours, bare) =
            (middle_and_worst(&seen.ours, share), middle_and_worst(&seen.bare, share));
        let name = format!("prompt packets late on the 20 ms grid, {name}");
        let middle = format!("{name}, middle turn, {count} calls");
        let baseline = ("bare paced sender", bare.0);
        figures.push(match share {
            0.999 => Figure::within(middle, ours.0, "ms", baseline, 5.0),
            _ => Figure::beside(middle, ours.0, "ms", baseline, None),
        });
        if share >= 0.999 {
            let worst = format!("{name}, worst turn, {count} calls");
            figures.push(Figure::beside(worst, ours.1, "ms", ("bare paced sender", bare.1), None));
        }
    }
    for (what, taken) in [
        ("in the appliance's turns", seen.taken.0),
        ("in the bare sender's turns", seen.taken.1),
        ("from the first turn to the last", seen.taken_in_all),
    ] {
        let name = format!("taken by the host (steal) {what}, {count} calls");
        figures.push(Figure::plain(name, taken.as_secs_f64() * 1e3, "ms", None));
    }
    figures
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
