//! The load of calls from one trunk to another. Plain text and one socket a side; what matters is
//! what the appliance spends.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant, SystemTime};

/// Reads one header of a message, by its long name in lower case.
fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().take_while(|l| !l.is_empty()).find_map(|line| {
        let (n, value) = line.split_once(':')?;
        n.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

pub(crate) fn socket(at: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(at)?;
    socket.set_nonblocking(true)?;
    super::rtp::large_buffer(&socket);
    Ok(socket)
}

/// How a load went.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Outcome {
    /// Units that went as they must.
    pub(crate) ok: usize,
    /// Units begun.
    pub(crate) begun: usize,
}

/// A call that is up: where its two legs' media go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Media {
    /// The appliance's port for the caller.
    pub(crate) caller: SocketAddr,
    /// The appliance's port for the callee.
    pub(crate) callee: SocketAddr,
    /// What the callee sends.
    pub(crate) callee_payload_type: u8,
}

/// Caller and callee of many calls.
#[derive(Debug)]
pub(crate) struct Calls {
    server: SocketAddr,
    caller: UdpSocket,
    callee: UdpSocket,
    addresses: (SocketAddr, SocketAddr),
    media: (SocketAddr, SocketAddr),
    /// By call number.
    legs: HashMap<usize, Leg>,
    /// How it went so far.
    pub(crate) outcome: Outcome,
    run: u32,
    /// What all callers dial; without it the far side, each by a number of its own.
    number: Option<&'static str>,
    /// Both sides know telephone events, as telephones and Voice Connector do.
    events: bool,
    /// The codec of the callee's answer.
    answer: (u8, &'static str),
    /// Of each call that was answered, by its number.
    pub(crate) waits: BTreeMap<usize, Wait>,
    /// The last status line that refused something.
    pub(crate) refusal: String,
    /// Look at the sockets all the time: what waits are measured by.
    attentive: bool,
}

/// How long a caller waited for the 200.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wait {
    /// When the INVITE went out.
    pub(crate) begun: SystemTime,
    /// From then to the 200.
    pub(crate) took: Duration,
}

#[derive(Debug, Default)]
struct Leg {
    begun: Option<(Instant, SystemTime)>,
    answered: Option<Instant>,
    to: String,
    target: String,
    caller_media: Option<SocketAddr>,
    callee_media: Option<SocketAddr>,
    bye_sent: bool,
}

impl Calls {
    /// Signals from `caller` to the appliance and answers at `callee`; media of all calls is
    /// described at `media` (one address a side).
    pub(crate) fn new(
        server: SocketAddr,
        addresses: (SocketAddr, SocketAddr),
        media: (SocketAddr, SocketAddr),
        run: u32,
    ) -> io::Result<Self> {
        let (caller, callee) = (socket(addresses.0)?, socket(addresses.1)?);
        let legs = HashMap::new();
        Ok(Self {
            server,
            caller,
            callee,
            addresses,
            media,
            legs,
            outcome: Outcome::default(),
            run,
            number: None,
            events: true,
            answer: PCMU,
            waits: BTreeMap::new(),
            refusal: String::new(),
            attentive: false,
        })
    }

    /// All callers dial this, which the appliance answers itself.
    pub(crate) fn dial(&mut self, number: &'static str) {
        self.number = Some(number);
    }

    /// Neither side knows telephone events: keys are looked for in the audio.
    pub(crate) fn without_events(&mut self) {
        self.events = false;
    }

    /// The callee answers with this codec: static payload type and name with clock.
    pub(crate) fn answer_with(&mut self, payload_type: u8, name: &'static str) {
        self.answer = (payload_type, name);
    }

    /// Waits are measured: no pause is made.
    pub(crate) fn attentive(&mut self) {
        self.attentive = true;
    }

    fn pause(&self) {
        if self.attentive {
            std::hint::spin_loop();
        } else {
            std::thread::sleep(Duration::from_micros(300));
        }
    }

    /// When each caller was answered, by the appliance's port.
    pub(crate) fn answered(&self) -> HashMap<u16, Instant> {
        let of = |leg: &Leg| Some((leg.caller_media?.port(), leg.answered?));
        self.legs.values().filter_map(of).collect()
    }

