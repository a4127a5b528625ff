//! What is said in the loads: something with the ups and downs of speech, so that codecs have work.

/// Samples of 20 ms at `hertz`, the `n`th of a talk.
pub(crate) fn speech(n: u32, hertz: u32) -> Vec<i16> {
    let length = hertz / 50;
    (0..length)
        .map(|i| {
            let t = f64::from(n * length + i) / f64::from(hertz);
            let turn = std::f64::consts::TAU * t;
            let voice: f64 =
                (1..=12).map(|h| (turn * 140.0 * f64::from(h)).sin() / f64::from(h)).sum();
            // Syllables, and a pitch that wanders.
            let level = 0.55 + 0.45 * (turn * 4.0).sin();
            (voice * level * 5000.0 * (1.0 + 0.1 * (turn * 0.7).sin())) as i16
        })
        .collect()
}
