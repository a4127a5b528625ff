//! `LOAD_AND_FLATTEN`: the items of all objects that a reader lists (developer guide, "ItemReader (Map)").

use super::*;
use crate::limits;
use crate::machine::Inherited;

/// A distributed Map over the objects of the bucket `b`; `more` goes to its state.
fn machine(language: &str, config: &Value, more: &Value) -> Arc<Machine> {
    let arguments = if language == "JSONata" { "Arguments" } else { "Parameters" };
    let mut config = config.clone();
    config["Transformation"] = json!("LOAD_AND_FLATTEN");
    let mut map = json!({ "Type": "Map", "End": true,
        "ItemReader": { "Resource": "arn:aws:states:::s3:listObjectsV2",
            arguments: { "Bucket": "b", "Prefix": "p/" }, "ReaderConfig": config },
        "ItemProcessor": { "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" },
            "StartAt": "I", "States": { "I": { "Type": "Pass", "End": true } } } });
    map.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    load(&json!({ "QueryLanguage": language, "StartAt": "M", "States": { "M": map } }))
}

/// What the Map is told: files by their keys and texts.
fn files(files: &[(&str, &str)], is_whole: bool) -> TaskEvent {
    let file = |&(key, text): &(&str, &str)| ItemsFile { key: key.into(), text: text.into() };
    TaskEvent::Files { files: files.iter().map(file).collect(), is_whole }
}

/// The execution after its reader was told `event`, written down while it read, and restored.
fn ended(machine: Arc<Machine>, event: TaskEvent) -> Execution {
    let now: Timestamp = "2026-11-29T10:00:00Z".parse().unwrap();
    let mut execution = Execution::start(Arc::clone(&machine), begin(json!([1])), now);
    let Some(Effect::ReadItems(call)) = execution.poll_effect() else { panic!("no reading") };
    assert!(call.load);
    assert_eq!(call.arguments, json!({ "Bucket": "b", "Prefix": "p/" }));
    let written = serde_json::to_string(&execution).unwrap();
    let snapshot: Snapshot = serde_json::from_str(&written).unwrap();
    let mut execution = Execution::restore(machine, snapshot).unwrap();
    execution.handle_task(call.id, event, now).unwrap();
    while execution.output().is_none() && execution.error().is_none() {
        execution.handle_timeout(now);
    }
    assert!(execution.poll_effect().is_none());
    execution
}

fn output(language: &str, config: &Value, more: &Value, event: TaskEvent) -> Value {
    ended(machine(language, config, more), event).output().cloned().unwrap()
}

fn cause(config: &Value, event: TaskEvent) -> String {
    let execution = ended(machine("JSONPath", config, &json!({})), event);
    assert_eq!(execution.error(), Some("States.ItemReaderFailed"));
    execution.cause().unwrap().to_owned()
}

