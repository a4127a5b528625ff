use super::*;
use EventType::*;

fn map(more: &Value, processor: &Value) -> Value {
    let mut state = json!({ "Type": "Map", "End": true, "ItemProcessor": processor });
    state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    states("M", &json!({ "M": state, "H": { "Type": "Pass", "End": true } }))
}

fn without_handler(mut document: Value) -> Value {
    document["States"].as_object_mut().unwrap().remove("H");
    document
}

fn inline(states: &Value) -> Value {
    json!({ "StartAt": "I", "States": states })
}

fn distributed(states: &Value) -> Value {
    let config = json!({ "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" });
    json!({ "ProcessorConfig": config, "StartAt": "I", "States": states })
}

#[test]
fn as_many_iterations_run_as_max_concurrency_says() {
    let processor = inline(&json!({ "I": task(&json!({})) }));
    let document = without_handler(map(&json!({ "MaxConcurrency": 2 }), &processor));
    let mut bench = Bench::new(&document, json!([1, 2, 3]));
    assert_eq!(bench.calls.len(), 2);
    bench.succeed(1, json!("b"));
    assert_eq!(bench.calls.len(), 3);
    bench.succeed(2, json!("c"));
    bench.succeed(0, json!("a"));
    assert_eq!(bench.output(), json!(["a", "b", "c"]), "in the order of the items");
}

#[test]
fn an_inline_map_runs_forty_iterations_at_most() {
    let processor = inline(&json!({ "I": task(&json!({})) }));
    let document = without_handler(map(&json!({}), &processor));
    let bench = Bench::new(&document, json!(vec![0; 100]));
    assert_eq!(bench.calls.len(), 40);
}

