//! One call of `flow:take-back`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use offhook_chime::take_back::{self, Phase, Rules, State, Turn};
use offhook_dnis::DnisPool;
use offhook_pbx::app::{AppError, Application, GivenUp, Voicemail};
use offhook_pbx::failure;
use offhook_pbx::metrics::Metrics;
use offhook_sma::{EventType, InvocationEvent, Reply};
use tokio::runtime::Handle;

use super::pairs::FLOW;

/// What counting the free pairs may take.
const LOOK: Duration = Duration::from_secs(5);

/// What runs the calls, with its pool.
pub struct Running {
    application: take_back::Application<Arc<dyn DnisPool>>,
    pool: Arc<dyn DnisPool>,
    /// How many [`Call`]s may have a lease, by owner. There are two of one owner while a call is
    /// put through to the flow that it came from.
    leases: Mutex<HashMap<String, usize>>,
    metrics: Arc<Metrics>,
    /// The last caller who wanted a pair found none, and none has been free since.
    exhausted: AtomicBool,
}

impl Running {
    /// Nobody has a lease yet.
    #[must_use]
    pub fn new(rules: Rules, pool: Arc<dyn DnisPool>, metrics: Arc<Metrics>) -> Self {
        let application = take_back::Application::new(rules, Arc::clone(&pool));
        let exhausted = AtomicBool::new(false);
        Self { application, pool, leases: Mutex::default(), metrics, exhausted }
    }

    /// The pairs.
    pub fn pool(&self) -> &Arc<dyn DnisPool> {
        &self.pool
    }

    /// A caller found no pair.
    fn are_exhausted(&self) {
        if !self.exhausted.swap(true, Ordering::Relaxed) {
            self.metrics.dnis_is_exhausted.set(1);
            tracing::error!(
                "no pair of numbers of [dnis] is free or can be asked for: callers wait, and go to \
                 `otherwise`"
            );
        }
    }

    /// There are pairs.
    fn are_free(&self) {
        if self.exhausted.swap(false, Ordering::Relaxed) {
            self.metrics.dnis_is_exhausted.set(0);
            tracing::info!("pairs of numbers of [dnis] are free again");
        }
    }

    /// Looks whether there are pairs again, where it was told that there are none: the next caller
    /// who needs one may be long in coming.
    pub async fn look_again(&self) {
        if !self.exhausted.load(Ordering::Relaxed) {
            return;
        }
        let count = tokio::time::timeout(LOOK, self.pool.count()).await;
        if count.is_ok_and(|count| count.is_ok_and(|count| count.free > 0)) {
            self.are_free();
        }
    }

    fn leases(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a call may have a lease.
    #[cfg(test)]
    pub fn has_leases(&self) -> bool {
        !self.leases().is_empty()
    }

    fn begins(&self, owner: &str) {
        *self.leases().entry(owner.to_owned()).or_default() += 1;
    }

    /// Whether it was the last one of this owner.
    fn ends(&self, owner: &str) -> bool {
        let mut leases = self.leases();
        match leases.get_mut(owner) {
            Some(count) if *count > 1 => {
                *count -= 1;
                false
            }
            _ => leases.remove(owner).is_some(),
        }
    }
}

/// One call. When it goes without having been told of its end (it was put through to another
/// application, or broken off), its pair is given back all the same.
pub struct Call {
    running: Arc<Running>,
    notes: Vec<String>,
    /// Whose lease it may have.
    owner: Option<String>,
    /// It was told that this caller found no pair, and he has not got one since.
    alarmed: bool,
    given_up: Option<GivenUp>,
    mailbox: Option<Voicemail>,
    in_mailbox: bool,
    runtime: Option<Handle>,
}

impl Call {
    /// Keeps nothing but what is remarkable and whose it is: the call's attributes have the rest.
    /// `mailbox`: takes a message of a caller for whom nobody is found.
    pub fn new(running: Arc<Running>, mailbox: Option<Voicemail>) -> Self {
        let runtime = Handle::try_current().ok();
        let (notes, owner, given_up) = (Vec::new(), None, None);
        let (alarmed, in_mailbox) = (false, false);
        Self { running, notes, owner, alarmed, given_up, mailbox, in_mailbox, runtime }
    }

