//! Calls that the kernel relays, in network namespaces of our own: caller, box, callee. Everything runs on
//! one CPU and all of its time counts, also what the kernel spends between two processes.

use std::net::{IpAddr, UdpSocket};
use std::os::fd::AsFd as _;
use std::process::Command;
use std::time::{Duration, Instant};

use offhook_media::codec::Codec;
use offhook_media::engine::{
    Engine, EngineConfig, KernelRelay, MediaPort, StreamConfig, TelephoneEvent,
};
use offhook_media::rtp::Header;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use rustix::time::{ClockId, clock_gettime};

use super::figures::Figure;
use super::{Outcome, say};

const CALLS: u16 = 100;
const NAMES: [&str; 3] = ["oh-bench-a", "oh-bench-box", "oh-bench-b"];
/// How long the kernel may take to get all calls.
const PATIENCE: Duration = Duration::from_secs(15);

fn ip(args: &[&str]) -> bool {
    Command::new("ip").args(args).output().is_ok_and(|done| done.status.success())
}

/// The namespaces, gone with this.
struct Net;

impl Net {
    fn up() -> Option<Self> {
        drop(Self);
        let net = Self;
        let [a, middle, b] = NAMES;
        if !NAMES.iter().all(|name| ip(&["netns", "add", name])) {
            return None;
        }
        for (side, host, prefix) in [(a, "eth-a", "10.92.1"), (b, "eth-b", "10.92.2")] {
            let (far, near) = (format!("{prefix}.2/24"), format!("{prefix}.1/24"));
            let link = ["-n", middle, "link", "add", host, "type", "veth", "peer", "name"];
            let done = ip(&[&link[..], &["eth0", "netns", side]].concat())
                && ip(&["-n", side, "addr", "add", &far, "dev", "eth0"])
                && ip(&["-n", middle, "addr", "add", &near, "dev", host])
                && ip(&["-n", side, "link", "set", "eth0", "up"])
                && ip(&["-n", middle, "link", "set", host, "up"]);
            if !done {
                return None;
            }
        }
        Some(net)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in NAMES {
            ip(&["netns", "del", name]);
        }
    }
}

fn enter(name: &str) -> Outcome<()> {
    let file = std::fs::File::open(format!("/run/netns/{name}"))?;
    Ok(move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?)
}

/// One side of a call.
struct Leg {
    socket: UdpSocket,
    port: MediaPort,
    ssrc: u32,
}

struct Load {
    engine: Engine,
    legs: Vec<Leg>,
    sequence: u16,
}

impl Load {
    fn start(kernel_relay: bool) -> Outcome<Self> {
        enter(NAMES[1])?;
        let engine = Engine::start(EngineConfig { kernel_relay, ..EngineConfig::default() })?;
        super::appliance::pin_thread("media-0", 1)?;
        let mut legs = Vec::new();
        for n in 0..CALLS {
            for (side, prefix) in [(NAMES[0], "10.92.1"), (NAMES[2], "10.92.2")] {
                enter(side)?;
                let socket = UdpSocket::bind((format!("{prefix}.2").as_str(), 20_000 + n))?;
                socket.set_read_timeout(Some(Duration::from_millis(200)))?;
                enter(NAMES[1])?;
                let ours: IpAddr = format!("{prefix}.1").parse()?;
                let port = engine.open(ours, tokio::sync::mpsc::channel(8).0)?;
                let mut stream = StreamConfig::new(socket.local_addr()?, Codec::Pcmu);
                // Without it keys are looked for in the audio.
                let events = TelephoneEvent { send_pt: 101, recv_pt: 101, clock: 8000 };
                stream.telephone_event = Some(events);
                port.set_stream(stream);
                socket.connect(port.rtp_addr())?;
                legs.push(Leg { socket, port, ssrc: 1 + legs.len() as u32 });
            }
        }
        for pair in legs.chunks_exact(2) {
            engine.bridge(&pair[0].port, &pair[1].port);
        }
        Ok(Self { engine, legs, sequence: 0 })
    }

    /// One packet of each leg, heard on the other side of its call. Gives how many were.
    fn round(&mut self) -> u64 {
        self.sequence = self.sequence.wrapping_add(1);
        let mut heard = 0;
        // Two calls at a time: as many as come at once in a busy office.
        for legs in self.legs.chunks(4) {
            for leg in legs {
                let mut packet = [0; 172];
                let header = Header {
                    marker: false,
                    payload_type: 0,
                    sequence: self.sequence,
                    timestamp: u32::from(self.sequence) * 160,
                    ssrc: leg.ssrc,
                };
                packet[..12].copy_from_slice(&header.to_bytes());
                let _ = leg.socket.send(&packet);
            }
            for leg in legs {
                heard += u64::from(leg.socket.recv(&mut [0; 400]).is_ok());
            }
        }
        heard
    }

    /// CPU microseconds of everything for a packet. Rounds are as fast as a leg takes them.
    fn cost(&mut self, rounds: u64) -> Outcome<f64> {
        let begin = Instant::now();
        let all = KernelRelay::On { paths: self.legs.len() };
        while self.engine.kernel_relay() != all {
            match self.engine.kernel_relay() {
                KernelRelay::Refused { why } => return Err(why.into()),
                KernelRelay::Off if begin.elapsed() > Duration::from_secs(3) => break,
                _ if begin.elapsed() > PATIENCE => return Err("the kernel takes no calls".into()),
                _ => self.round(),
            };
        }
        let (before, mut heard) = (process_cpu(), 0);
        for _ in 0..rounds {
            heard += self.round();
        }
        let cost = (process_cpu() - before) * 1e6 / heard as f64;
        let sent = rounds * self.legs.len() as u64;
        let lost = sent - heard;
        if lost * 1000 > sent {
            Err(format!("{lost} packets of {sent} lost").into())
        } else {
            Ok(cost)
        }
    }
}

fn process_cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// In a thread of its own, which goes from namespace to namespace.
fn measured(kernel_relay: bool, rounds: u64) -> Outcome<f64> {
    let work = move || {
        let measured = Load::start(kernel_relay).and_then(|mut load| {
            let cost = load.cost(rounds);
            load.engine.shutdown();
            cost
        });
        measured.map_err(|error| error.to_string())
    };
    Ok(std::thread::spawn(work).join().map_err(|_| "the load broke off")??)
}

/// The kernel's relay beside the media thread, both with what sends and what receives.
pub(crate) fn relay(seconds: u64) -> Outcome<Vec<Figure>> {
    let Some(_net) = Net::up() else {
        say("relay in the kernel: not measured, network namespaces need root and iproute2");
        return Ok(Vec::new());
    };
    let rounds = seconds * 100;
    let userspace = measured(false, rounds)?;
    match measured(true, rounds) {
        Ok(kernel) => Ok(vec![Figure::beside(
            "kernel_relay: CPU of a packet from send to receive",
            kernel,
            "us",
            ("the media thread", userspace),
            Some(1.0),
        )]),
        Err(why) => {
            say(&format!("relay in the kernel: not measured: {why}"));
            Ok(Vec::new())
        }
    }
}
