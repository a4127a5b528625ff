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
    let machine = Machine::load_published(&text).unwrap();
    assert_eq!(machine.warnings(), []);
    let broken = text.replace("?? 'none'", "+");
    assert_eq!(Machine::load_published(&broken).unwrap_err().len(), 2);
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
    assert!(Machine::load_published(&text).is_ok());
}
