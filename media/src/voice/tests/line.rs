//! A peer that speaks, a network that is bad, an ear that listens.

use std::time::{Duration, Instant};

use super::*;
use crate::codec::OpusWishes;
use crate::voice::coder::Encoder;

/// What the network does to a packet: `None` loses it, else it comes so many µs later.
pub(super) type Network<'a> = &'a mut dyn FnMut(u32) -> Option<u64>;

/// A peer's stream into an ear.
pub(super) struct Line {
    pub(super) codec: Codec,
    pub(super) ptime_ms: u32,
    pub(super) wishes: OpusWishes,
    /// By how much the peer's clock is fast.
    pub(super) ppm: f64,
    /// The rate of the ear.
    pub(super) rate: Rate,
}

impl Line {
    pub(super) fn new(codec: Codec, rate: Rate) -> Self {
        Self { codec, ptime_ms: 20, wishes: OpusWishes::default(), ppm: 0.0, rate }
    }

    /// Says `samples`, which are at the rate of the codec's encoder for this ear, and gives what is
    /// heard. `watch` sees the ear and its time at every piece.
    pub(super) fn run(
        &self,
        samples: &[i16],
        network: Network<'_>,
        mut watch: impl FnMut(&Ear, Instant),
    ) -> Vec<i16> {
        let began = Instant::now();
        let mut encoder = Encoder::new(self.codec, self.rate, self.wishes).unwrap();
        let frame = (encoder.rate().hertz() / 1000 * self.ptime_ms) as usize;
        let ticks = self.codec.clock_rate() / 1000 * self.ptime_ms;
        let gap = f64::from(self.ptime_ms) * 1000.0 / (1.0 + self.ppm * 1e-6);
        let mut ear = Ear::new(began, self.rate);
        let (mut out, mut wire) = (Vec::new(), Vec::<(u64, u32, Vec<u8>)>::new());
        let mut frames = samples.chunks_exact(frame);
        let (mut number, mut now, mut idle) = (0u32, 0u64, 0);
        while idle < 40 {
            // Packets leave when their last sample was spoken.
            while f64::from(number + 1) * gap <= now as f64
                && let Some(samples) = frames.next()
            {
                let mut payload = [0; 1000];
                let length = encoder.encode(samples, &mut payload);
                assert!(length > 0);
                if let Some(late) = network(number) {
                    wire.push((now + late, number, payload[..length].to_vec()));
                }
                number += 1;
            }
            idle = if frames.len() == 0 { idle + 1 } else { 0 };
            let at = began + Duration::from_micros(now);
            wire.retain(|(when, number, payload)| {
                let there = *when <= now;
                if there {
                    let timestamp = number.wrapping_mul(ticks).wrapping_add(0xffff_ff00);
                    let codec = Some(self.codec);
                    ear.push(at, Heard { ssrc: 7, timestamp, codec, payload });
                }
                !there
            });
            while ear.due(at) {
                ear.pull(at, &mut out);
                watch(&ear, at);
            }
            now += 5000;
        }
        out
    }
}

/// A reproducible sequence of numbers below one.
pub(super) fn chance(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    }
}