#[test]
fn the_items_of_all_listed_objects_are_the_maps_in_the_lists_order() {
    let csv = json!({ "InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW" });
    let pointed = json!({ "InputType": "JSON", "ItemsPointer": "/l" });
    for language in ["JSONPath", "JSONata"] {
        for (config, told, expected) in [
            (json!({ "InputType": "JSON" }), ["[1,2]", "[]", "[3]"], json!([1, 2, 3])),
            (json!({ "InputType": "JSONL" }), ["1\n2\n", "", "3"], json!([1, 2, 3])),
            // Each has a head of its own.
            (csv.clone(), ["a\n1", "b\n2\n3", "c"], json!([{"a": "1"}, {"b": "2"}, {"b": "3"}])),
            (pointed.clone(), [r#"{"l":[1]}"#, r#"{"l":[]}"#, r#"{"l":[2]}"#], json!([1, 2])),
        ] {
            let told = files(&[("p/1", told[0]), ("p/2", told[1]), ("p/3", told[2])], true);
            assert_eq!(
                output(language, &config, &json!({}), told),
                expected,
                "{language} {config}"
            );
        }
    }
    let none = output("JSONPath", &json!({ "InputType": "JSON" }), &json!({}), files(&[], true));
    assert_eq!(none, json!([]));
}

#[test]
fn an_item_says_which_object_it_comes_from() {
    let config = json!({ "InputType": "JSON" });
    let path = json!({ "ItemSelector": { "from.$": "$$.Map.Item.Source",
        "n.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value" } });
    let query = json!({ "ItemSelector": { "from": "{% $states.context.Map.Item.Source %}",
        "n": "{% $states.context.Map.Item.Index %}", "v": "{% $states.context.Map.Item.Value %}" } });
    let told = || files(&[("p/a.json", "[7]"), ("p/b.json", "[8,9]")], true);
    let expected = json!([{ "from": "s3://b/p/a.json", "n": 0, "v": 7 },
        { "from": "s3://b/p/b.json", "n": 1, "v": 8 }, { "from": "s3://b/p/b.json", "n": 2, "v": 9 }]);
    assert_eq!(output("JSONPath", &config, &path, told()), expected);
    assert_eq!(output("JSONata", &config, &query, told()), expected);
    let mut batched = path;
    batched["ItemBatcher"] = json!({ "MaxItemsPerBatch": 2 });
    let [first, second, third] = &expected.as_array().unwrap()[..] else { panic!("{expected}") };
    let expected = json!([{ "Items": [first, second] }, { "Items": [third] }]);
    assert_eq!(output("JSONPath", &config, &batched, told()), expected);
}

#[test]
fn the_most_items_are_those_of_all_objects_together_and_what_is_behind_them_is_not_looked_at() {
    let told = || files(&[("p/1", "[1,2]"), ("p/2", "[3,4]"), ("p/3", "no JSON")], false);
    for (most, expected) in [(1, json!([1])), (2, json!([1, 2])), (4, json!([1, 2, 3, 4]))] {
        let config = json!({ "InputType": "JSON", "MaxItems": most });
        assert_eq!(output("JSONPath", &config, &json!({}), told()), expected);
    }
    let cause = cause(&json!({ "InputType": "JSON", "MaxItems": 5 }), told());
    assert!(cause.starts_with("s3://b/p/3: The file is not JSON: "), "{cause}");
}

#[test]
fn more_than_can_be_held_is_told_and_not_left_out() {
    let config = json!({ "InputType": "JSON" });
    let told = cause(&config, files(&[("p/1", "[1]")], false));
    assert_eq!(told, "The files are more than 100000 or have more than 67108864 bytes.");
    let half = format!("[{}0]", "0,".repeat(limits::READER_ITEMS / 2));
    let told = cause(&config, files(&[("p/1", &half), ("p/2", &half)], true));
    assert_eq!(told, "The files have more than 100000 items.");
    let long = "k".repeat(1200);
    let told = cause(&config, files(&vec![(long.as_str(), "[1]"); 60_000], true));
    assert_eq!(told, "The files, with their sources, have more than 67108864 bytes.");
    let failed = TaskEvent::Failed { error: Some("S3.X".into()), cause: Some("why".into()) };
    assert_eq!(cause(&config, failed), "why");
}

#[test]
fn the_source_of_many_items_is_held_and_written_down_once() {
    let (key, lines) = ("k".repeat(1000), "1\n".repeat(70_000));
    let wait = json!({ "Type": "Wait", "Seconds": 1, "End": true });
    let more = json!({ "MaxConcurrency": 1,
        "ItemSelector": { "from.$": "$$.Map.Item.Source" },
        "ItemProcessor": { "ProcessorConfig": { "Mode": "DISTRIBUTED",
            "ExecutionType": "STANDARD" }, "StartAt": "I", "States": { "I": wait } } });
    let machine = machine("JSONPath", &json!({ "InputType": "JSONL" }), &more);
    let mut execution = Execution::start(machine, begin(json!({})), now());
    let Some(Effect::ReadItems(call)) = execution.poll_effect() else { panic!("no reading") };
    execution.handle_task(call.id, files(&[(&key, &lines)], true), now()).unwrap();
    assert_eq!((execution.status(), execution.cause()), (Status::Running, None));
    let written = serde_json::to_string(&execution).unwrap();
    // In the table, and what the one child that runs was given.
    let times = written.matches(&key).count();
    assert!((2..10).contains(&times), "{times}");
    let snapshot: Snapshot = serde_json::from_str(&written).unwrap();
    let machine = Arc::clone(execution.machine());
    let mut execution = Execution::restore(machine, snapshot).unwrap();
    execution.handle_timeout(now() + SignedDuration::from_secs(1));
    assert!(execution.poll_effect().is_none());
    let second = serde_json::to_string(&execution).unwrap();
    assert!(second.matches(&key).count() > times, "the second child has it too");
}

#[test]
fn a_list_of_more_objects_than_can_be_held_is_told_and_not_cut() {
    let list = |most: Option<usize>| {
        let config = most.map_or_else(|| json!({}), |most| json!({ "MaxItems": most }));
        let mut map = json!({ "Type": "Map", "End": true,
            "ItemReader": { "Resource": "arn:aws:states:::s3:listObjectsV2",
                "Parameters": { "Bucket": "b" }, "ReaderConfig": config } });
        map["ItemProcessor"] = json!({ "ProcessorConfig": { "Mode": "DISTRIBUTED",
            "ExecutionType": "STANDARD" }, "StartAt": "I",
            "States": { "I": { "Type": "Pass", "End": true } } });
        let machine = load(&json!({ "StartAt": "M", "States": { "M": map } }));
        let now = "2026-11-29T10:00:00Z".parse().unwrap();
        let mut execution = Execution::start(machine, begin(json!({})), now);
        let Some(Effect::ReadItems(call)) = execution.poll_effect() else { panic!("no reading") };
        assert!(!call.load);
        let output = Value::Array(vec![json!({ "Key": "k" }); limits::READER_ITEMS + 1]);
        execution.handle_task(call.id, TaskEvent::Succeeded { output }, now).unwrap();
        execution
    };
    let execution = list(None);
    assert_eq!(execution.error(), Some("States.ItemReaderFailed"));
    assert_eq!(execution.cause(), Some("The list has more than 100000 objects."));
    assert_eq!(list(Some(1)).output(), Some(&json!([{ "Key": "k" }])));
}

#[test]
fn what_is_to_be_read_says_how_much_of_it_is_wanted_as_snapshots_of_earlier_releases_do_not() {
    let call = |loads: bool, most: Value| {
        let mut config = json!({ "InputType": "JSON", "MaxItems": most });
        if loads {
            config["Transformation"] = json!("LOAD_AND_FLATTEN");
        }
        let map = json!({ "Type": "Map", "End": true,
            "ItemReader": { "Resource": "arn:aws:states:::s3:listObjectsV2",
                "Parameters": { "Bucket": "b" }, "ReaderConfig": config },
            "ItemProcessor": { "ProcessorConfig": { "Mode": "DISTRIBUTED",
                "ExecutionType": "STANDARD" }, "StartAt": "I",
                "States": { "I": { "Type": "Pass", "End": true } } } });
        let machine = load(&json!({ "StartAt": "M", "States": { "M": map } }));
        let now = "2026-11-29T10:00:00Z".parse().unwrap();
        let mut execution = Execution::start(machine, begin(json!({})), now);
        let Some(Effect::ReadItems(call)) = execution.poll_effect() else { panic!("no reading") };
        *call
    };
    let wanted = call(true, json!(4));
    assert_eq!(wanted.most, Some(4));
    let texts = ["[1,2]", "[1,2,3,4,5]", "[]", "no JSON"];
    assert_eq!(texts.map(|text| wanted.items_in(text, 3)), [2, 3, 0, 3]);
    let mut written = serde_json::to_value(&wanted).unwrap();
    assert_eq!(serde_json::from_value::<ItemsCall>(written.clone()).unwrap(), wanted);
    written.as_object_mut().unwrap().retain(|name, _| name != "most" && name != "format");
    let older: ItemsCall = serde_json::from_value(written).unwrap();
    assert_eq!((older.most, older.items_in("[1,2]", 3)), (None, 0));
    // Nought is the same as not set. How much of what is not loaded is wanted is told as well.
    assert_eq!(call(true, json!(0)).most, None);
    let listed = serde_json::to_value(call(false, json!(4))).unwrap();
    assert_eq!(listed["most"], json!(4));
}

/// What a Fail in a Map of JSONata says, in a machine of JSONPath.
fn said(machine: Machine) -> String {
    let mut execution =
        Execution::start(Arc::new(machine), begin(json!({ "number": 42, "l": [1] })), now());
    while execution.poll_effect().is_some() {}
    execution.cause().unwrap().to_owned()
}

fn now() -> Timestamp {
    "2026-11-29T10:00:00Z".parse().unwrap()
}

#[test]
fn what_was_published_keeps_the_query_language_that_its_states_had_and_what_is_new_has_the_machines()
 {
    let states = json!({
        "P": { "Type": "Pass", "Assign": { "n": "{% $states.context.Map.Item.Value %}" },
            "Next": "Q" },
        "Q": { "Type": "Fail", "Error": "Bad", "Cause": "{% 'number ' & $n %}" },
    });
    let map = json!({ "Type": "Map", "QueryLanguage": "JSONata", "Items": "{% $states.input.l %}",
        "End": true, "ItemProcessor": { "StartAt": "P", "States": states } });
    let text = json!({ "StartAt": "M", "States": { "M": map } }).to_string();
    let published = |inherited| Machine::load_published(&text, inherited).unwrap();
    assert_eq!(said(published(Inherited::FromState)), "number 1");
    assert_eq!(said(published(Inherited::FromMachine)), "{% 'number ' & $n %}");
    let new = Machine::load(&text).unwrap();
    assert!(new.depends_on_inherited());
    assert_eq!(said(new), "{% 'number ' & $n %}");
    let plain = text
        .replace("\"QueryLanguage\":\"JSONata\",", "")
        .replace("\"Items\":", "\"ItemsPath\":")
        .replace("{% $states.input.l %}", "$.l");
    assert!(!Machine::load(&plain).unwrap().depends_on_inherited());
}

/// A driver may make the items of what was read on another thread; also where a snapshot of an earlier
/// release does not say what they are made of.
#[test]
fn items_that_were_made_beside_the_execution_are_those_that_it_makes_itself() {
    let reader = |text: &str, aside: bool, format: bool| {
        let map = json!({ "Type": "Map", "End": true,
            "ItemReader": { "Resource": "arn:aws:states:::s3:getObject",
                "Parameters": { "Bucket": "b", "Key": "k" },
                "ReaderConfig": { "InputType": "JSON", "MaxItems": 2 } },
            "ItemProcessor": { "ProcessorConfig": { "Mode": "DISTRIBUTED",
                "ExecutionType": "STANDARD" }, "StartAt": "I",
                "States": { "I": { "Type": "Pass", "End": true } } } });
        let machine = load(&json!({ "StartAt": "M", "States": { "M": map } }));
        let mut execution = Execution::start(machine, begin(json!({})), now());
        let Some(Effect::ReadItems(call)) = execution.poll_effect() else { panic!("no reading") };
        let mut written = serde_json::to_value(&*call).unwrap();
        if !format {
            written.as_object_mut().unwrap().remove("format");
        }
        let call: ItemsCall = serde_json::from_value(written).unwrap();
        let content = TaskEvent::Content { text: text.to_owned() };
        let told = if aside { call.itemize(content.clone()) } else { content.clone() };
        assert_eq!(told == content, !(aside && format));
        execution.handle_task(call.id, told, now()).unwrap();
        let failure = (execution.error(), execution.cause());
        (execution.output().cloned(), failure.0.map(str::to_owned), failure.1.map(str::to_owned))
    };
    for text in ["[1, 2, 3]", "[", "{}"] {
        let itself = reader(text, false, true);
        assert_eq!(reader(text, true, true), itself, "{text}");
        assert_eq!(reader(text, true, false), itself, "{text}");
    }
    assert_eq!(reader("[1, 2, 3]", true, true).0, Some(json!([1, 2])));
}
