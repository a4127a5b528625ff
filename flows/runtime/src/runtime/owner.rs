//! The task that owns all executions.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use offhook_asl::execution::TaskId;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::activities::Activities;
use super::dispatch::Answered;
use super::live::{Key, Live, Stage};
use super::queue::Queues;
use super::saving::ToKeep;
use super::tokens::Tokens;
use super::watch::Watch;
use super::{Command, Options, WeakRuntime};
use crate::store::{ExecutionStatus, Saved, StoreError};

/// Executions that are looked at before others have their turn.
const TURN: usize = 64;
/// For so long, or until the next tick of tokio's clock, nothing is written down after a command,
/// unless somebody waits for that. A call's thread may have been woken by what
/// its workflow says: where both have one core, it would wait there until this one sleeps.
const MAKES_WAY: Duration = Duration::from_millis(1);

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
        let mut makes_way: Option<Instant> = None;
        loop {
            let next = self.run_due();
            let overdue = next.is_some_and(|at| at <= self.now());
            if overdue {
                // Requests run on this thread, too; what is ready below would never wait for them.
                tokio::task::yield_now().await;
            }
            let now = Instant::now();
            while self.to_keep.is_due(now) && self.keep_next(now) {}
            self.to_keep.let_pass();
            let clock = self.options.clock;
            let keeps = !self.to_keep.is_empty();
            makes_way = makes_way.filter(|_| keeps && !self.to_keep.is_awaited());
            let wait = async {
                match makes_way {
                    Some(until) if !overdue => tokio::time::sleep_until(until).await,
                    _ if keeps || overdue => tokio::task::yield_now().await,
                    _ => clock.sleep_towards(next).await,
                }
            };
            tokio::select! {
                command = mailbox.recv() => match command {
                    Some(command) => {
                        self.commands(command, &mut mailbox);
                        if clock.is_real() {
                            makes_way.get_or_insert_with(|| Instant::now() + MAKES_WAY);
                        }
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
                    makes_way = None;
                    self.keep_next(Instant::now());
                }
            }
        }
        self.requests.shutdown().await;
        self.children.shutdown().await;
        loop {
            while self.keep_next(Instant::now()) {}
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
}
