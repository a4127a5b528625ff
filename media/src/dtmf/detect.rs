//! Keys that a peer sends as tones within its audio (ITU-T Q.23, Q.24).
//!
//! A bank of eight Goertzel filters looks at the last 20 ms every 5 ms, through a window (Hann) that
//! keeps the frequencies apart. What makes a key of two tones, and not of a voice or of music: hardly
//! anything else is to be heard beside them, one is not much louder than the other, both stand still
//! in frequency, as the advance of their phases from one look to the next tells within a few hertz,
//! and all of that lasts.

use std::f32::consts::TAU;

use super::Digit;
use super::tones::{COLUMNS, PAD, ROWS};

/// Samples of a look, and from one to the next; 8 kHz.
const WINDOW: usize = 160;
const HOP: usize = 40;
const RATE: f32 = 8000.0;

/// Square of the sum of the window, half of it, and the sum of its squares.
const GAIN: f32 = (WINDOW * WINDOW) as f32 / 8.0;
const SPREAD: f32 = WINDOW as f32 * 0.375;

/// Power of a tone of 0 dBm0 (G.711's loudest tone has 3.17 dBm0).
const DBM0: f32 = 22_300.0 * 22_300.0 / 2.0;
/// The weakest tone, -31 dBm0: Q.24's administrations want -27 to be heard, and nothing below -29 to.
const WEAKEST: f32 = DBM0 * 0.000_8;
/// Power of the higher tone to that of the lower: from -10 dB to +6 dB. Q.24 has -8 to +4 at least.
const TWIST: std::ops::RangeInclusive<f32> = 0.1..=4.0;
/// The part of all power that the two must have.
const PURE: f32 = 0.75;
/// How far a frequency may be off: Q.24 accepts 1.5 % and 2 Hz, and refuses 3.5 %.
const OFF: f32 = 0.025;
/// The same from one look to the next, where noise tells.
const OFF_ONCE: f32 = 0.035;
/// Looks that see a key before it is one: 30 ms, between the 23 to be refused and the 40 to be taken.
const LOOKS: usize = 6;
/// Looks without it that end a key: more than a break of 10 ms takes, less than a pause of 40 ms.
const MISSES: u32 = 5;
/// The same before it is a key.
const FALTERS: u32 = 3;
/// What is weaker than the strongest look by more (6 dB) shows the edge of a tone.
const EDGE: f32 = 0.25;
/// A tone begins this much before the middle of the first look that shows it, at most.
const LEAD: u64 = 64;
/// Looks kept of what may become a key.
const KEPT: usize = 16;

/// What a [`Detector`] heard; times in samples since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// A key, whose tone began there.
    Pressed(Digit, u64),
    /// It ended, after so many samples.
    Released(Digit, u64),
}

/// Finds keys in samples at 8 kHz.
#[derive(Debug, Clone)]
pub struct Detector {
    /// The last [`WINDOW`] samples, the newest at the end.
    window: [f32; WINDOW],
    fresh: usize,
    position: u64,
    before: [Phasor; 8],
    run: Option<Run>,
    held: Option<Held>,
}

/// What a filter says: size and phase at the window's end.
#[derive(Debug, Clone, Copy, Default)]
struct Phasor {
    re: f32,
    im: f32,
}

impl Phasor {
    fn power(self) -> f32 {
        self.re * self.re + self.im * self.im
    }

    /// The turn from `before` to this.
    fn since(self, before: Self) -> Self {
        Self {
            re: self.re * before.re + self.im * before.im,
            im: self.im * before.re - self.re * before.im,
        }
    }

    fn times(self, by: Self) -> Self {
        Self { re: self.re * by.re - self.im * by.im, im: self.im * by.re + self.re * by.im }
    }

    fn plus(self, other: Self) -> Self {
        Self { re: self.re + other.re, im: self.im + other.im }
    }

    /// How many hertz a turn in one hop is.
    fn hertz(self) -> f32 {
        self.im.atan2(self.re) / TAU * RATE / HOP as f32
    }
}

/// One look that shows a key.
#[derive(Debug, Clone, Copy)]
struct Look {
    row: usize,
    column: usize,
    power: f32,
    /// What the phases turned beyond the nominal frequencies.
    drift: [Phasor; 2],
}

impl Look {
    fn key(&self) -> (usize, usize) {
        (self.row, self.column)
    }
}

