//! What a pool of pairs must do, whatever keeps it. Each backend's tests run all of it.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use offhook_dnis::{Claim, Clock, Count, DnisError, DnisPool, Lease, Lookup, Pair};
use tokio::sync::{Notify, Semaphore};

/// A clock that stands until a test moves it.
#[derive(Clone)]
pub struct Hands(Arc<AtomicI64>);

impl Hands {
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_780_000_000)))
    }

    pub fn clock(&self) -> Clock {
        let seconds = Arc::clone(&self.0);
        Arc::new(move || Timestamp::from_second(seconds.load(Ordering::SeqCst)).unwrap())
    }

    pub fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

/// A backend that can make empty pools.
pub trait Bench {
    type Pool: DnisPool + 'static;
    /// An empty pool of its own, under this clock.
    fn pool(&self, name: &str, clock: Clock) -> impl Future<Output = Arc<Self::Pool>>;
    /// How many contend.
    const CONTENDERS: usize = 1_000;
    /// How many of them may claim in the same moment.
    const AT_ONCE: usize = 1_000;
    /// How many pairs they fight for.
    const PAIRS: usize = 100;
}

pub const HOLD: Duration = Duration::from_secs(100);

pub fn claim_of(owner: &str) -> Claim {
    Claim {
        owner: owner.to_owned(),
        holder: "office".to_owned(),
        application: Some("sma-1".to_owned()),
        original_calling_number: "+12065550142".to_owned(),
        lease: HOLD,
    }
}

pub fn pairs(count: usize) -> Vec<Pair> {
    (0..count).map(|n| Pair::new(format!("+1800555{n:04}"), "+12065550100")).collect()
}

fn at(pair: &Pair) -> Lookup {
    Lookup { pair: pair.clone(), contact: None, owner: None }
}

/// Runs all of it.
pub async fn run(bench: &impl Bench) {
    a_claim_has_an_owner_and_an_end(bench).await;
    a_repeated_claim_gives_the_same_pair(bench).await;
    exhaustion_is_told_clearly(bench).await;
    only_the_owner_gives_back(bench).await;
    a_lease_that_ended_is_nobodys(bench).await;
    an_extended_lease_lasts_longer(bench).await;
    a_late_lookup_never_hears_of_the_next_call(bench).await;
    sweeping_gives_back_what_nobody_ended(bench).await;
    a_holder_that_starts_anew_gives_back_its_own(bench).await;
    pairs_come_and_go_without_touching_leases(bench).await;
    a_crowd_claims_each_pair_once(bench).await;
}

async fn a_claim_has_an_owner_and_an_end<B: Bench>(bench: &B) {
    let hands = Hands::new();
    let pool = bench.pool("claim", hands.clock()).await;
    pool.add(pairs(3)).await.unwrap();
    let now = hands.clock()();
    let lease = pool.claim(claim_of("t1")).await.unwrap();
    assert!(pairs(3).contains(&lease.pair));
    let wanted = Lease {
        pair: lease.pair.clone(),
        owner: "t1".to_owned(),
        original_calling_number: "+12065550142".to_owned(),
        application: Some("sma-1".to_owned()),
        contact: None,
        since: now,
        expires: now + SignedDuration::from_secs(100),
    };
    assert_eq!(lease, wanted);
    assert_eq!(pool.lookup(at(&lease.pair)).await.unwrap(), Some(wanted));
    assert_eq!(pool.count().await.unwrap(), Count { free: 2, leased: 1 });
    let nowhere = Pair::new("+18005559999", "+12065559999");
    assert_eq!(pool.lookup(at(&nowhere)).await.unwrap(), None);
    // An application that nobody named stays unnamed.
    let plain = Claim { application: None, ..claim_of("t2") };
    let lease = pool.claim(plain).await.unwrap();
    assert_eq!(pool.lookup(at(&lease.pair)).await.unwrap().unwrap().application, None);
}

async fn a_repeated_claim_gives_the_same_pair<B: Bench>(bench: &B) {
    let hands = Hands::new();
    let pool = bench.pool("repeat", hands.clock()).await;
    pool.add(pairs(5)).await.unwrap();
    let first = pool.claim(claim_of("t1")).await.unwrap();
    hands.forward(5);
    let again = pool.claim(claim_of("t1")).await.unwrap();
    assert_eq!(again.pair, first.pair);
    assert_eq!(again.expires, first.expires + SignedDuration::from_secs(5));
    // Two invocations at the same time end at one pair, too.
    let (one, two) = tokio::join!(pool.claim(claim_of("t2")), pool.claim(claim_of("t2")));
    assert_eq!(one.unwrap().pair, two.unwrap().pair);
    assert_eq!(pool.count().await.unwrap(), Count { free: 3, leased: 2 });
    // What has ended and was not taken by another is claimed anew.
    hands.forward(101);
    pool.claim(claim_of("t1")).await.unwrap();
    assert_eq!(pool.count().await.unwrap(), Count { free: 4, leased: 1 });
    assert_eq!(pool.release("t1", None).await.unwrap(), 1);
}

