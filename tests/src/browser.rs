//! Debian's Chromium or Firefox as a telephone: a page with a SIP library that is told over HTTP what to
//! do and tells what happens. Its microphone is an oscillator, its ear a spectrum.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::appliance::Appliance;
use crate::baresip::PASSWORD;
use crate::firefox::Firefox;
use crate::killed::Killed;
use crate::npm;

/// How long anything may take: the start of a browser on a busy machine is the longest.
const LIMIT: Duration = Duration::from_secs(120);
/// How long a page's question for a command stays open.
const HELD: Duration = Duration::from_secs(2);

/// The SIP library of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// JsSIP.
    JsSip,
    /// SIP.js.
    SipJs,
}

/// The program that shows a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Chromium.
    Chromium,
    /// Firefox.
    Firefox,
}

/// How a page is set up.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// Its browser.
    pub program: Program,
    /// Its library.
    pub library: Library,
    /// Address of its web server: the last byte.
    pub last: u8,
    /// User name, also its extension.
    pub user: &'a str,
    /// Tone of its microphone, hertz.
    pub tone: u32,
    /// The one codec that it takes, as `audio/opus`; `None`: all that the browser has.
    pub codec: Option<&'a str>,
    /// Calls with a camera before the microphone, and this `bundlePolicy`.
    pub camera_first: Option<&'a str>,
}

/// What the page and the test say to each other.
#[derive(Debug, Default)]
struct Talk {
    commands: VecDeque<Value>,
    events: Vec<Value>,
    over: bool,
}

#[derive(Debug, Default)]
struct Shared {
    talk: Mutex<Talk>,
    changed: Condvar,
}

/// The process, which ends when this is dropped.
#[derive(Debug)]
enum Running {
    Chromium(#[expect(dead_code, reason = "kept running")] Killed),
    Firefox(#[expect(dead_code, reason = "kept running")] Firefox),
}

/// A running browser with one page. Dropping it kills it.
#[derive(Debug)]
pub struct Browser {
    shared: Arc<Shared>,
    _program: Running,
    server: Option<JoinHandle<()>>,
    address: (Ipv4Addr, u16),
    next: usize,
    _folder: TempDir,
}

impl Browser {
    /// Opens a page for an appliance that listens for WSS on port 5443 with this certificate, and waits
    /// until it is registered.
    pub fn registered(appliance: &Appliance, certificate: &Path, page: &Page<'_>) -> Self {
        let mut browser = Self::open(appliance, certificate, page);
        browser.expect("registered");
        browser
    }

    fn open(appliance: &Appliance, certificate: &Path, page: &Page<'_>) -> Self {
        let address = (appliance.net.ip(page.last), 8080);
        let listener = TcpListener::bind(address).expect("a web server");
        let shared = Arc::new(Shared::default());
        let settings = json!({
            "library": if page.library == Library::JsSip { "jssip" } else { "sipjs" },
            "server": format!("wss://{}:5443/", appliance.net.appliance()),
            "host": appliance.net.appliance().to_string(),
            "user": page.user,
            "password": PASSWORD,
            "tone": page.tone,
            "codec": page.codec,
            "camera_first": page.camera_first,
            "asks_for_microphone": page.program == Program::Firefox,
        });
        npm::packages();
        let server = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || serve(&listener, &shared, &settings.to_string())
        });
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("http://{}:{}/", address.0, address.1);
        let program = match page.program {
            Program::Chromium => Running::Chromium(chromium(folder.path(), &url)),
            Program::Firefox => {
                let wss = (appliance.net.appliance(), 5443).into();
                Running::Firefox(Firefox::open(folder.path(), &url, wss, certificate))
            }
        };
        Self { shared, _program: program, server: Some(server), address, next: 0, _folder: folder }
    }

    /// Tells the page to do something.
    pub fn command(&self, command: Value) {
        let mut talk = self.shared.talk.lock().expect("talk");
        talk.commands.push_back(command);
        self.shared.changed.notify_all();
    }

    /// Calls a number.
    pub fn call(&self, number: &str) {
        self.command(json!({"do": "call", "number": number}));
    }

