//! `Map.Item.Source` of the context object: where an item comes from.

use super::*;

/// A Map over `input`, or over what `reader` reads, that tells each item's source.
fn machine(language: &str, mode: &str, reader: Option<Value>) -> Arc<Machine> {
    let config = match mode {
        "INLINE" => json!({ "Mode": mode }),
        _ => json!({ "Mode": mode, "ExecutionType": "STANDARD" }),
    };
    let selector = match language {
        "JSONPath" => json!({ "from.$": "$$.Map.Item.Source" }),
        _ => json!({ "from": "{% $states.context.Map.Item.Source %}" }),
    };
    let mut map = json!({ "Type": "Map", "End": true, "ItemSelector": selector,
        "ItemProcessor": { "ProcessorConfig": config, "StartAt": "I",
            "States": { "I": { "Type": "Pass", "End": true } } } });
    if let Some(reader) = reader {
        map["ItemReader"] = reader;
    }
    load(&json!({ "QueryLanguage": language, "StartAt": "M", "States": { "M": map } }))
}

fn started(machine: Arc<Machine>) -> Execution {
    Execution::start(machine, begin(json!([1])), "2026-11-29T10:00:00Z".parse().unwrap())
}

/// What the Map gives when `reader` is told `text`.
fn read(reader: Value, text: &str) -> Value {
    let mut execution = started(machine("JSONPath", "DISTRIBUTED", Some(reader)));
    let Some(Effect::ReadItems(call)) = execution.poll_effect() else { panic!("no reading") };
    let told = TaskEvent::Content { text: text.to_owned() };
    // Written down while it reads, and restored.
    let written = serde_json::to_string(&execution).unwrap();
    // As a release wrote it down that did not know of sources.
    let written = written.replace(r#""source":"STATE_DATA","#, "");
    assert!(!written.contains(r#""source":"#));
    let snapshot: Snapshot = serde_json::from_str(&written).unwrap();
    let machine = Arc::clone(execution.machine());
    let mut execution = Execution::restore(machine, snapshot).unwrap();
    execution.handle_task(call.id, told, "2026-11-29T10:00:01Z".parse().unwrap()).unwrap();
    execution.output().cloned().unwrap()
}

#[test]
fn an_item_of_a_distributed_map_says_where_it_comes_from() {
    for language in ["JSONPath", "JSONata"] {
        let mut execution = started(machine(language, "DISTRIBUTED", None));
        assert!(execution.poll_effect().is_none());
        assert_eq!(execution.output(), Some(&json!([{ "from": "STATE_DATA" }])), "{language}");
    }
    let reader = |action: &str, parameters: Value, config: Value| {
        json!({ "Resource": format!("arn:aws:states:::s3:{action}"),
            "Parameters": parameters, "ReaderConfig": config })
    };
    // tiny-asl-machine, Observation.ItemReader 002 and 003.
    let list = reader("listObjectsV2", json!({ "Bucket": "b", "Prefix": "p/" }), json!({}));
    assert_eq!(read(list, r#"[{"Key":"p/a"}]"#), json!([{ "from": "s3://b" }]));
    let key = json!({ "Bucket": "b", "Key": "p/one.json" });
    let file = reader("getObject", key, json!({ "InputType": "JSON" }));
    assert_eq!(read(file, "[1]"), json!([{ "from": "s3://b/p/one.json" }]));
}

#[test]
fn an_item_of_an_inline_map_has_no_source() {
    // tiny-asl-machine, Feature.JsonataScopeSource 003.
    let execution = started(machine("JSONata", "INLINE", None));
    assert_eq!(execution.error(), Some("States.QueryEvaluationError"));
    assert!(execution.cause().unwrap().ends_with(
        "The JSONata expression '$states.context.Map.Item.Source' specified for the field \
         'ItemSelector/from' returned nothing (undefined)."
    ));
}
