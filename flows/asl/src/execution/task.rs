//! Task states: what is asked for, and what comes of it.

use super::exit::bounded;
use super::fault::cut;
use super::record::after;
use super::state::{Call, Fault, Phase, StrandId, TaskRun};
use super::task_fields::{Asked, ask};
use super::{Effect, Execution, TaskCall, TaskEvent, TaskId};
use crate::failure::Failure;
use crate::history::{
    Details, EventType, Fault as FaultDetails, Output, Scheduled, TaskCredentials, TaskFault,
    TaskOutput, TaskResource, TaskScheduled, Truncation, Worker,
};
use crate::json::{Json, Text};
use crate::limits;
use crate::machine::model::{Kind, Language, State, Task};
use crate::machine::parameters::refusal;
use crate::machine::{Pattern, Resource};
use serde_json::Value;

impl Execution {
    pub(super) fn call(&mut self, id: StrandId, state: &State, task: &Task) -> Result<(), Fault> {
        if let Resource::Activity { arn } = &task.resource
            && self.core.missing_activities.contains(arn)
        {
            return Err(Failure::runtime(format!("The activity {arn} does not exist.")).into());
        }
        let number = TaskId(self.core.next_task);
        self.core.next_task += 1;
        let token = (task.resource.pattern() != Pattern::RequestResponse).then_some(number);
        let asked = {
            let Some(sight) = self.sight(id, state, token) else { return Ok(()) };
            ask(&sight, state, task)?
        };
        bounded(&state.name, &asked.arguments)?;
        refused(state, task, &asked.arguments)?;
        self.scheduled(id, task, &asked);
        let now = self.core.now;
        let (timeout, heartbeat) = (asked.timeout, asked.heartbeat);
        let call = Box::new(TaskCall {
            id: number,
            state: state.name.clone(),
            resource: task.resource.clone(),
            arguments: asked.arguments,
            task_token: token.map(|number| self.token(number)),
            region: self.region(id),
            role_arn: asked.role_arn,
            timeout_seconds: timeout,
            heartbeat_seconds: heartbeat,
        });
        self.core.effects.push_back(Effect::Task(call.clone()));
        self.core.tasks.insert(number, id);
        if let Some(strand) = self.strand_mut(id) {
            strand.frame.phase = Phase::Task(TaskRun {
                id: number,
                call: Some(call),
                started: false,
                submitted: false,
                deadline: timeout.map(|seconds| after(now, seconds as f64)),
                heartbeat: heartbeat.map(|seconds| (seconds, after(now, seconds as f64))),
            });
        }
        self.wake(id);
        Ok(())
    }

    fn region(&self, id: StrandId) -> String {
        let arn = self.strand(id).map_or("", |strand| &self.identity(strand).arn);
        arn.split(':').nth(3).unwrap_or_default().to_owned()
    }

    fn scheduled(&mut self, id: StrandId, task: &Task, asked: &Asked) {
        let text = Text::from(&asked.arguments);
        let task_credentials = asked.role_arn.clone().map(|role_arn| TaskCredentials { role_arn });
        let (timeout_in_seconds, heartbeat_in_seconds) = (asked.timeout, asked.heartbeat);
        let plain = |input: Text, heartbeat_in_seconds| Scheduled {
            resource: task.resource.arn().to_owned(),
            input,
            input_details: Truncation::default(),
            timeout_in_seconds,
            heartbeat_in_seconds,
            task_credentials: task_credentials.clone(),
        };
        match &task.resource {
            Resource::Lambda { .. } => {
                let details = Details::LambdaFunctionScheduled(plain(text, None));
                self.advance(id, EventType::LambdaFunctionScheduled, Some(details));
            }
            Resource::Activity { .. } => {
                let details = Details::ActivityScheduled(plain(text, heartbeat_in_seconds));
                self.advance(id, EventType::ActivityScheduled, Some(details));
            }
            resource @ Resource::Service { .. } => {
                let details = Details::TaskScheduled(TaskScheduled {
                    resource_type: resource.resource_type().to_owned(),
                    resource: resource.resource_name().to_owned(),
                    region: self.region(id),
                    parameters: text,
                    timeout_in_seconds,
                    heartbeat_in_seconds,
                    task_credentials,
                });
                self.advance(id, EventType::TaskScheduled, Some(details));
            }
        }
    }

