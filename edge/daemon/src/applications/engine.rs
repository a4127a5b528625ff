//! The thread on which workflows run: an expression that takes its time holds up no call's
//! signalling.

use std::sync::{Arc, Weak};

use offhook_asl::limits::STACK;
use offhook_config::Config;
use offhook_flows::runtime::{Options, Runtime};
use offhook_flows::schedule::{Keeper, Missed};
use offhook_flows::services::events::{Bus, Event};
use offhook_flows::services::local::{Local, LocalOptions};
use offhook_flows::services::s3::BucketFolder;
use offhook_flows::store::{Entries, FlowStore, PublishedVersion, StoreError};
use offhook_flows::{Clock, Place};
use offhook_store::Store;
use offhook_store::buckets::Buckets;
use tokio::sync::{Notify, oneshot};

use super::schedules::Fire;
use super::upstream::Passed;
use super::{Applications, shipped};
use crate::system::{self, Turn};

/// What workflows run in.
pub(super) struct Engine {
    /// Executions.
    pub runtime: Runtime,
    /// The services of this box.
    pub local: Local,
}

/// Starts the thread; ready when the store's executions go on.
///
/// # Errors
/// In words.
pub(super) async fn start(
    config: &Config,
    store: &Store,
    applications: &Arc<Applications>,
) -> Result<Engine, String> {
    let (tell, told) = oneshot::channel();
    let begin = Begin {
        place: place(config),
        buckets: folders(config),
        objects: applications.buckets.clone(),
        store: Arc::new(store.clone()),
        applications: Arc::downgrade(applications),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .on_thread_start(|| system::go_in_place(Turn::Usual))
        .build()
        .map_err(|error| error.to_string())?;
    let thread = std::thread::Builder::new().name("flows".into()).stack_size(STACK);
    let spawned = thread.spawn(move || {
        system::go_in_place(Turn::Workflows);
        runtime.block_on(async move {
            let wake = Arc::new(Notify::new());
            let fire = Arc::new(Fire::new(begin.applications.clone()));
            let engine = match begin.engine(&wake).await {
                Ok(engine) => engine,
                Err(error) => return drop(tell.send(Err(error))),
            };
            let local = engine.local.clone();
            let _ = tell.send(Ok(engine));
            let keeper = Keeper {
                schedules: local.schedules,
                clock: Clock::system(),
                wake,
                targets: fire,
                services: local.services,
                tell: Box::new(tell_of_missed),
            };
            keeper.run().await;
        });
    });
    spawned.map_err(|error| format!("no thread for workflows: {error}"))?;
    told.await.map_err(|_| "the thread of workflows broke off".to_owned())?
}

/// What an engine is made of.
struct Begin {
    place: Place,
    buckets: Vec<BucketFolder>,
    objects: Buckets,
    store: Arc<dyn FlowStore>,
    applications: Weak<Applications>,
}

impl Begin {
    async fn engine(self, wake: &Arc<Notify>) -> Result<Engine, String> {
        let options = LocalOptions { buckets: self.buckets, ..LocalOptions::default() };
        let entries: Arc<dyn Entries> = self.store.clone();
        let upstream = Arc::new(Passed::new(self.applications));
        let wake = Arc::clone(wake);
        let wake = Box::new(move || wake.notify_one());
        let (blobs, bus) = (Arc::new(self.objects), Arc::new(Journal));
        let local = Local::open(options, entries, blobs, bus, upstream, wake).await;
        let local = local.map_err(|error| error.to_string())?;
        // Executions go on with the start of the runtime, and the first item of a table that is not
        // there yet is to find the keys that it will be read by.
        teach(&local, self.store.list_versions(None).await);
        let services = local.services.clone();
        let options = Options { place: self.place, ..Options::new(self.store, services) };
        let runtime = Runtime::start(options).await.map_err(|error| error.to_string())?;
        if let Err(error) = shipped::publish(runtime.versions()).await {
            tracing::error!(%error, "the workflows that came with Offhook are not published");
        }
        let engine = Engine { runtime, local };
        engine.learn().await;
        Ok(engine)
    }
}

impl Engine {
    /// Looks through published workflows for the keys of the tables that they use.
    pub(super) async fn learn(&self) {
        teach(&self.local, self.runtime.versions().list(None).await);
    }
}

/// Tells of the tables that these definitions use.
fn teach(local: &Local, versions: Result<Vec<PublishedVersion>, StoreError>) {
    match versions {
        Ok(versions) => {
            for version in versions {
                if let Ok(definition) = serde_json::from_str(&version.definition) {
                    local.learn(&definition);
                }
            }
        }
        Err(error) => tracing::error!(%error, "published workflows cannot be read"),
    }
}

/// Where executions are said to be.
pub(super) fn place(config: &Config) -> Place {
    Place { region: config.aws.region.clone(), account: config.aws.account.clone() }
}

/// Every bucket is a folder; those of `[[bucket]]` where it says. That of one in an object store stands
/// for it.
fn folders(config: &Config) -> Vec<BucketFolder> {
    let folder = |bucket: &str, folder| BucketFolder {
        bucket: bucket.to_owned(),
        prefix: String::new(),
        folder,
    };
    let named = config.buckets.iter().map(|b| folder(&b.name, config.bucket_folder(&b.name)));
    let mut all: Vec<_> = named.collect();
    all.push(folder("*", config.buckets_folder()));
    all
}

/// Events that workflows put stand in the journal.
struct Journal;

impl Bus for Journal {
    fn put(&self, event: &Event) {
        let kind = event.event.get("detail-type").and_then(serde_json::Value::as_str);
        tracing::info!(bus = %event.bus, kind, "a workflow put an event");
    }
}

fn tell_of_missed(missed: Missed) {
    let Missed { schedule, times, reason, .. } = missed;
    tracing::warn!(schedule, times, reason, "a schedule was missed");
}
