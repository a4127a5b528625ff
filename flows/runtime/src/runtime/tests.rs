mod keeping;
mod loading;
mod nested;
mod restart;
mod running;

use std::sync::Mutex;

use serde_json::json;
use tokio::sync::Notify;

use super::*;
use crate::names::MachineRef;
use crate::services::{Answer, NoUpstream, Request, Service, ServiceError};
use crate::store::MemoryStore;

/// Services `test` and `s3` of which the test says what it answers.
#[derive(Clone, Default)]
pub(super) struct Echo {
    asked: Arc<Mutex<Vec<Request>>>,
    /// Requests `test:hold` are answered when this is told.
    go: Arc<Notify>,
}

impl Echo {
    fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

impl Service for Echo {
    fn names(&self) -> &'static [&'static str] {
        &["test", "s3"]
    }

    fn call(&self, request: Request) -> Answer {
        self.asked.lock().unwrap().push(request.clone());
        let go = self.go.clone();
        Box::pin(async move {
            match request.action.as_str() {
                "hold" => {
                    go.notified().await;
                    Ok(request.arguments)
                }
                "fail" => Err(ServiceError::new("Test.Refused", "as it was told")),
                _ => Ok(request.arguments),
            }
        })
    }
}

pub(super) struct Room {
    store: Arc<MemoryStore>,
    echo: Echo,
    clock: Clock,
}

impl Room {
    fn new() -> Self {
        let clock = Clock::beginning_at("2025-01-01T00:00:00Z".parse().unwrap());
        Self { store: Arc::new(MemoryStore::new()), echo: Echo::default(), clock }
    }

    /// A runtime on what the store holds: another one each time.
    async fn runtime(&self) -> Runtime {
        let services = Services::new(vec![Arc::new(self.echo.clone())], Arc::new(NoUpstream));
        let mut options = Options::new(self.store.clone(), services);
        options.clock = self.clock;
        options.max_requests = 2;
        Runtime::start(options).await.unwrap()
    }
}

async fn publish(runtime: &Runtime, name: &str, definition: Value) {
    let text = definition.to_string();
    runtime.versions().publish(name, &text, MachineType::Standard, "").await.unwrap();
}

fn start(machine: &str, name: &str, input: Value) -> StartExecution {
    let machine = MachineRef::latest(machine);
    StartExecution { machine, name: Some(name.to_owned()), input, transaction_id: None }
}

/// One Task state.
fn task(resource: &str, parameters: Value) -> Value {
    json!({ "StartAt": "Ask", "States": { "Ask": {
        "Type": "Task", "Resource": format!("arn:aws:states:::{resource}"),
        "Parameters": parameters, "End": true,
    } } })
}

fn waiting() -> Value {
    task("test:echo.waitForTaskToken", json!({ "Token.$": "$$.Task.Token" }))
}

/// The token of the newest request.
fn token(echo: &Echo) -> String {
    echo.asked().last().unwrap().arguments["Token"].as_str().unwrap().to_owned()
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
