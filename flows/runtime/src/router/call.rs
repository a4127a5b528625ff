//! The router's end of one call.

use std::sync::Arc;

use offhook_asl::execution::TokenEvent;
use offhook_sma::action::LegTag;
use offhook_sma::event::{EventType, InvocationEvent, Status};
use offhook_sma::reply::{Reply, ReplyError};
use offhook_sma::rules::Rules;
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::apology::{apologise, hang_up};
use super::beginning::Beginning;
use super::closing::{Ask, Next};
use super::event::{Meaning, legs, meaning, nobody_is_there, wait_token};
use super::{CALL_ENDED, FlowError, HANGUP, REPLY, Router};
use crate::names::MachineRef;
use crate::runtime::QueueMessage;
use crate::store::{ExecutionRecord, ExecutionStatus};

/// Messages that make no sense before the workflow is given up.
const NONSENSE: usize = 5;
/// What a workflow is told of a message that makes no sense.
const INVALID: &str = "INVALID_LAMBDA_RESPONSE";

/// One call and its workflow. Events go in one after the other; dropping it ends the call for the
/// workflow.
pub struct FlowCall {
    router: Router,
    machine: MachineRef,
    /// Beside the event, in the execution's input.
    context: Map<String, Value>,
    clerk: Option<mpsc::Sender<Ask>>,
    /// What the workflow says first, until somebody waits for it.
    first: Option<oneshot::Receiver<Next>>,
    /// Whether an event is being handled.
    busy: Arc<watch::Sender<bool>>,
    arn: Option<String>,
    stage: Stage,
    notes: Vec<String>,
    failure: Option<String>,
    /// When the event that is handled has to be answered.
    until: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The workflow says what happens.
    Runs,
    /// The farewell is under way, the workflow is not asked any more.
    Farewell,
    /// Nobody is there.
    Over,
}

impl FlowCall {
    pub(super) fn new(router: Router, machine: MachineRef) -> Self {
        let (clerk, first, arn, notes) = (None, None, None, Vec::new());
        let busy = Arc::new(watch::Sender::new(false));
        let (context, stage, failure) = (Map::new(), Stage::Runs, None);
        let until = Instant::now();
        Self { router, machine, context, clerk, first, busy, arn, stage, notes, failure, until }
    }

    /// With more in the execution's input than `QueueUrl` and `Event`.
    #[must_use]
    pub fn with_context(mut self, context: Map<String, Value>) -> Self {
        self.context = context;
        self
    }

    /// The ARN of the call's execution, once it was started.
    pub fn execution_arn(&self) -> Option<&str> {
        self.arn.as_deref()
    }

    /// What was remarkable since the last time, for the call's timeline.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Why the workflow was given up, and the call with it: one of the notes, once.
    pub fn take_failure(&mut self) -> Option<String> {
        self.failure.take()
    }

    /// The same, to be looked at only.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Tells the workflow what happened; gives what it wants done. Dropping the future loses
    /// nothing but the reply to this event.
    ///
    /// # Errors
    /// There is no execution. Whatever becomes of one that there is, the answer is a reply.
    pub async fn handle(&mut self, event: InvocationEvent) -> Result<Reply, FlowError> {
        let _busy = Busy::new(&self.busy);
        self.until = Instant::now() + REPLY;
        let meaning = meaning(&event);
        match (&meaning, &self.clerk) {
            (Meaning::Begin, None) => {
                let begun = tokio::time::timeout_at(self.until, self.begin(&event)).await;
                begun.unwrap_or(Err(FlowError::TooSlow(REPLY.as_secs())))?;
            }
            (Meaning::Informational, _) | (Meaning::Hangup(_) | Meaning::Gone, None) => {
                return Ok(Reply::nothing());
            }
            (_, None) => {
                return Err(FlowError::NoExecution(event.invocation_event_type.as_str()));
            }
            _ => {}
        }
        let reply = match self.stage {
            Stage::Runs => self.work(&event, meaning).await,
            Stage::Farewell => self.part(&event, meaning).await,
            Stage::Over => Reply::nothing(),
        };
        // Actions for it would be ignored, and somebody rung for whom nothing is left to do.
        if event.invocation_event_type == EventType::NewOutboundCall && self.stage != Stage::Runs {
            let why = self.failure.take().or_else(|| self.notes.pop());
            return Err(FlowError::NotPlaced(why.unwrap_or_default()));
        }
        Ok(reply)
    }

