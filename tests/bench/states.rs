//! States that the interpreter runs on one core, beside moto's on the same documents.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use offhook_asl::execution::Status;
use offhook_asl::{Execution, Machine, Start};
use serde_json::{Value, json};

use super::figures::Figure;
use super::process::own_cpu_seconds;
use super::{Outcome, say};

/// A workflow, and what it is run with.
struct Document {
    name: &'static str,
    definition: Value,
    input: Value,
}

/// They ask nobody for anything, so that only the interpreter is measured.
fn documents() -> Vec<Document> {
    vec![
        Document { name: "a chain of 100 Pass", definition: chain(), input: json!({}) },
        Document { name: "a loop of Choice and Pass", definition: turns(), input: json!({"n": 0}) },
        Document {
            name: "the same loop in JSONata",
            definition: turns_in_jsonata(),
            input: json!({"n": 0}),
        },
        Document {
            name: "Map of 40 and Parallel of 5",
            definition: fan(),
            input: json!({"items": (0..40).collect::<Vec<_>>()}),
        },
    ]
}

fn chain() -> Value {
    let state = |n: u32| match n {
        99 => json!({"Type": "Succeed"}),
        _ => json!({"Type": "Pass", "Result": {"n": n}, "ResultPath": "$.last",
            "Next": format!("S{}", n + 1)}),
    };
    let states: serde_json::Map<_, _> = (0..100).map(|n| (format!("S{n}"), state(n))).collect();
    json!({"StartAt": "S0", "States": states})
}

fn turns() -> Value {
    json!({"StartAt": "More", "States": {
        "More": {"Type": "Choice", "Default": "Done",
            "Choices": [{"Variable": "$.n", "NumericLessThan": 200, "Next": "Add"}]},
        "Add": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "More"},
        "Done": {"Type": "Succeed"}}})
}

fn turns_in_jsonata() -> Value {
    json!({"QueryLanguage": "JSONata", "StartAt": "More", "States": {
        "More": {"Type": "Choice", "Default": "Done",
            "Choices": [{"Condition": "{% $states.input.n < 200 %}", "Next": "Add"}]},
        "Add": {"Type": "Pass", "Output": {"n": "{% $states.input.n + 1 %}"}, "Next": "More"},
        "Done": {"Type": "Succeed"}}})
}

fn fan() -> Value {
    let branch = |n: u32| {
        json!({"StartAt": format!("B{n}"), "States": {
            format!("B{n}"): {"Type": "Pass", "Next": format!("C{n}")},
            format!("C{n}"): {"Type": "Pass", "End": true}}})
    };
    json!({"StartAt": "M", "States": {
        "M": {"Type": "Map", "ItemsPath": "$.items", "Next": "P", "ItemProcessor": {
            "ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "I", "States": {
                "I": {"Type": "Pass", "Next": "J"}, "J": {"Type": "Pass", "End": true}}}},
        "P": {"Type": "Parallel", "Branches": (0..5).map(branch).collect::<Vec<_>>(), "End": true}}})
}

/// One execution to its end; gives the states that it entered.
fn run(machine: &Arc<Machine>, input: &Value, now: Timestamp) -> Outcome<u64> {
    let start = Start {
        arn: "arn:aws:states:us-east-1:000000000000:execution:m:e".to_owned(),
        name: "e".to_owned(),
        role_arn: "arn:aws:iam::000000000000:role/r".to_owned(),
        machine_arn: "arn:aws:states:us-east-1:000000000000:stateMachine:m".to_owned(),
        machine_name: "m".to_owned(),
        input: input.clone().into(),
        seed: [1; 32],
        missing_activities: Vec::new(),
    };
    let mut execution = Execution::start(Arc::clone(machine), start, now);
    let mut events = execution.take_new_history();
    while execution.next_deadline().is_some() {
        execution.handle_timeout(now);
        events.extend(execution.take_new_history());
    }
    if execution.status() != Status::Succeeded {
        return Err(format!("a document failed: {:?}", execution.cause()).into());
    }
    let entered = |event: &&offhook_asl::history::Event| {
        let name = serde_json::to_value(event.kind).unwrap_or_default();
        name.as_str().is_some_and(|name| name.ends_with("StateEntered"))
    };
    Ok(events.iter().filter(entered).count() as u64)
}

/// Microseconds of CPU for a state, by document.
pub(crate) fn speed(seconds: u64, python: Option<&Path>, folder: &Path) -> Outcome<Vec<Figure>> {
    let documents = documents();
    let theirs = moto(&documents, seconds, python, folder);
    let mut figures = Vec::new();
    for document in &documents {
        let machine = Machine::load(&document.definition.to_string());
        let machine = Arc::new(machine.map_err(|problems| format!("{problems:?}"))?);
        let now = Timestamp::now();
        let states = run(&machine, &document.input, now)?;
        let (begin, cpu, mut runs) = (Instant::now(), own_cpu_seconds(), 0);
        while begin.elapsed() < Duration::from_secs(seconds) {
            run(&machine, &document.input, now)?;
            runs += 1;
        }
        let ours = (own_cpu_seconds() - cpu) * 1e6 / (runs * states) as f64;
        let name = format!("flows: CPU per state, {}", document.name);
        figures.push(match theirs.as_ref().map(|all| cost(&all[document.name])) {
            Ok(Ok(moto)) => Figure::beside(name.clone(), ours, "us", ("moto", moto), Some(1.0)),
            Ok(Err(why)) | Err(&why) => {
                say(&format!("moto on {}: not measured ({why})", document.name));
                Figure::plain(name.clone(), ours, "us", None)
            }
        });
        let name = name.replace("CPU per state", "states a second and core");
        figures.push(Figure::plain(name, 1e6 / ours, "1/s", None));
    }
    Ok(figures)
}

/// Microseconds for a state, or why there is no such figure.
fn cost(told: &Value) -> Result<f64, &str> {
    match (told["cpu"].as_f64(), told["states"].as_f64()) {
        (Some(cpu), Some(states)) if states > 0.0 => Ok(cpu * 1e6 / states),
        _ => Err(told["why"].as_str().unwrap_or("it says nothing of it")),
    }
}

/// What moto says about the same documents.
fn moto(
    documents: &[Document],
    seconds: u64,
    python: Option<&Path>,
    folder: &Path,
) -> Result<Value, &'static str> {
    let python = python.ok_or("it is not installed")?;
    let of =
        |d: &Document| (d.name.to_owned(), json!({"definition": d.definition, "input": d.input}));
    let all: serde_json::Map<_, _> = documents.iter().map(of).collect();
    let file = folder.join("documents.json");
    std::fs::create_dir_all(folder).map_err(|_| "no folder for it")?;
    std::fs::write(&file, Value::Object(all).to_string()).map_err(|_| "no file for it")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("moto_states.py");
    let run = Command::new(python).arg(script).arg(file).arg(seconds.to_string()).output();
    let output = run.map_err(|_| "its Python does not run")?;
    serde_json::from_slice(&output.stdout).map_err(|_| "it broke off")
}
