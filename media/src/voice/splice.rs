//! Taking out or repeating a few milliseconds so that nobody hears it.

use super::Rate;

/// How long a piece may be that goes or comes twice, in µs: a period of most voices, or two.
const SHORTEST_US: u32 = 5000;
const LONGEST_US: u32 = 12_500;
/// Over how long the two sides of the cut are faded, in µs; not longer than the shortest piece.
const FADE_US: u32 = 5000;

fn samples(rate: Rate, us: u32) -> usize {
    (rate.hertz() * (us / 500) / 2000) as usize
}

/// Samples that must be there for a cut.
pub(super) fn needed(rate: Rate) -> usize {
    samples(rate, LONGEST_US) + samples(rate, FADE_US)
}

/// The distance at which the sound is most like its beginning.
fn best_lag(audio: &[i16], rate: Rate) -> Option<usize> {
    let fade = samples(rate, FADE_US);
    let head = audio.get(..fade)?;
    let energy = |piece: &[i16]| -> f32 { piece.iter().map(|&s| f32::from(s).powi(2)).sum() };
    let mut best = (f32::MIN, samples(rate, SHORTEST_US));
    for lag in samples(rate, SHORTEST_US)..=samples(rate, LONGEST_US) {
        let tail = audio.get(lag..lag + fade)?;
        let product: f32 = head.iter().zip(tail).map(|(&a, &b)| f32::from(a) * f32::from(b)).sum();
        let likeness = product / (energy(tail) + 1.0).sqrt();
        if likeness > best.0 {
            best = (likeness, lag);
        }
    }
    Some(best.1)
}

/// Samples from the one to the other, sample by sample.
fn faded(from: i16, to: i16, at: usize, length: usize) -> i16 {
    let part = (at as f32 + 0.5) / length as f32;
    (f32::from(from) * (1.0 - part) + f32::from(to) * part) as i16
}

/// Takes one period out of the beginning of `audio`. Tells how long it was.
pub(super) fn shorten(audio: &mut Vec<i16>, rate: Rate) -> Option<usize> {
    let (lag, fade) = (best_lag(audio, rate)?, samples(rate, FADE_US));
    for at in 0..fade {
        let (from, to) = (audio.get(at).copied()?, audio.get(at + lag).copied()?);
        *audio.get_mut(at + lag)? = faded(from, to, at, fade);
    }
    audio.drain(..lag);
    Some(lag)
}

/// Says one period at the beginning of `audio` twice. Tells how long it was.
pub(super) fn lengthen(audio: &mut Vec<i16>, rate: Rate) -> Option<usize> {
    let (lag, fade) = (best_lag(audio, rate)?, samples(rate, FADE_US));
    let old = audio.len();
    audio.resize(old + lag, 0);
    audio.copy_within(..old, lag);
    // The first period is there twice now; behind it fades what followed it into its beginning.
    for at in 0..fade {
        let follows = audio.get(2 * lag + at).copied()?;
        let begins = audio.get(lag + at).copied()?;
        *audio.get_mut(lag + at)? = faded(follows, begins, at, fade);
    }
    Some(lag)
}
