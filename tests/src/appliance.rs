//! The real daemon as a child process, on a folder and an address of its own.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::killed::Killed;
use crate::net::{Net, PATIENCE, eventually};

/// Runs `offhook ARGS`, without a configuration.
pub fn alone(args: &[&str], input: &str) -> Output {
    run(Command::new(program()).args(args), input)
}

fn run(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command line runs");
    let _ = child.stdin.take().expect("input").write_all(input.as_bytes());
    child.wait_with_output().expect("output")
}

/// Path of the `offhook` program, built once when it is not there or not fresh.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(given) = std::env::var_os("OFFHOOK_BIN") {
            return given.into();
        }
        // target/debug/deps/TEST-HASH -> target/debug/offhook
        let me = std::env::current_exe().expect("own path");
        let folder = me.ancestors().nth(2).expect("target folder").to_path_buf();
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "-p", "offhook", "--target-dir"])
            .arg(folder.parent().expect("target folder"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo runs");
        assert!(status.success(), "the daemon does not build");
        folder.join("offhook")
    })
}

/// A running appliance. Dropping it kills it.
#[derive(Debug)]
pub struct Appliance {
    /// Its loopback addresses.
    pub net: Net,
    folder: TempDir,
    child: Option<Killed>,
}

impl Appliance {
    /// Starts with the `[server]`, `[[listen]]` (UDP and TCP on port 5060) and `[http]` sections
    /// that a test needs, followed by `rest` of the configuration.
    pub fn start(rest: &str) -> Self {
        Self::start_on(Net::new(), rest)
    }

    /// The same on given addresses, when the configuration has to name them.
    pub fn start_on(net: Net, rest: &str) -> Self {
        let mut appliance = Self::prepare(net, rest);
        appliance.launch();
        appliance
    }

    /// Writes the configuration and starts nothing yet: for tests that add phones first.
    pub fn prepare(net: Net, rest: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ip = net.appliance();
        let config = format!(
            "[server]\ndata_dir = {data:?}\ndrain_seconds = 3\n\
             [http]\naddress = \"{ip}:9480\"\n\
             [[listen]]\ntransport = \"udp\"\naddress = \"{ip}:5060\"\n\
             [[listen]]\ntransport = \"tcp\"\naddress = \"{ip}:5060\"\n{rest}",
            data = folder.path().join("data")
        );
        fs::write(folder.path().join("offhook.toml"), config).expect("configuration");
        Self { net, folder, child: None }
    }

    /// Starts the daemon and waits until it is ready and answers OPTIONS.
    pub fn launch(&mut self) {
        self.launch_with(&[]);
    }

    /// The same with environment variables of the test's own (`RUST_LOG`).
    pub fn launch_with(&mut self, environment: &[(&str, &str)]) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .expect("a log file");
        let before = log.metadata().map_or(0, |metadata| metadata.len() as usize);
        let child = Command::new(program())
            .args(["serve", "--config"])
            .arg(self.config_path())
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("log"))
            .stderr(log)
            .spawn()
            .expect("the daemon starts");
        self.child = Some(child.into());
        // It answers calls before its doors for programs are open.
        eventually("the daemon is ready", || {
            self.assert_it_runs();
            let log = fs::read(self.log_path()).ok()?;
            let new = String::from_utf8_lossy(log.get(before..)?).into_owned();
            new.lines().any(|line| line.contains(" ready version=")).then_some(())
        });
        self.wait_until_it_answers();
    }

    fn assert_it_runs(&mut self) {
        if let Some(status) = self.child.as_mut().and_then(|c| c.try_wait().ok().flatten()) {
            panic!("the daemon ended with {status}:\n{}", self.log());
        }
    }

    fn wait_until_it_answers(&mut self) {
        let socket = UdpSocket::bind((self.net.ip(250), 0)).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("timeout");
        let to = self.sip();
        let me = socket.local_addr().expect("address");
        eventually("the daemon answers OPTIONS", || {
            self.assert_it_runs();
            let tag = std::process::id();
            let request = format!(
                "OPTIONS sip:{to} SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bK-{tag}-{n};rport\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:probe@{me}>;tag={tag}\r\nTo: <sip:{to}>\r\n\
                 Call-ID: {n}@{me}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
                n = std::time::SystemTime::now()
                    .duration_since(std::time::UNIX_EPOCH)
                    .map_or(0, |d| d.as_nanos()),
            );
            socket.send_to(request.as_bytes(), to).ok()?;
            let mut answer = [0; 2048];
            let (n, _) = socket.recv_from(&mut answer).ok()?;
            answer[..n].starts_with(b"SIP/2.0 200").then_some(())
        });
    }

    /// Where it listens for SIP over UDP and TCP.
    pub fn sip(&self) -> SocketAddr {
        (self.net.appliance(), 5060).into()
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A scratch folder of this test's own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its configuration file.
    pub fn config_path(&self) -> PathBuf {
        self.folder.path().join("offhook.toml")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// What it printed.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// The daemon's process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Runs `offhook ARGS --config FILE` and gives back what it printed; fails when it fails.
    pub fn cli(&self, args: &[&str]) -> String {
        let output = self.try_cli(args, "");
        assert!(
            output.status.success(),
            "offhook {args:?}: {}{}\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
            self.log()
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The same, with standard input, whatever comes of it.
    pub fn try_cli(&self, args: &[&str], input: &str) -> Output {
        run(Command::new(program()).args(args).arg("--config").arg(self.config_path()), input)
    }

    /// The same as JSON.
    pub fn json(&self, args: &[&str]) -> serde_json::Value {
        let mut args = args.to_vec();
        args.push("--json");
        let text = self.cli(&args);
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
    }

    /// Adds a phone with a known password.
    pub fn add_phone(&self, number: &str, password: &str) {
        let args = ["phone", "add", number, "--password", "-"];
        let output = self.try_cli(&args, &format!("{password}\n"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Sends it a signal by name (`HUP`, `TERM`).
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for it to end by itself; gives back whether it exited with 0.
    pub fn ended(&mut self) -> bool {
        let Some(mut child) = self.child.take() else { return false };
        child.wait().is_ok_and(|s| s.success())
    }

    /// `kill -9`, then nothing.
    pub fn kill(&mut self) {
        self.child = None;
    }

    /// SIGTERM, and waits for the end; gives back whether it exited with 0.
    pub fn terminate(&mut self) -> bool {
        self.signal("TERM");
        self.ended()
    }

    /// Fails unless the running daemon counts nothing left of calls: no call, task, dialog (but
    /// those of lamps) or RTP port. Waits for what is still ending.
    pub fn assert_nothing_left(&self) {
        let limit = Instant::now() + PATIENCE;
        loop {
            let left = self.json(&["status"])["left"].clone();
            let count = |key: &str| left[key].as_u64().unwrap_or(u64::MAX);
            let calls = count("calls") + count("call_tasks") + count("rtp_ports");
            if calls == 0 && count("dialogs") == count("subscriptions") {
                return;
            }
            assert!(Instant::now() < limit, "something is left: {left}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("---- the daemon's log ----\n{}", self.log());
        }
    }
}
