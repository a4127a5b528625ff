//! One call of `flow:take-back`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use offhook_chime::take_back::{self, Phase, Rules, State, Turn};
use offhook_dnis::DnisPool;
use offhook_pbx::app::{AppError, Application};
use offhook_sma::{InvocationEvent, Reply};
use tokio::runtime::Handle;

use super::pairs::FLOW;

/// What runs the calls, with its pool.
pub struct Running {
    application: take_back::Application<Arc<dyn DnisPool>>,
    pool: Arc<dyn DnisPool>,
    /// How many [`Call`]s may have a lease, by owner. There are two of one owner while a call is
    /// put through to the flow that it came from.
    leases: Mutex<HashMap<String, usize>>,
    alarm: Alarm,
}

/// Callers who find no pair: all are in use, or nobody can be asked for one.
#[derive(Default)]
struct Alarm {
    callers: AtomicU64,
    on: AtomicBool,
}

impl Alarm {
    /// A call looked for a pair; `first`: not once more.
    fn in_vain(&self, call: &str, first: bool) {
        if first {
            self.callers.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(call, "a caller finds no free pair of numbers ([dnis])");
        }
        if !self.on.swap(true, Ordering::Relaxed) {
            tracing::error!(
                "no pair of numbers of [dnis] is free or can be asked for: callers wait, and go to \
                 `otherwise`"
            );
        }
    }

    /// A call got one.
    fn found(&self) {
        if self.on.swap(false, Ordering::Relaxed) {
            tracing::info!("pairs of numbers of [dnis] are free again");
        }
    }
}

impl Running {
    /// Nobody has a lease yet.
    #[must_use]
    pub fn new(rules: Rules, pool: Arc<dyn DnisPool>) -> Self {
        let application = take_back::Application::new(rules, Arc::clone(&pool));
        Self { application, pool, leases: Mutex::default(), alarm: Alarm::default() }
    }

    /// The pairs.
    pub fn pool(&self) -> &Arc<dyn DnisPool> {
        &self.pool
    }

    fn leases(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Callers who found no pair when they came.
    #[must_use]
    pub fn callers_without_pair(&self) -> u64 {
        self.alarm.callers.load(Ordering::Relaxed)
    }

    /// Whether the last one who looked for a pair found none.
    #[must_use]
    pub fn is_without_pairs(&self) -> bool {
        self.alarm.on.load(Ordering::Relaxed)
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
    /// It looked for a pair in vain, and has not got one since.
    without_pair: bool,
    /// Why the caller is hung up on.
    failure: Option<String>,
    /// Whose lease it may have.
    owner: Option<String>,
    runtime: Option<Handle>,
}

impl Call {
    /// Keeps nothing but what is remarkable and whose it is: the call's attributes have the rest.
    pub fn new(running: Arc<Running>) -> Self {
        let runtime = Handle::try_current().ok();
        Self {
            running,
            notes: Vec::new(),
            without_pair: false,
            failure: None,
            owner: None,
            runtime,
        }
    }

    fn may_have_a_lease(&mut self, owner: &str) {
        if self.owner.as_deref() != Some(owner) {
            self.has_none();
            self.running.begins(owner);
            self.owner = Some(owner.to_owned());
        }
    }

    fn tell_of_pairs(&mut self, owner: &str, turn: &Turn) {
        let state = State::read(turn.reply.transaction_attributes.as_ref());
        if turn.without_pair {
            self.running.alarm.in_vain(owner, !self.without_pair);
            self.without_pair = true;
            if state.phase == Phase::Ending {
                self.failure = turn.note.clone();
            }
        } else if state.leased && state.phase == Phase::Connecting {
            self.running.alarm.found();
            self.without_pair = false;
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
        FLOW
    }

    fn handle(&mut self, event: InvocationEvent) -> BoxFuture<'_, Result<Reply, AppError>> {
        Box::pin(async move {
            let owner = &event.call_details.transaction_id;
            let had = self.owner.is_some();
            // Before it is asked: whoever waits for the answer may stop waiting.
            self.may_have_a_lease(owner);
            let turn = self.running.application.handle(&event).await;
            if turn.release || !(had || may_lease(&turn)) {
                self.has_none();
            }
            self.tell_of_pairs(owner, &turn);
            self.notes.extend(turn.note);
            Ok(turn.reply)
        })
    }

    fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    fn take_failure(&mut self) -> Option<String> {
        self.failure.take()
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
        let pool = Arc::clone(&self.running.pool);
        runtime.spawn(async move {
            if let Err(error) = pool.release(&owner, None).await {
                tracing::warn!(call = owner, %error, "a pair of numbers is free when its lease ends");
            }
        });
    }
}
