//! Real packets of media in the simulated office: its engine has sockets, and so have phones that are
//! told where theirs are.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::net::PATIENCE;

use super::agent::{Agent, AgentConfig, Describe};
use super::line::Line;
use super::office::Leftovers;
use super::scene::{OFFICE, Scene, at};

/// Where the media of a phone is, in each test of a program: (test, phone).
pub fn host(test: u8, phone: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 88 + (std::process::id() % 100) as u8, test, phone)
}

/// A description with these streams.
pub fn sdp(ip: Ipv4Addr, media: &str) -> Bytes {
    format!("v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n{media}").into()
}

/// Whether an offer has this in it.
pub fn says(offer: Option<&Bytes>, what: &str) -> bool {
    offer.is_some_and(|offer| String::from_utf8_lossy(offer).contains(what))
}

/// The n-th packet of a stream of PCMU, 20 ms each: these samples, 160 of them.
pub fn pcmu(n: u16, samples: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let mut rtp = vec![0x80, 0];
    rtp.extend(n.to_be_bytes());
    rtp.extend((u32::from(n) * 160).to_be_bytes());
    rtp.extend([1, 2, 3, 4]);
    rtp.extend(samples);
    rtp
}

/// 20 ms of a square wave of 500 Hz in PCMU: one half of it, and the other.
pub fn square_wave(high: u8, low: u8) -> impl Iterator<Item = u8> {
    (0..160).map(move |i| if i / 8 % 2 == 0 { high } else { low })
}

/// Between two looks at what media threads do.
const LOOK: Duration = Duration::from_millis(10);

/// Looks again and again, for [`PATIENCE`]. Media threads work in real time, which no paused clock
/// waits for: meanwhile it goes on no faster than a real one.
///
/// # Panics
/// When it never holds.
pub async fn eventually(what: &str, mut check: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !check().await {
        assert!(Instant::now() < end, "never: {what}");
        let look = Instant::now();
        tokio::time::sleep(LOOK).await;
        std::thread::sleep(LOOK.saturating_sub(look.elapsed()));
    }
}

/// The port of a stream in a description.
///
/// # Panics
/// When there is none.
pub fn port_of(sdp: &[u8], kind: &str) -> u16 {
    let text = String::from_utf8_lossy(sdp).into_owned();
    let line = text.lines().find_map(|l| l.strip_prefix(&format!("m={kind} ")));
    let line = line.unwrap_or_else(|| panic!("no {kind} in {text}"));
    line.split(' ').next().expect("a port").parse().expect("a number")
}

/// A phone's socket.
///
/// # Panics
/// When it cannot be had.
pub fn socket(ip: Ipv4Addr, port: u16) -> UdpSocket {
    let socket = UdpSocket::bind((ip, port)).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    socket
}

/// A port of the office.
pub fn office_port(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// What one sends to the office and another one hears for it. Sent until it arrives: orders to the
/// media threads take a moment.
///
/// # Panics
/// When nothing arrives.
pub fn passes(from: &UdpSocket, to: u16, hearer: &UdpSocket, bytes: &[u8]) -> Vec<u8> {
    let end = Instant::now() + PATIENCE;
    let mut found = [0; 2000];
    while Instant::now() < end {
        from.send_to(bytes, office_port(to)).expect("sent");
        if let Ok(n) = hearer.recv(&mut found) {
            return found[..n].to_vec();
        }
    }
    panic!("nothing came through");
}

/// The first phones of a scene, in place of its own, which describe themselves so.
///
/// # Panics
/// When they cannot register.
pub async fn phones<const N: usize>(scene: &Scene, describe: [Describe; N]) -> [Agent; N] {
    let mut agents = Vec::new();
    for (n, describe) in (1_u8..).zip(describe) {
        let (user, password) = (format!("10{n}"), format!("secret-10{n}"));
        let mut config = AgentConfig::phone(at(20 + n), &user, &password, OFFICE);
        config.describe = Some(describe);
        scene.phone(100 + u32::from(n)).register(0).await;
        let agent = Agent::start(&scene.net, config);
        agent.register(3600).await;
        agents.push(agent);
    }
    agents.try_into().expect("as many")
}

/// Ends the call of two phones, which were [`phones`]; its timeline.
///
/// # Panics
/// When something is left of it.
pub async fn over(scene: Scene, agents: [Agent; 2], mut out: Line, mut back: Line) -> String {
    out.hang_up();
    back.ended().await;
    out.ended().await;
    for agent in &agents {
        agent.register(0).await;
    }
    assert_eq!(scene.office.settle().await, Leftovers::default());
    let timeline = format!("{:?}", scene.office.keep.timeline(&scene.record().id));
    scene.close().await;
    timeline
}
