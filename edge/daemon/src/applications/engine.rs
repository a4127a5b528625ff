//! The thread on which workflows run: an expression that takes its time holds up no call's
//! signalling.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use offhook_config::Config;
use offhook_flows::runtime::{Options, Runtime};
use offhook_flows::schedule::{self, Schedules, Targets};
use offhook_flows::services::dynamodb::DynamoDb;
use offhook_flows::services::events::{Bus, Event, EventBridge};
use offhook_flows::services::s3::{BucketFolder, Folders, S3};
use offhook_flows::services::scheduler::Scheduler;
use offhook_flows::services::sdk::Fault;
use offhook_flows::services::sqs::{CallMessage, CallQueues, LocalQueues, Sqs};
use offhook_flows::services::{Service, Services};
use offhook_flows::store::{Entries, FlowStore};
use offhook_flows::{Clock, Place, Upstream};
use offhook_store::Store;
use tokio::sync::{Notify, oneshot};

use super::Applications;
use super::schedules::Fire;
use super::upstream::Passed;

/// What workflows run in, and what brings schedules.
pub struct Engine {
    /// Executions.
    pub runtime: Runtime,
    /// Whom workflows and schedules ask.
    pub services: Services,
}

/// Starts the thread; ready when the store's executions go on.
///
/// # Errors
/// In words.
pub async fn start(
    config: &Config,
    store: &Store,
    applications: &Arc<Applications>,
) -> Result<Engine, String> {
    let (tell, told) = oneshot::channel();
    let place = place(config);
    let store: Arc<dyn FlowStore> = Arc::new(store.clone());
    let wake = Arc::new(Notify::new());
    let services = services(config, &store, applications, &wake);
    let options = Options { place, ..Options::new(Arc::clone(&store), services.clone()) };
    let fire = Arc::new(Fire::new(Arc::downgrade(applications)));
    let thread = std::thread::Builder::new().name("flows".into());
    let asked = services.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .build()
        .map_err(|error| error.to_string())?;
    let spawned = thread.spawn(move || {
        runtime.block_on(async move {
            let entries: Arc<dyn Entries> = store;
            match Runtime::start(options).await {
                Ok(started) => drop(tell.send(Ok(started))),
                Err(error) => return drop(tell.send(Err(error.to_string()))),
            }
            schedules(Schedules::new(entries), fire, asked, wake).await;
        });
    });
    spawned.map_err(|error| format!("no thread for workflows: {error}"))?;
    let runtime = told.await.map_err(|_| "the thread of workflows broke off".to_owned())??;
    Ok(Engine { runtime, services })
}

/// Where executions are said to be.
pub fn place(config: &Config) -> Place {
    Place { region: config.aws.region.clone(), account: config.aws.account.clone() }
}

/// What this box serves itself, and behind it what is passed on.
pub fn services(
    config: &Config,
    store: &Arc<dyn FlowStore>,
    applications: &Arc<Applications>,
    wake: &Arc<Notify>,
) -> Services {
    let upstream: Arc<dyn Upstream> = Arc::new(Passed::new(Arc::downgrade(applications)));
    let entries = || -> Arc<dyn Entries> { store.clone() };
    let wake = Arc::clone(wake);
    let local: Vec<Arc<dyn Service>> = vec![
        Arc::new(DynamoDb::new(entries(), true)),
        Arc::new(Scheduler::new(entries(), Box::new(move || wake.notify_one()))),
        Arc::new(Sqs::new(entries(), Arc::new(NoCalls), LocalQueues::All, Arc::clone(&upstream))),
        Arc::new(S3::new(Arc::new(Folders), folders(config), Arc::clone(&upstream))),
        Arc::new(EventBridge::new(entries(), Arc::new(Journal))),
    ];
    Services::new(local, upstream)
}

/// Every bucket is a folder; those of `[[bucket]]` where it says.
fn folders(config: &Config) -> Vec<BucketFolder> {
    let folder = |bucket: &str, folder| BucketFolder {
        bucket: bucket.to_owned(),
        prefix: String::new(),
        folder,
    };
    let named = config.buckets.iter().filter_map(|bucket| match &bucket.place {
        offhook_config::BucketPlace::Folder(path) => Some(folder(&bucket.name, path.clone())),
        offhook_config::BucketPlace::S3(_) => None,
    });
    let mut all: Vec<_> = named.collect();
    all.push(folder("*", config.buckets_folder()));
    all
}

/// The queues of calls are the runtime's own; none of them comes here.
struct NoCalls;

impl CallQueues for NoCalls {
    fn is_call(&self, _: &str) -> bool {
        false
    }

    fn deliver(&self, _: CallMessage) -> BoxFuture<'static, Result<(), Fault>> {
        Box::pin(std::future::ready(Err(offhook_flows::services::sqs::no_such_queue())))
    }
}

/// Events that workflows put stand in the journal.
struct Journal;

impl Bus for Journal {
    fn put(&self, event: &Event) {
        let kind = event.event.get("detail-type").and_then(serde_json::Value::as_str);
        tracing::info!(bus = %event.bus, kind, "a workflow put an event");
    }
}

/// Brings what is due, one look after the other, as long as the process lives.
async fn schedules(
    schedules: Schedules,
    targets: Arc<Fire>,
    services: Services,
    wake: Arc<Notify>,
) {
    let clock = Clock::system();
    let targets: Arc<dyn Targets> = targets;
    loop {
        let mut more = false;
        match schedules.due(Timestamp::now()).await {
            Ok(due) => {
                more = due.more;
                for missed in due.missed {
                    let (schedule, times) = (missed.schedule, missed.times);
                    let reason = missed.reason;
                    tracing::warn!(schedule, times, reason, "a schedule was missed");
                }
                for invocation in due.invocations {
                    let (schedules, targets) = (schedules.clone(), Arc::clone(&targets));
                    let services = services.clone();
                    tokio::spawn(async move {
                        let now = Timestamp::now();
                        let outcome = schedule::fire(&invocation, now, &targets, &services).await;
                        let name = invocation.schedule.clone();
                        match &outcome {
                            schedule::Outcome::Done => {
                                tracing::info!(schedule = name, "a schedule came");
                            }
                            schedule::Outcome::Retry(why) => {
                                tracing::warn!(schedule = name, why, "a schedule is tried again");
                            }
                            schedule::Outcome::GiveUp(why) => {
                                tracing::error!(schedule = name, why, "a schedule came to nothing");
                            }
                        }
                        if let Err(error) =
                            schedules.finish(&invocation, outcome, Timestamp::now()).await
                        {
                            tracing::error!(schedule = name, %error, "its outcome is not kept");
                        }
                    });
                }
            }
            Err(error) => tracing::error!(%error, "what is due cannot be read"),
        }
        if more {
            continue;
        }
        let next = schedules.next_deadline().await.ok().flatten();
        tokio::select! {
            () = clock.sleep_towards(next) => {}
            () = wake.notified() => {}
            // A store that failed is asked again.
            () = tokio::time::sleep(std::time::Duration::from_secs(60)) => {}
        }
    }
}
