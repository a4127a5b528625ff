//! The `…EventDetails` members.

use crate::json::Text;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Whether a text was cut: `inputDetails`, `outputDetails`. Nothing is cut here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Truncation {
    /// Whether the text beside it is not whole.
    pub truncated: bool,
}

/// The details of an event. Texts named `input`, `output` and `parameters` hold JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are AWS's and say it")]
pub enum Details {
    #[serde(rename = "executionStartedEventDetails")]
    ExecutionStarted(Started),
    #[serde(rename = "executionSucceededEventDetails")]
    ExecutionSucceeded(Output),
    #[serde(rename = "executionFailedEventDetails")]
    ExecutionFailed(Fault),
    #[serde(rename = "executionTimedOutEventDetails")]
    ExecutionTimedOut(Fault),
    #[serde(rename = "executionAbortedEventDetails")]
    ExecutionAborted(Fault),
    #[serde(rename = "stateEnteredEventDetails")]
    StateEntered(Entered),
    #[serde(rename = "stateExitedEventDetails")]
    StateExited(Exited),
    #[serde(rename = "mapStateStartedEventDetails")]
    MapStateStarted(Length),
    #[serde(rename = "mapIterationStartedEventDetails")]
    MapIterationStarted(Iteration),
    #[serde(rename = "mapIterationSucceededEventDetails")]
    MapIterationSucceeded(Iteration),
    #[serde(rename = "mapIterationFailedEventDetails")]
    MapIterationFailed(Iteration),
    #[serde(rename = "mapIterationAbortedEventDetails")]
    MapIterationAborted(Iteration),
    #[serde(rename = "mapRunStartedEventDetails")]
    MapRunStarted(MapRun),
    #[serde(rename = "mapRunFailedEventDetails")]
    MapRunFailed(Fault),
    #[serde(rename = "taskScheduledEventDetails")]
    TaskScheduled(TaskScheduled),
    #[serde(rename = "taskStartedEventDetails")]
    TaskStarted(TaskResource),
    #[serde(rename = "taskSubmittedEventDetails")]
    TaskSubmitted(TaskOutput),
    #[serde(rename = "taskSucceededEventDetails")]
    TaskSucceeded(TaskOutput),
    #[serde(rename = "taskFailedEventDetails")]
    TaskFailed(TaskFault),
    #[serde(rename = "taskTimedOutEventDetails")]
    TaskTimedOut(TaskFault),
    #[serde(rename = "lambdaFunctionScheduledEventDetails")]
    LambdaFunctionScheduled(Scheduled),
    #[serde(rename = "lambdaFunctionSucceededEventDetails")]
    LambdaFunctionSucceeded(Output),
    #[serde(rename = "lambdaFunctionFailedEventDetails")]
    LambdaFunctionFailed(Fault),
    #[serde(rename = "lambdaFunctionTimedOutEventDetails")]
    LambdaFunctionTimedOut(Fault),
    #[serde(rename = "activityScheduledEventDetails")]
    ActivityScheduled(Scheduled),
    #[serde(rename = "activityStartedEventDetails")]
    ActivityStarted(Worker),
    #[serde(rename = "activitySucceededEventDetails")]
    ActivitySucceeded(Output),
    #[serde(rename = "activityFailedEventDetails")]
    ActivityFailed(Fault),
    #[serde(rename = "activityTimedOutEventDetails")]
    ActivityTimedOut(Fault),
    #[serde(rename = "evaluationFailedEventDetails")]
    EvaluationFailed(Evaluation),
}

/// How an execution began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are AWS's and say it")]
pub struct Started {
    pub input: Text,
    pub input_details: Truncation,
    pub role_arn: String,
}

/// What an execution, a function or an activity gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are AWS's and say it")]
pub struct Output {
    pub output: Text,
    pub output_details: Truncation,
}

/// What went wrong. Either part may be absent, as AWS leaves it out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are AWS's and say it")]
pub struct Fault {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// A state began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are AWS's and say it")]
pub struct Entered {
    pub name: String,
    pub input: Text,
    pub input_details: Truncation,
}

/// A state ended. The assigned variables' values are JSON texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are AWS's and say it")]
pub struct Exited {
    pub name: String,
    pub output: Text,
    pub output_details: Truncation,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_variables: Option<Assigned>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_variables_details: Option<Truncation>,
}

/// Variables and what they were given, in the order of their assignment. It is written as an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Assigned(pub Vec<(String, Text)>);

impl Serialize for Assigned {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Assigned {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Assigned;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Assigned, A::Error> {
        let mut assigned = Vec::new();
        while let Some(member) = members.next_entry()? {
            assigned.push(member);
        }
        Ok(Assigned(assigned))
    }
}

/// How many items a Map has; 0 where an `ItemReader` will find them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are AWS's and say it")]
pub struct Length {
    pub length: usize,
}

/// One iteration of the Map `name`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are AWS's and say it")]
pub struct Iteration {
    pub name: String,
    pub index: usize,
}

/// The run of a distributed Map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are AWS's and say it")]
pub struct MapRun {
    pub map_run_arn: String,
}

/// A service integration is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are AWS's and say it")]
pub struct TaskScheduled {
    pub resource_type: String,
    pub resource: String,
    pub region: String,
    pub parameters: Text,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_in_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_in_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_credentials: Option<TaskCredentials>,
}

/// The role a task runs with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are AWS's and say it")]
pub struct TaskCredentials {
    pub role_arn: String,
}

/// Which service and action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are AWS's and say it")]
pub struct TaskResource {
    pub resource_type: String,
    pub resource: String,
}

/// What the service answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are AWS's and say it")]
pub struct TaskOutput {
    pub resource_type: String,
    pub resource: String,
    pub output: Text,
    pub output_details: Truncation,
}

/// How the service failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are AWS's and say it")]
pub struct TaskFault {
    pub resource_type: String,
    pub resource: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// A Lambda function or an activity is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are AWS's and say it")]
pub struct Scheduled {
    pub resource: String,
    pub input: Text,
    pub input_details: Truncation,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_in_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_in_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_credentials: Option<TaskCredentials>,
}

/// Who took an activity's task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are AWS's and say it")]
pub struct Worker {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_name: Option<String>,
}

/// A JSONata expression failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are AWS's and say it")]
pub struct Evaluation {
    pub state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}
