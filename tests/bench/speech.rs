//! How soon a caller hears a text spoken: by the local engine for the first time,
//! and one that was spoken before.

use std::io;
use std::net::UdpSocket;
use std::path::Path;
use std::time::{Duration, Instant};

use super::appliance::{Appliance, addresses, all_went};
use super::figures::Figure;
use super::{Outcome, PCMU, SERVER, rtp, sip};

/// Numbers that each say a text of their own.
const NUMBERS: [&str; 8] = ["7610", "7611", "7612", "7613", "7614", "7615", "7616", "7617"];
/// Milliseconds until the first packet: of a new sentence, and of a text that is kept.
const NEW: f64 = 400.0;
const KEPT: f64 = 150.0;
const PATIENCE: Duration = Duration::from_secs(5);
/// Packets of a text: a sound in the place of one that could not be spoken is shorter.
const SPOKEN: usize = 75;

pub(crate) fn first_audio(offhook: &Path, folder: &Path) -> Outcome<Vec<Figure>> {
    let rules: String = NUMBERS.iter().map(|number| rule(number)).collect();
    let appliance = Appliance::start_with(offhook, folder, 1, PCMU, &rules)?;
    std::thread::sleep(Duration::from_secs(1));
    let mut figures = Vec::new();
    // Names the calls.
    let mut run = 9000;
    for (what, goal) in [("a new sentence", NEW), ("a sentence spoken before", KEPT)] {
        let mut waits = Vec::new();
        for number in NUMBERS {
            run += 1;
            waits.push(wait(number, run)?.as_secs_f64() * 1e3);
            // What was spoken is on its way to the disk.
            std::thread::sleep(Duration::from_millis(300));
        }
        waits.sort_by(f64::total_cmp);
        let (half, latest) = (waits[waits.len() / 2], waits[waits.len() - 1]);
        figures.push(Figure::plain(
            format!("{what} is heard after the INVITE, p50"),
            half,
            "ms",
            None,
        ));
        let name = format!("{what} is heard after the INVITE, latest");
        figures.push(Figure::plain(name, latest, "ms", Some(goal)));
    }
    drop(appliance);
    Ok(figures)
}

fn rule(number: &str) -> String {
    let text = format!("You are caller {number}. Somebody will be with you soon.");
    format!("\n[[number]]\nmatch = \"{number}\"\nto = \"say:{text}\"\n")
}

/// From the INVITE of one call, for whose first action the text is made, to its first packet.
fn wait(number: &'static str, run: u32) -> Outcome<Duration> {
    let (signalling, media) = addresses()?;
    let socket = UdpSocket::bind(media.0)?;
    rtp::large_buffer(&socket);
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut calls = sip::Calls::new(SERVER.parse()?, signalling, media, run)?;
    calls.dial(number);
    let listener = std::thread::spawn(move || first_packet(&socket));
    let begin = Instant::now();
    let up = calls.set_up(1, 100.0)?.len();
    all_went(sip::Outcome { ok: up, begun: 1 }, 1, "spoken texts")?;
    let first = listener.join().map_err(|_| "the listener broke off")??;
    calls.tear_down()?;
    Ok(first.saturating_duration_since(begin))
}

/// When the first packet of a text came.
fn first_packet(socket: &UdpSocket) -> io::Result<Instant> {
    let mut buffer = [0; 2048];
    let (mut first, mut packets) = (None, 0);
    loop {
        // 20 ms of G.711 behind the header of RTP.
        if socket.recv(&mut buffer)? == 172 {
            let first = *first.get_or_insert_with(Instant::now);
            packets += 1;
            if packets == SPOKEN {
                return Ok(first);
            }
        }
    }
}
