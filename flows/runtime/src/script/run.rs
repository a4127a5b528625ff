//! Runs one machine on its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use offhook_asl::Machine;
use offhook_asl::history::Event;
use offhook_asl::machine::Problem;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::names::Place;
use crate::runtime::{ExecutionError, Options, Runtime, StartError};
use crate::schedule::{Fired, Keeper, Missed, OutboundCall, Schedules, StartExecution, Targets};
use crate::services::{Answer, Request, ServiceError, Services, Upstream};
use crate::store::{ExecutionStatus, FlowStore, StoreError};

/// Longer than an execution may take.
const FOR_EVER: Duration = Duration::from_secs(400 * 86_400);

/// How often schedules come in one run: the clock leaps, and one of every minute would come half a
/// million times until what nobody answers is given up.
const MOST_FIRINGS: u64 = 1000;
/// Lines about schedules in a report.
const MOST_NOTES: usize = 100;

/// What is run.
pub struct RunRequest {
    /// Its name, for ARNs.
    pub name: String,
    /// The definition.
    pub definition: String,
    /// Input.
    pub input: Value,
    /// Where a virtual clock stands at the beginning; none: the machine's clock, in real time.
    pub now: Option<Timestamp>,
    /// For ARNs.
    pub place: Place,
    /// Where executions and what services keep are kept.
    pub store: Arc<dyn FlowStore>,
    /// Whom Task states may ask.
    pub services: Services,
    /// The schedules of `services`, and what is notified when one may come earlier than was thought;
    /// none: no schedule comes.
    pub schedules: Option<(Schedules, Arc<Notify>)>,
}

/// What came of it, in the manner of `DescribeExecution` with the history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunReport {
    /// `SUCCEEDED`, `FAILED`, `TIMED_OUT`; `RUNNING`: it waits for something that cannot come.
    pub status: ExecutionStatus,
    /// Output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// Error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What schedules did not do, a line each: [`Missed`], and that they came too often.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<String>,
    /// All events.
    pub history: Vec<Event>,
}

/// Why nothing was run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The definition cannot run.
    #[error("{}", problems(.0))]
    Definition(Vec<Problem>),
    /// The execution was refused.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It could not be looked at.
    #[error(transparent)]
    Execution(#[from] ExecutionError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no runtime.
    #[error("no runtime: {0}")]
    Runtime(std::io::Error),
}

fn problems(all: &[Problem]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Runs a machine to its end, in a runtime of its own. Blocks: not to be called inside a tokio
/// runtime.
///
/// # Errors
/// See [`RunError`]. That the execution fails is none: it is in the report.
pub fn run_blocking(request: RunRequest) -> Result<RunReport, RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(request.now.is_some())
        .build()
        .map_err(RunError::Runtime)?;
    runtime.block_on(run(request))
}

/// The same inside a tokio runtime, whose clock must stand still when `now` is given.
///
/// # Errors
/// As [`run_blocking`].
pub async fn run(request: RunRequest) -> Result<RunReport, RunError> {
    let machine = Machine::load(&request.definition).map_err(RunError::Definition)?;
    let mut options = Options::new(request.store, request.services);
    options.place = request.place;
    // Nothing of it is kept: whoever runs it has its input, and wants the history that AWS gives.
    options.masks = false;
    if let Some(now) = request.now {
        options.clock = Clock::beginning_at(now);
        let upstream = options.services.upstream().clone();
        options.services = options.services.with_upstream(Arc::new(HoldsClock(upstream)));
    }
    let (services, clock) = (options.services.clone(), options.clock);
    let runtime = Runtime::start(options).await?;
    let mut beside = JoinSet::new();
    let notes = Arc::new(Notes::default());
    if let Some((schedules, wake)) = request.schedules {
        let targets = Arc::new(Alone(runtime.clone()));
        let tell = {
            let notes = Arc::clone(&notes);
            Box::new(move |missed: Missed| notes.missed(&missed))
        };
        let keeper = Keeper { schedules, clock, wake, targets, services, tell };
        let notes = Arc::clone(&notes);
        beside.spawn(async move {
            keeper.run_at_most(MOST_FIRINGS).await;
            notes.ended();
        });
    }
    let machine = Arc::new(machine);
    let started = runtime.start_definition(machine, &request.name, request.input).await?;
    let end = runtime.wait_for_end(&started.arn);
    let record = match request.now {
        None => end.await?,
        // When nothing else is left that the clock could leap to, this is.
        Some(_) => match tokio::time::timeout(FOR_EVER, end).await {
            Ok(record) => record?,
            Err(_) => runtime.describe_execution(&started.arn).await?,
        },
    };
    let output = record.output.as_deref().and_then(|text| serde_json::from_str(text).ok());
    Ok(RunReport {
        status: record.status,
        output,
        error: record.error,
        cause: record.cause,
        schedules: notes.all(),
        history: runtime.execution_history(&started.arn).await?,
    })
}

/// What is told of schedules.
#[derive(Default)]
struct Notes {
    /// The lines, and how many there were that are not among them.
    lines: Mutex<(Vec<String>, u64)>,
    /// No more schedules come.
    ended: AtomicBool,
}

impl Notes {
    fn missed(&self, missed: &Missed) {
        let Missed { schedule, first, times, reason } = missed;
        let times = if *times == 1 { "once".to_owned() } else { format!("{times} times") };
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.0.len() < MOST_NOTES {
            lines.0.push(format!("{schedule} did nothing {times} from {first} on: {reason}"));
        } else {
            lines.1 += 1;
        }
    }

    fn ended(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    fn all(&self) -> Vec<String> {
        let (mut all, more) = self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.extend((more > 0).then(|| format!("and {more} more of these")));
        if self.ended.load(Ordering::Relaxed) {
            all.push(format!(
                "schedules came {MOST_FIRINGS} times; no more of them come in this run"
            ));
        }
        all
    }
}

/// What schedules call where there is no telephone.
struct Alone(Runtime);

impl Targets for Alone {
    fn call_out(&self, call: OutboundCall) -> Fired {
        let words = format!("{} is not called: there is no telephone here", call.to);
        let error = ServiceError::new("ChimeSDKVoice.ServiceUnavailableException", words);
        Box::pin(async { Err(error) })
    }

    fn start_execution(&self, start: StartExecution) -> Fired {
        let runtime = self.0.clone();
        Box::pin(async move { runtime.start_scheduled(start).await })
    }
}

/// An upstream whose answers a virtual clock waits for: it leaps only while nothing is under way
/// on other threads, and the network would count as nothing.
struct HoldsClock(Arc<dyn Upstream>);

impl Upstream for HoldsClock {
    fn call(&self, request: Request) -> Answer {
        let answer = self.0.call(request);
        Box::pin(async move {
            let (done, wait) = std::sync::mpsc::channel::<()>();
            // Ends when `done` is dropped.
            let held = tokio::task::spawn_blocking(move || wait.recv().is_ok());
            let answer = answer.await;
            drop(done);
            drop(held);
            answer
        })
    }
}
