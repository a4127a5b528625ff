//! Carries out what an execution asks for.

use offhook_asl::execution::{Effect, ItemsCall, ResultsCall, TaskCall, TaskEvent, TaskId};
use offhook_asl::machine::{Pattern, Resource};
use serde_json::{Value, json};
use tokio::task::JoinError;

use super::files::{read_items, write_results};
use super::live::{Key, Live, Open, What};
use super::owner::Owner;
use super::states;
use super::tokens::Waiting;
use crate::services::{ExecutionInfo, Integration, Request, ServiceError};

/// What came of a request.
pub(super) enum Answered {
    Task(Result<Value, ServiceError>),
    /// The items of a file, or of the files of a list.
    Items(TaskEvent),
}

impl Owner {
    pub(super) fn carry_out(&mut self, key: Key, effect: Effect) {
        match effect {
            Effect::Task(call) => self.begin_task(key, *call),
            Effect::ReadItems(call) => {
                let id = call.id;
                self.open_request(key, id, None, What::Read(call));
            }
            Effect::WriteResults(call) => {
                let id = call.id;
                self.open_request(key, id, None, What::Write(call));
            }
            Effect::Cancel { id } => self.cancel(key, id),
        }
    }

    fn begin_task(&mut self, key: Key, call: TaskCall) {
        let (id, token) = (call.id, call.task_token.clone());
        let waiting = token.as_ref().map(|token| self.tokens.open(token.clone(), key));
        match &call.resource {
            Resource::Activity { arn } => {
                let (arn, input) = (arn.clone(), call.arguments.to_string());
                let what = What::Activity { arn: arn.clone(), input, taken: false };
                self.insert(key, id, Open { token, what, submitted: false, request: None });
                self.offer(&arn, key, id);
            }
            Resource::Service { service, action, pattern, .. }
                if self.queues.takes(service, action, &call.arguments) =>
            {
                let pattern = *pattern;
                self.send_to_call(key, call, (token, waiting), pattern);
            }
            _ => self.open_request(key, id, token, What::Call(Box::new(call))),
        }
    }

    fn send_to_call(
        &mut self,
        key: Key,
        call: TaskCall,
        (token, waiting): (Option<String>, Option<Waiting>),
        pattern: Pattern,
    ) {
        let waits = pattern == Pattern::WaitForTaskToken;
        let told = if waits { (token.clone(), waiting) } else { (None, None) };
        let sent = self.queues.send(&call, told);
        let open = Open { token, what: What::Queue, submitted: waits, request: None };
        self.insert(key, call.id, open);
        let event = match sent {
            Ok(output) if waits => TaskEvent::Submitted { output },
            Ok(output) => TaskEvent::Succeeded { output },
            Err(error) => failed(error),
        };
        self.answer(key, call.id, event);
    }

    fn insert(&mut self, key: Key, id: TaskId, open: Open) {
        if let Some(live) = self.live.get_mut(&key) {
            live.open.insert(id, open);
        }
    }

    fn open_request(&mut self, key: Key, id: TaskId, token: Option<String>, what: What) {
        self.insert(key, id, Open { token, what, submitted: false, request: None });
        self.waiting.push_back((key, id));
        self.begin_requests();
    }

    /// After a restart.
    pub(super) fn ask_again(&mut self, key: Key, id: TaskId) {
        let open = self.live.get(&key).and_then(|live| live.open.get(&id));
        match open.map(|open| &open.what) {
            Some(What::Activity { arn, .. }) => {
                let arn = arn.clone();
                self.offer(&arn, key, id);
            }
            _ => {
                self.waiting.push_back((key, id));
                self.begin_requests();
            }
        }
    }

