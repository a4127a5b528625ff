use super::*;
use proptest::prelude::*;

fn restored(bench: &Bench) -> Execution {
    let text = serde_json::to_string(&bench.execution).unwrap();
    let snapshot: Snapshot = serde_json::from_str(&text).unwrap();
    Execution::restore(Arc::clone(bench.execution.machine()), snapshot).unwrap()
}

#[test]
fn a_wait_is_a_deadline_and_not_a_thread() {
    let document = states("W", &json!({ "W": { "Type": "Wait", "Seconds": 90, "End": true } }));
    let mut bench = Bench::new(&document, json!({ "a": 1 }));
    assert_eq!(bench.seconds_to_deadline(), Some(90));
    bench.pass_seconds(89);
    assert_eq!(bench.execution.status(), Status::Running);
    bench.execution = restored(&bench);
    bench.pass_seconds(1);
    assert_eq!(bench.output(), json!({ "a": 1 }));
    assert_eq!(bench.execution.next_deadline(), None);
}

#[test]
fn a_machines_own_timeout_ends_whatever_it_does() {
    let mut document = states("T", &json!({ "T": task(&json!({})) }));
    document["TimeoutSeconds"] = json!(10);
    let mut bench = Bench::new(&document, json!({}));
    bench.pass_seconds(10);
    assert_eq!(bench.execution.status(), Status::TimedOut);
    assert_eq!(bench.execution.error(), Some("States.Timeout"));
    assert_eq!(bench.cancelled.len(), 1);
    // Measured on AWS: floci-io/floci#2965, as is the aborted one's below.
    let last = serde_json::to_value(bench.execution.history().last().unwrap()).unwrap();
    assert_eq!(last["type"], json!("ExecutionTimedOut"));
    assert_eq!(last["previousEventId"], json!(0));
    assert_eq!(last["executionTimedOutEventDetails"], json!({ "error": "States.Timeout" }));
}

#[test]
fn stopping_without_a_reason_tells_none() {
    let document = states("W", &json!({ "W": { "Type": "Wait", "Seconds": 9, "End": true } }));
    let mut bench = Bench::new(&document, json!({}));
    bench.execution.stop(None, None, bench.now);
    bench.poll();
    let last = serde_json::to_value(bench.execution.history().last().unwrap()).unwrap();
    assert_eq!((&last["id"], &last["previousEventId"]), (&json!(3), &json!(0)));
    assert_eq!(last["executionAbortedEventDetails"], json!({}));
}

#[test]
fn stopping_aborts_and_stopping_again_does_nothing() {
    let mut bench = Bench::new(&states("T", &json!({ "T": task(&json!({})) })), json!({}));
    for _ in 0..2 {
        bench.execution.stop(Some("Hangup".to_owned()), None, bench.now);
        bench.poll();
    }
    assert_eq!(bench.execution.status(), Status::Aborted);
    assert_eq!(bench.execution.error(), Some("Hangup"));
    assert_eq!(bench.cancelled.len(), 1);
    assert_eq!(
        bench.types().iter().filter(|kind| **kind == EventType::ExecutionAborted).count(),
        1
    );
}

#[test]
fn a_loop_gives_the_thread_back_and_ends_with_its_history() {
    let document = states("A", &json!({ "A": { "Type": "Pass", "Next": "A" } }));
    let now: Timestamp = "2026-11-29T10:00:00Z".parse().unwrap();
    let mut execution = Execution::start(load(&document), begin(json!({})), now);
    let mut turns = 0;
    let mut events = Vec::new();
    while execution.status() == Status::Running {
        assert_eq!(execution.next_deadline(), Some(now));
        events.extend(execution.take_new_history());
        execution.handle_timeout(now);
        turns += 1;
    }
    events.extend(execution.take_new_history());
    assert!(turns > 20);
    assert_eq!(events.len(), 25_000);
    assert_eq!(
        execution.cause(),
        Some("The execution reached the maximum number of history events (25000).")
    );
    assert!(events.iter().zip(1..).all(|(event, id)| event.id == id));
}