    /// Tells that a task has started, once: a service or a function when what runs beside it had
    /// its turn (AWS schedules those of a Map before it starts the first), an activity when a
    /// worker takes it.
    fn started(&mut self, id: StrandId, resource: &Resource, worker_name: Option<String>) {
        let Some(strand) = self.strand_mut(id) else { return };
        let Phase::Task(run) = &mut strand.frame.phase else { return };
        if std::mem::replace(&mut run.started, true) {
            return;
        }
        let (kind, details) = match resource {
            Resource::Lambda { .. } => (EventType::LambdaFunctionStarted, None),
            Resource::Activity { .. } => {
                (EventType::ActivityStarted, Some(Details::ActivityStarted(Worker { worker_name })))
            }
            Resource::Service { .. } => (
                EventType::TaskStarted,
                Some(Details::TaskStarted(TaskResource {
                    resource_type: resource.resource_type().to_owned(),
                    resource: resource.resource_name().to_owned(),
                })),
            ),
        };
        self.advance(id, kind, details);
    }

    /// The turn after a task was scheduled.
    pub(super) fn task_started(&mut self, id: StrandId) {
        let Some((machine, flow, state)) = self.located(id) else { return };
        let Some(Kind::Task(task)) = machine.state(flow, state).map(|state| &state.kind) else {
            return;
        };
        if !matches!(task.resource, Resource::Activity { .. }) {
            self.started(id, &task.resource, None);
        }
    }

    /// What the driver tells about a task that is open.
    pub(super) fn task_event(&mut self, id: StrandId, task: TaskId, event: TaskEvent) {
        let Some((machine, flow, state)) = self.located(id) else { return };
        let Some(state) = machine.state(flow, state) else { return };
        let result = match &state.kind {
            Kind::Task(kind) => self.task_told(id, state, kind, event),
            Kind::Map(map) => self.map_told(id, state, map, task, event),
            _ => Ok(()),
        };
        if let Err(fault) = result {
            self.fail(id, fault);
        }
    }

    fn task_told(
        &mut self,
        id: StrandId,
        state: &State,
        task: &Task,
        event: TaskEvent,
    ) -> Result<(), Fault> {
        let now = self.core.now;
        let Some(strand) = self.strand_mut(id) else { return Ok(()) };
        let Phase::Task(run) = &mut strand.frame.phase else { return Ok(()) };
        if let Some((seconds, due)) = &mut run.heartbeat {
            *due = after(now, *seconds as f64);
        }
        match event {
            TaskEvent::Heartbeat => Ok(()),
            TaskEvent::Started { worker_name } => {
                run.call = None;
                self.started(id, &task.resource, worker_name);
                Ok(())
            }
            TaskEvent::Submitted { output } => {
                run.call = None;
                let first = !std::mem::replace(&mut run.submitted, true);
                self.started(id, &task.resource, None);
                if first && task.resource.pattern().is_submitted() {
                    self.submitted(id, &task.resource, &output.into());
                }
                Ok(())
            }
            TaskEvent::Content { text } => {
                self.task_succeeded(id, state, task, Value::String(text).into())
            }
            // A reader's answer, and no task's.
            TaskEvent::Files { .. } | TaskEvent::Items { .. } => {
                let words = "The service answered with files.".to_owned();
                Err(self.task_failed(id, task, None, Some(words)))
            }
            TaskEvent::Succeeded { output } => self.task_succeeded(id, state, task, output.into()),
            TaskEvent::Failed { error, cause } => {
                let error = error.map(|text| cut(text, limits::ERROR_CHARS));
                let cause = cause.map(|text| cut(text, limits::CAUSE_CHARS));
                Err(self.task_failed(id, task, error, cause))
            }
        }
    }

