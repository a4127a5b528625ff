//! The outbox of recordings on a clock of its own: what fails is tried again, and later, and what
//! was stored is gone from here.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use offhook_pbx::event::CallEventKind;
use offhook_pbx::keep::{Recording, Recordings};
use offhook_pbx::metrics::Metrics;
use offhook_pbx::outbox::{self, Destination, Parcel, PutError, Putting, RecordingStore};
use offhook_tests::sim::keep::MemoryKeep;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Takes what it is given, unless it is told to fail; notes when it was asked for what.
#[derive(Default)]
struct Store {
    fails: Mutex<bool>,
    asked: Mutex<Vec<(Instant, String)>>,
    under_way: Arc<Mutex<(usize, usize)>>,
}

impl RecordingStore for Store {
    fn put(&self, parcel: Parcel) -> Putting {
        self.asked.lock().unwrap().push((Instant::now(), parcel.key.clone()));
        let fails = *self.fails.lock().unwrap();
        let under_way = Arc::clone(&self.under_way);
        Box::pin(async move {
            {
                let (now, most) = &mut *under_way.lock().unwrap();
                *now += 1;
                *most = (*most).max(*now);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            under_way.lock().unwrap().0 -= 1;
            std::fs::metadata(&parcel.file)?;
            match fails {
                true => Err(PutError::Store("503 SlowDown".into())),
                false => Ok(format!("s3://b/{}", parcel.key)),
            }
        })
    }
}

struct Bench {
    store: Arc<Store>,
    keep: Arc<MemoryKeep>,
    news: Arc<Notify>,
    metrics: Arc<Metrics>,
    folder: tempfile::TempDir,
    destination: watch::Sender<Destination>,
}

impl Bench {
    fn new() -> Self {
        let store = Arc::new(Store::default());
        let first = Destination { store: Arc::clone(&store) as _, copy: None, at_once: 2 };
        let (destination, _) = watch::channel(first);
        Self {
            store,
            keep: Arc::default(),
            news: Arc::default(),
            metrics: Arc::default(),
            folder: tempfile::tempdir().unwrap(),
            destination,
        }
    }

    fn run(&self) -> tokio::task::JoinHandle<()> {
        tokio::spawn(outbox::run(outbox::Parts {
            keep: Arc::clone(&self.keep) as _,
            destination: self.destination.subscribe(),
            news: Arc::clone(&self.news),
            metrics: Arc::clone(&self.metrics),
        }))
    }

    /// A recording that has ended.
    async fn recorded(&self, id: &str) {
        let file = self.folder.path().join(id);
        std::fs::write(&file, "audio").unwrap();
        self.announce(id, &file).await;
    }

    async fn announce(&self, id: &str, file: &Path) {
        let recording = Recording {
            id: id.into(),
            call_id: format!("call-{id}"),
            started: SystemTime::now(),
            duration_ms: 0,
            file: file.into(),
            key: format!("{id}.wav"),
            bucket: None,
            stored: None,
            attempts: 0,
            error: None,
        };
        self.keep.begin_recording(recording).await.unwrap();
        self.keep.finish_recording(id.into(), 1000).await.unwrap();
        self.news.notify_one();
    }

    fn fail(&self, fails: bool) {
        *self.store.fails.lock().unwrap() = fails;
    }

    /// Whole seconds from `start` at which the store was asked for this.
    fn asked(&self, start: Instant, id: &str) -> Vec<u64> {
        let asked = self.store.asked.lock().unwrap();
        // What was asked before does not count, and has no time from here.
        let since = asked.iter().filter(|(at, _)| *at >= start);
        let of = since.filter(|(_, key)| *key == format!("{id}.wav"));
        of.map(|(at, _)| (*at - start).as_secs()).collect()
    }

