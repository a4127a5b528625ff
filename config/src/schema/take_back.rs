//! `[take_back]`: how calls are asked back that Amazon Connect has.

use std::time::Duration;

/// `[take_back]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeBack {
    /// URL of an SQS queue that is looked into for updates of calls: for an office that has no
    /// port open. `None`: none is.
    pub queue: Option<String>,
    /// An update that has waited longer moves nobody.
    pub max_age: Duration,
}

impl Default for TakeBack {
    fn default() -> Self {
        Self { queue: None, max_age: Duration::from_secs(60) }
    }
}
