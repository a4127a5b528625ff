use super::*;

fn problem_of(resource: &str) -> Option<(Severity, String, Option<String>)> {
    let task = json!({ "Type": "Task", "Resource": format!("arn:aws:states:::aws-sdk:{resource}"),
        "End": true });
    let text = json!({ "StartAt": "A", "States": { "A": task } }).to_string();
    assert!(Machine::load_published(&text).is_ok(), "{resource}");
    let problem = Machine::validate(&text).into_iter().next()?;
    assert_eq!(problem.path, "/States/A/Resource");
    Some((problem.severity, problem.message, problem.suggestion))
}

#[test]
fn services_of_aws_sdk_are_in_lower_case_and_their_actions_in_camel_case() {
    for (resource, severity, wrong, meant) in [
        ("dynamodb:GetItem", Severity::Error, "camel case", "did you mean 'getItem'?"),
        ("dynamoDb:getItem", Severity::Error, "lower case", "did you mean 'dynamodb'?"),
        ("dynamodb:getitem", Severity::Warning, "no action 'getitem'", "did you mean 'getItem'?"),
        (
            "scheduler:createShedule",
            Severity::Warning,
            "no action",
            "did you mean 'createSchedule'?",
        ),
        (
            "shceduler:createSchedule",
            Severity::Warning,
            "not a service",
            "did you mean 'scheduler'?",
        ),
        ("stepfunctions:startExecution", Severity::Warning, "not a service", "did you mean 'sfn'?"),
    ] {
        let (told, message, suggestion) = problem_of(resource).expect(resource);
        assert_eq!((told, suggestion.as_deref()), (severity, Some(meant)), "{message}");
        assert!(message.contains(wrong), "{message}");
    }
    for resource in
        ["dynamodb:getItem", "sfn:startExecution", "sesv2:sendEmail", "rds:createDBCluster"]
    {
        assert_eq!(problem_of(resource), None, "{resource}");
    }
}

#[test]
fn what_was_probably_meant_is_said_once() {
    let pass = json!({ "Type": "Pass", "InputPath": "x.y", "Next": "B" });
    let query = json!({ "Type": "Pass", "QueryLanguage": "JSONata",
        "Output": "{% $state.input %}", "End": true });
    let text = json!({ "StartAt": "A", "States": { "A": pass, "B": query } }).to_string();
    let problems = Machine::validate(&text);
    let told: Vec<_> =
        problems.iter().map(|one| (&*one.message, one.suggestion.as_deref())).collect();
    let wanted = [
        ("'x.y': a path begins with `$` (at character 1).", Some("did you mean `$.x.y`?")),
        ("Variable '$state' is assigned nowhere.", Some("did you mean '$states'?")),
    ];
    assert!(wanted.iter().all(|one| told.contains(one)), "{told:?}");
    let marked = format!("\u{feff}{text}");
    assert!(Machine::validate(&marked)[0].message.contains("byte order mark"));
}
