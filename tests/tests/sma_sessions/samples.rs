//! What AWS's own samples ask for, as they write it.

use offhook_sip::header::HeaderName;

use super::*;

fn listen(leg: &str) -> Value {
    json!({"Type": "ReceiveDigits", "Parameters": {"ParticipantTag": leg,
        "InputDigitsRegex": "[0189]$", "InBetweenDigitsDurationInMilliseconds": 1000,
        "FlushDigitsDurationInMilliseconds": 10000}})
}

/// amazon-chime-sdk-pstn-audio-voice-focus: either party turns the noise suppression on and off.
#[tokio::test(start_paused = true)]
async fn the_digits_of_both_legs_are_listened_to_at_once() {
    let script = Scripted::new(vec![
        actions(json!([bridge("+15557770000")])),
        actions(json!([listen("LEG-A"), listen("LEG-B")])),
    ]);
    let office = scene(&script).await;
    let (out, mut far) = bridged(&office).await;
    script.nth(3).await;
    for (n, leg, key) in [(4, "LEG-A", '0'), (5, "LEG-B", '9'), (6, "LEG-A", '1')] {
        if leg == "LEG-A" {
            out.press(key);
        } else {
            far.press(key);
        }
        let event = script.nth(n).await;
        assert_eq!(event["InvocationEventType"], "DIGITS_RECEIVED");
        let data = &event["ActionData"];
        assert_eq!(data["Parameters"]["ParticipantTag"], leg);
        assert_eq!(data["ReceivedDigits"], key.to_string());
    }
    // Keys of both within a second are not mixed.
    out.press('0');
    far.press('8');
    let both = [script.nth(7).await, script.nth(8).await];
    let mut digits = both.map(|event| event["ActionData"]["ReceivedDigits"].clone().to_string());
    digits.sort();
    assert_eq!(digits, ["\"0\"", "\"8\""]);
    out.hang_up();
    far.ended().await;
    office.close().await;
}

/// AWS names the SIP rule in every event of a call that came in, and of none that was asked for.
#[tokio::test(start_paused = true)]
async fn a_call_that_came_in_names_the_rule_of_the_number_that_was_called() {
    let mut rules = Vec::new();
    for number in ["600", "600", "601"] {
        let script = Scripted::new(vec![actions(json!([hang_up("LEG-A")]))]);
        let numbers = format!("{NUMBER}[[number]]\nmatch = \"601\"\nto = \"flow:main\"\n");
        let office = Scene::running(script.applications(), &numbers).await;
        let mut out = office.phone(101).dial(Dial::to(number));
        out.rejected().await;
        office.close().await;
        let rule = |event: &Value| event["CallDetails"]["SipRuleId"].as_str().unwrap().to_owned();
        let told: Vec<_> = script.events().iter().map(rule).collect();
        assert!(told.len() == 2 && told[0] == told[1] && told[0].len() == 36, "{told:?}");
        rules.extend(told.into_iter().next());
    }
    assert!(rules[0] == rules[1] && rules[1] != rules[2], "{rules:?}");
}

/// A caller rings and is answered; what the script asks for first is all that happens, and ends it.
async fn is_answered_and_ended(script: &Scripted) {
    let office = scene(script).await;
    let mut out = office.phone(101).dial(Dial::to("600"));
    out.answered().await;
    out.ended().await;
    office.close().await;
    assert_eq!(script.told(), ["NEW_INBOUND_CALL", "HANGUP Hangup"]);
}

/// The PSTN audio workshop, lex-ivr and sma-bridging name a leg by nothing at all.
#[tokio::test(start_paused = true)]
async fn an_empty_leg_is_the_one_of_the_event() {
    let script = Scripted::new(vec![actions(json!([
        {"Type": "Pause", "Parameters": {"DurationInMilliseconds": "1000", "CallId": ""}},
        {"Type": "Hangup", "Parameters": {"SipResponseCode": "0", "ParticipantTag": ""}},
    ]))]);
    is_answered_and_ended(&script).await;
    assert_eq!(script.events()[1]["ActionData"]["Parameters"]["ParticipantTag"], "LEG-A");
}

