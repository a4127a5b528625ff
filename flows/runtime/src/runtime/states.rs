//! Workflows that ask for workflows: `states:startExecution` and the SDK's `sfn:*`.

use jiff::Timestamp;
use offhook_asl::execution::{TaskCall, TaskId, TokenEvent};
use offhook_asl::machine::Pattern;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{ExecutionError, Origin, Runtime, StartError, StartExecution, TokenFault, WeakRuntime};
use crate::names::MachineRef;
use crate::services::sdk::{self, Fault, ServiceName};
use crate::services::{Integration, Request, ServiceError};
use crate::store::{ExecutionRecord, ExecutionStatus};

/// Whether a request is for the runtime itself.
pub(super) fn is_ours(request: &Request) -> bool {
    let name = if request.integration == Integration::Sdk { "sfn" } else { "states" };
    request.service == name
}

pub(super) async fn call(runtime: &WeakRuntime, request: Request) -> Result<Value, ServiceError> {
    let Some(runtime) = runtime.upgrade() else {
        return Err(ServiceError::new("States.TaskFailed", "the workflow runtime has ended"));
    };
    let is_sdk = request.integration == Integration::Sdk;
    match request.action.as_str() {
        "startExecution" => {
            let record = start(&runtime, &request).await?;
            let started = json!({
                "ExecutionArn": record.arn,
                "StartDate": time(record.started, is_sdk),
            });
            let headers = [("connection", "keep-alive".to_owned())];
            Ok(sdk::with_metadata(&request, started, &headers))
        }
        "startSyncExecution" if is_sdk => {
            let record = start(&runtime, &request).await?;
            let ended = runtime.wait_for_end(&record.arn).await;
            Ok(describe(&ended.map_err(|e| fault(&request, e.name(), &e))?, is_sdk))
        }
        "describeExecution" if is_sdk => {
            let arn = text(&request, "ExecutionArn")?;
            let record = runtime.describe_execution(arn).await;
            Ok(describe(&record.map_err(|e| fault(&request, e.name(), &e))?, is_sdk))
        }
        "stopExecution" if is_sdk => {
            let arn = text(&request, "ExecutionArn")?;
            let (error, cause) = (maybe(&request, "Error"), maybe(&request, "Cause"));
            let stopped = match runtime.stop_execution(arn, error, cause).await {
                Ok(at) => Ok(at),
                // One that has ended already is no mistake.
                Err(ExecutionError::DoesNotExist(_)) => {
                    runtime.describe_execution(arn).await.map(|r| r.stopped.unwrap_or(request.now))
                }
                Err(error) => Err(error),
            };
            let at = stopped.map_err(|e| fault(&request, e.name(), &e))?;
            Ok(json!({ "StopDate": time(at, is_sdk) }))
        }
        "sendTaskSuccess" | "sendTaskFailure" | "sendTaskHeartbeat" if is_sdk => {
            send(&runtime, &request).await
        }
        _ => Err(ServiceError::unsupported(&request)),
    }
}

async fn start(runtime: &Runtime, request: &Request) -> Result<ExecutionRecord, ServiceError> {
    let arn = text(request, "StateMachineArn")?;
    let machine = MachineRef::parse(arn).ok_or_else(|| {
        fault(request, "InvalidArn", &format!("Invalid Arn: 'Invalid ARN: {arn}'"))
    })?;
    let input = match request.arguments.get("Input") {
        None => json!({}),
        Some(Value::String(text)) => serde_json::from_str(text).map_err(|error| {
            fault(request, "InvalidExecutionInput", &StartError::InvalidInput(error.to_string()))
        })?,
        Some(value) => value.clone(),
    };
    let name = maybe(request, "Name").unwrap_or_else(|| child_name(&request.idempotency));
    let refused = |error: StartError| fault(request, error.name(), &error);
    let chosen = runtime.versions().choose(&machine).await.map_err(refused)?;
    let origin = Origin::Request(request.idempotency.clone());
    let (arn, taken) = match runtime.start_chosen(chosen, Some(name), input, origin).await {
        Ok(started) => (started.arn, None),
        Err(StartError::AlreadyExists(arn)) => (arn.clone(), Some(StartError::AlreadyExists(arn))),
        Err(error) => return Err(refused(error)),
    };
    let record = runtime.describe_execution(&arn).await;
    let record = record.map_err(|error| fault(request, error.name(), &error))?;
    match taken {
        // This very request started it before a restart.
        Some(_) if record.started_by.as_ref() == Some(&request.idempotency) => Ok(record),
        Some(error) => Err(refused(error)),
        None => Ok(record),
    }
}

