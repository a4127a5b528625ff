//! `make bench`: what the appliance costs, each figure beside a baseline measured in the same run.
//!
//! `bench --offhook PROGRAM --out FILE [--quick]`. The appliance runs on CPU 0, the load on CPU 1.
//! Everything stays on 127.0.0.0/8 and ends by itself. `tests/bench/run.py` adds the peers'
//! figures of the shared bench where it is at hand.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]

mod figures;
mod process;
mod rtp;
mod sip;

use std::error::Error;
use std::io::{BufRead as _, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use figures::Figure;
use process::{cpu_seconds, pss_kb};

type Outcome<T> = Result<T, Box<dyn Error>>;

const SERVER: &str = "127.0.0.1:5060";
const CALLER: &str = "127.0.0.2:5070";
const CALLEE: &str = "127.0.0.3:5090";
const PHONES: &str = "127.0.0.4:5080";
const CALLER_MEDIA: &str = "127.0.0.2:30000";
const CALLEE_MEDIA: &str = "127.0.0.3:30000";

/// How much of everything.
struct Size {
    users: usize,
    calls: usize,
    idle_calls: usize,
    relays: &'static [usize],
    seconds: u64,
    starts: usize,
}

const FULL: Size =
    Size { users: 1000, calls: 250, idle_calls: 500, relays: &[100, 200], seconds: 10, starts: 5 };
const QUICK: Size =
    Size { users: 200, calls: 50, idle_calls: 50, relays: &[20], seconds: 2, starts: 1 };

/// Prints a line at once, also into a pipe.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| args.iter().position(|a| a == name).and_then(|at| args.get(at + 1));
    if let Some(calls) = value("--floor") {
        return Ok(rtp::floor(calls.parse()?, CALLER_MEDIA.parse()?, CALLEE_MEDIA.parse()?)?);
    }
    let offhook = value("--offhook").ok_or("say --offhook PROGRAM")?;
    let out = value("--out").map_or_else(|| PathBuf::from("figures.json"), PathBuf::from);
    let size = if args.iter().any(|a| a == "--quick") { QUICK } else { FULL };
    pin(std::process::id(), 1);
    let figures = measure(Path::new(offhook), &size)?;
    print!("{}", figures::table(&figures));
    figures::write(&out, &figures)?;
    say(&format!("written to {}", out.display()));
    Ok(())
}

fn measure(offhook: &Path, size: &Size) -> Outcome<Vec<Figure>> {
    let folder = std::env::temp_dir().join(format!("offhook-bench-{}", std::process::id()));
    let mut figures = vec![start_up(offhook, &folder, size)?];
    let appliance = Appliance::start(offhook, &folder, size.users)?;
    std::thread::sleep(Duration::from_secs(1));
    figures.push(Figure::plain("memory idle (PSS)", pss_kb(appliance.pid()) / 1024.0, "MiB", None));
    figures.extend(registrations(&appliance, size)?);
    figures.extend(call_setup(&appliance, size)?);
    figures.push(call_memory(&appliance, size)?);
    for calls in size.relays {
        figures.extend(relay(&appliance, *calls, size.seconds)?);
    }
    drop(appliance);
    std::fs::remove_dir_all(&folder)?;
    Ok(figures)
}

/// A running appliance with the bench's configuration, on CPU 0.
struct Appliance(Child);