/// An IVR of the public asks for it before anything else; it does not answer the call.
#[tokio::test(start_paused = true)]
async fn noise_suppression_may_be_asked_for_before_a_caller_is_answered() {
    let focus = json!({"Type": "VoiceFocus", "Parameters": {"Enable": true, "CallId": ""}});
    let reject = json!({"Type": "Hangup", "Parameters": {"SipResponseCode": 486}});
    let script = Scripted::new(vec![actions(json!([focus])), actions(json!([reject]))]);
    let office = scene(&script).await;
    let mut out = office.phone(101).dial(Dial::to("600"));
    assert_eq!(out.rejected().await.status.code(), 486);
    office.close().await;
    let told = ["NEW_INBOUND_CALL", "ACTION_SUCCESSFUL VoiceFocus", "HANGUP Hangup"];
    assert_eq!(script.told(), told);

    let script = Scripted::new(vec![actions(json!([focus, pause(100), hang_up("LEG-A")]))]);
    is_answered_and_ended(&script).await;
}

#[tokio::test(start_paused = true)]
async fn noise_that_is_to_stay_costs_a_caller_who_rings_still_no_port() {
    for (enable, ports) in [(true, 1), (false, 0)] {
        let focus = json!({"Type": "VoiceFocus", "Parameters": {"Enable": enable, "CallId": ""}});
        let reject = json!({"Type": "Hangup", "Parameters": {"SipResponseCode": 486}});
        let reject = json!({"SchemaVersion": "1.0", "Actions": [reject]});
        let late = Answer::Late(Duration::from_secs(1), reject);
        let script = Scripted::new(vec![actions(json!([focus])), late]);
        let scene = scene(&script).await;
        let mut out = scene.phone(101).dial(Dial::to("600"));
        script.nth(2).await;
        assert_eq!(scene.office.engine.open_ports(), ports, "{enable}");
        assert_eq!(out.rejected().await.status.code(), 486);
        scene.close().await;
        let told = ["NEW_INBOUND_CALL", "ACTION_SUCCESSFUL VoiceFocus", "HANGUP Hangup"];
        assert_eq!(script.told(), told);
    }
}

/// A load test of the public begins so; the call-forwarding and on-demand recording samples expect
/// to be told of it.
#[tokio::test(start_paused = true)]
async fn a_call_may_be_answered_and_no_more() {
    let script = Scripted::new(vec![
        actions(json!([{"Type": "Answer"}])),
        actions(json!([{"Type": "Answer"}, pause(500), hang_up("LEG-A")])),
    ]);
    let office = scene(&script).await;
    let mut out = office.phone(101).dial(Dial::to("600"));
    out.answered().await;
    let told = script.nth(2).await;
    assert_eq!(told["ActionData"]["Type"], "Answer");
    let leg = &told["CallDetails"]["Participants"][0];
    assert_eq!(leg["Status"], "Connected");
    assert_eq!(told["ActionData"]["Parameters"]["CallId"], leg["CallId"]);
    out.ended().await;
    office.close().await;
    let told = ["NEW_INBOUND_CALL", "ACTION_SUCCESSFUL Answer", "HANGUP Hangup"];
    assert_eq!(script.told(), told);
}

/// A load test of the public ends its calls so: 200 is as good as 0.
#[tokio::test(start_paused = true)]
async fn a_call_is_hung_up_with_success_too() {
    let end = json!({"Type": "Hangup", "Parameters": {"SipResponseCode": "200"}});
    for first in [None, Some(pause(300))] {
        let list: Vec<_> = first.clone().into_iter().chain([end.clone()]).collect();
        let script = Scripted::new(vec![actions(json!(list))]);
        let office = scene(&script).await;
        let mut out = office.phone(101).dial(Dial::to("600"));
        if first.is_some() {
            out.answered().await;
            out.ended().await;
        } else {
            assert_eq!(out.rejected().await.status.code(), 480);
        }
        office.close().await;
        assert_eq!(script.told(), ["NEW_INBOUND_CALL", "HANGUP Hangup"]);
    }
}

/// amazon-chime-sdk-click-to-call: whom the application shows to LEG-B is who calls it, to its
/// carrier and in events.
#[tokio::test(start_paused = true)]
async fn leg_b_is_shown_the_number_that_the_application_asks_for() {
    let script = Scripted::new(vec![actions(json!([bridge("+15557770000")])), actions(json!([]))]);
    let office = scene(&script).await;
    let mut out = office.phone(101).dial(Dial::to("600"));
    let mut far = office.trunk.call().await;
    let from = far.invite.as_ref().unwrap().headers.text(&HeaderName::From).unwrap().to_string();
    assert!(from.contains("+15550009999"), "{from}");
    far.answer();
    out.answered().await;
    far.confirmed().await;
    let event = script.nth(2).await;
    let legs = &event["CallDetails"]["Participants"];
    assert_eq!((&legs[0]["From"], &legs[1]["From"]), (&json!("101"), &json!("+15550009999")));
    out.hang_up();
    far.hang_up();
    far.ended().await;
    office.close().await;
}
