//! The clerk of a call: takes in what the workflow sends, hands it out when the call asks, and sees
//! the execution off when the call is over.

use std::collections::VecDeque;

use offhook_asl::execution::TokenEvent;
use tokio::sync::{mpsc, oneshot, watch};

use super::{AFTER_CALL, CALL_ENDED, HANGUP, Wake, execution_name};
use crate::names::Place;
use crate::runtime::{QueueMessage, Runtime};
use crate::store::ExecutionRecord;

/// Messages of a workflow that may wait for its call.
pub(crate) const ROOM: usize = 64;
/// Tokens of a call that are looked after.
const TOKENS: usize = 64;
/// Messages to a call that is over before its execution is stopped.
const REFUSALS: usize = 32;

/// What the call asks.
pub(super) enum Ask {
    /// The next message, when it comes.
    Next(oneshot::Sender<Next>),
    /// The next message, if there is one.
    Waiting(oneshot::Sender<Option<Next>>),
    /// The newest token of those that were handed out.
    Newest(oneshot::Sender<Option<String>>),
    /// The call takes leave: nothing more is fetched.
    Quiet,
    /// The call is over.
    Close,
}

/// What the workflow does next.
#[derive(Debug)]
pub(super) enum Next {
    Message(QueueMessage),
    Ended(Box<ExecutionRecord>),
}

pub(super) struct Clerk {
    pub(super) runtime: Runtime,
    pub(super) transaction_id: String,
    pub(super) arn: String,
    pub(super) messages: mpsc::Receiver<QueueMessage>,
    pub(super) asks: mpsc::Receiver<Ask>,
    /// What came at once, if it was not handed out, and who waits for it.
    pub(super) desk: Desk,
    /// Whether an event is being handled: then what comes is asked for anyway.
    pub(super) busy: watch::Receiver<bool>,
    pub(super) wake: Option<Wake>,
}

/// What came and was not fetched, and what was.
#[derive(Default)]
pub(super) struct Desk {
    waiting: VecDeque<QueueMessage>,
    given: VecDeque<String>,
    ended: Option<Box<ExecutionRecord>>,
    /// The call knows that it has ended.
    told: bool,
    listener: Option<oneshot::Sender<Next>>,
}

impl Desk {
    /// Somebody waits for the first message.
    pub(super) fn of(listener: oneshot::Sender<Next>) -> Self {
        Self { listener: Some(listener), ..Self::default() }
    }

    /// Takes a message in, and hands it out if somebody listens.
    pub(super) fn take_in(&mut self, message: QueueMessage) {
        self.waiting.push_back(message);
        self.hand_out();
    }

    fn take(&mut self) -> Option<Next> {
        if let Some(message) = self.waiting.pop_front() {
            self.given.extend(message.token.clone());
            if self.given.len() > TOKENS {
                self.given.pop_front();
            }
            return Some(Next::Message(message));
        }
        self.told |= self.ended.is_some();
        self.ended.clone().map(Next::Ended)
    }

    /// Hands what there is to whoever listens.
    fn hand_out(&mut self) {
        let Some(listener) = self.listener.take_if(|listener| !listener.is_closed()) else {
            return;
        };
        match self.take() {
            None => self.listener = Some(listener),
            Some(next) => {
                // Closed in this very moment: the message goes back to where it was.
                if let Err(Next::Message(message)) = listener.send(next) {
                    self.waiting.push_front(message);
                }
            }
        }
    }

    /// Whether the call does not know all of it.
    fn has_news(&self) -> bool {
        !self.waiting.is_empty() || (self.ended.is_some() && !self.told)
    }
}

