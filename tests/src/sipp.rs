//! Debian's sipp as a trunk or a misbehaving phone: runs a scenario and tells how it went.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::killed::Killed;
use crate::net::eventually;
use crate::scenario::Scenario;

/// A running sipp. Dropping it kills it.
#[derive(Debug)]
pub struct Sipp {
    child: Killed,
    folder: TempDir,
}

impl Sipp {
    /// Starts `scenario` (XML text) on `local`, towards `remote`, for one call unless `extra` says
    /// otherwise (`-m 10`, `-s 700`, `-key x y`, …). It can be called then.
    pub fn start(
        scenario: &str,
        local: (impl Into<IpAddr>, u16),
        remote: SocketAddr,
        extra: &[&str],
    ) -> Self {
        let local = SocketAddr::from((local.0.into(), local.1));
        let (ip, port) = (local.ip().to_string(), local.port().to_string());
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("scenario.xml"), scenario).expect("file");
        let log = fs::File::create(folder.path().join("log")).expect("file");
        let mut command = Command::new("sipp");
        command
            .arg(remote.to_string())
            .args(["-sf", "scenario.xml", "-nostdin", "-timeout", "180s", "-timeout_error"])
            .args([
                "-trace_err",
                "-error_file",
                "errors",
                "-trace_msg",
                "-message_file",
                "messages",
            ])
            .args(["-i", &ip, "-p", &port, "-mi", &ip]);
        if !extra.contains(&"-m") {
            command.args(["-m", "1"]);
        }
        let child = command
            .args(extra)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("log"))
            .stderr(log)
            .spawn()
            .expect("sipp is installed (make test does it)");
        let mut this = Self { child: child.into(), folder };
        eventually("sipp has its port, or is at its end", || {
            let ended = matches!(this.child.try_wait(), Ok(Some(_)));
            (ended || is_taken(local)).then_some(())
        });
        this
    }

    /// Waits for the end of the scenario and fails unless every call went as written.
    pub fn finish(mut self) -> String {
        let status = self.child.wait().expect("sipp ends");
        let messages = self.messages();
        assert!(status.success(), "sipp: {status}\n{}\n{messages}", self.file("errors"));
        messages
    }

    /// Waits for the end of the scenario; gives back the messages that came, each whole.
    pub fn received(self) -> Vec<String> {
        received(&self.finish())
    }

    /// Registers `user` from `local`, where it can then be called, and ends.
    pub fn register(
        local: (impl Into<IpAddr>, u16),
        remote: SocketAddr,
        user: &str,
        password: &str,
    ) {
        let scenario = Scenario::new(user, user).register(password);
        Self::start(&scenario.xml(), local, remote, &[]).finish();
    }

    /// Waits until a message that holds this text was sent or received.
    pub fn wait_for(&self, text: &str) {
        eventually(text, || self.messages().contains(text).then_some(()));
    }

    /// The messages sent and received so far.
    pub fn messages(&self) -> String {
        self.file("messages")
    }

    fn file(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
    }
}

/// Whether any socket has this address: it is in the kernel's lists.
fn is_taken(address: SocketAddr) -> bool {
    // In words of 32 bits, each in the order of this machine.
    let words: String = match address.ip() {
        IpAddr::V4(ip) => format!("{:08X}", u32::from_ne_bytes(ip.octets())),
        IpAddr::V6(ip) => {
            let words = ip.octets();
            let words = words.chunks_exact(4).map(|w| [w[0], w[1], w[2], w[3]]);
            words.map(|word| format!("{:08X}", u32::from_ne_bytes(word))).collect()
        }
    };
    let place = format!("{words}:{:04X}", address.port());
    ["udp", "tcp", "udp6", "tcp6"].iter().any(|kind| {
        let list = fs::read_to_string(format!("/proc/net/{kind}")).unwrap_or_default();
        // Its number, and its own address.
        list.lines().any(|line| line.split_whitespace().nth(1) == Some(&place))
    })
}

/// The received ones of sipp's message log.
pub fn received(log: &str) -> Vec<String> {
    log.split("-----------------------------------------------")
        .filter_map(|part| part.split_once("message received").map(|(_, rest)| rest))
        .filter_map(|rest| rest.split_once("\n\n").map(|(_, message)| message.to_owned()))
        .collect()
}

/// The first of these messages whose start line begins with `start`.
pub fn first<'a>(messages: &'a [String], start: &str) -> &'a str {
    let found = messages.iter().find(|m| m.starts_with(start));
    found.unwrap_or_else(|| panic!("no {start} among {messages:#?}"))
}

/// The value of a header of a message.
pub fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

impl Drop for Sipp {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- sipp ----\n{}\n{}", self.file("errors"), self.messages());
        }
    }
}