    /// Begins as many requests as may be under way.
    fn begin_requests(&mut self) {
        while self.requests.len() < self.options.max_requests {
            let Some((key, id)) = self.waiting.pop_front() else { return };
            let Some(live) = self.live.get(&key) else { continue };
            let Some(open) = live.open.get(&id) else { continue };
            let services = self.options.services.clone();
            let handle = match &open.what {
                What::Call(call) => {
                    let request = self.request(live, id, &call.state, target(call), None);
                    let (pattern, runtime) = (request.pattern, self.runtime.clone());
                    let lambda = matches!(call.resource, Resource::Lambda { .. });
                    self.requests.spawn(async move {
                        let answer = match states::is_ours(&request) {
                            true => states::call(&runtime, request).await,
                            false => services.call(request).await,
                        };
                        let plain = lambda && pattern == Pattern::RequestResponse;
                        Answered::Task(
                            answer.map(|value| if plain { payload(value) } else { value }),
                        )
                    })
                }
                What::Read(call) => {
                    let request = self.request(live, id, "", reader(call), None);
                    self.requests.spawn(read_items(services, request, call.clone()))
                }
                What::Write(call) => {
                    let files = call.files.len();
                    let targets: Vec<Request> = (0..files)
                        .filter_map(|n| writer(call, n))
                        .enumerate()
                        .map(|(n, target)| self.request(live, id, "", target, Some(n)))
                        .collect();
                    self.requests.spawn(write_results(services, targets))
                }
                What::Queue | What::Token | What::Activity { .. } => continue,
            };
            self.asked.insert(handle.id(), (key, id));
            if let Some(live) = self.live.get_mut(&key)
                && let Some(open) = live.open.get_mut(&id)
            {
                open.request = Some(handle);
            }
        }
    }

    fn request(
        &self,
        live: &Live,
        id: TaskId,
        state: &str,
        target: Target,
        part: Option<usize>,
    ) -> Request {
        let record = &live.record;
        let place = &self.options.place;
        let part = part.map(|part| format!("/{part}")).unwrap_or_default();
        Request {
            integration: target.integration,
            service: target.service,
            action: target.action,
            pattern: target.pattern,
            arguments: target.arguments,
            execution: ExecutionInfo {
                arn: record.arn.clone(),
                name: record.name.clone(),
                state_machine: place.machine(&record.machine),
                state: state.to_owned(),
                transaction_id: record.transaction_id.clone(),
            },
            idempotency: format!("{}/{}{part}", record.arn, id.0),
            now: self.now(),
            region: place.region.clone(),
            account: place.account.clone(),
        }
    }

    pub(super) fn request_ended(&mut self, done: Result<(tokio::task::Id, Answered), JoinError>) {
        let task = match &done {
            Ok((task, _)) => *task,
            Err(error) => error.id(),
        };
        if let Some((key, id)) = self.asked.remove(&task) {
            match done {
                Ok((_, Answered::Task(answer))) => self.answered(key, id, answer),
                Ok((_, Answered::Items(event))) => {
                    self.answer(key, id, event);
                    self.touch(key);
                }
                Err(error) if error.is_cancelled() => {}
                Err(error) => {
                    tracing::error!(%error, "a service has panicked");
                    let error = ServiceError::new("States.TaskFailed", "the service failed");
                    self.answered(key, id, Err(error));
                }
            }
        }
        self.begin_requests();
    }

    fn answered(&mut self, key: Key, id: TaskId, answer: Result<Value, ServiceError>) {
        let Some(open) = self.live.get_mut(&key).and_then(|live| live.open.get_mut(&id)) else {
            return;
        };
        open.request = None;
        let (pattern, ours) = match &open.what {
            What::Call(call) => {
                (call.resource.pattern(), call.resource.resource_type() == "states")
            }
            _ => (Pattern::RequestResponse, false),
        };
        let first = !open.submitted;
        match (answer, pattern) {
            (Err(error), _) => self.answer(key, id, failed(error)),
            (Ok(output), Pattern::RequestResponse) => {
                self.answer(key, id, TaskEvent::Succeeded { output });
            }
            (Ok(output), Pattern::WaitForTaskToken) => {
                open.submitted = true;
                open.what = What::Token;
                self.answer(key, id, TaskEvent::Submitted { output });
            }
            (Ok(output), Pattern::Sync | Pattern::Sync2) => {
                open.submitted = true;
                let child = output.get("ExecutionArn").and_then(Value::as_str).map(str::to_owned);
                if first {
                    self.answer(key, id, TaskEvent::Submitted { output: output.clone() });
                }
                match child.filter(|_| ours && output.get("Status").is_none()) {
                    Some(child) => self.await_child(key, id, child, pattern),
                    None => self.answer(key, id, TaskEvent::Succeeded { output }),
                }
            }
        }
        self.touch(key);
    }

