//! What one path may cost, the paths in its filters and functions included.

use super::select::weigh;
use serde_json::Value;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long filters may compare: the second an expression has on AWS.
const LONGEST: Duration = Duration::from_secs(1);
/// Comparisons between two looks at the clock.
const EACH: usize = 1 << 16;

/// How long the filters of one path have compared. The clock is first looked at when they have
/// compared for a while.
#[derive(Debug, Default)]
pub(super) struct Patience {
    compared: Cell<usize>,
    until: Cell<Option<Instant>>,
    is_over: Cell<bool>,
}

impl Patience {
    /// Counts comparisons that are about to be made; false when there is no time for them.
    pub(super) fn takes(&self, comparisons: usize) -> bool {
        if self.is_over.get() {
            return false;
        }
        let compared = self.compared.get().saturating_add(comparisons);
        if compared < EACH {
            self.compared.set(compared);
            return true;
        }
        self.compared.set(0);
        let now = Instant::now();
        match self.until.get() {
            Some(until) => self.is_over.set(now > until),
            None => self.until.set(Some(now + LONGEST)),
        }
        !self.is_over.get()
    }

    /// Whether a comparison was not made.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.get()
    }
}

/// What a path may still hold and compare.
pub(super) struct Budget<'p> {
    /// What may still be copied, in nodes and text bytes.
    weight: usize,
    pub(super) patience: &'p Patience,
}

impl<'p> Budget<'p> {
    pub(super) fn new(weight: usize, patience: &'p Patience) -> Self {
        Self { weight, patience }
    }

    /// Takes the weight of `value` off; false when it is more than what is left.
    pub(super) fn holds(&mut self, value: &Value) -> bool {
        weigh(value, &mut self.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_the_time_is_over_nothing_more_is_compared() {
        let patience = Patience::default();
        assert!(patience.takes(EACH) && patience.takes(EACH) && patience.takes(1));
        patience.until.set(Instant::now().checked_sub(Duration::from_millis(1)));
        assert!(!patience.takes(EACH));
        assert!(!patience.takes(1) && patience.is_over());
    }
}
