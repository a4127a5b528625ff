use super::*;

/// Each of its expressions has an operator of JSONata 2.1.
fn newer() -> Value {
    let choice = json!({ "Condition": "{% $states.input.b ?: false %}", "Next": "P" });
    json!({ "QueryLanguage": "JSONata", "StartAt": "C", "States": {
        "C": { "Type": "Choice", "Choices": [choice], "Default": "P" },
        "P": {
            "Type": "Pass",
            "Assign": { "x": "{% $states.input.a ?? 'none' %}" },
            "Output": { "a/b": [1, { "c[0]": "{% $states.input.a ?? 'none' %}" }] },
            "Next": "W",
        },
        "W": { "Type": "Wait", "Seconds": "{% $states.input.s ?: 1 %}", "End": true },
    } })
}

#[test]
fn who_brings_an_operator_of_jsonata_2_1_is_told_each_place_and_what_says_the_same() {
    let text = serde_json::to_string_pretty(&newer()).unwrap();
    let problems = Machine::load(&text).unwrap_err();
    let told: Vec<_> = problems.iter().map(|one| (&*one.path, one.suggestion.as_deref())).collect();
    let (coalesce, default) = (Some("write `$exists(a) ? a : b`"), Some("write `a ? a : b`"));
    let wanted = [
        ("/States/C/Choices/0/Condition", default),
        ("/States/P/Assign/x", coalesce),
        ("/States/P/Output/a~1b/1/c[0]", coalesce),
        ("/States/W/Seconds", default),
    ];
    assert_eq!(told.len(), wanted.len(), "{told:?}");
    assert!(wanted.iter().all(|one| told.contains(one)), "{told:?}");
    for problem in &problems {
        let line = text.lines().nth(problem.line - 1).unwrap();
        assert!(line.contains("??") || line.contains("?:"), "{line}");
        assert_eq!((problem.code, problem.severity), (Code::InvalidJsonata, Severity::Error));
        assert!(problem.message.contains("2.0.6"), "{}", problem.message);
    }
    assert_eq!(Machine::validate(&text), problems);
}

#[test]
fn a_definition_that_was_taken_in_with_such_an_operator_still_loads() {
    let text = newer().to_string();
    let machine = Machine::load_published(&text, Inherited::FromState).unwrap();
    assert_eq!(machine.warnings(), []);
    let broken = text.replace("?? 'none'", "+");
    assert_eq!(Machine::load_published(&broken, Inherited::FromState).unwrap_err().len(), 2);
}

#[test]
fn a_regular_expression_that_is_none_and_blanks_around_an_expression_are_told_and_published_ones_go_on()
 {
    let definition = json!({ "QueryLanguage": "JSONata", "StartAt": "C", "States": {
        "C": {
            "Type": "Choice",
            "Choices": [{ "Condition": " {% true %}", "Next": "P" }],
            "Default": "P",
        },
        "P": { "Type": "Pass", "Output": { "a": ["{% $match('x', /(x/) %}"] }, "Next": "W" },
        "W": { "Type": "Wait", "Seconds": "{% $contains('x', /x/g) ? 1 : 2 %} ", "End": true },
    } });
    let text = serde_json::to_string_pretty(&definition).unwrap();
    let problems = Machine::load(&text).unwrap_err();
    let told = |path: &str, wanted: &str| {
        problems.iter().any(|one| one.path == path && one.message.contains(wanted))
    };
    assert!(told("/States/C/Choices/0/Condition", "no blanks around"), "{problems:?}");
    assert!(told("/States/P/Output/a/0", "/(x/ is no regular expression"), "{problems:?}");
    assert!(told("/States/W/Seconds", "no blanks around"), "{problems:?}");
    assert!(told("/States/W/Seconds", "the flags are `i` and `m`"), "{problems:?}");
    let suggestions: Vec<_> = problems.iter().filter_map(|one| one.suggestion.as_deref()).collect();
    assert!(suggestions.contains(&"write \"{% true %}\""), "{suggestions:?}");
    assert!(Machine::load_published(&text, Inherited::FromState).is_ok());
}

