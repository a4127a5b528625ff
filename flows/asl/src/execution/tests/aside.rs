use super::*;
use crate::jsonata::Evaluation;
use std::time::Duration;

/// One that sets every expression aside.
fn patient(document: &Value, input: Value) -> Execution {
    paced(document, input, Duration::ZERO)
}

fn paced(document: &Value, input: Value, after: Duration) -> Execution {
    let now = "2026-11-29T10:00:00Z".parse().unwrap();
    let pace = Pace::default().with_aside_after(after);
    Execution::start_at(load(document), begin(input), now, pace)
}

/// What it asks to be evaluated; what else it asks is left out.
fn asked(execution: &mut Execution) -> Vec<Evaluation> {
    let effects = std::iter::from_fn(|| execution.poll_effect());
    effects
        .filter_map(|effect| match effect {
            Effect::Evaluate(evaluation) => Some(*evaluation),
            _ => None,
        })
        .collect()
}

fn now(execution: &Execution) -> Timestamp {
    execution.core.now
}

/// Evaluates all that it asks for, until it asks for nothing; gives how much that was.
fn evaluate_all(execution: &mut Execution) -> usize {
    let mut count = 0;
    loop {
        let evaluations = asked(execution);
        if evaluations.is_empty() {
            return count;
        }
        count += evaluations.len();
        for evaluation in evaluations {
            let at = now(execution);
            execution.handle_evaluated(evaluation.run(), at);
        }
    }
}

/// A machine of one Pass.
fn pass(output: &str) -> Value {
    let mut machine = branch("Only", output);
    machine["QueryLanguage"] = "JSONata".into();
    machine
}

fn branch(name: &str, output: &str) -> Value {
    json!({ "StartAt": name, "States": {
        name: { "Type": "Pass", "Output": output, "End": true } } })
}

#[test]
fn an_expression_that_takes_long_is_given_away_and_its_state_goes_on_with_what_came_of_it() {
    let much = "{% $count($filter([1..300000], function($n) { $n % 3 = 0 })) %}";
    let mut execution = paced(&pass(much), json!({}), Duration::from_millis(1));
    let mut evaluations = asked(&mut execution);
    assert_eq!((execution.status(), evaluations.len()), (Status::Running, 1));
    assert_eq!(execution.next_deadline(), None, "it waits for nothing else");
    let evaluated = evaluations.remove(0).run();
    let at = now(&execution);
    execution.handle_evaluated(evaluated, at);
    let whole = Execution::start(load(&pass(much)), begin(json!({})), at);
    assert_eq!(execution.status(), whole.status());
    assert_eq!(execution.history(), whole.history());
}

#[test]
fn one_without_end_fails_as_it_would_have_where_it_stood() {
    let endless = "{% ($f := function($n) { $f($n + 1) }; $f(0)) %}";
    let mut execution = paced(&pass(endless), json!({}), Duration::from_millis(5));
    assert_eq!(evaluate_all(&mut execution), 1);
    assert_eq!(execution.error(), Some("States.QueryEvaluationError"));
    let cause = execution.cause().unwrap();
    assert!(cause.contains("Expression evaluation timeout: Check for infinite loop"), "{cause}");
    assert!(!cause.contains("set aside"));
}

#[test]
fn what_fails_elsewhere_is_caught_and_what_is_short_is_not_given_away() {
    let machine = json!({ "QueryLanguage": "JSONata", "StartAt": "P", "States": {
        "P": { "Type": "Parallel", "Branches": [ branch("One", "{% $states.input.a + 'x' %}") ],
            "Catch": [{ "ErrorEquals": ["States.QueryEvaluationError"], "Next": "Q",
                "Output": "{% $states.errorOutput.Error & '!' %}" }], "End": true },
        "Q": { "Type": "Pass", "End": true } } });
    let mut here = paced(&machine, json!({ "a": 1 }), Duration::from_secs(2));
    assert_eq!(evaluate_all(&mut here), 0);
    let mut elsewhere = patient(&machine, json!({ "a": 1 }));
    // The clause of the Catch is evaluated where it stands.
    assert_eq!(evaluate_all(&mut elsewhere), 1);
    assert_eq!(elsewhere.output(), Some(&json!("States.QueryEvaluationError!")));
    assert_eq!(elsewhere.history(), here.history());
}

