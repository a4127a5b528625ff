use std::sync::Arc;

use offhook_asl::Machine;
use serde_json::json;

use super::*;
use crate::runtime::{Options, Runtime};
use crate::services::Services;
use crate::store::MemoryStore;

async fn run(definition: &str, input: serde_json::Value) -> Path {
    let store = Arc::new(MemoryStore::new());
    let runtime = Runtime::start(Options::new(store, Services::default())).await.unwrap();
    let machine = Arc::new(Machine::load(definition).unwrap());
    let started = runtime.start_definition(machine, "m", input).await.unwrap();
    runtime.wait_for_end(&started.arn).await.unwrap();
    path(&runtime.execution_history(&started.arn).await.unwrap())
}

fn definition() -> String {
    json!({ "StartAt": "Count", "States": {
        "Count": { "Type": "Pass", "Parameters": { "n.$": "States.MathAdd($.n, 1)" }, "Next": "Enough?" },
        "Enough?": { "Type": "Choice", "Choices":
            [{ "Variable": "$.n", "NumericGreaterThan": 2, "Next": "Ask <somebody>" }], "Default": "Count" },
        "Ask <somebody>": { "Type": "Task", "Resource": "arn:aws:states:::nobody:asks",
            "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "Sorry" }], "Next": "Never" },
        "Sorry": { "Type": "Fail", "Error": "Nobody", "Cause": "was there" },
        "Never": { "Type": "Parallel", "End": true, "Branches": [
            { "StartAt": "Left", "States": { "Left": { "Type": "Succeed" } } },
            { "StartAt": "Right", "States": { "Right": { "Type": "Succeed" } } } ] },
    } })
    .to_string()
}

#[tokio::test]
async fn a_path_names_each_visit_what_failed_and_the_end() {
    let path = run(&definition(), json!({ "n": 0 })).await;
    let states: Vec<&str> = path.steps.iter().map(|step| step.state.as_str()).collect();
    let round = ["Count", "Enough?"];
    let wanted = [&round[..], &round, &round, &["Ask <somebody>", "Sorry"]].concat();
    assert_eq!(states, wanted);
    assert_eq!(path.steps[0].from, None);
    assert_eq!(path.steps[2].from.as_deref(), Some("Enough?"));
    let (error, cause) = &path.steps[6].failures[0];
    assert_eq!(error, "States.TaskFailed");
    assert!(cause.contains("nobody:asks"));
    assert!(path.steps[6].left.is_some() && path.steps[7].left.is_none());
    let text = path.to_string();
    assert!(text.ends_with("ExecutionFailed Nobody: was there\n"), "{text}");
    assert_eq!(text.lines().count(), 8 + 1 + 1);
}

#[tokio::test]
async fn the_picture_lights_what_was_visited_and_no_more() {
    let path = run(&definition(), json!({ "n": 0 })).await;
    let svg = picture(&definition(), Some(&path));
    let class_of = |name: &str| {
        let title = format!("<title>{name} (");
        let before = svg.split(&title).next().unwrap();
        let class = before.rsplit("class=\"").next().unwrap();
        class.split('"').next().unwrap().to_owned()
    };
    assert_eq!(class_of("Count"), "lit");
    assert_eq!(class_of("Ask &lt;somebody&gt;"), "lit");
    assert_eq!(class_of("Sorry"), "failed");
    assert_eq!(class_of("Never"), "dark");
    assert_eq!(class_of("Left"), "dark");
    assert_eq!(svg.matches("class=\"badge\"").count(), 2);
}

#[test]
fn boxes_do_not_overlap_and_lines_end_at_them() {
    let flow = graph::Flow::read(&definition()).unwrap();
    let laid = layout::layout(&flow);
    for (n, a) in laid.boxes.iter().enumerate() {
        assert!(a.x >= -0.01 && a.x + a.width <= laid.width + 0.01);
        for b in &laid.boxes[n + 1..] {
            let apart = a.x + a.width <= b.x + 0.01
                || b.x + b.width <= a.x + 0.01
                || a.y + a.height <= b.y + 0.01
                || b.y + b.height <= a.y + 0.01;
            assert!(apart, "{:?} over {:?}", a.text, b.text);
        }
    }
    assert_eq!(laid.lines.len(), 5);
}

#[test]
fn what_is_no_definition_gives_an_empty_picture() {
    let svg = picture("nonsense", None);
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    assert!(!svg.contains("<g"));
}
