//! Does what the owner of all executions is asked.

use jiff::Timestamp;
use offhook_asl::execution::{Execution, Start, TokenEvent};
use offhook_asl::json::{Json, Text, fits};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::error::{ExecutionError, StartError, TokenFault};
use super::live::{Ack, Live, Stage};
use super::owner::Owner;
use super::{Command, Origin, Started};
use crate::store::{ExecutionRecord, ExecutionStatus, MachineType};
use crate::versions::Chosen;

impl Owner {
    /// This one, and those behind it as long as that takes no time.
    pub(super) fn commands(&mut self, first: Command, mailbox: &mut mpsc::Receiver<Command>) {
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

    fn arn_of(&self, chosen: &Chosen, name: &str) -> String {
        let arn = self.options.place.execution(&chosen.name, name);
        match chosen.kind {
            MachineType::Standard => arn,
            // Names of Express executions may come again.
            MachineType::Express => {
                let arn = arn.replacen(":execution:", ":express:", 1);
                format!("{arn}:{}", super::tokens::new_name())
            }
        }
    }

    /// What is answered when nothing is started: it runs already, or may not.
    fn without_start(&self, arn: &str, input: &Json) -> Option<Result<Started, StartError>> {
        if let Some(live) = self.by_arn.get(arn).and_then(|key| self.live.get(key)) {
            let same = live.record.status == ExecutionStatus::Running
                && live.record.input.clone() == Text::from(input);
            let (arn, version) = (arn.to_owned(), live.record.version);
            return Some(if same {
                Ok(Started { arn, at: live.record.started, version })
            } else {
                Err(StartError::AlreadyExists(arn))
            });
        }
        let most = self.options.max_running;
        if !fits(std::iter::once(&**input), offhook_asl::limits::PAYLOAD_BYTES) {
            let words = "the input is longer than 256 KiB".to_owned();
            return Some(Err(StartError::InvalidInput(words)));
        }
        (self.live.len() >= most).then_some(Err(StartError::LimitExceeded(most)))
    }

    fn start(
        &mut self,
        chosen: Chosen,
        name: String,
        input: Value,
        origin: Origin,
        reply: oneshot::Sender<Result<Started, StartError>>,
    ) {
        let arn = self.arn_of(&chosen, &name);
        let input = Json::from(input);
        if let Some(answer) = self.without_start(&arn, &input) {
            return drop(reply.send(answer));
        }
        let place = &self.options.place;
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
