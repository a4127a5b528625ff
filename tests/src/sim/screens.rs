//! Screens beside phones, which keep what they are told.

use std::sync::{Arc, Mutex, PoisonError};

use offhook_config::Config;
use offhook_pbx::screen::{Moment, Pop, Screens};

/// Keeps what screens are told.
#[derive(Clone, Debug, Default)]
pub struct Pops(Arc<Mutex<Vec<Pop>>>);

impl Pops {
    /// All of it so far, as `moment extension`, and whether an end was that of a conversation.
    pub fn words(&self) -> Vec<String> {
        let word = |pop: &Pop| {
            let talked = if pop.answered && pop.moment == Moment::Ended { " talked" } else { "" };
            format!("{} {}{talked}", pop.moment.as_str(), pop.extension)
        };
        self.all().iter().map(word).collect()
    }

    /// All of it so far.
    pub fn all(&self) -> Vec<Pop> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Screens for Pops {
    fn show(&self, _: &Arc<Config>, pop: Pop) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(pop);
    }
}