    /// Sets up and tears down `count` calls, `rate` a second, each held for `hold`.
    pub(crate) fn run(&mut self, count: usize, rate: f64, hold: Duration) -> io::Result<()> {
        let begin = Instant::now();
        let limit = Duration::from_secs_f64(count as f64 / rate + hold.as_secs_f64() + 5.0);
        while self.outcome.ok < count && begin.elapsed() < limit {
            while self.outcome.begun < count
                && begin.elapsed().as_secs_f64() * rate >= self.outcome.begun as f64
            {
                self.invite()?;
            }
            self.turn()?;
            let due: Vec<usize> = self
                .legs
                .iter()
                .filter(|(_, l)| !l.bye_sent && l.answered.is_some_and(|a| a.elapsed() >= hold))
                .map(|(n, _)| *n)
                .collect();
            for n in due {
                self.bye(n)?;
            }
            self.pause();
        }
        Ok(())
    }

    /// Sets up `count` calls and leaves them up.
    pub(crate) fn set_up(&mut self, count: usize, rate: f64) -> io::Result<Vec<Media>> {
        let begin = Instant::now();
        let limit = Duration::from_secs_f64(count as f64 / rate + 5.0);
        while self.media_of_all().len() < count && begin.elapsed() < limit {
            while self.outcome.begun < count
                && begin.elapsed().as_secs_f64() * rate >= self.outcome.begun as f64
            {
                self.invite()?;
            }
            self.turn()?;
            std::thread::sleep(Duration::from_micros(300));
        }
        Ok(self.media_of_all())
    }

    fn media_of_all(&self) -> Vec<Media> {
        let up = |l: &Leg| {
            let caller = l.caller_media?;
            // Who is answered by the appliance itself has nobody behind it.
            let callee = if self.number.is_some() { caller } else { l.callee_media? };
            Some(Media { caller, callee, callee_payload_type: self.answer.0 })
        };
        self.legs.values().filter_map(up).collect()
    }