    fn submitted(&mut self, id: StrandId, resource: &Resource, output: &Json) {
        if let Resource::Service { .. } = resource {
            let details = Details::TaskSubmitted(task_output(resource, output));
            self.advance(id, EventType::TaskSubmitted, Some(details));
        }
    }

    /// Takes the task out of the open ones, and tells its start if that was not told.
    fn close(&mut self, id: StrandId, resource: &Resource) {
        self.started(id, resource, None);
        let Some(strand) = self.strand(id) else { return };
        let Phase::Task(run) = &strand.frame.phase else { return };
        let number = run.id;
        self.core.tasks.remove(&number);
    }

    fn task_succeeded(
        &mut self,
        id: StrandId,
        state: &State,
        task: &Task,
        output: Json,
    ) -> Result<(), Fault> {
        self.close(id, &task.resource);
        let name = match &task.resource {
            resource @ Resource::Service { .. } => resource.resource_type(),
            resource => resource.arn(),
        };
        if let Err(failure) = bounded(name, &output) {
            let (error, cause) = (Some(failure.error), Some(failure.cause));
            return Err(self.task_failed(id, task, error, cause));
        }
        let plain =
            |output| Output { output: Text::from(output), output_details: Truncation::default() };
        let (kind, details) = match &task.resource {
            Resource::Lambda { .. } => (
                EventType::LambdaFunctionSucceeded,
                Details::LambdaFunctionSucceeded(plain(&output)),
            ),
            Resource::Activity { .. } => {
                (EventType::ActivitySucceeded, Details::ActivitySucceeded(plain(&output)))
            }
            resource @ Resource::Service { .. } => {
                (EventType::TaskSucceeded, Details::TaskSucceeded(task_output(resource, &output)))
            }
        };
        self.advance(id, kind, Some(details));
        self.leave(id, state, Some(output))
    }

    fn task_failed(
        &mut self,
        id: StrandId,
        task: &Task,
        error: Option<String>,
        cause: Option<String>,
    ) -> Fault {
        self.close(id, &task.resource);
        let plain = FaultDetails { error: error.clone(), cause: cause.clone() };
        let (kind, details) = match &task.resource {
            Resource::Lambda { .. } => {
                (EventType::LambdaFunctionFailed, Details::LambdaFunctionFailed(plain))
            }
            Resource::Activity { .. } => {
                (EventType::ActivityFailed, Details::ActivityFailed(plain))
            }
            resource @ Resource::Service { .. } => (
                EventType::TaskFailed,
                Details::TaskFailed(task_fault(resource, error.clone(), cause.clone())),
            ),
        };
        self.advance(id, kind, Some(details));
        Fault { of_task: true, ..Fault::told(error, cause) }
    }

    /// `TimeoutSeconds` or `HeartbeatSeconds` has passed: how the task, if it is one, fails.
    pub(super) fn task_timed_out(&mut self, id: StrandId) -> Option<Fault> {
        let (machine, flow, state) = self.located(id)?;
        let Kind::Task(task) = &machine.state(flow, state)?.kind else { return None };
        let now = self.core.now;
        let Phase::Task(run) = &self.strand(id)?.frame.phase else { return None };
        let (number, silent) = (run.id, run.deadline.is_none_or(|deadline| deadline > now));
        self.withdraw(number);
        if !matches!(task.resource, Resource::Activity { .. }) {
            self.started(id, &task.resource, None);
        }
        // AWS calls both States.Timeout; Retry and Catch may tell them apart.
        let error = Some("States.Timeout".to_owned());
        let plain = FaultDetails { error: error.clone(), cause: None };
        let (kind, details) = match &task.resource {
            Resource::Lambda { .. } => {
                (EventType::LambdaFunctionTimedOut, Details::LambdaFunctionTimedOut(plain))
            }
            Resource::Activity { .. } => {
                (EventType::ActivityTimedOut, Details::ActivityTimedOut(plain))
            }
            resource @ Resource::Service { .. } => (
                EventType::TaskTimedOut,
                Details::TaskTimedOut(task_fault(resource, error.clone(), None)),
            ),
        };
        self.advance(id, kind, Some(details));
        let alias = silent.then_some("States.HeartbeatTimeout");
        Some(Fault { alias, of_task: true, ..Fault::told(error, None) })
    }

