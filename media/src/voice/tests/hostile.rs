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
