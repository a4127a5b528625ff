//! The rules of a session, one test each, with the page of AWS's guide (or the sample) that says so.
#![allow(clippy::unwrap_used)]

use offhook_sma::action::*;
use offhook_sma::event::*;
use offhook_sma::reply::{INVALID_RESPONSE, ReplyError};
use offhook_sma::rules::*;
use offhook_sma::session::{Script, Taken, Transaction};
use offhook_sma::{Reply, Rules};
use serde_json::{Map, Value, json};

fn action(kind: &str, parameters: Value) -> Action {
    serde_json::from_value(json!({"Type": kind, "Parameters": parameters})).unwrap()
}

fn pause() -> Action {
    action("Pause", json!({"DurationInMilliseconds": 1000}))
}

fn speak() -> Action {
    action("Speak", json!({"Text": "Hello", "ParticipantTag": "LEG-A"}))
}

fn hangup(leg: &str) -> Action {
    action("Hangup", json!({"ParticipantTag": leg}))
}

fn participant(tag: LegTag, status: Option<Status>) -> Participant {
    let tag_text = if tag == LegTag::A { "a" } else { "b" };
    Participant {
        call_id: format!("call-{tag_text}"),
        participant_tag: tag,
        to: "+15550100".to_owned(),
        from: "+15550101".to_owned(),
        direction: Direction::Inbound,
        start_time_in_milliseconds: "1".to_owned(),
        status,
        sip_headers: Default::default(),
        other: Map::new(),
    }
}

fn transaction(b: Option<Status>) -> Transaction {
    let mut call = Transaction::new(CallDetails {
        participants: vec![participant(LegTag::A, Some(Status::Connected))],
        ..CallDetails::default()
    });
    if b.is_some() {
        call.add_participant(participant(LegTag::B, b));
    }
    call
}

fn running(list: Vec<Action>, rules: &Rules) -> Script {
    let mut script = Script::default();
    script.take(Reply::actions(list), EventType::NewInboundCall, rules);
    script.start_next().unwrap();
    script
}

fn attributes(json: Value) -> Reply {
    Reply { transaction_attributes: json.as_object().cloned(), ..Reply::nothing() }
}

/// Logs of the samples: the first event has 1.
#[test]
fn events_are_numbered_from_one() {
    let mut call = transaction(None);
    assert_eq!(call.event(EventType::NewInboundCall, None).sequence, 1);
    assert_eq!(call.event(EventType::ActionSuccessful, None).sequence, 2);
}

/// invoke-on-call-leg: "If the SIP media application receives a NULL action set, it keeps the
/// existing actions".
#[test]
fn no_list_keeps_what_runs_and_waits() {
    let rules = Rules::default();
    let mut script = running(vec![pause(), speak()], &rules);
    let taken = script.take(Reply::nothing(), EventType::DigitsReceived, &rules);
    assert_eq!(taken, Taken::Kept);
    script.succeeded(&rules);
    assert_eq!(script.start_next(), Some(&speak()));
}

/// invoke-on-call-leg: the current action ends, then the new list replaces the old one.
#[test]
fn a_new_list_replaces_what_waits_when_the_running_action_has_ended() {
    let rules = Rules::default();
    let mut script = running(vec![speak(), pause()], &rules);
    let new = Reply::actions(vec![hangup("LEG-A")]);
    assert_eq!(script.take(new, EventType::DigitsReceived, &rules), Taken::Replaced);
    assert_eq!(script.running(), Some(&speak()));
    script.succeeded(&rules);
    assert_eq!(script.start_next(), Some(&hangup("LEG-A")));
}

/// Conflict: the workshop (an empty list keeps) against the use cases of the guide (it stops).
#[test]
fn an_empty_list_keeps_or_stops() {
    let rules = Rules::default();
    let empty = || Reply::actions(Vec::new());
    let mut script = running(vec![pause(), speak()], &rules);
    assert_eq!(script.take(empty(), EventType::DigitsReceived, &rules), Taken::Kept);
    let rules = Rules { empty_list: EmptyList::Stops, ..rules };
    assert_eq!(script.take(empty(), EventType::DigitsReceived, &rules), Taken::Interrupts);
    assert_eq!(script.interrupted(), Some(pause()));
    assert!(script.is_idle());
}

