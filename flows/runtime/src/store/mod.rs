//! What must survive a restart, as traits.
//!
//! What is answered `Ok` is kept. A write is queued when the method is *called*, not when its
//! future is first polled, so writes of one caller happen in their order.

mod memory;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use offhook_asl::Machine;
use offhook_asl::json::Text;
use offhook_asl::machine::Inherited;
use serde::{Deserialize, Serialize};

pub use memory::MemoryStore;

/// A boxed future, so that the traits can be used as `Arc<dyn …>`.
pub type Kept<T> = BoxFuture<'static, Result<T, StoreError>>;

/// Why something could not be kept or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store's queue is full.
    #[error("the store is overloaded")]
    Overloaded,
    /// The disk is full or the file is damaged; the text says which.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// Standard or Express (Step Functions developer guide, "Choosing workflow type").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum MachineType {
    /// Durable, its name used once.
    #[default]
    Standard,
    /// Kept nowhere.
    Express,
}

/// A published definition. Never changed, only deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedVersion {
    /// The machine's name.
    pub machine: String,
    /// 1 for its first, one more each time; numbers of deleted ones are not used again.
    pub version: u32,
    /// Standard or Express.
    pub kind: MachineType,
    /// The definition as it was given, byte by byte.
    pub definition: String,
    /// SHA-256 of it, in lower-case hex.
    pub digest: String,
    /// What whoever published it wrote.
    pub description: String,
    /// When.
    pub published: Timestamp,
    /// Whether states in its Maps and branches that name no query language have the machine's. In
    /// versions of older releases they have that of the state around them.
    pub inherits_from_machine: bool,
}

impl PublishedVersion {
    /// The rule by which it was taken in.
    pub fn inherited(&self) -> Inherited {
        if self.inherits_from_machine { Inherited::FromMachine } else { Inherited::FromState }
    }

    /// Whether its definition is that of a machine that is taken in now, and means the same.
    pub fn is_read_as(&self, machine: &Machine) -> bool {
        let means_the_same = self.inherits_from_machine || !machine.depends_on_inherited();
        self.digest == machine.digest() && means_the_same
    }
}

/// A name that points to one or two versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The machine's name.
    pub machine: String,
    /// The alias's.
    pub name: String,
    /// One or two.
    pub routes: Vec<Route>,
    /// Those before the last change, for going back.
    pub former: Vec<Route>,
    /// When it was last changed.
    pub updated: Timestamp,
}

/// Where an alias sends a share of new executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The version.
    pub version: u32,
    /// Percent, 0 to 100; those of an alias make 100.
    pub weight: u8,
}

/// Definitions.
pub trait Definitions: Send + Sync {
    /// Keeps a new version under the next number, and answers with it. `version` in the argument
    /// is not looked at.
    fn publish_version(&self, version: PublishedVersion) -> Kept<u32>;
    /// Of one machine, newest first; of all without a name.
    fn list_versions(&self, machine: Option<String>) -> Kept<Vec<PublishedVersion>>;
    /// One.
    fn get_version(&self, machine: String, version: u32) -> Kept<Option<PublishedVersion>>;
    /// Number and kind of one, or of the newest, without its definition: asked for at each call.
    fn find_version(
        &self,
        machine: String,
        version: Option<u32>,
    ) -> Kept<Option<(u32, MachineType)>>;
    /// Machine and number of all, without their definitions, newest first.
    fn list_numbers(&self) -> Kept<Vec<(String, u32)>>;
    /// `false`: there was none.
    fn delete_version(&self, machine: String, version: u32) -> Kept<bool>;
    /// Insert or replace.
    fn put_alias(&self, alias: Alias) -> Kept<()>;
    /// Of one machine, or of all.
    fn list_aliases(&self, machine: Option<String>) -> Kept<Vec<Alias>>;
    /// `false`: there was none.
    fn delete_alias(&self, machine: String, name: String) -> Kept<bool>;
}

/// How far an execution is (`DescribeExecution`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum ExecutionStatus {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
}

/// An execution, without its history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionRecord {
    /// Its ARN, which holds the machine's name and its own.
    pub arn: String,
    /// The machine's name.
    pub machine: String,
    /// Its own.
    pub name: String,
    /// The version that it runs; 0: a definition that was not published.
    pub version: u32,
    /// The alias it was started by.
    pub alias: Option<String>,
    /// How far it is.
    pub status: ExecutionStatus,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub stopped: Option<Timestamp>,
    /// Input, as JSON.
    pub input: Text,
    /// Output, as JSON, once it succeeded.
    pub output: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// The same in words.
    pub cause: Option<String>,
    /// The call that it runs, when it runs one.
    pub transaction_id: Option<String>,
    /// The [`crate::services::Request::idempotency`] of the request that started it, when another
    /// execution did: one that asks again after a restart knows its child by it.
    #[serde(default)]
    pub started_by: Option<String>,
}

