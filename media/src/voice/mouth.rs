//! Samples of any rate to packets of one codec and length.

use std::time::{Duration, Instant};

use super::Rate;
use super::coder::Encoder;
use super::halfband::{Doubler, Halver};
use crate::codec::{Codec, OpusWishes};

/// Room for the largest payload: 60 ms of G.711, or an Opus packet at its highest useful rate.
pub(crate) const MAX_PAYLOAD: usize = 640;

/// Silence of the source after which its next sample begins a talkspurt, at the time of the clock.
const BREAK: Duration = Duration::from_millis(70);

/// A packet that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spoken {
    /// Tells one run of packets without a break from the next.
    pub(crate) run: u32,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) length: usize,
}

/// Makes the packets of one leg.
pub(crate) struct Mouth {
    codec: Codec,
    wishes: OpusWishes,
    encoder: Option<Encoder>,
    ptime_ms: u16,
    doubler: Doubler,
    halver: Halver,
    /// Samples at the encoder's rate that wait for a whole packet.
    waiting: Vec<i16>,
    last_fed: Option<Instant>,
    run: u32,
    sequence: u16,
    timestamp: u32,
}

impl Mouth {
    pub(crate) fn new(codec: Codec, wishes: OpusWishes, ptime_ms: u16) -> Self {
        Self {
            codec,
            wishes,
            encoder: Encoder::new(codec, Rate::Narrow, wishes),
            ptime_ms,
            doubler: Doubler::default(),
            halver: Halver::default(),
            waiting: Vec::new(),
            last_fed: None,
            run: 0,
            sequence: 0,
            timestamp: 0,
        }
    }

    /// Speaks in another way from the next packet on; what waits for it is not lost.
    pub(crate) fn set_codec(&mut self, codec: Codec, wishes: OpusWishes) {
        if (self.codec, self.wishes) == (codec, wishes) {
            return;
        }
        let before = std::mem::replace(self, Self::new(codec, wishes, self.ptime_ms));
        self.run = before.run;
        if let (Some(at), Some(encoder)) = (before.last_fed, &before.encoder) {
            self.feed(at, &before.waiting, encoder.rate());
        }
    }

    /// Changes the length of packets from the next on.
    pub(crate) fn set_packet_time(&mut self, ptime_ms: u16) {
        self.ptime_ms = ptime_ms;
    }

    /// Takes what comes next.
    pub(crate) fn feed(&mut self, now: Instant, samples: &[i16], rate: Rate) {
        let broken = |last| now.saturating_duration_since(last) > BREAK;
        if self.last_fed.replace(now).is_none_or(broken) {
            self.run = self.run.wrapping_add(1);
            self.waiting.clear();
        }
        self.widen(rate);
        let Some(to) = self.encoder.as_ref().map(Encoder::rate) else { return };
        match (rate, to) {
            (Rate::Narrow, Rate::Wide) => self.doubler.run(samples, &mut self.waiting),
            (Rate::Wide, Rate::Narrow) => self.halver.run(samples, &mut self.waiting),
            _ => self.waiting.extend_from_slice(samples),
        }
    }

    /// An Opus encoder follows the best source so far, if its peer has use for it.
    fn widen(&mut self, rate: Rate) {
        let narrow = self.encoder.as_ref().is_some_and(|e| e.rate() == Rate::Narrow);
        let useful = self.wishes.max_playback_hz > Rate::Narrow.hertz();
        if self.codec == Codec::Opus && rate == Rate::Wide && narrow && useful {
            self.encoder = Encoder::new(Codec::Opus, Rate::Wide, self.wishes);
            self.waiting.clear();
        }
    }

    /// Puts the next whole packet's payload into `out`.
    pub(crate) fn poll(&mut self, out: &mut [u8; MAX_PAYLOAD]) -> Option<Spoken> {
        let ms = u32::from(packet_ms(self.codec, self.ptime_ms));
        let encoder = self.encoder.as_mut()?;
        let count = (encoder.rate().hertz() / 1000 * ms) as usize;
        let length = encoder.encode(self.waiting.get(..count)?, out);
        self.waiting.drain(..count);
        let (run, sequence, timestamp) = (self.run, self.sequence, self.timestamp);
        self.timestamp = timestamp.wrapping_add(self.codec.clock_rate() / 1000 * ms);
        // What could not be encoded is a packet that is lost, not an empty one.
        if length == 0 {
            return None;
        }
        self.sequence = sequence.wrapping_add(1);
        Some(Spoken { run, sequence, timestamp, length })
    }
}

/// The length of packets that comes nearest to what is wanted: Opus has none of 30 or 50 ms
/// (RFC 6716 §2.1.4).
fn packet_ms(codec: Codec, wanted: u16) -> u16 {
    match (codec, wanted.clamp(10, 60) / 10 * 10) {
        (Codec::Opus, 30) => 20,
        (Codec::Opus, 50) => 40,
        (_, ms) => ms,
    }
}
