//! Runs executions.
//!
//! > One task owns all of them; a [`Runtime`] is a queue's end. An execution is kept each time it
//! > waits, and what is acknowledged was kept before.
//!
//! After a restart executions go on from where they were last kept: timers run on, requests that
//! were under way are made again (with the same [`crate::services::Request::idempotency`]), and
//! executions that ran a call are told that it ended, because no call outlives the box.

mod activities;
mod commands;
mod dispatch;
mod error;
mod files;
mod live;
mod mailbox;
mod owner;
mod queue;
mod restore;
mod saving;
mod states;
mod tokens;
mod watch;

use std::sync::Arc;

use jiff::Timestamp;
use offhook_asl::Machine;
use offhook_asl::execution::TokenEvent;
use offhook_asl::history::Event;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use self::commands::Reply;
pub use self::commands::{ActivityTask, StartExecution, Started};
pub(crate) use self::commands::{Command, Ended, Origin};
pub use self::error::{ExecutionError, StartError, TokenFault};
pub use self::queue::QueueMessage;
pub(crate) use self::tokens::new_name;
use crate::clock::Clock;
use crate::names::{Place, is_name};
use crate::services::Services;
use crate::store::{ExecutionFilter, ExecutionRecord, FlowStore, MachineType, StoreError};
use crate::versions::{Chosen, Versions};

/// How a runtime is made.
#[derive(Clone)]
pub struct Options {
    /// What survives a restart.
    pub store: Arc<dyn FlowStore>,
    /// Whom Task states may ask.
    pub services: Services,
    /// What time it is.
    pub clock: Clock,
    /// For ARNs.
    pub place: Place,
    /// Executions that may run at a time; more are refused.
    pub max_running: usize,
    /// Requests to services under way at a time; more wait.
    pub max_requests: usize,
    /// Commands that may wait for the owner; more wait for room.
    pub mailbox: usize,
    /// Whether PINs and passwords are masked in what is kept for reading.
    pub masks: bool,
}

impl Options {
    /// With the usual bounds.
    pub fn new(store: Arc<dyn FlowStore>, services: Services) -> Self {
        Self {
            store,
            services,
            clock: Clock::system(),
            place: Place::default(),
            max_running: 20_000,
            max_requests: 256,
            mailbox: 1_024,
            masks: true,
        }
    }
}

/// The way to the owner of all executions. Clones share it; it ends when the last one is dropped.
#[derive(Clone)]
pub struct Runtime {
    commands: mpsc::Sender<Command>,
    versions: Versions,
    store: Arc<dyn FlowStore>,
    clock: Clock,
    place: Place,
    home: Handle,
}

