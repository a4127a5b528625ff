//! What happened in an execution, in the form of `GetExecutionHistory`.
//!
//! An [`Event`] serialises to the JSON object that AWS's API gives for it, with one difference:
//! `timestamp` is RFC 3339 text in UTC, as the AWS command line shows it, and not a number.
//!
//! Source: Step Functions API reference, "HistoryEvent".

mod details;

pub use details::*;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The number of an event, from 1. 0 stands for none.
pub type EventId = u64;

/// One event of an execution's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Its number: 1, 2, 3, … in the order in which events happened.
    pub id: EventId,
    /// The event that led to it, along its own branch or iteration. 0 for the first two.
    pub previous_event_id: EventId,
    /// When it happened.
    pub timestamp: Timestamp,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// The `…EventDetails` member, where the type has one.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
}

/// The type of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are AWS's and say it")]
pub enum EventType {
    ExecutionStarted,
    ExecutionSucceeded,
    ExecutionFailed,
    ExecutionTimedOut,
    ExecutionAborted,
    PassStateEntered,
    PassStateExited,
    TaskStateEntered,
    TaskStateExited,
    TaskStateAborted,
    ChoiceStateEntered,
    ChoiceStateExited,
    WaitStateEntered,
    WaitStateExited,
    WaitStateAborted,
    SucceedStateEntered,
    SucceedStateExited,
    FailStateEntered,
    ParallelStateEntered,
    ParallelStateStarted,
    ParallelStateSucceeded,
    ParallelStateFailed,
    ParallelStateAborted,
    ParallelStateExited,
    MapStateEntered,
    MapStateStarted,
    MapStateSucceeded,
    MapStateFailed,
    MapStateAborted,
    MapStateExited,
    MapIterationStarted,
    MapIterationSucceeded,
    MapIterationFailed,
    MapIterationAborted,
    MapRunStarted,
    MapRunSucceeded,
    MapRunFailed,
    MapRunAborted,
    TaskScheduled,
    TaskStarted,
    TaskStartFailed,
    TaskSubmitted,
    TaskSubmitFailed,
    TaskSucceeded,
    TaskFailed,
    TaskTimedOut,
    LambdaFunctionScheduled,
    LambdaFunctionScheduleFailed,
    LambdaFunctionStarted,
    LambdaFunctionStartFailed,
    LambdaFunctionSucceeded,
    LambdaFunctionFailed,
    LambdaFunctionTimedOut,
    ActivityScheduled,
    ActivityScheduleFailed,
    ActivityStarted,
    ActivitySucceeded,
    ActivityFailed,
    ActivityTimedOut,
    EvaluationFailed,
}

impl EventType {
    /// `<Type>StateEntered` of a state type's name. Unknown names do not occur.
    pub(crate) fn entered(kind: &str) -> Self {
        match kind {
            "Task" => Self::TaskStateEntered,
            "Choice" => Self::ChoiceStateEntered,
            "Wait" => Self::WaitStateEntered,
            "Succeed" => Self::SucceedStateEntered,
            "Fail" => Self::FailStateEntered,
            "Parallel" => Self::ParallelStateEntered,
            "Map" => Self::MapStateEntered,
            _ => Self::PassStateEntered,
        }
    }

    /// `<Type>StateExited`. A Fail state has none.
    pub(crate) fn exited(kind: &str) -> Self {
        match kind {
            "Task" => Self::TaskStateExited,
            "Choice" => Self::ChoiceStateExited,
            "Wait" => Self::WaitStateExited,
            "Succeed" => Self::SucceedStateExited,
            "Parallel" => Self::ParallelStateExited,
            "Map" => Self::MapStateExited,
            _ => Self::PassStateExited,
        }
    }

    /// `<Type>StateAborted` of the types that wait.
    pub(crate) fn aborted(kind: &str) -> Option<Self> {
        match kind {
            "Task" => Some(Self::TaskStateAborted),
            "Wait" => Some(Self::WaitStateAborted),
            "Parallel" => Some(Self::ParallelStateAborted),
            "Map" => Some(Self::MapStateAborted),
            _ => None,
        }
    }
}
