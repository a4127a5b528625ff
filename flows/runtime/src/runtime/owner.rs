//! The task that owns all executions.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use offhook_asl::execution::{Execution, Start, TaskId, TokenEvent};
use offhook_asl::json::{Json, Text, fits};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::dispatch::{Activities, Answered};
use super::error::{ExecutionError, StartError, TokenFault};
use super::live::{Ack, Key, Live, Stage};
use super::queue::Queues;
use super::saving::ToKeep;
use super::tokens::Tokens;
use super::watch::Watch;
use super::{Command, Options, Origin, Started, WeakRuntime};
use crate::store::{ExecutionRecord, ExecutionStatus, MachineType, Saved, StoreError};
use crate::versions::Chosen;

/// Executions that are looked at before others have their turn.
const TURN: usize = 64;

pub(super) type SaveDone = (Key, Result<Saved, StoreError>);

pub(super) struct Owner {
    pub(super) options: Options,
    pub(super) runtime: WeakRuntime,
    pub(super) live: HashMap<Key, Live>,
    pub(super) by_arn: HashMap<String, Key>,
    pub(super) next_key: Key,
    pub(super) deadlines: BinaryHeap<Reverse<(Timestamp, Key)>>,
    pub(super) tokens: Tokens,
    pub(super) queues: Queues,
    pub(super) activities: Activities,
    pub(super) requests: JoinSet<Answered>,
    /// Waits for the end of other executions. They take no place of a request's: those others may
    /// need one to end.
    pub(super) children: JoinSet<Answered>,
    /// Whom a request is for, by the task that does it.
    pub(super) asked: HashMap<tokio::task::Id, (Key, TaskId)>,
    /// Requests that wait for others to end.
    pub(super) waiting: VecDeque<(Key, TaskId)>,
    pub(super) saves: FuturesUnordered<BoxFuture<'static, SaveDone>>,
    pub(super) to_keep: ToKeep,
    pub(super) watch: Watch,
}