impl Runtime {
    /// Goes on with what the store holds, and begins. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn start(options: Options) -> Result<Self, StoreError> {
        let (commands, mailbox) = mpsc::channel(options.mailbox.max(1));
        let versions = Versions::new(options.store.clone(), options.clock);
        let runtime = Self {
            commands,
            versions,
            store: options.store.clone(),
            clock: options.clock,
            place: options.place.clone(),
            home: Handle::current(),
        };
        owner::Owner::restore(options, runtime.downgrade(), mailbox).await?;
        Ok(runtime)
    }

    /// Whether its owner lives: when it is gone, nothing runs any more.
    pub fn is_well(&self) -> bool {
        !self.commands.is_closed()
    }

    pub(crate) fn downgrade(&self) -> WeakRuntime {
        WeakRuntime { commands: self.commands.downgrade(), rest: Box::new(self.rest()) }
    }

    fn rest(&self) -> Rest {
        Rest {
            versions: self.versions.clone(),
            store: self.store.clone(),
            clock: self.clock,
            place: self.place.clone(),
            home: self.home.clone(),
        }
    }

    /// Runs where executions run: what asks them much has no other thread to wake each time.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.home.spawn(task));
    }

    /// Published definitions.
    pub fn versions(&self) -> &Versions {
        &self.versions
    }

    /// What time it is.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Where executions are said to be.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Starts an execution of a published machine. One of the same name and input that still runs
    /// is taken for it, as on AWS; an ended one's name is taken (machines of type Standard).
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start_execution(&self, start: StartExecution) -> Result<Started, StartError> {
        let chosen = self.versions.choose(&start.machine).await?;
        let origin = start.transaction_id.map_or(Origin::Asked, Origin::Call);
        self.start_chosen(chosen, start.name, start.input, origin).await
    }

    /// Starts an execution of a definition that is not published.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start_definition(
        &self,
        machine: Arc<Machine>,
        name: &str,
        input: Value,
    ) -> Result<Started, StartError> {
        let chosen = Chosen {
            name: name.to_owned(),
            version: 0,
            alias: None,
            kind: MachineType::Standard,
            machine,
        };
        self.start_chosen(chosen, None, input, Origin::Asked).await
    }

    pub(crate) async fn start_chosen(
        &self,
        chosen: Chosen,
        name: Option<String>,
        input: Value,
        origin: Origin,
    ) -> Result<Started, StartError> {
        let name = name.unwrap_or_else(tokens::new_name);
        if !is_name(&name) {
            return Err(StartError::InvalidName(name));
        }
        let command = |reply| Command::Start { chosen, name, input, origin, reply };
        self.ask(command).await.unwrap_or(Err(StartError::Closed))
    }

    /// Ends an execution (`StopExecution`); gives when it ended.
    ///
    /// # Errors
    /// See [`ExecutionError`].
    pub async fn stop_execution(
        &self,
        arn: &str,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<Timestamp, ExecutionError> {
        let arn = arn.to_owned();
        let stopped = self.ask(|reply| Command::Stop { arn, error, cause, reply }).await;
        stopped.unwrap_or(Err(ExecutionError::Closed))
    }

    /// `DescribeExecution`.
    ///
    /// # Errors
    /// See [`ExecutionError`].
    pub async fn describe_execution(&self, arn: &str) -> Result<ExecutionRecord, ExecutionError> {
        let wanted = arn.to_owned();
        let live = self.ask(|reply| Command::Look { arn: wanted, reply }).await;
        if let Some((record, _)) = live.ok_or(ExecutionError::Closed)? {
            return Ok(record);
        }
        let kept = self.store.get_execution(arn.to_owned()).await?;
        kept.ok_or_else(|| ExecutionError::DoesNotExist(arn.to_owned()))
    }

    /// `GetExecutionHistory`: all events, in order.
    ///
    /// # Errors
    /// See [`ExecutionError`].
    pub async fn execution_history(&self, arn: &str) -> Result<Vec<Event>, ExecutionError> {
        let wanted = arn.to_owned();
        let live = self.ask(|reply| Command::Look { arn: wanted, reply }).await;
        let live = live.ok_or(ExecutionError::Closed)?;
        let kept = self.store.execution_history(arn.to_owned(), 0, usize::MAX).await?;
        if live.is_none() && kept.is_empty() {
            self.describe_execution(arn).await?;
        }
        let mut events = Vec::with_capacity(kept.len());
        for json in kept {
            let event: Event = serde_json::from_str(&json)
                .map_err(|e| StoreError::Failed(format!("an event cannot be read: {e}")))?;
            events.push(event);
        }
        // Some may be on their way to the store: those are told twice.
        let last = events.last().map_or(0, |event| event.id);
        let rest = live.map(|(_, rest)| rest).unwrap_or_default();
        events.extend(rest.into_iter().filter(|event| event.id > last));
        Ok(events)
    }

    /// `ListExecutions`, newest first.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn list_executions(
        &self,
        filter: ExecutionFilter,
    ) -> Result<Vec<ExecutionRecord>, StoreError> {
        self.store.list_executions(filter).await
    }

    /// Waits until an execution has ended; gives it as it ended.
    ///
    /// # Errors
    /// See [`ExecutionError`].
    pub async fn wait_for_end(&self, arn: &str) -> Result<ExecutionRecord, ExecutionError> {
        let wanted = arn.to_owned();
        let waits = self.ask(|reply| Command::Wait { arn: wanted, reply }).await;
        match waits.ok_or(ExecutionError::Closed)? {
            Some(ended) => ended.await.map_err(|_| ExecutionError::Closed),
            None => self.describe_execution(arn).await,
        }
    }

    /// `SendTaskSuccess`; `output` is JSON text. Answers when it is kept.
    ///
    /// # Errors
    /// See [`TokenFault`].
    pub async fn send_task_success(&self, token: &str, output: &str) -> Result<(), TokenFault> {
        if output.len() > offhook_asl::limits::PAYLOAD_BYTES {
            return Err(TokenFault::InvalidOutput("the output is longer than 256 KiB".into()));
        }
        let output = serde_json::from_str(output)
            .map_err(|error| TokenFault::InvalidOutput(format!("Invalid JSON: {error}")))?;
        self.send_token(token, TokenEvent::Success { output }, true).await
    }

    /// `SendTaskFailure`. Answers when it is kept.
    ///
    /// # Errors
    /// See [`TokenFault`].
    pub async fn send_task_failure(
        &self,
        token: &str,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<(), TokenFault> {
        self.send_token(token, TokenEvent::Failure { error, cause }, true).await
    }

    /// `SendTaskHeartbeat`. Answers when it is kept.
    ///
    /// # Errors
    /// See [`TokenFault`].
    pub async fn send_task_heartbeat(&self, token: &str) -> Result<(), TokenFault> {
        self.send_token(token, TokenEvent::Heartbeat, true).await
    }

    pub(crate) async fn send_token(
        &self,
        token: &str,
        event: TokenEvent,
        kept: bool,
    ) -> Result<(), TokenFault> {
        let token = token.to_owned();
        let sent = self.ask(|reply| Command::Token { token, event, kept, reply }).await;
        sent.unwrap_or(Err(TokenFault::Closed))
    }

    /// Whether a task waits for this token.
    pub async fn is_waiting(&self, token: &str) -> bool {
        let token = token.to_owned();
        self.ask(|reply| Command::Waits { token, reply }).await.unwrap_or(false)
    }

    /// `GetActivityTask`: waits until a state gives the activity something to do.
    pub async fn take_activity_task(
        &self,
        arn: &str,
        worker: Option<String>,
    ) -> Option<ActivityTask> {
        let arn = arn.to_owned();
        self.ask(|reply| Command::TakeActivity { arn, worker, reply }).await
    }

    /// Executions that run.
    pub async fn running(&self) -> usize {
        self.ask(|reply| Command::Running { reply }).await.unwrap_or(0)
    }

    /// From now on what is sent to this queue comes here, and nowhere else. An execution that is
    /// started afterwards finds it: commands are carried out in their order.
    pub(crate) async fn open_queue(&self, url: &str, room: usize) -> mpsc::Receiver<QueueMessage> {
        let (messages, receiver) = mpsc::channel(room);
        // A runtime that has ended sends nothing: the receiver says so.
        let _ = self.commands.send(Command::OpenQueue { url: url.to_owned(), messages }).await;
        receiver
    }

    pub(crate) async fn close_queue(&self, url: &str) {
        // A runtime that has ended has no queues.
        let _ = self.commands.send(Command::CloseQueue { url: url.to_owned() }).await;
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
    }
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("place", &self.place).finish_non_exhaustive()
    }
}

/// A runtime's end that does not keep it running: for what the owner itself has under way.
#[derive(Clone)]
pub(crate) struct WeakRuntime {
    commands: mpsc::WeakSender<Command>,
    rest: Box<Rest>,
}

#[derive(Clone)]
struct Rest {
    versions: Versions,
    store: Arc<dyn FlowStore>,
    clock: Clock,
    place: Place,
    home: Handle,
}

impl WeakRuntime {
    pub(crate) fn upgrade(&self) -> Option<Runtime> {
        let commands = self.commands.upgrade()?;
        let Rest { versions, store, clock, place, home } = (*self.rest).clone();
        Some(Runtime { commands, versions, store, clock, place, home })
    }
}

#[cfg(test)]
mod tests;
