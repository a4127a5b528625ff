//! How an evaluation fails: one of the language's error names, and AWS's words for the cause.
//!
//! A cause built here is the second half of what AWS writes. The first half, `An error occurred
//! while executing the state 'X' (entered at the event id #N). `, is the execution's to add: it
//! alone knows the state and the event.

use serde::{Deserialize, Serialize};

/// The error names this layer raises (States Language specification, appendix A, and the Step
/// Functions developer guide, "Handling errors").
pub mod names {
    /// A result cannot be put where `ResultPath` says.
    /// What AWS raises where the States Language has `States.ResultPathMatchFailure`.
    pub const REFERENCE_PATH_CONFLICT: &str = "States.ReferencePathConflict";
    /// What Step Functions raises for a path that finds nothing. `States.ALL` does not catch it.
    pub const RUNTIME: &str = "States.Runtime";
    /// A JSONata expression failed, returned nothing or returned the wrong type.
    pub const QUERY_EVALUATION_ERROR: &str = "States.QueryEvaluationError";
    /// A payload is over 256 KiB.
    pub const DATA_LIMIT_EXCEEDED: &str = "States.DataLimitExceeded";
}

/// An error name with its cause, as `Catch` sees them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{error}: {cause}")]
pub struct Failure {
    /// The error name, such as `States.Runtime`.
    pub error: String,
    /// The words, without the sentence that names the state.
    pub cause: String,
    /// The field whose JSONata failed, such as `Output/result`: the `location` of an
    /// `EvaluationFailed` event. Absent where AWS leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

impl Failure {
    /// A failure with no location.
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { error: error.into(), cause: cause.into(), location: None }
    }

    /// `States.Runtime` with `cause`.
    pub fn runtime(cause: impl Into<String>) -> Self {
        Self::new(names::RUNTIME, cause)
    }

    /// `States.QueryEvaluationError` of the JSONata in the field `location`.
    pub fn query(cause: impl Into<String>, location: &str) -> Self {
        Self {
            error: names::QUERY_EVALUATION_ERROR.to_owned(),
            cause: cause.into(),
            location: Some(location.to_owned()),
        }
    }
}
