//! What the owner of all executions is told, and by whom an execution was begun.

use jiff::Timestamp;
use offhook_asl::execution::TokenEvent;
use offhook_asl::history::Event;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::error::{ExecutionError, StartError, TokenFault};
use super::queue::QueueMessage;
use crate::names::MachineRef;
use crate::store::ExecutionRecord;
use crate::versions::Chosen;

/// What an execution is started with.
#[derive(Debug, Clone)]
pub struct StartExecution {
    /// Which machine.
    pub machine: MachineRef,
    /// Its name; none: a new one.
    pub name: Option<String>,
    /// Input.
    pub input: Value,
    /// The call that it runs. Such an execution is begun at once and kept meanwhile, because
    /// somebody listens.
    pub transaction_id: Option<String>,
}

/// What began an execution.
#[derive(Debug)]
pub(crate) enum Origin {
    /// Somebody from outside, or a schedule.
    Asked,
    /// A call, by its transaction id.
    Call(String),
    /// A request of another execution, by its [`crate::services::Request::idempotency`].
    Request(String),
}

/// An execution that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Its ARN.
    pub arn: String,
    /// When it began.
    pub at: Timestamp,
    /// The version that it runs.
    pub version: u32,
}

/// A task that a worker took from an activity.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivityTask {
    /// To answer with.
    pub token: String,
    /// What the state gave it.
    pub input: Value,
}

/// What is known of an execution that runs: who it is, for those that wait for it.
pub(crate) type Ended = ExecutionRecord;

pub(super) type Reply<T> = oneshot::Sender<T>;

/// What the owner is told.
pub(crate) enum Command {
    Start {
        chosen: Chosen,
        name: String,
        input: Value,
        origin: Origin,
        reply: Reply<Result<Started, StartError>>,
    },
    Stop {
        arn: String,
        error: Option<String>,
        cause: Option<String>,
        reply: Reply<Result<Timestamp, ExecutionError>>,
    },
    Token {
        token: String,
        event: TokenEvent,
        /// Answer when it is kept, and not when it is done.
        kept: bool,
        reply: Reply<Result<(), TokenFault>>,
    },
    Waits {
        token: String,
        reply: Reply<bool>,
    },
    /// The record as it stands, and the events that are not kept yet.
    Look {
        arn: String,
        reply: Reply<Option<(ExecutionRecord, Vec<Event>)>>,
    },
    /// Answers when it has ended; `None`: it does not run.
    Wait {
        arn: String,
        reply: Reply<Option<oneshot::Receiver<Ended>>>,
    },
    OpenQueue {
        url: String,
        messages: mpsc::Sender<QueueMessage>,
    },
    CloseQueue {
        url: String,
    },
    TakeActivity {
        arn: String,
        worker: Option<String>,
        reply: Reply<ActivityTask>,
    },
    Running {
        reply: Reply<usize>,
    },
}