#[test]
fn time_does_not_go_backwards_in_an_execution() {
    let mut bench = Bench::new(&states("T", &json!({ "T": task(&json!({})) })), json!({}));
    bench.pass_seconds(100);
    bench.pass_seconds(-1000);
    bench.succeed(0, json!(1));
    let times: Vec<Timestamp> =
        bench.execution.history().iter().map(|event| event.timestamp).collect();
    assert!(times.is_sorted());
}

#[test]
fn a_waiting_callback_is_small_and_survives_being_written_down() {
    let mut all = serde_json::Map::new();
    for index in 0..200 {
        let next = format!("S{}", index + 1);
        all.insert(
            format!("S{index}"),
            json!({ "Type": "Pass", "Result": "x".repeat(100),
            "ResultPath": format!("$.r{}", index % 10), "Next": next }),
        );
    }
    all.insert("S200".to_owned(), task(&json!({ "Resource": SEND_AND_WAIT })));
    let mut bench = Bench::new(&states("S0", &Value::Object(all)), json!({}));
    assert_eq!(bench.execution.take_new_history().len(), 404);
    let text = serde_json::to_string(&bench.execution).unwrap();
    assert!(text.len() < 10_000, "{} bytes", text.len());
    bench.execution = restored(&bench);
    let token = bench.calls[0].task_token.clone().unwrap();
    let open: Vec<TaskId> = bench.execution.core.tasks.keys().copied().collect();
    assert_eq!(open, [bench.calls[0].id]);
    let event = TokenEvent::Success { output: json!("done") };
    bench.execution.handle_token(&token, event, bench.now).unwrap();
    assert_eq!(bench.output(), json!("done"));
    assert_eq!(bench.execution.history()[0].id, 405);
}

#[test]
fn a_task_that_had_no_answer_before_a_crash_is_asked_for_again() {
    let document = states("T", &json!({ "T": task(&json!({ "Resource": SEND_AND_WAIT })) }));
    let mut bench = Bench::new(&document, json!({ "a": 1 }));
    bench.execution = restored(&bench);
    let id = bench.calls[0].id;
    assert!(bench.execution.repeat(id) && bench.execution.repeat(id));
    bench.poll();
    assert_eq!(bench.calls.len(), 2);
    assert_eq!(bench.calls[0], bench.calls[1]);
    bench.tell(0, TaskEvent::Submitted { output: json!({}) });
    assert!(!bench.execution.repeat(id) && !bench.execution.repeat(TaskId(99)));
}

#[test]
fn a_snapshot_goes_on_with_its_own_definition_only() {
    let bench = Bench::new(&states("T", &json!({ "T": task(&json!({})) })), json!({}));
    let text = serde_json::to_string(&bench.execution).unwrap();
    let snapshot: Snapshot = serde_json::from_str(&text).unwrap();
    let other = load(&states("T", &json!({ "T": { "Type": "Succeed" } })));
    assert_eq!(Execution::restore(other, snapshot).unwrap_err(), OtherMachine);
}

#[test]
fn payloads_nested_too_deep_are_refused_before_a_snapshot_could_not_be_read() {
    let deep = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let document = states("T", &json!({ "T": task(&json!({})) }));
    let mut bench = Bench::new(&document, deep(90));
    bench.execution = restored(&bench);
    bench.succeed(0, deep(91));
    assert_eq!(bench.execution.error(), Some("States.Runtime"));
    let bench = Bench::new(&document, deep(120));
    assert_eq!(bench.execution.status(), Status::Failed);
    restored(&bench);
}

