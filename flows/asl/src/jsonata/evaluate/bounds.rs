//! What one evaluation may cost, looked at where a value is built and where something is done again
//! and again.

use super::Evaluation;
use crate::jsonata::error::{Result, memory, too_long};
use crate::jsonata::limits::{MOST_BUILT, MOST_ITEMS, MOST_MILLISECONDS, MOST_WEIGHT};
use crate::jsonata::value::{Array, Measure, Object, Value};
use crate::value::MOST_DEPTH;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Steps between two looks at the clock.
const STEPS: u64 = 512;
/// Bytes of an array or object besides what is in it, and of an item's place.
const BYTES: usize = 64;
const PLACE: usize = 24;

/// What was spent.
#[derive(Debug)]
pub(in crate::jsonata) struct Spent {
    until: Instant,
    steps: u64,
    look: u64,
    built: usize,
}

/// How long an evaluation may take.
#[cfg(not(test))]
fn patience() -> Duration {
    Duration::from_millis(MOST_MILLISECONDS)
}

/// A machine may be slow that has other tests to run: what must succeed, or fail by another bound, has
/// as long as it wants. Tests of this bound are [`hurried`].
#[cfg(test)]
fn patience() -> Duration {
    let is_hurried = HURRIED.get();
    if is_hurried { Duration::from_millis(MOST_MILLISECONDS) } else { Duration::from_secs(600) }
}

#[cfg(test)]
thread_local! {
    static HURRIED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Until it is dropped evaluations of this thread may take as long as those of users.
#[cfg(test)]
#[must_use]
pub(in crate::jsonata) struct Hurried;

#[cfg(test)]
impl Drop for Hurried {
    fn drop(&mut self) {
        HURRIED.set(false);
    }
}

#[cfg(test)]
pub(in crate::jsonata) fn hurried() -> Hurried {
    HURRIED.set(true);
    Hurried
}

impl Spent {
    pub(super) fn begin() -> Self {
        let until = Instant::now() + patience();
        Self { until, steps: 0, look: STEPS, built: 0 }
    }
}

impl Evaluation<'_> {
    /// Counts a step. Every so many the clock is looked at.
    pub(in crate::jsonata) fn step(&mut self) -> Result<()> {
        self.steps(1)
    }

    pub(in crate::jsonata) fn steps(&mut self, count: usize) -> Result<()> {
        self.spent.steps += count as u64;
        if self.spent.steps < self.spent.look {
            return Ok(());
        }
        self.look()
    }

    /// When the evaluation's time is over.
    pub(in crate::jsonata) fn until(&self) -> Instant {
        self.spent.until
    }

    /// Looks at the clock.
    pub(in crate::jsonata) fn look(&mut self) -> Result<()> {
        self.spent.look = self.spent.steps + STEPS;
        if Instant::now() > self.spent.until { Err(too_long()) } else { Ok(()) }
    }

    /// Counts `bytes` as built.
    pub(in crate::jsonata) fn build(&mut self, bytes: usize) -> Result<()> {
        self.spent.built = self.spent.built.saturating_add(bytes);
        if self.spent.built > MOST_BUILT { Err(memory()) } else { self.steps(1 + bytes / 256) }
    }

    /// Counts the places of `items` that are gathered before they are a list.
    pub(super) fn places(&mut self, items: usize) -> Result<()> {
        self.build(PLACE * items)
    }

    /// Bytes that were counted as built.
    #[cfg(test)]
    pub(in crate::jsonata) fn built(&self) -> usize {
        self.spent.built
    }

    /// A text that was made.
    pub(in crate::jsonata) fn text(&mut self, text: String) -> Result {
        self.fits(text.len())?;
        Ok(Value::from(text))
    }

    /// Whether a text of so many bytes may be made: counted as made.
    pub(in crate::jsonata) fn fits(&mut self, bytes: usize) -> Result<()> {
        if bytes > MOST_WEIGHT { Err(memory()) } else { self.build(bytes) }
    }

    /// Whether one more item may come to a list of so many.
    pub(in crate::jsonata) fn grows(&mut self, length: usize) -> Result<()> {
        if length >= MOST_ITEMS { Err(memory()) } else { self.step() }
    }

    fn bounded(&mut self, measure: Measure, parts: usize) -> Result<()> {
        if measure.weight > MOST_WEIGHT || measure.depth > MOST_DEPTH {
            return Err(memory());
        }
        self.build(BYTES + PLACE * parts)
    }

    pub(in crate::jsonata) fn array(&mut self, items: Vec<Value>) -> Result<Array> {
        if items.len() > MOST_ITEMS {
            return Err(memory());
        }
        let mut measure = Measure::default();
        for item in &items {
            measure.add(item.measure());
        }
        self.bounded(measure, items.len())?;
        Ok(Array::measured(items, measure))
    }

    /// An array that is no sequence.
    pub(in crate::jsonata) fn list(&mut self, items: Vec<Value>) -> Result {
        Ok(Value::Array(self.array(items)?))
    }

    pub(in crate::jsonata) fn sequence(&mut self, items: Vec<Value>) -> Result {
        Ok(Value::Array(self.array(items)?.into_sequence()))
    }

    pub(in crate::jsonata) fn object(&mut self, mut object: Object) -> Result {
        let measure = object.measured();
        self.bounded(measure, 2 * object.len())?;
        Ok(Value::Object(Rc::new(object)))
    }
}
