//! Debian's baresip as a desk phone: a tone goes in at its microphone, what its loudspeaker would
//! play is recorded, and its control port presses the keys.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::appliance::Appliance;
use crate::killed::Killed;
use crate::net::{PATIENCE, eventually};
use crate::tone::{read_growing, seconds_of_sound, seconds_of_tone};

/// How a phone is set up.
#[derive(Debug, Clone)]
pub struct Setup<'a> {
    /// Address it listens on (a loopback address of the test's own).
    pub ip: Ipv4Addr,
    /// SIP server, `host:port`.
    pub server: String,
    /// User name, also its extension.
    pub user: &'a str,
    /// Password.
    pub password: &'a str,
    /// `udp`, `tcp` or `tls`.
    pub transport: &'a str,
    /// Extra account parameters, e.g. `;answermode=auto` or `;mediaenc=srtp-mand`.
    pub account: &'a str,
    /// Tone of its microphone, hertz.
    pub tone: u32,
    /// Registers for so many seconds; 0: not at all.
    pub regint: u32,
    /// More lines of its configuration.
    pub config: &'a str,
    /// Prints the SIP messages too.
    pub trace: bool,
}

impl<'a> Setup<'a> {
    /// Extension `user` with [`PASSWORD`] at the appliance, over UDP, on address `last` of the
    /// test's own, silent until keys are pressed.
    pub fn of(appliance: &Appliance, last: u8, user: &'a str) -> Self {
        Self {
            ip: appliance.net.ip(last),
            server: appliance.sip().to_string(),
            user,
            password: PASSWORD,
            transport: "udp",
            account: "",
            tone: 440,
            regint: 120,
            config: "",
            trace: false,
        }
    }

    /// With another tone at its microphone.
    pub fn tone(self, tone: u32) -> Self {
        Self { tone, ..self }
    }

    /// With more account parameters.
    pub fn account(self, account: &'a str) -> Self {
        Self { account, ..self }
    }
}

/// What it prints when it is registered.
pub const REGISTERED: &str = "200 OK (Offhook) [";

/// The password of the tests' phones.
pub const PASSWORD: &str = "s3cret-pass";

/// A running baresip. Dropping it kills it.
#[derive(Debug)]
pub struct Baresip {
    _child: Killed,
    folder: TempDir,
    control: TcpStream,
    pending: Vec<u8>,
    server: String,
    /// Every event seen so far.
    pub events: Vec<Value>,
    /// Events before this one have been expected already.
    next: usize,
}