/// What happened to an execution since it was last kept: all of it or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionChange {
    /// As it stands.
    pub record: ExecutionRecord,
    /// What it goes on from after a restart; `None`: it has ended, and needs none.
    pub snapshot: Option<Vec<u8>>,
    /// History events since the last change, as JSON, with their ids (1, 2, …).
    pub history: Vec<(u64, String)>,
    /// It must not be there yet: the name is taken once and for all.
    pub new: bool,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// Kept.
    Yes,
    /// Not kept: [`ExecutionChange::new`], and there is one of that name.
    NameTaken,
}

/// Which executions are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecutionFilter {
    /// Of this machine.
    pub machine: Option<String>,
    /// That are this far.
    pub status: Option<ExecutionStatus>,
    /// That run a call whose id begins so.
    pub transaction_id: Option<String>,
    /// Of this name, whatever their machine.
    pub name: Option<String>,
    /// Most of them.
    pub limit: usize,
}

/// Executions and their histories.
pub trait Executions: Send + Sync {
    /// Keeps what happened to one.
    fn save_execution(&self, change: ExecutionChange) -> Kept<Saved>;
    /// Those that have a snapshot: at start, to go on with them.
    fn unfinished_executions(&self) -> Kept<Vec<(ExecutionRecord, Vec<u8>)>>;
    /// What a call that a restart ended had recorded for its workflow, oldest first: of each file
    /// that is whole the `ACTION_SUCCESSFUL` as JSON, as its caller had hung up. A store that keeps
    /// no recordings has none.
    fn recorded(&self, _transaction_id: String) -> Kept<Vec<String>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
    /// One by its ARN.
    fn get_execution(&self, arn: String) -> Kept<Option<ExecutionRecord>>;
    /// Newest first.
    fn list_executions(&self, filter: ExecutionFilter) -> Kept<Vec<ExecutionRecord>>;
    /// Events with ids above `after`, in order.
    fn execution_history(&self, arn: String, after: u64, limit: usize) -> Kept<Vec<String>>;
}

/// Something small that a service keeps: a table's item, a schedule, a queued message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which collection: `dynamodb/items/TABLE`, `scheduler/schedules`, …
    pub space: String,
    /// Unique in its space; kept in the order of its bytes.
    pub key: Vec<u8>,
    /// What it is, usually JSON.
    pub body: Vec<u8>,
    /// When something has to be done about it.
    pub due: Option<Timestamp>,
    /// Rises with each change of it, and never comes again for its key while it exists.
    pub revision: u64,
}

/// What must be so for a change to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing.
    Any,
    /// There is no entry of that key.
    Absent,
    /// It is there at this revision.
    Revision(u64),
}

/// One change of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryChange {
    /// Which collection.
    pub space: String,
    /// Which.
    pub key: Vec<u8>,
    /// What must be so.
    pub expect: Expect,
    /// Body and due time; `None`: it is deleted; see [`EntryWrite`].
    pub write: EntryWrite,
}

/// What is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryWrite {
    /// Insert or replace.
    Put {
        /// Body.
        body: Vec<u8>,
        /// When something has to be done about it.
        due: Option<Timestamp>,
    },
    /// Delete, if it is there.
    Delete,
    /// Nothing: only what is expected is looked at.
    Check,
}

/// A part of a space, in the order of keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntryRange {
    /// Which collection.
    pub space: String,
    /// The first key that may be in it; empty: from the first.
    pub from: Vec<u8>,
    /// The first key that is behind it; `None`: to the last.
    pub to: Option<Vec<u8>>,
    /// From the last to the first.
    pub reverse: bool,
    /// Most entries.
    pub limit: usize,
}

/// What the services keep.
pub trait Entries: Send + Sync {
    /// One.
    fn get_entry(&self, space: String, key: Vec<u8>) -> Kept<Option<Entry>>;
    /// Some, in order.
    fn range_entries(&self, range: EntryRange) -> Kept<Vec<Entry>>;
    /// Those of a space that are due at `now`, the longest due first.
    fn due_entries(&self, space: String, now: Timestamp, limit: usize) -> Kept<Vec<Entry>>;
    /// When the first of a space is due.
    fn next_due(&self, space: String) -> Kept<Option<Timestamp>>;
    /// All changes or none. `false`: none, because something is not as it was expected.
    fn change_entries(&self, changes: Vec<EntryChange>) -> Kept<bool>;
}

/// Everything this crate wants kept.
pub trait FlowStore: Definitions + Executions + Entries {}
impl<T: Definitions + Executions + Entries> FlowStore for T {}
