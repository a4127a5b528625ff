//! What goes over the wire to and from an application.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use offhook_sma::action::*;
use offhook_sma::digits::{Collector, Verdict};
use offhook_sma::event::*;
use offhook_sma::reply::ReplyError;
use offhook_sma::session::{Script, Transaction};
use offhook_sma::{Reply, Rules, SCHEMA_VERSION};
use serde_json::json;

fn details() -> CallDetails {
    CallDetails {
        transaction_id: "23fe0cf1-fc36-4bdc-976d-3520c0a3ac86".into(),
        transaction_attributes: None,
        aws_account_id: "111122223333".into(),
        aws_region: "us-east-1".into(),
        sip_rule_id: None,
        sip_media_application_id: "8a912ad2-67aa-4852-a892-34a454d370c7".into(),
        other: Default::default(),
        participants: vec![Participant {
            other: Default::default(),
            call_id: "f06dd26d-fcaf-411e-9cdb-05ac726e1b9a".into(),
            participant_tag: LegTag::A,
            to: "+18005551212".into(),
            from: "+15551234567".into(),
            direction: Direction::Inbound,
            start_time_in_milliseconds: "1648477951790".into(),
            status: None,
            sip_headers: [("X-CallId".to_owned(), "56983520".to_owned())].into(),
        }],
    }
}

#[test]
fn the_first_event_looks_as_aws_logs_it() {
    let event = Transaction::new(details()).event(EventType::NewInboundCall, None);
    let json = serde_json::to_value(&event).unwrap();
    assert_eq!(
        json,
        json!({"SchemaVersion": "1.0", "Sequence": 1, "InvocationEventType": "NEW_INBOUND_CALL",
            "CallDetails": {"TransactionId": "23fe0cf1-fc36-4bdc-976d-3520c0a3ac86",
              "AwsAccountId": "111122223333", "AwsRegion": "us-east-1",
              "SipMediaApplicationId": "8a912ad2-67aa-4852-a892-34a454d370c7",
              "Participants": [{"CallId": "f06dd26d-fcaf-411e-9cdb-05ac726e1b9a",
                "ParticipantTag": "LEG-A", "To": "+18005551212", "From": "+15551234567",
                "Direction": "Inbound", "StartTimeInMilliseconds": "1648477951790",
                "SipHeaders": {"X-CallId": "56983520"}}]}})
    );
    assert_eq!(serde_json::from_value::<InvocationEvent>(json).unwrap(), event);
}

#[test]
fn numbers_written_as_text_are_read() {
    let reply = Reply::parse(
        json!({"SchemaVersion": "1.0", "Actions": [
            {"Type": "CallAndBridge", "Parameters": {"CallTimeoutSeconds": "20",
              "CallerIdNumber": "+15550100", "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+15550101"}]}},
            {"Type": "Pause", "Parameters": {"ParticipantTag": "LEG-A", "DurationInMilliseconds": "3000"}},
            {"Type": "Hangup", "Parameters": {"SipResponseCode": "0", "CallId": "x"}}]})
        .to_string()
        .as_bytes(),
    )
    .unwrap();
    let actions = reply.actions.unwrap();
    assert!(matches!(&actions[0], Action::CallAndBridge(c) if c.call_timeout_seconds == 20));
    assert!(matches!(&actions[1], Action::Pause(p) if p.duration_in_milliseconds == 3000));
    assert_eq!(actions[2].target().call_id.as_deref(), Some("x"));
}

#[test]
fn an_action_is_echoed_with_its_defaults() {
    let action: Action = serde_json::from_value(json!({"Type": "PlayAudio", "Parameters": {
        "AudioSource": {"Type": "S3", "BucketName": "b", "Key": "k.wav"}}}))
    .unwrap();
    let json = serde_json::to_value(ActionData::of(action)).unwrap();
    assert_eq!(
        json,
        json!({"Type": "PlayAudio", "Parameters": {"Repeat": 1,
        "AudioSource": {"Type": "S3", "BucketName": "b", "Key": "k.wav"}}})
    );
}