impl Owner {
    pub(super) fn new(options: Options, runtime: WeakRuntime) -> Self {
        Self {
            options,
            runtime,
            live: HashMap::new(),
            by_arn: HashMap::new(),
            next_key: 1,
            deadlines: BinaryHeap::new(),
            tokens: Tokens::default(),
            queues: Queues::default(),
            activities: Activities::default(),
            requests: JoinSet::new(),
            children: JoinSet::new(),
            asked: HashMap::new(),
            waiting: VecDeque::new(),
            saves: FuturesUnordered::new(),
            to_keep: ToKeep::default(),
            watch: Watch::new(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    /// Until nobody can send commands any more; what is to be kept is kept then.
    ///
    /// > Whoever computes gives way after a moment: between two turns others' commands are heard,
    /// > so that no workflow keeps a caller of another one waiting. Executions are written down when
    /// > there is nothing else to do, or too many wait for it.
    pub(super) async fn run(mut self, mut mailbox: mpsc::Receiver<Command>) {
        loop {
            let next = self.run_due();
            let overdue = next.is_some_and(|at| at <= self.now());
            if overdue {
                // Requests run on this thread, too; what is ready below would never wait for them.
                tokio::task::yield_now().await;
            }
            while self.to_keep.is_due() && self.keep_next() {}
            self.to_keep.let_pass();
            let clock = self.options.clock;
            let busy = overdue || !self.to_keep.is_empty();
            let wait = async {
                if busy {
                    tokio::task::yield_now().await;
                } else {
                    clock.sleep_towards(next).await;
                }
            };
            tokio::select! {
                command = mailbox.recv() => match command {
                    Some(command) => {
                        self.commands(command, &mut mailbox);
                    }
                    None => break,
                },
                Some(done) = self.requests.join_next_with_id() => {
                    self.watch.restart();
                    self.request_ended(done);
                }
                Some(done) = self.children.join_next_with_id() => {
                    self.watch.restart();
                    self.request_ended(done);
                }
                Some((key, saved)) = self.saves.next() => self.saved(key, saved),
                () = wait => {
                    self.keep_next();
                }
            }
        }
        self.requests.shutdown().await;
        self.children.shutdown().await;
        loop {
            while self.keep_next() {}
            let Some((key, saved)) = self.saves.next().await else { break };
            self.saved(key, saved);
        }
    }

    /// Looks at those whose time has come; gives when the next one's comes.
    fn run_due(&mut self) -> Option<Timestamp> {
        let now = self.now();
        self.watch.restart();
        for _ in 0..TURN {
            let Reverse((at, key)) = *self.deadlines.peek()?;
            let current = self.live.get(&key).and_then(|live| live.deadline) == Some(at);
            if current && at > now {
                return Some(at);
            }
            self.deadlines.pop();
            if current {
                self.due(key, now);
            }
            if self.watch.is_over() {
                break;
            }
        }
        self.deadlines.peek().map(|Reverse((at, _))| *at)
    }

    fn due(&mut self, key: Key, now: Timestamp) {
        let Some(live) = self.live.get_mut(&key) else { return };
        live.deadline = None;
        if live.save_again.is_some_and(|at| at <= now) {
            live.save_again = None;
        }
        if live.stage == Stage::Running
            && live.execution.next_deadline().is_some_and(|at| at <= now)
        {
            live.execution.handle_timeout(now);
            return self.touch(key);
        }
        self.keep(key);
        self.plan(key);
    }

    /// Puts it into the heap for when it wants to be looked at.
    pub(super) fn plan(&mut self, key: Key) {
        let Some(live) = self.live.get_mut(&key) else { return };
        let wants = live.wants();
        if wants != live.deadline {
            live.deadline = wants;
            if let Some(at) = wants {
                self.deadlines.push(Reverse((at, key)));
            }
        }
    }

    /// The execution has changed: does what it asks for, and keeps it.
    pub(super) fn touch(&mut self, key: Key) {
        loop {
            let Some(live) = self.live.get_mut(&key) else { return };
            if live.stage == Stage::Naming {
                break;
            }
            let Some(effect) = live.execution.poll_effect() else { break };
            self.carry_out(key, effect);
        }
        let now = self.now();
        let Some(live) = self.live.get_mut(&key) else { return };
        live.update(now);
        if live.record.status != ExecutionStatus::Running && live.stage == Stage::Running {
            self.ended(key);
        }
        self.keep(key);
        self.plan(key);
    }

    /// Its name is its own: what it asked for meanwhile is done.
    pub(super) fn begin(&mut self, key: Key) {
        let Some(live) = self.live.get_mut(&key) else { return };
        match live.execution.poll_effect() {
            Some(effect) => self.carry_out(key, effect),
            // Nothing has changed since it was kept.
            None if live.record.status == ExecutionStatus::Running => return self.plan(key),
            None => {}
        }
        self.touch(key);
    }

    fn ended(&mut self, key: Key) {
        let Some(live) = self.live.get_mut(&key) else { return };
        live.stage = Stage::Ended;
        for open in std::mem::take(&mut live.open).into_values() {
            if let Some(request) = open.request {
                request.abort();
            }
            if let Some(token) = open.token {
                self.tokens.close(&token);
            }
        }
        for waiter in std::mem::take(&mut live.waiters) {
            // Whoever waited may be gone.
            drop(waiter.send(live.record.clone()));
        }
    }

    /// This one, and those behind it as long as that takes no time.
    fn commands(&mut self, first: Command, mailbox: &mut mpsc::Receiver<Command>) {
        let mut next = Some(first);
        self.watch.restart();
        while let Some(command) = next {
            self.command(command);
            next = if self.watch.is_over() { None } else { mailbox.try_recv().ok() };
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Start { chosen, name, input, origin, reply } => {
                self.start(chosen, name, input, origin, reply);
            }
            Command::Stop { arn, error, cause, reply } => self.stop(&arn, error, cause, reply),
            Command::Token { token, event, kept, reply } => self.token(&token, event, kept, reply),
            Command::Waits { token, reply } => drop(reply.send(self.tokens.is_open(&token))),
            Command::Look { arn, reply } => {
                let live = self.by_arn.get(&arn).and_then(|key| self.live.get(key));
                drop(reply.send(live.map(|live| (live.record.clone(), live.fresh_events()))));
            }
            Command::Wait { arn, reply } => {
                let live = self.by_arn.get(&arn).and_then(|key| self.live.get_mut(key));
                drop(reply.send(live.map(wait_for)));
            }
            Command::OpenQueue { url, messages } => self.queues.open(url, messages),
            Command::CloseQueue { url } => self.queues.close(&url),
            Command::TakeActivity { arn, worker, reply } => self.take_activity(arn, worker, reply),
            Command::Running { reply } => {
                let runs = |live: &&Live| live.record.status == ExecutionStatus::Running;
                let _ = reply.send(self.live.values().filter(runs).count());
            }
        }
    }

    fn start(
        &mut self,
        chosen: Chosen,
        name: String,
        input: Value,
        origin: Origin,
        reply: oneshot::Sender<Result<Started, StartError>>,
    ) {
        let place = &self.options.place;
        let arn = match chosen.kind {
            MachineType::Standard => place.execution(&chosen.name, &name),
            // Names of Express executions may come again.
            MachineType::Express => {
                let arn =
                    place.execution(&chosen.name, &name).replacen(":execution:", ":express:", 1);
                format!("{arn}:{}", super::tokens::new_name())
            }
        };
        let input = Json::from(input);
        if let Some(live) = self.by_arn.get(&arn).and_then(|key| self.live.get(key)) {
            let same = live.record.status == ExecutionStatus::Running
                && live.record.input.clone() == Text::from(&input);
            let version = live.record.version;
            let started = Started { arn: arn.clone(), at: live.record.started, version };
            let answer = if same { Ok(started) } else { Err(StartError::AlreadyExists(arn)) };
            return drop(reply.send(answer));
        }
        let most = self.options.max_running;
        let refusal = if !fits(std::iter::once(&*input), offhook_asl::limits::PAYLOAD_BYTES) {
            Some(StartError::InvalidInput("the input is longer than 256 KiB".to_owned()))
        } else {
            (self.live.len() >= most).then_some(StartError::LimitExceeded(most))
        };
        if let Some(refusal) = refusal {
            return drop(reply.send(Err(refusal)));
        }
        let now = self.now();
        let started = Started { arn: arn.clone(), at: now, version: chosen.version };
        let text = Text::from(&input);
        let start = Start {
            arn: arn.clone(),
            name: name.clone(),
            role_arn: place.role(),
            machine_arn: place.machine(&chosen.name),
            machine_name: chosen.name.clone(),
            input,
            seed: rand::random(),
            // A worker may come at any time and for any activity.
            missing_activities: Default::default(),
        };
        let (transaction_id, started_by) = match origin {
            Origin::Asked => (None, None),
            Origin::Call(transaction_id) => (Some(transaction_id), None),
            Origin::Request(request) => (None, Some(request)),
        };
        let record = ExecutionRecord {
            arn: arn.clone(),
            machine: chosen.name,
            name,
            version: chosen.version,
            alias: chosen.alias,
            status: ExecutionStatus::Running,
            started: now,
            stopped: None,
            input: text,
            output: None,
            error: None,
            cause: None,
            transaction_id,
            started_by,
        };
        let mut live = Live::new(
            Execution::start_at(chosen.machine, start, now, self.watch.pace()),
            record,
            chosen.kind,
        );
        live.new = true;
        if chosen.kind == MachineType::Express || live.record.transaction_id.is_some() {
            drop(reply.send(Ok(started)));
        } else {
            live.stage = Stage::Naming;
            live.acks.push(Ack::Start(reply, started));
        }
        let key = self.next_key;
        self.next_key += 1;
        self.by_arn.insert(arn, key);
        self.live.insert(key, live);
        self.touch(key);
    }

    fn stop(
        &mut self,
        arn: &str,
        error: Option<String>,
        cause: Option<String>,
        reply: oneshot::Sender<Result<Timestamp, ExecutionError>>,
    ) {
        let now = self.now();
        let found = self.by_arn.get(arn).copied();
        let Some((key, live)) = found.and_then(|key| Some((key, self.live.get_mut(&key)?))) else {
            return drop(reply.send(Err(ExecutionError::DoesNotExist(arn.to_owned()))));
        };
        live.execution.stop(error, cause, now);
        let at = live.record.stopped.unwrap_or(now);
        live.acks.push(Ack::Other(Box::new(move |kept| {
            drop(reply.send(kept.map(|()| at).map_err(ExecutionError::Store)));
        })));
        self.touch(key);
    }

    fn token(
        &mut self,
        token: &str,
        event: TokenEvent,
        kept: bool,
        reply: oneshot::Sender<Result<(), TokenFault>>,
    ) {
        let now = self.now();
        let ends = !matches!(event, TokenEvent::Heartbeat);
        let found = self.tokens.find(token).and_then(|key| {
            let live = self.live.get_mut(&key).ok_or(TokenFault::TaskTimedOut)?;
            // The time may be over, and nobody looked yet.
            if live.execution.next_deadline().is_some_and(|at| at <= now) {
                live.execution.handle_timeout(now);
            }
            Ok(key)
        });
        let key = match found {
            Ok(key) => key,
            Err(fault) => return drop(reply.send(Err(fault))),
        };
        let Some(live) = self.live.get_mut(&key) else { return };
        match live.execution.handle_token(token, event, now) {
            Ok(()) => {
                if ends {
                    live.open.retain(|_, open| open.token.as_deref() != Some(token));
                    self.tokens.close(token);
                }
                if kept && live.kind == MachineType::Standard {
                    live.acks.push(Ack::Other(Box::new(move |kept| {
                        drop(reply.send(kept.map_err(TokenFault::Store)));
                    })));
                } else {
                    drop(reply.send(Ok(())));
                }
            }
            Err(_) => drop(reply.send(Err(TokenFault::TaskTimedOut))),
        }
        self.touch(key);
    }
}

/// Who asks is told of the end, at once when it has come.
fn wait_for(live: &mut Live) -> oneshot::Receiver<super::Ended> {
    let (sender, receiver) = oneshot::channel();
    if live.stage == Stage::Ended {
        drop(sender.send(live.record.clone()));
    } else {
        live.waiters.retain(|waiter| !waiter.is_closed());
        live.waiters.push(sender);
    }
    receiver
}
