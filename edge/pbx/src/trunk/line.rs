//! What the calls of one trunk share: how many there are, and the news that somebody is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// One trunk's line. Outlives reloads, as calls do.
#[derive(Debug, Default)]
pub(super) struct Line {
    calls: AtomicUsize,
    /// The health check found nobody, and nothing was heard since.
    down: AtomicBool,
    /// Something was heard since [`Line::listen`].
    heard: AtomicBool,
    back: Notify,
}

impl Line {
    /// Calls that it carries.
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// A request or a response came over the trunk: it lives, whatever its health check says.
    pub(super) fn heard(&self) {
        self.heard.store(true, Ordering::Relaxed);
        if self.down.swap(false, Ordering::Relaxed) {
            self.back.notify_one();
        }
    }

    /// Forgets what was heard.
    pub(super) fn listen(&self) {
        self.heard.store(false, Ordering::Relaxed);
    }

    /// Whether something was heard since [`Line::listen`].
    pub(super) fn was_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// What the health check found.
    pub(super) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::Relaxed);
    }

    /// Resolves when something is heard of a trunk that was down.
    pub(super) async fn back(&self) {
        self.back.notified().await;
    }
}

/// One call of a trunk's limit. Not counted until [`CallSlot::take`].
#[derive(Debug)]
pub struct CallSlot {
    line: Arc<Line>,
    limit: usize,
    taken: bool,
}

impl Clone for CallSlot {
    /// A slot of its own, not taken.
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.line), self.limit)
    }
}

impl CallSlot {
    pub(super) fn new(line: Arc<Line>, limit: usize) -> Self {
        Self { line, limit, taken: false }
    }

    /// Whether the trunk carries all the calls it may.
    pub(super) fn is_full(&self) -> bool {
        self.line.calls() >= self.limit
    }

    /// `false`: the trunk carries all the calls it may.
    pub fn take(&mut self) -> bool {
        if !self.taken {
            let one_more = |n| (n < self.limit).then_some(n + 1);
            let grown =
                self.line.calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
            self.taken = grown.is_ok();
        }
        self.taken
    }

    /// The trunk said something on this call: it is there, and goes before those that are not.
    pub fn heard(&self) {
        self.line.heard();
    }
}

impl Drop for CallSlot {
    fn drop(&mut self) {
        if self.taken {
            self.line.calls.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