    async fn begin(&mut self, event: &InvocationEvent) -> Result<(), FlowError> {
        let beginning = Beginning {
            router: self.router.clone(),
            machine: self.machine.clone(),
            context: std::mem::take(&mut self.context),
            busy: self.busy.subscribe(),
        };
        let begun = beginning.begin(event).await?;
        self.notes.push(format!("workflow {} version {}", self.machine.name, begun.version));
        self.arn = Some(begun.arn);
        self.clerk = Some(begun.clerk);
        self.first = Some(begun.first);
        Ok(())
    }

    async fn work(&mut self, event: &InvocationEvent, meaning: Meaning) -> Reply {
        let waiting = match meaning {
            Meaning::Begin => None,
            Meaning::Informational | Meaning::Gone => return Reply::nothing(),
            Meaning::Wake => return self.fetch(event).await,
            Meaning::Success => self.complete(event, success(event)).await,
            Meaning::Failure { error, cause } => {
                self.complete(event, failure(&error, &cause)).await
            }
            Meaning::Hangup(LegTag::A) => self.complete(event, failure(HANGUP, CALL_ENDED)).await,
            Meaning::Hangup(LegTag::B) => self.complete(event, success(event)).await,
        };
        if nobody_is_there(event) {
            // A recording was told, or the last leg ended. Nobody could hear the answer.
            if event.invocation_event_type == EventType::Hangup {
                self.close(event).await;
            }
            return Reply::nothing();
        }
        match waiting {
            Some(next) => self.answer(event, next).await,
            None => self.await_reply(event).await,
        }
    }

    /// Completes the task that waits. `Some`: none does, because the workflow went on by itself;
    /// this is what it says.
    async fn complete(&mut self, event: &InvocationEvent, outcome: TokenEvent) -> Option<Next> {
        let runtime = self.router.runtime.clone();
        let named = wait_token(event);
        if let Some(token) = named {
            match runtime.send_token(token, outcome.clone(), false).await {
                Ok(()) => return None,
                Err(error) => {
                    let told = event.invocation_event_type.as_str();
                    self.notes.push(format!("{told} came too late for its state: {error}"));
                }
            }
        }
        if !nobody_is_there(event)
            && let Some(next) = self.waiting().await
        {
            return Some(next);
        }
        let newest = self.ask(Ask::Newest).await.flatten();
        if let Some(token) = newest {
            // It may end in this moment: then there is nothing to complete.
            drop(runtime.send_token(&token, outcome, false).await);
        }
        None
    }

    /// What the workflow said meanwhile, if it is still meant.
    async fn waiting(&mut self) -> Option<Next> {
        loop {
            let first = self.first.take().and_then(|mut first| {
                // What is said from now on is not said to nobody: the clerk keeps it.
                first.close();
                first.try_recv().ok()
            });
            let next = match first {
                Some(next) => next,
                None => self.ask(Ask::Waiting).await.flatten()?,
            };
            if let Next::Message(message) = &next
                && self.is_stale(message)
            {
                continue;
            }
            return Some(next);
        }
    }

    /// The state that sent it waits no longer: what it wanted done is not wanted any more.
    fn is_stale(&mut self, message: &QueueMessage) -> bool {
        let stale = message.waiting.as_ref().is_some_and(|waiting| !waiting.is_on());
        if stale {
            self.notes.push(format!("what \"{}\" asked for came too late", message.state));
        }
        stale
    }

    async fn fetch(&mut self, event: &InvocationEvent) -> Reply {
        match self.waiting().await {
            Some(next) => self.answer(event, next).await,
            None => Reply::nothing(),
        }
    }

    async fn await_reply(&mut self, event: &InvocationEvent) -> Reply {
        let next = tokio::time::timeout_at(self.until, self.next_meant()).await;
        match next {
            Ok(Some(next)) => self.answer(event, next).await,
            Ok(None) => self.say_sorry(event, "the workflow runtime has ended"),
            // People who talk with each other are not in silence.
            Err(_) if bridged(event) => {
                self.notes.push("the workflow did not answer; the parties talk on".to_owned());
                Reply::nothing()
            }
            Err(_) => {
                let seconds = REPLY.as_secs();
                self.say_sorry(event, &format!("the workflow said nothing for {seconds} s"))
            }
        }
    }

    async fn next_meant(&mut self) -> Option<Next> {
        loop {
            let next = match &mut self.first {
                Some(first) => {
                    let told = first.await;
                    self.first = None;
                    told.ok()?
                }
                None => self.ask(Ask::Next).await?,
            };
            if let Next::Message(message) = &next
                && self.is_stale(message)
            {
                continue;
            }
            return Some(next);
        }
    }

