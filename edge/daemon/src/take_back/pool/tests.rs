use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use offhook_chime::take_back::notes::Leased as _;
use offhook_dnis::{Claim, DnisError, DnisPool, Pair};
use tokio::sync::mpsc;

use super::super::tests::pool::Keeper;
use super::*;

/// A clock that stands still: each pause is told, and is over when it is allowed.
fn clock() -> (Sleep, mpsc::UnboundedReceiver<(u64, tokio::sync::oneshot::Sender<()>)>) {
    let (pauses, told) = mpsc::unbounded_channel();
    let sleep: Sleep = Arc::new(move |time: Duration| {
        let (over, is_over) = tokio::sync::oneshot::channel();
        let _ = pauses.send((time.as_secs(), over));
        is_over.map(drop).boxed()
    });
    (sleep, told)
}

fn claim(owner: &str) -> Claim {
    Claim {
        owner: owner.to_owned(),
        holder: "office".to_owned(),
        application: None,
        original_calling_number: "+12065550177".to_owned(),
        lease: Duration::from_secs(120),
    }
}

const LONGEST: Duration = Duration::from_secs(4 * 3_600);

#[tokio::test]
async fn a_release_that_nobody_waits_for_is_repeated_until_it_is_done() {
    let keeper = Arc::new(Keeper::default());
    let (sleep, mut pauses) = clock();
    let pool = Lasting::new(Arc::clone(&keeper) as _, LONGEST, sleep);
    pool.claim(claim("t1")).await.unwrap();
    keeper.break_down(true);
    // Asked once, and left alone.
    assert!(pool.release("t1", None).now_or_never().is_none());
    for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
        let (seconds, over) = pauses.recv().await.unwrap();
        assert_eq!(seconds, expected);
        over.send(()).unwrap();
    }
    let (_, over) = pauses.recv().await.unwrap();
    assert_eq!(keeper.owner().as_deref(), Some("t1"));
    keeper.break_down(false);
    over.send(()).unwrap();
    keeper.released().await;
    assert_eq!(keeper.owner(), None);
}

#[tokio::test]
async fn nothing_is_given_back_when_no_lease_can_last_so_long() {
    let keeper = Arc::new(Keeper::default());
    let slept = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&slept);
    let sleep: Sleep = Arc::new(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        std::future::ready(()).boxed()
    });
    let pool = Lasting::new(Arc::clone(&keeper) as _, Duration::from_secs(7), sleep);
    keeper.break_down(true);
    assert!(matches!(pool.release("t1", None).await, Err(DnisError::Unavailable(_))));
    assert_eq!(slept.load(Ordering::Relaxed), 3);
    let pair = Pair::new("+18005550100", "+12065550100");
    let extended = pool.extend("t1", &pair, Duration::from_secs(3)).await;
    assert!(matches!(extended, Err(DnisError::Unavailable(_))));
    assert_eq!(slept.load(Ordering::Relaxed), 5);
}

#[tokio::test]
async fn an_extension_is_repeated_and_answered() {
    let keeper = Arc::new(Keeper::default());
    let (sleep, mut pauses) = clock();
    let pool = Lasting::new(Arc::clone(&keeper) as _, LONGEST, sleep);
    let pair = pool.claim(claim("t1")).await.unwrap().pair;
    keeper.break_down(true);
    let extending = pool.extend("t1", &pair, LONGEST);
    let mended = async {
        let (_, over) = pauses.recv().await.unwrap();
        keeper.break_down(false);
        over.send(()).unwrap();
    };
    assert_eq!(tokio::join!(extending, mended).0, Ok(true));
}

#[tokio::test]
async fn a_claim_is_not_taken_away_by_the_release_before_it() {
    let keeper = Arc::new(Keeper::default());
    let (sleep, mut pauses) = clock();
    let pool = Lasting::new(Arc::clone(&keeper) as _, LONGEST, sleep);
    pool.claim(claim("t1")).await.unwrap();
    keeper.break_down(true);
    let mut releasing = pool.release("t1", None);
    let over = tokio::select! {
        _ = &mut releasing => panic!("the keeper is away"),
        pause = pauses.recv() => pause.unwrap().1,
    };
    keeper.break_down(false);
    pool.claim(claim("t1")).await.unwrap();
    // Nobody waits for the pause any more.
    assert!(over.send(()).is_err());
    assert!(releasing.await.is_err());
    assert_eq!(keeper.owner().as_deref(), Some("t1"));
}

