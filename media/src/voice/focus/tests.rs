use super::*;
use crate::prompts;

const PROMPT: &str = "vm-greeting";

/// Noise as of a fan, less of it the higher, of about this standard deviation; the same each time.
fn noise(count: usize, level: f32) -> Vec<f32> {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut uniform = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    let mut last = 0.0;
    let mut next = || {
        // Twelve of them have a variance of one.
        let white = (0..12).map(|_| uniform()).sum::<f32>();
        last = 0.6 * last + 0.8 * white;
        last * level
    };
    (0..count).map(|_| next()).collect()
}

/// Before the voice, in samples of 8 kHz: the network has to know the noise first.
const LEAD: usize = 5 * 8000;

/// Five seconds of silence, a prompt of our own, and two seconds of silence.
fn speech(rate: Rate) -> (Vec<f32>, std::ops::Range<usize>) {
    let prompt = prompts::get(prompts::named(PROMPT).expect("a prompt"));
    let mut samples: Vec<i16> = vec![0; LEAD];
    samples.extend(prompt.samples().iter());
    samples.extend([0; 16_000]);
    let spoken = LEAD..samples.len() - 16_000;
    match rate {
        Rate::Narrow => (samples.iter().map(|s| f32::from(*s)).collect(), spoken),
        Rate::Wide => {
            let mut wide = Vec::new();
            super::super::Doubler::default().run(&samples, &mut wide);
            let wide = wide.iter().map(|s| f32::from(*s)).collect();
            (wide, spoken.start * 2..spoken.end * 2)
        }
    }
}

fn run(samples: &[f32], rate: Rate) -> Vec<f32> {
    let mut out: Vec<i16> = samples.iter().map(|s| *s as i16).collect();
    let mut focus = Focus::new().expect("room");
    out.chunks_mut(rate.piece()).for_each(|piece| focus.run(piece, rate));
    out.into_iter().map(f32::from).collect()
}

fn power(samples: &[f32]) -> f32 {
    samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32
}

fn decibels(ratio: f32) -> f32 {
    10.0 * ratio.max(1e-9).log10()
}

/// The share of `of` that is in `samples`, at the shift where it is most, in decibels against
/// everything else.
fn signal_to_noise(samples: &[f32], of: &[f32], rate: Rate) -> f32 {
    let best = (0..rate.piece() * 3).map(|shift| {
        let pairs = || samples.iter().skip(shift).zip(of);
        let cross: f32 = pairs().map(|(a, b)| a * b).sum();
        let gain = cross / of.iter().map(|b| b * b).sum::<f32>();
        let rest: f32 = pairs().map(|(a, b)| (a - gain * b).powi(2)).sum();
        let share: f32 = pairs().map(|(_, b)| (gain * b).powi(2)).sum();
        decibels(share / rest)
    });
    best.fold(f32::MIN, f32::max)
}

#[test]
fn noise_in_pauses_goes_and_the_voice_stays() {
    for rate in [Rate::Narrow, Rate::Wide] {
        let (clean, spoken) = speech(rate);
        let noise = noise(clean.len(), 300.0);
        let noisy: Vec<f32> = clean.iter().zip(&noise).map(|(a, b)| a + b).collect();
        let out = run(&noisy, rate);
        let second = rate.hertz() as usize;
        let pause = spoken.start - second..spoken.start - second / 10;
        let less = decibels(power(&noisy[pause.clone()]) / power(&out[pause]));
        assert!(less > 10.0, "{rate:?}: {less:.1} dB less noise");
        // The voice itself is hardly bent by it: the noise of this test is weaker than that.
        let kept = signal_to_noise(&out[spoken.clone()], &clean[spoken.clone()], rate);
        assert!(kept > 8.0, "{rate:?}: {kept:.1} dB");
        let loudness = decibels(power(&out[spoken.clone()]) / power(&clean[spoken]));
        assert!(loudness.abs() < 3.0, "{rate:?}: the voice has {loudness:.1} dB of its loudness");
    }
}

#[test]
fn a_clean_voice_is_hardly_changed() {
    for rate in [Rate::Narrow, Rate::Wide] {
        let (clean, spoken) = speech(rate);
        let out = run(&clean, rate);
        let kept = signal_to_noise(&out[spoken.clone()], &clean[spoken], rate);
        assert!(kept > 8.0, "{rate:?}: {kept:.1} dB");
    }
}

#[test]
fn the_filters_there_and_back_keep_the_telephone_band() {
    for rate in [Rate::Narrow, Rate::Wide] {
        let mut focus = Focus::new().expect("room");
        focus.rate = rate;
        let (mut sent, mut got) = (Vec::new(), Vec::new());
        for n in 0..50 {
            let tone = |k: usize| {
                let at = (n * rate.piece() + k) as f32 / rate.hertz() as f32;
                ((at * 3000.0 * std::f32::consts::TAU).sin() * 8000.0) as i16
            };
            let mut piece: Vec<i16> = (0..rate.piece()).map(tone).collect();
            sent.extend(piece.iter().map(|s| f32::from(*s)));
            focus.up(&piece);
            let noisy = focus.noisy;
            focus.clean[SPAN * MOST_FACTOR..].copy_from_slice(&noisy);
            focus.down(&mut piece);
            got.extend(piece.iter().map(|s| f32::from(*s)));
        }
        let half = sent.len() / 2;
        let change = decibels(power(&got[half..]) / power(&sent[half..]));
        assert!(change.abs() < 0.3, "{rate:?}: {change:.2} dB");
    }
}