    async fn waiting(&self) -> usize {
        self.keep.waiting_recordings(false, 100).await.unwrap().len()
    }
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_recorded_is_stored_at_once_and_gone_from_here() {
    let bench = Bench::new();
    bench.run();
    pass(100).await;
    let start = Instant::now();
    bench.recorded("a").await;
    pass(2).await;
    assert_eq!(bench.asked(start, "a"), [0]);
    assert_eq!(bench.waiting().await, 0);
    assert!(!bench.folder.path().join("a").exists());
    let listed = bench.keep.list_recordings(1).await.unwrap();
    assert_eq!(listed[0].stored.as_deref(), Some("s3://b/a.wav"));
    let timeline = bench.keep.timeline("call-a");
    assert!(matches!(timeline[0].kind, CallEventKind::Stored { .. }));
    assert_eq!(bench.metrics.recordings_stored.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_asked_again_later_and_later_until_it_takes_everything() {
    let bench = Bench::new();
    bench.fail(true);
    bench.recorded("a").await;
    let start = Instant::now();
    bench.run();
    pass(60).await;
    assert_eq!(bench.asked(start, "a"), [0, 5, 16, 36]);
    assert_eq!(bench.metrics.recordings_failing.get(), 1);
    let listed = bench.keep.list_recordings(1).await.unwrap();
    assert_eq!(listed[0].error.as_deref(), Some("503 SlowDown"));
    assert!(bench.folder.path().join("a").exists());
    // A new one is offered when it comes, without the others.
    bench.recorded("b").await;
    pass(5).await;
    assert_eq!((bench.asked(start, "a").len(), bench.asked(start, "b")), (4, vec![60]));
    pass(7200).await;
    let last = bench.asked(start, "a");
    assert!(last.windows(2).all(|pair| pair[1] - pair[0] <= 602), "{last:?}");
    bench.fail(false);
    pass(610).await;
    assert_eq!(bench.waiting().await, 0);
    assert_eq!(bench.metrics.recordings_waiting.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_restart_tries_at_once_and_another_destination_too() {
    let bench = Bench::new();
    bench.fail(true);
    bench.recorded("a").await;
    let first = bench.run();
    pass(1000).await;
    first.abort();
    let start = Instant::now();
    bench.run();
    pass(1).await;
    assert_eq!(bench.asked(start, "a"), [0]);
    pass(1000).await;
    bench.fail(false);
    let again = bench.destination.borrow().clone();
    bench.destination.send_replace(again);
    pass(1).await;
    assert_eq!(bench.waiting().await, 0);
}

#[tokio::test(start_paused = true)]
async fn many_are_carried_a_few_at_a_time() {
    let bench = Bench::new();
    for n in 0..150 {
        bench.recorded(&n.to_string()).await;
    }
    bench.run();
    pass(120).await;
    assert_eq!(bench.waiting().await, 0);
    assert_eq!(bench.store.under_way.lock().unwrap().1, 2);
    assert_eq!(bench.metrics.recordings_stored.get(), 150);
}

#[tokio::test(start_paused = true)]
async fn a_recording_that_somebody_removed_is_told_and_holds_nothing_up() {
    let bench = Bench::new();
    bench.announce("gone", Path::new("/nonexistent/gone")).await;
    bench.recorded("a").await;
    bench.run();
    pass(3).await;
    assert_eq!(bench.waiting().await, 0);
    assert_eq!(bench.metrics.recordings_broken.get(), 1);
    assert!(matches!(bench.keep.timeline("call-gone")[0].kind, CallEventKind::Note { .. }));
    assert_eq!(bench.keep.list_recordings(9).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_copy_stays_here_when_it_is_wanted() {
    let bench = Bench::new();
    let copy = Arc::new(Store::default());
    let with_copy =
        Destination { copy: Some(Arc::clone(&copy) as _), ..bench.destination.borrow().clone() };
    bench.destination.send_replace(with_copy);
    bench.recorded("a").await;
    bench.run();
    pass(5).await;
    assert_eq!(copy.asked.lock().unwrap().len(), 1);
    assert_eq!(bench.waiting().await, 0);
}
