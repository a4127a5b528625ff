//! What workflows cost that wait: memory, the start with many of them, a step that is kept, and
//! schedules that come all at once. Each part is a process of its own, so that memory is its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use offhook_asl::machine::Pattern;
use offhook_flows::runtime::{Options, StartExecution};
use offhook_flows::schedule::{Fired, Keeper, OutboundCall, StartExecution as Scheduled, Targets};
use offhook_flows::services::events::{Bus, Event};
use offhook_flows::services::local::{Local, LocalOptions};
use offhook_flows::services::s3::Folders;
use offhook_flows::services::{ExecutionInfo, Integration, NoUpstream, Request, ServiceError};
use offhook_flows::store::{Entries, MachineType};
use offhook_flows::{Clock, MachineRef, Runtime};
use offhook_store::Store;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::Outcome;
use super::figures::Figure;
use super::process::{cpu_seconds, pss_kb};

const ACTIVITY: &str = "arn:aws:states:us-east-1:000000000000:activity:work";
/// Executions that step together, and how often.
const TOGETHER: usize = 1_000;
const ROUNDS: usize = 20;
/// Steps one after the other.
const ALONE: usize = 40;
/// Requests that are made at a time.
const CHUNK: usize = 500;
/// Seconds that schedules are made before their time.
const AHEAD: i64 = 30;
/// Kilobytes for an execution that waits.
const MEMORY: f64 = 50.0;

/// All parts, in an order in which each finds what it needs.
pub(crate) fn figures(folder: &Path, count: usize) -> Outcome<Vec<Figure>> {
    let run = |at: &str, part: &str| ask(&folder.join(at), part, count);
    let mut figures = Vec::new();
    let mut add = |name: String, value: f64, unit, goal| {
        figures.push(Figure::plain(format!("flows: {name}"), value, unit, goal));
    };
    for (part, for_what) in [("time", "time"), ("tokens", "a token")] {
        let told = run(part, part)?;
        let name = format!("memory per execution, {count} waiting for {for_what}");
        add(name, told["kb"], "kB", Some(MEMORY));
        add(format!("executions started a second, {part}"), told["rate"], "1/s", None);
    }
    let told = run("tokens", "again")?;
    add(format!("start with {count} waiting executions"), told["ms"], "ms", None);
    add(format!("memory per execution, {count} after a restart"), told["kb"], "kB", Some(MEMORY));
    let told = run("steps", "steps")?;
    add(format!("kept steps a second, {TOGETHER} executions"), told["rate"], "1/s", None);
    add("CPU per kept step".to_owned(), told["us"], "us", None);
    add("one kept step until it is acknowledged, p50".to_owned(), told["ms"], "ms", None);
    let told = run("schedules", "make")?;
    add("schedules made a second".to_owned(), told["rate"], "1/s", None);
    let told = run("schedules", "fire")?;
    add(format!("{count} schedules at once: all loaded after"), told["loaded_ms"], "ms", None);
    add(format!("{count} schedules at once: the last is fired after"), told["ms"], "ms", None);
    let wrong = "schedules lost or fired twice";
    add(format!("{count} schedules at once: {wrong}"), told["wrong"], "", Some(0.0));
    add(format!("{count} schedules at once: CPU per schedule"), told["us"], "us", None);
    std::fs::remove_dir_all(folder)?;
    Ok(figures)
}

