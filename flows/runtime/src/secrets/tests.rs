use serde_json::json;

use super::*;

fn values(of: &[&str]) -> Values {
    let mut values = Values::default();
    of.iter().for_each(|value| values.add(value));
    values
}

#[test]
fn a_state_asks_for_a_secret_when_one_of_its_words_says_so() {
    for name in ["Ask for the PIN", "askForPin", "GetPINCode", "customer_pin", "Password", "PIN2"] {
        assert!(is_secret_state(name), "{name}");
    }
    for name in ["Ping", "Opinion", "Shopping list", "Spin", "secretary", "", "KeyPinned"] {
        assert!(!is_secret_state(name), "{name}");
    }
}

#[test]
fn a_value_is_a_secret_when_its_name_ends_so() {
    for name in ["Pin", "customerPIN", "user_password", "PinCode", "pin-number", "CVV"] {
        assert!(is_secret_name(name), "{name}");
    }
    for name in ["PinOf", "PinTries", "PinIsRight", "HasPinned", "code", ""] {
        assert!(!is_secret_name(name), "{name}");
    }
}

#[test]
fn a_secret_is_masked_in_json_within_json_and_the_json_stays_json() {
    let inner = json!({"ReceivedDigits": "80415277", "n": 80_415_277, "text": "it is 80415277."});
    let text = json!({"MessageBody": inner.to_string()}).to_string();
    let masked = values(&["80415277"]).mask_text(&text);
    assert!(!masked.contains("80415277"), "{masked}");
    let outer: Value = serde_json::from_str(&masked).unwrap();
    let inner: Value = serde_json::from_str(outer["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!(inner, json!({"ReceivedDigits": MASK, "n": MASK, "text": "it is ****."}));
}

#[test]
fn a_short_secret_is_masked_only_where_it_is_the_whole_value() {
    let masked = values(&["1"]).mask(json!({"a": "1", "b": "+15551", "c": 1, "id": "1"}));
    assert_eq!(masked, json!({"a": MASK, "b": "+15551", "c": 1, "id": "1"}));
    let both = values(&["8041", "80415277"]);
    assert_eq!(both.mask_text("x 80415277 8041"), "x **** ****");
}

/// Two states: one asks a caller for something, the other goes on with it.
fn machine(asks: &str, comment: &str, task: Value) -> Machine {
    let definition = json!({
        "QueryLanguage": "JSONata", "StartAt": asks,
        "States": {
            asks: {
                "Type": "Task", "Comment": comment,
                "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                "Arguments": {"QueueUrl": "q", "MessageBody": "{% $states.context.Task.Token %}"},
                "Assign": {"Given": "{% $states.result.ActionData.ReceivedDigits %}"},
                "Next": "Go on"
            },
            "Go on": task
        }
    });
    Machine::load(&definition.to_string()).unwrap()
}

/// What is learned from such an execution, whose caller gives these digits.
fn learned(machine: Machine, digits: &str) -> Values {
    use offhook_asl::execution::{Effect, Execution, Start, TaskEvent, TokenEvent};
    let now = jiff::Timestamp::UNIX_EPOCH;
    let start = Start {
        arn: "arn:aws:states:us-east-1:000000000000:execution:m:x".into(),
        name: "x".into(),
        role_arn: String::new(),
        machine_arn: "arn:aws:states:us-east-1:000000000000:stateMachine:m".into(),
        machine_name: "m".into(),
        input: json!({}).into(),
        seed: [7; 32],
        missing_activities: Vec::new(),
    };
    let mut execution = Execution::start(std::sync::Arc::new(machine), start, now);
    let mut secrets = Secrets::default();
    let mut learn = |execution: &mut Execution| {
        let news = execution.take_new_history();
        secrets.learn(&execution.machine().clone(), &news);
    };
    let Some(Effect::Task(call)) = execution.poll_effect() else { panic!("a task") };
    execution.handle_task(call.id, TaskEvent::Submitted { output: json!({}) }, now).unwrap();
    learn(&mut execution);
    let output = json!({"ActionData": {"Type": "SpeakAndGetDigits", "ReceivedDigits": digits}});
    let token = call.task_token.unwrap();
    execution.handle_token(&token, TokenEvent::Success { output }, now).unwrap();
    learn(&mut execution);
    secrets.values
}

#[test]
fn digits_are_a_secret_where_the_state_or_its_comment_or_what_gets_them_says_so() {
    let done = || json!({"Type": "Succeed"});
    let check = |name: &str| {
        json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true,
            "Arguments": {"FunctionName": "f", "Payload": {name: "{% $Given %}"}}})
    };
    for (asks, comment, task, secret) in [
        ("Ask for the PIN", "", done(), true),
        ("Ask", "A password of digits", done(), true),
        ("Ask", "", check("Pin"), true),
        ("Ask", "", check("Choice"), false),
        ("Menu", "Press 1 for sales", done(), false),
    ] {
        let values = learned(machine(asks, comment, task), "80415277");
        assert_eq!(!values.is_empty(), secret, "{asks} {comment}");
    }
}

#[test]
fn every_word_for_a_secret_is_found_in_any_letters_and_place() {
    for word in WORDS {
        for text in [word.to_owned(), word.to_uppercase(), format!("{{\"my{word}\":1}}")] {
            assert!(speaks_of_secrets(&text), "{text}");
        }
        assert!(!speaks_of_secrets(&word[..word.len() - 1].replace("pin", "")), "{word}");
    }
    assert!(!speaks_of_secrets("a caller says its name"));
}
