//! How long a turn may take. An execution has no clock: the driver says when it is enough.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Whether there is time for another state in this turn. Asked between two states; one state runs
/// in each turn at least.
#[derive(Clone, Default)]
pub struct Pace {
    has_time: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
    aside_after: Option<Duration>,
}

impl Pace {
    /// As the driver says. [`Pace::default`]: as many states as a turn may have.
    pub fn new(has_time: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { has_time: Some(Arc::new(has_time)), aside_after: None }
    }

    /// A JSONata expression that takes longer than `time` is broken off, and the driver asked to
    /// have it evaluated elsewhere ([`super::Effect::Evaluate`]). Without this it is waited for.
    #[must_use]
    pub fn with_aside_after(self, time: Duration) -> Self {
        Self { aside_after: Some(time), ..self }
    }

    pub(super) fn aside_after(&self) -> Option<Duration> {
        self.aside_after
    }

    pub(super) fn is_over(&self) -> bool {
        self.has_time.as_ref().is_some_and(|has_time| !has_time())
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace")
            .field("has_time", &self.has_time.is_some())
            .field("aside_after", &self.aside_after)
            .finish()
    }
}
