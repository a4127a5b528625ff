//! The scripted agents' mouth and ear: sends a tone as PCMU, keeps what it hears.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use offhook_media::g711::Law;

/// Samples a packet of 20 ms at 8 kHz holds.
const FRAME: usize = 160;
/// An ear that nobody empties stops listening after ten minutes.
const MOST_SAMPLES: usize = 8000 * 600;

/// One end of an RTP conversation.
#[derive(Debug)]
pub struct Sound {
    socket: UdpSocket,
    heard: Arc<Mutex<Vec<i16>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sound {
    /// Binds a free port.
    pub fn open(ip: IpAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind((ip, 0))?;
        socket.set_nonblocking(true)?;
        let heard = Arc::default();
        Ok(Self { socket, heard, stop: Arc::default(), thread: None })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// An SDP for it: PCMU and telephone-event, as a Voice Connector offers them.
    pub fn sdp(&self, owner: &str) -> io::Result<String> {
        let at = self.address()?;
        let (ip, port) = (at.ip(), at.port());
        Ok(format!(
            "v=0\r\no={owner} 5731 9412 IN IP4 {ip}\r\ns=SIP Media Capabilities\r\nc=IN IP4 {ip}\r\n\
             t=0 0\r\nm=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n\
             a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n\
             a=rtcp:{rtcp}\r\na=ptime:20\r\n",
            rtcp = port.wrapping_add(1)
        ))
    }

    /// Begins to send a tone of `frequency` hertz to `remote`, and to listen.
    pub fn start(&mut self, remote: SocketAddr, frequency: f64) -> io::Result<()> {
        let socket = self.socket.try_clone()?;
        let (heard, stop) = (Arc::clone(&self.heard), Arc::clone(&self.stop));
        self.thread =
            Some(std::thread::spawn(move || talk(&socket, remote, frequency, &heard, &stop)));
        Ok(())
    }

    /// How many milliseconds of what was heard are mainly a tone of `frequency` hertz.
    pub fn heard_tone_ms(&self, frequency: f64) -> u64 {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        tone_ms(&heard, frequency)
    }

    /// Forgets what was heard so far.
    pub fn forget(&self) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Drop for Sound {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn talk(
    socket: &UdpSocket,
    remote: SocketAddr,
    frequency: f64,
    heard: &Mutex<Vec<i16>>,
    stop: &AtomicBool,
) {
    let mut packet = [0u8; 12 + FRAME];
    packet[0] = 0x80;
    packet[8..12].copy_from_slice(&0x0ff1_00c5_u32.to_be_bytes());
    let mut next = Instant::now();
    for number in 0u32.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        // RFC 3550 §5.1: sequence number and timestamp wrap.
        packet[2..4].copy_from_slice(&((number & 0xffff) as u16).to_be_bytes());
        let first = number.wrapping_mul(FRAME as u32);
        packet[4..8].copy_from_slice(&first.to_be_bytes());
        for (n, byte) in packet[12..].iter_mut().enumerate() {
            let t = f64::from(first) + n as f64;
            let value = (t * frequency / 8000.0 * std::f64::consts::TAU).sin() * 8000.0;
            *byte = Law::Mu.encode(value as i16);
        }
        let _ = socket.send_to(&packet, remote);
        listen(socket, heard);
        next += Duration::from_millis(20);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

fn listen(socket: &UdpSocket, heard: &Mutex<Vec<i16>>) {
    let mut packet = [0; 2048];
    while let Ok((length, _)) = socket.recv_from(&mut packet) {
        // Plain RTP of payload type 0 without extensions is all that these calls agree on.
        let Some(payload) = packet.get(12..length).filter(|_| packet[1] & 0x7f == 0) else {
            continue;
        };
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.len() < MOST_SAMPLES {
            heard.extend(payload.iter().map(|b| Law::Mu.decode(*b)));
        }
    }
}

/// Milliseconds of `samples` (8 kHz) that are mainly (over four fifths of the energy) a tone.
pub fn tone_ms(samples: &[i16], frequency: f64) -> u64 {
    const WINDOW: usize = 400;
    let step = 2.0 * (std::f64::consts::TAU * frequency / 8000.0).cos();
    let is_tone = |block: &&[i16]| {
        let (mut s1, mut s2, mut energy) = (0.0, 0.0, 0.0);
        for sample in *block {
            let sample = f64::from(*sample);
            energy += sample * sample;
            (s2, s1) = (s1, sample + step * s1 - s2);
        }
        let power = 2.0 * (s1 * s1 + s2 * s2 - step * s1 * s2) / WINDOW as f64;
        energy > 10_000.0 * WINDOW as f64 && power > 0.8 * energy
    };
    samples.chunks_exact(WINDOW).filter(is_tone).count() as u64 * 50
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ends_hear_each_others_tone() {
        let ip = IpAddr::from([127, 0, 0, 1]);
        let (mut a, mut b) = (Sound::open(ip).unwrap(), Sound::open(ip).unwrap());
        a.start(b.address().unwrap(), 440.0).unwrap();
        b.start(a.address().unwrap(), 620.0).unwrap();
        while a.heard_tone_ms(620.0) < 200 || b.heard_tone_ms(440.0) < 200 {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(a.heard_tone_ms(1000.0), 0);
    }
}
