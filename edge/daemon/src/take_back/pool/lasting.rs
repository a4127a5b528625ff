//! What is given back is given back, though the keeper of the pairs is away for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use offhook_dnis::{Answer, Claim, Count, DnisError, DnisPool, Lease, Lookup, Pair};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// Waits.
pub type Sleep = Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>;

/// By the clock of the runtime.
pub fn system_sleep() -> Sleep {
    Arc::new(|time| Box::pin(tokio::time::sleep(time)))
}

/// What one attempt may take: a keeper that never answers is asked again.
const PATIENCE: Duration = Duration::from_secs(5);
/// Whoever gives back waits so long for the answer: somebody's leg is hung up after it.
const MOMENT: Duration = Duration::from_millis(250);
/// Between the first two attempts; doubled each time, up to the latter.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Owners whose pairs are being given back again and again. One more is tried once: its lease ends
/// by itself.
const MOST: usize = 1024;

/// A pool whose `release` and `extend` are repeated until they are answered, or `longest` is over.
/// Whoever waits for the answer may go: only the waiting ends.
///
/// > A claim ends the giving back of what its owner had before: it would take the new lease away.
pub struct Lasting {
    pool: Arc<dyn DnisPool>,
    longest: Duration,
    sleep: Sleep,
    releases: Arc<Mutex<Releases>>,
}

/// By owner; the number tells a release from the one that took its place.
#[derive(Default)]
struct Releases {
    last: u64,
    by_owner: HashMap<String, Release>,
}

struct Release {
    number: u64,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Lasting {
    /// `longest`: no lease lasts longer, so nothing has to be given back after it.
    pub fn new(pool: Arc<dyn DnisPool>, longest: Duration, sleep: Sleep) -> Self {
        Self { pool, longest, sleep, releases: Arc::default() }
    }

    /// Gives back in a task of its own, which the next claim of this owner ends.
    async fn begin_release(&self, owner: String, pair: Option<Pair>) -> Result<usize, DnisError> {
        self.end_release(&owner).await;
        let answered = self.spawn_release(owner, pair);
        let answer = tokio::time::timeout(MOMENT, answered).await;
        let words = "the keeper is slow: it is given back later".to_owned();
        let answer = answer.map_err(|_| DnisError::Unavailable(words))?;
        answer.unwrap_or_else(|_| Err(broken_off()))
    }

    fn spawn_release(
        &self,
        owner: String,
        pair: Option<Pair>,
    ) -> oneshot::Receiver<Result<usize, DnisError>> {
        let (stop, stopped) = watch::channel(false);
        let (answer, answered) = oneshot::channel();
        let pool = Arc::clone(&self.pool);
        let asked = owner.clone();
        let ask = move || -> Answer<'static, usize> {
            let (pool, owner, pair) = (Arc::clone(&pool), asked.clone(), pair.clone());
            Box::pin(async move { pool.release(&owner, pair.as_ref()).await })
        };
        let mut releases = lock(&self.releases);
        let longest = match releases.by_owner.len() {
            MOST.. => Duration::ZERO,
            _ => self.longest,
        };
        releases.last += 1;
        let number = releases.last;
        let (all, sleep, own) =
            (Arc::clone(&self.releases), Arc::clone(&self.sleep), owner.clone());
        let task = tokio::spawn(async move {
            let done = repeat(&sleep, longest, stopped, ask).await;
            let mut all = lock(&all);
            if all.by_owner.get(&own).is_some_and(|release| release.number == number) {
                all.by_owner.remove(&own);
            }
            drop(all);
            // Who asked may be gone.
            let _ = answer.send(done);
        });
        releases.by_owner.insert(owner, Release { number, stop, task });
        answered
    }

    /// Ends the giving back of an owner's pairs: nothing of it is under way afterwards.
    async fn end_release(&self, owner: &str) {
        let Some(release) = lock(&self.releases).by_owner.remove(owner) else { return };
        release.stop.send_replace(true);
        let _ = release.task.await;
    }
}

fn lock(releases: &Mutex<Releases>) -> MutexGuard<'_, Releases> {
    releases.lock().unwrap_or_else(PoisonError::into_inner)
}

fn broken_off() -> DnisError {
    DnisError::Unavailable("the asking was broken off".to_owned())
}

/// Asks until there is an answer, it is stopped, or the pauses have taken so long.
async fn repeat<T>(
    sleep: &Sleep,
    longest: Duration,
    mut stopped: watch::Receiver<bool>,
    ask: impl Fn() -> Answer<'static, T>,
) -> Result<T, DnisError> {
    let (mut pause, mut waited) = (PAUSE, Duration::ZERO);
    loop {
        let late = |_| Err(DnisError::Unavailable("no answer".to_owned()));
        let asked = tokio::time::timeout(PATIENCE, ask()).await;
        let error = match asked.unwrap_or_else(late) {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if waited + pause > longest {
            return Err(error);
        }
        tokio::select! {
            // Its sender is kept as long as it may go on.
            _ = stopped.wait_for(|stopped| *stopped) => return Err(error),
            () = sleep(pause) => {}
        }
        waited += pause;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

impl DnisPool for Lasting {
    fn claim(&self, claim: Claim) -> Answer<'_, Lease> {
        Box::pin(async move {
            self.end_release(&claim.owner).await;
            self.pool.claim(claim).await
        })
    }

    fn extend(&self, owner: &str, pair: &Pair, lease: Duration) -> Answer<'_, bool> {
        let (pool, owner, pair) = (Arc::clone(&self.pool), owner.to_owned(), pair.clone());
        let ask = move || -> Answer<'static, bool> {
            let (pool, owner, pair) = (Arc::clone(&pool), owner.clone(), pair.clone());
            Box::pin(async move { pool.extend(&owner, &pair, lease).await })
        };
        let (sleep, longest) = (Arc::clone(&self.sleep), self.longest.min(lease));
        Box::pin(async move {
            let asking = tokio::spawn(async move {
                // A lease that has ended or was given back answers `false`: that ends it.
                let (_stop, stopped) = watch::channel(false);
                repeat(&sleep, longest, stopped, ask).await
            });
            asking.await.unwrap_or_else(|_| Err(broken_off()))
        })
    }

    fn release(&self, owner: &str, pair: Option<&Pair>) -> Answer<'_, usize> {
        let (owner, pair) = (owner.to_owned(), pair.cloned());
        Box::pin(self.begin_release(owner, pair))
    }

    fn lookup(&self, lookup: Lookup) -> Answer<'_, Option<Lease>> {
        self.pool.lookup(lookup)
    }

    fn sweep(&self) -> Answer<'_, Vec<Lease>> {
        self.pool.sweep()
    }

    fn release_holder(&self, holder: &str) -> Answer<'_, usize> {
        self.pool.release_holder(holder)
    }

    fn add(&self, pairs: Vec<Pair>) -> Answer<'_, ()> {
        self.pool.add(pairs)
    }

    fn remove(&self, pairs: Vec<Pair>) -> Answer<'_, Vec<Pair>> {
        self.pool.remove(pairs)
    }

    fn count(&self) -> Answer<'_, Count> {
        self.pool.count()
    }
}
