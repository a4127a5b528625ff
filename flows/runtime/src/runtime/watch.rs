//! How long one execution may hold the thread that all share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use offhook_asl::execution::Pace;

/// An expression may take a second by itself; what stands behind it waits for its next turn.
const TURN: Duration = Duration::from_millis(10);

/// Started anew before each turn.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    base: Instant,
    /// Microseconds after `base`.
    began: Arc<AtomicU64>,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self { base: Instant::now(), began: Arc::default() }
    }

    /// A turn begins.
    pub(super) fn restart(&self) {
        let now = u64::try_from(self.base.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.began.store(now, Ordering::Relaxed);
    }

    /// Whether the turn has taken what it may.
    pub(super) fn is_over(&self) -> bool {
        let began = Duration::from_micros(self.began.load(Ordering::Relaxed));
        self.base.elapsed().saturating_sub(began) >= TURN
    }

    /// For executions.
    pub(super) fn pace(&self) -> Pace {
        let watch = self.clone();
        Pace::new(move || !watch.is_over())
    }
}
