//! What is heard of a stream with holes.

use super::line::{Line, chance};
use super::*;
use crate::codec::OpusWishes;

/// How far, in dB, the loudness of 10 ms pieces is from that of a stream without loss; on average
/// over the pieces that differ at all. Silence in place of a word is some 30 dB off.
fn distance(heard: &[i16], whole: &[i16], rate: Rate) -> f64 {
    let loudness = |piece: &[i16]| {
        let energy: f64 = piece.iter().map(|&s| f64::from(s).powi(2)).sum();
        10.0 * (energy / piece.len() as f64 + 1000.0).log10()
    };
    let pieces = heard.chunks_exact(rate.piece()).zip(whole.chunks_exact(rate.piece()));
    let differ: Vec<f64> =
        pieces.filter(|(a, b)| a != b).map(|(a, b)| (loudness(a) - loudness(b)).abs()).collect();
    differ.iter().sum::<f64>() / differ.len().max(1) as f64
}

fn with_loss(line: &Line, share: f64) -> (Vec<i16>, Vec<i16>) {
    let source = match line.codec {
        Codec::G722 => Rate::Wide,
        Codec::Pcmu | Codec::Pcma => Rate::Narrow,
        Codec::Opus | Codec::Passed(_) => line.rate,
    };
    let said = voice(source, 20);
    let whole = line.run(&said, &mut |_| Some(0), |_, _| {});
    let mut random = chance(42);
    // Once the wait has settled, so that both are heard at the same time.
    let mut network = |n| (n < 100 || random() >= share).then_some(0);
    let heard = line.run(&said, &mut network, |_, _| {});
    assert_eq!(heard.len(), whole.len());
    (heard, whole)
}

#[test]
fn what_is_lost_is_concealed() {
    for (codec, rate) in
        [(Codec::Pcmu, Rate::Narrow), (Codec::G722, Rate::Wide), (Codec::Opus, Rate::Wide)]
    {
        for (share, most) in [(0.01, 4.0), (0.05, 4.0), (0.1, 5.0)] {
            let (heard, whole) = with_loss(&Line::new(codec, rate), share);
            let off = distance(&heard, &whole, rate);
            assert!(off < most, "{codec} with {share} lost: {off:.2} dB off");
            // With nothing in its place the same loss is far off.
            let mut silent = heard.clone();
            let pieces = silent.chunks_mut(rate.piece()).zip(whole.chunks(rate.piece()));
            pieces.filter(|(a, b)| a != b).for_each(|(a, _)| a.fill(0));
            assert!(distance(&silent, &whole, rate) > 3.0 * most, "{codec}: the score is blind");
        }
    }
}

/// Mean likeness of 10 ms pieces to the whole stream where they differ, 0 to 1.
fn likeness(heard: &[i16], whole: &[i16], rate: Rate) -> f64 {
    let pieces = heard.chunks_exact(rate.piece()).zip(whole.chunks_exact(rate.piece()));
    let alike: Vec<f64> = pieces
        .filter(|(a, b)| a != b)
        .map(|(a, b)| {
            let sum = |x: &[i16], y: &[i16]| -> f64 {
                x.iter().zip(y).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
            };
            sum(a, b) / (sum(a, a) * sum(b, b)).sqrt().max(1.0)
        })
        .collect();
    alike.iter().sum::<f64>() / alike.len() as f64
}

#[test]
fn redundancy_of_opus_is_better_than_guessing() {
    let fec = OpusWishes { fec: true, ..OpusWishes::default() };
    let [without, with] = [OpusWishes::default(), fec].map(|wishes| {
        let line = Line { wishes, ..Line::new(Codec::Opus, Rate::Wide) };
        let (heard, whole) = with_loss(&line, 0.1);
        likeness(&heard, &whole, Rate::Wide)
    });
    assert!(with > without + 0.2, "{with} {without}");
}

#[test]
fn redundancy_is_waited_for_where_a_calm_network_lets_the_wait_shrink() {
    let fec = OpusWishes { fec: true, ..OpusWishes::default() };
    let line = Line { wishes: fec, ..Line::new(Codec::Opus, Rate::Wide) };
    let mut said = voice(Rate::Wide, 20);
    // Pauses, in which the delay is corrected.
    for (n, sample) in said.iter_mut().enumerate() {
        if n % 16_000 > 11_000 {
            *sample = 0;
        }
    }
    let whole = line.run(&said, &mut |_| Some(0), |_, _| {});
    let mut random = chance(42);
    let mut network = |n| (n < 400 || random() >= 0.1).then_some(0);
    let heard = line.run(&said, &mut network, |_, _| {});
    let likeness = likeness(&heard, &whole, Rate::Wide);
    assert!(likeness > 0.7, "{likeness}");
}

#[test]
fn a_peer_that_falls_silent_fades_and_comes_back_whole() {
    for codec in [Codec::Pcmu, Codec::Opus] {
        let line = Line::new(codec, Rate::Narrow);
        let said = sine(Rate::Narrow, 1000.0, 10_000.0, 8000 * 6);
        // Two seconds of nothing, as of a sender that stops in pauses.
        let heard = line.run(&said, &mut |n| (!(100..200).contains(&n)).then_some(0), |_, _| {});
        let pause = &heard[8000 * 5 / 2..8000 * 4 - 800];
        let loudest = pause.iter().map(|s| s.unsigned_abs()).max().unwrap();
        assert!(loudest < 200, "{codec}: {loudest}");
        for part in [&heard[8000..12_000], &heard[8000 * 9 / 2..8000 * 11 / 2]] {
            let (level, above) = tone(part, Rate::Narrow, 1000.0);
            assert!(db(level / 10_000.0).abs() < 1.0 && above > 15.0, "{codec}");
        }
    }
}
