//! The expression layer against data recorded elsewhere: the sample workflow's JSONata under a
//! fixed clock, and what AWS made of Pass states. The data lies beside the project, in `shared/`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use offhook_asl::jsonata::JsonataTemplate;
use offhook_asl::template::Template;
use offhook_asl::{Entropy, Failure, Scope, Variables};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The JSON of a file in `shared/data`, or `None`, said aloud, where there is no such folder.
fn shared(file: &str) -> Option<Value> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path: Option<PathBuf> = project
        .ancestors()
        .map(|folder| folder.join("shared/data").join(file))
        .find(|path| path.exists());
    let Some(path) = path else {
        println!("NOT TESTED: there is no shared/data/{file} beside the project");
        return None;
    };
    Some(serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
}

fn scope<'a>(
    input: &'a Value,
    states: Option<&'a dyn offhook_asl::scope::Document>,
    variables: &'a Variables,
    entropy: &'a Entropy,
    now: &str,
) -> Scope<'a> {
    let context = &Value::Null;
    Scope { input, context, variables, states, now: now.parse().unwrap(), entropy }
}

fn field<'a>(vector: &'a Value, name: &str) -> Option<&'a str> {
    vector.get(name).and_then(Value::as_str)
}

#[test]
fn the_sample_workflows_jsonata_agrees_with_the_reference_under_its_clock() {
    let (Some(definition), Some(vectors)) =
        (shared("aws-sample/definition.asl.json"), shared("aws-sample/jsonata-test-vectors.json"))
    else {
        return;
    };
    let states = &definition["States"];
    let arguments = &states["Create One Time Schedule Callback"]["Arguments"];
    let vectors = vectors.as_array().unwrap();
    assert!(!vectors.is_empty());
    for vector in vectors {
        let expression = match field(vector, "expr").unwrap() {
            "InBusiness" => &states["Compute In Business"]["Assign"]["InBusiness"],
            "Target.Input" => &arguments["Target"]["Input"],
            name => &arguments[name],
        };
        let mut variables = Variables::new();
        variables.assign(
            "BusinessInfo",
            json!({"WorkingHours": vector["hours"], "OwnerPersonalPhoneNumber": "+13055550100"}),
        );
        variables.assign("Call", json!({"To": "+13055550199", "SipMediaApplicationId": "sma-1"}));
        variables.assign("CallbackNumber", json!("3055551234"));
        variables.assign("CallbackMinutes", vector["CallbackMinutes"].clone());
        let entropy = Entropy::new(0);
        let now = field(vector, "now").unwrap_or("2025-03-21T12:00:00Z");
        let scope = scope(&Value::Null, None, &variables, &entropy, now);
        let value = JsonataTemplate::parse(expression).unwrap().evaluate(&scope, "Output");
        match vector.get("error") {
            Some(_) => assert!(value.is_err(), "{vector}"),
            None => assert_eq!(value.unwrap(), vector["result"], "{vector}"),
        }
    }
}

/// A recorded text with a placeholder stands for any text.
fn agrees(value: &Value, recorded: &Value) -> bool {
    match (value, recorded) {
        (_, Value::String(text)) if text.contains('<') => true,
        (Value::Number(l), Value::Number(r)) => l.as_f64() == r.as_f64(),
        (Value::Array(l), Value::Array(r)) => {
            l.len() == r.len() && l.iter().zip(r).all(|(l, r)| agrees(l, r))
        }
        (Value::Object(l), Value::Object(r)) => {
            l.len() == r.len() && l.iter().all(|(k, l)| r.get(k).is_some_and(|r| agrees(l, r)))
        }
        (l, r) => l == r,
    }
}

/// The output of a Pass state without its input and output processing.
fn pass(state: &Value, is_jsonata: bool, input: &Value) -> Result<Value, Failure> {
    let states = json!({"input": input});
    let variables = Variables::new();
    let entropy = Entropy::new(0);
    if is_jsonata {
        let scope = scope(input, Some(&states), &variables, &entropy, "2025-03-21T12:00:00Z");
        return JsonataTemplate::parse(&state["Output"]).unwrap().evaluate(&scope, "Output");
    }
    let scope = scope(input, None, &variables, &entropy, "2025-03-21T12:00:00Z");
    Template::parse(&state["Parameters"]).unwrap().evaluate(&scope)
}

#[test]
fn single_pass_states_give_what_aws_gave() {
    let Some(cases) = shared("asl-recorded/cases.json") else { return };
    let mut tested = 0;
    for case in cases.as_array().unwrap() {
        let Some(states) = case["definition"]["States"].as_object() else { continue };
        let Some((_, state)) = states.iter().next().filter(|_| states.len() == 1) else { continue };
        let language = state.get("QueryLanguage").or(case["definition"].get("QueryLanguage"));
        let is_jsonata = language.and_then(Value::as_str) == Some("JSONata");
        let payload = if is_jsonata { "Output" } else { "Parameters" };
        let others = ["Result", "ResultPath", "InputPath", "OutputPath"];
        if state["Type"] != "Pass"
            || state.get(payload).is_none()
            || others.iter().any(|field| state.get(field).is_some())
            || state[payload].to_string().contains("context")
            || state[payload].to_string().contains("$$.")
        {
            continue;
        }
        let expected = &case["expected"];
        let output = pass(state, is_jsonata, &case["input"]);
        match output {
            Ok(output) => {
                let recorded = &expected["executionSucceededEventDetails"]["output"];
                // An output that is neither object nor array was kept as its JSON text.
                let text = recorded.as_str().and_then(|text| serde_json::from_str(text).ok());
                let recorded = text.as_ref().unwrap_or(recorded);
                assert!(agrees(&output, recorded), "{}: {output} is not {recorded}", case["id"]);
            }
            Err(failure) => {
                let recorded = &expected["executionFailedEventDetails"];
                assert_eq!(failure.error, recorded["error"], "{}", case["id"]);
                let cause = recorded["cause"].as_str().unwrap();
                let until_input =
                    |text: &str| text.split("in the input").next().unwrap().to_owned();
                assert!(
                    until_input(cause).ends_with(&until_input(&failure.cause)),
                    "{}: {failure} is not {cause}",
                    case["id"]
                );
            }
        }
        tested += 1;
    }
    assert!(tested >= 10, "only {tested} cases");
}