    /// Ends all calls that are up.
    pub(crate) fn tear_down(&mut self) -> io::Result<()> {
        let up: Vec<usize> =
            self.legs.iter().filter(|(_, l)| l.answered.is_some()).map(|(n, _)| *n).collect();
        let (count, before) = (up.len(), self.outcome.ok);
        for chunk in up.chunks(20) {
            for n in chunk {
                self.bye(*n)?;
            }
            std::thread::sleep(Duration::from_millis(10));
            self.turn()?;
        }
        let begin = Instant::now();
        while self.outcome.ok < before + count && begin.elapsed() < Duration::from_secs(5) {
            self.turn()?;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn invite(&mut self) -> io::Result<()> {
        let (n, run, server, at) = (self.outcome.begun, self.run, self.server, self.addresses.0);
        self.outcome.begun += 1;
        let body = sdp(self.media.0, PCMU, self.events);
        let number = self.number.map_or_else(|| format!("9{n:05}"), str::to_owned);
        let text = format!(
            "INVITE sip:{number}@{server} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bKi{run}x{n};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:load@{server}>;tag=c{run}x{n}\r\nTo: <sip:{number}@{server}>\r\n\
             Call-ID: {run}x{n}@bench\r\nCSeq: 1 INVITE\r\nContact: <sip:load@{at}>\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.legs
            .insert(n, Leg { begun: Some((Instant::now(), SystemTime::now())), ..Leg::default() });
        self.caller.send_to(text.as_bytes(), server).map(drop)
    }

    /// Takes what has arrived on both sides.
    fn turn(&mut self) -> io::Result<()> {
        let mut buffer = [0; 8192];
        while let Ok((n, from)) = self.callee.recv_from(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
            self.at_callee(&text, from)?;
        }
        while let Ok((n, _)) = self.caller.recv_from(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
            self.at_caller(&text)?;
        }
        Ok(())
    }

    fn at_callee(&mut self, text: &str, from: SocketAddr) -> io::Result<()> {
        let invite = text.starts_with("INVITE");
        if !invite && !text.starts_with("BYE") {
            return Ok(());
        }
        let mut answer = String::from("SIP/2.0 200 OK\r\n");
        for line in text.lines().take_while(|l| !l.is_empty()) {
            let name = line.split(':').next().unwrap_or("").to_ascii_lowercase();
            if matches!(name.as_str(), "via" | "from" | "call-id" | "cseq" | "record-route" | "to")
            {
                let untagged = name == "to" && !line.contains("tag=");
                answer += &format!("{line}{}\r\n", if untagged { ";tag=callee" } else { "" });
            }
        }
        let body = if invite { sdp(self.media.1, self.answer, self.events) } else { String::new() };
        if invite {
            // The dialled number names the call on both sides.
            let number = text.get(12..17).and_then(|n| n.parse().ok());
            if let Some(leg) = number.and_then(|n: usize| self.legs.get_mut(&n)) {
                leg.callee_media = media_address(text);
            }
            answer += &format!(
                "Contact: <sip:{}>\r\nContent-Type: application/sdp\r\n",
                self.addresses.1
            );
        }
        answer += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        self.callee.send_to(answer.as_bytes(), from).map(drop)
    }

    fn at_caller(&mut self, text: &str) -> io::Result<()> {
        let n = header(text, "call-id").and_then(|c| c.split(['x', '@']).nth(1)?.parse().ok());
        let Some(leg) = n.and_then(|n: usize| self.legs.get_mut(&n)) else { return Ok(()) };
        let Some(n) = n else { return Ok(()) };
        let cseq = header(text, "cseq").unwrap_or("");
        if !text.starts_with("SIP/2.0 2") {
            if !text.starts_with("SIP/2.0 1") {
                self.refusal = text.lines().next().unwrap_or("").to_owned();
            }
            return Ok(());
        }
        if cseq.ends_with("INVITE") {
            let now = Instant::now();
            if leg.answered.is_none()
                && let Some((sent, begun)) = leg.begun
            {
                self.waits.insert(n, Wait { begun, took: now - sent });
            }
            leg.answered.get_or_insert(now);
            leg.caller_media = media_address(text);
            leg.to = header(text, "to").unwrap_or("").to_owned();
            let contact = header(text, "contact").unwrap_or("");
            let uri = contact.split(['<', '>']).nth(1).unwrap_or(contact);
            leg.target = uri.to_owned();
            self.in_dialog(n, "ACK", 1)?;
        } else if cseq.ends_with("BYE") {
            self.legs.remove(&n);
            self.outcome.ok += 1;
        }
        Ok(())
    }

    fn bye(&mut self, n: usize) -> io::Result<()> {
        if let Some(leg) = self.legs.get_mut(&n) {
            leg.bye_sent = true;
        }
        self.in_dialog(n, "BYE", 2)
    }

    fn in_dialog(&self, n: usize, method: &str, cseq: u32) -> io::Result<()> {
        let Some(leg) = self.legs.get(&n) else { return Ok(()) };
        let (run, server, at) = (self.run, self.server, self.addresses.0);
        let text = format!(
            "{method} {} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK{method}{run}x{n};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:load@{server}>;tag=c{run}x{n}\r\nTo: {}\r\n\
             Call-ID: {run}x{n}@bench\r\nCSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n",
            leg.target, leg.to
        );
        self.caller.send_to(text.as_bytes(), server).map(drop)
    }
}

/// A codec by its static payload type.
const PCMU: (u8, &str) = (0, "PCMU/8000");

fn sdp(at: SocketAddr, (payload_type, codec): (u8, &str), events: bool) -> String {
    let (ip, port) = (at.ip(), at.port());
    let (more, keys) = if events {
        (" 101", "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n")
    } else {
        ("", "")
    };
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP {payload_type}{more}\r\n\
         a=rtpmap:{payload_type} {codec}\r\n{keys}a=ptime:20\r\na=sendrecv\r\n"
    )
}

fn media_address(text: &str) -> Option<SocketAddr> {
    let line = |prefix: &str| text.lines().find_map(|l| l.strip_prefix(prefix));
    let ip = line("c=IN IP4 ")?.trim().parse().ok()?;
    let port = line("m=audio ")?.split(' ').next()?.parse().ok()?;
    Some(SocketAddr::new(ip, port))
}
