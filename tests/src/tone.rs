//! Ears: which tone a recording holds.

use std::path::Path;

/// Mono samples of a 16-bit PCM or G.711 WAV file (of the first channel) and its sample rate, in
/// hertz.
pub fn read_wav(path: &Path) -> (Vec<i16>, u32) {
    let (channels, rate) = read_channels(path);
    (channels.into_iter().next().expect("a channel"), rate)
}

/// What is there of a mono WAV file that is still being written: its header promises nothing yet.
pub fn read_growing(path: &Path) -> Option<(Vec<i16>, u32)> {
    let mut bytes = std::fs::read(path).ok()?;
    // "data" and the length of what follows.
    let at = bytes.windows(4).position(|word| word == b"data")? + 4;
    let length = u32::try_from(bytes.len().checked_sub(at + 4)?).ok()?;
    bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
    let (channels, rate) = channels(path, &bytes);
    Some((channels.into_iter().next()?, rate))
}

/// Samples of each channel of a 16-bit PCM or µ-law WAV file and its sample rate, in hertz. Reads
/// only what the header promises, as any player would.
pub fn read_channels(path: &Path) -> (Vec<Vec<i16>>, u32) {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    channels(path, &bytes)
}

fn channels(path: &Path, bytes: &[u8]) -> (Vec<Vec<i16>>, u32) {
    assert!(bytes.len() >= 12 && &bytes[..4] == b"RIFF" && &bytes[8..12] == b"WAVE", "no WAV");
    let (mut at, mut format, mut channels, mut rate) = (12, 0u16, 1u16, 8000u32);
    while at + 8 <= bytes.len() {
        let size = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
        let body = &bytes[at + 8..(at + 8 + size).min(bytes.len())];
        match &bytes[at..at + 4] {
            b"fmt " => {
                format = u16::from_le_bytes([body[0], body[1]]);
                channels = u16::from_le_bytes([body[2], body[3]]);
                rate = u32::from_le_bytes(body[4..8].try_into().unwrap());
            }
            b"data" => {
                assert!(at + 8 + size <= bytes.len(), "the header promises more than there is");
                let samples: Vec<i16> = match format {
                    1 => body.chunks_exact(2).map(|c| i16::from_le_bytes([c[0], c[1]])).collect(),
                    7 => body.iter().map(|b| ulaw(*b)).collect(),
                    other => panic!("WAV format {other}"),
                };
                let channels = usize::from(channels);
                let channel = |n| samples.iter().skip(n).step_by(channels).copied().collect();
                return ((0..channels).map(channel).collect(), rate);
            }
            _ => {}
        }
        at += 8 + size + size % 2;
    }
    panic!("no data in {}", path.display());
}

/// ITU-T G.711 µ-law expansion.
fn ulaw(byte: u8) -> i16 {
    let byte = !byte;
    let magnitude = ((i32::from(byte & 15) << 3) + 132) << ((byte >> 4) & 7);
    let value = (magnitude - 132) as i16;
    if byte & 0x80 != 0 { -value } else { value }
}

/// Mean energy of a window that counts as sound.
const AUDIBLE: f64 = 10_000.0;

fn energy(block: &[i16]) -> f64 {
    block.iter().map(|s| f64::from(*s).powi(2)).sum()
}

/// How many seconds are not silent.
pub fn seconds_of_sound(samples: &[i16], rate: u32) -> f64 {
    let window = (rate / 20) as usize;
    let sound = |block: &&[i16]| energy(block) / window as f64 > AUDIBLE;
    samples.chunks_exact(window).filter(sound).count() as f64 / 20.0
}

