//! Workflows without a telephone: run on their own, or against a caller that is written down.
//!
//! Both can go under a virtual clock, which stands wherever it is told to and leaps over waiting:
//! an hour's Wait state passes at once, and a test of business hours is one at any hour.

mod acts;
mod player;
mod report;
mod run;
mod scenario;
#[cfg(test)]
mod tests;

pub use report::{Line, Report, never_reached};
pub use run::{RunError, RunReport, RunRequest, run, run_blocking};
pub use scenario::{Callee, Caller, Direction, Move, Scenario};

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::names::MachineRef;
use crate::router::Router;
use crate::runtime::{Options, Runtime};
use crate::services::Services;
use crate::store::{FlowStore, MachineType};
use crate::versions::VersionError;

/// Why nothing could be tested.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The definition cannot run.
    #[error(transparent)]
    Definition(#[from] VersionError),
    /// No runtime.
    #[error("the workflow runtime could not be started: {0}")]
    Runtime(String),
    /// The workflow did not begin.
    #[error(transparent)]
    Flow(#[from] crate::router::FlowError),
}

/// Plays a scenario against a workflow, under a virtual clock, in a runtime of its own. Blocks:
/// not to be called inside a tokio runtime. `store` keeps what services keep; it may come from an
/// earlier scenario. `services` are made of it.
///
/// # Errors
/// The definition is none, or there is no runtime. Whatever the workflow does is in the report.
pub fn test_blocking(
    definition: &str,
    scenario: &Scenario,
    store: Arc<dyn FlowStore>,
    services: Services,
) -> Result<Report, ScriptError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|error| ScriptError::Runtime(error.to_string()))?;
    runtime.block_on(test(definition, scenario, store, services))
}

/// The same inside of a tokio runtime whose clock stands still (`start_paused`).
///
/// # Errors
/// As [`test_blocking`].
pub async fn test(
    definition: &str,
    scenario: &Scenario,
    store: Arc<dyn FlowStore>,
    services: Services,
) -> Result<Report, ScriptError> {
    const NAME: &str = "workflow";
    let mut options = Options::new(store, services);
    options.clock = Clock::beginning_at(scenario.now.unwrap_or_else(Timestamp::now));
    let started = Runtime::start(options).await;
    let runtime = started.map_err(|error| ScriptError::Runtime(error.to_string()))?;
    runtime.versions().publish(NAME, definition, MachineType::Standard, "").await?;
    let (woken, wakes) = mpsc::unbounded_channel();
    let wake = Arc::new(move |_: &str| {
        // Nobody listens any more once the call is over.
        let _ = woken.send(());
    });
    let router = Router::new(runtime.clone()).with_wake(wake);
    let flow = router.call(MachineRef::latest(NAME)).with_context(scenario.context.clone());
    player::play(&runtime, flow, scenario, wakes, definition).await
}