/// Runs one part in a process of its own.
fn ask(folder: &Path, part: &str, count: usize) -> Outcome<BTreeMap<String, f64>> {
    std::fs::create_dir_all(folder)?;
    let output = Command::new(std::env::current_exe()?)
        .arg("--waiting")
        .arg(folder)
        .args(["--part", part, "--count", &count.to_string()])
        .stderr(std::process::Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("the part {part} failed").into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// What such a process does: prints its figures as a JSON object.
pub(crate) fn part(folder: &Path, part: &str, count: usize) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let told = runtime.block_on(async {
        match part {
            "time" => waiting(folder, count, &for_time()).await,
            "tokens" => waiting(folder, count, &for_token("Done")).await,
            "again" => again(folder, count).await,
            "steps" => steps(folder).await,
            "make" => make(folder, count).await,
            _ => fire(folder, count).await,
        }
    })?;
    super::say(&told.to_string());
    Ok(())
}

fn memory() -> f64 {
    pss_kb(std::process::id())
}

fn cpu() -> f64 {
    cpu_seconds(std::process::id())
}

/// As the appliance has it: the store, the services of this machine, the runtime.
struct Machine {
    runtime: Runtime,
    local: Local,
    wake: Arc<Notify>,
}

impl Machine {
    async fn open(folder: &Path) -> Outcome<Self> {
        let store = Arc::new(Store::open(folder.join("flows.db"), &Default::default())?);
        let wake = Arc::new(Notify::new());
        let waker = Arc::clone(&wake);
        let entries: Arc<dyn Entries> = store.clone();
        let local = Local::open(
            LocalOptions::default(),
            entries,
            Arc::new(Folders),
            Arc::new(Nobody),
            Arc::new(NoUpstream),
            Box::new(move || waker.notify_one()),
        )
        .await?;
        let runtime = Runtime::start(Options::new(store, local.services.clone())).await?;
        Ok(Self { runtime, local, wake })
    }

    async fn publish(&self, definition: &Value) -> Outcome<()> {
        let text = definition.to_string();
        self.runtime.versions().publish("m", &text, MachineType::Standard, "").await?;
        Ok(())
    }

    async fn start(&self, from: usize, to: usize) -> Outcome<()> {
        for chunk in (from..to).collect::<Vec<_>>().chunks(CHUNK) {
            let mut under_way = JoinSet::new();
            for n in chunk {
                let (runtime, n) = (self.runtime.clone(), *n);
                under_way.spawn(async move { runtime.start_execution(one(n)).await.map(drop) });
            }
            all(under_way).await?;
        }
        Ok(())
    }
}

struct Nobody;

impl Bus for Nobody {
    fn put(&self, _: &Event) {}
}

async fn all<E: std::error::Error + 'static>(mut tasks: JoinSet<Result<(), E>>) -> Outcome<()> {
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

fn one(n: usize) -> StartExecution {
    StartExecution {
        machine: MachineRef::latest("m"),
        name: Some(format!("e{n}")),
        input: call(n),
        transaction_id: None,
    }
}

/// An input as a call gives it.
fn call(n: usize) -> Value {
    let participant = json!({"CallId": format!("{n:036}"), "ParticipantTag": "LEG-A",
        "From": "+15557654321", "To": "+15550100100", "Direction": "Inbound",
        "StartTimeInMilliseconds": "1764410400000", "Status": "Connected"});
    json!({"QueueUrl": format!("https://sqs.us-east-1.amazonaws.com/000000000000/call_flow_{n}"),
        "Event": {"SchemaVersion": "1.0", "Sequence": 1, "InvocationEventType": "NEW_INBOUND_CALL",
            "CallDetails": {"TransactionId": format!("{n:036}"), "AwsAccountId": "000000000000",
                "AwsRegion": "us-east-1", "SipRuleId": "trunk:connect",
                "SipMediaApplicationId": "flow:business-number", "Participants": [participant],
                "SipHeaders": {"From": "\"Ann\" <sip:+15557654321@192.0.2.1>;tag=a",
                    "To": "<sip:+15550100100@192.0.2.2>", "User-Agent": "Desk phone 7.1"}}},
        "Office": {"Business": {"Name": "Flowers", "Number": "+15550100100", "Owner": "101"},
            "Open": true, "TimeZone": "America/New_York", "UtcOffset": "-0500",
            "UtcOffsets": [{"From": 0, "Offset": "-0500"}, {"From": 1772953200000_u64, "Offset": "-0400"}],
            "LocalTime": "2026-11-29T08:00:00", "Weekday": "Sunday"}})
}

/// A workflow that keeps some of its input in a variable and waits for a day.
fn for_time() -> Value {
    json!({"QueryLanguage": "JSONata", "StartAt": "Begin", "States": {
        "Begin": {"Type": "Pass", "Next": "Wait", "Assign": {
            "Call": "{% $states.input.Event.CallDetails.Participants[0] %}"}},
        "Wait": {"Type": "Wait", "Seconds": 86_400, "Next": "Done"},
        "Done": {"Type": "Succeed"}}})
}

/// The same that waits for somebody with a token.
fn for_token(next: &str) -> Value {
    json!({"QueryLanguage": "JSONata", "StartAt": "Begin", "States": {
        "Begin": {"Type": "Pass", "Next": "Wait", "Assign": {
            "Call": "{% $states.input.Event.CallDetails.Participants[0] %}"}},
        "Wait": {"Type": "Task", "Resource": ACTIVITY, "TimeoutSeconds": 86_400, "Next": next,
            "Arguments": {"CallId": "{% $Call.CallId %}"},
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Done"}]},
        "Done": {"Type": "Succeed"}}})
}

async fn waiting(folder: &Path, count: usize, definition: &Value) -> Outcome<Value> {
    let machine = Machine::open(folder).await?;
    machine.publish(definition).await?;
    // What is made once is made.
    machine.start(0, CHUNK.min(count)).await?;
    let (before, begin) = (memory(), Instant::now());
    machine.start(CHUNK.min(count), CHUNK.min(count) + count).await?;
    let seconds = begin.elapsed().as_secs_f64();
    let running = machine.runtime.running().await;
    if running != CHUNK.min(count) + count {
        return Err(format!("{running} executions wait").into());
    }
    let kb = (memory() - before) / count as f64;
    Ok(json!({"kb": kb, "rate": count as f64 / seconds}))
}

async fn again(folder: &Path, count: usize) -> Outcome<Value> {
    let (before, begin) = (memory(), Instant::now());
    let machine = Machine::open(folder).await?;
    let running = machine.runtime.running().await;
    let ms = begin.elapsed().as_secs_f64() * 1e3;
    if running < count {
        return Err(format!("only {running} executions go on").into());
    }
    Ok(json!({"ms": ms, "kb": (memory() - before) / running as f64}))
}

async fn steps(folder: &Path) -> Outcome<Value> {
    let machine = Machine::open(folder).await?;
    machine.publish(&for_token("Wait")).await?;
    machine.start(0, TOGETHER).await?;
    let (begin, cpu_before) = (Instant::now(), cpu());
    for _ in 0..ROUNDS {
        let mut under_way = JoinSet::new();
        for _ in 0..TOGETHER {
            let runtime = machine.runtime.clone();
            let task = runtime.take_activity_task(ACTIVITY, None).await.ok_or("no task")?;
            under_way
                .spawn(async move { runtime.send_task_success(&task.token, "{\"a\":1}").await });
        }
        all(under_way).await?;
    }
    let (seconds, cpu) = (begin.elapsed().as_secs_f64(), cpu() - cpu_before);
    let mut alone = Vec::new();
    for _ in 0..ALONE {
        let task = machine.runtime.take_activity_task(ACTIVITY, None).await.ok_or("no task")?;
        let begin = Instant::now();
        machine.runtime.send_task_success(&task.token, "{\"a\":1}").await?;
        alone.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    alone.sort_by(f64::total_cmp);
    let steps = (ROUNDS * TOGETHER) as f64;
    Ok(json!({"rate": steps / seconds, "us": cpu * 1e6 / steps, "ms": alone[ALONE / 2]}))
}

/// Makes schedules that come all at one time.
async fn make(folder: &Path, count: usize) -> Outcome<Value> {
    let machine = Machine::open(folder).await?;
    machine.publish(&json!({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}})).await?;
    let at = Timestamp::now() + SignedDuration::from_secs(AHEAD);
    std::fs::write(folder.join("at"), at.to_string())?;
    let expression = format!("at({})", at.strftime("%Y-%m-%dT%H:%M:%S"));
    let begin = Instant::now();
    for chunk in (0..count).collect::<Vec<_>>().chunks(CHUNK) {
        let mut under_way = JoinSet::new();
        for n in chunk {
            let asked = schedule(*n, &expression, machine.runtime.place().machine("m"));
            let services = machine.local.services.clone();
            under_way.spawn(async move { services.call(asked).await.map(drop) });
        }
        all(under_way).await?;
    }
    Ok(json!({"rate": count as f64 / begin.elapsed().as_secs_f64()}))
}

fn schedule(n: usize, expression: &str, machine: String) -> Request {
    Request {
        integration: Integration::Sdk,
        service: "scheduler".to_owned(),
        action: "createSchedule".to_owned(),
        pattern: Pattern::RequestResponse,
        arguments: json!({"Name": format!("s{n}"), "ScheduleExpression": expression,
            "FlexibleTimeWindow": {"Mode": "OFF"}, "ActionAfterCompletion": "DELETE",
            "Target": {"Arn": machine, "RoleArn": "arn:aws:iam::000000000000:role/r",
                "Input": call(n).to_string()}}),
        execution: ExecutionInfo {
            arn: String::new(),
            name: String::new(),
            state_machine: String::new(),
            state: String::new(),
            transaction_id: None,
        },
        idempotency: format!("bench/{n}"),
        now: Timestamp::now(),
        region: "us-east-1".to_owned(),
        account: "000000000000".to_owned(),
    }
}

/// Starts executions, and counts how often each was asked for.
struct Counted {
    runtime: Runtime,
    fired: Mutex<BTreeMap<String, usize>>,
}

impl Targets for Counted {
    fn call_out(&self, _: OutboundCall) -> Fired {
        Box::pin(std::future::ready(Err(ServiceError::new("None", "no call is meant here"))))
    }

    fn start_execution(&self, start: Scheduled) -> Fired {
        if let Ok(mut fired) = self.fired.lock() {
            *fired.entry(start.name.clone()).or_default() += 1;
        }
        let runtime = self.runtime.clone();
        Box::pin(async move { runtime.start_scheduled(start).await })
    }
}

/// In another process than made them: all are fired, each once.
async fn fire(folder: &Path, count: usize) -> Outcome<Value> {
    let begin = Instant::now();
    let machine = Machine::open(folder).await?;
    let targets = Arc::new(Counted { runtime: machine.runtime.clone(), fired: Mutex::default() });
    let schedules = machine.local.schedules.clone();
    let keeper = Keeper {
        schedules: schedules.clone(),
        clock: Clock::system(),
        wake: machine.wake,
        targets: targets.clone(),
        services: machine.local.services,
        // What is missed is not among what was fired.
        tell: Box::new(|_| {}),
    };
    tokio::spawn(keeper.run());
    // The first thing that it does is to look through what was left.
    while schedules.next_deadline().await? == Some(Timestamp::MIN) {
        tokio::task::yield_now().await;
    }
    let loaded_ms = begin.elapsed().as_secs_f64() * 1e3;
    let at: Timestamp = std::fs::read_to_string(folder.join("at"))?.parse()?;
    let left = at.duration_since(Timestamp::now());
    tokio::time::sleep(Duration::try_from(left).unwrap_or_default()).await;
    let (fires, cpu_before) = (Instant::now(), cpu());
    let limit = Duration::from_secs(120);
    // Nothing is to come any more when the outcome of each is known.
    while schedules.next_deadline().await?.is_some() && fires.elapsed() < limit {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (ms, cpu) = (fires.elapsed().as_secs_f64() * 1e3, cpu() - cpu_before);
    let fired = targets.fired.lock().map_err(|_| "a target broke off")?;
    let twice = fired.values().filter(|times| **times > 1).count();
    let wrong = twice + count.abs_diff(fired.len());
    Ok(json!({"loaded_ms": loaded_ms, "ms": ms, "wrong": wrong, "us": cpu * 1e6 / count as f64}))
}
