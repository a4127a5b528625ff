//! What somebody hears who is put on hold, unless the operator has other music: made by arithmetic,
//! so that nobody's rights are in it.

use std::time::Duration;

use offhook_media::clip::{Clip, RATE};
use offhook_media::tone;

/// A soft, slow figure of single notes with rests. To be repeated.
pub(super) fn hold_music() -> Clip {
    /// Hertz of C4 E4 G4 A4 C5.
    const NOTES: [f64; 5] = [261.63, 329.63, 392.0, 440.0, 523.25];
    const FIGURE: [usize; 16] = [0, 2, 4, 2, 3, 2, 1, 2, 0, 2, 3, 4, 2, 1, 0, 2];
    let note = Duration::from_millis(520);
    let rest = Duration::from_millis(2_000);
    let mut all = Vec::new();
    for (n, step) in FIGURE.iter().enumerate() {
        let hertz = NOTES.get(*step).copied().unwrap_or(NOTES[0]);
        let played =
            tone::samples(tone::Sines { hertz: &[hertz, hertz * 2.0], level: -27.0 }, note);
        let length = played.len().max(1);
        // Struck and left to fade, as a string is.
        all.extend(played.iter().enumerate().map(|(at, sample)| {
            let left = (length - at) as f64 / length as f64;
            (f64::from(*sample) * left * left) as i16
        }));
        if n % 8 == 7 {
            all.resize(all.len() + rest.as_millis() as usize * RATE as usize / 1000, 0);
        }
    }
    Clip::from_samples(all)
}

/// Five seconds of it, for who waits in steps: half of the figure, and its rest.
pub(super) fn waiting_music() -> Clip {
    let length = 5 * RATE as usize;
    let mut samples = hold_music().samples().to_vec();
    samples.truncate(length);
    Clip::from_samples(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_music_for_one_step_of_waiting_lasts_five_seconds_and_ends_in_its_rest() {
        let music = waiting_music();
        assert_eq!(music.duration(), Duration::from_secs(5));
        assert!(music.samples().iter().rev().take(4_000).all(|sample| *sample == 0));
    }

    #[test]
    fn the_music_is_soft_has_rests_and_begins_and_ends_without_a_click() {
        let music = hold_music();
        assert!(music.duration() > Duration::from_secs(10));
        let loudest = music.samples().iter().map(|s| s.unsigned_abs()).max().unwrap();
        assert!((1000..8000).contains(&loudest), "{loudest}");
        let quiet = music.samples().iter().filter(|s| s.unsigned_abs() < 10).count();
        assert!(quiet > music.samples().len() / 5, "no rests");
        for at in [0, music.samples().len() - 1] {
            assert!(music.samples()[at].unsigned_abs() < 100);
        }
    }
}