#[test]
fn beside_an_expression_that_is_away_the_other_branch_goes_on() {
    let machine = json!({ "QueryLanguage": "JSONata", "StartAt": "P", "States": {
        "P": { "Type": "Parallel", "End": true, "Branches": [
            branch("One", "{% $states.input.a + 1 %}"),
            { "StartAt": "W", "States": { "W": { "Type": "Wait", "Seconds": 5, "End": true } } } ],
            "Assign": { "both": "{% $count($states.result) %}" },
            "Output": "{% $states.result[0] * 10 %}" } } });
    let mut execution = patient(&machine, json!({ "a": 1 }));
    let first = asked(&mut execution);
    assert_eq!(first.len(), 1);
    let later = now(&execution).checked_add(SignedDuration::from_secs(5)).unwrap();
    assert_eq!(execution.next_deadline(), Some(later));
    execution.handle_timeout(later);
    for evaluation in first {
        execution.handle_evaluated(evaluation.run(), later);
    }
    // The state itself has its result; its fields are evaluated one after the other, once each.
    assert_eq!(execution.next_deadline(), None);
    assert_eq!(evaluate_all(&mut execution), 2);
    assert_eq!(execution.output(), Some(&json!(20)));
}

#[test]
fn after_a_restart_it_is_asked_for_again_wherever_its_state_stood() {
    let machine = json!({ "QueryLanguage": "JSONata", "StartAt": "T", "States": {
        "T": { "Type": "Task", "Resource": SEND, "TimeoutSeconds": 60,
            "Arguments": "{% {'n': $states.input.n + 1} %}",
            "Output": "{% $states.result.m + 1 %}", "Next": "W" },
        "W": { "Type": "Wait", "Seconds": "{% 1 + 1 %}", "Output": "{% $states.input + 1 %}",
            "End": true } } });
    let mut execution = patient(&machine, json!({ "n": 1 }));
    let restart = |execution: &mut Execution| {
        let evaluations = asked(execution);
        assert_eq!(evaluations.len(), 1);
        let snapshot = serde_json::from_value(json!(execution)).unwrap();
        let restored = Execution::restore(load(&machine), snapshot).unwrap();
        *execution = restored.with_pace(Pace::default().with_aside_after(Duration::ZERO));
        let at = execution.next_deadline().unwrap();
        execution.handle_timeout(at);
        evaluations
    };
    restart(&mut execution);
    // Its number is the first again.
    let mut effects = asked(&mut execution);
    let evaluated = effects.remove(0).run();
    let at = now(&execution);
    execution.handle_evaluated(evaluated, at);
    let Some(Effect::Task(call)) = execution.poll_effect() else { panic!("no task") };
    assert_eq!((call.id, &call.arguments), (TaskId(1), &json!({ "n": 2 })));
    let output = json!({ "m": 5 });
    execution.handle_task(call.id, TaskEvent::Succeeded { output }, at).unwrap();
    restart(&mut execution);
    // A task that is done has no time any more in which it would have to be.
    assert_eq!(execution.next_deadline(), None);
    assert_eq!(evaluate_all(&mut execution), 2);
    let due = execution.next_deadline().unwrap();
    execution.handle_timeout(due);
    restart(&mut execution);
    assert_eq!(evaluate_all(&mut execution), 1);
    assert_eq!(execution.output(), Some(&json!(7)));
}

#[test]
fn what_comes_when_nobody_waits_for_it_changes_nothing() {
    let machine = pass("{% 1 + 1 %}");
    let mut execution = patient(&machine, json!({}));
    let evaluated = asked(&mut execution).remove(0).run();
    let at = now(&execution);
    execution.handle_evaluated(evaluated.clone(), at);
    let told = execution.history().to_vec();
    assert_eq!(execution.status(), Status::Succeeded);
    execution.handle_evaluated(evaluated.clone(), at);
    assert_eq!(execution.history(), told);

    let mut stopped = patient(&machine, json!({}));
    stopped.stop(None, None, at);
    assert!(asked(&mut stopped).is_empty(), "an execution that has ended asks for nothing");
    stopped.handle_evaluated(evaluated, at);
    assert_eq!(stopped.status(), Status::Aborted);
}

#[test]
fn random_numbers_of_what_is_evaluated_elsewhere_are_nobody_elses() {
    let branches = [branch("One", "{% $uuid() %}"), branch("Two", "{% $uuid() %}")];
    let machine = json!({ "QueryLanguage": "JSONata", "StartAt": "P", "States": {
        "P": { "Type": "Parallel", "Branches": branches, "End": true } } });
    let mut execution = patient(&machine, json!({}));
    assert_eq!(evaluate_all(&mut execution), 2);
    let output = execution.output().unwrap();
    assert!(output[0].is_string() && output[0] != output[1], "{output}");
    let mut again = patient(&machine, json!({}));
    evaluate_all(&mut again);
    assert_eq!(again.output(), execution.output(), "the same seed gives the same");
}
