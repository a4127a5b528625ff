//! The appliance as a process, on a CPU of its own.

use std::io::BufRead as _;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{CALLEE, CALLEE_MEDIA, CALLER, CALLER_MEDIA, Outcome, SERVER};
use crate::killed::Killed;
use crate::sip;

/// A running appliance with the bench's configuration, on CPU 0.
pub(crate) struct Appliance(Killed);

impl Appliance {
    pub(crate) fn start(
        offhook: &Path,
        folder: &Path,
        users: usize,
        codecs: &str,
    ) -> Outcome<Self> {
        Self::start_with(offhook, folder, users, codecs, "")
    }

    /// The same with more in its configuration.
    pub(crate) fn start_with(
        offhook: &Path,
        folder: &Path,
        users: usize,
        codecs: &str,
        more: &str,
    ) -> Outcome<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("offhook/start.sh");
        let environment = |c: &mut Command| {
            c.env("RUN", folder)
                .env("NUSERS", users.to_string())
                .env("OFFHOOK", offhook)
                .env("CODECS", codecs)
                .env("MORE", more)
                .env("PROMPT", folder.join("prompt.wav"));
        };
        let mut prepare = Command::new(&script);
        environment(&mut prepare);
        if !prepare.arg("prepare").status()?.success() {
            return Err("start.sh prepare failed".into());
        }
        let log = std::fs::File::create(folder.join("log"))?;
        Self::launch(offhook, folder, log.try_clone()?.into(), log.into())
    }

    /// Starts with the configuration that is there.
    pub(crate) fn again(offhook: &Path, folder: &Path) -> Outcome<Self> {
        Self::launch(offhook, folder, Stdio::null(), Stdio::null())
    }

    fn launch(offhook: &Path, folder: &Path, out: Stdio, err: Stdio) -> Outcome<Self> {
        let child = Command::new("taskset")
            .args(["-c", "0"])
            .arg(offhook)
            .args(["serve", "--config"])
            .arg(folder.join("offhook.toml"))
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()?;
        let mut appliance = Self(child.into());
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

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Stops all of its threads where they are, until what is given back is dropped: something else
    /// has its core meanwhile.
    pub(crate) fn pause(&self) -> Outcome<Paused<'_>> {
        self.signal(Signal::STOP)?;
        Ok(Paused(self))
    }

    fn signal(&self, signal: Signal) -> rustix::io::Result<()> {
        kill_process(Pid::from_child(&self.0), signal)
    }
}

/// An appliance that stands still.
pub(crate) struct Paused<'a>(&'a Appliance);

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        let _ = self.0.signal(Signal::CONT);
    }
}

/// This program with other arguments, as a process on the appliance's CPU, and the first line it says.
pub(crate) fn beside(args: &[&str]) -> Outcome<(Killed, String)> {
    let mut child: Killed = Command::new("taskset")
        .args(["-c", "0"])
        .arg(std::env::current_exe()?)
        .args(args)
        .stdout(Stdio::piped())
        .spawn()?
        .into();
    let mut line = String::new();
    std::io::BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    Ok((child, line))
}

/// Refuses figures of a load that did not go as it must.
pub(crate) fn all_went(outcome: sip::Outcome, wanted: usize, what: &str) -> Outcome<()> {
    if outcome.ok < wanted {
        return Err(format!("only {} of {wanted} {what} went as they must", outcome.ok).into());
    }
    Ok(())
}

/// Where the load signals from and answers, and where its media is.
pub(crate) fn addresses() -> Outcome<((SocketAddr, SocketAddr), (SocketAddr, SocketAddr))> {
    Ok(((CALLER.parse()?, CALLEE.parse()?), (CALLER_MEDIA.parse()?, CALLEE_MEDIA.parse()?)))
}

/// Keeps a process on one CPU, where the machine has two.
pub(crate) fn pin(pid: u32, cpu: usize) {
    let _ = Command::new("taskset")
        .args(["-a", "-c", "-p", &cpu.to_string(), &pid.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// The same for one thread of this process, which may have been started just now: a thread has its name
/// only when it runs.
pub(crate) fn pin_thread(name: &str, cpu: usize) -> Outcome<()> {
    let until = Instant::now() + Duration::from_secs(5);
    let task = loop {
        match crate::process::thread(name) {
            Some(task) => break task,
            None if Instant::now() < until => std::thread::sleep(Duration::from_millis(1)),
            None => return Err(format!("no thread {name}").into()),
        }
    };
    let _ = Command::new("taskset")
        .args(["-c", "-p", &cpu.to_string(), &task.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    Ok(())
}