#[test]
fn a_reply_that_makes_no_sense_is_refused_in_the_words_of_aws() {
    assert_eq!(Reply::parse(b"null"), Err(ReplyError::Blank));
    assert_eq!(Reply::parse(b"{\"SchemaVersion\":\"2\"}"), Err(ReplyError::SchemaVersion));
    let eleven = vec![json!({"Type": "Pause", "Parameters": {"DurationInMilliseconds": 1}}); 11];
    let text = json!({"SchemaVersion": SCHEMA_VERSION, "Actions": eleven}).to_string();
    assert_eq!(Reply::parse(text.as_bytes()), Err(ReplyError::TooManyActions));
    let text = json!({"SchemaVersion": "1.0", "Actions": [{"Type": "Dance"}]}).to_string();
    assert_eq!(Reply::parse(text.as_bytes()), Err(ReplyError::UnsupportedAction("Dance".into())));
    let many: serde_json::Map<_, _> = (0..101).map(|i| (format!("k{i}"), json!("v"))).collect();
    let text = json!({"SchemaVersion": "1.0", "TransactionAttributes": many}).to_string();
    let rules = Rules::default();
    let reply = Reply::parse(text.as_bytes()).unwrap();
    assert_eq!(
        reply.check(&rules).unwrap_err().error_type(&rules),
        Some("TransactionAttributesInvalidMapSize")
    );
}

#[test]
fn one_event_ends_a_list_and_a_failure_drops_the_rest() {
    let pause =
        |ms| Action::Pause(Pause { target: Target::default(), duration_in_milliseconds: ms });
    let (mut script, rules) = (Script::default(), Rules::default());
    let told = EventType::ActionSuccessful;
    script.take(Reply::actions(vec![pause(1), pause(2), pause(3)]), told, &rules);
    assert_eq!(script.start_next().cloned(), Some(pause(1)));
    assert_eq!(script.start_next(), None);
    assert_eq!(script.succeeded(&rules), None);
    script.start_next();
    assert_eq!(script.failed(), Some(pause(2)));
    assert!(script.is_idle());
    script.take(Reply::actions(vec![pause(4)]), told, &rules);
    script.start_next();
    script.take(Reply::nothing(), told, &rules);
    assert_eq!(script.succeeded(&rules), Some(pause(4)));
}

fn prompt(min: u64, max: u64, regex: Option<&str>) -> DigitInput {
    serde_json::from_value(
        json!({"MinNumberOfDigits": min, "MaxNumberOfDigits": max, "InputDigitsRegex": regex,
        "RepeatDurationInMilliseconds": 4000, "InBetweenDigitsDurationInMilliseconds": 1000}),
    )
    .unwrap()
}

#[test]
fn digits_end_by_count_by_terminator_and_by_time() {
    let now = Instant::now();
    let mut c = Collector::for_prompt(&prompt(1, 2, None)).unwrap();
    assert_eq!(c.digit(now, '1'), Verdict::Waiting);
    assert_eq!(c.digit(now, '2'), Verdict::Accepted("12".into()));
    assert_eq!(c.digit(now, '1'), Verdict::Waiting);
    assert_eq!(c.digit(now, '#'), Verdict::Accepted("1".into()));
    c.start(now, Duration::from_secs(4));
    assert_eq!(c.expired(now + Duration::from_secs(3)), Verdict::Waiting);
    assert_eq!(c.expired(now + Duration::from_secs(4)), Verdict::Refused);
    let mut c = Collector::for_prompt(&prompt(1, 5, Some(r"^\d{2}#$"))).unwrap();
    c.digit(now, '1');
    c.digit(now, '2');
    assert_eq!(c.digit(now, '#'), Verdict::Accepted("12#".into()));
}

#[test]
fn listening_reports_what_fits_and_flushes_the_rest() {
    let now = Instant::now();
    let listen = ReceiveDigits {
        target: Target::default(),
        input_digits_regex: r"^\d{2}$".into(),
        in_between_digits_duration_in_milliseconds: 1000,
        flush_digits_duration_in_milliseconds: 5000,
    };
    let mut c = Collector::for_listening(&listen).unwrap();
    c.digit(now, '1');
    c.digit(now, '1');
    assert_eq!(c.expired(now + Duration::from_secs(1)), Verdict::Accepted("11".into()));
    c.digit(now, '9');
    assert_eq!(c.expired(now + Duration::from_secs(1)), Verdict::Waiting);
    assert_eq!(c.expired(now + Duration::from_secs(5)), Verdict::Accepted("9".into()));
}