    /// Waits for an event of this kind and gives it back. A later call looks at later events only.
    pub fn expect(&mut self, kind: &str) -> Value {
        let limit = Instant::now() + LIMIT;
        let mut talk = self.shared.talk.lock().expect("talk");
        loop {
            let found = talk.events[self.next..].iter().position(|e| e["event"] == kind);
            if let Some(at) = found {
                self.next += at + 1;
                return talk.events[self.next - 1].clone();
            }
            let left = limit.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {kind}, only {:#?}", talk.events);
            talk = self.shared.changed.wait_timeout(talk, left).expect("talk").0;
        }
    }

    /// Waits until the page has heard this tone for so long; fails when it does not.
    pub fn expect_tone(&mut self, frequency: u32, seconds: f64) {
        self.command(json!({"do": "listen", "frequency": frequency, "seconds": seconds}));
        let heard = self.expect("heard");
        assert!(heard["seconds"].as_f64() >= Some(seconds), "{frequency} Hz: {heard}");
    }

    /// Waits until the page has heard nothing for so long; fails when it does not.
    pub fn expect_silence(&mut self, seconds: f64) {
        self.command(json!({"do": "listen", "frequency": 0, "seconds": seconds}));
        let heard = self.expect("heard");
        assert!(heard["seconds"].as_f64() >= Some(seconds), "silence: {heard}");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Ok(mut talk) = self.shared.talk.lock() {
            talk.over = true;
            self.shared.changed.notify_all();
            if std::thread::panicking() {
                eprintln!("---- the page ----\n{:#?}", talk.events);
            }
        }
        // Wakes the web server, which sees that it is over.
        let _ = TcpStream::connect(self.address);
        let _ = self.server.take().map(JoinHandle::join);
    }
}

fn chromium(folder: &Path, url: &str) -> Killed {
    let log = fs::File::create(folder.join("log")).expect("file");
    Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-extensions",
            "--mute-audio",
            "--autoplay-policy=no-user-gesture-required",
            "--allow-loopback-in-peer-connection",
            // The certificate is the test's own.
            "--ignore-certificate-errors",
        ])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(url)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("log"))
        .stderr(log)
        .spawn()
        .expect("chromium is installed (make test does it)")
        .into()
}

fn serve(listener: &TcpListener, shared: &Arc<Shared>, settings: &str) {
    for stream in listener.incoming() {
        if shared.talk.lock().is_ok_and(|talk| talk.over) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let (shared, settings) = (Arc::clone(shared), settings.to_owned());
        // One request each; the longest waits for a command.
        std::thread::spawn(move || answer(&stream, &shared, &settings));
    }
}

fn answer(stream: &TcpStream, shared: &Shared, settings: &str) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let (mut words, mut length) = (line.split_ascii_whitespace(), 0);
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        if header.trim().is_empty() {
            break;
        }
        let (name, value) = header.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let found = match (method.as_str(), path.as_str()) {
        ("POST", "/event") => {
            let mut talk = shared.talk.lock().ok()?;
            talk.events.push(serde_json::from_slice(&body).ok()?);
            shared.changed.notify_all();
            Some((b"{}".to_vec(), "application/json"))
        }
        ("GET", "/command") => Some((next_command(shared)?.into_bytes(), "application/json")),
        ("GET", "/settings") => Some((settings.as_bytes().to_vec(), "application/json")),
        _ => file(&path),
    };
    let (status, (bytes, kind)) =
        found.map_or(("404 Not Found", (Vec::new(), "text/plain")), |found| ("200 OK", found));
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n",
        bytes.len()
    );
    let mut stream = stream;
    stream.write_all(&[head.as_bytes(), &bytes].concat()).ok()
}

/// The next command, or `null` after a while.
fn next_command(shared: &Shared) -> Option<String> {
    let talk = shared.talk.lock().ok()?;
    let waits = |talk: &mut Talk| talk.commands.is_empty() && !talk.over;
    let mut talk = shared.changed.wait_timeout_while(talk, HELD, waits).ok()?.0;
    Some(talk.commands.pop_front().unwrap_or(Value::Null).to_string())
}

/// Pages of ours, and `/npm/NAME/…`.
fn file(path: &str) -> Option<(Vec<u8>, &'static str)> {
    if path.contains("..") {
        return None;
    }
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("pages");
    let place = match path.strip_prefix("/npm/") {
        Some(rest) => npm::packages().join(rest),
        None if path == "/" => pages.join("phone.html"),
        None => pages.join(path.trim_start_matches('/')),
    };
    let kind = match place.extension()?.to_str()? {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        _ => "application/json",
    };
    Some((fs::read(place).ok()?, kind))
}