#[test]
fn what_waits_holds_no_text_of_what_its_history_has_told() {
    let hold = json!({ "Type": "Pass", "Assign": { "v.$": "$" }, "Next": "W" });
    let wait = json!({ "Type": "Wait", "Seconds": 86_400, "End": true });
    let mut bench = Bench::new(&states("P", &json!({ "P": hold, "W": wait })), json!({"a": "b"}));
    let strand = |bench: &Bench| bench.execution.strand(ROOT).unwrap().clone();
    let events = bench.execution.take_new_history();
    let exited = events.iter().find_map(|event| match &event.details {
        Some(Details::StateExited(exited)) => Some(exited),
        _ => None,
    });
    // Who looks for secrets reads some; the others are written down only.
    assert_eq!(exited.unwrap().output, r#"{"a":"b"}"#);
    let told: Vec<String> = events.iter().map(|one| serde_json::to_string(one).unwrap()).collect();
    assert_eq!(told.iter().filter(|one| one.contains(r#"{\"a\":\"b\"}"#)).count(), 4, "{told:#?}");
    let waits = strand(&bench);
    assert!(waits.frame.input.has_text() && !waits.variables.has_text());
    drop(events);
    assert!(!waits.frame.input.has_text());
    assert_eq!(waits.variables.get("v"), Some(&json!({"a": "b"})));
}

#[test]
fn loops_beside_each_other_share_the_turns() {
    let branch = |name: &str| {
        json!({ "StartAt": name, "States": {
        name: { "Type": "Pass", "Next": name } } })
    };
    let document = states(
        "P",
        &json!({ "P": { "Type": "Parallel", "End": true,
        "Branches": [branch("A"), branch("B")] } }),
    );
    let now: Timestamp = "2026-11-29T10:00:00Z".parse().unwrap();
    let execution = Execution::start(load(&document), begin(json!({})), now);
    let entered = |name: &str| {
        let text = format!("\"name\":\"{name}\"");
        let shown = execution.history().iter().map(|event| serde_json::to_string(event).unwrap());
        shown.filter(|event| event.contains(&text)).count()
    };
    assert!(entered("A").abs_diff(entered("B")) <= 2);
}

/// A random state that leads to one of `names`, or ends.
fn any_state(names: Vec<String>, depth: u32) -> BoxedStrategy<Value> {
    let next = prop::option::of(prop::sample::select(names.clone()));
    let whereto = next.prop_map(|next| match next {
        Some(next) => json!({ "Next": next }),
        None => json!({ "End": true }),
    });
    let target = prop::sample::select(names);
    let path = prop::sample::select(vec!["$", "$.a", "$.b[0]", "$$.State", "$v1", "$.list"]);
    // Flows within one another may not assign the same variable.
    let variable = format!("v{depth}.$");
    let simple = (path, target, 0..7_u8).prop_map(move |(path, target, kind)| match kind {
        0 => json!({ "Type": "Pass", "Parameters": { "a.$": path, "list": [1, 2] } }),
        1 => json!({ "Type": "Pass", "Assign": { variable.clone(): path }, "ResultPath": "$.b", "Result": [0] }),
        2 => json!({ "Type": "Wait", "Seconds": 1, "OutputPath": path }),
        3 => json!({ "Type": "Choice", "Choices": [{ "Variable": path, "IsPresent": true, "Next": target }] }),
        4 => json!({ "Type": "Task", "Resource": SEND_AND_WAIT, "TimeoutSeconds": 3,
            "Parameters": { "a.$": path }, "Retry": [{ "ErrorEquals": ["A"], "MaxAttempts": 1 }],
            "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": target, "ResultPath": "$.e" }] }),
        5 => json!({ "Type": "Fail", "ErrorPath": path }),
        _ => json!({ "Type": "Succeed", "InputPath": path }),
    });
    let state = if depth == 0 {
        simple.boxed()
    } else {
        let inner = any_flow(depth - 1);
        let nested = (inner, any::<bool>(), any::<bool>()).prop_map(|(inner, map, distributed)| {
            if !map {
                return json!({ "Type": "Parallel", "Branches": [inner] });
            }
            let mut inner = inner;
            if distributed {
                inner["ProcessorConfig"] = json!({ "Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS" });
            }
            json!({ "Type": "Map", "ItemsPath": "$.list", "MaxConcurrency": 2, "ItemProcessor": inner })
        });
        prop_oneof![3 => simple, 1 => nested].boxed()
    };
    (state, whereto)
        .prop_map(|(mut state, whereto)| {
            if ["Pass", "Wait", "Task", "Parallel", "Map"]
                .contains(&state["Type"].as_str().unwrap())
            {
                state.as_object_mut().unwrap().extend(whereto.as_object().unwrap().clone());
            }
            state
        })
        .boxed()
}

/// A random flow. Its first state can lead to each of the others, so that none is unreachable.
fn any_flow(depth: u32) -> BoxedStrategy<Value> {
    let names: Vec<String> = (0..4).map(|index| format!("{depth}-{index}")).collect();
    prop::collection::vec(any_state(names.clone(), depth), 4)
        .prop_map(move |made| {
            let mut all: serde_json::Map<String, Value> =
                names.iter().cloned().zip(made).collect();
            let rules: Vec<Value> = names
                .iter()
                .map(|name| json!({ "Variable": "$.a", "NumericLessThan": name.len(), "Next": name }))
                .collect();
            let start = format!("{depth}-start");
            let hub = json!({ "Type": "Choice", "Default": names[0], "Choices": rules });
            all.insert(start.clone(), hub);
            json!({ "StartAt": start, "States": all })
        })
        .boxed()
}

/// Gives every state of every nested flow a name of its own.
fn named_apart(flow: &mut Value, prefix: &str) {
    let rename = |name: &Value| json!(format!("{prefix}{}", name.as_str().unwrap()));
    flow["StartAt"] = rename(&flow["StartAt"]);
    let mut states = serde_json::Map::new();
    for (index, (name, state)) in flow["States"].as_object().unwrap().iter().enumerate() {
        let mut state = state.clone();
        for field in ["Next", "Default"] {
            if state.get(field).is_some() {
                state[field] = rename(&state[field]);
            }
        }
        for list in ["Choices", "Catch"] {
            for one in state.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                one["Next"] = rename(&one["Next"]);
            }
        }
        let inner = format!("{prefix}{index}.");
        if let Some(processor) = state.get_mut("ItemProcessor") {
            named_apart(processor, &inner);
        }
        for branch in state.get_mut("Branches").and_then(Value::as_array_mut).into_iter().flatten()
        {
            named_apart(branch, &inner);
        }
        states.insert(format!("{prefix}{name}"), state);
    }
    flow["States"] = Value::Object(states);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever loads, runs to an end or stands at a task; nothing panics, and a snapshot made in
    /// the middle goes on in the same way.
    #[test]
    fn random_machines_never_panic(document in any_flow(1), answers in prop::collection::vec(0..4_u8, 8)) {
        let mut document = document;
        named_apart(&mut document, "");
        let machine = Machine::load(&document.to_string());
        prop_assert!(machine.is_ok(), "{machine:#?}");
        let Ok(machine) = machine else { return Ok(()) };
        let now: Timestamp = "2026-11-29T10:00:00Z".parse().unwrap();
        let input = json!({ "a": 1, "b": [2], "list": [{ "list": [] }, 2] });
        let mut execution = Execution::start(Arc::new(machine), begin(input), now);
        let mut twin = execution.clone();
        for answer in answers {
            let text = serde_json::to_string(&execution).unwrap();
            let snapshot: Snapshot = serde_json::from_str(&text).unwrap();
            execution = Execution::restore(Arc::clone(twin.machine()), snapshot).unwrap();
            for one in [&mut execution, &mut twin] {
                step(one, answer);
            }
            prop_assert_eq!(execution.take_new_history(), twin.take_new_history());
            prop_assert_eq!(execution.next_deadline(), twin.next_deadline());
        }
        execution.stop(None, None, now);
        prop_assert!(execution.status() != Status::Running);
        prop_assert!(execution.core.tasks.is_empty());
    }

    /// No text makes the loader panic.
    #[test]
    fn hostile_definitions_never_panic(document in any_flow(2), cut in 0..4_000_usize, noise in "\\PC{0,6}") {
        let mut text = document.to_string();
        let mut at = cut % text.len();
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        text.insert_str(at, &noise);
        let _ = Machine::load(&text);
        let _ = Machine::load(&text[..at]);
    }
}

fn step(execution: &mut Execution, answer: u8) {
    let mut first = None;
    while let Some(effect) = execution.poll_effect() {
        if let Effect::Task(call) = effect {
            first = first.or(Some(call.id));
        }
    }
    let open = execution.core.tasks.keys().next().copied();
    let now = execution.next_deadline().unwrap_or(execution.core.now);
    let (error, cause) = (Some("A".to_owned()), None);
    match (first.or(open), answer) {
        (Some(id), 0) => {
            let output = json!({ "a": [1], "list": [1] });
            let _ = execution.handle_task(id, TaskEvent::Succeeded { output }, now);
        }
        (Some(id), 1) => {
            let _ = execution.handle_task(id, TaskEvent::Failed { error, cause }, now);
        }
        _ => execution.handle_timeout(now),
    }
}
