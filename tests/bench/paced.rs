//! What the machine can do beside which prompts are judged: the simplest possible paced sender.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use rustix::thread::clock_nanosleep_absolute;
use rustix::time::{ClockId, Timespec, clock_gettime};

use super::Outcome;
use super::appliance::beside;
use super::process;
use crate::killed::Killed;

/// Time between two packets of a stream.
const GRID: Duration = Duration::from_millis(20);
/// How often the sender looks at the clock, as often as a media thread does.
const SLOT: Duration = Duration::from_millis(1);

/// The sender as a process on the appliance's CPU.
/// Held for what its end does.
pub(crate) struct Paced(#[allow(dead_code)] Killed);

impl Paced {
    /// Sends a stream for each of these times of the grid, microseconds.
    pub(crate) fn start(phases: &[u64]) -> Outcome<Self> {
        let phases: Vec<String> = phases.iter().map(u64::to_string).collect();
        Ok(Self(beside(&["--paced", &phases.join(",")])?.0))
    }
}

/// Sends what is due in each slot, from a socket for each stream, and nothing else. Runs in a process of
/// its own until it is killed; says first that it is there.
pub(crate) fn send(phases: &str, to: SocketAddr) -> Outcome<()> {
    super::open_files();
    let mut phases: Vec<u64> = phases.split(',').map(str::parse).collect::<Result<_, _>>()?;
    phases.sort_unstable();
    let sockets: Vec<UdpSocket> =
        phases.iter().map(|_| UdpSocket::bind(("127.0.0.1", 0))).collect::<io::Result<_>>()?;
    super::say("ready");
    process::go_first();
    let streams: Vec<(Duration, UdpSocket)> =
        phases.into_iter().map(Duration::from_micros).zip(sockets).collect();
    let mut packet = [0u8; 172];
    packet[0] = 0x80;
    let begin = now();
    let (mut tick, mut next, mut slot) = (0u32, 0, 0u32);
    loop {
        sleep_until(begin + SLOT * slot)?;
        slot += 1;
        let passed = now().saturating_sub(begin);
        while let Some((phase, socket)) = streams.get(next)
            && GRID * tick + *phase <= passed
        {
            packet[2..4].copy_from_slice(&(tick as u16).to_be_bytes());
            let _ = socket.send_to(&packet, to);
            next += 1;
            if next == streams.len() {
                (next, tick) = (0, tick + 1);
            }
        }
    }
}

/// The machine's steady clock.
fn now() -> Duration {
    let at = clock_gettime(ClockId::Monotonic);
    Duration::new(at.tv_sec.unsigned_abs(), u32::try_from(at.tv_nsec).unwrap_or(0))
}

fn sleep_until(at: Duration) -> io::Result<()> {
    let until = Timespec {
        tv_sec: i64::try_from(at.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: at.subsec_nanos().into(),
    };
    match clock_nanosleep_absolute(ClockId::Monotonic, &until) {
        Ok(()) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
