//! A caller who is taken back: how long it takes until the target rings, and what he hears meanwhile.
//! The office holds his leg; caller, Connect and the desk are sockets of the bench.

use std::collections::{BTreeMap, HashMap};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use offhook_chime::credentials::{Environment, Source};
use offhook_chime::sdk::Sdk;
use offhook_chime::sigv4::Credentials;
use offhook_chime::{Aws, AwsConfig, Trust};
use serde_json::{Value, json};

use super::appliance::Appliance;
use super::figures::Figure;
use super::{CALLEE, CALLEE_MEDIA, CALLER, CALLER_MEDIA, Outcome, PCMU, PHONES, SERVER, register};

const ENTRY: &str = "+15550100199";
const CONFIG: &str = r#"
[[number]]
match = "+15550100199"
from = "trunk:caller"
to = "flow:take-back"
[dnis]
our_numbers = ["+18005550100", "+18005550101", "+18005550102"]
connect_numbers = ["+12065550100", "+12065550101", "+12065550102"]
[api]
listen = "127.0.0.1:9481"
requests_per_second = 1000
"#;
/// Milliseconds from the request to the target's INVITE, and of silence.
const GOAL_INVITE: f64 = 20.0;
const GOAL_SILENCE: f64 = 200.0;
/// Calls whose audio is listened to, and how long the desk rings in each.
const LISTENED: usize = 12;
const RINGS: Duration = Duration::from_millis(1_500);

/// All figures; `calls` of them measure the time to the INVITE.
pub(crate) fn figures(offhook: &Path, folder: &Path, calls: usize) -> Outcome<Vec<Figure>> {
    // Connect's numbers are called over the one outbound trunk: `far`.
    let appliance = Appliance::start_with(offhook, folder, 1, PCMU, CONFIG)?;
    std::thread::sleep(Duration::from_secs(1));
    let mut stage = Stage::new(offhook, folder)?;
    let mut waits = Vec::new();
    for _ in 0..calls {
        waits.push(stage.call(None)?.invited);
    }
    let mut gaps = Vec::new();
    for _ in 0..LISTENED.min(calls) {
        gaps.push(stage.call(Some(RINGS))?.silence);
    }
    drop(appliance);
    waits.sort();
    gaps.sort();
    let at = |all: &[Duration], part: f64| {
        let last = all.len().saturating_sub(1);
        let index = (last as f64 * part).ceil() as usize;
        all.get(index.min(last)).map_or(f64::NAN, |wait| wait.as_secs_f64() * 1e3)
    };
    let name = |what: &str| format!("take-back: update sent to the target's INVITE, {what}");
    let figure = |name: String, value, goal| Figure::plain(name, value, "ms", goal);
    Ok(vec![
        figure(name("p50"), at(&waits, 0.5), None),
        figure(name("p99"), at(&waits, 0.99), Some(GOAL_INVITE)),
        figure(
            format!("take-back: longest silence at the caller, of {} calls", gaps.len()),
            at(&gaps, 1.0),
            Some(GOAL_SILENCE),
        ),
    ])
}

/// How one call went.
struct Measured {
    invited: Duration,
    silence: Duration,
}

/// Everybody but the appliance.
struct Stage {
    caller: UdpSocket,
    connect: UdpSocket,
    phone: UdpSocket,
    api: Sdk,
    runtime: tokio::runtime::Runtime,
    store: rusqlite::Connection,
    audio: Audio,
    calls: usize,
}

fn socket(at: &str) -> Outcome<UdpSocket> {
    let socket = UdpSocket::bind(at.parse::<SocketAddr>()?)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn header<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find(|line| {
        line.split_once(':').is_some_and(|(own, _)| own.trim().eq_ignore_ascii_case(name))
    });
    line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
}

fn media_of(text: &str) -> Option<SocketAddr> {
    let line = |start: &str| text.lines().find_map(|line| line.strip_prefix(start));
    let ip = line("c=IN IP4 ")?.trim().parse().ok()?;
    let port = line("m=audio ")?.split(' ').next()?.parse().ok()?;
    Some(SocketAddr::new(ip, port))
}

fn sdp(at: &str) -> String {
    let (ip, port) = at.split_once(':').unwrap_or_default();
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n\
         a=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=sendrecv\r\n"
    )
}

