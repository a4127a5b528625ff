//! What an execution is made of: everything here is written into a snapshot.

use super::{Effect, ItemsCall, ResultsCall, Status, TaskCall, TaskId};
use crate::history::{Event, EventId};
use crate::json::Json;
use crate::machine::model::{FlowId, StateId};
use crate::scope::{Entropy, Variables};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

/// A line of states that follow one another: the execution itself, a branch, an iteration.
pub(super) type StrandId = u64;

/// The strand that is the execution itself.
pub(super) const ROOT: StrandId = 0;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Core {
    pub(super) digest: String,
    pub(super) identity: Identity,
    pub(super) status: Status,
    pub(super) output: Option<Json>,
    pub(super) error: Option<String>,
    pub(super) cause: Option<String>,
    pub(super) strands: BTreeMap<StrandId, Strand>,
    pub(super) next_strand: StrandId,
    pub(super) next_task: u64,
    pub(super) ready: VecDeque<StrandId>,
    pub(super) effects: VecDeque<Effect>,
    /// The strand that waits for each task.
    pub(super) tasks: BTreeMap<TaskId, StrandId>,
    pub(super) events: Vec<Event>,
    /// The number of the last event.
    pub(super) recorded: EventId,
    /// When the machine's own `TimeoutSeconds` ends the execution.
    pub(super) deadline: Option<Timestamp>,
    /// The latest time seen: time does not go backwards inside an execution.
    pub(super) now: Timestamp,
    pub(super) entropy: Entropy,
    /// What tokens are signed with.
    pub(super) secret: Vec<u8>,
    pub(super) missing_activities: Vec<String>,
}

/// Who an execution is, as the context object's `Execution` and `StateMachine` say it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) role_arn: String,
    pub(super) machine_arn: String,
    pub(super) machine_name: String,
    pub(super) input: Json,
    pub(super) started: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Strand {
    /// The strand whose Parallel or Map this belongs to, and as which branch or iteration.
    pub(super) parent: Option<(StrandId, usize)>,
    /// The strand whose events and identity this uses: `ROOT`, or a child execution's first.
    pub(super) home: StrandId,
    /// The numbering and identity of a child execution.
    pub(super) child: Option<Box<Child>>,
    pub(super) flow: FlowId,
    /// The last event along this strand.
    pub(super) last: EventId,
    pub(super) variables: Variables,
    pub(super) item: Option<Item>,
    pub(super) frame: Frame,
}

/// A child execution of a distributed Map. Its events are numbered, not kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Child {
    pub(super) identity: Identity,
    pub(super) events: u64,
}

/// `Map.Item` of the context object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Item {
    pub(super) index: usize,
    pub(super) key: Option<String>,
    pub(super) value: Value,
}

/// The state a strand is in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Frame {
    pub(super) state: StateId,
    pub(super) input: Json,
    pub(super) entered: EventId,
    pub(super) before_entered: EventId,
    pub(super) entered_at: Timestamp,
    /// How often each retrier was used.
    pub(super) attempts: Vec<u64>,
    pub(super) retries: u64,
    /// Where the Exited event points to, if not to the last event.
    pub(super) exit_from: Option<EventId>,
    pub(super) phase: Phase,
}

