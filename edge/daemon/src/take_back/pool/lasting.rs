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
    pair: Option<Pair>,
    stop: watch::Sender<bool>,
    /// Whether it was given back.
    task: JoinHandle<bool>,
}

impl Release {
    /// Nothing of it is under way afterwards. Whether it was given back.
    async fn end(&mut self) -> bool {
        self.stop.send_replace(true);
        (&mut self.task).await.unwrap_or(false)
    }
}

/// A release that was ended for a claim. It goes on unless the claim was answered with a pair: one
/// that failed, or that nobody waits for any more, leaves what the owner had before.
struct Ended<'a> {
    pool: &'a Lasting,
    owner: String,
    pair: Option<Pair>,
    /// Until nothing of it is under way.
    release: Option<Release>,
    goes_on: bool,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        // Without a runtime there is nobody to repeat it.
        if self.goes_on && tokio::runtime::Handle::try_current().is_ok() {
            let (owner, pair) = (std::mem::take(&mut self.owner), self.pair.take());
            drop(self.pool.spawn_release(owner, pair, self.release.take()));
        }
    }
}

impl Lasting {
    /// `longest`: no lease lasts longer, so nothing has to be given back after it.
    pub fn new(pool: Arc<dyn DnisPool>, longest: Duration, sleep: Sleep) -> Self {
        Self { pool, longest, sleep, releases: Arc::default() }
    }

    /// Gives back in a task of its own, which the next claim of this owner ends.
    async fn begin_release(&self, owner: String, pair: Option<Pair>) -> Result<usize, DnisError> {
        // Nothing is waited for before it is under way: whoever asks may go at any time.
        let answered = self.spawn_release(owner, pair, None);
        let answer = tokio::time::timeout(MOMENT, answered).await;
        let words = "the keeper is slow: it is given back later".to_owned();
        let answer = answer.map_err(|_| DnisError::Unavailable(words))?;
        answer.unwrap_or_else(|_| Err(broken_off()))
    }

    fn spawn_release(
        &self,
        owner: String,
        pair: Option<Pair>,
        ended: Option<Release>,
    ) -> oneshot::Receiver<Result<usize, DnisError>> {
        let (stop, stopped) = watch::channel(false);
        let (answer, answered) = oneshot::channel();
        let mut releases = lock(&self.releases);
        let before = releases.by_owner.remove(&owner);
        // What the one before would have given back is given back, too.
        let same = before.as_ref().is_none_or(|before| before.pair == pair);
        let pair = pair.filter(|_| same);
        let own_pair = pair.clone();
        let pool = Arc::clone(&self.pool);
        let asked = owner.clone();
        let ask = move || -> Answer<'static, usize> {
            let (pool, owner, pair) = (Arc::clone(&pool), asked.clone(), pair.clone());
            Box::pin(async move { pool.release(&owner, pair.as_ref()).await })
        };
        let longest = match releases.by_owner.len() {
            MOST.. => Duration::ZERO,
            _ => self.longest,
        };
        releases.last += 1;
        let number = releases.last;
        let (all, sleep, own) =
            (Arc::clone(&self.releases), Arc::clone(&self.sleep), owner.clone());
        let task = tokio::spawn(async move {
            for mut release in before.into_iter().chain(ended) {
                release.end().await;
            }
            let done = repeat(&sleep, longest, stopped, ask).await;
            let mut all = lock(&all);
            if all.by_owner.get(&own).is_some_and(|release| release.number == number) {
                all.by_owner.remove(&own);
            }
            drop(all);
            let given = done.is_ok();
            // Who asked may be gone.
            let _ = answer.send(done);
            given
        });
        releases.by_owner.insert(owner, Release { number, pair: own_pair, stop, task });
        answered
    }

    /// Ends the giving back of an owner's pairs: nothing of it is under way afterwards.
    async fn end_release(&self, owner: &str) -> Option<Ended<'_>> {
        let release = lock(&self.releases).by_owner.remove(owner)?;
        let (owner, pair) = (owner.to_owned(), release.pair.clone());
        let mut ended = Ended { pool: self, owner, pair, release: Some(release), goes_on: true };
        if let Some(release) = &mut ended.release {
            ended.goes_on = !release.end().await;
        }
        ended.release = None;
        Some(ended)
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
        if *stopped.borrow() {
            return Err(broken_off());
        }
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
            let mut ended = self.end_release(&claim.owner).await;
            let claimed = self.pool.claim(claim).await;
            if let (Some(ended), Ok(_)) = (&mut ended, &claimed) {
                ended.goes_on = false;
            }
            claimed
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

    fn repeats_releases(&self) -> bool {
        true
    }

    passes_on!(pool);
}