impl Appliance {
    fn start(offhook: &Path, folder: &Path, users: usize) -> Outcome<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("offhook/start.sh");
        let environment = |c: &mut Command| {
            c.env("RUN", folder)
                .env("NUSERS", users.to_string())
                .env("OFFHOOK", offhook)
                .env("PROMPT", folder.join("greeting.wav"));
        };
        let mut prepare = Command::new(&script);
        environment(&mut prepare);
        if !prepare.arg("prepare").status()?.success() {
            return Err("start.sh prepare failed".into());
        }
        let log = std::fs::File::create(folder.join("log"))?;
        let child = Command::new("taskset")
            .args(["-c", "0"])
            .arg(offhook)
            .args(["serve", "--config"])
            .arg(folder.join("offhook.toml"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut appliance = Self(child);
        appliance.until_it_answers()?;
        Ok(appliance)
    }

    fn until_it_answers(&mut self) -> Outcome<()> {
        let socket = UdpSocket::bind("127.0.0.5:0")?;
        socket.set_read_timeout(Some(Duration::from_millis(2)))?;
        let me = socket.local_addr()?;
        let begin = Instant::now();
        for n in 0.. {
            let request = format!(
                "OPTIONS sip:{SERVER} SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bKo{n};rport\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:probe@{me}>;tag=o\r\nTo: <sip:{SERVER}>\r\n\
                 Call-ID: o{n}@bench\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            );
            // Nobody listens yet: the kernel says so at once, and that is no error here.
            let _ = socket.send_to(request.as_bytes(), SERVER);
            if socket.recv_from(&mut [0; 2048]).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.0.try_wait()? {
                return Err(format!("the appliance ended with {status}").into());
            }
            if begin.elapsed() > Duration::from_secs(20) {
                break;
            }
        }
        Err("the appliance does not answer OPTIONS".into())
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_up(offhook: &Path, folder: &Path, size: &Size) -> Outcome<Figure> {
    let mut times = Vec::new();
    for _ in 0..size.starts {
        // `start` writes the configuration before it launches; a second start measures the same.
        let appliance = Appliance::start(offhook, folder, size.users)?;
        drop(appliance);
        let begin = Instant::now();
        let mut again = Appliance(
            Command::new("taskset")
                .args(["-c", "0"])
                .arg(offhook)
                .args(["serve", "--config"])
                .arg(folder.join("offhook.toml"))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?,
        );
        again.until_it_answers()?;
        times.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    let name = format!("start to first answered OPTIONS, {} phones", size.users);
    Ok(Figure::plain(name, times[times.len() / 2], "ms", Some(150.0)))
}

fn registrations(appliance: &Appliance, size: &Size) -> Outcome<Vec<Figure>> {
    let (cpu, memory) = (cpu_seconds(appliance.pid()), pss_kb(appliance.pid()));
    let outcome = sip::register(SERVER.parse()?, PHONES.parse()?, size.users, 100.0)?;
    all_went(outcome, size.users, "registrations")?;
    std::thread::sleep(Duration::from_secs(1));
    let cpu = (cpu_seconds(appliance.pid()) - cpu) * 1000.0 / outcome.ok as f64;
    let memory = (pss_kb(appliance.pid()) - memory) / outcome.ok as f64;
    Ok(vec![
        Figure::plain("CPU per REGISTER with digest, at 100/s", cpu, "ms", None),
        Figure::plain("memory per registration", memory, "kB", Some(4.0)),
    ])
}

fn all_went(outcome: sip::Outcome, wanted: usize, what: &str) -> Outcome<()> {
    if outcome.ok < wanted {
        return Err(format!("only {} of {wanted} {what} went as they must", outcome.ok).into());
    }
    Ok(())
}

fn addresses() -> Outcome<((SocketAddr, SocketAddr), (SocketAddr, SocketAddr))> {
    Ok(((CALLER.parse()?, CALLEE.parse()?), (CALLER_MEDIA.parse()?, CALLEE_MEDIA.parse()?)))
}

fn call_setup(appliance: &Appliance, size: &Size) -> Outcome<Vec<Figure>> {
    let (signalling, media) = addresses()?;
    let mut figures = Vec::new();
    for (run, rate) in [(1, 25.0), (2, 100.0)] {
        let cpu = cpu_seconds(appliance.pid());
        let mut calls = sip::Calls::new(SERVER.parse()?, signalling, media, run)?;
        calls.run(size.calls, rate, Duration::from_secs(1))?;
        all_went(calls.outcome, size.calls, "calls")?;
        // Timeline and record are written a moment later; they belong to the call.
        std::thread::sleep(Duration::from_secs(2));
        let cpu = (cpu_seconds(appliance.pid()) - cpu) * 1000.0 / size.calls as f64;
        figures.push(Figure::plain(
            format!("CPU per call set up and torn down, at {rate}/s"),
            cpu,
            "ms",
            None,
        ));
    }
    Ok(figures)
}

fn call_memory(appliance: &Appliance, size: &Size) -> Outcome<Figure> {
    let (signalling, media) = addresses()?;
    let before = pss_kb(appliance.pid());
    let mut calls = sip::Calls::new(SERVER.parse()?, signalling, media, 3)?;
    let up = calls.set_up(size.idle_calls, 50.0)?.len();
    std::thread::sleep(Duration::from_millis(500));
    let memory = (pss_kb(appliance.pid()) - before) / up.max(1) as f64;
    calls.tear_down()?;
    all_went(sip::Outcome { ok: up, begun: size.idle_calls }, size.idle_calls, "calls")?;
    Ok(Figure::plain(format!("memory per call, {up} calls"), memory, "kB", Some(80.0)))
}

fn relay(appliance: &Appliance, count: usize, seconds: u64) -> Outcome<Vec<Figure>> {
    let (signalling, media) = addresses()?;
    let sides = (UdpSocket::bind(media.0)?, UdpSocket::bind(media.1)?);
    for socket in [&sides.0, &sides.1] {
        socket.set_nonblocking(true)?;
        rustix::net::sockopt::set_socket_recv_buffer_size(socket, 8 << 20)?;
    }
    let mut calls = sip::Calls::new(SERVER.parse()?, signalling, media, 10 + count as u32)?;
    let up = calls.set_up(count, 50.0)?;
    all_went(sip::Outcome { ok: up.len(), begun: count }, count, "relayed calls")?;
    let ours = talk(&sides, &up, seconds, appliance.pid())?;
    calls.tear_down()?;
    let floor = floor(&sides, count, seconds)?;
    let minutes = count as f64 * seconds as f64 / 60.0;
    Ok(vec![
        Figure::beside(
            format!("CPU per relayed call-minute, {count} calls"),
            ours.0 / minutes,
            "s",
            ("bare epoll relay", floor.0 / minutes),
            None,
        ),
        Figure::beside(
            format!("added latency p50, {count} calls"),
            ours.1.latency_us(50.0),
            "us",
            ("bare epoll relay", floor.1.latency_us(50.0)),
            None,
        ),
        Figure::beside(
            format!("added latency p99, {count} calls"),
            ours.1.latency_us(99.0),
            "us",
            ("bare epoll relay", floor.1.latency_us(99.0)),
            None,
        ),
        Figure::plain(
            format!("packets lost of {} sent, {count} calls", ours.1.sent),
            ours.1.loss_percent(),
            "%",
            Some(0.01),
        ),
    ])
}

/// CPU seconds that `pid` spends while the calls talk, and what was heard.
fn talk(
    sides: &(UdpSocket, UdpSocket),
    calls: &[sip::Media],
    seconds: u64,
    pid: u32,
) -> Outcome<(f64, rtp::Heard)> {
    let sides = (&sides.0, &sides.1);
    rtp::talk(sides, calls, Duration::from_secs(1), 0)?;
    let cpu = cpu_seconds(pid);
    let heard = rtp::talk(sides, calls, Duration::from_secs(seconds), 100)?;
    Ok((cpu_seconds(pid) - cpu, heard))
}

/// The same load through the bare relay, on the same CPU.
fn floor(sides: &(UdpSocket, UdpSocket), calls: usize, seconds: u64) -> Outcome<(f64, rtp::Heard)> {
    let me = std::env::current_exe()?;
    let mut child = Command::new("taskset")
        .args(["-c", "0"])
        .arg(me)
        .args(["--floor", &calls.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    std::io::BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    let ports: Vec<u16> = line.split_whitespace().filter_map(|p| p.parse().ok()).collect();
    let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    let media: Vec<sip::Media> = ports
        .chunks_exact(2)
        .map(|pair| sip::Media { caller: at(pair[0]), callee: at(pair[1]) })
        .collect();
    let outcome = talk(sides, &media, seconds, child.id());
    let _ = child.kill();
    let _ = child.wait();
    outcome
}

/// Keeps a process on one CPU, where the machine has two.
fn pin(pid: u32, cpu: usize) {
    let _ = Command::new("taskset")
        .args(["-a", "-c", "-p", &cpu.to_string(), &pid.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}
