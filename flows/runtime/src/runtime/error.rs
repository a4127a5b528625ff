//! Why the runtime refuses something: AWS's names, and its words where they are known.

use crate::store::StoreError;

/// Why an execution was not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// `ExecutionAlreadyExists`.
    #[error("Execution Already Exists: '{0}'")]
    AlreadyExists(String),
    /// `StateMachineDoesNotExist`.
    #[error("State Machine Does Not Exist: '{0}'")]
    NoSuchMachine(String),
    /// `InvalidName`.
    #[error("Invalid Name: '{0}'")]
    InvalidName(String),
    /// `InvalidExecutionInput`.
    #[error("Invalid State Machine Execution Input: '{0}'")]
    InvalidInput(String),
    /// `ExecutionLimitExceeded`.
    #[error("{0} executions run already: that is as many as may run at a time")]
    LimitExceeded(usize),
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A published version does not load any more.
    #[error("the definition of {machine} cannot be run: {why}")]
    Unreadable {
        /// Machine and version.
        machine: String,
        /// Its first problem.
        why: String,
    },
    /// The runtime has ended.
    #[error("the workflow runtime has ended")]
    Closed,
}

impl StartError {
    /// AWS's name of it (API reference, `StartExecution`).
    pub fn name(&self) -> &'static str {
        match self {
            Self::AlreadyExists(_) => "ExecutionAlreadyExists",
            Self::NoSuchMachine(_) => "StateMachineDoesNotExist",
            Self::InvalidName(_) => "InvalidName",
            Self::InvalidInput(_) => "InvalidExecutionInput",
            Self::LimitExceeded(_) => "ExecutionLimitExceeded",
            Self::Unreadable { .. } => "InvalidDefinition",
            Self::Store(_) | Self::Closed => "ServiceUnavailable",
        }
    }
}

/// Why a task token was refused (API reference, `SendTaskSuccess`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// The text is no token.
    #[error("Invalid Token: 'Invalid token'")]
    InvalidToken,
    /// The task has ended, timed out, or was cancelled.
    #[error("Task Timed Out: 'Provided task does not exist anymore'")]
    TaskTimedOut,
    /// It has the form of a token, and nobody here has given it.
    #[error("Task does not exist")]
    TaskDoesNotExist,
    /// The output is no JSON, or too long.
    #[error("Invalid Output: '{0}'")]
    InvalidOutput(String),
    /// It was taken, and could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The runtime has ended.
    #[error("the workflow runtime has ended")]
    Closed,
}

impl TokenFault {
    /// AWS's name of it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::InvalidToken => "InvalidToken",
            Self::TaskTimedOut => "TaskTimedOut",
            Self::TaskDoesNotExist => "TaskDoesNotExist",
            Self::InvalidOutput(_) => "InvalidOutput",
            Self::Store(_) | Self::Closed => "ServiceUnavailable",
        }
    }
}

/// Why an execution could not be stopped or shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecutionError {
    /// `ExecutionDoesNotExist`.
    #[error("Execution Does Not Exist: '{0}'")]
    DoesNotExist(String),
    /// It could not be kept or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The runtime has ended.
    #[error("the workflow runtime has ended")]
    Closed,
}

impl ExecutionError {
    /// AWS's name of it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::DoesNotExist(_) => "ExecutionDoesNotExist",
            Self::Store(_) | Self::Closed => "ServiceUnavailable",
        }
    }
}
