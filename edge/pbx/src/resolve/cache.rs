//! Keeps answers for their time to live, failures for a short while, and asks once at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::time::Instant;

use super::{Answer, Question, ResolveError, Resolver};
use crate::metrics::Metrics;

/// Nobody waits longer than this for DNS.
pub const LOOKUP_LIMIT: Duration = Duration::from_secs(5);
/// Questions kept; when full, what has expired goes first, then everything.
const MAX_ENTRIES: usize = 2_048;
/// A time to live of 0 is stretched to this, so that one call asks once.
const SHORTEST: Duration = Duration::from_secs(1);
/// No answer is believed longer.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// How long "no such records" is believed when the answer does not say.
pub const NEGATIVE: Duration = Duration::from_secs(30);
/// How long a failure of the servers is believed.
const FAILED: Duration = Duration::from_secs(3);

type Outcome = Result<Arc<Answer>, ResolveError>;
type InFlight = Shared<BoxFuture<'static, Outcome>>;

enum Entry {
    Asking(InFlight),
    Known { outcome: Outcome, until: Instant },
}

/// A [`Resolver`]'s answers, cached. Cheap to clone.
#[derive(Clone)]
pub struct CachingResolver {
    inner: Arc<dyn Resolver>,
    entries: Arc<Mutex<HashMap<Question, Entry>>>,
    metrics: Arc<Metrics>,
}

impl std::fmt::Debug for CachingResolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CachingResolver").finish_non_exhaustive()
    }
}

impl CachingResolver {
    /// In front of `inner`.
    pub fn new(inner: Arc<dyn Resolver>, metrics: Arc<Metrics>) -> Self {
        Self { inner, entries: Arc::default(), metrics }
    }

    /// The answer, from the cache or from the servers, within [`LOOKUP_LIMIT`].
    ///
    /// # Errors
    /// When the servers fail or are silent. No records is not an error.
    pub async fn lookup(&self, question: Question) -> Outcome {
        let asking = match self.find(&question) {
            Found::Outcome(outcome) => return outcome,
            Found::Asking(asking) => asking,
        };
        asking.await
    }

    fn find(&self, question: &Question) -> Found {
        let now = Instant::now();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        match entries.get(question) {
            Some(Entry::Asking(asking)) => return Found::Asking(asking.clone()),
            Some(Entry::Known { outcome, until }) if *until > now => {
                return Found::Outcome(outcome.clone());
            }
            _ => {}
        }
        if entries.len() >= MAX_ENTRIES {
            entries.retain(|_, e| matches!(e, Entry::Known { until, .. } if *until > now));
            if entries.len() >= MAX_ENTRIES {
                entries.clear();
            }
        }
        let asking = self.clone().ask(question.clone()).boxed().shared();
        entries.insert(question.clone(), Entry::Asking(asking.clone()));
        Found::Asking(asking)
    }

    async fn ask(self, question: Question) -> Outcome {
        self.metrics.dns_lookups.inc();
        let asked = tokio::time::timeout(LOOKUP_LIMIT, self.inner.lookup(question.clone())).await;
        let outcome = match asked {
            Ok(Ok(answer)) => Ok(Arc::new(answer)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(ResolveError::Timeout(question.name.clone())),
        };
        let keep = match &outcome {
            Ok(answer) if answer.records.is_empty() => answer.ttl.clamp(SHORTEST, NEGATIVE),
            Ok(answer) => answer.ttl.clamp(SHORTEST, LONGEST),
            Err(_) => {
                self.metrics.dns_failures.inc();
                FAILED
            }
        };
        let known = Entry::Known { outcome: outcome.clone(), until: Instant::now() + keep };
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.insert(question, known);
        outcome
    }
}

enum Found {
    Outcome(Outcome),
    Asking(InFlight),
}
