//! The media engine by itself, in this process: heap allocations, SRTP, and codecs beside their own cost.

use std::alloc::System;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use offhook_media::codec::Codec;
use offhook_media::engine::{Engine, EngineConfig, MediaPort, StreamConfig};
use offhook_media::g711::Law;
use offhook_media::rtp::Header;
use offhook_media::srtp::{SrtpKey, SrtpKeys, SrtpSession, SrtpSuite};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use super::figures::Figure;
use super::process::thread_cpu_seconds;
use super::{Outcome, tone};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Legs are served in so many portions of the 20 ms: packets of a busy system come some at a time, and
/// what wakes a thread is not what is measured here.
const PORTIONS: usize = 4;
/// Calls whose packets are compared; how often in turn, and for how many packets of each leg: what
/// else goes on in the machine changes more slowly than that.
const CALLS: u32 = 200;
const TURNS: usize = 120;
const TURN: u64 = 5;
/// Until the last packets have come through.
const SETTLE: Duration = Duration::from_millis(20);
/// Packets of one leg that exist; a talk goes through them again with later numbers.
const SPEECH: u32 = 100;

/// One side of a call: its socket, its packets, and how they are secured.
struct Leg {
    socket: UdpSocket,
    _port: MediaPort,
    codec: Codec,
    payloads: Vec<Vec<u8>>,
    session: Option<SrtpSession>,
    ssrc: u32,
    sequence: u16,
    /// The next packet, and how long it is.
    packet: [u8; 512],
    length: usize,
}

/// What a side is.
#[derive(Clone, Copy)]
struct Kind {
    codec: Codec,
    suite: Option<SrtpSuite>,
}

const PLAIN: Kind = Kind { codec: Codec::Pcmu, suite: None };

impl Leg {
    fn new(engine: &Engine, kind: Kind, ssrc: u32) -> Outcome<Self> {
        let socket = UdpSocket::bind((HERE, 0))?;
        socket.set_nonblocking(true)?;
        let port = engine.open(HERE, tokio::sync::mpsc::channel(8).0)?;
        let mut stream = StreamConfig::new(socket.local_addr()?, kind.codec);
        let keys = kind.suite.map(|suite| (SrtpKey::generate(suite), SrtpKey::generate(suite)));
        stream.srtp = keys.clone().map(|(tx, rx)| SrtpKeys { tx, rx });
        port.set_stream(stream);
        socket.connect(port.rtp_addr())?;
        Ok(Self {
            socket,
            _port: port,
            codec: kind.codec,
            payloads: payloads(kind.codec)?,
            session: keys.and_then(|(tx, rx)| SrtpSession::new(SrtpKeys { tx: rx, rx: tx })),
            ssrc,
            sequence: 0,
            packet: [0; 512],
            length: 0,
        })
    }

    /// Makes the packet of the next 20 ms: here, not by whom we measure, and before its time, so that
    /// secured packets come one after the other as fast as plain ones.
    fn prepare(&mut self) {
        let payload = &self.payloads[usize::from(self.sequence) % self.payloads.len()];
        let timestamp = u32::from(self.sequence) * (self.codec.clock_rate() / 50);
        let header = Header {
            marker: false,
            payload_type: self.codec.payload_type(),
            sequence: self.sequence,
            timestamp,
            ssrc: self.ssrc,
        };
        self.packet[..12].copy_from_slice(&header.to_bytes());
        self.packet[12..12 + payload.len()].copy_from_slice(payload);
        let at = 0..12 + payload.len();
        let at = match &mut self.session {
            Some(session) => session.protect_rtp(&mut self.packet, at).unwrap_or(0..0),
            None => at,
        };
        self.length = at.end;
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// Says what was made.
    fn say(&self) {
        let _ = self.socket.send(&self.packet[..self.length]);
    }

    /// Packets that have come.
    fn hear(&self) -> u64 {
        let mut packet = [0; 2048];
        let mut heard = 0;
        while self.socket.recv(&mut packet).is_ok() {
            heard += 1;
        }
        heard
    }
}

/// Payloads of 20 ms each.
fn payloads(codec: Codec) -> Outcome<Vec<Vec<u8>>> {
    let mut coder = Alone::new(codec)?;
    let hertz = coder.hertz();
    Ok((0..SPEECH).map(|n| coder.encode(&tone::speech(n, hertz))).collect())
}

/// A codec without an engine, set as the engine sets it.
enum Alone {
    Law,
    G722(Box<ezk_g722::libg722::encoder::Encoder>, Box<ezk_g722::libg722::decoder::Decoder>),
    Opus(Box<opus_pure::OpusEncoder>, Box<opus_pure::OpusDecoder>),
}

impl Alone {
    fn new(codec: Codec) -> Outcome<Self> {
        use ezk_g722::libg722::{Bitrate, decoder, encoder};
        Ok(match codec {
            Codec::Pcmu | Codec::Pcma => Self::Law,
            Codec::G722 => {
                let encoder = encoder::Encoder::new(Bitrate::Mode1_64000, false, false);
                let decoder = decoder::Decoder::new(Bitrate::Mode1_64000, false, false);
                Self::G722(Box::new(encoder), Box::new(decoder))
            }
            Codec::Passed(_) => return Err("a codec that is only passed on costs nothing".into()),
            Codec::Opus => {
                // Narrowband is all that the other side of the call can hear.
                let voip = opus_pure::Application::Voip;
                let mut encoder = opus_pure::OpusEncoder::new(8000, 1, voip)
                    .map_err(|e| format!("Opus: {e:?}"))?;
                (encoder.bitrate_bps, encoder.complexity) = (16_000, 5);
                let decoder =
                    opus_pure::OpusDecoder::new(8000, 1).map_err(|e| format!("Opus: {e:?}"))?;
                Self::Opus(Box::new(encoder), Box::new(decoder))
            }
        })
    }