/// What may become a key.
#[derive(Debug, Clone, Copy)]
struct Run {
    key: (usize, usize),
    /// Power and middle of the looks that showed it.
    looks: [(f32, u64); KEPT],
    count: usize,
    misses: u32,
    drift: [Phasor; 2],
}

/// A key that is down.
#[derive(Debug, Clone, Copy)]
struct Held {
    digit: Digit,
    key: (usize, usize),
    start: u64,
    last: u64,
    power: f32,
    misses: u32,
}

impl Default for Detector {
    fn default() -> Self {
        Self {
            window: [0.0; WINDOW],
            fresh: 0,
            position: 0,
            before: Default::default(),
            run: None,
            held: None,
        }
    }
}

impl Detector {
    /// Samples heard so far.
    #[inline]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Whether there is a key, or something that begins like one.
    pub fn suspects(&self) -> bool {
        self.held.is_some() || self.run.as_ref().is_some_and(|run| run.count > 1)
    }

    /// Takes the next samples and tells what they bring.
    pub fn feed(&mut self, samples: &[i16], mut tell: impl FnMut(Heard)) {
        let mut rest = samples;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(HOP - self.fresh));
            self.window.copy_within(now.len().., 0);
            let room = self.window.iter_mut().skip(WINDOW - now.len());
            room.zip(now).for_each(|(to, &from)| *to = f32::from(from));
            self.fresh += now.len();
            self.position += now.len() as u64;
            if self.fresh == HOP {
                self.fresh = 0;
                let look = self.look();
                self.judge(look, &mut tell);
            }
            rest = later;
        }
    }

    /// Whether the window shows a key.
    fn look(&mut self) -> Option<Look> {
        let mut windowed = [0.0; WINDOW];
        for ((to, from), weight) in windowed.iter_mut().zip(&self.window).zip(HANN.iter()) {
            *to = from * weight;
        }
        let all = windowed.iter().map(|x| x * x).sum::<f32>() / SPREAD;
        if all < WEAKEST {
            return None;
        }
        let now = bank(&windowed);
        let before = std::mem::replace(&mut self.before, now);
        let strongest = |range: std::ops::Range<usize>| {
            range.max_by(|&a, &b| now[a].power().total_cmp(&now[b].power()))
        };
        let (row, column) = (strongest(0..4)?, strongest(4..8)?);
        let [(low, low_drift), (high, high_drift)] = [row, column].map(|n| {
            let nominal = FREQUENCIES[n];
            let drift = now[n].since(before[n]).times(BANK.hop_back[n]);
            let hertz = drift.hertz();
            let off = hertz.abs() <= nominal * OFF_ONCE;
            // What the window takes away from who is beside its middle.
            let bins = hertz * WINDOW as f32 / RATE;
            let passed = 1.0 - 0.62 * bins * bins;
            let power = now[n].power() / GAIN / (passed * passed);
            (if off { power } else { 0.0 }, drift)
        });
        let is_key =
            low.min(high) >= WEAKEST && TWIST.contains(&(high / low)) && low + high >= all * PURE;
        is_key.then_some(Look {
            row,
            column: column - 4,
            power: low + high,
            drift: [low_drift, high_drift],
        })
    }

    /// Puts a look to those before.
    fn judge(&mut self, look: Option<Look>, tell: &mut impl FnMut(Heard)) {
        let middle = self.position.saturating_sub(WINDOW as u64 / 2);
        if let Some(held) = &mut self.held {
            let same = look.filter(|l| l.key() == held.key && l.power >= held.power * EDGE);
            match same {
                Some(look) => {
                    (held.misses, held.last) = (0, middle);
                    held.power = held.power.max(look.power);
                    return;
                }
                None => held.misses += 1,
            }
            if held.misses >= MISSES {
                self.release(tell);
            }
        }
        let Some(look) = look else {
            if let Some(run) = &mut self.run {
                run.misses += 1;
            }
            self.run = self.run.filter(|run| run.misses <= FALTERS);
            return;
        };
        if self.held.is_some_and(|held| held.key == look.key()) {
            return;
        }
        let run = match &mut self.run {
            Some(run) if run.key == look.key() => run,
            other => other.insert(Run::new(look.key())),
        };
        run.add(look, middle);
        if let Some((digit, start)) = run.pressed() {
            let (key, power) = (run.key, run.strongest());
            self.release(tell);
            self.run = None;
            let start = start.saturating_sub(LEAD);
            self.held = Some(Held { digit, key, start, last: middle, power, misses: 0 });
            tell(Heard::Pressed(digit, start));
        }
    }

    fn release(&mut self, tell: &mut impl FnMut(Heard)) {
        if let Some(held) = self.held.take() {
            let end = held.last + HOP as u64;
            tell(Heard::Released(held.digit, end.saturating_sub(held.start)));
        }
    }
}

