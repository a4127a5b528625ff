use super::*;

/// A workflow of one task that hands these actions over, as JSONPath.
fn told(actions: &Value) -> Vec<(String, String)> {
    told_of(&json!({"SchemaVersion": "1.0", "Actions": actions}))
}

fn told_of(body: &Value) -> Vec<(String, String)> {
    let text = serde_json::to_string_pretty(&json!({"StartAt": "Ask", "States": {"Ask": {
        "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": true,
        "Parameters": {"QueueUrl.$": "$.QueueUrl", "MessageBody": body}}}}))
    .unwrap();
    let before = "/States/Ask/Parameters/MessageBody";
    let words = |problem: Problem| {
        assert!(problem.line > 1 && problem.severity == Severity::Warning);
        let path = problem.path.strip_prefix(before).unwrap().to_owned();
        (
            path,
            [problem.message, problem.suggestion.unwrap_or_default()].join(" ").trim().to_owned(),
        )
    };
    mistakes(&text).into_iter().map(words).collect()
}

fn one(actions: &Value) -> (String, String) {
    let mut all = told(actions);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn a_name_that_is_none_is_told_with_its_path_and_the_one_that_was_meant() {
    for (actions, path, words) in [
        (
            json!([{"Type": "Speek", "Parameters": {}}]),
            "/Actions/0/Type",
            "'Speek' is no action: the call ends did you mean 'Speak'?",
        ),
        (
            json!([{"Type": "Hangup"}, {"Type": "Speak", "Parameters": {"Text.$": "$.T", "VoiceID": "Amy"}}]),
            "/Actions/1/Parameters/VoiceID",
            "'VoiceID' is no parameter of Speak, and does nothing did you mean 'VoiceId'?",
        ),
        (
            json!([{"Type": "Hangup", "Parameter": {"SipResponseCode": "0"}}]),
            "/Actions/0/Parameter",
            "'Parameter' is no parameter of an action, and does nothing did you mean 'Parameters'?",
        ),
        (
            json!([{"Type": "SpeakAndGetDigits", "Parameters": {"RepeatDurationInMilliseconds": 1,
                "SpeechParameters": {"Text": "t", "Langauge": "en-US"}}}]),
            "/Actions/0/Parameters/SpeechParameters/Langauge",
            "'Langauge' is no parameter of SpeechParameters, and does nothing",
        ),
    ] {
        let (at, told) = one(&actions);
        assert_eq!((&*at, &*told), (path, words));
    }
}

#[test]
fn what_is_written_out_fails_as_it_would_in_the_call() {
    for (actions, words) in [
        (
            json!([{"Type": "Pause", "Parameters": {"DurationInMilliseconds": 60_000}}]),
            "Pause fails: InvalidActionParameter, The Duration parameter is invalid.",
        ),
        (
            json!([{"Type": "SpeakAndGetDigits", "Parameters": {"SpeechParameters": {"Text": "t"}}}]),
            "SpeakAndGetDigits fails: MissingRequiredActionParameter, \
             RepeatDurationInMilliseconds is a required parameter.",
        ),
        (
            json!([{"Type": "CallAndBridge", "Parameters": {"CallerIdNumber.$": "$.From", "Endpoints": [
                {"BridgeEndpointType": "PSTN", "Uri": "2065550100x"}]}}]),
            "CallAndBridge fails: InvalidActionParameter, Endpoint parameter is invalid.",
        ),
        (
            json!([{"Type": "CallAndBridge", "Parameters": {"SipHeaders": {"From.$": "$.From"},
                "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri.$": "$.To"}]}}]),
            "CallAndBridge fails: InvalidActionParameter, Invalid SIP header(s) provided: From.",
        ),
        (
            json!([{"Type": "CallAndBridge", "Parameters": {"Endpoints": [
                {"BridgeEndpointType": "PSTN", "Uri.$": "$.To"}]}}]),
            "CallAndBridge fails: InvalidActionParameter, Caller ID not defined.",
        ),
    ] {
        let (at, told) = one(&actions);
        assert_eq!((&*at, &*told), ("/Actions/0/Parameters", words));
    }
}

#[test]
fn a_message_that_is_no_reply_is_told_of() {
    let hangup = json!({"Type": "Hangup"});
    let (at, words) = told_of(&json!({"Actions": [hangup]})).remove(0);
    assert_eq!(at, "/SchemaVersion");
    assert!(words.ends_with("write \"SchemaVersion\": \"1.0\""), "{words}");
    assert_eq!(one(&json!(vec![hangup; 11])).1, "11 actions: a call takes 10 at once");
    assert_eq!(one(&json!([5])).1, "this is no action: the call ends");
    assert_eq!(one(&json!([{"Parameters": {}}])).1, "an action without a Type: the call ends");
    // As text, as `sendMessage` of the SDK integrations wants it.
    let text = json!({"SchemaVersion": "1.0", "Actions": [{"Type": "Dance"}]}).to_string();
    assert_eq!(told_of(&json!(text)).len(), 1);
}