/// update-sip-call: `PlayAudio`, `RecordAudio` and `Pause` are interrupted, nothing else is.
#[test]
fn a_call_update_interrupts_what_may_be_interrupted() {
    let rules = Rules::default();
    let update = || Reply::actions(vec![hangup("LEG-A")]);
    let told = EventType::CallUpdateRequested;
    let play =
        action("PlayAudio", json!({"AudioSource": {"Type": "S3", "BucketName": "b", "Key": "k"}}));
    let record =
        action("RecordAudio", json!({"RecordingDestination": {"Type": "S3", "BucketName": "b"}}));
    for interruptible in [play, record, pause()] {
        let mut script = running(vec![interruptible.clone(), speak()], &rules);
        assert_eq!(script.take(update(), told, &rules), Taken::Interrupts);
        assert_eq!(script.interrupted(), Some(interruptible));
        assert_eq!(script.start_next(), Some(&hangup("LEG-A")));
    }
    let mut script = running(vec![speak()], &rules);
    assert_eq!(script.take(update(), told, &rules), Taken::Replaced);
    let rules = Rules { interruptible: Interruptible::SpeechToo, ..rules };
    let mut script = running(vec![speak()], &rules);
    assert_eq!(script.take(update(), told, &rules), Taken::Interrupts);
    // Another event's answer waits for the end of what runs.
    let mut script = running(vec![pause()], &rules);
    assert_eq!(script.take(update(), EventType::DigitsReceived, &rules), Taken::Replaced);
}

/// pstn-invocations: one `ACTION_SUCCESSFUL` at the end of a list, for its last action.
#[test]
fn a_list_is_reported_once_at_its_end() {
    let rules = Rules::default();
    let mut script = running(vec![speak(), pause()], &rules);
    assert_eq!(script.succeeded(&rules), None);
    script.start_next();
    assert_eq!(script.succeeded(&rules), Some(pause()));
}

/// play-audio-get-digits, join-chime-meeting, mute-unmute: "always invokes an AWS Lambda function
/// after running"; start-bot-conversation: it does "once the conversation ends". Conflict: the workshop says the same of three more.
#[test]
fn some_actions_are_reported_with_others_waiting() {
    let digits = action(
        "PlayAudioAndGetDigits",
        json!({"AudioSource": {"Type": "S3", "BucketName": "b", "Key": "k"},
            "RepeatDurationInMilliseconds": 5000}),
    );
    let record =
        action("RecordAudio", json!({"RecordingDestination": {"Type": "S3", "BucketName": "b"}}));
    let bot = action(
        "StartBotConversation",
        json!({"BotAliasArn":
            "arn:aws:lex:us-east-1:123456789012:bot-alias/ABCDEFGHIJ/TSTALIASID"}),
    );
    let workshop = Rules::default();
    let documented = Rules { mid_list: MidList::Documented, ..workshop };
    for (first, by_workshop, by_guide) in
        [(digits, true, true), (bot, true, true), (record, true, false), (speak(), false, false)]
    {
        let mut script = running(vec![first.clone(), pause()], &workshop);
        assert_eq!(script.succeeded(&workshop).is_some(), by_workshop);
        let mut script = running(vec![first, pause()], &documented);
        assert_eq!(script.succeeded(&documented).is_some(), by_guide);
    }
}

/// pstn-invocations: the actions behind a failed one are cleared.
#[test]
fn a_failure_drops_what_waits() {
    let mut script = running(vec![speak(), pause()], &Rules::default());
    assert_eq!(script.failed(), Some(speak()));
    assert!(script.is_idle());
}

/// use-create-call-api: "Any response for this event is ignored", but the meeting-dialer sample
/// keeps its attributes by it.
#[test]
fn actions_for_an_outgoing_call_that_rings_are_ignored_and_attributes_are_kept() {
    let rules = Rules::default();
    let mut call = transaction(None);
    for told in [EventType::NewOutboundCall, EventType::Ringing] {
        assert!(!call.acts_on(told, LegTag::A, &rules));
    }
    assert!(call.acts_on(EventType::CallAnswered, LegTag::A, &rules));
    call.keep_attributes(&attributes(json!({"k": "v"})), &rules);
    let event = call.event(EventType::Ringing, None);
    assert_eq!(event.call_details.transaction_attributes.unwrap()["k"], "v");
}

