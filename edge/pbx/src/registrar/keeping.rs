//! Writing registrations down: batch by batch, and again later what the disk did not take.
//!
//! Nothing is confirmed before it is kept, as long as it can be kept at all. A disk that is full
//! or broken is another matter: an office whose phones are told 503 for it can call nobody, no
//! ambulance either, while a lost registration costs a restart and the phone's next refresh. So
//! then the table in memory is good enough, and the operator is told.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt as _;
use offhook_sip::header::HeaderName;
use offhook_sip::message::{Request, Response, StatusCode};
use tokio::time::Instant;

use super::service::{Inner, Pending, Writer};
use crate::keep::{BindingChange, KeepError};

/// Changes handed to the store at once.
pub(super) const MAX_BATCH: usize = 512;
/// When a store that failed is tried again.
const RETRY: Duration = Duration::from_secs(30);
/// Between two lines of the journal about the same misery.
const QUIET: Duration = Duration::from_secs(600);
/// Removals that wait to be kept. Those that find no room are left out: a row that stays expires.
const MAX_REMOVALS: usize = 16_384;

/// What the store failed to keep: the last change of each contact.
#[derive(Debug, Default)]
pub(super) struct Unkept {
    changes: HashMap<(String, String), BindingChange>,
    removals: usize,
    /// Somebody will come back to it.
    retrying: bool,
    told: Option<Instant>,
}

fn key(change: &BindingChange) -> (String, String) {
    match change {
        BindingChange::Put(b) => (b.aor.clone(), b.contact.clone()),
        BindingChange::Remove { aor, contact } => (aor.clone(), contact.clone()),
    }
}

fn is_removal(change: &BindingChange) -> bool {
    matches!(change, BindingChange::Remove { .. })
}

impl Unkept {
    fn add(&mut self, changes: Vec<BindingChange>) {
        for change in changes {
            let key = key(&change);
            self.forget(&key);
            if is_removal(&change) {
                if self.removals >= MAX_REMOVALS {
                    continue;
                }
                self.removals += 1;
            }
            // As many as there are contacts in the table, whose number is limited.
            self.changes.insert(key, change);
        }
    }

    fn forget(&mut self, key: &(String, String)) {
        if self.changes.remove(key).is_some_and(|old| is_removal(&old)) {
            self.removals -= 1;
        }
    }

    /// Takes some to try again.
    fn take(&mut self) -> Vec<BindingChange> {
        let keys: Vec<_> = self.changes.keys().take(MAX_BATCH).cloned().collect();
        let taken: Vec<_> = keys.iter().filter_map(|key| self.changes.remove(key)).collect();
        self.removals -= taken.iter().filter(|change| is_removal(change)).count();
        taken
    }
}

/// Hands all that waits to the store, then answers those who wait for it. Whoever holds `_writer`
/// is the only one.
pub(super) async fn write(inner: Arc<Inner>, _writer: Arc<Writer>) {
    loop {
        let mut batch = inner.gather();
        if batch.is_empty() {
            return;
        }
        let mut changes: Vec<_> =
            batch.iter_mut().flat_map(|p| std::mem::take(&mut p.changes)).collect();
        if changes.is_empty() {
            changes = inner.state().unkept.take();
        }
        if changes.is_empty() {
            continue;
        }
        let kept = keep(&inner, changes.clone()).await;
        let refuse = matches!(kept, Err(KeepError::Overloaded));
        inner.note_kept(&kept, changes);
        for (tx, request, response) in batch.into_iter().filter_map(|p| p.answer) {
            if refuse {
                // Too much for a moment: the phone comes again.
                inner.answer(tx, unavailable(&request));
            } else {
                inner.metrics.registrations.inc();
                inner.answer(tx, response);
            }
        }
    }
}

/// A store that panics has failed like any other: nobody who waits for it is forgotten.
async fn keep(inner: &Inner, changes: Vec<BindingChange>) -> Result<(), KeepError> {
    let kept = AssertUnwindSafe(async { inner.keep.change_bindings(changes).await });
    let panicked = || KeepError::Failed("the store has panicked (a fault of Offhook)".into());
    kept.catch_unwind().await.unwrap_or_else(|_| Err(panicked()))
}

impl Inner {
    /// Remembers what was not kept, and sees to it that it is tried again.
    fn note_kept(self: &Arc<Self>, kept: &Result<(), KeepError>, changes: Vec<BindingChange>) {
        let mut state = self.state();
        let unkept = &mut state.unkept;
        match kept {
            Ok(()) => changes.iter().for_each(|change| unkept.forget(&key(change))),
            Err(_) => unkept.add(changes),
        }
        let left = unkept.changes.len();
        self.metrics.registrations_unkept.set(left as u64);
        match kept {
            Err(error) if unkept.told.is_none_or(|told| told.elapsed() >= QUIET) => {
                unkept.told = Some(Instant::now());
                tracing::error!(%error, left, "registrations are not kept: they hold in memory \
                    only and would be lost by a restart; tried again every half a minute");
            }
            Ok(()) if left == 0 && unkept.told.take().is_some() => {
                tracing::warn!("all registrations are kept again");
            }
            _ => {}
        }
        if left == 0 {
            return;
        }
        if kept.is_ok() {
            // It works again: the rest follows at once.
            state.pending.push_back(Pending::again());
        } else if !unkept.retrying {
            unkept.retrying = true;
            tokio::spawn(later(Arc::downgrade(self)));
        }
    }
}

/// Tries once more, in a while.
async fn later(inner: Weak<Inner>) {
    tokio::time::sleep(RETRY).await;
    let Some(inner) = inner.upgrade() else { return };
    let mut state = inner.state();
    state.unkept.retrying = false;
    inner.enqueue(state, Pending::again());
}

pub(super) fn unavailable(request: &Request) -> Response {
    let mut response = Response::to_request(request, StatusCode::SERVICE_UNAVAILABLE, None);
    response.headers.set(HeaderName::RetryAfter, "5");
    response
}