#[test]
fn what_expressions_and_paths_put_in_its_place_is_taken_to_be_right() {
    for actions in [
        json!("{% $actions %}"),
        json!(["{% $action %}", {"Type.$": "$.Type"}, {"Type": "Pause", "Parameters.$": "$.P"}]),
        json!([{"Type": "{% $kind %}", "Parameters": {"Anything": 1}}]),
        json!([{"Type": "Speak", "Parameters": {"CallId.$": "$.Id", "Text": "{% 'Hello' %}"}}]),
        json!([{"Type": "PlayAudio", "Parameters": {"AudioSource": {"Type": "S3",
            "BucketName.$": "$.B", "Key.$": "$.K"}, "PlaybackTerminators": ["{% $key %}"]}}]),
        json!([{"Type": "CallAndBridge", "Parameters": {"Endpoints": ["{% $owner %}"]}}]),
        json!([{"Type": "CallAndBridge", "Parameters": {"Endpoints": [{"Arn.$": "$.Arn",
            "BridgeEndpointType.$": "$.Kind", "Uri": "1 2"}]}}]),
        json!([{"Type": "CallAndBridge", "Parameters": {"Endpoints": [{"Arn.$": "$.Arn",
            "BridgeEndpointType": "PSTN", "Uri.$": "$.To"}]}}]),
        json!([{"Type": "PlayAudioAndGetDigits", "Parameters": {"AudioSource": "{% $prompt %}",
            "MinNumberOfDigits.$": "$.Min", "MaxNumberOfDigits": 10,
            "RepeatDurationInMilliseconds.$": "$.Wait"}}]),
        json!([{"Type": "StartBotConversation", "Parameters": {"BotAliasArn.$": "$.Arn",
            "Configuration": {"SessionState": {"DialogAction": {"Type": "{% $type %}"}}}}}]),
    ] {
        assert_eq!(told(&actions), [], "{actions}");
    }
}

#[test]
fn what_a_deployment_fills_in_is_told_of_once_and_not_here() {
    for actions in [
        json!([{"Type": "CallAndBridge", "Parameters": {"CallerIdNumber": "${Caller}", "Endpoints": [
            {"BridgeEndpointType": "PSTN", "Uri": "${Number}"}]}}]),
        json!([{"Type": "Pause", "Parameters": {"DurationInMilliseconds": "${Wait}"}}]),
        json!([{"Type": "${Kind}", "Parameters": {"Anything": 1}}, "${Action}"]),
        json!([{"Type": "Speak", "Parameters": {"Text": "This is ${Office.Name}"}}]),
    ] {
        assert_eq!(told(&actions), [], "{actions}");
    }
    let (at, _) = one(&json!([{"Type": "Pause", "Parameters": {"DurationInMilliseconds": "${}"}}]));
    assert_eq!(at, "/Actions/0/Parameters");
}

#[test]
fn messages_for_others_and_tasks_of_other_services_are_none_of_its_business() {
    assert_eq!(told_of(&json!({"Actions": ["buy", "sell"], "Order": 5})), []);
    assert_eq!(told_of(&json!({"Actions": [{"Type": "email"}]})), []);
    assert_eq!(told_of(&json!("hello")), []);
    let other = json!({"States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish",
        "Parameters": {"MessageBody": {"SchemaVersion": "1.0", "Actions": [{"Type": "Dance"}]}}}}});
    assert_eq!(mistakes(&other.to_string()), []);
    assert_eq!(mistakes("no JSON"), []);
}

#[test]
fn the_workflow_that_comes_with_the_program_is_without_mistakes() {
    let text = include_str!("../../../workflows/business-number.asl.json");
    assert_eq!(mistakes(text), []);
}

#[test]
fn actions_that_are_no_list_are_told() {
    let one = json!({"Type": "Pause", "Parameters": {"DurationInMilliseconds": 500}});
    let path = |told: Vec<(String, String)>| told.into_iter().map(|(at, _)| at).collect::<Vec<_>>();
    for message in [
        json!({"SchemaVersion": "1.0", "Actions": one}),
        json!({"Actions": one}),
        json!({"SchemaVersion": "1.0", "Actions": "Pause"}),
        json!({"SchemaVersion": "1.0", "Actions": 5}),
    ] {
        assert_eq!(path(told_of(&message)), ["/Actions"], "{message}");
    }
    for fine in [
        json!({"SchemaVersion": "1.0", "Actions": [one]}),
        json!({"SchemaVersion": "1.0", "Actions": "{% $actions %}"}),
        json!({"Actions": {"Type": "email"}}),
        json!({"Actions": 5}),
    ] {
        assert_eq!(path(told_of(&fine)), Vec::<String>::new(), "{fine}");
    }
}