    /// The reply that a message is; after one that makes no sense, the next one's.
    async fn answer(&mut self, event: &InvocationEvent, mut next: Next) -> Reply {
        for _ in 0..NONSENSE {
            let mut message = match next {
                Next::Message(message) => message,
                Next::Ended(record) => return self.farewell(event, &record),
            };
            let error = match read(std::mem::take(&mut message.body)) {
                Ok(reply) => return reply,
                Err(error) => error,
            };
            self.notes.push(format!("what \"{}\" sent makes no sense: {error}", message.state));
            let Some(token) = &message.token else { break };
            let told = failure(INVALID, &error.to_string());
            // It may have timed out in this moment.
            drop(self.router.runtime.send_token(token, told, false).await);
            match tokio::time::timeout_at(self.until, self.next_meant()).await {
                Ok(Some(another)) => next = another,
                Ok(None) | Err(_) => break,
            }
        }
        self.say_sorry(event, "the workflow's answers make no sense")
    }

    fn farewell(&mut self, event: &InvocationEvent, record: &ExecutionRecord) -> Reply {
        self.stage = Stage::Farewell;
        if record.status == ExecutionStatus::Succeeded {
            self.notes.push("the workflow ended, and the call with it".to_owned());
            return hang_up(event);
        }
        let how = match record.status {
            ExecutionStatus::TimedOut => "timed out",
            ExecutionStatus::Aborted => "was stopped",
            _ => "failed",
        };
        let why = match (&record.error, &record.cause) {
            (Some(error), Some(cause)) => format!(": {error}: {cause}"),
            (Some(only), None) | (None, Some(only)) => format!(": {only}"),
            (None, None) => String::new(),
        };
        self.say_sorry(event, &format!("the workflow {how}{why}"))
    }

    fn say_sorry(&mut self, event: &InvocationEvent, why: &str) -> Reply {
        self.stage = Stage::Farewell;
        if let Some(clerk) = &self.clerk {
            // It has room: each event asks it one thing at a time.
            let _ = clerk.try_send(Ask::Quiet);
        }
        self.notes.push(why.to_owned());
        self.failure = Some(why.to_owned());
        apologise(event)
    }

    /// Events while the farewell is under way. What of it failed is not tried again: the legs are
    /// hung up.
    async fn part(&mut self, event: &InvocationEvent, meaning: Meaning) -> Reply {
        if event.invocation_event_type == EventType::CallAnswered {
            // It rang when the workflow ended.
            return apologise(event);
        }
        match meaning {
            Meaning::Hangup(_) if nobody_is_there(event) => self.close(event).await,
            Meaning::Failure { .. } | Meaning::Hangup(LegTag::A) => return hang_up(event),
            _ => {}
        }
        Reply::nothing()
    }

    async fn close(&mut self, event: &InvocationEvent) {
        tracing::debug!(call = event.call_details.transaction_id, "the workflow's call is over");
        self.stage = Stage::Over;
        if let Some(clerk) = &self.clerk {
            // It ends only with the runtime.
            drop(clerk.send(Ask::Close).await);
        }
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.clerk.as_ref()?.send(ask(reply)).await.ok()?;
        answer.await.ok()
    }
}

/// While it is there, an event is being handled.
struct Busy(Arc<watch::Sender<bool>>);

impl Busy {
    fn new(busy: &Arc<watch::Sender<bool>>) -> Self {
        busy.send_replace(true);
        Self(busy.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

impl std::fmt::Debug for FlowCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlowCall")
            .field("machine", &self.machine)
            .field("arn", &self.arn)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

fn bridged(event: &InvocationEvent) -> bool {
    legs(event).filter(|leg| leg.status == Some(Status::Connected)).count() > 1
}

fn success(event: &InvocationEvent) -> TokenEvent {
    TokenEvent::Success { output: json!(event) }
}

fn failure(error: &str, cause: &str) -> TokenEvent {
    TokenEvent::Failure { error: Some(error.to_owned()), cause: Some(cause.to_owned()) }
}

/// A message as a reply: an object, or text that is one as JSON.
fn read(body: Value) -> Result<Reply, ReplyError> {
    let reply = match body {
        Value::String(text) => Reply::parse(text.as_bytes())?,
        other => Reply::read(other)?,
    };
    reply.check(&Rules::default())?;
    Ok(reply)
}
