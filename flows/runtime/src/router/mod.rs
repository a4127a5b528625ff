//! The event router: carries a call's events to its workflow, and the workflow's actions back.
//!
//! > A call has one execution, and one queue that it alone listens to. An event completes the task
//! > whose token waits; the next message of the workflow is the reply. Nobody is left in silence:
//! > when the workflow ends or says nothing, the caller hears an apology and all legs are hung up.
//!
//! It does what AWS's `process_pstn_audio_service_calls` sample does, so that its workflows run as
//! they are, and has none of its faults: a message goes straight to the call, nothing that a state
//! sent before it timed out reaches a later event, a recording is not lost because the caller hung
//! up, and an execution does not outlive its call.

mod apology;
mod beginning;
mod call;
mod closing;
mod event;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

pub use self::call::FlowCall;
pub(crate) use self::closing::{ROOM, queue_url, see_off};
use crate::names::MachineRef;
use crate::runtime::{Runtime, StartError};

/// `Error` of a task whose caller hung up, as the sample's workflows expect it.
pub const HANGUP: &str = "HANGUP";
/// `Cause` beside it.
pub const CALL_ENDED: &str = "Call Ended";
/// The argument of a call update by which the router is asked for a message that waits: what
/// [`Wake`] sends.
pub const WAKE_ARGUMENT: &str = "OffhookFlowMessage";

/// Why a call's workflow gives no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlowError {
    /// The execution could not be started.
    #[error("the workflow was not started: {0}")]
    NotStarted(#[from] StartError),
    /// The execution was not there when the call had to be answered.
    #[error("the workflow was not started within {0} s")]
    TooSlow(u64),
    /// The workflow of a call that is to be placed was over before it was.
    #[error("the call is not placed: {0}")]
    NotPlaced(String),
    /// An event came that does not begin a call, and there is no execution for it.
    #[error("there is no execution for this call: it began with {0}")]
    NoExecution(&'static str),
}

/// Asks a call to look for a message outside of its events: the runtime's side of a call update
/// with the argument [`WAKE_ARGUMENT`]. Given the transaction id.
pub type Wake = Arc<dyn Fn(&str) + Send + Sync>;

/// For the workflow to answer an event. AWS hangs up after 20 seconds, and so does the call itself:
/// this is shorter, so that the answer is the router's.
const REPLY: Duration = Duration::from_secs(18);
/// For an execution to end after its call has.
const AFTER_CALL: Duration = Duration::from_secs(300);

/// Makes the router's end of calls.
#[derive(Clone)]
pub struct Router {
    runtime: Runtime,
    wake: Option<Wake>,
}

impl Router {
    /// Executions run in `runtime`.
    pub fn new(runtime: Runtime) -> Self {
        Self { runtime, wake: None }
    }

    /// What a workflow says between events is fetched by a call update. Without it such a message
    /// waits for the call's next event.
    #[must_use]
    pub fn with_wake(mut self, wake: Wake) -> Self {
        self.wake = Some(wake);
        self
    }

    /// The router's end of one call that `machine` runs. Nothing happens before its first event.
    pub fn call(&self, machine: MachineRef) -> FlowCall {
        FlowCall::new(self.clone(), machine)
    }

    /// The runtime.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }
}

/// The name of a call's execution, and of its queue.
pub fn execution_name(transaction_id: &str) -> String {
    format!("call_flow_{transaction_id}")
}
