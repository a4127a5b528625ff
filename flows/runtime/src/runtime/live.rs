//! One execution that runs, with what is under way for it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use offhook_asl::execution::{Execution, ItemsCall, ResultsCall, Status, TaskCall, TaskId};
use offhook_asl::history::Event;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::error::StartError;
use super::{Ended, Started};
use crate::secrets::Secrets;
use crate::store::{ExecutionRecord, ExecutionStatus, MachineType, StoreError};

/// An execution's number while the owner runs.
pub(super) type Key = u64;

pub(super) struct Live {
    pub(super) execution: Execution,
    pub(super) record: ExecutionRecord,
    pub(super) kind: MachineType,
    pub(super) stage: Stage,
    pub(super) open: BTreeMap<TaskId, Open>,
    /// What it is in the heap of deadlines with.
    pub(super) deadline: Option<Timestamp>,
    /// What is masked in all that is kept for reading.
    pub(super) secrets: Secrets,
    /// Events that were not given to the store.
    pub(super) unsaved: Vec<Event>,
    pub(super) saving: Option<Saving>,
    /// Something changed since the last save began.
    pub(super) dirty: bool,
    /// Its newest place in the row of those that are to be kept.
    pub(super) place: Option<u64>,
    /// How often it went back to the end of that row.
    pub(super) moved: u32,
    /// It is not in the store yet.
    pub(super) new: bool,
    /// Who waits for it to be kept as it stands.
    pub(super) acks: Vec<Ack>,
    /// Who waits for its end.
    pub(super) waiters: Vec<oneshot::Sender<Ended>>,
    pub(super) failures: u32,
    /// When a save that failed is tried again.
    pub(super) save_again: Option<Timestamp>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing is done for it before its name is known to be free.
    Naming,
    Running,
    Ended,
}

/// What is on its way to the store.
pub(super) struct Saving {
    pub(super) events: Vec<Event>,
    pub(super) acks: Vec<Ack>,
    pub(super) last: bool,
}

/// Told once the change is kept, or why it is not.
pub(super) enum Ack {
    Start(oneshot::Sender<Result<Started, StartError>>, Started),
    Other(Box<dyn FnOnce(Result<(), StoreError>) + Send>),
}

impl Ack {
    pub(super) fn tell(self, kept: Result<(), StoreError>) {
        match self {
            // Whoever asked may be gone.
            Self::Start(reply, started) => {
                drop(reply.send(kept.map(|()| started).map_err(StartError::Store)));
            }
            Self::Other(tell) => tell(kept),
        }
    }
}

/// A task that was not answered.
pub(super) struct Open {
    pub(super) token: Option<String>,
    pub(super) what: What,
    /// The service has answered, and what it began goes on.
    pub(super) submitted: bool,
    pub(super) request: Option<AbortHandle>,
}

/// What it waits for: enough to ask again after a restart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum What {
    /// A service's answer.
    Call(Box<TaskCall>),
    /// Items of a distributed Map.
    Read(Box<ItemsCall>),
    /// Results of one.
    Write(Box<ResultsCall>),
    /// Its token, given to the queue of the call that the execution runs.
    Queue,
    /// Its token, given to anybody else.
    Token,
    /// A worker of an activity.
    Activity { arn: String, input: String, taken: bool },
}

/// What is kept of an execution.
#[derive(Serialize)]
pub(super) struct Snapshot<'a> {
    pub(super) execution: &'a Execution,
    pub(super) open: Vec<(TaskId, bool, Option<&'a str>, &'a What)>,
    pub(super) secrets: &'a Secrets,
}

/// The same, read again.
#[derive(Deserialize)]
pub(super) struct Restored {
    pub(super) execution: offhook_asl::execution::Snapshot,
    pub(super) open: Vec<(TaskId, bool, Option<String>, What)>,
    /// Snapshots of earlier releases have none.
    #[serde(default)]
    pub(super) secrets: Secrets,
}

impl Live {
    pub(super) fn new(execution: Execution, record: ExecutionRecord, kind: MachineType) -> Self {
        Self {
            execution,
            record,
            kind,
            stage: Stage::Running,
            open: BTreeMap::new(),
            deadline: None,
            secrets: Secrets::default(),
            unsaved: Vec::new(),
            saving: None,
            dirty: false,
            place: None,
            moved: 0,
            new: false,
            acks: Vec::new(),
            waiters: Vec::new(),
            failures: 0,
            save_again: None,
        }
    }

    /// Takes over what the execution has become.
    pub(super) fn update(&mut self, now: Timestamp) {
        self.dirty = true;
        let status = match self.execution.status() {
            Status::Running => return,
            Status::Succeeded => ExecutionStatus::Succeeded,
            Status::Failed => ExecutionStatus::Failed,
            Status::TimedOut => ExecutionStatus::TimedOut,
            Status::Aborted => ExecutionStatus::Aborted,
        };
        if self.record.status == ExecutionStatus::Running {
            self.record.status = status;
            self.record.stopped = Some(now);
            self.record.output = self.execution.output().map(ToString::to_string);
            self.record.error = self.execution.error().map(str::to_owned);
            self.record.cause = self.execution.cause().map(str::to_owned);
        }
    }

    /// Takes over what has happened to it, and learns what of that nobody may read if that `masks`.
    pub(super) fn collect(&mut self, masks: bool) {
        let news = self.execution.take_new_history();
        if masks {
            self.secrets.learn(self.execution.machine(), &news);
        }
        self.unsaved.extend(news);
    }

    /// When it wants to be looked at.
    pub(super) fn wants(&self) -> Option<Timestamp> {
        let own = match self.stage {
            Stage::Running => self.execution.next_deadline(),
            Stage::Naming | Stage::Ended => None,
        };
        [own, self.save_again].into_iter().flatten().min()
    }

    /// Events that happened and are not known to be kept.
    pub(super) fn fresh_events(&self) -> Vec<Event> {
        let saving = self.saving.iter().flat_map(|saving| &saving.events);
        saving.chain(&self.unsaved).chain(self.execution.history()).cloned().collect()
    }
}