async fn exhaustion_is_told_clearly<B: Bench>(bench: &B) {
    let hands = Hands::new();
    let pool = bench.pool("exhausted", hands.clock()).await;
    let none = pool.claim(claim_of("t0")).await;
    assert_eq!(none, Err(DnisError::Exhausted { pairs: 0 }));
    pool.add(pairs(2)).await.unwrap();
    let mut seen = BTreeSet::new();
    for owner in ["t1", "t2"] {
        assert!(seen.insert(pool.claim(claim_of(owner)).await.unwrap().pair));
    }
    let error = pool.claim(claim_of("t3")).await.unwrap_err();
    assert_eq!(error, DnisError::Exhausted { pairs: 2 });
    assert_eq!(error.to_string(), "all 2 pairs of numbers are in use");
    pool.release("t1", None).await.unwrap();
    pool.claim(claim_of("t3")).await.unwrap();
}

async fn only_the_owner_gives_back<B: Bench>(bench: &B) {
    let hands = Hands::new();
    let pool = bench.pool("release", hands.clock()).await;
    pool.add(pairs(1)).await.unwrap();
    let first = pool.claim(claim_of("t1")).await.unwrap();
    assert_eq!(pool.release("t2", Some(&first.pair)).await.unwrap(), 0);
    assert_eq!(pool.release("t2", None).await.unwrap(), 0);
    assert_eq!(pool.release("t1", Some(&first.pair)).await.unwrap(), 1);
    assert_eq!(pool.lookup(at(&first.pair)).await.unwrap(), None);
    // The pair is the next call's: what comes late from the first one does nothing.
    pool.claim(claim_of("t2")).await.unwrap();
    assert_eq!(pool.release("t1", Some(&first.pair)).await.unwrap(), 0);
    assert_eq!(pool.release("t1", None).await.unwrap(), 0);
    assert!(!pool.extend("t1", &first.pair, HOLD).await.unwrap());
    assert_eq!(pool.lookup(at(&first.pair)).await.unwrap().unwrap().owner, "t2");
}

async fn a_lease_that_ended_is_nobodys<B: Bench>(bench: &B) {
    let hands = Hands::new();
    let pool = bench.pool("expiry", hands.clock()).await;
    pool.add(pairs(1)).await.unwrap();
    let first = pool.claim(claim_of("t1")).await.unwrap();
    hands.forward(99);
    assert!(pool.lookup(at(&first.pair)).await.unwrap().is_some());
    hands.forward(1);
    assert_eq!(pool.lookup(at(&first.pair)).await.unwrap(), None);
    assert!(!pool.extend("t1", &first.pair, HOLD).await.unwrap());
    assert_eq!(pool.count().await.unwrap(), Count { free: 1, leased: 0 });
    let second = pool.claim(claim_of("t2")).await.unwrap();
    assert_eq!((second.pair, second.owner.as_str()), (first.pair.clone(), "t2"));
    assert_eq!(pool.release("t1", Some(&first.pair)).await.unwrap(), 0);
    assert_eq!(pool.count().await.unwrap(), Count { free: 0, leased: 1 });
}

async fn an_extended_lease_lasts_longer<B: Bench>(bench: &B) {
    let hands = Hands::new();
    let pool = bench.pool("extend", hands.clock()).await;
    pool.add(pairs(1)).await.unwrap();
    let lease = pool.claim(claim_of("t1")).await.unwrap();
    hands.forward(50);
    assert!(pool.extend("t1", &lease.pair, Duration::from_secs(3_600)).await.unwrap());
    assert!(!pool.extend("t2", &lease.pair, Duration::from_secs(9_000)).await.unwrap());
    hands.forward(3_599);
    assert!(pool.lookup(at(&lease.pair)).await.unwrap().is_some());
    hands.forward(1);
    assert!(pool.lookup(at(&lease.pair)).await.unwrap().is_none());
}

async fn a_late_lookup_never_hears_of_the_next_call<B: Bench>(bench: &B) {
    let hands = Hands::new();
    let pool = bench.pool("late", hands.clock()).await;
    pool.add(pairs(1)).await.unwrap();
    let pair = pool.claim(claim_of("t1")).await.unwrap().pair;
    let asks = |contact: &str, owner: Option<&str>| Lookup {
        pair: pair.clone(),
        contact: Some(contact.to_owned()),
        owner: owner.map(str::to_owned),
    };
    let found = pool.lookup(asks("c1", None)).await.unwrap().unwrap();
    assert_eq!((found.owner.as_str(), found.contact.as_deref()), ("t1", Some("c1")));
    assert!(pool.lookup(asks("c1", Some("t1"))).await.unwrap().is_some());
    assert_eq!(pool.lookup(asks("c2", None)).await.unwrap(), None, "it is another contact's");
    pool.release("t1", None).await.unwrap();
    assert_eq!(pool.lookup(asks("c1", Some("t1"))).await.unwrap(), None);

    // The next call. Its own contact has asked: the first one's is told nothing.
    pool.claim(claim_of("t2")).await.unwrap();
    assert_eq!(pool.lookup(asks("c1", Some("t1"))).await.unwrap(), None, "it remembers its call");
    assert_eq!(pool.lookup(asks("c2", None)).await.unwrap().unwrap().owner, "t2");
    assert_eq!(pool.lookup(asks("c1", None)).await.unwrap(), None);
    // Whoever owned it before left no contact behind.
    pool.release("t2", None).await.unwrap();
    assert_eq!(pool.claim(claim_of("t3")).await.unwrap().contact, None);
}

