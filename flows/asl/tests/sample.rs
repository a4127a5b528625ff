//! Calls through AWS's sample workflow for a business number, which lies beside the project.
//! A waiting task is a phone in somebody's hand: after each answer the execution is written down
//! and restored.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use jiff::{SignedDuration, Timestamp};
use offhook_asl::execution::{
    Effect, Execution, Snapshot, Start, Status, TaskCall, TaskEvent, TokenEvent,
};
use offhook_asl::machine::{Machine, Pattern};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

struct Call {
    execution: Execution,
    now: Timestamp,
    task: TaskCall,
}

fn machine() -> Option<Arc<Machine>> {
    let name = "shared/data/aws-sample/definition.asl.json";
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some(file) = here.ancestors().map(|at| at.join(name)).find(|file| file.is_file()) else {
        println!("NOT TESTED: there is no {name} beside the project");
        return None;
    };
    let text = std::fs::read_to_string(file).unwrap();
    let text = text.replace(
        "\"OwnerPersonalPhoneNumber\": \"+1NPAXXXXXXX\"",
        "\"OwnerPersonalPhoneNumber\": \"+15550100\"",
    );
    Some(Arc::new(Machine::load(&text).unwrap()))
}

impl Call {
    /// An inbound call of `from` at `now`.
    fn begin(from: &str, now: &str) -> Option<Self> {
        let machine = machine()?;
        let input = json!({ "QueueUrl": "q", "Event": { "CallDetails": {
            "SipMediaApplicationId": "s", "TransactionId": "t", "Participants": [
                { "CallId": "c", "Direction": "Inbound", "From": from, "To": "+15550199" }] } } });
        let now = now.parse().unwrap();
        let start = Start {
            arn: "arn:aws:states:us-east-1:1:execution:m:t".to_owned(),
            name: "t".to_owned(),
            role_arn: "r".to_owned(),
            machine_arn: "arn:aws:states:us-east-1:1:stateMachine:m".to_owned(),
            machine_name: "m".to_owned(),
            input: input.into(),
            seed: [1; 32],
            missing_activities: Vec::new(),
        };
        let mut execution = Execution::start(machine, start, now);
        let Some(Effect::Task(task)) = execution.poll_effect() else { panic!("asks for nothing") };
        Some(Self { execution, now, task: *task })
    }

    fn actions(&self) -> Vec<&str> {
        let actions = self.task.arguments["MessageBody"]["Actions"].as_array().unwrap();
        actions.iter().map(|action| action["Type"].as_str().unwrap()).collect()
    }

    fn text(&self) -> &str {
        let parameters = &self.task.arguments["MessageBody"]["Actions"][0]["Parameters"];
        parameters["Text"]
            .as_str()
            .or(parameters["SpeechParameters"]["Text"].as_str())
            .unwrap_or("")
    }

    /// What the phone said, and on to the next task.
    fn answer(&mut self, event: TokenEvent) {
        let token = self.task.task_token.clone().unwrap();
        let attributes = &self.task.arguments["MessageBody"]["TransactionAttributes"];
        assert_eq!(attributes["WaitToken"], json!(token));
        self.execution.take_new_history();
        let written = serde_json::to_string(&self.execution).unwrap();
        assert!(written.len() < 50_000, "{} bytes while it waits", written.len());
        let snapshot: Snapshot = serde_json::from_str(&written).unwrap();
        self.execution =
            Execution::restore(Arc::clone(self.execution.machine()), snapshot).unwrap();
        self.now = self.now.checked_add(SignedDuration::from_secs(5)).unwrap();
        self.execution.handle_token(&token, event, self.now).unwrap();
        self.next();
    }

    fn next(&mut self) {
        while let Some(effect) = self.execution.poll_effect() {
            if let Effect::Task(task) = effect {
                self.task = *task;
            }
        }
    }

    fn succeed(&mut self, data: Value) {
        self.answer(TokenEvent::Success { output: json!({ "ActionData": data }) });
    }
}

#[test]
fn an_owner_schedules_a_call_and_hangs_up() {
    // 10:00 in the business's zone.
    let Some(mut call) = Call::begin("+15550100", "2026-11-27T14:00:00Z") else { return };
    assert_eq!(call.actions(), ["SpeakAndGetDigits"]);
    assert!(call.text().starts_with("Press 1 to call"));
    call.succeed(json!({ "ReceivedDigits": "2" }));
    assert_eq!(call.actions(), ["SpeakAndGetDigits"]);
    call.succeed(json!({ "ReceivedDigits": "5550123456" }));
    call.succeed(json!({ "ReceivedDigits": "015" }));
    assert_eq!(call.task.resource.resource_type(), "aws-sdk:scheduler");
    assert_eq!(call.task.resource.pattern(), Pattern::RequestResponse);
    let at = call.now.checked_add(SignedDuration::from_mins(15)).unwrap();
    let expected = format!("at({})", at.strftime("%Y-%m-%dT%H:%M:%S"));
    assert_eq!(call.task.arguments["ScheduleExpression"], json!(expected));
    let input = call.task.arguments["Target"]["Input"].as_str().unwrap();
    let input: Value = serde_json::from_str(input).unwrap();
    assert_eq!(input["CustomerPhoneNumber"], json!("5550123456"));
    let id = call.task.id;
    call.execution.handle_task(id, TaskEvent::Succeeded { output: json!({}) }, call.now).unwrap();
    call.next();
    let hangup = Some("HANGUP".to_owned());
    call.answer(TokenEvent::Failure { error: hangup, cause: Some("caller".to_owned()) });
    assert_eq!(call.execution.status(), Status::Succeeded);
}

#[test]
fn a_customer_is_welcomed_in_hours_and_asked_for_a_message_after() {
    let Some(call) = Call::begin("+15550111", "2026-11-27T14:00:00Z") else { return };
    assert_eq!(call.text(), "Welcome to: Demo Business! Please wait while I connect your call.");
    let Some(mut call) = Call::begin("+15550111", "2026-11-27T23:00:00Z") else { return };
    assert!(call.text().starts_with("We are sorry to inform you that: Demo Business!"));
    call.succeed(json!({}));
    assert!(call.actions().contains(&"RecordAudio"));
}

#[test]
fn a_silent_phone_times_out_and_its_late_answer_is_refused() {
    let Some(mut call) = Call::begin("+15550111", "2026-11-27T14:00:00Z") else { return };
    let token = call.task.task_token.clone().unwrap();
    let deadline = call.execution.next_deadline().unwrap();
    assert_eq!(deadline.duration_since(call.now).as_secs(), 60);
    call.execution.handle_timeout(deadline);
    call.next();
    assert_eq!(call.actions(), ["Hangup"]);
    let late = TokenEvent::Success { output: json!({}) };
    assert!(call.execution.handle_token(&token, late, deadline).is_err());
    assert_eq!(call.execution.status(), Status::Running);
}
