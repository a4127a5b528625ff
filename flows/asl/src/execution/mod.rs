//! One run of a [`Machine`], without clock, socket or task of its own.
//!
//! > An execution changes only in [`Execution::start`], the `handle_*` methods and
//! > [`Execution::stop`]. After each, the driver carries out what [`Execution::poll_effect`] gives
//! > until it gives nothing, and calls [`Execution::handle_timeout`] no later than
//! > [`Execution::next_deadline`]. An execution can be written down between any two of these calls
//! > and go on elsewhere.
//!
//! A deadline may be now: then the execution has more to do than one turn allows, and gives the
//! thread back in between.
//!
//! History follows what was recorded on AWS, also where it surprises: the first state's event
//! points to event 0, a Map's Exited event passes by its Succeeded event, a distributed Map's
//! points to `MapRunStarted`, and `EvaluationFailed` to what was before the state was entered.

mod attempt;
mod choice;
mod effect;
mod exit;
mod fault;
mod items;
mod map;
mod map_fields;
mod map_run;
mod pace;
mod parallel;
mod picking;
mod record;
mod sight;
mod state;
mod task;
mod task_fields;
#[cfg(test)]
pub(crate) mod tests;
mod token;
mod turn;
mod writer;

pub use effect::*;
pub use pace::Pace;

