//! How long a turn may take. An execution has no clock: the driver says when it is enough.

use std::fmt;
use std::sync::Arc;

/// Whether there is time for another state in this turn. Asked between two states; one state runs
/// in each turn at least.
#[derive(Clone, Default)]
pub struct Pace(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl Pace {
    /// As the driver says. [`Pace::default`]: as many states as a turn may have.
    pub fn new(has_time: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(has_time)))
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.as_ref().is_some_and(|has_time| !has_time())
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pace").field(&self.0.is_some()).finish()
    }
}
