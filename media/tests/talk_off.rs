//! Twenty-five minutes of speech and a crowd hold no key.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;
use std::process::{Command, Stdio};

use offhook_media::clip::decode_bytes;
use offhook_media::dtmf::{Detector, Heard};

/// Voices of espeak-ng, high and low, hoarse and clear.
const VOICES: [&str; 15] = [
    "en-us+f2",
    "en-us+m3",
    "en-gb+f5",
    "en-gb+m7",
    "de+f3",
    "de+m2",
    "fr+f1",
    "es+m4",
    "it+f4",
    "pt+m1",
    "nl+f2",
    "pl+m5",
    "ru+f3",
    "sv+croak",
    "ja+whisper",
];

/// What all of them must say together, in samples at 8 kHz.
const ENOUGH: usize = 25 * 60 * 8000;

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn word(&mut self) -> String {
        const BEGIN: [&str; 16] =
            ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "st", "br", ""];
        const MIDDLE: [&str; 10] = ["a", "e", "i", "o", "u", "ee", "oo", "ai", "ou", "y"];
        const END: [&str; 8] = ["", "n", "r", "l", "s", "t", "ng", "m"];
        (0..1 + self.below(3))
            .flat_map(|_| [BEGIN[self.below(16)], MIDDLE[self.below(10)], END[self.below(8)]])
            .collect()
    }

    /// Made-up words, and numbers.
    fn text(&mut self, words: usize) -> String {
        let mut text = String::new();
        for n in 1..=words {
            match self.below(4) {
                0 => text += &self.below(10_000).to_string(),
                _ => text += &self.word(),
            }
            text += if n % 9 == 0 { ". " } else { " " };
        }
        text
    }
}

/// A voice says something: samples at 8 kHz.
fn say(voice: &str, speed: usize, pitch: usize, text: &str) -> Vec<i16> {
    let mut espeak = Command::new("espeak-ng")
        .args(["-v", voice, "-s", &speed.to_string(), "-p", &pitch.to_string(), "--stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("espeak-ng, which `make test` installs");
    let mut stdin = espeak.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    let mut wav = espeak.wait_with_output().unwrap().stdout;
    // What goes into a pipe does not know its length when it begins.
    let length = u32::try_from(wav.len()).unwrap();
    wav[4..8].copy_from_slice(&(length - 8).to_le_bytes());
    wav[40..44].copy_from_slice(&(length - 44).to_le_bytes());
    decode_bytes("speech", wav).unwrap().samples().to_vec()
}

fn keys(samples: &[i16]) -> Vec<Heard> {
    let mut heard = Vec::new();
    Detector::default().feed(samples, |event| heard.push(event));
    heard
}

/// Louder or quieter by this much.
fn scaled(samples: &[i16], by: f32) -> Vec<i16> {
    samples.iter().map(|&s| (f32::from(s) * by).clamp(-32_000.0, 32_000.0) as i16).collect()
}

#[test]
fn twenty_five_minutes_of_speech_and_a_crowd_hold_no_key() {
    let mut random = Random(11);
    let (mut said, mut crowd) = (0, vec![0_i32; 2 * 60 * 8000]);
    let mut round = 0;
    while said < ENOUGH {
        let voice = VOICES[round % VOICES.len()];
        let (speed, pitch) = (130 + random.below(90), 20 + random.below(70));
        let samples = say(voice, speed, pitch, &random.text(220));
        said += samples.len();
        // Loud and quiet in turn.
        let samples = scaled(&samples, [1.0, 0.5, 0.25][round % 3]);
        assert_eq!(keys(&samples), [], "{voice} {speed} {pitch} round {round}");
        crowd.iter_mut().zip(&samples).for_each(|(sum, &s)| *sum += i32::from(s) / 3);
        round += 1;
    }
    let crowd: Vec<i16> = crowd.iter().map(|&s| s.clamp(-32_000, 32_000) as i16).collect();
    assert_eq!(keys(&crowd), []);
}