async fn sweeping_gives_back_what_nobody_ended<B: Bench>(bench: &B) {
    let hands = Hands::new();
    let pool = bench.pool("sweep", hands.clock()).await;
    pool.add(pairs(3)).await.unwrap();
    pool.claim(claim_of("t1")).await.unwrap();
    hands.forward(60);
    pool.claim(claim_of("t2")).await.unwrap();
    assert_eq!(pool.sweep().await.unwrap(), []);
    hands.forward(60);
    let swept = pool.sweep().await.unwrap();
    assert_eq!(swept.iter().map(|lease| lease.owner.as_str()).collect::<Vec<_>>(), ["t1"]);
    assert_eq!(pool.sweep().await.unwrap(), []);
    assert_eq!(pool.count().await.unwrap(), Count { free: 2, leased: 1 });
}

async fn a_holder_that_starts_anew_gives_back_its_own<B: Bench>(bench: &B) {
    let hands = Hands::new();
    let pool = bench.pool("holder", hands.clock()).await;
    pool.add(pairs(3)).await.unwrap();
    pool.claim(claim_of("t1")).await.unwrap();
    pool.claim(claim_of("t2")).await.unwrap();
    let other = Claim { holder: "another".to_owned(), ..claim_of("t3") };
    let theirs = pool.claim(other).await.unwrap();
    assert_eq!(pool.release_holder("office").await.unwrap(), 2);
    assert_eq!(pool.release_holder("office").await.unwrap(), 0);
    assert_eq!(pool.count().await.unwrap(), Count { free: 2, leased: 1 });
    assert!(pool.lookup(at(&theirs.pair)).await.unwrap().is_some());
}

async fn pairs_come_and_go_without_touching_leases<B: Bench>(bench: &B) {
    let hands = Hands::new();
    let pool = bench.pool("pairs", hands.clock()).await;
    pool.add(pairs(2)).await.unwrap();
    let lease = pool.claim(claim_of("t1")).await.unwrap();
    pool.add(pairs(40)).await.unwrap();
    assert_eq!(pool.count().await.unwrap(), Count { free: 39, leased: 1 });
    assert_eq!(pool.remove(pairs(40)).await.unwrap(), std::slice::from_ref(&lease.pair));
    assert_eq!(pool.count().await.unwrap(), Count { free: 0, leased: 1 });
    pool.release("t1", None).await.unwrap();
    assert_eq!(pool.remove(vec![lease.pair]).await.unwrap(), []);
    assert_eq!(pool.count().await.unwrap(), Count::default());
}

/// Everybody at once; whoever finds none free waits until one is given back.
async fn a_crowd_claims_each_pair_once<B: Bench>(bench: &B) {
    let pool = bench.pool("crowd", Hands::new().clock()).await;
    pool.add(pairs(B::PAIRS)).await.unwrap();
    let taken: Arc<HashMap<Pair, AtomicBool>> =
        Arc::new(pairs(B::PAIRS).into_iter().map(|pair| (pair, AtomicBool::new(false))).collect());
    let given_back = Arc::new(Notify::new());
    let door = Arc::new(Semaphore::new(B::AT_ONCE));
    let crowd: Vec<_> = (0..B::CONTENDERS)
        .map(|n| {
            let (pool, taken) = (Arc::clone(&pool), Arc::clone(&taken));
            let (given_back, door) = (Arc::clone(&given_back), Arc::clone(&door));
            tokio::spawn(async move {
                let owner = format!("transaction-{n}");
                let lease = loop {
                    let waiting = given_back.notified();
                    tokio::pin!(waiting);
                    waiting.as_mut().enable();
                    let inside = door.acquire().await.unwrap();
                    let claimed = pool.claim(claim_of(&owner)).await;
                    drop(inside);
                    match claimed {
                        Ok(lease) => break lease,
                        Err(DnisError::Exhausted { .. }) => waiting.await,
                        Err(error) => panic!("{error}"),
                    }
                };
                let was = taken[&lease.pair].swap(true, Ordering::SeqCst);
                assert!(!was, "{} was claimed twice", lease.pair);
                tokio::task::yield_now().await;
                taken[&lease.pair].store(false, Ordering::SeqCst);
                let released = pool.release(&owner, Some(&lease.pair)).await.unwrap();
                assert_eq!(released, 1, "a release failed");
                given_back.notify_one();
            })
        })
        .collect();
    for contender in crowd {
        contender.await.unwrap();
    }
    assert_eq!(pool.count().await.unwrap(), Count { free: B::PAIRS, leased: 0 });
}