    /// The second half of `states:startExecution.sync`. It does not count among the requests that
    /// may be under way: it may take a year.
    fn await_child(&mut self, key: Key, id: TaskId, child: String, pattern: Pattern) {
        let runtime = self.runtime.clone();
        let handle = self
            .children
            .spawn(async move { Answered::Task(states::ended(&runtime, &child, pattern).await) });
        self.asked.insert(handle.id(), (key, id));
        if let Some(live) = self.live.get_mut(&key)
            && let Some(open) = live.open.get_mut(&id)
        {
            open.request = Some(handle);
        }
    }

    /// Tells the execution; the caller touches it.
    pub(super) fn answer(&mut self, key: Key, id: TaskId, event: TaskEvent) {
        let now = self.now();
        let Some(live) = self.live.get_mut(&key) else { return };
        if !matches!(event, TaskEvent::Submitted { .. } | TaskEvent::Started { .. })
            && let Some(open) = live.open.remove(&id)
            && let Some(token) = open.token
        {
            self.tokens.close(&token);
        }
        // It may have timed out in this moment.
        let _ = live.execution.handle_task(id, event, now);
    }

    fn cancel(&mut self, key: Key, id: TaskId) {
        let Some(open) = self.live.get_mut(&key).and_then(|live| live.open.remove(&id)) else {
            return;
        };
        if let Some(request) = open.request {
            request.abort();
        }
        if let Some(token) = open.token {
            self.tokens.close(&token);
        }
        // A child whose parent does not wait any more is stopped, as on AWS.
        if let What::Call(call) = &open.what
            && open.submitted
            && call.resource.resource_type() == "states"
        {
            let runtime = self.runtime.clone();
            let call = call.clone();
            let parent = self.live.get(&key).map(|live| live.record.arn.clone());
            tokio::spawn(async move { states::stop_child(&runtime, &call, parent, id).await });
        }
    }
}

/// What is asked of whom.
struct Target {
    integration: Integration,
    service: String,
    action: String,
    pattern: Pattern,
    arguments: Value,
}

fn target(call: &TaskCall) -> Target {
    match &call.resource {
        Resource::Service { service, action, pattern, .. } => {
            let (integration, service) = match service.strip_prefix("aws-sdk:") {
                Some(service) => (Integration::Sdk, service),
                None => (Integration::Optimized, service.as_str()),
            };
            Target {
                integration,
                service: service.to_owned(),
                action: action.clone(),
                pattern: *pattern,
                arguments: Value::clone(&call.arguments),
            }
        }
        Resource::Lambda { arn } | Resource::Activity { arn } => Target {
            integration: Integration::Optimized,
            service: "lambda".to_owned(),
            action: "invoke".to_owned(),
            pattern: Pattern::RequestResponse,
            arguments: json!({ "FunctionName": arn, "Payload": call.arguments }),
        },
    }
}

fn reader(call: &ItemsCall) -> Target {
    let Resource::Service { action, .. } = &call.resource else {
        return s3("getObject", call.arguments.clone());
    };
    s3(action, call.arguments.clone())
}

fn writer(call: &ResultsCall, file: usize) -> Option<Target> {
    let file = call.files.get(file)?;
    let bucket = call.arguments.get("Bucket").cloned().unwrap_or(Value::Null);
    let arguments = json!({ "Bucket": bucket, "Key": file.key, "Body": file.body });
    Some(s3("putObject", arguments))
}

fn s3(action: &str, arguments: Value) -> Target {
    Target {
        integration: Integration::Sdk,
        service: "s3".to_owned(),
        action: action.to_owned(),
        pattern: Pattern::RequestResponse,
        arguments,
    }
}

/// What a function gave, of the answer of `lambda:invoke`.
fn payload(mut answer: Value) -> Value {
    match answer.get_mut("Payload") {
        Some(payload) => payload.take(),
        None => answer,
    }
}

fn failed(error: ServiceError) -> TaskEvent {
    TaskEvent::Failed { error: Some(error.error), cause: Some(error.cause) }
}
