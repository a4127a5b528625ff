//! How a call gets its execution.

use offhook_sma::event::InvocationEvent;
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot, watch};

use super::closing::{Ask, Clerk, Desk, Next, ROOM, queue_url};
use super::{FlowError, Router, execution_name};
use crate::names::MachineRef;
use crate::runtime::{StartError, StartExecution};

/// What stands beside the event as well: the router of AWS's sample gives `QueueUrl` and these
/// beside `Event` (bfb2b30 of amazon-chime-sdk-visual-media-applications), and workflows read them
/// there.
const BESIDE: [(&str, &str); 3] = [
    ("CallId", "/CallDetails/Participants/0/CallId"),
    ("SipMediaApplicationId", "/CallDetails/SipMediaApplicationId"),
    ("TransactionId", "/CallDetails/TransactionId"),
];

/// An execution to be started for a call.
pub(super) struct Beginning {
    pub(super) router: Router,
    pub(super) machine: MachineRef,
    /// Beside the event, in the execution's input.
    pub(super) context: Map<String, Value>,
    /// Whether the call handles an event.
    pub(super) busy: watch::Receiver<bool>,
}

/// The execution of a call.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) arn: String,
    pub(super) version: u32,
    /// Dropping it ends the call for the execution.
    pub(super) clerk: mpsc::Sender<Ask>,
    /// What the workflow says first.
    pub(super) first: oneshot::Receiver<Next>,
}

impl Beginning {
    /// Starts it, in a task of its own: a call that ends while that goes on leaves no execution
    /// behind that nobody tells of it. The task is where executions are, and so is the clerk: the
    /// call's thread is woken with the first message, and not for each step on the way there.
    pub(super) async fn begin(self, event: &InvocationEvent) -> Result<Begun, FlowError> {
        let transaction_id = event.call_details.transaction_id.clone();
        let event = json!(event);
        let (tell, told) = oneshot::channel();
        let runtime = self.router.runtime.clone();
        runtime.spawn(async move {
            // Not taken, what was begun is dropped, and its clerk sees the execution off.
            drop(tell.send(self.run(transaction_id, event).await));
        });
        told.await.unwrap_or(Err(StartError::Closed)).map_err(FlowError::NotStarted)
    }

    async fn run(self, transaction_id: String, event: Value) -> Result<Begun, StartError> {
        let runtime = self.router.runtime;
        let url = queue_url(runtime.place(), &transaction_id);
        let mut messages = runtime.open_queue(&url, ROOM).await;
        let mut input = self.context;
        input.insert("QueueUrl".to_owned(), json!(url));
        for (name, place) in BESIDE {
            if let Some(value) = event.pointer(place) {
                input.entry(name).or_insert_with(|| value.clone());
            }
        }
        input.insert("Event".to_owned(), event);
        let start = StartExecution {
            machine: self.machine,
            name: Some(execution_name(&transaction_id)),
            input: Value::Object(input),
            transaction_id: Some(transaction_id.clone()),
        };
        let started = match runtime.start_execution(start).await {
            Ok(started) => started,
            Err(error) => {
                runtime.close_queue(&url).await;
                return Err(error);
            }
        };
        let (asker, asks) = mpsc::channel(4);
        let (listener, first) = oneshot::channel();
        let mut desk = Desk::of(listener);
        // Most workflows have spoken by now: the call's thread is woken once, by what begins it.
        if let Ok(message) = messages.try_recv() {
            desk.take_in(message);
        }
        let clerk = Clerk {
            runtime,
            transaction_id,
            arn: started.arn.clone(),
            messages,
            asks,
            desk,
            busy: self.busy,
            wake: self.router.wake,
        };
        tokio::spawn(clerk.run());
        Ok(Begun { arn: started.arn, version: started.version, clerk: asker, first })
    }
}
