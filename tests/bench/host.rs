//! The machine's host: it takes a core of a virtual machine away now and then, for milliseconds, and
//! what had to be done meanwhile is late by no fault of what is measured.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::param::clock_ticks_per_second;

use super::{Outcome, say};

/// Turns that are taken for one that counts, at most.
static ATTEMPTS: AtomicUsize = AtomicUsize::new(6);

/// Takes so many turns for one that counts, at most.
pub(crate) fn attempts(most: usize) {
    ATTEMPTS.store(most.max(1), Ordering::Relaxed);
}

/// How many are taken.
pub(crate) fn most_attempts() -> usize {
    ATTEMPTS.load(Ordering::Relaxed)
}

/// What the host has taken from all cores since the machine started, to a tick of a hundredth of a
/// second: `steal` of proc_stat(5).
pub(crate) fn stolen() -> Duration {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks = text.split_whitespace().nth(8).and_then(|ticks| ticks.parse::<u64>().ok());
    let per_second = clock_ticks_per_second().max(1);
    Duration::from_millis(ticks.unwrap_or(0) * 1000 / per_second)
}

/// Takes a turn, and again while the host took something in it; of those the one from which it took
/// least. Nothing of the turn's own outcome is looked at.
pub(crate) fn undisturbed<T>(turn: impl FnMut() -> Outcome<T>) -> Outcome<T> {
    Ok(least_disturbed(turn)?.1)
}

/// The same, with what the host took of the turn that counts.
pub(crate) fn least_disturbed<T>(mut turn: impl FnMut() -> Outcome<T>) -> Outcome<(Duration, T)> {
    let mut best: Option<(Duration, T)> = None;
    for attempt in 1..=most_attempts() {
        let before = stolen();
        let outcome = turn()?;
        let taken = stolen().saturating_sub(before);
        if best.as_ref().is_none_or(|(least, _)| taken < *least) {
            best = Some((taken, outcome));
        }
        if taken.is_zero() || attempt == most_attempts() {
            break;
        }
        say(&format!("the host took {} ms of a turn: it is taken again", taken.as_millis()));
    }
    let best = best.ok_or("no turn")?;
    if !best.0.is_zero() {
        say(&format!(
            "the host left no turn alone: {} ms of the one that counts",
            best.0.as_millis()
        ));
    }
    Ok(best)
}