    fn may_have_a_lease(&mut self, owner: &str) {
        if self.owner.as_deref() != Some(owner) {
            self.has_none();
            self.running.begins(owner);
            self.owner = Some(owner.to_owned());
        }
    }

    /// Tells of callers for whom there is no pair: once of each, and of when it begins and ends.
    fn tell_of_pairs(&mut self, owner: &str, turn: &Turn) {
        let state = State::read(turn.reply.transaction_attributes.as_ref());
        if !turn.without_pair {
            if state.leased && state.phase == Phase::Connecting {
                self.alarmed = false;
                self.running.are_free();
            } else if turn.release
                && let Some(runtime) = &self.runtime
            {
                let running = Arc::clone(&self.running);
                runtime.spawn(async move { running.look_again().await });
            }
            return;
        }
        if !std::mem::replace(&mut self.alarmed, true) {
            self.running.metrics.dnis_exhausted.inc();
            tracing::warn!(call = owner, "a caller finds no free pair of numbers ([dnis])");
        }
        self.running.are_exhausted();
        if state.phase == Phase::Ending && self.mailbox.is_none() {
            let why = turn.note.clone().unwrap_or_default();
            self.given_up = Some(GivenUp { failure: failure::NO_PAIR, why });
        }
    }

    fn has_none(&mut self) {
        if let Some(owner) = self.owner.take() {
            self.running.ends(&owner);
        }
    }
}

impl Application for Call {
    fn name(&self) -> &'static str {
        if self.in_mailbox { "voicemail" } else { FLOW }
    }

    fn handle(&mut self, event: InvocationEvent) -> BoxFuture<'_, Result<Reply, AppError>> {
        Box::pin(async move {
            if let (true, Some(mailbox)) = (self.in_mailbox, &mut self.mailbox) {
                return mailbox.handle(event).await;
            }
            let owner = event.call_details.transaction_id.clone();
            let had = self.owner.is_some();
            // Before it is asked: whoever waits for the answer may stop waiting.
            self.may_have_a_lease(&owner);
            let turn = self.running.application.handle(&event).await;
            if turn.release || !(had || may_lease(&turn)) {
                self.has_none();
            }
            self.tell_of_pairs(&owner, &turn);
            self.notes.extend(turn.note);
            match &mut self.mailbox {
                Some(mailbox) if turn.apologizes => {
                    self.in_mailbox = true;
                    // It has the caller as if he had just come.
                    let kind = EventType::NewInboundCall;
                    let come =
                        InvocationEvent { invocation_event_type: kind, action_data: None, ..event };
                    mailbox.handle(come).await
                }
                _ => Ok(turn.reply),
            }
        })
    }

    fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    fn take_failure(&mut self) -> Option<GivenUp> {
        self.given_up.take()
    }
}

/// Whether the call may have a lease after this. A claim without an answer may have been done.
fn may_lease(turn: &Turn) -> bool {
    turn.without_pair || State::read(turn.reply.transaction_attributes.as_ref()).leased
}

impl Drop for Call {
    fn drop(&mut self) {
        let Some(owner) = self.owner.take() else { return };
        if !self.running.ends(&owner) {
            return;
        }
        let Some(runtime) = &self.runtime else { return };
        let running = Arc::clone(&self.running);
        runtime.spawn(async move {
            match running.pool.release(&owner, None).await {
                Ok(_) => running.look_again().await,
                Err(error) => tracing::warn!(
                    call = owner,
                    %error,
                    "a pair of numbers is free when its lease ends"
                ),
            }
        });
    }
}
