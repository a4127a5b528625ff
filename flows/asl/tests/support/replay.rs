//! Replays what services answered in a recorded execution.

use crate::compare::difference;
use jiff::{SignedDuration, Timestamp};
use offhook_asl::execution::{Effect, Execution, Snapshot, Start, Status, TaskEvent, TokenEvent};
use offhook_asl::machine::{Machine, Resource};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

pub(crate) const ACTIVITY: &str = "arn:aws:states:us-east-1:111111111111:activity:activity";
const MACHINE: &str = "arn:<partition>:states:<region>:111111111111:stateMachine:<ArnPart_0idx>";

pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) pure: bool,
    recorded: Value,
}

impl Case {
    pub(crate) fn has_history(&self) -> bool {
        !self.events().is_empty()
    }

    fn events(&self) -> &[Value] {
        self.recorded["history"].as_array().map(Vec::as_slice).unwrap_or_default()
    }
}

pub(crate) fn load_cases() -> Option<Vec<Case>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = here
        .ancestors()
        .map(|folder| folder.join("shared/data/asl-recorded/cases.json"))
        .find(|file| file.is_file())?;
    let text = std::fs::read_to_string(file).unwrap();
    let Value::Array(cases) = serde_json::from_str(&text).unwrap() else { panic!("no list") };
    let case = |recorded: Value| Case {
        id: recorded["id"].as_str().unwrap().to_owned(),
        pure: recorded["resources"] == "pure",
        recorded,
    };
    Some(cases.into_iter().map(case).collect())
}

/// `<mock>` replaced by what the recording shows there.
fn resolve(value: &Value, shown: &Value) -> Value {
    match value {
        Value::String(text) if text == "<mock>" => shown.clone(),
        Value::Object(members) => {
            members.iter().map(|(key, value)| (key.clone(), resolve(value, &shown[key]))).collect()
        }
        other => other.clone(),
    }
}

fn is_result(event: &Value) -> bool {
    let kind = event["type"].as_str().unwrap_or_default();
    ["Task", "Activity", "LambdaFunction"].iter().any(|prefix| {
        kind.strip_prefix(prefix)
            .is_some_and(|rest| matches!(rest, "Submitted" | "Succeeded" | "Failed" | "TimedOut"))
    }) || kind == "ActivityStarted"
}

fn details(event: &Value) -> &Value {
    let members = event.as_object().unwrap();
    members.iter().find(|(key, _)| key.ends_with("EventDetails")).map_or(&Value::Null, |(_, v)| v)
}

/// The value a recorded `output` stands for: JSON text, or the object that was shown instead.
fn output(details: &Value) -> Value {
    match &details["output"] {
        Value::String(text) => {
            serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()))
        }
        other => other.clone(),
    }
}

fn word(details: &Value, name: &str) -> Option<String> {
    match details.get(name)? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

struct Replay<'a> {
    case: &'a Case,
    machine: Arc<Machine>,
    execution: Execution,
    now: Timestamp,
    results: Vec<&'a Value>,
    task: Option<(offhook_asl::execution::TaskId, Option<String>)>,
    snapshots: bool,
}

impl<'a> Replay<'a> {
    fn start(case: &'a Case, snapshots: bool) -> Result<Self, String> {
        let definition = case.recorded["definition"].to_string();
        // Elsewhere `<mock>` is the state machine that the call is for.
        let definition = definition
            .replace("\"Resource\":\"<mock>\"", &format!("\"Resource\":\"{ACTIVITY}\""))
            .replace("<mock>", MACHINE);
        let machine = Machine::load(&definition).map_err(|problems| {
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        })?;
        let machine = Arc::new(machine);
        let events = case.events();
        let first = events.first().map(details).cloned().unwrap_or(Value::Null);
        let gone = events.last().map(details).is_some_and(|details| {
            details["cause"].as_str().is_some_and(|cause| cause.ends_with("does not exist."))
        });
        let express = case.recorded["sync_response"]["executionArn"].as_str();
        let [arn, name] = match express {
            Some(arn) => [arn, arn.rsplit(':').next().unwrap()],
            None => [
                "arn:<partition>:states:<region>:111111111111:execution:<ArnPart_0idx>:<ExecArnPart_0idx>",
                "<ExecArnPart_0idx>",
            ],
        };
        let start = Start {
            arn: arn.to_owned(),
            name: name.to_owned(),
            role_arn: first["roleArn"].as_str().unwrap_or("sfn_role_arn").to_owned(),
            machine_arn: MACHINE.to_owned(),
            machine_name: "<ArnPart_0idx>".to_owned(),
            input: resolve(&case.recorded["input"], &first["input"]).into(),
            seed: [7; 32],
            missing_activities: if gone { vec![ACTIVITY.to_owned()] } else { Vec::new() },
        };
        let now: Timestamp = "2026-11-29T10:00:00Z".parse().unwrap();
        let execution = Execution::start(Arc::clone(&machine), start, now);
        let results = events.iter().filter(|event| is_result(event)).rev().collect();
        Ok(Self { case, machine, execution, now, results, task: None, snapshots })
    }

