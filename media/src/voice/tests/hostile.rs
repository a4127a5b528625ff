//! Payloads that no honest peer sends.

use std::time::{Duration, Instant};

use super::line::chance;
use super::*;
use crate::codec::OpusWishes;
use crate::voice::coder::{Decoder, Encoder};

/// Real packets with bits turned, and bytes that were never a packet.
fn hostile(codec: Codec, rate: Rate, count: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut encoder = Encoder::new(codec, rate, OpusWishes::default()).unwrap();
    let frame = encoder.rate().piece() * 2;
    let said = voice(encoder.rate(), 4);
    let mut random = chance(codec.payload_type().into());
    let mut below = move |n: usize| (random() * n as f64) as usize;
    (0..count).map(move |n| {
        let mut payload = vec![0; 1000];
        let at = n * frame % (said.len() - frame);
        let length = encoder.encode(&said[at..at + frame], &mut payload);
        payload.truncate(length);
        match n % 4 {
            0 => payload = (0..below(400)).map(|_| below(256) as u8).collect(),
            1 => payload.truncate(below(length)),
            _ => {
                for _ in 0..1 + below(8) {
                    let at = below(length);
                    payload[at] ^= 1 << below(8);
                }
            }
        }
        payload
    })
}

#[test]
fn no_payload_breaks_a_decoder_or_makes_more_than_a_packet_holds() {
    for (codec, rate) in [
        (Codec::Opus, Rate::Narrow),
        (Codec::Opus, Rate::Wide),
        (Codec::G722, Rate::Wide),
        (Codec::Pcma, Rate::Narrow),
    ] {
        let mut decoder = Decoder::new(codec, rate).unwrap();
        let mut out = Vec::new();
        for (n, payload) in hostile(codec, rate, 4000).enumerate() {
            out.clear();
            match n % 5 {
                3 => decoder.recover(&payload, rate.piece() * 2, &mut out),
                4 => decoder.conceal(rate.piece(), &mut out),
                _ => decoder.decode(&payload, &mut out),
            }
            assert!(out.len() <= rate.piece() * 12 || codec != Codec::Opus);
        }
    }
}

#[test]
fn an_ear_outlives_every_stream_and_gives_ten_milliseconds_each_time() {
    let began = Instant::now();
    let mut ear = Ear::new(began, Rate::Wide);
    let mut random = chance(5);
    let mut out = Vec::new();
    let packets: Vec<(Codec, Vec<u8>)> = Codec::ALL
        .into_iter()
        .flat_map(|codec| hostile(codec, Rate::Wide, 300).map(move |p| (codec, p)))
        .collect();
    for step in 0..4000u64 {
        let now = began + Duration::from_millis(5 * step);
        for _ in 0..(random() * 4.0) as usize {
            let (codec, payload) = &packets[(random() * packets.len() as f64) as usize];
            let codec = (random() > 0.1).then_some(*codec);
            let timestamp = if random() < 0.8 { step as u32 * 40 } else { (random() * 4e9) as u32 };
            let ssrc = if random() < 0.98 { 1 } else { 2 };
            ear.push(now, Heard { ssrc, timestamp, codec, payload });
        }
        while ear.due(now) {
            out.clear();
            ear.pull(now, &mut out);
            assert_eq!(out.len(), Rate::Wide.piece());
        }
    }
}

#[test]
fn an_empty_packet_between_others_is_heard_as_nothing() {
    let began = Instant::now();
    let mut ear = Ear::new(began, Rate::Wide);
    let mut encoder = Encoder::new(Codec::Opus, Rate::Wide, OpusWishes::default()).unwrap();
    let said = sine(Rate::Wide, 600.0, 10_000.0, 16_000 * 3);
    let mut out = Vec::new();
    for (n, frame) in (0u32..).zip(said.chunks_exact(320)) {
        let now = began + Duration::from_millis(20 * u64::from(n));
        let mut payload = [0; 400];
        let length = encoder.encode(frame, &mut payload);
        // A keep-alive has a timestamp of its own.
        for (timestamp, payload) in [(n * 960, &payload[..length]), (n * 960 + 480, &[])] {
            ear.push(now, Heard { ssrc: 1, timestamp, codec: Some(Codec::Opus), payload });
        }
        for step in [10, 19] {
            while ear.due(now + Duration::from_millis(step)) {
                ear.pull(now + Duration::from_millis(step), &mut out);
            }
        }
    }
    let (level, above) = tone(&out[16_000..40_000], Rate::Wide, 600.0);
    assert!(db(level / 10_000.0).abs() < 1.5 && above > 14.0, "{level} {above}");
}