#[test]
fn the_regular_expressions_of_a_whole_definition_are_bounded_and_hundreds_of_small_ones_fit() {
    // Where `#` is their number is in a pattern.
    let output = |pattern: &str, count: usize| {
        let one = |n| {
            let pattern = pattern.replace('#', &format!("{n}"));
            format!("{{% $contains('a', {pattern}) %}}")
        };
        let all = |from| -> Vec<String> { (from..from + count).map(one).collect() };
        let states = json!({
            "P": { "Type": "Pass", "Output": all(0), "Next": "Q" },
            "Q": { "Type": "Pass", "Output": all(count), "End": true },
        });
        json!({ "QueryLanguage": "JSONata", "StartAt": "P", "States": states }).to_string()
    };
    let large = output("/^a$|#[^a]{1,900}/", 40);
    let problems = Machine::load(&large).unwrap_err();
    let words = "regular expressions of the definition come to more than 33554432 bytes";
    assert!(problems.iter().all(|one| one.message.contains(words)), "{problems:?}");
    // What the first come to leaves nothing for the second state.
    let second = problems.iter().filter(|one| one.path.starts_with("/States/Q/")).count();
    assert!(second == 40 && problems.len() < 80, "{problems:?}");
    // One that was taken in before this bound still runs.
    let published = Machine::load_published(&large, Inherited::FromState).unwrap();
    let start = crate::execution::tests::begin(json!({}));
    let now = "2026-11-29T10:00:00Z".parse().unwrap();
    let mut execution = crate::Execution::start(published.into(), start, now);
    assert!(execution.poll_effect().is_none());
    assert_eq!(execution.output(), Some(&json!(vec![true; 40])), "{:?}", execution.cause());
    Machine::load(&output("/^.{1,600}$/", 20)).unwrap();
    for small in [
        r"/^\+?[0-9]{3,15}$/",
        r"/^[A-Za-z0-9_.+-]+@[A-Za-z0-9-]+\.[A-Za-z0-9.-]+$/",
        "/(yes|no|sure|please).*/i",
        r"/^(?!\+1)\+\d+/",
    ] {
        assert!(Machine::load(&output(small, 300)).is_ok(), "{small}");
    }
}

#[test]
fn what_is_taken_in_runs_alike_when_it_is_read_again_also_if_much_is_in_one_expression() {
    // Each of these comes to a mebibyte.
    let one = |n| format!("$contains('a', /^a$|{n}[^a]{{1,900}}/)");
    let all: Vec<_> = (0..6).map(one).collect();
    let output = format!("{{% [{}] %}}", all.join(", "));
    let pass = json!({ "Type": "Pass", "QueryLanguage": "JSONata", "Output": output, "End": true });
    let text = json!({ "StartAt": "P", "States": { "P": pass } }).to_string();
    let read = [
        Machine::load(&text),
        Machine::load_published(&text, Inherited::FromMachine),
        Machine::load_published(&text, Inherited::FromState),
    ];
    for machine in read {
        let start = crate::execution::tests::begin(json!({}));
        let now = "2026-11-29T10:00:00Z".parse().unwrap();
        let mut execution = crate::Execution::start(machine.unwrap().into(), start, now);
        assert!(execution.poll_effect().is_none());
        assert_eq!(execution.output(), Some(&json!(vec![true; 6])), "{:?}", execution.cause());
    }
}

pub(super) fn problems_of_state(state: &Value) -> Vec<(Severity, String, String, Option<String>)> {
    let text = json!({ "StartAt": "A", "States": { "A": state, "B": { "Type": "Succeed" } } });
    let told = |one: Problem| (one.severity, one.path, one.message, one.suggestion);
    Machine::validate(&text.to_string()).into_iter().map(told).collect()
}

