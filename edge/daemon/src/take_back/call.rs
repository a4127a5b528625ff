//! One call of `flow:take-back`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use offhook_chime::take_back::{self, Rules, State, Turn};
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
}

impl Running {
    /// Nobody has a lease yet.
    #[must_use]
    pub fn new(rules: Rules, pool: Arc<dyn DnisPool>) -> Self {
        let application = take_back::Application::new(rules, Arc::clone(&pool));
        Self { application, pool, leases: Mutex::default() }
    }

    /// The pairs.
    pub fn pool(&self) -> &Arc<dyn DnisPool> {
        &self.pool
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
    runtime: Option<Handle>,
}

impl Call {
    /// Keeps nothing but what is remarkable and whose it is: the call's attributes have the rest.
    pub fn new(running: Arc<Running>) -> Self {
        Self { running, notes: Vec::new(), owner: None, runtime: Handle::try_current().ok() }
    }

    fn may_have_a_lease(&mut self, owner: &str) {
        if self.owner.as_deref() != Some(owner) {
            self.has_none();
            self.running.begins(owner);
            self.owner = Some(owner.to_owned());
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
            if turn.without_pair {
                tracing::warn!(call = owner, "a caller finds no free pair of numbers ([dnis])");
            }
            self.notes.extend(turn.note);
            Ok(turn.reply)
        })
    }

    fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
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
