//! Failures that people quote from AWS: how the execution ends, in AWS's words.
//!
//! Each row says where its words stand. `tiny` is github.com/gabrielmoreira/tiny-asl-machine,
//! `tests/conformance/cases/.snapshots/aws/`, recorded on AWS; `floci` github.com/floci-io/floci,
//! `AslExecutorBranchHistoryEventsTest` and `StepFunctionsIntrinsicMissingArgumentIntegrationTest`,
//! read off AWS.

use super::*;

const RUNTIME: &str = "States.Runtime";
const QUERY: &str = "States.QueryEvaluationError";

/// A machine of the one state `S`, which ends.
fn one(state: &str) -> Value {
    let mut state: Value = serde_json::from_str(state).expect(state);
    if !matches!(state["Type"].as_str(), Some("Choice" | "Fail" | "Succeed")) {
        state["End"] = true.into();
    }
    json!({ "StartAt": "S", "States": { "S": state, "H": { "Type": "Pass", "End": true } } })
}

/// How `document` fails, without the sentence that names the state.
fn end(mut document: Value, input: &str) -> (String, String) {
    let names_h = document["States"]["S"].to_string().contains("\"H\"");
    if !names_h {
        document["States"].as_object_mut().unwrap().remove("H");
    }
    let bench = Bench::new(&document, serde_json::from_str(input).expect(input));
    let error = bench.execution.error().unwrap_or("none").to_owned();
    let cause = bench.execution.cause().unwrap_or("none").to_owned();
    let opening = "An error occurred while executing the state 'S' (entered at the event id #2). ";
    (error, cause.strip_prefix(opening).map_or(cause.clone(), str::to_owned))
}

#[test]
fn a_state_of_jsonpath_fails_in_the_words_that_are_quoted_from_aws() {
    for (state, input, error, cause) in [
        // awsstudygroup.com 000047, "Check the workflow", and many others.
        (
            r#"{"Type": "Pass", "Parameters": {"address.$": "$.application.address"}}"#,
            r#"{"flagged":false}"#,
            RUNTIME,
            r#"The JSONPath '$.application.address' specified for the field 'address.$' could not be found in the input '{"flagged":false}'"#,
        ),
        // tiny: Feature.WaitValidation 006 to 009.
        (
            r#"{"Type": "Wait", "SecondsPath": "$.waitSeconds"}"#,
            r#"{"waitSeconds":{"raw":"3"}}"#,
            RUNTIME,
            r#"The SecondsPath parameter cannot be parsed as a long value: $.waitSeconds == {"raw":"3"}"#,
        ),
        (
            r#"{"Type": "Wait", "TimestampPath": "$.resumeAt"}"#,
            r#"{"resumeAt":1735689600000}"#,
            RUNTIME,
            "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: $.resumeAt == 1735689600000",
        ),
        (
            r#"{"Type": "Wait", "SecondsPath": "$.waitSeconds"}"#,
            "{}",
            RUNTIME,
            "The SecondsPath parameter does not reference an input value: $.waitSeconds",
        ),
        (
            r#"{"Type": "Wait", "TimestampPath": "$.resumeAt"}"#,
            "{}",
            RUNTIME,
            "The TimestampPath parameter does not reference an input value: $.resumeAt",
        ),
        // qiita.com/tsubasaogawa/items/4fe341bdb6ae7d2fd8ee; "agenticops"; "12Labs_v1".
        (
            r#"{"Type": "Pass", "ResultPath": "$.someTaskResult"}"#,
            r#""input1""#,
            "States.ReferencePathConflict",
            r#"Unable to apply ReferencePath $.someTaskResult to input "input1""#,
        ),
        (
            r#"{"Type": "Pass", "ResultPath": "$.aggregatedResult"}"#,
            "[1]",
            "States.ReferencePathConflict",
            r#"Unable to apply step "aggregatedResult" to input [1]"#,
        ),
        (
            r#"{"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}}"#,
            r#"{"metadata":{}}"#,
            "States.ReferencePathConflict",
            r#"Unable to apply step "items" to input {"metadata":{}}"#,
        ),
        // tiny: Choice.NumericEquals 007 and 008, Choice.IsString 009, Choice.NumericEqualsPath 004.
        (
            r#"{"Type": "Choice", "Choices": [{"Variable": "$.value", "NumericEquals": 42, "Next": "H"}], "Default": "H"}"#,
            "{}",
            RUNTIME,
            "Invalid path '$.value': The choice state's condition path references an invalid value.",
        ),
        (
            r#"{"Type": "Choice", "Choices": [{"Variable": "$.value", "IsString": true, "Next": "H"}], "Default": "H"}"#,
            "{}",
            RUNTIME,
            "Invalid path '$.value': The choice state's condition path references an invalid value.",
        ),
        (
            r#"{"Type": "Choice", "Choices": [{"Variable": "$.left", "NumericEqualsPath": "$.right", "Next": "H"}], "Default": "H"}"#,
            r#"{"left":8}"#,
            RUNTIME,
            "Invalid path '$.right': The choice state's condition path references an invalid value.",
        ),
        (
            r#"{"Type": "Choice", "Choices": [{"Variable": "$.value", "NumericEquals": 42, "Next": "H"}]}"#,
            r#"{"value":1}"#,
            RUNTIME,
            "Failed to transition out of the state. The state does not point to a next state.",
        ),
        // floci.
        (
            r#"{"Type": "Pass", "Parameters": {"v.$": "States.Format('{}', States.Format('{}', $.nope))"}}"#,
            r#"{"other":1}"#,
            RUNTIME,
            r#"The function 'States.Format('{}', States.Format('{}', $.nope))' had the following error: The JsonPath argument for the field '$.nope' could not be found in the input '{"other":1}'"#,
        ),
        (
            r#"{"Type": "Pass", "Parameters": {"v.$": "States.Format('{}', $.items[5])"}}"#,
            r#"{"items":[1,2]}"#,
            RUNTIME,
            r#"The function 'States.Format('{}', $.items[5])' had the following error: The JsonPath argument for the field '$.items[5]' could not be found in the input '{"items":[1,2]}'"#,
        ),
        (
            r#"{"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}},
                "Parameters": {"v.$": "States.Format('{}', $.nope)"}, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "H"}]}"#,
            r#"{"items":[1,2]}"#,
            RUNTIME,
            r#"The function 'States.Format('{}', $.nope)' had the following error: The JsonPath argument for the field '$.nope' could not be found in the input '{"items":[1,2]}'"#,
        ),
    ] {
        let document = one(state);
        assert_eq!(end(document, input), (error.to_owned(), cause.to_owned()), "{state}");
    }
}

