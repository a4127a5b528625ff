//! Files that are no definition.

use super::*;

#[test]
fn a_file_of_another_kind_is_told_what_it_seems_to_be() {
    let good = json!({ "StartAt": "A", "States": { "A": { "Type": "Succeed" } } }).to_string();
    let told = |text: &str| {
        let problems = Machine::validate(text);
        let [problem] = problems.as_slice() else { panic!("{text}: {problems:?}") };
        assert_eq!(problem.code, Code::InvalidJsonDescription, "{text}");
        let place = (problem.line, problem.column);
        (
            place,
            format!("{} {}", problem.message, problem.suggestion.as_deref().unwrap_or_default()),
        )
    };
    let comment = format!("{{\n  // exported\n{}", &good[1..]);
    let described = json!({ "stateMachineArn": "arn", "definition": good }).to_string();
    let template = json!({ "Resources": { "M": { "Properties": { "Definition": {} } } } });
    let with = |text: &str| good.replace("Succeed", text);
    let cases = [
        ("", (1, 1), "is empty"),
        (" \n\n", (3, 1), "is empty"),
        ("<!DOCTYPE html>", (1, 1), "HTML"),
        ("# by hand\nComment: x\nStartAt: A\n", (1, 1), "YAML"),
        (&comment, (2, 3), "no comments"),
        (&good.replace("\"Succeed\"", "'Succeed'"), (1, 38), "double quotes"),
        (&good.replace("\"Succeed\"", "${Type}"), (1, 38), "filled in with"),
        (&described, (1, 1), "--query definition --output text"),
        (&json!(good).to_string(), (1, 1), "--query definition --output text"),
        (&json!("no definition").to_string(), (1, 1), "must be a JSON object."),
        (&template.to_string(), (1, 1), "CloudFormation"),
        (&with("it\\'s"), (1, 42), "write `\\\\'`"),
        (&with("C:\\x"), (1, 42), "write `\\\\` for"),
        (&with("one\n# two"), (2, 1), "line break as `\\n`"),
        (&with("one\n'two'"), (2, 1), "line break as `\\n`"),
        (&good[..good.len() - 1], (1, good.len() - 1), "not JSON: EOF"),
    ];
    for (text, place, words) in cases {
        let (at, said) = told(text);
        assert!(at == place && said.contains(words), "{text}: {at:?} {said}");
    }
    for other in ["Error: socket hang up", "http://localhost:8080/", "Error: {\"StartAt\": 1}"] {
        assert!(!told(other).1.contains("YAML"), "{other}");
    }
}