use crate::history::{Details, Event, EventType, Fault as FaultDetails, Started, Truncation};
use crate::json::{Json, Text};
use crate::machine::Machine;
use crate::scope::{Entropy, Variables};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use state::{Core, Fault, Frame, Identity, ROOT, Strand};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What `DescribeExecution` calls `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Not ended.
    Running,
    /// Ended with an output.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// The machine's `TimeoutSeconds` passed.
    TimedOut,
    /// Stopped from outside.
    Aborted,
}

/// Who an execution is, and what it begins with.
#[derive(Debug, Clone)]
pub struct Start {
    /// The execution's ARN, `arn:aws:states:REGION:ACCOUNT:execution:MACHINE:NAME`: `$$.Execution.Id`.
    pub arn: String,
    /// Its name: `$$.Execution.Name`.
    pub name: String,
    /// The role it would run with on AWS: `$$.Execution.RoleArn`.
    pub role_arn: String,
    /// The state machine's ARN: `$$.StateMachine.Id`.
    pub machine_arn: String,
    /// The state machine's name.
    pub machine_name: String,
    /// The input.
    pub input: Json,
    /// Random bytes that nobody can guess: task tokens are made of them.
    pub seed: [u8; 32],
    /// ARNs of activities that the definition names and that the host does not have: a Task that
    /// asks for one fails with `States.Runtime`, as it does on AWS.
    pub missing_activities: Vec<String>,
}

/// An execution that was written down: what [`Execution`] serialises to.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Snapshot(Core);

impl Snapshot {
    /// The [`Machine::digest`] of the definition the execution began with.
    pub fn digest(&self) -> &str {
        &self.0.digest
    }
}

/// The snapshot was made with another definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the execution began with another definition")]
pub struct OtherMachine;

/// One execution.
#[derive(Debug, Clone)]
pub struct Execution {
    machine: Arc<Machine>,
    core: Core,
    /// Bytes of outputs in the present turn.
    written: usize,
    pace: Pace,
}

impl Execution {
    /// Starts. The first states have run when this returns.
    pub fn start(machine: Arc<Machine>, start: Start, now: Timestamp) -> Self {
        Self::start_at(machine, start, now, Pace::default())
    }

    /// The same with turns as long as the driver says.
    pub fn start_at(machine: Arc<Machine>, start: Start, now: Timestamp, pace: Pace) -> Self {
        let identity = Identity {
            arn: start.arn,
            name: start.name,
            role_arn: start.role_arn,
            machine_arn: start.machine_arn,
            machine_name: start.machine_name,
            input: start.input,
            started: now,
        };
        let entry = machine.flow(0).map_or(0, |flow| flow.start);
        let root = Strand {
            parent: None,
            home: ROOT,
            child: None,
            flow: 0,
            last: 0,
            variables: Variables::new(),
            item: None,
            frame: Frame::new(entry, identity.input.clone(), now),
        };
        let seed = start.seed.iter().take(8).fold(0_u64, |seed, byte| seed << 8 | u64::from(*byte));
        let seconds = machine.timeout_seconds();
        let core = Core {
            digest: machine.digest().to_owned(),
            identity,
            status: Status::Running,
            output: None,
            error: None,
            cause: None,
            strands: BTreeMap::from([(ROOT, root)]),
            next_strand: ROOT + 1,
            next_task: 1,
            ready: VecDeque::from([ROOT]),
            effects: VecDeque::new(),
            tasks: BTreeMap::new(),
            events: Vec::new(),
            recorded: 0,
            deadline: seconds.map(|seconds| record::after(now, seconds as f64)),
            now,
            entropy: Entropy::new(seed),
            secret: start.seed.to_vec(),
            missing_activities: start.missing_activities,
        };
        let mut execution = Self { machine, core, written: 0, pace };
        let details = Details::ExecutionStarted(Started {
            input: Text::from(&execution.core.identity.input),
            input_details: Truncation::default(),
            role_arn: execution.core.identity.role_arn.clone(),
        });
        execution.record(ROOT, EventType::ExecutionStarted, 0, Some(details));
        let refused = exit::bounded("StartExecution", &execution.core.identity.input).err();
        if let Some(failure) = refused {
            execution.core.identity.input = Json::default();
            execution.fail_home(ROOT, Fault::told(Some(failure.error), Some(failure.cause)));
        }
        execution.run();
        execution
    }

    /// Goes on from a snapshot.
    pub fn restore(machine: Arc<Machine>, snapshot: Snapshot) -> Result<Self, OtherMachine> {
        if machine.digest() != snapshot.0.digest {
            return Err(OtherMachine);
        }
        Ok(Self { machine, core: snapshot.0, written: 0, pace: Pace::default() })
    }

    /// With turns as long as the driver says.
    #[must_use]
    pub fn with_pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// Takes what the driver tells about a task it was given.
    pub fn handle_task(
        &mut self,
        id: TaskId,
        event: TaskEvent,
        now: Timestamp,
    ) -> Result<(), NoSuchTask> {
        let strand = *self.core.tasks.get(&id).ok_or(NoSuchTask(id))?;
        self.tick(now);
        self.task_event(strand, id, event);
        self.run();
        Ok(())
    }

    /// Takes what a worker tells with a token. Refused tokens change nothing.
    pub fn handle_token(
        &mut self,
        token: &str,
        event: TokenEvent,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        let id = self.task_of(token).ok_or(TokenError::InvalidToken)?;
        let event = match event {
            TokenEvent::Success { output } => TaskEvent::Succeeded { output },
            TokenEvent::Failure { error, cause } => TaskEvent::Failed { error, cause },
            TokenEvent::Heartbeat => TaskEvent::Heartbeat,
        };
        self.handle_task(id, event, now).map_err(|_| TokenError::TaskTimedOut)
    }

    /// Does what is due at `now`. Calling it early or for nothing is harmless.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.tick(now);
        self.due();
        self.run();
    }

    /// Ends the execution as `StopExecution` does. Without effect when it has ended.
    pub fn stop(&mut self, error: Option<String>, cause: Option<String>, now: Timestamp) {
        if self.core.status != Status::Running {
            return;
        }
        self.tick(now);
        let details = FaultDetails { error: error.clone(), cause: cause.clone() };
        self.end(Status::Aborted, EventType::ExecutionAborted, Details::ExecutionAborted(details));
        self.core.error = error;
        self.core.cause = cause;
    }

    /// The next thing to do, if there is one.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.core.effects.pop_front()
    }

    /// When [`Execution::handle_timeout`] is to be called at the latest.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        if self.core.status != Status::Running {
            return None;
        }
        if !self.core.ready.is_empty() {
            return Some(self.core.now);
        }
        let strands = self.core.strands.values().filter_map(turn::deadline);
        strands.chain(self.core.deadline).min()
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        self.core.status
    }

    /// What it gave, once it has succeeded.
    pub fn output(&self) -> Option<&Value> {
        self.core.output.as_deref()
    }

    /// The name of the error it ended with.
    pub fn error(&self) -> Option<&str> {
        self.core.error.as_deref()
    }

    /// The words for the error.
    pub fn cause(&self) -> Option<&str> {
        self.core.cause.as_deref()
    }

    /// Its ARN.
    pub fn arn(&self) -> &str {
        &self.core.identity.arn
    }

    /// The definition it runs.
    pub fn machine(&self) -> &Arc<Machine> {
        &self.machine
    }

    /// The events that were not taken yet, in order.
    pub fn history(&self) -> &[Event] {
        &self.core.events
    }

    /// Takes the events that happened since the last time: for a store that keeps them.
    pub fn take_new_history(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.core.events)
    }

    /// Asks again for a task that a driver was given and had no answer to when it was restarted.
    /// False if its service has answered already, or if it is not open.
    pub fn repeat(&mut self, id: TaskId) -> bool {
        let strand = self.core.tasks.get(&id).copied();
        let Some(effect) = strand.and_then(|strand| self.unanswered(strand)) else { return false };
        if !self.core.effects.contains(&effect) {
            self.core.effects.push_back(effect);
        }
        true
    }
}

/// Writes a snapshot, which [`Snapshot`] reads.
impl Serialize for Execution {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.core.serialize(serializer)
    }
}
