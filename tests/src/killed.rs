//! Processes beside a test.

use std::ops::{Deref, DerefMut};
use std::process::Child;

/// A process that does not outlive its test, also where that fails while it waits for it. Dropping it
/// kills it and waits for its end. A folder that it works in is dropped after it.
#[derive(Debug)]
pub struct Killed(Child);

impl From<Child> for Killed {
    fn from(child: Child) -> Self {
        Self(child)
    }
}

impl Deref for Killed {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Killed {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