impl Frame {
    pub(super) fn new(state: StateId, input: Json, now: Timestamp) -> Self {
        Self {
            state,
            input,
            entered: 0,
            before_entered: 0,
            entered_at: now,
            attempts: Vec::new(),
            retries: 0,
            exit_from: None,
            phase: Phase::Enter,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Phase {
    /// Not yet entered.
    Enter,
    /// About to be tried, for the first time or again.
    Attempt,
    /// A Wait state waits.
    Wait {
        until: Timestamp,
    },
    /// A retrier waits.
    Backoff {
        until: Timestamp,
    },
    Task(TaskRun),
    Parallel {
        running: usize,
        results: Vec<Option<Value>>,
        /// About how many bytes they have.
        #[serde(default)]
        held: usize,
    },
    Map(Box<MapRun>),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TaskRun {
    pub(super) id: TaskId,
    /// What was asked for, until the service has answered or a worker has taken it.
    pub(super) call: Option<Box<TaskCall>>,
    /// An activity's worker has it, or the service was called.
    pub(super) started: bool,
    pub(super) submitted: bool,
    pub(super) deadline: Option<Timestamp>,
    /// Seconds between heartbeats, and when the next is due.
    pub(super) heartbeat: Option<(u64, Timestamp)>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct MapRun {
    /// The effective input, which `ItemSelector` sees.
    pub(super) input: Json,
    pub(super) items: VecDeque<Entry>,
    pub(super) next_index: usize,
    pub(super) total_items: usize,
    pub(super) running: usize,
    pub(super) concurrency: usize,
    pub(super) results: BTreeMap<usize, Value>,
    /// About how many bytes they have.
    #[serde(default)]
    pub(super) held: usize,
    pub(super) distributed: Option<Box<Distributed>>,
}

/// One item that waits for its iteration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) key: Option<String>,
    pub(super) value: Value,
    /// Items in it: more than one in a batch.
    pub(super) items: usize,
    /// `Map.Item.Source`, where it is not that of the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<Source>,
}

/// `Map.Item.Source` of one item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Source {
    /// Its place among the [`Distributed::sources`].
    At(usize),
    /// In what was written down before there were such.
    Own(String),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Distributed {
    pub(super) arn: String,
    /// The last part of the map run's ARN.
    pub(super) run: String,
    pub(super) label: String,
    /// `Map.Item.Source` of every item that has none of its own.
    #[serde(default = "state_data")]
    pub(super) source: String,
    /// The sources of items that have their own, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) sources: Vec<String>,
    pub(super) started: EventId,
    pub(super) tolerated_count: Option<u64>,
    pub(super) tolerated_percentage: Option<f64>,
    pub(super) failed_items: usize,
    /// How many items each running child has.
    pub(super) sizes: BTreeMap<usize, usize>,
    /// What a `ResultWriter` is to write about children that are done.
    pub(super) succeeded: Vec<Value>,
    pub(super) failed: Vec<Value>,
    pub(super) call: Option<Call>,
}

impl Distributed {
    /// `Map.Item.Source` of an item.
    pub(super) fn source_of<'a>(&'a self, own: Option<&'a Source>) -> &'a str {
        match own {
            Some(Source::Own(source)) => source,
            Some(Source::At(at)) => self.sources.get(*at).unwrap_or(&self.source),
            None => &self.source,
        }
    }
}

/// `Map.Item.Source` of items that come from the state's input.
pub(super) fn state_data() -> String {
    "STATE_DATA".to_owned()
}

/// What a distributed Map waits for besides its children.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Call {
    Read { call: Box<ItemsCall>, max_items: Option<u64> },
    Write { call: Box<ResultsCall>, output: Value },
}

/// Why a state failed.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) error: Option<String>,
    pub(super) cause: Option<String>,
    pub(super) location: Option<String>,
    /// The name that `Retry` and `Catch` may use besides.
    pub(super) alias: Option<&'static str>,
    /// A task failed, rather than the state around it.
    pub(super) of_task: bool,
    /// The cause is whole: no sentence about the state is to be put before it.
    pub(super) told: bool,
}

impl Fault {
    /// What a service, a worker or a Fail state said.
    pub(super) fn told(error: Option<String>, cause: Option<String>) -> Self {
        Self { error, cause, location: None, alias: None, of_task: false, told: true }
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.error.as_deref() == Some(name)
    }
}

impl Call {
    pub(super) fn id(&self) -> TaskId {
        match self {
            Self::Read { call, .. } => call.id,
            Self::Write { call, .. } => call.id,
        }
    }

    pub(super) fn effect(&self) -> Effect {
        match self {
            Self::Read { call, .. } => Effect::ReadItems(call.clone()),
            Self::Write { call, .. } => Effect::WriteResults(call.clone()),
        }
    }
}

impl From<crate::Failure> for Fault {
    fn from(failure: crate::Failure) -> Self {
        Self {
            error: Some(failure.error),
            cause: Some(failure.cause),
            location: failure.location,
            alias: None,
            of_task: false,
            told: false,
        }
    }
}
