//! Workflows without a call: `flow run`, and `flow test` against callers that are written down.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use offhook_flows::schedule::Schedules;
use offhook_flows::script::{
    self, Report, RunError, RunReport, RunRequest, Scenario, never_reached, run_blocking,
};
use offhook_flows::services::events::{Bus, Event};
use offhook_flows::services::local::{Local, LocalOptions};
use offhook_flows::services::s3::{BucketFolder, Folders};
use offhook_flows::services::{Answer, Integration, Request, ServiceError, Services, Upstream};
use offhook_flows::store::{Entries, ExecutionStatus, FlowStore, MemoryStore};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::files::{one_standard_input, read};
use super::line;
use crate::applications::context;
use crate::cli::Place;
use crate::output::{complain, counted, print};
use crate::place::{CommandError, block_on, configuration};

/// How a definition is run.
pub(super) struct How {
    pub(super) history: bool,
    pub(super) now: Option<Timestamp>,
    pub(super) json: bool,
}

/// What a dry run leaves nothing in: services in memory, buckets in a folder that goes.
struct Bench {
    store: Arc<dyn FlowStore>,
    services: Services,
    schedules: (Schedules, Arc<Notify>),
    _buckets: tempfile::TempDir,
}

/// Nobody outside is asked, whatever the appliance may ask: a run is to leave nothing anywhere.
struct Nobody;

impl Upstream for Nobody {
    fn call(&self, request: Request) -> Answer {
        let Request { service, action, integration, .. } = &request;
        let sdk = if *integration == Integration::Sdk { "aws-sdk:" } else { "" };
        let words = format!(
            "{sdk}{service}:{action} leaves this machine, and `flow run` and `flow test` ask nobody outside"
        );
        let error = ServiceError::new("States.TaskFailed", words);
        Box::pin(std::future::ready(Err(error)))
    }
}

struct Quiet;

impl Bus for Quiet {
    fn put(&self, _: &Event) {}
}

impl Bench {
    fn new(definition: &str) -> Result<Self, CommandError> {
        let failed = |error: String| CommandError::Words(error);
        let buckets = tempfile::tempdir().map_err(|error| failed(error.to_string()))?;
        let folder = BucketFolder {
            bucket: "*".to_owned(),
            prefix: String::new(),
            folder: buckets.path().to_owned(),
        };
        let store: Arc<dyn FlowStore> = Arc::new(MemoryStore::new());
        let entries: Arc<dyn Entries> = store.clone();
        let options = LocalOptions { buckets: vec![folder], ..LocalOptions::default() };
        let (blobs, upstream) = (Arc::new(Folders), Arc::new(Nobody));
        let wake = Arc::new(Notify::new());
        let wakes = {
            let wake = Arc::clone(&wake);
            Box::new(move || wake.notify_one())
        };
        let opening = Local::open(options, entries, blobs, Arc::new(Quiet), upstream, wakes);
        let local = block_on(opening)?.map_err(|error| failed(error.to_string()))?;
        if let Ok(definition) = serde_json::from_str(definition) {
            local.learn(&definition);
        }
        let schedules = (local.schedules, wake);
        Ok(Self { store, services: local.services, schedules, _buckets: buckets })
    }
}

pub(super) fn run(file: &Path, input: Option<&Path>, how: &How) -> Result<(), CommandError> {
    one_standard_input([file].into_iter().chain(input))?;
    let definition = read(file)?;
    let input = input_of(input)?;
    let bench = Bench::new(&definition)?;
    let request = RunRequest {
        name: "run".to_owned(),
        definition,
        input,
        now: how.now,
        place: offhook_flows::Place::default(),
        store: Arc::clone(&bench.store),
        services: bench.services.clone(),
        schedules: Some(bench.schedules.clone()),
    };
    let report = run_blocking(request).map_err(|error| match error {
        RunError::Definition(problems) => {
            let lines: Vec<String> = problems.iter().map(|p| line(file, p)).collect();
            CommandError::Words(lines.join("\n"))
        }
        error => CommandError::Words(error.to_string()),
    })?;
    tell(&report, how);
    match report.status {
        ExecutionStatus::Succeeded => Ok(()),
        status => {
            let status = json!(status);
            let status = status.as_str().unwrap_or_default();
            Err(CommandError::Words(format!("the execution has not succeeded: {status}")))
        }
    }
}

fn tell(report: &RunReport, how: &How) {
    let mut all = json!(report);
    if let Some(all) = all.as_object_mut()
        && !how.history
    {
        all.remove("history");
    }
    if how.json {
        return print(&all.to_string());
    }
    print(&format!("status  {}", all["status"].as_str().unwrap_or_default()));
    if let Some(output) = &report.output {
        print(&format!("output  {output:#}"));
    }
    for (name, text) in [("error", &report.error), ("cause", &report.cause)] {
        if let Some(text) = text {
            print(&format!("{name:<6}  {text}"));
        }
    }
    for note in &report.schedules {
        print(&format!("{:<6}  {note}", "note"));
    }
    if how.history {
        for event in &report.history {
            print(&json!(event).to_string());
        }
    }
}

