//! Tones made by arithmetic: the beep before a recording, ringback, busy.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::clip::{Clip, RATE};

/// Samples over which a tone swells and fades (5 ms), so that it does not click.
const RAMP: usize = 40;

/// A sum of sines that sound together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sines<'a> {
    /// Frequencies in Hz, below 4000.
    pub hertz: &'a [f64],
    /// Level of each in dB below full scale, as a negative number.
    pub level: f64,
}

/// Whose tones a caller expects to hear (ITU-T E.180 supplement 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Region {
    /// United States and Canada.
    #[default]
    NorthAmerica,
    /// 425 Hz, as in most of the continent.
    Europe,
    /// United Kingdom.
    Uk,
}

/// The samples of a tone, with soft edges.
#[must_use]
pub fn samples(sines: Sines<'_>, duration: Duration) -> Vec<i16> {
    let count = samples_in(duration);
    let amplitude = 10f64.powf(sines.level / 20.0) * f64::from(i16::MAX);
    let ramp = RAMP.min(count / 2).max(1);
    (0..count)
        .map(|n| {
            let time = n as f64 / f64::from(RATE);
            let sum: f64 = sines.hertz.iter().map(|hertz| (TAU * hertz * time).sin()).sum();
            let edge = (n + 1).min(count - n).min(ramp) as f64 / ramp as f64;
            (sum * amplitude * edge).round() as i16
        })
        .collect()
}

/// One sine as a clip, `level` in dB below full scale.
#[must_use]
pub fn sine(hertz: f64, level: f64, duration: Duration) -> Clip {
    Clip::from_samples(samples(Sines { hertz: &[hertz], level }, duration))
}

/// The beep before a recording: 1000 Hz, 0.3 s.
#[must_use]
pub fn beep() -> Clip {
    sine(1000.0, -12.0, Duration::from_millis(300))
}

/// One cycle of ringback; to be repeated.
#[must_use]
pub fn ringback(region: Region) -> Clip {
    match region {
        Region::NorthAmerica => cadence(&[440.0, 480.0], &[(2000, 4000)]),
        Region::Europe => cadence(&[425.0], &[(1000, 4000)]),
        Region::Uk => cadence(&[400.0, 450.0], &[(400, 200), (400, 2000)]),
    }
}

/// One cycle of the busy tone; to be repeated.
#[must_use]
pub fn busy(region: Region) -> Clip {
    match region {
        Region::NorthAmerica => cadence(&[480.0, 620.0], &[(500, 500)]),
        Region::Europe => cadence(&[425.0], &[(500, 500)]),
        Region::Uk => cadence(&[400.0], &[(375, 375)]),
    }
}

/// Tone and silence in turn, both in milliseconds.
fn cadence(hertz: &[f64], pattern: &[(u64, u64)]) -> Clip {
    let mut all = Vec::new();
    for (on, off) in pattern {
        all.extend(samples(Sines { hertz, level: -19.0 }, Duration::from_millis(*on)));
        all.resize(all.len() + samples_in(Duration::from_millis(*off)), 0);
    }
    Clip::from_samples(all)
}

/// At most a minute: tones are repeated, not long.
fn samples_in(duration: Duration) -> usize {
    duration.as_millis().min(60_000) as usize * RATE as usize / 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resample::tests::level_of;

    #[test]
    fn the_beep_is_a_clean_kilohertz_with_soft_edges() {
        let beep = beep();
        assert_eq!(beep.duration(), Duration::from_millis(300));
        assert!((level_of(beep.samples(), 1000.0) + 12.0).abs() < 0.2);
        let edge = |n: usize| beep.samples()[n].unsigned_abs();
        assert!(edge(0) < 300 && edge(beep.samples().len() - 1) < 300);
    }

    #[test]
    fn tones_have_the_cadence_of_their_country() {
        for (clip, seconds) in [
            (ringback(Region::NorthAmerica), 6.0),
            (ringback(Region::Europe), 5.0),
            (ringback(Region::Uk), 3.0),
            (busy(Region::NorthAmerica), 1.0),
            (busy(Region::Uk), 0.75),
        ] {
            assert_eq!(clip.duration().as_secs_f64(), seconds);
            assert!(clip.samples().iter().any(|s| s.unsigned_abs() > 3000));
        }
        let ringback = ringback(Region::NorthAmerica);
        assert!(ringback.samples()[16_000..].iter().all(|s| *s == 0));
    }

    #[test]
    fn an_empty_or_endless_tone_does_no_harm() {
        assert!(sine(1000.0, 0.0, Duration::ZERO).samples().is_empty());
        assert_eq!(sine(1000.0, 40.0, Duration::MAX).samples().len(), 480_000);
    }
}