#[test]
fn a_failed_iteration_fails_the_map_and_aborts_the_others() {
    let processor = inline(&json!({ "I": task(&json!({})) }));
    let catch = json!({ "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "H" }] });
    let mut bench = Bench::new(&map(&catch, &processor), json!([1, 2]));
    bench.fail(0, "Boom", "c");
    assert_eq!(bench.cancelled, [bench.calls[1].id]);
    let types = bench.types();
    let at = types.iter().position(|kind| *kind == MapIterationFailed).unwrap();
    assert_eq!(
        types[at..at + 6],
        [
            MapIterationFailed,
            TaskStateAborted,
            MapIterationAborted,
            TaskStateAborted,
            MapStateFailed,
            MapStateExited
        ]
    );
    let last = at as u64;
    assert_eq!(bench.previous()[at..at + 6], [last, last, last, last, last, last + 5]);
    assert_eq!(bench.output(), json!({ "Error": "Boom", "Cause": "c" }));
}

#[test]
fn tasks_beside_each_other_are_scheduled_before_the_first_starts_and_time_out_together() {
    let processor = inline(&json!({ "I": task(&json!({ "TimeoutSeconds": 5 })) }));
    let document = without_handler(map(&json!({}), &processor));
    let mut bench = Bench::new(&document, json!([1, 2]));
    bench.pass_seconds(5);
    assert_eq!(
        bench.types()[5..],
        [
            TaskStateEntered,
            TaskScheduled,
            TaskStateEntered,
            TaskScheduled,
            TaskStarted,
            TaskStarted,
            TaskTimedOut,
            TaskTimedOut,
            MapIterationFailed,
            TaskStateAborted,
            MapIterationAborted,
            TaskStateAborted,
            MapStateFailed,
            ExecutionFailed
        ]
    );
    assert_eq!(bench.previous()[5..], [4, 6, 5, 8, 7, 9, 10, 11, 12, 12, 12, 12, 12, 18]);
    assert_eq!(bench.cancelled, [bench.calls[0].id, bench.calls[1].id]);
}

#[test]
fn variables_of_an_iteration_stay_in_it() {
    let processor = inline(&json!({ "I": { "Type": "Pass", "Assign": { "own.$": "$" },
        "Parameters": { "outer.$": "$x", "item.$": "$" }, "End": true } }));
    let mut document = map(&json!({}), &processor);
    document["StartAt"] = json!("S");
    document["States"]["S"] = json!({ "Type": "Pass", "Assign": { "x": 5 }, "Next": "M" });
    let bench = Bench::new(&without_handler(document), json!([1, 2]));
    assert_eq!(bench.output(), json!([{ "outer": 5, "item": 1 }, { "outer": 5, "item": 2 }]));
}

#[test]
fn a_distributed_map_runs_child_executions_of_their_own() {
    let processor = distributed(&json!({ "I": { "Type": "Pass", "Parameters": {
        "input.$": "$$.Execution.Input", "id.$": "$$.Execution.Id", "machine.$": "$$.StateMachine.Name" },
        "End": true } }));
    let document = without_handler(map(&json!({ "Label": "L" }), &processor));
    let bench = Bench::new(&document, json!(["a", "b"]));
    let output = bench.output();
    assert_eq!(output[1]["input"], json!("b"));
    assert_eq!(output[0]["machine"], json!("m/L"));
    assert!(
        output[0]["id"].as_str().unwrap().starts_with("arn:aws:states:us-east-1:1:execution:m/L:")
    );
    assert_eq!(
        bench.types(),
        [
            ExecutionStarted,
            MapStateEntered,
            MapStateStarted,
            MapRunStarted,
            MapRunSucceeded,
            MapStateSucceeded,
            MapStateExited,
            ExecutionSucceeded
        ]
    );
    assert_eq!(bench.previous(), [0, 0, 2, 3, 4, 5, 4, 7]);
}

#[test]
fn tolerated_failures_are_told_among_the_results_and_too_many_fail_the_run() {
    let processor = distributed(&json!({ "I": task(&json!({})) }));
    let run = |more: &Value| {
        let mut bench = Bench::new(&without_handler(map(more, &processor)), json!([1, 2, 3, 4]));
        bench.fail(0, "A", "");
        if bench.execution.status() == Status::Running {
            bench.succeed(1, json!("b"));
            bench.fail(2, "A", "");
        }
        if bench.execution.status() == Status::Running {
            bench.succeed(3, json!("d"));
        }
        bench
    };
    let bench = run(&json!({ "ToleratedFailureCount": 2 }));
    // A failed child's result is told whole (developer guide, "ResultWriter (Map)").
    let results = json!([["FAILED", "A", ""], "b", ["FAILED", "A", ""], "d"]);
    let short = |bench: &Bench| -> Value {
        let output = bench.output();
        let results = output.as_array().unwrap().iter().map(|result| match result {
            Value::Object(told) => json!([told["Status"], told["Error"], told["Cause"]]),
            output => output.clone(),
        });
        results.collect()
    };
    assert_eq!(short(&bench), results);
    // Nought is not set, unless nothing is.
    for more in [
        json!({ "ToleratedFailurePercentage": 50 }),
        json!({ "ToleratedFailurePercentage": 50, "ToleratedFailureCount": 0 }),
        json!({ "ToleratedFailurePercentage": 0, "ToleratedFailureCount": 3 }),
    ] {
        assert_eq!(short(&run(&more)), results, "{more}");
    }
    for more in [
        json!({}),
        json!({ "ToleratedFailureCount": 0 }),
        json!({ "ToleratedFailureCount": 1, "ToleratedFailurePercentage": 100 }),
        json!({ "ToleratedFailureCount": 9, "ToleratedFailurePercentage": 49 }),
        json!({ "ToleratedFailureCount": 1 }),
        json!({ "ToleratedFailurePercentage": 49 }),
    ] {
        let bench = run(&more);
        assert_eq!(bench.execution.error(), Some("States.ExceedToleratedFailureThreshold"));
        assert!(bench.types().ends_with(&[MapRunFailed, MapStateFailed, ExecutionFailed]));
        assert!(bench.execution.core.tasks.is_empty());
    }
}

#[test]
fn a_runtime_error_in_a_child_execution_is_one_failed_item() {
    let processor =
        distributed(&json!({ "I": { "Type": "Pass", "InputPath": "$.a", "End": true } }));
    let document = without_handler(map(&json!({ "ToleratedFailureCount": 1 }), &processor));
    let bench = Bench::new(&document, json!([{ "a": 1 }, {}]));
    assert_eq!(bench.output()[0], 1);
    assert_eq!(bench.output()[1]["Status"], "FAILED");
    assert_eq!(bench.output()[1]["Error"], "States.Runtime");
}

#[test]
fn items_are_put_together_into_batches() {
    let processor = distributed(&json!({ "I": { "Type": "Pass", "End": true } }));
    let batcher = json!({ "ItemSelector": { "n.$": "$$.Map.Item.Value" },
        "ItemBatcher": { "MaxItemsPerBatch": 2, "BatchInput": { "who.$": "$.who" } }, "ItemsPath": "$.list" });
    let document = without_handler(map(&batcher, &processor));
    let bench = Bench::new(&document, json!({ "who": "w", "list": [1, 2, 3] }));
    assert_eq!(
        bench.output(),
        json!([
        { "Items": [{ "n": 1 }, { "n": 2 }], "BatchInput": { "who": "w" } },
        { "Items": [{ "n": 3 }], "BatchInput": { "who": "w" } }])
    );
}

/// Runs a Map with a reader over `text` and gives its output, or the cause of its failure.
fn read(config: Value, text: &str) -> Result<Value, String> {
    let reader = json!({ "ItemReader": { "Resource": "arn:aws:states:::s3:getObject",
        "Parameters": { "Bucket": "b", "Key": "k" }, "ReaderConfig": config } });
    let processor = distributed(&json!({ "I": { "Type": "Pass", "End": true } }));
    let machine = load(&without_handler(map(&reader, &processor)));
    let now = "2026-11-29T10:00:00Z".parse().unwrap();
    let mut execution = Execution::start(machine, begin(json!({})), now);
    let Some(Effect::ReadItems(call)) = execution.poll_effect() else { panic!("no reading") };
    assert_eq!(call.arguments, json!({ "Bucket": "b", "Key": "k" }));
    execution.handle_task(call.id, TaskEvent::Content { text: text.to_owned() }, now).unwrap();
    execution.output().cloned().ok_or_else(|| execution.cause().unwrap_or_default().to_owned())
}

#[test]
fn files_of_csv_json_and_json_lines_are_read() {
    let csv = json!({ "InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW" });
    let text = "\u{feff}a,b\r\n1,\"x, \"\"y\"\"\"\r\n\r\n2\n";
    assert_eq!(
        read(csv.clone(), text).unwrap(),
        json!([{ "a": "1", "b": "x, \"y\"" }, { "a": "2", "b": "" }])
    );
    assert_eq!(
        read(csv.clone(), "a,a\n1,2").unwrap_err(),
        "CSV headers cannot contain duplicates."
    );
    assert_eq!(read(csv, "").unwrap(), json!([]));
    let given = json!({ "InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["x"],
        "CSVDelimiter": "PIPE", "MaxItems": 1 });
    assert_eq!(read(given, "1|2\n3|4").unwrap(), json!([{ "x": "1" }]));
    assert_eq!(
        read(json!({ "InputType": "JSONL" }), "{\"a\":1}\n\n[2]\n").unwrap(),
        json!([{ "a": 1 }, [2]])
    );
    assert!(
        read(json!({ "InputType": "JSONL" }), "{").unwrap_err().starts_with("Line 1 is not JSON")
    );
    let pointer = json!({ "InputType": "JSON", "ItemsPointer": "/in/list" });
    assert_eq!(read(pointer, "{\"in\":{\"list\":[1]}}").unwrap(), json!([1]));
    assert_eq!(
        read(json!({ "InputType": "JSON" }), "7").unwrap_err(),
        "Attempting to map over non-iterable node."
    );
}

#[test]
fn an_objects_members_are_items_with_keys() {
    let pass = json!({ "I": { "Type": "Pass", "End": true } });
    let input = json!({ "o": { "b": 2, "a": [1] } });
    let selector = json!({ "ItemsPath": "$.o", "ItemSelector": {
        "k.$": "$$.Map.Item.Key", "v.$": "$$.Map.Item.Value", "i.$": "$$.Map.Item.Index" } });
    for processor in [inline(&pass), distributed(&pass)] {
        let document = without_handler(map(&json!({ "ItemsPath": "$.o" }), &processor));
        assert_eq!(
            Bench::new(&document, input.clone()).output(),
            json!([{ "Key": "b", "Value": 2 }, { "Key": "a", "Value": [1] }])
        );
        let document = without_handler(map(&selector, &processor));
        assert_eq!(
            Bench::new(&document, input.clone()).output(),
            json!([{ "k": "b", "v": 2, "i": 0 }, { "k": "a", "v": [1], "i": 1 }])
        );
    }
    let query = json!({ "QueryLanguage": "JSONata", "Items": "{% $states.input.o %}" });
    let document = without_handler(map(&query, &distributed(&pass)));
    assert_eq!(
        Bench::new(&document, input.clone()).output(),
        json!([{ "Key": "b", "Value": 2 }, { "Key": "a", "Value": [1] }])
    );
    let document = without_handler(map(&query, &inline(&pass)));
    let bench = Bench::new(&document, input.clone());
    assert!(bench.execution.cause().unwrap().contains("Expected 'array', but was 'object'"));
    let pointer = |at: &str| {
        let config = json!({ "InputType": "JSON", "ItemsPointer": at });
        read(config, "{\"in\":{\"x\":1,\"y\":2}}")
    };
    assert_eq!(
        pointer("/in").unwrap(),
        json!([{ "Key": "x", "Value": 1 }, { "Key": "y", "Value": 2 }])
    );
    assert_eq!(pointer("").unwrap_err(), "Attempting to map over non-iterable node.");
    assert_eq!(
        pointer("/out").unwrap_err(),
        "The provided ReaderConfig.ItemsPointer does not match any valid path in the JSON structure."
    );
}

#[test]
fn iterations_end_in_the_order_of_their_items() {
    let wait = json!({ "Type": "Wait", "Seconds": 60, "End": true });
    let processor = inline(&json!({ "I": { "Type": "Choice", "Default": "W", "Choices": [
        { "Variable": "$", "NumericEquals": 2, "Next": "T" }] }, "W": wait, "T": task(&json!({})) }));
    let mut bench = Bench::new(&without_handler(map(&json!({}), &processor)), json!([1, 2, 3]));
    bench.fail(0, "Boom", "c");
    let types = bench.types();
    let failed = types.iter().position(|kind| *kind == TaskFailed).unwrap();
    assert_eq!(
        types[failed..],
        [
            TaskFailed,
            MapIterationAborted,
            WaitStateAborted,
            MapIterationFailed,
            TaskStateAborted,
            MapIterationAborted,
            WaitStateAborted,
            MapStateFailed,
            ExecutionFailed
        ]
    );
    let last = failed as u64 + 1;
    assert_eq!(bench.previous()[failed + 1..failed + 8], [last; 7]);
}

#[test]
fn items_that_are_no_array_are_told() {
    let processor = inline(&json!({ "I": { "Type": "Pass", "End": true } }));
    for (path, told) in [("$.a", "$.a"), ("$$.Execution.Input.a", "$.Execution.Input.a")] {
        let document = without_handler(map(&json!({ "ItemsPath": path }), &processor));
        let bench = Bench::new(&document, json!({ "a": 1 }));
        assert_eq!(bench.execution.error(), Some("States.Runtime"));
        let end = format!("Reference path \"{told}\" must point to array.");
        assert!(bench.execution.cause().unwrap().ends_with(&end), "{path}");
    }
}

/// A result of 200,000 bytes.
fn large() -> Value {
    json!({ "I": { "Type": "Pass", "Result": "x".repeat(200_000), "End": true } })
}

#[test]
fn results_of_a_map_are_counted_as_they_come_and_not_when_all_are_there() {
    for processor in [inline(&large()), distributed(&large())] {
        let document = without_handler(map(&json!({ "MaxConcurrency": 1 }), &processor));
        let bench = Bench::new(&document, json!(vec![0; 1_000]));
        assert_eq!(bench.execution.error(), Some("States.DataLimitExceeded"));
        // 64 MiB are 336 such results; the others were not even begun.
        let begun = bench.types().iter().filter(|kind| **kind == MapIterationStarted).count();
        assert!(begun < 400, "{begun}");
    }
}

#[test]
fn branches_do_not_get_more_input_than_may_be_held() {
    let branch = json!({ "StartAt": "B", "States": { "B": { "Type": "Pass", "End": true } } });
    let named = |n: usize| {
        let text = branch.to_string().replace("\"B\"", &format!("\"B{n}\""));
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let branches: Vec<Value> = (0..400).map(named).collect();
    let document = states(
        "P",
        &json!({ "P": { "Type": "Parallel", "End": true,
        "ResultSelector": {}, "Branches": branches } }),
    );
    let bench = Bench::new(&document, json!("x".repeat(200_000)));
    assert_eq!(bench.execution.error(), Some("States.DataLimitExceeded"));
    assert!(!bench.types().contains(&ParallelStateStarted));
    assert_eq!(Bench::new(&document, json!("x")).output(), json!({}));
}

#[test]
fn a_turn_ends_early_when_its_states_write_much() {
    let state = |next: &str| json!({ "Type": "Pass", "Next": next });
    let mut all = json!({ "Last": { "Type": "Succeed" } });
    for n in 0..100 {
        let next = if n == 99 { "Last".to_owned() } else { format!("S{}", n + 1) };
        all[format!("S{n}")] = state(&next);
    }
    let machine = load(&states("S0", &all));
    let now: Timestamp = "2026-11-29T10:00:00Z".parse().unwrap();
    let small = Execution::start(machine.clone(), begin(json!("x")), now);
    assert_eq!(small.status(), Status::Succeeded);
    let mut large = Execution::start(machine, begin(json!("x".repeat(200_000))), now);
    assert_eq!((large.status(), large.next_deadline()), (Status::Running, Some(now)));
    assert!(large.history().len() < 40, "{}", large.history().len());
    while large.next_deadline().is_some() {
        large.handle_timeout(now);
    }
    assert_eq!(large.status(), Status::Succeeded);
}