#[test]
fn results_and_errors_are_refused_where_there_are_none_and_taken_where_they_are() {
    let task = |members: Value| {
        let mut task = json!({ "Type": "Task", "QueryLanguage": "JSONata", "Next": "B",
            "Resource": "arn:aws:states:::aws-sdk:s3:getObject" });
        let new = members.as_object().expect("members").clone();
        task.as_object_mut().expect("a state").extend(new);
        task
    };
    let catch = |output: &str| {
        task(json!({ "Catch": [{ "ErrorEquals": ["X"], "Next": "B", "Output": output }] }))
    };
    for (state, place) in [
        (task(json!({ "Arguments": { "A": "{% $states.result.x %}" } })), "/Arguments/A"),
        (task(json!({ "TimeoutSeconds": "{% $states.result %}" })), "/TimeoutSeconds"),
        (task(json!({ "Output": "{% $states.errorOutput.Cause %}" })), "/Output"),
        (catch("{% $states.result %}"), "/Catch/0/Output"),
    ] {
        let problems = problems_of_state(&state);
        let [(Severity::Error, path, message, Some(_))] = problems.as_slice() else {
            panic!("{state}: {problems:?}");
        };
        assert_eq!(path, &format!("/States/A{place}"), "{message}");
        assert!(message.contains("is not to be had here"), "{message}");
    }
    let both =
        json!({ "Assign": { "r": "{% $states.result %}" }, "Output": "{% $states.result %}" });
    for state in [task(both), catch("{% $states.errorOutput.Cause & $states.input.a %}")] {
        assert_eq!(problems_of_state(&state), [], "{state}");
    }
}

#[test]
fn what_is_neither_a_function_nor_a_member_of_states_is_told_with_what_was_meant() {
    for (query, message, meant) in [
        (
            "$uppercsae('x')",
            "There is no function '$uppercsae'.",
            Some("did you mean '$uppercase'?"),
        ),
        ("$eval('1')", "Step Functions has no '$eval'.", Some("'$parse' reads JSON")),
        ("$states.inptu", "There is no '$states.inptu'.", Some("did you mean '$states.input'?")),
    ] {
        let state = json!({ "Type": "Pass", "QueryLanguage": "JSONata", "Next": "B",
            "Output": { "o": format!("{{% {query} %}}") } });
        let problems = problems_of_state(&state);
        let [(Severity::Warning, path, told, suggestion)] = problems.as_slice() else {
            panic!("{query}: {problems:?}");
        };
        assert_eq!((path.as_str(), told.as_str()), ("/States/A/Output/o", message));
        assert_eq!(suggestion.as_deref(), meant);
    }
    for query in [
        "($double := function($n){ $n * 2 }; $double(2))",
        "$map([1], function($v, $i){ $string($v) })",
        "$states.input.list ~> $sum ~> $string",
        "$partition($range(1, 9, 1), 2)[0] ~> $join(',')",
    ] {
        let state = json!({ "Type": "Pass", "QueryLanguage": "JSONata", "Next": "B",
            "Output": format!("{{% {query} %}}") });
        assert_eq!(problems_of_state(&state), [], "{query}");
    }
}

#[test]
fn a_path_whose_key_does_not_say_so_is_told() {
    let parameters = json!({ "a": "$.x", "b": { "c": ["$$.State.Name"] }, "d": "$5 a month",
        "e.$": "$.x", "f": "States.Format('{}', $.x)" });
    let state = json!({ "Type": "Pass", "Parameters": parameters, "Next": "B" });
    let mut told: Vec<_> = problems_of_state(&state)
        .into_iter()
        .map(|(severity, path, _, suggestion)| (severity, path, suggestion.unwrap_or_default()))
        .collect();
    told.sort_by(|a, b| a.1.cmp(&b.1));
    let wanted = [
        ("/States/A/Parameters/a", "write \"a.$\": \"$.x\""),
        ("/States/A/Parameters/b/c/0", "'States.Array($$.State.Name)', with a key in '.$'"),
        ("/States/A/Parameters/f", "write \"f.$\": \"States.Format('{}', $.x)\""),
    ];
    let wanted = wanted.map(|(at, meant)| (Severity::Warning, at.to_owned(), meant.to_owned()));
    assert_eq!(told, wanted);
}

