//! Calls that Amazon Connect has and the office takes back: by a queue or by the table of pairs, which
//! are looked into, for an office that has no port open. What an update does is the call's application's business.

pub mod call;
pub mod desk;
pub mod pairs;
pub mod pool;

use std::collections::BTreeMap;
use std::sync::Arc;

use offhook_chime::dnis::{DynamoDbConfig, DynamoDbPool};
use offhook_chime::sdk::Sdk;
use offhook_chime::take_back::notes::{Notes, NotesConfig};
use offhook_chime::take_back::queue::{Moves, Queue, QueueConfig, Taken, Told};
use offhook_config::{Config, Keeper};

use self::pool::Leases;
use crate::api::calls::{ApiError, Calls};

/// How long an empty queue is waited on: the longest that SQS does.
const WAIT: std::time::Duration = std::time::Duration::from_secs(20);

/// Looks into what the configuration names: each on a thread of its own until the process ends.
///
/// # Errors
/// There is no thread to be had.
pub fn watch(
    config: &Config,
    sdk: &Sdk,
    calls: &Arc<dyn Calls>,
    leases: Arc<Leases>,
) -> std::io::Result<()> {
    watch_queue(config, sdk.clone(), Arc::clone(calls))?;
    watch_table(config, sdk.clone(), Arc::clone(calls), leases)
}

/// Whether there is anything to look into.
#[must_use]
pub fn is_watched(config: &Config) -> bool {
    config.take_back.queue.is_some() || config.take_back.table
}

/// Looks into the queue on a thread of its own until the process ends: AWS that is slow holds up
/// nobody else.
///
/// # Errors
/// There is no thread to be had.
fn watch_queue(config: &Config, sdk: Sdk, calls: Arc<dyn Calls>) -> std::io::Result<()> {
    let Some(url) = config.take_back.queue.clone() else { return Ok(()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let queue = Queue::new(sdk, QueueConfig { url, wait: WAIT, max_age: config.take_back.max_age });
    // Boxes that lease from the same pairs may look into the same queue.
    let shared = !matches!(config.dnis.keeper, Keeper::Here);
    let calls = ByQueue { calls, shared };
    let run = move || runtime.block_on(queue.run(&calls, |told| tell("queue", told)));
    std::thread::Builder::new().name("take-back".into()).spawn(run).map(drop)
}

/// Looks at the rows of the table that this box has leased, while there are any.
fn watch_table(
    config: &Config,
    sdk: Sdk,
    calls: Arc<dyn Calls>,
    leases: Arc<Leases>,
) -> std::io::Result<()> {
    let (Keeper::DynamoDb(table), true) = (&config.dnis.keeper, config.take_back.table) else {
        return Ok(());
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let pool = DynamoDbPool::new(sdk, DynamoDbConfig::new(table));
    let times = NotesConfig {
        interval: config.take_back.table_interval,
        max_age: config.take_back.max_age,
    };
    let notes = Notes::new(pool, times);
    let calls = ByQueue { calls, shared: true };
    let run = move || runtime.block_on(notes.run(&*leases, &calls, |told| tell("table", told)));
    std::thread::Builder::new().name("take-back-notes".into()).spawn(run).map(drop)
}

/// The calls, as the queue moves them.
struct ByQueue {
    calls: Arc<dyn Calls>,
    /// A call that is not here may be another box's.
    shared: bool,
}

impl Moves for ByQueue {
    fn update(
        &self,
        application: &str,
        transaction: &str,
        arguments: BTreeMap<String, String>,
    ) -> Taken {
        match self.calls.update(application, transaction, arguments) {
            Ok(()) => Taken::Told,
            Err(error) if error.is_passing() => Taken::Later(error.to_string()),
            Err(error) if self.shared && is_not_found(&error) => Taken::Elsewhere,
            Err(error) => Taken::Hopeless(error.to_string()),
        }
    }
}

/// Whether there is no such call, by the error's own name.
fn is_not_found(error: &ApiError) -> bool {
    *error == ApiError::not_found(error.to_string())
}

/// `by`: what was looked into.
fn tell(by: &'static str, told: Told) {
    match told {
        Told::Done { transaction } => {
            tracing::info!(call = transaction, "a call is updated by the {by}");
        }
        Told::Dropped { transaction, why } => {
            tracing::warn!(call = transaction, why, "an update of the {by} is thrown away");
        }
        Told::Unreachable(error) => {
            tracing::error!(
                error,
                "the {by} of [take_back] cannot be asked: no call is taken back"
            );
        }
        Told::Reachable => tracing::info!("the {by} of [take_back] can be asked again"),
    }
}

#[cfg(test)]
mod tests;