#[test]
fn a_state_of_jsonata_fails_in_the_words_that_are_quoted_from_aws() {
    let task = r#"{"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sts:getCallerIdentity""#;
    for (state, input, error, cause) in [
        // tiny: Feature.JSONataErrors 001 and 002.
        (
            r#"{"Type": "Pass", "Output": "{% $states.input.doesNotExist %}"}"#.to_owned(),
            "{}",
            QUERY,
            "The JSONata expression '$states.input.doesNotExist' specified for the field 'Output' returned nothing (undefined).",
        ),
        (
            r#"{"Type": "Pass", "Output": "{% $states.input.str + $states.input.num %}"}"#
                .to_owned(),
            r#"{"str":"hello","num":5}"#,
            QUERY,
            r#"The JSONata expression '$states.input.str + $states.input.num' specified for the field 'Output' threw an error during evaluation. T2001: The left side of the "+" operator must evaluate to a number"#,
        ),
        // tiny: Feature.JSONataValidation 007 to 010.
        (
            format!(r#"{task}, "TimeoutSeconds": "{{% \"3\" %}}"}}"#),
            "{}",
            QUERY,
            r#"The JSONata expression '"3"' specified for the field 'TimeoutSeconds' returned an unexpected result type. Expected 'number', but was 'string' for value: "3""#,
        ),
        (
            format!(r#"{task}, "TimeoutSeconds": "{{% -1 %}}"}}"#),
            "{}",
            QUERY,
            "TimeoutSeconds must be between 0 and 99999999 but was: -1",
        ),
        (
            format!(r#"{task}, "TimeoutSeconds": "{{% $states.input.missing %}}"}}"#),
            "{}",
            QUERY,
            "The JSONata expression '$states.input.missing' specified for the field 'TimeoutSeconds' returned nothing (undefined).",
        ),
        (
            format!(r#"{task}, "TimeoutSeconds": "{{% 1.6 %}}"}}"#),
            "{}",
            QUERY,
            "The TimeoutSeconds field cannot be parsed as an integer: 1.6",
        ),
        // floci-io/floci#2736.
        (
            r#"{"Type": "Pass", "Output": {"v": "{% $abs(\"x\") %}"}}"#.to_owned(),
            "{}",
            QUERY,
            r#"The JSONata expression '$abs("x")' specified for the field 'Output/v' threw an error during evaluation. T0410: Argument 1 of function "abs" does not match function signature"#,
        ),
    ] {
        let mut document = one(&state);
        document["QueryLanguage"] = "JSONata".into();
        assert_eq!(end(document, input), (error.to_owned(), cause.to_owned()), "{state}");
    }
}

#[test]
fn a_loop_without_end_fails_with_its_twenty_five_thousandth_event() {
    // Quoted in floci-io/floci#2734 from AWS.
    let document = states(
        "A",
        &json!({ "A": { "Type": "Choice", "Default": "A",
        "Choices": [{ "Variable": "$.spin", "BooleanEquals": true, "Next": "A" }] } }),
    );
    let bench = Bench::new(&document, json!({ "spin": true }));
    let last = serde_json::to_value(bench.execution.history().last().unwrap()).unwrap();
    assert_eq!((&last["id"], &last["previousEventId"]), (&json!(25_000), &json!(24_999)));
    assert_eq!(
        last["executionFailedEventDetails"],
        json!({ "error": RUNTIME,
            "cause": "The execution reached the maximum number of history events (25000)." })
    );
}