/// update-sip-call: `ACTION_INTERRUPTED` is for information, "ignores all actions returned".
#[test]
fn actions_for_an_interruption_are_ignored() {
    let call = transaction(None);
    assert!(!call.acts_on(EventType::ActionInterrupted, LegTag::A, &Rules::default()));
}

/// hangup: actions returned on `HANGUP` run when another participant is connected.
#[test]
fn actions_for_a_hangup_run_on_whoever_is_left() {
    let rules = Rules::default();
    let bridged = transaction(Some(Status::Connected));
    assert!(bridged.acts_on(EventType::Hangup, LegTag::A, &rules));
    assert!(bridged.acts_on(EventType::Hangup, LegTag::B, &rules));
    assert!(!transaction(None).acts_on(EventType::Hangup, LegTag::A, &rules));
    let mut over = transaction(Some(Status::Disconnected));
    over.set_status(LegTag::A, Status::Disconnected);
    // A caller who hangs up as an action ends (bedrock sample): that answer is moot too.
    assert!(!over.acts_on(EventType::ActionSuccessful, LegTag::A, &rules));
}

/// hangup against the README of the take-back sample: what follows the `HANGUP` of LEG-B.
#[test]
fn the_end_of_leg_b_is_reported_twice_or_once() {
    let rules = Rules::default();
    assert!(rules.hangup_reports_behind(LegTag::B) && !rules.hangup_reports_behind(LegTag::A));
    let once = Rules { leg_b_hangup: LegBHangup::HangupOnly, ..rules };
    assert!(!once.hangup_reports_behind(LegTag::B));
    assert!(!rules.hangup_reports_first(true));
    let diagram = Rules { sole_leg_hangup: SoleLegHangup::SuccessfulThenHangup, ..rules };
    assert!(diagram.hangup_reports_first(true) && !diagram.hangup_reports_first(false));
}

/// A leg that ends takes the list with it only when the list was busy with it.
#[test]
fn a_list_survives_the_end_of_the_other_leg() {
    let rules = Rules::default();
    let mut script = running(vec![hangup("LEG-B"), speak()], &rules);
    assert_eq!(script.hung_up(), Some(hangup("LEG-B")));
    assert_eq!(script.leg_gone(LegTag::B), None);
    assert_eq!(script.start_next(), Some(&speak()));
    assert_eq!(script.leg_gone(LegTag::A), Some(speak()));
    assert!(script.is_idle());
}

/// Conflict: transaction-attributes and the workshop (replace) against update-trans-attributes
/// (merge).
#[test]
fn attributes_replace_what_is_kept_or_are_added_to_it() {
    let (replace, merge) =
        (Rules::default(), Rules { attributes: Attributes::Merge, ..Rules::default() });
    for (rules, left) in [(replace, 1), (merge, 3)] {
        let mut call = transaction(None);
        call.keep_attributes(&attributes(json!({"a": "1", "b": "2"})), &rules);
        call.keep_attributes(&attributes(json!({"c": {"nested": 3}})), &rules);
        assert_eq!(call.details().transaction_attributes.as_ref().unwrap().len(), left);
        call.keep_attributes(&Reply::nothing(), &rules);
        assert_eq!(call.details().transaction_attributes.as_ref().unwrap().len(), left);
        call.keep_attributes(&attributes(json!({})), &rules);
        assert_eq!(call.details().transaction_attributes, None);
    }
}

