//! Keeps answers for their time to live, failures for a short while, and asks once at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::time::Instant;

use super::{Answer, Question, RecordKind, ResolveError, Resolver};
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
/// And when it does, no longer than this (RFC 2308 §5 has hours; a new trunk's name must not wait).
pub const NEGATIVE_LONGEST: Duration = Duration::from_secs(300);
/// How long a failure of the servers is believed.
const FAILED: Duration = Duration::from_secs(3);
/// About services it doubles up to this: there are routers that swallow such questions, and calls
/// must not wait for them again and again.
const FAILED_LONGEST: Duration = Duration::from_secs(60);
/// An answer whose time is over serves so much longer while the servers fail (RFC 8767 §5): a
/// call over an old address beats no call.
const STALE: Duration = Duration::from_secs(3_600);
/// With such an answer at hand nobody waits longer than this (RFC 8767 §5, client response timer).
const STALE_LIMIT: Duration = Duration::from_millis(1_800);

type Outcome = Result<Arc<Answer>, ResolveError>;
type InFlight = Shared<BoxFuture<'static, Outcome>>;

enum Entry {
    Asking(InFlight),
    Known(Known),
}

/// What came of a question.
#[derive(Clone)]
struct Known {
    outcome: Outcome,
    until: Instant,
    /// The last answer that was one, and until when it serves for want of a better.
    good: Option<(Arc<Answer>, Instant)>,
    /// Failures since then.
    failures: u32,
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
        match self.find(question) {
            Found::Outcome(outcome) => outcome,
            Found::Asking(asking) => asking.await,
        }
    }

    /// Asks, for a lookup to come.
    pub(super) fn ask_ahead(&self, question: Question) {
        let _ = self.find(question);
    }

    fn find(&self, question: Question) -> Found {
        let now = Instant::now();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match entries.get(&question) {
            Some(Entry::Asking(asking)) if asking.peek().is_none() => {
                return Found::Asking(asking.clone());
            }
            Some(Entry::Known(known)) if known.until > now => {
                return Found::Outcome(known.outcome.clone());
            }
            Some(Entry::Known(known)) => Some(known.clone()),
            // Its task died.
            Some(Entry::Asking(_)) | None => None,
        };
        if entries.len() >= MAX_ENTRIES {
            entries.retain(|_, e| matches!(e, Entry::Known(known) if known.until > now));
            if entries.len() >= MAX_ENTRIES {
                entries.clear();
            }
        }
        // In a task of its own: whoever asked may be gone before the answer comes, and who asks
        // next must not find a question that nobody went on with.
        let asking = tokio::spawn(self.clone().ask(question.clone(), before));
        let name = question.name.clone();
        let asking = async move { asking.await.unwrap_or(Err(ResolveError::Timeout(name))) };
        let asking = asking.boxed().shared();
        entries.insert(question, Entry::Asking(asking.clone()));
        Found::Asking(asking)
    }

    async fn ask(self, question: Question, before: Option<Known>) -> Outcome {
        self.metrics.dns_lookups.inc();
        let begun = Instant::now();
        let good = before.as_ref().and_then(|known| known.good.clone());
        let good = good.filter(|(_, serves)| *serves > begun);
        let patience = if good.is_some() { STALE_LIMIT } else { LOOKUP_LIMIT };
        let asked = tokio::time::timeout(patience, self.inner.lookup(question.clone())).await;
        let now = Instant::now();
        let known = match asked.unwrap_or(Err(ResolveError::Timeout(question.name.clone()))) {
            Ok(answer) => {
                let answer = Arc::new(answer);
                let longest = if answer.records.is_empty() { NEGATIVE } else { LONGEST };
                let until = now + answer.ttl.clamp(SHORTEST, longest);
                let good = (!answer.records.is_empty()).then(|| (answer.clone(), until + STALE));
                Known { outcome: Ok(answer), until, good, failures: 0 }
            }
            Err(error) => {
                self.metrics.dns_failures.inc();
                let failures = before.map_or(0, |known| known.failures);
                let keep = match question.kind {
                    RecordKind::V4 | RecordKind::V6 => FAILED,
                    RecordKind::Naptr | RecordKind::Srv => {
                        FAILED.saturating_mul(1 << failures.min(8)).min(FAILED_LONGEST)
                    }
                };
                let outcome = good.as_ref().map_or(Err(error), |(answer, _)| Ok(answer.clone()));
                Known { outcome, until: now + keep, good, failures: failures + 1 }
            }
        };
        let outcome = known.outcome.clone();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.insert(question, Entry::Known(known));
        outcome
    }
}

enum Found {
    Outcome(Outcome),
    Asking(InFlight),
}