impl Baresip {
    /// Starts it and waits for its control port.
    pub fn start(setup: &Setup<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let wav = folder.path().join("microphone.wav");
        write_tone(&wav, setup.tone, 60);
        fs::create_dir(folder.path().join("heard")).expect("a folder");
        fs::write(folder.path().join("config"), config(setup, folder.path(), &wav)).expect("file");
        fs::write(folder.path().join("contacts"), "").expect("file");
        let account = format!(
            "<sip:{user}@{server};transport={transport}>;auth_user={user};auth_pass={password};regint={regint}{extra}\n",
            user = setup.user,
            server = setup.server,
            transport = setup.transport,
            password = setup.password,
            regint = setup.regint,
            extra = setup.account
        );
        fs::write(folder.path().join("accounts"), account).expect("file");
        let log = fs::File::create(folder.path().join("log")).expect("file");
        let child: Killed = Command::new("baresip")
            .args(["-v", "-f"])
            .arg(folder.path())
            .args(setup.trace.then_some("-s"))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("log"))
            .stderr(log)
            .spawn()
            .expect("baresip is installed (make test does it)")
            .into();
        let control =
            eventually("baresip's control port", || TcpStream::connect((setup.ip, 4444)).ok());
        control.set_read_timeout(Some(Duration::from_millis(50))).expect("timeout");
        Self {
            _child: child,
            folder,
            control,
            pending: Vec::new(),
            server: setup.server.clone(),
            events: Vec::new(),
            next: 0,
        }
    }

    /// Starts it and waits until it is registered.
    pub fn registered(setup: &Setup<'_>) -> Self {
        let phone = Self::start(setup);
        phone.wait_for(REGISTERED);
        phone
    }

    /// Waits until it has printed this. What happens at once after the start (registration, the
    /// first state of the lamp) may come before the control port listens to events.
    pub fn wait_for(&self, text: &str) {
        let limit = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            assert!(Instant::now() < limit, "no {text:?} in\n{}", self.tail());
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    fn tail(&self) -> String {
        tail(&self.folder.path().join("log"))
    }

    /// Sends a command (`dial`, `accept`, `hangup`, `hold`, `resume`, …).
    pub fn command(&mut self, command: &str, params: &str) {
        let text =
            serde_json::json!({"command": command, "params": params, "token": "t"}).to_string();
        let frame = format!("{}:{text},", text.len());
        self.control.write_all(frame.as_bytes()).expect("control port");
    }

    /// Dials a number at its server.
    pub fn dial(&mut self, number: &str) {
        let transport = if self.server.ends_with(":5061") { ";transport=tls" } else { "" };
        self.command("dial", &format!("sip:{number}@{}{transport}", self.server));
    }

    /// Waits for an event of this type and gives it back. A later call looks at later events only.
    pub fn expect(&mut self, kind: &str) -> Value {
        self.expect_within(kind, PATIENCE)
    }

    /// The same, with another patience.
    pub fn expect_within(&mut self, kind: &str, patience: Duration) -> Value {
        let limit = Instant::now() + patience;
        loop {
            self.read();
            let found = self.events[self.next..].iter().position(|e| e["type"] == kind);
            if let Some(at) = found {
                self.next += at + 1;
                return self.events[self.next - 1].clone();
            }
            assert!(Instant::now() < limit, "no {kind}, only {:?}\n{}", self.kinds(), self.tail());
        }
    }

    /// Whether an event of this type has been seen.
    pub fn saw(&mut self, kind: &str) -> bool {
        self.read();
        self.events.iter().any(|e| e["type"] == kind)
    }

    fn kinds(&self) -> Vec<&str> {
        self.events.iter().filter_map(|e| e["type"].as_str()).collect()
    }

    /// Reads netstrings of JSON off the control port.
    fn read(&mut self) {
        let mut buffer = [0; 8192];
        while let Ok(n) = self.control.read(&mut buffer) {
            if n == 0 {
                break;
            }
            self.pending.extend_from_slice(&buffer[..n]);
        }
        while let Some(colon) = self.pending.iter().position(|b| *b == b':') {
            let length: usize =
                String::from_utf8_lossy(&self.pending[..colon]).parse().expect("a netstring");
            let end = colon + 1 + length;
            if self.pending.len() <= end {
                break;
            }
            if let Ok(value) = serde_json::from_slice(&self.pending[colon + 1..end]) {
                self.events.push(value);
            }
            self.pending.drain(..=end);
        }
    }

    /// WAV files of what it heard, one a call, oldest first. Complete once the call has ended.
    pub fn heard(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = fs::read_dir(self.folder.path().join("heard"))
            .expect("folder")
            .filter_map(|e| Some(e.ok()?.path()))
            .filter(|p| p.to_string_lossy().ends_with("-dec.wav"))
            .collect();
        files.sort();
        files
    }

    /// Waits until it has heard this tone for so many seconds of its newest call.
    pub fn hears(&self, frequency: f64, seconds: f64) {
        let what = format!("{seconds} s of {frequency} Hz are heard");
        eventually(&what, || {
            let (samples, rate) = read_growing(self.heard().last()?)?;
            (seconds_of_tone(&samples, rate, frequency) >= seconds).then_some(())
        });
    }

    /// Waits until it has heard anything at all for so many seconds of its newest call.
    pub fn hears_sound(&self, seconds: f64) {
        eventually(&format!("{seconds} s of sound are heard"), || {
            let (samples, rate) = read_growing(self.heard().last()?)?;
            (seconds_of_sound(&samples, rate) >= seconds).then_some(())
        });
    }

    /// For how many seconds of its newest call it has heard something else than this tone so far.
    pub fn heard_beside(&self, frequency: f64) -> f64 {
        let newest = self.heard().last().and_then(|path| read_growing(path));
        newest.map_or(0.0, |(samples, rate)| {
            seconds_of_sound(&samples, rate) - seconds_of_tone(&samples, rate, frequency)
        })
    }

    /// What it printed; SIP messages are among it with [`Setup::trace`] only.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join("log")).unwrap_or_default())
            .into()
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- baresip ----\n{}", self.tail());
        }
    }
}

fn tail(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text[text.len().saturating_sub(3000)..]).into_owned();
    text.lines().filter(|l| !l.contains("(bit/s)")).collect::<Vec<_>>().join("\n")
}

/// `mwi` stands first: a millisecond after it is loaded it subscribes once more for whoever has
/// subscribed, and never ends when somebody has. On a slow machine a phone was registered by then.
fn config(setup: &Setup<'_>, folder: &Path, wav: &Path) -> String {
    let ip = setup.ip;
    format!(
        "poll_method epoll\nsip_listen {ip}:5060\nnet_interface {ip}\ncall_local_timeout 120\n\
         call_max_calls 4\naudio_player aubridge,sink\naudio_source aufile,{wav}\n\
         audio_alert aubridge,alert\nausrc_srate 8000\nauplay_srate 8000\naudio_buffer 20-160\n\
         jitter_buffer_delay 1-2\nmodule_path /usr/lib/baresip/modules\n\
         module mwi.so\nmodule g711.so\n\
         module aufile.so\nmodule aubridge.so\nmodule sndfile.so\nmodule srtp.so\n\
         module_tmp uuid.so\nmodule_tmp account.so\nmodule_app ctrl_tcp.so\n\
         module_app menu.so\nctrl_tcp_listen {ip}:4444\nsnd_path {heard}\n\
         rtp_ports 40000-49999\n{more}\n",
        more = setup.config,
        wav = wav.display(),
        heard = folder.join("heard").display(),
    )
}

/// Writes a mono 8 kHz WAV of a sine.
pub fn write_tone(path: &Path, frequency: u32, seconds: u32) {
    let samples = 8000 * seconds;
    let mut bytes = Vec::with_capacity(44 + samples as usize * 2);
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + samples * 2).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend_from_slice(&8000u32.to_le_bytes());
    bytes.extend_from_slice(&16000u32.to_le_bytes());
    bytes.extend_from_slice(b"\x02\0\x10\0data");
    bytes.extend_from_slice(&(samples * 2).to_le_bytes());
    for n in 0..samples {
        let phase = f64::from(n) / 8000.0 * f64::from(frequency) * std::f64::consts::TAU;
        bytes.extend_from_slice(&((phase.sin() * 12000.0) as i16).to_le_bytes());
    }
    fs::write(path, bytes).expect("file");
}
