//! What is told to programs beside a desk phone (a screen pop): who calls it, when it rings, is
//! answered and is free again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use offhook_config::Config;

use crate::keep::CloudIds;

/// What a phone does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// It has begun to ring.
    Ringing,
    /// Its owner talks with the caller.
    Answered,
    /// It has nothing to do with the call any more, whether it was answered or not.
    Ended,
}

impl Moment {
    /// `ringing`, `answered`, `ended`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ringing => "ringing",
            Self::Answered => "answered",
            Self::Ended => "ended",
        }
    }
}

/// One moment of a phone in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pop {
    /// Which.
    pub moment: Moment,
    /// By the wall clock.
    pub at: SystemTime,
    /// Id of the call's record.
    pub call: String,
    /// Whose phone.
    pub extension: String,
    /// Who calls, as the call says: `anonymous` when he does not want to be seen.
    pub caller: String,
    /// Who really calls, when a trunk or an application said so.
    pub original_caller: Option<String>,
    /// The name that the phone shows.
    pub name: Option<String>,
    /// Connect's queue.
    pub queue: Option<String>,
    /// How AWS knows the call.
    pub cloud: CloudIds,
    /// What else was sent along.
    pub attributes: BTreeMap<String, String>,
    /// Of [`Moment::Ended`]: whether it had answered.
    pub answered: bool,
}

/// Takes them to where they are wanted.
pub trait Screens: Send + Sync {
    /// Never waits and never fails: what there is no room for is lost. `config`: the call's.
    fn show(&self, config: &Arc<Config>, pop: Pop);
}

/// Nobody wants to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoScreens;

impl Screens for NoScreens {
    fn show(&self, _: &Arc<Config>, _: Pop) {}
}
