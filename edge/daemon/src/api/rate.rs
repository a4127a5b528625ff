//! How many requests an access key may make.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A bucket for each key: it holds a second's worth, and fills as fast. Only keys whose signature
/// was checked have one, so that there are no more than keys.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: f64,
    buckets: Mutex<HashMap<String, (f64, Instant)>>,
}

impl Rate {
    pub(super) fn new(per_second: u32) -> Self {
        Self { per_second: f64::from(per_second), buckets: Mutex::default() }
    }

    /// Whether there is one more; takes it.
    pub(super) fn allows(&self, key: &str, now: Instant) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, since) = buckets.entry(key.to_owned()).or_insert_with(|| (self.per_second, now));
        let filled = *left + now.saturating_duration_since(*since).as_secs_f64() * self.per_second;
        *since = now;
        *left = filled.min(self.per_second);
        let allowed = *left >= 1.0;
        if allowed {
            *left -= 1.0;
        }
        allowed
    }
}
