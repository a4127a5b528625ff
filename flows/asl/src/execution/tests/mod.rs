//! Behaviour of executions under a virtual clock.

mod choices;
mod errors;
mod lifecycle;
mod loaded;
mod maps;
mod quotes;
mod refused;
mod sources;
mod tasks;
mod writer;

use super::*;
use crate::machine::Machine;
use jiff::SignedDuration;
use serde_json::json;

/// An execution, its clock, and the tasks it has asked for.
pub(super) struct Bench {
    pub(super) execution: Execution,
    pub(super) now: Timestamp,
    pub(super) calls: Vec<TaskCall>,
    pub(super) cancelled: Vec<TaskId>,
}

pub(super) fn load(document: &Value) -> Arc<Machine> {
    match Machine::load(&document.to_string()) {
        Ok(machine) => Arc::new(machine),
        Err(problems) => panic!("{problems:#?}"),
    }
}

pub(crate) fn begin(input: Value) -> Start {
    Start {
        arn: "arn:aws:states:us-east-1:1:execution:m:e".to_owned(),
        name: "e".to_owned(),
        role_arn: "arn:aws:iam::1:role/r".to_owned(),
        machine_arn: "arn:aws:states:us-east-1:1:stateMachine:m".to_owned(),
        machine_name: "m".to_owned(),
        input: input.into(),
        seed: [3; 32],
        missing_activities: Vec::new(),
    }
}

impl Bench {
    pub(super) fn new(document: &Value, input: Value) -> Self {
        let now = "2026-11-29T10:00:00Z".parse().unwrap();
        let execution = Execution::start(load(document), begin(input), now);
        let mut bench = Self { execution, now, calls: Vec::new(), cancelled: Vec::new() };
        bench.poll();
        bench
    }

    /// Carries out what the execution asks for, and goes on while its deadline is now.
    pub(super) fn poll(&mut self) {
        loop {
            while let Some(effect) = self.execution.poll_effect() {
                match effect {
                    Effect::Task(call) => self.calls.push(*call),
                    Effect::Cancel { id } => self.cancelled.push(id),
                    Effect::ReadItems(_) | Effect::WriteResults(_) => panic!("not here"),
                }
            }
            match self.execution.next_deadline() {
                Some(at) if at <= self.now => self.execution.handle_timeout(self.now),
                _ => return,
            }
        }
    }

    pub(super) fn pass_seconds(&mut self, seconds: i64) {
        self.now = self.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        self.execution.handle_timeout(self.now);
        self.poll();
    }

    pub(super) fn tell(&mut self, call: usize, event: TaskEvent) {
        let id = self.calls[call].id;
        self.execution.handle_task(id, event, self.now).unwrap();
        self.poll();
    }

    pub(super) fn succeed(&mut self, call: usize, output: Value) {
        self.tell(call, TaskEvent::Succeeded { output });
    }

    pub(super) fn fail(&mut self, call: usize, error: &str, cause: &str) {
        let (error, cause) = (Some(error.to_owned()), Some(cause.to_owned()));
        self.tell(call, TaskEvent::Failed { error, cause });
    }

    pub(super) fn types(&self) -> Vec<EventType> {
        self.execution.history().iter().map(|event| event.kind).collect()
    }

    pub(super) fn previous(&self) -> Vec<u64> {
        self.execution.history().iter().map(|event| event.previous_event_id).collect()
    }

    pub(super) fn output(&self) -> Value {
        let shown = (self.execution.error(), self.execution.cause());
        self.execution.output().cloned().unwrap_or_else(|| panic!("no output: {shown:?}"))
    }

    pub(super) fn seconds_to_deadline(&self) -> Option<i64> {
        let deadline = self.execution.next_deadline()?;
        Some(deadline.duration_since(self.now).as_secs())
    }
}

pub(super) const SEND: &str = "arn:aws:states:::sqs:sendMessage";
pub(super) const SEND_AND_WAIT: &str = "arn:aws:states:::sqs:sendMessage.waitForTaskToken";

/// A Task `T` that ends, with more fields.
pub(super) fn task(more: &Value) -> Value {
    let mut state = json!({ "Type": "Task", "Resource": SEND, "End": true });
    state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    state
}

pub(super) fn states(start: &str, states: &Value) -> Value {
    json!({ "StartAt": start, "States": states })
}