/// transaction-attributes: 100 pairs and 20 KB; attribute-trans-invalid: 10, and the error's place
/// at the top of the event.
#[test]
fn too_many_attributes_are_an_invalid_response() {
    let of = |n: u32| attributes((0..n).map(|i| (format!("k{i}"), json!("v"))).collect());
    let now = Rules::default();
    let then = Rules { max_attributes: 10, ..now };
    assert_eq!(of(100).check(&now), Ok(()));
    assert_eq!(of(101).check(&now), Err(ReplyError::TooManyAttributes(100)));
    let error = of(11).check(&then).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Transaction Attributes has too many mappings. Maximum number of mappings is 10"
    );
    assert!(attributes(json!({"k": "x".repeat(21_000)})).check(&now).is_err());
    let kind = error.error_type(&then).unwrap();
    let event = transaction(None).invalid_reply(kind, &error.to_string());
    let json = serde_json::to_value(event).unwrap();
    assert_eq!(json["ErrorType"], "TransactionAttributesInvalidMapSize");
    assert_eq!(json["InvocationEventType"], "INVALID_LAMBDA_RESPONSE");
}

/// unexpected-hangups: these end the call. Which of them are `INVALID_LAMBDA_RESPONSE` is not
/// documented.
#[test]
fn replies_without_sense_end_the_call_or_are_told_of() {
    let rules = Rules::default();
    let each = Rules { invalid_reply: InvalidReply::Each, ..rules };
    for text in [
        "",
        "null",
        "[]",
        r#"{"SchemaVersion":"2.0"}"#,
        r#"{"SchemaVersion":"1.0","Actions":[{"Type":"Dance"}]}"#,
        r#"{"SchemaVersion":"1.0","Actions":[{}]}"#,
        r#"{"SchemaVersion":"1.0","Actions":"none"}"#,
        r#"{"SchemaVersion":"1.0","Actions":[]"#,
    ] {
        let error = Reply::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.error_type(&rules), None, "{text}");
        assert_eq!(error.error_type(&each), Some(INVALID_RESPONSE), "{text}");
    }
}

/// invoke-on-call-leg: ten actions.
#[test]
fn a_reply_has_ten_actions_at_most() {
    let list = |n| Reply::actions(vec![pause(); n]);
    let written = |n| serde_json::to_vec(&list(n)).unwrap();
    assert!(Reply::parse(&written(10)).is_ok());
    assert_eq!(Reply::parse(&written(11)), Err(ReplyError::TooManyActions));
    assert_eq!(list(11).check(&Rules::default()), Err(ReplyError::TooManyActions));
}

/// speak, play-audio, record-audio: they answer the call. Conflict: whether `Pause` does.
#[test]
fn sound_answers_a_call_that_rings() {
    let rules = Rules::default();
    assert!(speak().answers(&rules) && pause().answers(&rules));
    assert!(!hangup("LEG-A").answers(&rules));
    assert!(!pause().answers(&Rules { pause_answers: false, ..rules }));
}

/// Response (invoke-on-call-leg): "CallId" wins over "ParticipantTag".
#[test]
fn a_call_id_wins_over_a_tag_and_without_either_it_is_the_leg_of_the_event() {
    let call = transaction(Some(Status::Connected));
    let both = Target { call_id: Some("call-b".to_owned()), ..Target::tag(LegTag::A) };
    assert_eq!(call.resolve(&both, LegTag::A), Ok(LegTag::B));
    assert_eq!(call.resolve(&Target::default(), LegTag::B), Ok(LegTag::B));
    let left = transaction(Some(Status::Disconnected));
    assert_eq!(left.resolve(&Target::default(), LegTag::B), Ok(LegTag::A));
    assert_eq!(left.resolve(&Target::tag(LegTag::B), LegTag::A), Ok(LegTag::B));
    let unknown = Target { call_id: Some("call-x".to_owned()), ..Target::default() };
    let error = call.resolve(&unknown, LegTag::A).unwrap_err();
    assert_eq!(error.kind, "InvalidActionParameter");
    assert_eq!(error.message, "CallId or ParticipantTag parameter for action is invalid");
}

/// update-sip-call, and the README of the click-to-call sample.
#[test]
fn requests_of_the_api_carry_their_arguments() {
    let data = ActionData::request(CALL_UPDATE_REQUEST, [("digit".into(), "3".into())].into());
    assert_eq!(
        serde_json::to_value(data).unwrap(),
        json!({"Type": "CallUpdateRequest", "Parameters": {"Arguments": {"digit": "3"}}})
    );
}
