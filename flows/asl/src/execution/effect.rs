//! What an execution asks of its driver, and what the driver may answer.

use super::items::{self, Found};
use super::map_run::origin;
use super::picking;
use crate::json::Json;
use crate::machine::Resource;
use crate::machine::model::Format;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Names one task of one execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId(pub u64);

/// Something for the driver to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Effect {
    /// Call a service, a function, or give a task to an activity's workers.
    Task(Box<TaskCall>),
    /// Read the items of a distributed Map. Answered with [`TaskEvent::Content`] where the
    /// resource gives a file, with [`TaskEvent::Succeeded`] and an array where it lists objects, and
    /// with [`TaskEvent::Files`] where the listed objects are to be loaded; instead of a text also
    /// with what [`ItemsCall::itemize`] makes of it.
    ReadItems(Box<ItemsCall>),
    /// Keep the results of a distributed Map. Answered with [`TaskEvent::Succeeded`].
    WriteResults(Box<ResultsCall>),
    /// The answer to this task is not wanted any more: it timed out, or what waited for it ended.
    Cancel {
        /// Which task.
        id: TaskId,
    },
}

/// A task to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskCall {
    /// To answer with.
    pub id: TaskId,
    /// The state's name.
    pub state: String,
    /// What to call.
    pub resource: Resource,
    /// The evaluated `Parameters` or `Arguments`.
    pub arguments: Json,
    /// The token of `.waitForTaskToken`, `.sync` and activities.
    pub task_token: Option<String>,
    /// The region of the execution.
    pub region: String,
    /// The evaluated `Credentials`: the role's ARN.
    pub role_arn: Option<String>,
    /// Seconds until the task times out by itself.
    pub timeout_seconds: Option<u64>,
    /// Seconds the task may be silent.
    pub heartbeat_seconds: Option<u64>,
}

/// Items to read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemsCall {
    /// To answer with.
    pub id: TaskId,
    /// `s3:getObject` or `s3:listObjectsV2`.
    pub resource: Resource,
    /// The evaluated `Parameters` or `Arguments`: `Bucket`, `Key` or `Prefix`.
    pub arguments: Value,
    /// Whether the objects that are listed are to be read as well (`ReaderConfig`'s
    /// `Transformation`, `LOAD_AND_FLATTEN`). Snapshots of earlier releases do not say it.
    #[serde(default)]
    pub load: bool,
    /// The items that are wanted at most (`MaxItems`); `None`: all. Snapshots of earlier releases do
    /// not say it.
    #[serde(default)]
    pub most: Option<u64>,
    /// What a file is that gives items. Snapshots of earlier releases say it only where objects are
    /// loaded of which so many items are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<Format>,
}

impl ItemsCall {
    /// How many of `wanted` items an object with this text gives that is loaded; all of them if it
    /// cannot be read: the Map fails with it, and needs no other. So a driver knows when it has
    /// loaded what [`ItemsCall::most`] asks for. Nothing is built, but all of a large text is looked
    /// through.
    pub fn items_in(&self, text: &str, wanted: u64) -> u64 {
        let Some(format) = &self.format else { return 0 };
        let most = usize::try_from(wanted).unwrap_or(usize::MAX);
        picking::count(text, format, most).map_or(wanted, |items| items as u64)
    }

    /// Makes items of the text in a [`TaskEvent::Content`] or [`TaskEvent::Files`]; any other event is
    /// given back as it is. It needs no execution, so that a driver can do it on another thread: a file
    /// has up to [`crate::limits::READER_BYTES`], and others wait for the execution's.
    pub fn itemize(&self, event: TaskEvent) -> TaskEvent {
        let Some(format) = &self.format else { return event };
        let most = self.most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        let read = match &event {
            TaskEvent::Content { text } => items::read(text, format, most).map(Found::from),
            TaskEvent::Files { files, is_whole } => {
                let bucket = origin(&self.resource, &self.arguments);
                items::flatten(files, *is_whole, format, most, &bucket)
            }
            _ => return event,
        };
        TaskEvent::Items { read: ItemsRead(read) }
    }
}

/// The items that [`ItemsCall::itemize`] found, or why there are none: the cause of
/// `States.ItemReaderFailed`.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemsRead(pub(super) Result<Found, String>);

/// One of the objects that a reader lists and loads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemsFile {
    /// Its key in the bucket.
    pub key: String,
    /// CSV, JSON or JSON Lines, as `ReaderConfig` says.
    pub text: String,
}

/// Results to keep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultsCall {
    /// To answer with.
    pub id: TaskId,
    /// `s3:putObject`.
    pub resource: Resource,
    /// The evaluated `Parameters` or `Arguments`: `Bucket` and `Prefix`.
    pub arguments: Value,
    /// The files, the manifest last.
    pub files: Vec<ResultFile>,
}

/// One file of results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultFile {
    /// Its key in the bucket.
    pub key: String,
    /// Its text.
    pub body: String,
}

/// What the driver tells about a task.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskEvent {
    /// A worker has taken an activity's task.
    Started {
        /// The name the worker gave itself.
        worker_name: Option<String>,
    },
    /// The service has answered the call of a `.sync` or `.waitForTaskToken` task.
    Submitted {
        /// The service's response.
        output: Value,
    },
    /// The task is done.
    Succeeded {
        /// Its result.
        output: Value,
    },
    /// The text of a file of items.
    Content {
        /// CSV, JSON or JSON Lines, as `ReaderConfig` says.
        text: String,
    },
    /// The objects that were listed, in the list's order.
    Files {
        /// Each with its text, [`crate::limits::READER_BYTES`] of it together.
        files: Vec<ItemsFile>,
        /// Whether these are all: there may be more than are held, or than are wanted.
        is_whole: bool,
    },
    /// The items of a file, or of the files of a list, made of their text already
    /// ([`ItemsCall::itemize`]).
    Items {
        /// What was found.
        read: ItemsRead,
    },
    /// The task failed.
    Failed {
        /// The error's name, such as `SQS.SdkClientException`.
        error: Option<String>,
        /// The words.
        cause: Option<String>,
    },
    /// The task is still being worked on.
    Heartbeat,
}

/// What a worker tells with a task's token.
#[derive(Debug, Clone, PartialEq)]
pub enum TokenEvent {
    /// `SendTaskSuccess`.
    Success {
        /// The task's result.
        output: Value,
    },
    /// `SendTaskFailure`.
    Failure {
        /// The error's name.
        error: Option<String>,
        /// The words.
        cause: Option<String>,
    },
    /// `SendTaskHeartbeat`.
    Heartbeat,
}

/// Why a token was refused (API reference, `SendTaskSuccess`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// `InvalidToken`: the text is no token of this execution.
    #[error("Invalid Token: 'Invalid token'")]
    InvalidToken,
    /// `TaskTimedOut`: the task has ended, timed out or was cancelled.
    #[error("Task Timed Out: 'Provided task does not exist anymore'")]
    TaskTimedOut,
}

/// The task is none of this execution's, or has ended. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("task {} does not exist anymore", .0.0)]
pub struct NoSuchTask(pub TaskId);