impl Clerk {
    pub(super) async fn run(mut self) {
        let mut desk = std::mem::take(&mut self.desk);
        let mut quiet = false;
        let runtime = self.runtime.clone();
        let arn = self.arn.clone();
        let end = async move { runtime.wait_for_end(&arn).await };
        tokio::pin!(end);
        loop {
            tokio::select! {
                // What was sent before the end comes before the end.
                biased;
                Some(message) = self.messages.recv(), if desk.waiting.len() < ROOM => {
                    desk.take_in(message);
                    self.wake(&desk, quiet);
                }
                ask = self.asks.recv() => match ask {
                    Some(Ask::Next(listener)) => {
                        desk.listener = Some(listener);
                        desk.hand_out();
                    }
                    Some(Ask::Waiting(reply)) => {
                        if let Err(Some(Next::Message(message))) = reply.send(desk.take()) {
                            desk.waiting.push_front(message);
                        }
                    }
                    Some(Ask::Newest(reply)) => drop(reply.send(self.newest(&desk).await)),
                    Some(Ask::Quiet) => quiet = true,
                    Some(Ask::Close) | None => break,
                },
                Ok(()) = self.busy.changed() => self.wake(&desk, quiet),
                ended = &mut end, if desk.ended.is_none() => {
                    if let Ok(record) = ended {
                        desk.ended = Some(Box::new(record));
                        desk.hand_out();
                        self.wake(&desk, quiet);
                    } else {
                        // The runtime has ended, and with it everything.
                        return;
                    }
                }
            }
        }
        self.asks.close();
        for token in desk.given.drain(..).chain(desk.waiting.drain(..).filter_map(|m| m.token)) {
            hang_up(&self.runtime, &token).await;
        }
        let Self { runtime, transaction_id, arn, messages, .. } = self;
        if desk.ended.is_none() {
            see_off_with(&runtime, &arn, messages).await;
        }
        runtime.close_queue(&queue_url(runtime.place(), &transaction_id)).await;
    }

    /// Has the call look, unless it does by itself.
    fn wake(&self, desk: &Desk, quiet: bool) {
        if desk.has_news()
            && !quiet
            && !*self.busy.borrow()
            && let Some(wake) = &self.wake
        {
            wake(&self.transaction_id);
        }
    }

    async fn newest(&self, desk: &Desk) -> Option<String> {
        for token in desk.given.iter().rev() {
            if self.runtime.is_waiting(token).await {
                return Some(token.clone());
            }
        }
        None
    }
}

pub(crate) fn queue_url(place: &Place, transaction_id: &str) -> String {
    place.queue(&execution_name(transaction_id))
}

/// Goes on for an execution whose call did not live through a restart.
pub(crate) async fn see_off(
    runtime: Runtime,
    transaction_id: String,
    arn: String,
    messages: mpsc::Receiver<QueueMessage>,
) {
    see_off_with(&runtime, &arn, messages).await;
    runtime.close_queue(&queue_url(runtime.place(), &transaction_id)).await;
}

/// Tells an execution that its call is over each time it asks something of it, until it ends; one
/// that does not is stopped.
async fn see_off_with(runtime: &Runtime, arn: &str, mut messages: mpsc::Receiver<QueueMessage>) {
    let end = runtime.wait_for_end(arn);
    let over = tokio::time::sleep(AFTER_CALL);
    tokio::pin!(end, over);
    for _ in 0..REFUSALS {
        tokio::select! {
            biased;
            Some(message) = messages.recv() => {
                if let Some(token) = message.token {
                    hang_up(runtime, &token).await;
                }
            }
            _ = &mut end => return,
            () = &mut over => break,
        }
    }
    let cause = "The call ended, and the workflow did not.".to_owned();
    if let Err(error) = runtime.stop_execution(arn, Some(HANGUP.to_owned()), Some(cause)).await {
        tracing::debug!(arn, %error, "an execution ended by itself at last");
    }
}

async fn hang_up(runtime: &Runtime, token: &str) {
    let (error, cause) = (Some(HANGUP.to_owned()), Some(CALL_ENDED.to_owned()));
    // One that does not wait any more needs no telling.
    drop(runtime.send_token(token, TokenEvent::Failure { error, cause }, false).await);
}