    fn run(&mut self) -> Result<(), String> {
        for _ in 0..20_000 {
            if self.snapshots {
                let text = serde_json::to_string(&self.execution).unwrap();
                let snapshot: Snapshot = serde_json::from_str(&text).unwrap();
                self.execution = Execution::restore(Arc::clone(&self.machine), snapshot).unwrap();
            }
            if let Some(effect) = self.execution.poll_effect() {
                self.effect(effect);
            } else if self.execution.status() != Status::Running {
                return Ok(());
            } else if self.task.is_some() {
                self.answer()?;
            } else if let Some(deadline) = self.execution.next_deadline() {
                self.now = self.now.max(deadline);
                self.execution.handle_timeout(self.now);
            } else {
                return Err("stands still".to_owned());
            }
        }
        Err("does not end".to_owned())
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Task(call) => self.task = Some((call.id, call.task_token)),
            Effect::ReadItems(call) => {
                assert!(matches!(call.resource, Resource::Service { .. }));
                let text = self.content();
                let event = TaskEvent::Content { text };
                self.execution.handle_task(call.id, event, self.now).unwrap();
            }
            Effect::WriteResults(call) => {
                let event = TaskEvent::Succeeded { output: json!({}) };
                self.execution.handle_task(call.id, event, self.now).unwrap();
            }
            Effect::Cancel { .. } => {}
        }
    }

    /// A file that holds the items the recorded Map worked on, and one more where it took a part.
    fn content(&self) -> String {
        let states = self.case.recorded["definition"]["States"].as_object().unwrap();
        let map = states.values().find(|state| state["Type"] == "Map").unwrap();
        let config = &map["ItemReader"]["ReaderConfig"];
        let exited = self.case.events().iter().find(|event| event["type"] == "MapStateExited");
        let Some(exited) = exited else { return "{\"no\": \"list\"}".to_owned() };
        let Value::Array(mut items) = output(details(exited)) else { panic!("no list") };
        if config["MaxItems"] == 2
            || config["MaxItems"] == "{% $maxItems := 2 %}"
            || config.get("MaxItemsPath").is_some() && items.len() == 2
        {
            items.push(items[0].clone());
        }
        if config["InputType"] != "CSV" {
            return Value::Array(items).to_string();
        }
        let cell = |text: &str| match text.contains([',', '"']) {
            true => format!("\"{}\"", text.replace('"', "\"\"")),
            false => text.to_owned(),
        };
        let mut rows = Vec::new();
        if config["CSVHeaderLocation"] == "FIRST_ROW" {
            let names = items[0].as_object().unwrap().keys();
            rows.push(names.map(|name| cell(name)).collect::<Vec<_>>().join(","));
        }
        for item in &items {
            let mut cells: Vec<String> =
                item.as_object().unwrap().values().map(|v| cell(v.as_str().unwrap())).collect();
            if cells.len() == 1 {
                cells.push("more".to_owned());
            }
            rows.push(cells.join(","));
        }
        rows.join("\n")
    }

    fn answer(&mut self) -> Result<(), String> {
        let Some(event) = self.results.pop() else {
            return Err("asks for a task more than was recorded".to_owned());
        };
        let (id, token) = self.task.clone().unwrap();
        self.now = self.now.checked_add(SignedDuration::from_millis(20)).unwrap();
        let told = details(event);
        let kind = event["type"].as_str().unwrap();
        let event = if kind.ends_with("TimedOut") {
            self.now = self.execution.next_deadline().ok_or("no timeout is set")?;
            self.execution.handle_timeout(self.now);
            self.task = None;
            return Ok(());
        } else if kind.ends_with("Submitted") {
            TaskEvent::Submitted { output: output(told) }
        } else if kind == "ActivityStarted" {
            TaskEvent::Started { worker_name: word(told, "workerName") }
        } else if kind.ends_with("Succeeded") {
            if let Some(token) = &token {
                self.task = None;
                let event = TokenEvent::Success { output: output(told) };
                return self
                    .execution
                    .handle_token(token, event, self.now)
                    .map_err(|error| error.to_string());
            }
            TaskEvent::Succeeded { output: output(told) }
        } else {
            TaskEvent::Failed { error: word(told, "error"), cause: word(told, "cause") }
        };
        if !matches!(event, TaskEvent::Submitted { .. } | TaskEvent::Started { .. }) {
            self.task = None;
        }
        self.execution.handle_task(id, event, self.now).map_err(|error| error.to_string())
    }
}

