use super::*;
use std::collections::BTreeMap;

/// Pointer, severity and suggestion of each problem.
fn told(document: &Value) -> Vec<(String, Severity, String)> {
    let problems = Machine::validate(&document.to_string());
    let suggested =
        |problem: Problem| (problem.path, problem.severity, problem.suggestion.unwrap_or_default());
    problems.into_iter().map(suggested).collect()
}

#[test]
fn what_a_deployment_fills_in_is_told_at_its_place() {
    let document = json!({ "StartAt": "A", "Comment": "for ${Stage}", "States": {
        "A": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": { "FunctionName": "${Function.Arn}", "Payload": { "a/b": ["${AWS::Region}"] } },
            "Next": "B",
        },
        "B": { "Type": "Pass", "Result": "costs ${ 5 } or $5, ${}", "End": true },
    } });
    assert_eq!(
        told(&document),
        [
            (
                "/States/A/Parameters/FunctionName".to_owned(),
                Severity::Warning,
                "write what `${Function.Arn}` is filled in with when it is deployed".to_owned(),
            ),
            (
                "/States/A/Parameters/Payload/a~1b/0".to_owned(),
                Severity::Warning,
                "write what `${AWS::Region}` is filled in with when it is deployed".to_owned(),
            ),
        ]
    );
    assert!(Machine::load(&document.to_string()).is_ok());
}

#[test]
fn a_mistake_where_nothing_is_filled_in_says_what_to_do() {
    for (resource, placeholder) in [
        ("${Function}", "${Function}"),
        ("arn:${AWS::Partition}:states:::lambda:invoke", "${AWS::Partition}"),
    ] {
        let state = json!({ "Type": "Task", "Resource": resource, "TimeoutSeconds": "${Timeout}" });
        let told = told(&one(state));
        let wanted = |placeholder: &str| {
            format!("write what `{placeholder}` is filled in with when it is deployed")
        };
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.iter().all(|one| one.1 == Severity::Error), "{told:?}");
        assert!(told.iter().any(|one| one.2 == wanted(placeholder)), "{told:?}");
        assert!(told.iter().any(|one| one.2 == wanted("${Timeout}")), "{told:?}");
    }
}

#[test]
fn texts_in_the_thousands_that_are_not_filled_in_are_told_of_once_each() {
    let texts: Vec<_> = (0..5_000).map(|n| format!("${{Name{n}}}")).collect();
    let choices: Vec<_> = texts.iter().map(|text| json!({ "Next": text })).collect();
    let document = json!({ "StartAt": "A", "States": {
        "A": { "Type": "Choice", "Choices": choices, "Default": "B" },
        "B": { "Type": "Pass", "Result": texts, "End": true },
    } });
    let mut by_place = BTreeMap::<_, Vec<_>>::new();
    for (path, severity, suggestion) in told(&document) {
        by_place.entry(path).or_default().push((severity, suggestion));
    }
    for (n, text) in texts.iter().enumerate() {
        let words = format!("write what `{text}` is filled in with when it is deployed");
        let next = by_place.get(&format!("/States/A/Choices/{n}/Next")).unwrap();
        assert_eq!(*next, [(Severity::Error, words.clone())]);
        let item = by_place.get(&format!("/States/B/Result/{n}")).unwrap();
        assert_eq!(*item, [(Severity::Warning, words)]);
    }
}

#[test]
fn an_expression_may_hold_any_text() {
    let state = json!({
        "Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% '${name} is ' & $states.input %}",
    });
    assert_eq!(told(&one(state)), []);
}