impl Run {
    fn new(key: (usize, usize)) -> Self {
        let drift = Default::default();
        Self { key, looks: [(0.0, 0); KEPT], count: 0, misses: 0, drift }
    }

    fn add(&mut self, look: Look, middle: u64) {
        self.misses = 0;
        if self.count == KEPT {
            self.looks.rotate_left(1);
            self.count -= 1;
        }
        if let Some(place) = self.looks.get_mut(self.count) {
            *place = (look.power, middle);
        }
        self.count += 1;
        for (sum, drift) in self.drift.iter_mut().zip(look.drift) {
            *sum = sum.plus(drift);
        }
    }

    fn strongest(&self) -> f32 {
        self.looks.iter().fold(0.0, |most, (power, _)| most.max(*power))
    }

    /// The key and the middle of the look that showed it first, if there were enough.
    fn pressed(&self) -> Option<(Digit, u64)> {
        let edge = self.strongest() * EDGE;
        let mut strong = self.looks.iter().take(self.count).filter(|(power, _)| *power >= edge);
        let &(_, first) = strong.next()?;
        let (row, column) = self.key;
        let off = |n: usize, drift: Phasor| drift.hertz().abs() > FREQUENCIES[n] * OFF + 1.0;
        let [low, high] = self.drift;
        if strong.count() + 1 < LOOKS || off(row, low) || off(column + 4, high) {
            return None;
        }
        let key = PAD.get(row * 4 + column)?;
        Some((Digit::from_char(char::from(*key))?, first))
    }
}

const FREQUENCIES: [f32; 8] = {
    let mut all = [0.0; 8];
    let mut n = 0;
    while n < 4 {
        (all[n], all[n + 4]) = (ROWS[n] as f32, COLUMNS[n] as f32);
        n += 1;
    }
    all
};

static HANN: std::sync::LazyLock<[f32; WINDOW]> = std::sync::LazyLock::new(|| {
    std::array::from_fn(|n| 0.5 - 0.5 * (TAU * (n as f32 + 0.5) / WINDOW as f32).cos())
});

/// What the filters need to know of their frequencies, worked out once.
struct Bank {
    factors: [f32; 8],
    /// A turn of one sample, and of half a window.
    one: [Phasor; 8],
    half: [Phasor; 8],
    /// A turn of a hop, backwards.
    hop_back: [Phasor; 8],
}

static BANK: std::sync::LazyLock<Bank> = std::sync::LazyLock::new(|| {
    let turn = |samples: f32| {
        FREQUENCIES.map(|hertz| {
            let (im, re) = (TAU * hertz / RATE * samples).sin_cos();
            Phasor { re, im }
        })
    };
    let one = turn(1.0);
    let factors = one.map(|turn| 2.0 * turn.re);
    Bank { factors, one, half: turn((WINDOW / 2) as f32), hop_back: turn(-(HOP as f32)) }
});

/// The eight filters (Goertzel's recurrence), side by side, and the halves of the window too: each
/// step waits for the one before it, and so two wait at the same time.
fn bank(samples: &[f32; WINDOW]) -> [Phasor; 8] {
    let Bank { factors, one, half, .. } = &*BANK;
    let (early, late) = samples.split_at(WINDOW / 2);
    let (mut last, mut before) = ([[0.0_f32; 8]; 2], [[0.0_f32; 8]; 2]);
    for (&early, &late) in early.iter().zip(late) {
        for (part, sample) in [early, late].into_iter().enumerate() {
            for n in 0..8 {
                let next = sample + factors[n] * last[part][n] - before[part][n];
                before[part][n] = last[part][n];
                last[part][n] = next;
            }
        }
    }
    std::array::from_fn(|n| {
        let [early, late] = [0, 1].map(|part| Phasor {
            re: last[part][n] - before[part][n] * one[n].re,
            im: before[part][n] * one[n].im,
        });
        // What was found in the first half has turned since then.
        early.times(half[n]).plus(late)
    })
}

#[cfg(test)]
mod tests;