/// Runs a case and says what differs.
pub(crate) fn check(case: &Case, snapshots: bool) -> Result<(), String> {
    let mut replay = Replay::start(case, snapshots)?;
    let ran = replay.run();
    let execution = &replay.execution;
    let ours: Vec<Value> =
        execution.history().iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    if case.recorded["history"].is_array() {
        histories(case.events(), &ours)?;
    } else {
        let answer = &case.recorded["sync_response"];
        let expected = answer["status"].as_str().unwrap_or_default();
        let mut shown = json!({ "status": execution.status(), "error": execution.error(),
            "cause": execution.cause(), "output": execution.output().map(Value::to_string) });
        shown.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        for name in ["status", "error", "cause", "output"] {
            if let Some(found) =
                answer.get(name).and_then(|value| difference(name, value, &shown[name]))
            {
                return Err(format!("{found} ({expected})"));
            }
        }
    }
    ran
}

/// Recorded events have the number 0 where the order of branches was not kept: those are looked for
/// among ours that have no recorded counterpart. ParallelStateSucceeded, and the Exited event of an
/// inner Parallel, were left out of the recordings.
fn histories(recorded: &[Value], ours: &[Value]) -> Result<(), String> {
    let only_begun = recorded.len() == 1;
    let mut free: Vec<&Value> = Vec::new();
    let number = |event: &Value| event["id"].as_u64().unwrap_or_default();
    for event in ours {
        match recorded.iter().find(|one| number(one) == number(event)) {
            Some(one) => compare(recorded, one, event, ours, true)?,
            None => free.push(event),
        }
        if only_begun {
            // AWS never ended this execution; only its beginning can be compared.
            return Ok(());
        }
    }
    if let Some(event) = recorded.iter().find(|event| number(event) > ours.len() as u64) {
        return Err(format!("recorded {event}, ours ends with {}", ours[ours.len() - 1]));
    }
    for one in recorded.iter().filter(|event| number(event) == 0) {
        let found =
            free.iter().position(|event| compare(recorded, one, event, ours, false).is_ok());
        match found {
            Some(at) => drop(free.remove(at)),
            None => return Err(format!("recorded {one}, ours has none such")),
        }
    }
    let parallel = recorded.iter().any(|event| number(event) == 0);
    free.retain(|event| {
        !(parallel
            && ["ParallelStateSucceeded", "ParallelStateExited"]
                .contains(&event["type"].as_str().unwrap()))
    });
    match free.first() {
        Some(event) => Err(format!("ours {event}, recorded has none such")),
        None => Ok(()),
    }
}

fn compare(
    recorded: &[Value],
    one: &Value,
    ours: &Value,
    all: &[Value],
    numbered: bool,
) -> Result<(), String> {
    let mut one = one.clone();
    let mut ours = ours.clone();
    if !numbered {
        for event in [&mut one, &mut ours] {
            let members = event.as_object_mut().unwrap();
            members.remove("id");
            members.remove("previousEventId");
        }
    }
    // Until November 2024 AWS let a distributed Map's Exited event follow MapRunSucceeded.
    if one["type"] == "MapStateExited" {
        let kind = |id: &Value| {
            recorded.iter().find(|event| event["id"] == *id).map(|event| event["type"].clone())
        };
        if kind(&one["previousEventId"]).is_some_and(|kind| kind == "MapRunSucceeded") {
            let before = ours["previousEventId"].as_u64().unwrap_or_default() as usize;
            if all[before - 1]["type"] != "MapRunStarted" {
                return Err(format!("ours {ours} does not follow MapRunStarted"));
            }
            one["previousEventId"] = ours["previousEventId"].clone();
        }
    }
    match difference("", &one, &ours) {
        Some(found) => Err(format!("{found}\n  recorded {one}\n  ours     {ours}")),
        None => Ok(()),
    }
}