/// Share (0..=1) of the energy of `samples` that lies at `frequency` hertz (Goertzel, windows of
/// 50 ms, silent ones left out). A clean tone gives nearly 1.
pub fn share(samples: &[i16], rate: u32, frequency: f64) -> f64 {
    let window = (rate / 20) as usize;
    let (mut at_frequency, mut all) = (0.0, 0.0);
    for block in samples.chunks_exact(window) {
        let energy = energy(block);
        if energy / window as f64 <= AUDIBLE {
            continue;
        }
        let w = std::f64::consts::TAU * frequency / f64::from(rate);
        let (mut s1, mut s2) = (0.0, 0.0);
        for sample in block {
            let s0 = f64::from(*sample) + 2.0 * w.cos() * s1 - s2;
            (s2, s1) = (s1, s0);
        }
        let power = s1 * s1 + s2 * s2 - 2.0 * w.cos() * s1 * s2;
        at_frequency += 2.0 * power / window as f64;
        all += energy;
    }
    if all == 0.0 { 0.0 } else { at_frequency / all }
}

/// Fails unless the file holds mainly this tone for at least `seconds`.
pub fn assert_tone(path: &Path, frequency: f64, seconds: f64) {
    let (samples, rate) = read_wav(path);
    let found = seconds_of_tone(&samples, rate, frequency);
    assert!(
        found >= seconds,
        "{}: {found:.2} s of {frequency} Hz in {:.2} s of audio, expected {seconds}",
        path.display(),
        samples.len() as f64 / f64::from(rate)
    );
}

/// How many seconds are mainly (over 80 % of the energy) this tone.
pub fn seconds_of_tone(samples: &[i16], rate: u32, frequency: f64) -> f64 {
    let window = (rate / 20) as usize;
    let hits = samples.chunks_exact(window).filter(|b| share(b, rate, frequency) > 0.8).count();
    hits as f64 / 20.0
}

/// How much alike the middle of `wanted` (0.4 s) and some part of `heard` are, both at 8 kHz: the
/// largest correlation, 1 for the same sound however loud.
pub fn likeness(wanted: &[i16], heard: &[i16]) -> f64 {
    const LENGTH: usize = 3200;
    let middle = wanted.len().saturating_sub(LENGTH) / 2;
    let wanted: Vec<f32> =
        wanted.iter().skip(middle).take(LENGTH).map(|&sample| f32::from(sample)).collect();
    let heard: Vec<f32> = heard.iter().map(|&sample| f32::from(sample)).collect();
    let energy = |samples: &[f32]| samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
    let own = energy(&wanted).sqrt();
    let mut theirs = energy(heard.get(..wanted.len()).unwrap_or_default());
    let mut best = 0.0f64;
    for (at, part) in heard.windows(wanted.len()).enumerate() {
        let product: f32 = part.iter().zip(&wanted).map(|(a, b)| a * b).sum();
        // What is nearly silent is like nothing.
        best = best.max(f64::from(product) / (own * theirs.max(0.0).sqrt()).max(1e6));
        let next = heard.get(at + wanted.len()).map_or(0.0, |s| f64::from(*s).powi(2));
        theirs += next - f64::from(heard[at]).powi(2);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(frequency: f64, seconds: f64) -> Vec<i16> {
        (0..(8000.0 * seconds) as usize)
            .map(|n| {
                ((n as f64 / 8000.0 * frequency * std::f64::consts::TAU).sin() * 8000.0) as i16
            })
            .collect()
    }

    #[test]
    fn a_sound_is_like_itself_softer_and_later_and_unlike_another() {
        let chirp = |bend: f64| -> Vec<i16> {
            let at = |n: f64| (n * n * bend).sin() * 8000.0;
            (0..12_000).map(|n| at(f64::from(n)) as i16).collect()
        };
        let mut heard = vec![0; 1234];
        heard.extend(chirp(1e-5).iter().map(|sample| sample / 3));
        assert!(likeness(&chirp(1e-5), &heard) > 0.99);
        assert!(likeness(&chirp(1.7e-5), &heard) < 0.5);
    }

    #[test]
    fn a_tone_is_heard_and_another_is_not() {
        assert!(share(&sine(440.0, 1.0), 8000, 440.0) > 0.95);
        assert!(share(&sine(440.0, 1.0), 8000, 1000.0) < 0.05);
        assert!((seconds_of_tone(&sine(440.0, 1.5), 8000, 440.0) - 1.5).abs() < 0.06);
    }
}