#[tokio::test]
async fn a_release_goes_on_when_another_one_or_a_claim_that_got_nothing_takes_its_place() {
    let keeper = Arc::new(Keeper::default());
    let (sleep, mut pauses) = clock();
    let pool = Lasting::new(Arc::clone(&keeper) as _, LONGEST, sleep);
    pool.claim(claim("t1")).await.unwrap();
    keeper.break_down(true);
    assert!(pool.repeats_releases());
    assert!(pool.release("t1", None).now_or_never().is_none());
    let first = pauses.recv().await.unwrap();
    // Asked again, and left alone at once.
    assert!(pool.release("t1", None).now_or_never().is_none());
    let second = pauses.recv().await.unwrap();
    assert!(first.1.send(()).is_err(), "one at a time");
    // A claim that is left alone while it waits for the release to end, and one that fails.
    assert!(pool.claim(claim("t1")).now_or_never().is_none());
    let third = pauses.recv().await.unwrap();
    assert!(second.1.send(()).is_err());
    assert!(pool.claim(claim("t1")).await.is_err());
    let fourth = pauses.recv().await.unwrap();
    assert!(third.1.send(()).is_err());
    assert_eq!(keeper.owner().as_deref(), Some("t1"));
    keeper.break_down(false);
    fourth.1.send(()).unwrap();
    keeper.released().await;
    assert_eq!(keeper.owner(), None);
}

#[tokio::test]
async fn a_pool_that_is_not_there_yet_has_no_pair_and_nothing_to_give_back() {
    let coming = Coming::default();
    assert!(matches!(coming.claim(claim("t1")).await, Err(DnisError::Unavailable(_))));
    assert_eq!(coming.release("t1", None).await, Ok(0));
    coming.arrive(Arc::new(Keeper::default()));
    assert!(coming.claim(claim("t1")).await.is_ok());
    assert_eq!(coming.release("t1", None).await, Ok(1));
}

#[tokio::test]
async fn what_this_box_has_leased_is_known_until_it_is_given_back_or_its_time_is_over() {
    let begin = Instant::now();
    let now = Arc::new(std::sync::Mutex::new(begin));
    let clock = Arc::clone(&now);
    let leases = Arc::new(Leases::new(Arc::new(move || *clock.lock().unwrap())));
    let keeper = Arc::new(Keeper::default());
    let pool = Noting::new(Arc::clone(&keeper) as _, Arc::clone(&leases));
    assert!(leases.some().now_or_never().is_none());
    let waiting = leases.some();
    let lease = pool.claim(claim("t1")).await.unwrap();
    assert_eq!(leases.leased(), [(lease.pair.clone(), "t1".to_owned())]);
    leases.some().await;
    waiting.await;
    // Somebody else has nothing to give back.
    pool.release("t2", None).await.unwrap();
    assert_eq!(leases.leased().len(), 1);
    // A keeper that is away changes nothing about who is not to be asked any more.
    keeper.break_down(true);
    assert!(pool.release("t1", Some(&lease.pair)).await.is_err());
    assert_eq!(leases.leased(), []);
    keeper.break_down(false);
    pool.claim(claim("t1")).await.unwrap();
    assert_eq!(pool.extend("t1", &lease.pair, Duration::from_secs(60)).await, Ok(true));
    *now.lock().unwrap() = begin + Duration::from_secs(59);
    assert_eq!(leases.leased().len(), 1);
    *now.lock().unwrap() = begin + Duration::from_secs(60);
    assert_eq!(leases.leased(), []);
    // What is extended all the same is known again, and what is not is not.
    assert_eq!(pool.extend("t1", &lease.pair, Duration::from_secs(60)).await, Ok(true));
    assert_eq!(leases.leased().len(), 1);
    assert_eq!(pool.extend("t2", &lease.pair, Duration::from_secs(60)).await, Ok(false));
    assert_eq!(leases.leased(), [(lease.pair.clone(), "t1".to_owned())]);
}