impl Runtime {
    /// Starts an execution for a schedule whose time has come. One of that name that is there
    /// already is the one: it was started before a restart.
    ///
    /// # Errors
    /// In the words that a schedule's retry policy is held against.
    pub async fn start_scheduled(
        &self,
        start: crate::schedule::StartExecution,
    ) -> Result<(), ServiceError> {
        let refused = |error: &StartError| {
            ServiceError::new(format!("StepFunctions.{}Exception", error.name()), error.to_string())
        };
        let machine = MachineRef::parse(&start.machine)
            .ok_or_else(|| refused(&StartError::NoSuchMachine(start.machine.clone())))?;
        let (name, input) = (Some(start.name), start.input);
        let start = StartExecution { machine, name, input, transaction_id: None };
        match self.start_execution(start).await {
            Ok(_) | Err(StartError::AlreadyExists(_)) => Ok(()),
            Err(error) => Err(refused(&error)),
        }
    }
}

/// The name of a child that was given none: the same for each attempt to start it.
fn child_name(idempotency: &str) -> String {
    let digest = Sha256::digest(idempotency);
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// What `.sync` gives once the child has ended.
pub(super) async fn ended(
    runtime: &WeakRuntime,
    arn: &str,
    pattern: Pattern,
) -> Result<Value, ServiceError> {
    let wait = match runtime.upgrade() {
        Some(runtime) => runtime.wait_for_end(arn).await,
        None => Err(ExecutionError::Closed),
    };
    let record = wait.map_err(|e| ServiceError::new("States.TaskFailed", e.to_string()))?;
    let mut about = describe(&record, false);
    if record.status == ExecutionStatus::Succeeded {
        if pattern == Pattern::Sync2 {
            for field in ["Input", "Output"] {
                let json = about.get(field).and_then(Value::as_str).map(serde_json::from_str);
                if let Some(Ok(value)) = json {
                    about[field] = value;
                }
            }
        }
        return Ok(about);
    }
    Err(ServiceError::new("States.TaskFailed", about.to_string()))
}

/// `DescribeExecution`'s answer, as Step Functions hands it to a state. Its members stand in the
/// order of their names: a failed child's is the text of its parent's cause (measured on AWS:
/// github.com/floci-io/floci, `AslExecutorNestedSyncFailureTest`).
fn describe(record: &ExecutionRecord, sdk: bool) -> Value {
    let machine = record.arn.replacen(":execution:", ":stateMachine:", 1);
    let machine = machine.rsplit_once(':').map_or(machine.as_str(), |(machine, _)| machine);
    let status = serde_json::to_value(record.status).unwrap_or(Value::Null);
    let mut about = json!({
        "ExecutionArn": record.arn,
        "Input": *record.input,
        "InputDetails": { "Included": true },
        "Name": record.name,
        "StartDate": time(record.started, sdk),
        "StateMachineArn": machine,
        "Status": status,
    });
    if let Some(output) = &record.output {
        about["Output"] = output.as_str().into();
        about["OutputDetails"] = json!({ "Included": true });
    }
    for (name, value) in [("Error", &record.error), ("Cause", &record.cause)] {
        // An execution out of its own time has neither on AWS (floci-io/floci#2733).
        if let Some(value) = value.as_ref().filter(|_| record.status != ExecutionStatus::TimedOut) {
            about[name] = value.as_str().into();
        }
    }
    if let Some(stopped) = record.stopped {
        about["StopDate"] = time(stopped, sdk);
    }
    if !record.arn.contains(":express:") {
        about["RedriveCount"] = 0.into();
        let ended = !matches!(record.status, ExecutionStatus::Running | ExecutionStatus::Succeeded);
        about["RedriveStatus"] = if ended { "REDRIVABLE" } else { "NOT_REDRIVABLE" }.into();
        if !ended {
            let status = about["Status"].as_str().unwrap_or_default();
            let reason = format!("Execution is {status} and cannot be redriven");
            about["RedriveStatusReason"] = reason.into();
        }
    }
    if let Some(members) = about.as_object_mut() {
        members.sort_keys();
    }
    about
}

/// The SDK's integrations give text, the optimized ones milliseconds since 1970.
fn time(at: Timestamp, sdk: bool) -> Value {
    match sdk {
        true => at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string().into(),
        false => at.as_millisecond().into(),
    }
}

async fn send(runtime: &Runtime, request: &Request) -> Result<Value, ServiceError> {
    let token = text(request, "TaskToken")?;
    let event = match request.action.as_str() {
        "sendTaskSuccess" => match output(request) {
            Ok(output) => TokenEvent::Success { output },
            Err(error) => {
                // A false token is told before a false output (recorded on AWS).
                let told = runtime.send_token(token, TokenEvent::Heartbeat, false).await;
                return Err(told.err().map_or(error, |e| fault(request, e.name(), &e)));
            }
        },
        "sendTaskFailure" => {
            TokenEvent::Failure { error: maybe(request, "Error"), cause: maybe(request, "Cause") }
        }
        _ => TokenEvent::Heartbeat,
    };
    // Both executions are kept in the order of what happened to them.
    match runtime.send_token(token, event, false).await {
        Ok(()) => Ok(json!({})),
        Err(error) => Err(fault(request, error.name(), &error)),
    }
}

fn output(request: &Request) -> Result<Value, ServiceError> {
    match request.arguments.get("Output") {
        Some(Value::String(text)) => serde_json::from_str(text).map_err(|error| {
            let error = TokenFault::InvalidOutput(format!("Invalid JSON: {error}"));
            fault(request, error.name(), &error)
        }),
        Some(value) => Ok(value.clone()),
        None => Err(missing(request, "Output")),
    }
}

/// Stops the child of a `.sync` state that waits no longer.
pub(super) async fn stop_child(
    runtime: &WeakRuntime,
    call: &TaskCall,
    parent: Option<String>,
    id: TaskId,
) {
    let (Some(runtime), Some(parent)) = (runtime.upgrade(), parent) else { return };
    let arn = call.arguments.get("StateMachineArn").and_then(Value::as_str);
    let Some(machine) = arn.and_then(MachineRef::parse) else { return };
    let name = call.arguments.get("Name").and_then(Value::as_str).map(str::to_owned);
    let name = name.unwrap_or_else(|| child_name(&format!("{parent}/{}", id.0)));
    let child = runtime.place().execution(&machine.name, &name);
    let cause = format!(
        "The Task state in AWS Step Functions execution [{parent}] which was managing this resource \
         was aborted"
    );
    // It may have ended by itself.
    drop(runtime.stop_execution(&child, None, Some(cause)).await);
}

fn text<'a>(request: &'a Request, name: &str) -> Result<&'a str, ServiceError> {
    let found = request.arguments.get(name).and_then(Value::as_str);
    found.ok_or_else(|| missing(request, name))
}

fn maybe(request: &Request, name: &str) -> Option<String> {
    request.arguments.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn missing(request: &Request, name: &str) -> ServiceError {
    fault(request, "ValidationException", &format!("{name} is missing, or not text"))
}

const NAME: ServiceName = ServiceName {
    optimized: "StepFunctions",
    client: "AWSStepFunctions",
    optimized_base: "AWSStepFunctionsException",
    sdk: "Sfn",
};

/// An error in AWS's words.
fn fault(request: &Request, name: &'static str, message: &dyn std::fmt::Display) -> ServiceError {
    sdk::error(NAME, request, &Fault::new(name, message.to_string()))
}