    /// The task that a strand has or had in its present attempt, if it was given a token.
    pub(super) fn own_token(&self, id: StrandId) -> Option<TaskId> {
        let strand = self.strand(id)?;
        let Phase::Task(run) = &strand.frame.phase else { return None };
        let state = self.machine.state(strand.flow, strand.frame.state)?;
        let Kind::Task(task) = &state.kind else { return None };
        (task.resource.pattern() != Pattern::RequestResponse).then_some(run.id)
    }

    /// Asks for the items of a Map, or to keep its results.
    pub(super) fn map_call(&mut self, id: StrandId, call: impl FnOnce(TaskId) -> Call) {
        let number = TaskId(self.core.next_task);
        self.core.next_task += 1;
        let call = call(number);
        self.core.tasks.insert(number, id);
        self.core.effects.push_back(call.effect());
        if let Some(strand) = self.strand_mut(id)
            && let Phase::Map(run) = &mut strand.frame.phase
            && let Some(distributed) = &mut run.distributed
        {
            distributed.call = Some(call);
        }
    }

    /// What was asked for, if nothing has been answered yet.
    pub(super) fn unanswered(&self, id: StrandId) -> Option<Effect> {
        match &self.strand(id)?.frame.phase {
            Phase::Task(run) => run.call.clone().map(Effect::Task),
            Phase::Map(run) => run.distributed.as_ref()?.call.as_ref().map(Call::effect),
            _ => None,
        }
    }
}

/// What a task would give to its service that AWS does not hand over: it is not scheduled then.
/// AWS's words are recorded for `Parameters` ("…'{…}' could not be used to start the Task: […]"); for
/// JSONata they are taken to be the same with the field's other name. Without either, the state's input
/// goes to the service, and what AWS says of that is not known.
fn refused(state: &State, task: &Task, arguments: &Value) -> Result<(), Failure> {
    let refusal = state.arguments.as_ref().and_then(|_| refusal(&task.resource, arguments));
    let Some(refusal) = refusal else { return Ok(()) };
    let field = match state.language {
        Language::JsonPath => "Parameters",
        Language::Jsonata => "Arguments",
    };
    // AWS quotes the values as well. What of them is secret is learned from what a task is given, and
    // this one is given nothing: a PIN would be written down in plain.
    let members = arguments.as_object().into_iter().flatten();
    let shown: Value = members.map(|(name, _)| (name.clone(), "…")).collect();
    // The reason stands at the end, and is what matters.
    let shown = cut(shown.to_string(), limits::CAUSE_CHARS / 2);
    Err(Failure::runtime(format!(
        "The {field} '{shown}' could not be used to start the Task: {refusal}"
    )))
}

fn task_output(resource: &Resource, output: &Json) -> TaskOutput {
    TaskOutput {
        resource_type: resource.resource_type().to_owned(),
        resource: resource.resource_name().to_owned(),
        output: Text::from(output),
        output_details: Truncation::default(),
    }
}

fn task_fault(resource: &Resource, error: Option<String>, cause: Option<String>) -> TaskFault {
    TaskFault {
        resource_type: resource.resource_type().to_owned(),
        resource: resource.resource_name().to_owned(),
        error,
        cause,
    }
}
