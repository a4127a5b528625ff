//! Calls that applications begin, meetings, and recordings of a leg, on the simulated network.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use offhook_pbx::office::{CreateCall, CreateError};
use offhook_tests::sim::agent::{Agent, AgentConfig, Dial};
use offhook_tests::sim::office::Leftovers;
use offhook_tests::sim::scene::{OFFICE, Scene, at, text};
use offhook_tests::sim::scripted::{Answer, Scripted, actions, hang_up};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

fn create(to: &str) -> CreateCall {
    CreateCall {
        application: "flow:main".to_owned(),
        from: "+15550009999".to_owned(),
        to: to.to_owned(),
        sip_headers: [("X-Campaign".to_owned(), "7".to_owned())].into(),
        arguments: [("MeetingId".to_owned(), "m-1".to_owned())].into(),
    }
}

#[tokio::test(start_paused = true)]
async fn an_application_calls_and_hears_how_it_goes() {
    for to in ["+15557770000", "102"] {
        let script = Scripted::new(vec![
            // Actions are ignored here, attributes are not.
            Answer::Json(json!({"SchemaVersion": "1.0", "Actions": [hang_up("LEG-A")],
                "TransactionAttributes": {"meeting": "m-1"}})),
            actions(json!([hang_up("LEG-A")])),
            actions(json!([{"Type": "Pause", "Parameters": {"DurationInMilliseconds": 2000}}])),
            actions(json!([hang_up("LEG-A")])),
        ]);
        let scene = Scene::running(script.applications(), "").await;
        let id = scene.office.calls.create_call(create(to)).await.unwrap();
        let called = if to == "102" { scene.phone(102) } else { &scene.trunk };
        let mut line = called.call().await;
        let invite = line.invite.clone().unwrap();
        assert_eq!(text(&invite, "X-Campaign").as_deref(), Some("7"));
        assert!(text(&invite, "From").unwrap().contains("+15550009999"));
        line.ring();
        script.nth(2).await;
        sleep(Duration::from_secs(3)).await;
        line.answer();
        line.confirmed().await;
        let began = Instant::now();
        line.ended().await;
        assert_eq!(began.elapsed().as_secs(), 2);
        let record = scene.record();
        assert_eq!((record.id.as_str(), record.source.as_str()), (&*id, "flow:main"));
        assert_eq!(record.disposition, "answered");
        scene.close().await;
        assert_eq!(
            script.told(),
            [
                "NEW_OUTBOUND_CALL CallCreateRequest",
                "RINGING",
                "CALL_ANSWERED",
                "ACTION_SUCCESSFUL Pause",
                "HANGUP Hangup"
            ]
        );
        let events = script.events();
        assert_eq!(events[0]["ActionData"]["Parameters"]["Arguments"], json!({"MeetingId": "m-1"}));
        for (n, status) in [(0, Value::Null), (1, Value::Null), (2, json!("Connected"))] {
            assert_eq!(events[n]["CallDetails"]["SipRuleId"], Value::Null);
            let leg = &events[n]["CallDetails"]["Participants"][0];
            assert_eq!((&leg["Direction"], &leg["To"]), (&json!("Outbound"), &json!(to)));
            assert_eq!(leg["CallId"], events[0]["CallDetails"]["Participants"][0]["CallId"]);
            assert_eq!(leg["Status"], status);
            assert_eq!(leg["ParticipantTag"], "LEG-A");
        }
        assert_eq!(events[2]["CallDetails"]["TransactionAttributes"]["meeting"], "m-1");
        assert_eq!(events[0]["CallDetails"]["TransactionId"], json!(id));
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_answers_a_call_of_an_application() {
    for (refused, code) in [(Some(486), 486), (Some(603), 603), (None, 480)] {
        let script = Scripted::new(Vec::new());
        let scene = Scene::running(script.applications(), "").await;
        scene.office.calls.create_call(create("+15557770000")).await.unwrap();
        let mut line = scene.trunk.call().await;
        match refused {
            Some(status) => line.reject(status),
            None => line.ring(),
        }
        line.ended().await;
        assert_eq!(scene.office.settle().await, Leftovers::default());
        let last = script.events().pop().unwrap();
        assert_eq!(last["InvocationEventType"], "HANGUP");
        assert_eq!(last["ActionData"]["Parameters"]["SipResponseCode"], code);
        assert_eq!(last["CallDetails"]["Participants"][0]["Status"], "Disconnected");
        scene.close().await;
    }
}

/// AWS's call forwarding and on-demand recording answer `RINGING` with `()`, which is `[]`.
#[tokio::test(start_paused = true)]
async fn what_answers_the_first_events_of_an_outgoing_call_is_ignored_whatever_it_is() {
    let many: serde_json::Map<_, _> = (0..101).map(|n| (n.to_string(), json!(""))).collect();
    for (first, also_told) in [
        (json!([]), None),
        (json!("text"), None),
        (json!({"SchemaVersion": "1.0", "Actions": [{"Type": "Dance"}]}), None),
        (
            json!({"SchemaVersion": "1.0", "TransactionAttributes": many}),
            Some("INVALID_LAMBDA_RESPONSE"),
        ),
    ] {
        let mut answers = vec![Answer::Json(first)];
        answers.extend(also_told.map(|_| Answer::Nothing));
        answers.extend([Answer::Json(json!([])), actions(json!([hang_up("LEG-A")]))]);
        let script = Scripted::new(answers);
        let scene = Scene::running(script.applications(), "").await;
        scene.office.calls.create_call(create("+15557770000")).await.unwrap();
        let mut line = scene.trunk.call().await;
        let told_before = 2 + usize::from(also_told.is_some());
        if also_told.is_some() {
            script.nth(2).await;
        }
        line.ring();
        script.nth(told_before).await;
        sleep(Duration::from_secs(3)).await;
        line.answer();
        line.confirmed().await;
        line.ended().await;
        scene.close().await;
        let told = script.told();
        assert_eq!(told[told_before..], ["CALL_ANSWERED", "HANGUP Hangup"], "{told:?}");
        assert_eq!(also_told, also_told.and_then(|_| told[1].split(' ').next()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_its_application_does_not_know_what_to_do_with_is_not_made() {
    let script = Scripted::new(vec![Answer::Fails]);
    let scene = Scene::running(script.applications(), "").await;
    scene.office.calls.create_call(create("102")).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    assert!(scene.phone(102).waiting_call().await.is_none());
    assert_eq!(script.told(), ["NEW_OUTBOUND_CALL CallCreateRequest", "HANGUP Hangup"]);
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_is_ended_by_the_operator_before_anybody_answers() {
    let script = Scripted::new(Vec::new());
    let scene = Scene::running(script.applications(), "").await;
    let id = scene.office.calls.create_call(create("102")).await.unwrap();
    let mut line = scene.phone(102).call().await;
    line.ring();
    script.nth(2).await;
    assert!(scene.office.calls.hang_up(&id));
    line.ended().await;
    script.nth(3).await;
    scene.close().await;
    assert_eq!(script.told()[2], "HANGUP Hangup");
}

#[tokio::test(start_paused = true)]
async fn an_update_takes_back_a_call_that_still_rings() {
    let script =
        Scripted::new(vec![Answer::Nothing, Answer::Nothing, actions(json!([hang_up("LEG-A")]))]);
    let scene = Scene::running(script.applications(), "").await;
    let id = scene.office.calls.create_call(create("102")).await.unwrap();
    let mut line = scene.phone(102).call().await;
    line.ring();
    script.nth(2).await;
    scene.office.calls.update_call(&id, [("take".to_owned(), "back".to_owned())].into()).unwrap();
    line.ended().await;
    script.nth(4).await;
    scene.close().await;
    assert_eq!(script.told()[2..], ["CALL_UPDATE_REQUESTED CallUpdateRequest", "HANGUP Hangup"]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_called_is_said_at_once() {
    let script = Scripted::new(Vec::new());
    let scene = Scene::running(script.applications(), "[dialplan]\nemergency = [\"911\"]\n").await;
    let calls = &scene.office.calls;
    let number = |text: &str| Err(CreateError::InvalidNumber(text.to_owned()));
    for wrong in ["", "+", "0123", "sip:a@b", "+1234567890123456", "911"] {
        assert_eq!(calls.create_call(create(wrong)).await, number(wrong));
    }
    let header = CreateCall {
        sip_headers: [("X-Amzn-Thing".to_owned(), "v".to_owned())].into(),
        ..create("102")
    };
    let refused = Err(CreateError::InvalidHeader("X-Amzn-Thing".to_owned()));
    assert_eq!(calls.create_call(header).await, refused);
    let arguments = (0..21).map(|n| (n.to_string(), String::new())).collect();
    let many = CreateCall { arguments, ..create("102") };
    assert_eq!(calls.create_call(many).await, Err(CreateError::TooMany("arguments")));
    let none = CreateCall { application: "flow:none".to_owned(), ..create("102") };
    let refused = Err(CreateError::NoSuchApplication("flow:none".to_owned()));
    assert_eq!(calls.create_call(none).await, refused);
    calls.drain();
    assert_eq!(calls.create_call(create("102")).await, Err(CreateError::Closing));
    assert!(script.events().is_empty());
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_meeting_is_joined_through_a_voice_connector() {
    let connector = format!(
        "[[trunk]]\nname = \"chime\"\ntype = \"voice_connector\"\nhost = \"{}\"\n\
         region = \"us-east-1\"\ntransport = \"udp\"\nsrtp = \"off\"\norder = 300\n\
         caller_id = \"+15550007777\"\n\
         [[number]]\nmatch = \"600\"\nto = \"flow:main\"\n",
        at(8)
    );
    let join = json!({"Type": "JoinChimeMeeting", "Parameters": {"JoinToken": "a=b;c",
        "MeetingId": "m-1"}});
    let script = Scripted::new(vec![actions(json!([join])), actions(json!([hang_up("LEG-A")]))]);
    let scene = Scene::running(script.applications(), &connector).await;
    let meeting = Agent::start(&scene.net, AgentConfig::carrier(at(8), "chime", OFFICE));
    let mut out = scene.phone(101).dial(Dial::to("600"));
    let mut line = meeting.call().await;
    let uri = line.invite.as_ref().unwrap().uri.to_string();
    assert!(uri.starts_with("sip:+17035550122@"), "{uri}");
    assert!(uri.contains("X-chime-join-token=a%3Db%3Bc"), "{uri}");
    line.answer();
    out.answered().await;
    out.ended().await;
    line.hang_up();
    line.ended().await;
    let joined = &script.events()[1];
    assert_eq!(joined["InvocationEventType"], "ACTION_SUCCESSFUL");
    assert_eq!(joined["ActionData"]["Type"], "JoinChimeMeeting");
    assert_eq!(joined["CallDetails"]["Participants"][1]["To"], "+17035550122");
    scene.close().await;
}

/// Bridges the caller to somebody at the carrier.
fn carrier() -> Value {
    json!({"Type": "CallAndBridge", "Parameters": {
        "CallerIdNumber": "+15550009999",
        "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+15557770000"}]}})
}

/// A phone is bridged to the carrier by the script, and both hang up once it was told so often.
async fn bridges_until(script: &Scripted, told: usize) {
    let folder = tempfile::tempdir().unwrap();
    let data = format!("data_dir = \"{}\"\n", folder.path().display());
    let more = "[[number]]\nmatch = \"600\"\nto = \"flow:main\"\n";
    let scene = Scene::in_folder(script.applications(), &data, more).await;
    let mut out = scene.phone(101).dial(Dial::to("600"));
    let mut far = scene.trunk.call().await;
    far.answer();
    out.answered().await;
    far.confirmed().await;
    script.nth(told).await;
    out.hang_up();
    far.hang_up();
    far.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_leg_is_recorded_once_in_the_background() {
    let start = json!({"Type": "StartCallRecording", "Parameters": {"Track": "BOTH",
        "Destination": {"Type": "S3", "Location": "my-bucket/calls"}}});
    let of = |kind: &str| json!({"Type": kind, "Parameters": {"ParticipantTag": "LEG-A"}});
    let script = Scripted::new(vec![
        actions(json!([carrier()])),
        actions(json!([start])),
        actions(json!([of("PauseCallRecording"), of("ResumeCallRecording")])),
        actions(json!([of("StopCallRecording")])),
        actions(json!([start])),
    ]);
    bridges_until(&script, 6).await;
    let told = script.told();
    assert_eq!(
        told[2..6],
        [
            "ACTION_SUCCESSFUL StartCallRecording",
            "ACTION_SUCCESSFUL ResumeCallRecording",
            "ACTION_SUCCESSFUL StopCallRecording",
            "ACTION_FAILED StartCallRecording"
        ]
    );
    let event = &script.events()[2];
    let to = event["ActionData"]["CallRecordingDestination"]["Location"].as_str().unwrap();
    let transaction = event["CallDetails"]["TransactionId"].as_str().unwrap();
    assert!(to.starts_with("my-bucket/calls/20") && to.contains(transaction), "{to}");
}

/// amazon-chime-sma-on-demand-recording: where its owner dials out, LEG-B is recorded and LEG-A's
/// recording paused.
#[tokio::test(start_paused = true)]
async fn the_recording_of_a_leg_is_the_one_of_its_other_party_that_has_none() {
    let of = |kind: &str, leg: &str| json!({"Type": kind, "Parameters": {"ParticipantTag": leg}});
    let start = json!({"Type": "StartCallRecording", "Parameters": {"Track": "BOTH",
        "ParticipantTag": "LEG-B", "Destination": {"Type": "S3", "Location": "my-bucket/calls"}}});
    let script = Scripted::new(vec![
        actions(json!([carrier()])),
        actions(json!([of("PauseCallRecording", "LEG-A")])),
        actions(json!([start, of("PauseCallRecording", "LEG-A")])),
        actions(json!([of("ResumeCallRecording", "LEG-A")])),
        actions(json!([of("StopCallRecording", "LEG-A")])),
        actions(json!([of("PauseCallRecording", "LEG-B")])),
    ]);
    bridges_until(&script, 7).await;
    let told = [
        "ACTION_FAILED PauseCallRecording",
        "ACTION_SUCCESSFUL PauseCallRecording",
        "ACTION_SUCCESSFUL ResumeCallRecording",
        "ACTION_SUCCESSFUL StopCallRecording",
        "ACTION_FAILED PauseCallRecording",
    ];
    assert_eq!(script.told()[2..7], told);
}
