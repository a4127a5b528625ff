//! Variables: their names, where they are seen.

use super::*;

#[test]
fn variables_have_names_and_scopes() {
    let code = "INVALID_VARIABLE";
    has(&one(json!({ "Type": "Pass", "Assign": { "1a": 1 } })), code, "/States/S/Assign/1a");
    has(
        &one(json!({ "Type": "Pass", "Assign": { "states": 1 } })),
        code,
        "/States/S/Assign/states",
    );
    let nested = |mode: Value| {
        let inner = json!({ "Type": "Pass", "End": true, "Assign": { "x": 1 } });
        json!({ "StartAt": "M", "States": {
            "M": { "Type": "Map", "Assign": { "x": 2 }, "End": true, "ItemProcessor": {
                "ProcessorConfig": mode, "StartAt": "I", "States": { "I": inner } } } } })
    };
    has(&nested(json!({ "Mode": "INLINE" })), code, "/States/M/ItemProcessor/States/I/Assign/x");
    fine(&nested(json!({ "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" })));
}

#[test]
fn variables_that_are_assigned_nowhere_are_told() {
    let inner =
        json!({ "Type": "Pass", "End": true, "Parameters": { "a.$": "$known", "b.$": "$knwon" } });
    let outer =
        json!({ "Type": "Pass", "Assign": { "known": 1 }, "Next": "P", "OutputPath": "$typo" });
    let branches = json!([{ "StartAt": "B", "States": { "B": inner } }]);
    let parallel = json!({ "Type": "Parallel", "Branches": branches, "End": true });
    let document = json!({ "StartAt": "A", "States": { "A": outer, "P": parallel } });
    let machine = Machine::load(&document.to_string()).unwrap();
    let told: Vec<_> = machine
        .warnings()
        .iter()
        .map(|one| (&*one.path, &**one.suggestion.as_ref().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("/States/A/OutputPath", "did you mean '$.typo'?"),
            ("/States/P/Branches/0/States/B/Parameters", "did you mean '$known'?"),
        ]
    );
    let query =
        |output: &str| one(json!({ "Type": "Pass", "QueryLanguage": "JSONata", "Output": output }));
    suspicious(&query("{% $nope.a %}"), "/States/S/Output");
    fine(&query("{% $states.input.a %}"));
    fine(&query("{% ($x := 1; $x) %}"));
    fine(&query("{% $sum($states.input.a) %}"));
}