    fn hertz(&self) -> u32 {
        if matches!(self, Self::G722(..)) { 16_000 } else { 8000 }
    }

    fn encode(&mut self, samples: &[i16]) -> Vec<u8> {
        match self {
            Self::Law => samples.iter().map(|sample| Law::Mu.encode(*sample)).collect(),
            Self::G722(encoder, _) => encoder.encode(samples),
            Self::Opus(encoder, _) => {
                let mut bytes = vec![0; 640];
                let n = encoder.encode_s16(samples, samples.len(), &mut bytes).unwrap_or(0);
                bytes.truncate(n);
                bytes
            }
        }
    }

    fn decode(&mut self, payload: &[u8]) -> Vec<i16> {
        match self {
            Self::Law => payload.iter().map(|byte| Law::Mu.decode(*byte)).collect(),
            Self::G722(_, decoder) => decoder.decode(payload),
            Self::Opus(_, decoder) => {
                let mut samples = vec![0; 960];
                let n = decoder.decode_s16(payload, 960, &mut samples).unwrap_or(0);
                samples.truncate(n);
                samples
            }
        }
    }

    /// CPU seconds of a second of encoding and decoding.
    fn cost(codec: Codec) -> Outcome<f64> {
        let mut coder = Self::new(codec)?;
        let hertz = coder.hertz();
        let said: Vec<_> = (0..SPEECH).map(|n| tone::speech(n, hertz)).collect();
        let packets: Vec<_> = said.iter().map(|samples| coder.encode(samples)).collect();
        let rounds = if codec == Codec::Opus { 5 } else { 20 };
        let before = own_cpu();
        for _ in 0..rounds {
            for (samples, packet) in said.iter().zip(&packets) {
                black_box(coder.encode(black_box(samples)));
                black_box(coder.decode(black_box(packet)));
            }
        }
        Ok((own_cpu() - before) / f64::from(rounds) / f64::from(SPEECH) * 50.0)
    }
}

fn own_cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// What a talk of calls through the engine cost.
struct Talk {
    /// Of the media thread.
    cpu: f64,
    /// Packets that came out.
    packets: u64,
    /// Of all threads.
    allocations: usize,
}

/// Calls of these two kinds, which have begun to talk.
fn legs(engine: &Engine, kinds: [Kind; 2], calls: std::ops::Range<u32>) -> Outcome<Vec<Leg>> {
    let mut legs = Vec::new();
    for call in calls {
        let a = Leg::new(engine, kinds[0], 1000 + call * 2)?;
        let b = Leg::new(engine, kinds[1], 1001 + call * 2)?;
        engine.bridge(&a._port, &b._port);
        legs.extend([a, b]);
    }
    // Latches, jitter buffers and encoders settle.
    rounds(&mut legs, 100);
    Ok(legs)
}

/// CPU that the media thread spends on a packet of calls with one secured leg more than on one of
/// plain calls, and how wrong that may be (two standard errors); microseconds. Both have their turns on
/// the same thread, a tenth of a second each and either one first in turn; of the differences the
/// quarters at both ends, in which the machine did something else, do not count.
fn secured(suite: SrtpSuite) -> Outcome<(f64, f64)> {
    let engine = start()?;
    let mut plain = legs(&engine, [PLAIN, PLAIN], 0..CALLS)?;
    let one = Kind { suite: Some(suite), ..PLAIN };
    let mut secured = legs(&engine, [PLAIN, one], CALLS..2 * CALLS)?;
    let us = |legs: &mut Vec<Leg>| {
        let cpu = thread_cpu_seconds("media-0");
        let packets = rounds(legs, TURN);
        (thread_cpu_seconds("media-0") - cpu) * 1e6 / packets.max(1) as f64
    };
    let mut more: Vec<f64> = (0..TURNS)
        .map(|turn| {
            if turn % 2 == 0 {
                us(&mut secured) - us(&mut plain)
            } else {
                -us(&mut plain) + us(&mut secured)
            }
        })
        .collect();
    drop((plain, secured));
    engine.shutdown();
    more.sort_by(f64::total_cmp);
    let (low, high) = (more[TURNS / 4], more[TURNS * 3 / 4]);
    let middle = &more[TURNS / 4..TURNS * 3 / 4];
    // Of a bell curve, that mean has an error of 0.81 of the range of the quartiles by the root of
    // their number.
    let error = 0.81 * (high - low) / (TURNS as f64).sqrt();
    Ok((middle.iter().sum::<f64>() / middle.len() as f64, 2.0 * error))
}

/// An engine whose media thread is not where the load is.
fn start() -> Outcome<Engine> {
    let engine = Engine::start(EngineConfig::default())?;
    super::appliance::pin_thread("media-0", 0)?;
    Ok(engine)
}

/// Lets `calls` calls of these two kinds talk for some seconds.
fn talk(kinds: [Kind; 2], calls: u32, seconds: u64) -> Outcome<Talk> {
    let engine = start()?;
    let mut legs = legs(&engine, kinds, 0..calls)?;
    let cpu = thread_cpu_seconds("media-0");
    let heap = Region::new(HEAP);
    let packets = rounds(&mut legs, seconds * 50);
    // Reading the clock takes heap of its own.
    let allocations = heap.change().allocations;
    let cpu = thread_cpu_seconds("media-0") - cpu;
    drop(legs);
    engine.shutdown();
    Ok(Talk { cpu, packets, allocations })
}

/// So many times 20 ms, evenly spread.
fn rounds(legs: &mut [Leg], count: u64) -> u64 {
    let portion = legs.len().div_ceil(PORTIONS).max(1);
    let step = Duration::from_millis(20) / legs.len().div_ceil(portion) as u32;
    let mut next = Instant::now();
    let mut heard = 0;
    for _ in 0..count {
        for portion in legs.chunks_mut(portion) {
            portion.iter_mut().for_each(Leg::prepare);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            next += step;
            for leg in portion {
                leg.say();
                heard += leg.hear();
            }
        }
    }
    std::thread::sleep(SETTLE);
    heard + legs.iter().map(Leg::hear).sum::<u64>()
}

/// Heap and SRTP: figures of plain calls and of calls with one secured leg.
pub(crate) fn packets(seconds: u64) -> Outcome<Vec<Figure>> {
    let plain = talk([PLAIN, PLAIN], CALLS, seconds.div_ceil(3))?;
    let per_packet = plain.allocations as f64 / plain.packets as f64;
    let mut figures =
        vec![Figure::plain("heap allocations per relayed packet", per_packet, "", Some(0.0))];
    let suites = [SrtpSuite::AesCm128HmacSha1_80, SrtpSuite::AeadAes128Gcm];
    for suite in suites {
        let name = format!("SRTP on one leg ({}): more per packet", suite.name());
        let (more, error) = secured(suite)?;
        figures.push(Figure::plain(&name, more, "us", Some(0.6)));
        figures.push(Figure::plain(format!("{name}, two standard errors"), error, "us", None));
    }
    Ok(figures)
}

/// Transcoding, beside the codec alone and the bare relay of the same packets.
pub(crate) fn codecs(seconds: u64, floor_us_per_packet: f64) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    for (codec, calls) in [(Codec::G722, 50), (Codec::Opus, 20)] {
        let other = Kind { codec, suite: None };
        let talk = talk([PLAIN, other], calls, seconds)?;
        let cost = talk.cpu / seconds as f64 / f64::from(calls);
        let alone = Alone::cost(codec)? + Alone::cost(Codec::Pcmu)?;
        let floor = floor_us_per_packet * 100.0 / 1e6;
        let name = format!(
            "PCMU to {}",
            match codec {
                Codec::G722 => "G.722",
                _ => "Opus",
            }
        );
        figures.push(Figure::plain(format!("{name}: calls per core"), 1.0 / cost, "calls", None));
        figures.push(Figure::beside(
            format!("{name}: CPU per call-second"),
            cost * 1e3,
            "ms",
            ("codec alone with a bare relay", (alone + floor) * 1e3),
            Some(1.25),
        ));
    }
    Ok(figures)
}