#[test]
fn an_item_of_the_list_that_is_no_action_is_told_by_its_number() {
    for (item, wanted) in [
        (r#""Hangup""#, "Error while reading actions list. Action 2 is not an object."),
        ("null", "Error while reading actions list. Action 2 is not an object."),
        ("{}", "Error while reading actions list. Action 2 has no Type."),
        (r#"{"Type": 5}"#, "Error while reading actions list. The Type of action 2 is not text."),
    ] {
        let list = format!(r#"[{{"Type": "Hangup"}}, {item}]"#);
        let text = format!(r#"{{"SchemaVersion": "1.0", "Actions": {list}}}"#);
        assert_eq!(Reply::parse(text.as_bytes()).unwrap_err().to_string(), wanted);
    }
}

#[test]
fn an_action_without_parameters_is_one_whose_parameters_are_not_given() {
    let empty = [r#", "Parameters": null"#, r#", "Parameters": {}"#, r#", "Parameters": []"#];
    for parameters in ["", empty[0], empty[1], empty[2]] {
        let list =
            format!(r#"[{{"Type": "Hangup"{parameters}}}, {{"Type": "Speak"{parameters}}}]"#);
        let text = format!(r#"{{"SchemaVersion": "1.0", "Actions": {list}}}"#);
        let actions = Reply::parse(text.as_bytes()).unwrap().actions.unwrap();
        assert!(matches!(actions[0], Action::Hangup(_)), "{actions:?}");
        let told = actions[1].check("+15551230000").unwrap_err();
        assert_eq!(told.message, "Text is a required parameter.");
    }
}

#[test]
fn an_empty_object_may_be_written_as_an_empty_list() {
    let reply = |attributes: serde_json::Value, headers: serde_json::Value| {
        let endpoint = json!({"BridgeEndpointType": "PSTN", "Uri": "+15550101"});
        Reply::read(
            json!({"SchemaVersion": "1.0", "TransactionAttributes": attributes, "Actions": [
            {"Type": "CallAndBridge", "Parameters": {"SipHeaders": headers, "Endpoints": [endpoint]}}]}),
        )
    };
    assert_eq!(reply(json!([]), json!([])).unwrap(), reply(json!({}), json!({})).unwrap());
    assert_eq!(
        reply(json!([]), json!({})).unwrap().transaction_attributes,
        Some(Default::default())
    );
    assert!(reply(json!(["a"]), json!({})).is_err());
    let actions = reply(json!({}), json!(["X-A"])).unwrap().actions.unwrap();
    assert!(matches!(actions[0], Action::Malformed(_)), "{actions:?}");
}

#[test]
fn what_is_behind_the_point_of_a_number_does_not_count_in_a_text_either() {
    let read = |duration: serde_json::Value| {
        let pause = json!({"Type": "Pause", "Parameters": {"DurationInMilliseconds": duration}});
        let reply = Reply::read(json!({"SchemaVersion": "1.0", "Actions": [pause]})).unwrap();
        match reply.actions.unwrap().remove(0) {
            Action::Pause(pause) => Some(pause.duration_in_milliseconds),
            _ => None,
        }
    };
    for (text, number) in [("2500.5", 2500.5), (" 5.0 ", 5.0), ("-0.5", -0.5), ("1e99", 1e99)] {
        assert_eq!(read(json!(text)), read(json!(number)), "{text}");
    }
    assert_eq!(read(json!("2500.5")), Some(2500));
    for text in ["soon", "2500,5", "NaN", "inf", "-1", "1.2.3"] {
        assert_eq!(read(json!(text)), None, "{text}");
    }
}

#[test]
fn a_mailbox_a_prompt_and_a_file_may_be_numbers() {
    let read = |mailbox, name, path| {
        let reply = json!({"SchemaVersion": "1.0", "Actions": [
            {"Type": "RecordAudio", "Parameters": {"RecordingDestination":
                {"Type": "Mailbox", "Mailbox": mailbox}}},
            {"Type": "PlayAudio", "Parameters": {"AudioSource": {"Type": "Builtin", "Name": name}}},
            {"Type": "PlayAudio", "Parameters": {"AudioSource": {"Type": "File", "Path": path}}}]});
        Reply::read(reply).unwrap().actions.unwrap()
    };
    let actions = read(json!(204), json!(7), json!(12));
    assert!(matches!(actions[0], Action::RecordAudio(_)), "{actions:?}");
    assert_eq!(actions, read(json!("204"), json!("7"), json!("12")));
}

#[test]
fn an_expression_for_digits_may_look_around_and_back() {
    let now = Instant::now();
    for (regex, digits, fits) in [
        (r"^(?!911)\d{3}$", "911", false),
        (r"^(?!911)\d{3}$", "912", true),
        (r"^(\d)\1\1$", "555", true),
        (r"^(\d)\1\1$", "556", false),
        (r"^(?:(\d*)*\1)*x$", "777", false),
    ] {
        let mut collector = Collector::for_prompt(&prompt(3, 3, Some(regex))).unwrap();
        collector.start(now, Duration::from_secs(4));
        let verdict = digits.chars().map(|digit| collector.digit(now, digit)).last().unwrap();
        let wanted = if fits { Verdict::Accepted(digits.into()) } else { Verdict::Refused };
        assert_eq!(verdict, wanted, "{regex} {digits}");
    }
    assert!(Collector::for_prompt(&prompt(1, 1, Some("(?="))).is_err());
}

#[test]
fn an_expression_for_digits_is_of_a_size() {
    let refused = |regex: &str| Collector::for_prompt(&prompt(1, 1, Some(regex))).is_err();
    // Too large without looking around, and no syntax of the first engine.
    for regex in [r"^(?:\d{500}){500}$", r"^[(?=]{100000}$", r"^(?>1)$", r"^(?:1(?#=))$"] {
        assert!(refused(regex), "{regex}");
    }
    let long = |length: usize| format!("^(?!911)(?:{})$", "1".repeat(length - 13));
    assert!(!refused(&long(512)));
    assert!(refused(&long(513)));
    // Work without going back.
    for regex in [
        r"^(?:(?=)){1000000000}$",
        r"^(?:(?:(?=1)){100}){100}$",
        r"^(?=1)1{99999999999999999999999}$",
        r"^(?=(?:(?=(?:(?=\d*).)*).)*)",
    ] {
        assert!(refused(regex), "{regex}");
    }
    for regex in
        [r"^(?!911)(?=\d*5)(?:\d{3}){4}(?:\d{20}|1{128})[]})]?$", r"^(\d)\1{2,}[{]?(?<=5)$"]
    {
        assert!(!refused(regex), "{regex}");
    }
}

/// AWS's samples, which run there: sma-bridging (`CallId`), the PSTN audio workshop and lex-ivr
/// (`ParticipantTag`), voice-focus (`Enable`), and numbers that come from a table.
#[test]
fn parameters_are_read_as_awss_own_samples_write_them() {
    let reply = json!({"SchemaVersion": "1.0", "Actions": [
        {"Type": "Speak", "Parameters": {"Text": "Hello", "CallId": "", "VoiceId": "Joanna"}},
        {"Type": "Hangup", "Parameters": {"SipResponseCode": "0", "ParticipantTag": ""}},
        {"Type": "Hangup", "Parameters": {"SipResponseCode": "", "CallId": "c-1", "ParticipantTag": ""}},
        {"Type": "VoiceFocus", "Parameters": {"CallId": "c-1", "Enable": "True"}},
        {"Type": "VoiceFocus", "Parameters": {"CallId": "c-1", "Enable": "false"}},
        {"Type": "SpeakAndGetDigits", "Parameters": {"SpeechParameters": {"Text": 42, "Engine": null},
          "TerminatorDigits": "#", "MinNumberOfDigits": "", "MaxNumberOfDigits": "4",
          "Repeat": 9999, "RepeatDurationInMilliseconds": 99_999_999}},
        {"Type": "PlayAudio", "Parameters": {"PlaybackTerminators": [1, "#"],
          "AudioSource": {"Type": "S3", "BucketName": "b", "Key": "k.wav"}}},
        {"Type": "SendDigits", "Parameters": {"Digits": 4711}},
        {"Type": "CallAndBridge", "Parameters": {"CallerIdNumber": 12_065_550_123_u64,
          "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": 12_065_550_124_u64, "Arn": ""}],
          "SipHeaders": {"X-Order": 7, "X-Vip": true, "X-Empty": ""}}},
        {"Type": "Pause", "Parameters": {"DurationInMilliseconds": 1500.5}}]});
    let actions = Reply::parse(reply.to_string().as_bytes()).unwrap().actions.unwrap();
    for action in &actions {
        action.check("+12065550100").unwrap();
        assert_eq!(action.target().participant_tag, None, "{action:?}");
    }
    let given =
        |n: usize, key: &str| serde_json::to_value(&actions[n]).unwrap()["Parameters"][key].clone();
    assert_eq!((given(0, "CallId"), given(2, "CallId")), (json!(null), json!("c-1")));
    assert_eq!((given(3, "Enable"), given(4, "Enable")), (json!(true), json!(false)));
    assert_eq!(given(5, "SpeechParameters"), json!({"Text": "42"}));
    assert_eq!(
        (given(5, "TerminatorDigits"), given(5, "MinNumberOfDigits")),
        (json!(["#"]), json!(0))
    );
    assert_eq!(given(6, "PlaybackTerminators"), json!(["1", "#"]));
    assert_eq!(given(7, "Digits"), "4711");
    assert_eq!(given(9, "DurationInMilliseconds"), 1500);
    assert_eq!(given(8, "SipHeaders"), json!({"X-Order": "7", "X-Vip": "true", "X-Empty": ""}));
}

#[test]
fn what_cannot_be_meant_fails_its_action_as_before() {
    for (kind, parameters, words) in [
        ("VoiceFocus", json!({"Enable": "yes"}), "The Enable parameter is invalid."),
        ("VoiceFocus", json!({"Enable": ""}), "Enable is a required parameter."),
        ("PlayAudio", json!({"AudioSource": ""}), "Audio Source parameter value is invalid."),
        (
            "Hangup",
            json!({"ParticipantTag": "LEG-C"}),
            "CallId or ParticipantTag parameter for action is invalid",
        ),
        ("SendDigits", json!({"Digits": {}}), "The Digits parameter is invalid."),
        (
            "Pause",
            json!({"DurationInMilliseconds": ""}),
            "DurationInMilliseconds is a required parameter.",
        ),
    ] {
        let reply =
            json!({"SchemaVersion": "1.0", "Actions": [{"Type": kind, "Parameters": parameters}]});
        let actions = Reply::parse(reply.to_string().as_bytes()).unwrap().actions.unwrap();
        assert_eq!(actions[0].check("+12065550100").unwrap_err().message, words);
    }
}

#[test]
fn a_reply_in_the_wrong_clothes_is_told_what_it_seems_to_be() {
    let reading = "Error while reading actions list.";
    for (text, wanted) in [
        (r#""{\"SchemaVersion\":\"1.0\"}""#, "The response is text: return the object itself"),
        ("[]", "The response is a list and not an object."),
        ("true", "The response is not an object."),
        (r#"{"statusCode": 200, "body": "{}"}"#, "The response is one for API Gateway"),
        (r#"{"schemaVersion": "1.0"}"#, "\"schemaVersion\" is written \"SchemaVersion\"."),
    ] {
        let told = Reply::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(told.starts_with(&format!("{reading} {wanted}")), "{told}");
    }
    for good in ["\u{feff}{\"SchemaVersion\": \"1.0\"}", r#"{"SchemaVersion": 1.0}"#] {
        assert_eq!(Reply::parse(good.as_bytes()), Ok(Reply::nothing()));
    }
}