#[test]
fn a_choice_rule_in_the_other_query_language_is_told_as_such() {
    let rule = |rule: Value| json!({ "Type": "Choice", "Choices": [rule] });
    let condition = rule(json!({ "Condition": "{% true %}", "Next": "B" }));
    let [(Severity::Error, path, message, Some(_))] = &problems_of_state(&condition)[..] else {
        panic!("one problem is wanted");
    };
    assert_eq!(path, "/States/A/Choices/0/Condition");
    assert!(message.contains("is of JSONata"), "{message}");
    let mut variable = rule(json!({ "Variable": "$.a", "IsNull": true, "Next": "B" }));
    variable["QueryLanguage"] = json!("JSONata");
    let [(Severity::Error, path, message, Some(_))] = &problems_of_state(&variable)[..] else {
        panic!("one problem is wanted");
    };
    assert_eq!(path, "/States/A/Choices/0/Variable");
    assert!(message.contains("is of JSONPath"), "{message}");
}

#[test]
fn credentials_are_an_object_with_a_role() {
    let task = |credentials: Value| {
        json!({ "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage",
            "Credentials": credentials, "Next": "B" })
    };
    let kinds = |state: &Value| -> Vec<(Severity, String)> {
        problems_of_state(state).into_iter().map(|one| (one.0, one.1)).collect()
    };
    let at = "/States/A/Credentials".to_owned();
    assert_eq!(kinds(&task(json!("role"))), [(Severity::Error, at.clone())]);
    assert_eq!(kinds(&task(json!({ "Role": "r" }))), [(Severity::Warning, at)]);
    assert_eq!(kinds(&task(json!({ "RoleArn.$": "$.role" }))), []);
}

#[test]
fn listed_objects_are_transformed_in_the_ways_there_are() {
    let map = |action: &str, config: Value| {
        let processor = json!({ "ProcessorConfig": { "Mode": "DISTRIBUTED",
            "ExecutionType": "STANDARD" }, "StartAt": "P", "States": { "P": { "Type": "Pass",
            "End": true } } });
        json!({ "Type": "Map", "Next": "B", "ItemProcessor": processor, "ItemReader": {
            "Resource": format!("arn:aws:states:::s3:{action}"),
            "Parameters": { "Bucket": "b", "Key": "k" }, "ReaderConfig": config } })
    };
    let config = |of: &str| json!({ "InputType": "JSON", "Transformation": of });
    for (action, of) in
        [("listObjectsV2", "NONE"), ("listObjectsV2", "LOAD_AND_FLATTEN"), ("getObject", "NONE")]
    {
        assert_eq!(problems_of_state(&map(action, config(of))), [], "{action} {of}");
    }
    for (action, config, at, wanted) in [
        ("listObjectsV2", config("FLATTEN"), "/Transformation", "must be NONE or LOAD_AND_FLATTEN"),
        ("getObject", config("LOAD_AND_FLATTEN"), "/Transformation", "is for the objects that"),
        (
            "listObjectsV2",
            json!({ "Transformation": "LOAD_AND_FLATTEN" }),
            "",
            "InputType is needed",
        ),
    ] {
        let problems = problems_of_state(&map(action, config));
        let [(Severity::Error, path, message, _)] = problems.as_slice() else {
            panic!("{problems:?}");
        };
        assert_eq!(path, &format!("/States/A/ItemReader/ReaderConfig{at}"));
        assert!(message.contains(wanted), "{message}");
    }
}
