//! What a task of a workflow fails with.

use std::fmt;

/// A failed task: what `Catch` and `Retry` match, and what is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskError {
    /// `DynamoDb.ConditionalCheckFailedException`, `States.Http.StatusCode.404`, …
    pub error: String,
    /// In words, or as JSON where AWS gives JSON.
    pub cause: String,
    /// The HTTP status of a service that refused.
    pub status: Option<u16>,
}

impl TaskError {
    /// With a name and words.
    pub(crate) fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { error: error.into(), cause: cause.into(), status: None }
    }

    /// The task is written wrongly: nothing catches it but its own name.
    pub(crate) fn runtime(cause: impl Into<String>) -> Self {
        Self::new("States.Runtime", cause)
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error, self.cause)
    }
}

impl std::error::Error for TaskError {}

/// The most that a state may take or give: 256 KiB (Step Functions quotas).
pub(crate) const MAX_DATA: usize = 256 << 10;

/// The name of that error.
pub(crate) const TOO_LARGE: &str = "States.DataLimitExceeded";

/// A result that is larger than a state may give.
pub(crate) fn too_large() -> TaskError {
    TaskError::new(
        TOO_LARGE,
        "The state/task returned a result with a size exceeding the maximum number of bytes \
         service limit.",
    )
}
