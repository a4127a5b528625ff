//! Sessions of a SIP media application on the simulated network: order of events, lists, ends;
//! updates from outside are in `updates`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use offhook_pbx::event::CallEventKind;
use offhook_sma::Rules;
use offhook_sma::rules::NothingToDo;
use offhook_tests::sim::agent::Dial;
use offhook_tests::sim::line::Line;
use offhook_tests::sim::scene::Scene;
use offhook_tests::sim::scripted::{Answer, Scripted, actions, bridge, hang_up};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

mod samples;
mod updates;

/// A number for the application.
const NUMBER: &str = "[[number]]\nmatch = \"600\"\nto = \"flow:main\"\n";

async fn scene(script: &Scripted) -> Scene {
    Scene::running(script.applications(), NUMBER).await
}

fn pause(ms: u32) -> Value {
    json!({"Type": "Pause", "Parameters": {"DurationInMilliseconds": ms.to_string()}})
}

/// A caller of the application, and the far end that it is bridged to.
async fn bridged(office: &Scene) -> (Line, Line) {
    let mut out = office.phone(101).dial(Dial::to("600"));
    let mut far = office.trunk.call().await;
    far.answer();
    out.answered().await;
    far.confirmed().await;
    (out, far)
}

fn id(event: &Value) -> String {
    event["CallDetails"]["TransactionId"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_call_may_be_refused_by_its_first_action() {
    let reject = json!({"Type": "Hangup", "Parameters": {"SipResponseCode": "486"}});
    let script = Scripted::new(vec![actions(json!([reject]))]);
    let scene = scene(&script).await;
    let mut out = scene.phone(101).dial(Dial::to("600"));
    assert_eq!(out.rejected().await.status.code(), 486);
    scene.close().await;
    assert_eq!(script.told(), ["NEW_INBOUND_CALL", "HANGUP Hangup"]);
    let events = script.events();
    assert_eq!((&events[0]["Sequence"], &events[1]["Sequence"]), (&json!(1), &json!(2)));
    assert_eq!(events[1]["ActionData"]["Parameters"]["ParticipantTag"], "LEG-A");
    let leg = |n: usize| events[n]["CallDetails"]["Participants"][0]["Status"].clone();
    assert_eq!((leg(0), leg(1)), (Value::Null, json!("Disconnected")));
}

#[tokio::test(start_paused = true)]
async fn without_an_action_it_rings_for_thirty_seconds_or_ends_at_once() {
    let script = Scripted::new(Vec::new());
    let office = scene(&script).await;
    let began = Instant::now();
    let mut out = office.phone(101).dial(Dial::to("600"));
    assert_eq!(out.rejected().await.status.code(), 480);
    assert_eq!(began.elapsed().as_secs(), 30);
    office.close().await;

    let rules = Rules { nothing_to_do: NothingToDo::HangsUp, ..Rules::default() };
    let script = Scripted::ruled(vec![actions(json!([]))], rules);
    let office = scene(&script).await;
    let began = Instant::now();
    let mut out = office.phone(101).dial(Dial::to("600"));
    assert_eq!(out.rejected().await.status.code(), 480);
    assert!(began.elapsed().as_secs() < 5);
    office.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_never_answers_costs_twenty_seconds_and_the_call() {
    let script = Scripted::new(vec![Answer::Never]);
    let office = scene(&script).await;
    let began = Instant::now();
    let mut out = office.phone(101).dial(Dial::to("600"));
    assert_eq!(out.rejected().await.status.code(), 480);
    assert_eq!(began.elapsed().as_secs(), 20);
    office.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_timeline_says_how_long_an_application_thought() {
    let reject = json!({"SchemaVersion": "1.0", "Actions": [hang_up("LEG-A")]});
    let script = Scripted::new(vec![Answer::Late(Duration::from_millis(800), reject)]);
    let office = scene(&script).await;
    let mut out = office.phone(101).dial(Dial::to("600"));
    out.rejected().await;
    let id = id(&script.nth(1).await);
    let keep = office.office.keep.clone();
    office.close().await;
    let took = keep.timeline(&id).into_iter().filter_map(|event| match event.kind {
        CallEventKind::Application { told, took_us, .. } => Some((told, took_us? / 1000)),
        _ => None,
    });
    let expected = [("NEW_INBOUND_CALL".to_owned(), 800), ("HANGUP".to_owned(), 0)];
    assert_eq!(took.collect::<Vec<_>>(), expected);
}

#[tokio::test(start_paused = true)]
async fn one_event_tells_of_a_list_with_its_last_action() {
    let list = json!([pause(100), pause(200)]);
    let script = Scripted::new(vec![actions(list), actions(json!([hang_up("LEG-A")]))]);
    let office = scene(&script).await;
    let mut out = office.phone(101).dial(Dial::to("600"));
    out.answered().await;
    out.ended().await;
    office.close().await;
    assert_eq!(script.told(), ["NEW_INBOUND_CALL", "ACTION_SUCCESSFUL Pause", "HANGUP Hangup"]);
    let done = &script.events()[1];
    let parameters = &done["ActionData"]["Parameters"];
    assert_eq!(parameters["DurationInMilliseconds"], 200);
    let leg = &done["CallDetails"]["Participants"][0];
    assert_eq!(parameters["CallId"], leg["CallId"]);
    assert_eq!(leg["Status"], "Connected");
}

#[tokio::test(start_paused = true)]
async fn an_action_that_makes_no_sense_fails_in_its_turn_and_drops_the_rest() {
    let wrong = json!({"Type": "Pause", "Parameters": {"DurationInMilliseconds": "soon"}});
    let script = Scripted::new(vec![
        actions(json!([pause(100), wrong, pause(60_000)])),
        actions(json!([{"Type": "Pause", "Parameters": {"DurationInMilliseconds": 5,
            "CallId": "nobody"}}])),
        actions(json!([hang_up("LEG-A")])),
    ]);
    let office = scene(&script).await;
    let mut out = office.phone(101).dial(Dial::to("600"));
    out.ended().await;
    office.close().await;
    let events = script.events();
    let data = |n: usize| events[n]["ActionData"].clone();
    assert_eq!(events[1]["InvocationEventType"], "ACTION_FAILED");
    assert_eq!(data(1)["ErrorType"], "InvalidActionParameter");
    assert_eq!(data(1)["ErrorMessage"], "The Duration parameter is invalid.");
    assert_eq!(data(1)["Parameters"]["DurationInMilliseconds"], "soon");
    let text = "CallId or ParticipantTag parameter for action is invalid";
    assert_eq!(data(2)["ErrorMessage"], text);
    assert_eq!(events.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_possible_here_fails_and_says_so() {
    let of =
        |kind: &str, parameters: Value| actions(json!([{"Type": kind, "Parameters": parameters}]));
    let script = Scripted::new(vec![
        of(
            "StartBotConversation",
            json!({"BotAliasArn": "arn:aws:lex:us-east-1:123456789012:bot-alias/ABCDEFGHIH/MNOPQRSTUV"}),
        ),
        of("JoinChimeMeeting", json!({"JoinToken": "t", "MeetingId": "m"})),
        of(
            "ModifyChimeMeetingAttendees",
            json!({"Operation": "Mute", "MeetingId": "m", "AttendeeList": ["a"]}),
        ),
        of("StopCallRecording", json!({})),
        actions(json!([{"Type": "Hangup", "Parameters": {"SipResponseCode": 486}}])),
    ]);
    let office = scene(&script).await;
    let mut out = office.phone(101).dial(Dial::to("600"));
    // It was never answered for them.
    assert_eq!(out.rejected().await.status.code(), 486);
    office.close().await;
    let events = script.events();
    for (n, kind) in [
        (1, "SystemException"),
        (2, "SystemException"),
        (3, "InvalidActionParameter"),
        (4, "SystemException"),
    ] {
        assert_eq!(events[n]["InvocationEventType"], "ACTION_FAILED");
        assert_eq!(events[n]["ActionData"]["ErrorType"], kind, "{}", events[n]);
    }
    let text = "Call is not connected to Chime Meeting.";
    assert_eq!(events[3]["ActionData"]["ErrorMessage"], text);
}

#[tokio::test(start_paused = true)]
async fn noise_is_taken_out_of_a_leg_that_is_there() {
    let focus = |enable: bool, leg: &str| {
        actions(json!([{"Type": "VoiceFocus",
            "Parameters": {"Enable": enable, "ParticipantTag": leg}}]))
    };
    let script = Scripted::new(vec![
        actions(json!([{"Type": "Pause", "Parameters": {"DurationInMilliseconds": 1000}}])),
        focus(true, "LEG-A"),
        focus(false, "LEG-A"),
        focus(true, "LEG-B"),
        actions(json!([{"Type": "Hangup", "Parameters": {"SipResponseCode": 0}}])),
    ]);
    let office = scene(&script).await;
    let mut out = office.phone(101).dial(Dial::to("600"));
    out.ended().await;
    office.close().await;
    let events = script.events();
    for (n, enable) in [(2, true), (3, false)] {
        assert_eq!(events[n]["InvocationEventType"], "ACTION_SUCCESSFUL", "{}", events[n]);
        let data = &events[n]["ActionData"];
        assert_eq!(
            (&data["Type"], &data["Parameters"]["Enable"]),
            (&json!("VoiceFocus"), &json!(enable))
        );
    }
    assert_eq!(events[4]["InvocationEventType"], "ACTION_FAILED", "there is no LEG-B");
}

#[tokio::test(start_paused = true)]
async fn attributes_that_are_too_many_are_told_and_the_call_goes_on() {
    let many: serde_json::Map<_, _> = (0..101).map(|n| (format!("k{n}"), json!("v"))).collect();
    let script = Scripted::new(vec![
        Answer::Json(json!({"SchemaVersion": "1.0", "TransactionAttributes": {"a": "1"},
            "Actions": [pause(100)]})),
        Answer::Json(json!({"SchemaVersion": "1.0", "TransactionAttributes": many})),
        actions(json!([hang_up("LEG-A")])),
    ]);
    let office = scene(&script).await;
    let mut out = office.phone(101).dial(Dial::to("600"));
    out.answered().await;
    out.ended().await;
    office.close().await;
    let invalid = &script.events()[2];
    assert_eq!(invalid["InvocationEventType"], "INVALID_LAMBDA_RESPONSE");
    assert_eq!(invalid["ErrorType"], "TransactionAttributesInvalidMapSize");
    assert_eq!(invalid["CallDetails"]["TransactionAttributes"], json!({"a": "1"}));
    assert_eq!(invalid["ActionData"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_reply_without_sense_ends_the_call() {
    for nonsense in [
        json!(null),
        json!({"SchemaVersion": "3"}),
        json!({"SchemaVersion": "1.0",
        "Actions": [{"Type": "Dance"}]}),
    ] {
        let script = Scripted::new(vec![Answer::Json(nonsense)]);
        let office = scene(&script).await;
        let mut out = office.phone(101).dial(Dial::to("600"));
        assert_eq!(out.rejected().await.status.code(), 480);
        office.close().await;
    }
    let script = Scripted::new(vec![Answer::Fails]);
    let office = scene(&script).await;
    let mut out = office.phone(101).dial(Dial::to("600"));
    assert_eq!(out.rejected().await.status.code(), 480);
    office.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_invocations_and_no_more() {
    let script = Scripted::endless(vec![actions(json!([pause(1)]))]);
    let office = scene(&script).await;
    let mut out = office.phone(101).dial(Dial::to("600"));
    out.answered().await;
    out.ended().await;
    office.close().await;
    assert_eq!(script.events().len(), 1000);
}

#[tokio::test(start_paused = true)]
async fn digits_are_reported_beside_what_runs() {
    let listen = json!({"Type": "ReceiveDigits", "Parameters": {"ParticipantTag": "LEG-A",
        "InputDigitsRegex": "^\\d{2}#$", "InBetweenDigitsDurationInMilliseconds": 1000,
        "FlushDigitsDurationInMilliseconds": 10000}});
    let script = Scripted::new(vec![
        actions(json!([pause(100), listen])),
        actions(json!([pause(30_000)])),
        Answer::Nothing,
        Answer::Nothing,
        actions(json!([hang_up("LEG-A")])),
    ]);
    let office = scene(&script).await;
    let mut out = office.phone(101).dial(Dial::to("600"));
    out.answered().await;
    script.nth(2).await;
    for key in ['1', '1', '#'] {
        out.press(key);
        sleep(Duration::from_millis(300)).await;
    }
    let event = script.nth(3).await;
    assert_eq!(event["InvocationEventType"], "DIGITS_RECEIVED");
    let data = &event["ActionData"];
    assert_eq!((&data["Type"], &data["ReceivedDigits"]), (&json!("ReceiveDigits"), &json!("11#")));
    assert_eq!(data["Parameters"]["InputDigitsRegex"], "^\\d{2}#$");
    assert_eq!(data["Parameters"]["FlushDigitsDurationInMilliseconds"], 10_000);
    // What does not fit goes to the application ten seconds after its first digit.
    let began = Instant::now();
    out.press('7');
    let event = script.nth(4).await;
    assert_eq!(event["ActionData"]["ReceivedDigits"], "7");
    assert_eq!(began.elapsed().as_secs(), 10);
    out.ended().await;
    office.close().await;
    // Arming it was an action of its own; the pause went on all the time.
    assert_eq!(script.told()[1], "ACTION_SUCCESSFUL ReceiveDigits");
    assert_eq!(script.events()[1]["ActionData"]["ReceivedDigits"], "");
    assert_eq!(script.told()[4], "ACTION_SUCCESSFUL Pause");
}

#[tokio::test(start_paused = true)]
async fn a_number_of_the_voice_connector_that_leads_to_a_phone_here_rings_it() {
    let bridge = |user: &str| {
        json!({"Type": "CallAndBridge", "Parameters": {"CallTimeoutSeconds": 30,
            "CallerIdNumber": "+15551234567", "Endpoints": [{"BridgeEndpointType": "AWS",
            "Arn": "arn:aws:chime:us-east-1:111122223333:vc/abcdefghijklmnopqrstuv",
            "Uri": user}]}})
    };
    let numbers = "[[number]]\nmatch = \"+15550100300\"\nfrom = \"trunks\"\nto = \"extension:102\"\n\
        [[number]]\nmatch = \"+15550100400\"\nfrom = \"phones\"\nto = \"extension:102\"\n";
    for (user, here) in [("+15550100300", true), ("102", true), ("+15550100400", false)] {
        let script = Scripted::new(vec![actions(json!([bridge(user)]))]);
        let office = Scene::running(script.applications(), &format!("{NUMBER}{numbers}")).await;
        let mut out = office.phone(101).dial(Dial::to("600"));
        let target = if here { office.phone(102) } else { &office.trunk };
        let mut line = target.call().await;
        line.answer();
        out.answered().await;
        line.confirmed().await;
        out.hang_up();
        line.ended().await;
        office.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_caller_hangs_up_the_other_leg_stays_for_the_actions_that_come() {
    let script = Scripted::new(vec![
        actions(json!([bridge("+15557770000")])),
        Answer::Nothing,
        actions(json!([{"Type": "Pause", "Parameters": {"DurationInMilliseconds": 3000,
            "ParticipantTag": "LEG-B"}}, hang_up("LEG-B")])),
    ]);
    let office = scene(&script).await;
    let (out, mut far) = bridged(&office).await;
    script.nth(2).await;
    let began = Instant::now();
    out.hang_up();
    far.ended().await;
    assert_eq!(began.elapsed().as_secs(), 3);
    office.close().await;
    let told = script.told();
    assert_eq!(told[2..], ["HANGUP Hangup", "HANGUP Hangup"]);
    assert_eq!(script.events()[3]["ActionData"]["Parameters"]["ParticipantTag"], "LEG-B");
}

#[tokio::test(start_paused = true)]
async fn a_list_goes_on_behind_the_end_of_leg_b() {
    let script = Scripted::new(vec![actions(json!([
        bridge("+15557770000"),
        hang_up("LEG-B"),
        pause(1000),
        hang_up("LEG-A")
    ]))]);
    let office = scene(&script).await;
    let mut out = office.phone(101).dial(Dial::to("600"));
    let mut far = office.trunk.call().await;
    far.answer();
    out.answered().await;
    far.ended().await;
    let began = Instant::now();
    out.ended().await;
    assert_eq!(began.elapsed().as_secs(), 1);
    office.close().await;
    assert_eq!(
        script.told()[1..],
        [
            "ACTION_SUCCESSFUL CallAndBridge",
            "HANGUP Hangup",
            "ACTION_SUCCESSFUL Hangup",
            "HANGUP Hangup"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_answers_a_bridge() {
    let script = Scripted::new(vec![
        actions(json!([bridge("+15557770000"), pause(1000)])),
        actions(json!([hang_up("LEG-A")])),
    ]);
    let office = scene(&script).await;
    let mut out = office.phone(101).dial(Dial::to("600"));
    office.trunk.call().await.reject(486);
    assert_eq!(out.rejected().await.status.code(), 480);
    office.close().await;
    let failed = &script.events()[1]["ActionData"];
    assert_eq!(failed["ErrorType"], "CallNotAnswered");
    assert_eq!(failed["Parameters"]["Endpoints"][0]["Uri"], "+15557770000");
}