/// An answer to a request, with a description when it is the 200 to an INVITE.
fn answer(request: &str, status: &str, contact: &str, media: Option<&str>) -> String {
    let mut text = format!("SIP/2.0 {status}\r\n");
    for line in request.lines().take_while(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        if ["via", "from", "call-id", "cseq", "record-route"].contains(&name.as_str()) {
            text += &format!("{line}\r\n");
        } else if name == "to" {
            let tag = if line.contains(";tag=") { "" } else { ";tag=bench" };
            text += &format!("{line}{tag}\r\n");
        }
    }
    let body = media.map(sdp).unwrap_or_default();
    if media.is_some() {
        text += &format!("Contact: <sip:{contact}>\r\nContent-Type: application/sdp\r\n");
    }
    text + &format!("Content-Length: {}\r\n\r\n{body}", body.len())
}

impl Stage {
    fn new(offhook: &Path, folder: &Path) -> Outcome<Self> {
        let told = Command::new(offhook)
            .args(["api-key", "add", "--name", "bench", "--config"])
            .arg(folder.join("offhook.toml"))
            .output()?;
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let word = |label: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix(label));
            line.map(str::trim).ok_or("no access key")
        };
        let keys = Credentials::new(word("Access key id")?, word("Secret access key")?);
        let config = AwsConfig {
            region: "us-east-1".to_owned(),
            credentials: Source::Fixed(keys),
            endpoint: Some("http://127.0.0.1:9481".to_owned()),
            endpoints: BTreeMap::new(),
        };
        let aws = Aws::new(config, Trust::system()?, Environment::of(HashMap::new()))?;
        if register::register(SERVER.parse()?, PHONES.parse()?, 1, 10.0)?.ok != 1 {
            return Err("the desk did not register".into());
        }
        Ok(Self {
            caller: socket(CALLER)?,
            connect: socket(CALLEE)?,
            phone: socket(PHONES)?,
            api: Sdk::new(aws),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            store: rusqlite::Connection::open(folder.join("data").join("offhook.db"))?,
            audio: Audio::start()?,
            calls: 0,
        })
    }

    /// One call: to Connect, back, to the desk, and its end. `rings`: the desk answers after this
    /// and talks, and the caller's audio is listened to; else it answers at once, in silence.
    fn call(&mut self, rings: Option<Duration>) -> Outcome<Measured> {
        self.calls += 1;
        let id = self.calls;
        let (body, from) = (sdp(CALLER_MEDIA), format!("<sip:+12065550142@{SERVER}>;tag=t{id}"));
        let request = |method: &str, uri: &str, to: &str, cseq: usize, body: &str| {
            format!(
                "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bK{method}{id};rport\r\n\
                 Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: take-back-{id}@bench\r\n\
                 CSeq: {cseq} {method}\r\nContact: <sip:load@{CALLER}>\r\n\
                 Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        let uri = format!("sip:{ENTRY}@{SERVER}");
        self.caller
            .send_to(request("INVITE", &uri, &format!("<{uri}>"), 1, &body).as_bytes(), SERVER)?;
        let (invite, from_server) = wait(&self.connect, "INVITE")?;
        self.connect.send_to(
            answer(&invite, "200 OK", CALLEE, Some(CALLEE_MEDIA)).as_bytes(),
            from_server,
        )?;
        let (up, _) = wait(&self.caller, "SIP/2.0 200")?;
        let to = header(&up, "to").to_owned();
        let contact =
            header(&up, "contact").split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        self.caller.send_to(request("ACK", &contact, &to, 1, "").as_bytes(), SERVER)?;
        wait(&self.connect, "ACK")?;
        self.audio.talk(media_of(&invite));
        std::thread::sleep(Duration::from_millis(if rings.is_some() { 500 } else { 30 }));

        self.audio.listen(rings.is_some());
        let transaction = self.transaction()?;
        let what = json!({"SipMediaApplicationId": "flow:take-back", "TransactionId": transaction,
            "Arguments": {"TransferTarget": "u0000"}});
        let begin = Instant::now();
        self.update(&what)?;
        let (rang, phone_way, invited) = self.ring(begin)?;
        if let Some(rings) = rings {
            self.phone.send_to(answer(&rang, "180 Ringing", PHONES, None).as_bytes(), phone_way)?;
            self.answering_byes(rings)?;
        }
        self.phone
            .send_to(answer(&rang, "200 OK", PHONES, Some(CALLEE_MEDIA)).as_bytes(), phone_way)?;
        wait(&self.phone, "ACK")?;
        self.audio.talk(media_of(&rang));
        self.answering_byes(Duration::from_millis(if rings.is_some() { 400 } else { 5 }))?;
        let silence = self.audio.longest();
        self.caller.send_to(request("BYE", &contact, &to, 2, "").as_bytes(), SERVER)?;
        wait(&self.caller, "SIP/2.0 200")?;
        let (bye, way) = wait(&self.phone, "BYE")?;
        self.phone.send_to(answer(&bye, "200 OK", PHONES, None).as_bytes(), way)?;
        self.audio.talk(None);
        self.answering_byes(Duration::from_millis(5))?;
        Ok(Measured { invited, silence })
    }

    /// Who has the pair: the call that is up.
    fn transaction(&self) -> Outcome<String> {
        let query = "SELECT owner FROM dnis_pairs WHERE owner IS NOT NULL";
        Ok(self.store.query_row(query, [], |row| row.get(0))?)
    }

    fn update(&self, what: &Value) -> Outcome<()> {
        let asked = self.api.call("chimesdkvoice", "updateSipMediaApplicationCall", what);
        self.runtime.block_on(asked).map(drop).map_err(|error| error.to_string().into())
    }

    /// The desk's INVITE, which may have come while the answer to the request was read.
    fn ring(&self, begin: Instant) -> Outcome<(String, SocketAddr, Duration)> {
        let (invite, way) = wait(&self.phone, "INVITE")?;
        Ok((invite, way, begin.elapsed()))
    }

    /// Lets time pass; whoever is hung up on confirms it.
    fn answering_byes(&self, time: Duration) -> Outcome<()> {
        let begin = Instant::now();
        let mut buffer = [0; 8192];
        while begin.elapsed() < time {
            for (socket, contact) in [(&self.connect, CALLEE), (&self.phone, PHONES)] {
                while let Ok((length, way)) = socket.recv_from(&mut buffer) {
                    let text = String::from_utf8_lossy(&buffer[..length]);
                    if text.starts_with("BYE") || text.starts_with("OPTIONS") {
                        socket.send_to(answer(&text, "200 OK", contact, None).as_bytes(), way)?;
                    }
                }
            }
            std::thread::sleep(Duration::from_micros(300));
        }
        Ok(())
    }
}

/// The next message that begins so; others are left aside.
fn wait(socket: &UdpSocket, start: &str) -> Outcome<(String, SocketAddr)> {
    let begin = Instant::now();
    let mut buffer = [0; 8192];
    while begin.elapsed() < Duration::from_secs(10) {
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with(start) {
                return Ok((text, from));
            }
            if text.starts_with("BYE") || text.starts_with("OPTIONS") {
                socket.send_to(answer(&text, "200 OK", SERVER, None).as_bytes(), from)?;
            }
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    Err(format!("no {start} came").into())
}

/// Audio of Connect and of the desk, from one socket, and the caller's ear.
struct Audio {
    to: Arc<Mutex<Option<SocketAddr>>>,
    heard: Arc<Mutex<Vec<Instant>>>,
    ends: Arc<AtomicBool>,
}

impl Audio {
    fn start() -> Outcome<Self> {
        let (to, heard) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(Vec::new())));
        let ends = Arc::new(AtomicBool::new(false));
        let (mouth, ear) = (UdpSocket::bind(CALLEE_MEDIA)?, UdpSocket::bind(CALLER_MEDIA)?);
        ear.set_read_timeout(Some(Duration::from_millis(100)))?;
        let (target, stop) = (Arc::clone(&to), Arc::clone(&ends));
        std::thread::spawn(move || {
            let mut number = 0_u16;
            while !stop.load(Ordering::Relaxed) {
                let to: Option<SocketAddr> = *target.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(to) = to {
                    let _ = mouth.send_to(&packet(number), to);
                    number = number.wrapping_add(1);
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let (ears, stop) = (Arc::clone(&heard), Arc::clone(&ends));
        std::thread::spawn(move || {
            let mut buffer = [0; 2048];
            while !stop.load(Ordering::Relaxed) {
                if ear.recv_from(&mut buffer).is_ok() {
                    ears.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
                }
            }
        });
        Ok(Self { to, heard, ends })
    }

    fn talk(&self, to: Option<SocketAddr>) {
        *self.to.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }

    /// From now on it is listened to; or no more.
    fn listen(&self, from_now: bool) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.clear();
        if from_now {
            heard.push(Instant::now());
        }
    }

    /// The longest time without a packet since then.
    fn longest(&self) -> Duration {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let until_now = heard.last().map(Instant::elapsed).unwrap_or_default();
        let gaps = heard.windows(2).map(|two| two[1] - two[0]);
        gaps.chain([until_now]).max().unwrap_or_default()
    }
}

impl Drop for Audio {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
    }
}

/// Twenty milliseconds of PCMU.
fn packet(number: u16) -> Vec<u8> {
    let mut bytes = vec![0x80, 0];
    bytes.extend(number.to_be_bytes());
    bytes.extend((u32::from(number) * 160).to_be_bytes());
    bytes.extend([0, 0, 0, 7]);
    bytes.extend([0x55; 160]);
    bytes
}