/// JSON that stands for itself. No file is meant by what begins as an object, a list or a text;
/// `5`, `true` or `null` may be one's name.
fn is_written_out(input: &Path) -> Option<&str> {
    let is_plain = |text: &str| serde_json::from_str::<Value>(text).is_ok() && !input.exists();
    input.to_str().filter(|text| text.trim_start().starts_with(['{', '[', '"']) || is_plain(text))
}

fn input_of(input: Option<&Path>) -> Result<Value, CommandError> {
    let Some(input) = input else { return Ok(json!({})) };
    let (name, text) = match is_written_out(input) {
        Some(text) => ("the input".to_owned(), text.to_owned()),
        None => (input.display().to_string(), read(input)?),
    };
    value_of(&name, &text)
}

/// The JSON of a file. A byte order mark is passed over (RFC 8259 §8.1).
fn value_of(name: &str, text: &str) -> Result<Value, CommandError> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return Err(CommandError::Words(format!("{name}: there is nothing in it")));
    }
    serde_json::from_str(text)
        .map_err(|error| CommandError::Words(format!("{name}: this is not JSON: {error}")))
}

pub(super) fn test(
    place: &Place,
    file: &Path,
    scenarios: &[PathBuf],
    all_states: bool,
    as_json: bool,
) -> Result<(), CommandError> {
    one_standard_input([file].into_iter().chain(scenarios.iter().map(PathBuf::as_path)))?;
    let config = configuration(place)?;
    let definition = read(file)?;
    let bench = Bench::new(&definition)?;
    let scenarios = scenarios_of(scenarios)?;
    if wants_business(&config, &definition, &scenarios) {
        complain(
            "note: the configuration that this runs with has no [business], so that `Office.Business` \
             is empty: name one that has with `--config`, or write it into the `context` of the calls",
        );
    }
    let mut reports: Vec<Report> = Vec::new();
    for scenario in scenarios {
        let (store, services) = (Arc::clone(&bench.store), bench.services.clone());
        let now = scenario.now.unwrap_or_else(Timestamp::now);
        let scenario = Scenario { context: office(&config, &scenario, now), ..scenario };
        let report = script::test_blocking(&definition, &scenario, store, services);
        reports.push(report.map_err(|error| CommandError::Words(error.to_string()))?);
    }
    let unreached = never_reached(&definition, &reports);
    let problems: usize = reports.iter().map(|report| report.problems.len()).sum();
    if as_json {
        print(&json!({"reports": reports, "never_reached": unreached}).to_string());
    } else {
        reports.iter().for_each(|report| print(&report.to_string()));
        match unreached.as_slice() {
            [] => print("Every state was reached."),
            states => print(&format!("Never reached: {}.", states.join(", "))),
        }
    }
    match (problems, all_states && !unreached.is_empty()) {
        (0, false) => Ok(()),
        (0, true) => Err(CommandError::Words("there are states that no call reached".to_owned())),
        (count, _) => Err(CommandError::Words(counted(count, "problem"))),
    }
}

/// Whether the workflow speaks of a business that neither the configuration nor each call tells of.
fn wants_business(
    config: &offhook_config::Config,
    definition: &str,
    scenarios: &[Scenario],
) -> bool {
    let tells = |scenario: &Scenario| {
        scenario.context.get("Office").is_some_and(|office| office.get("Business").is_some())
    };
    config.business.owner.is_empty()
        && definition.contains("Office")
        && definition.contains("Business")
        && !scenarios.iter().all(tells)
}

/// What is written in a scenario goes before what the configuration says.
fn office(
    config: &offhook_config::Config,
    scenario: &Scenario,
    now: Timestamp,
) -> serde_json::Map<String, Value> {
    let caller = offhook_pbx::call::Source::Trunk("test".to_owned());
    let mut office = context(config, &caller, now);
    for (name, value) in &scenario.context {
        match (office.get_mut(name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => old.extend(new.clone()),
            _ => drop(office.insert(name.clone(), value.clone())),
        }
    }
    office
}

/// Each file holds one, or a list of them.
fn scenarios_of(files: &[PathBuf]) -> Result<Vec<Scenario>, CommandError> {
    let mut all = Vec::new();
    for file in files {
        let name = file.display().to_string();
        match value_of(&name, &read(file)?)? {
            Value::Array(list) => {
                for (one, number) in list.into_iter().zip(1..) {
                    all.push(scenario(&format!("{name}: scenario {number}"), one)?);
                }
            }
            one => all.push(scenario(&name, one)?),
        }
    }
    if all.is_empty() {
        return Err(CommandError::Words("there is no scenario in these files".to_owned()));
    }
    Ok(all)
}

fn scenario(place: &str, value: Value) -> Result<Scenario, CommandError> {
    let place = match value.get("name").and_then(Value::as_str) {
        Some(name) => format!("{place} ({name})"),
        None => place.to_owned(),
    };
    serde_json::from_value(value).map_err(|error| CommandError::Words(format!("{place}: {error}")))
}
