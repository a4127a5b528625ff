//! What else a call may meet.

use serde_json::{Value, json};

use super::memory::Memory;
use super::service::{ARN, Service, expect, expect_nothing, rules, rules_with_office, shown};
use crate::take_back::{Phase, Rules};

#[test]
fn the_desk_moves_the_caller_on_and_hands_him_back() {
    let pool = Memory::of(1);
    let mut call = Service::at_office(&pool, rules(), "t1");
    assert!(pool.owners().is_empty());
    expect(&call.update(json!({"TransferTarget": "+12065550177"})), ["hang up leg-b2"]);
    call.other_hangs_up();
    call.bridged();
    expect(&call.update(json!({"TransferTarget": "connect"})), ["hang up leg-b3"]);
    expect(&call.other_hangs_up(), ["call PSTN +12065550100 as +18005550000"]);
    assert_eq!(shown(&call.succeeded("Hangup")), None);
    assert_eq!(pool.owners(), ["t1"]);
    call.bridged();
    assert_eq!(call.phase(), Phase::Connect);
    // He is there already.
    expect_nothing(&call.update(json!({"TransferTarget": "connect"})));
}

#[test]
fn a_target_is_called_however_its_number_is_written() {
    for written in [" +12065550177 ", "+1 (206) 555-0177", "tel:+1-206-555-0177"] {
        let pool = Memory::of(1);
        let mut call = Service::at_connect(&pool, rules(), "t1");
        expect(
            &call.update(json!({"Transfer": "true", "TransferTarget": written})),
            ["hang up leg-b1"],
        );
        let called = shown(&call.other_hangs_up()).unwrap().concat();
        assert!(called.contains("call PSTN +12065550177 "), "{written}: {called}");
    }
}

#[test]
fn an_update_that_makes_no_sense_leaves_the_caller_where_he_is() {
    let pool = Memory::of(1);
    for arguments in [
        json!({}),
        json!({"TransferTarget": "sales desk", "TransferTargetArn": ARN}),
        json!({"TransferTarget": "012"}),
        json!({"TransferTarget": "+12065550177", "TransferTargetArn": "vc"}),
    ] {
        let mut call = Service::at_connect(&pool, rules(), "t1");
        let turn = call.update(arguments.clone());
        expect_nothing(&turn);
        assert!(turn.note.is_some(), "{arguments}");
        assert_eq!(call.phase(), Phase::Connect);
        assert_eq!(pool.owners(), ["t1"]);
    }
    // Without a target it is the usual one.
    let mut call = Service::at_connect(&pool, rules_with_office(), "t1");
    expect(&call.update(json!({"Transfer": "true"})), ["hang up leg-b1"]);
    assert!(shown(&call.other_hangs_up()).unwrap()[1].starts_with("call AWS +18555550111"));
}

#[test]
fn an_update_saves_a_caller_who_is_being_hung_up_on_or_waits() {
    let pool = Memory::of(0);
    let mut call = Service::new(&pool, rules(), "t1");
    call.inbound();
    assert!(shown(&call.taken_back()).unwrap()[1].starts_with("call AWS"));
    let pool = Memory::of(1);
    let mut call = Service::new(&pool, rules(), "t2");
    call.inbound();
    call.failed("CallAndBridge", "CallNotAnswered");
    assert_eq!(call.phase(), Phase::Ending);
    assert!(shown(&call.taken_back()).unwrap()[1].starts_with("call AWS"));
    // But nobody is saved who is gone.
    call.caller_hangs_up();
    expect_nothing(&call.taken_back());
}

#[test]
fn an_update_may_come_while_connect_rings() {
    for answered in [true, false] {
        let pool = Memory::of(1);
        let mut call = Service::new(&pool, rules(), "t1");
        call.inbound();
        expect(&call.taken_back(), ["hang up B"]);
        if answered {
            assert_eq!(shown(&call.bridged()), None);
            let turn = call.other_hangs_up();
            assert!(shown(&turn).unwrap()[1].starts_with("call AWS"));
        } else {
            let turn = call.failed("CallAndBridge", "CallNotAnswered");
            assert!(shown(&turn).unwrap()[1].starts_with("call AWS"));
        }
    }
}

#[test]
fn connect_answers_and_hangs_up_at_once() {
    let pool = Memory::of(1);
    let mut call = Service::new(&pool, rules(), "t1");
    call.inbound();
    call.others.push(("leg-b1".to_owned(), false));
    expect(&call.succeeded("CallAndBridge"), ["wait 3000"]);
    assert_eq!(shown(&call.tell_hangup("LEG-B", "leg-b1")), None);
    expect(&call.succeeded("Pause"), ["hang up A"]);
}

#[test]
fn a_hangup_that_failed_leaves_the_caller_with_connect() {
    let pool = Memory::of(1);
    let mut call = Service::at_connect(&pool, rules(), "t1");
    call.taken_back();
    expect_nothing(&call.failed("Hangup", "SystemException"));
    assert_eq!(call.phase(), Phase::Connect);
    expect(&call.taken_back(), ["hang up leg-b1"]);
}

#[test]
fn a_click_calls_the_customer_and_then_the_office_or_connect() {
    let outbound = |arguments: Value| {
        let parameters = json!({"Arguments": arguments});
        json!({"Type": "CallCreateRequest", "Parameters": parameters})
    };
    let pool = Memory::of(1);
    let mut call = Service::new(&pool, rules(), "t1");
    let target = json!({"TransferTarget": "+18555550111", "TransferTargetArn": ARN});
    expect_nothing(&call.tell("NEW_OUTBOUND_CALL", outbound(target)));
    expect_nothing(&call.tell("RINGING", Value::Null));
    let turn = call.tell("CALL_ANSWERED", Value::Null);
    assert!(shown(&turn).unwrap()[1].starts_with("call AWS +18555550111"));
    let mut call = Service::new(&pool, rules(), "t2");
    call.tell("NEW_OUTBOUND_CALL", Value::Null);
    let turn = call.tell("CALL_ANSWERED", Value::Null);
    expect(&turn, ["call PSTN +12065550100 as +18005550000"]);
}

#[test]
fn a_reply_that_was_refused_does_not_leave_silence() {
    let pool = Memory::of(1);
    let mut call = Service::new(&pool, rules(), "t1");
    call.inbound();
    call.attributes = None;
    let turn = call.tell("INVALID_LAMBDA_RESPONSE", Value::Null);
    expect(&turn, ["say We are sorry", "hang up A"]);
    assert!(pool.owners().is_empty());
    let mut call = Service::at_connect(&pool, rules(), "t2");
    call.attributes = None;
    expect_nothing(&call.tell("INVALID_LAMBDA_RESPONSE", Value::Null));
}

#[test]
fn a_call_of_the_samples_function_goes_on_with_ours() {
    let pool = Memory::of(1);
    let mut call = Service::at_connect(&pool, rules(), "t1");
    for name in ["phase", "leg_b"] {
        call.attributes.as_mut().unwrap().remove(name);
    }
    expect(&call.taken_back(), ["hang up leg-b1"]);
}

#[test]
fn the_callers_number_may_be_shown_and_words_left_out() {
    let pool = Memory::of(1);
    let mut shows = Rules { show_caller: true, ..rules() };
    shows.words.hold = String::new();
    let mut call = Service::at_connect(&pool, shows, "t1");
    call.update(json!({"TransferTarget": "4711", "TransferTargetArn": ARN}));
    expect(
        &call.other_hangs_up(),
        [
            "call AWS 4711 as +12065550142 X-Original-Calling-Number=+12065550142 X-Sip-Media-Application-Id=sma-1 X-Transaction-Id=t1",
        ],
    );
}

#[test]
fn where_the_office_runs_the_application_a_target_may_be_an_extension() {
    let pool = Memory::of(1);
    let here = Rules { extensions: true, ..rules() };
    let mut call = Service::at_connect(&pool, here, "t1");
    call.update(json!({"TransferTarget": "101"}));
    let Some(actions) = call.other_hangs_up().reply.actions else { panic!("no actions") };
    let bridge = serde_json::to_value(&actions[1]).unwrap();
    let endpoint = json!([{"BridgeEndpointType": "Extension", "Uri": "101"}]);
    assert_eq!(bridge["Parameters"]["Endpoints"], endpoint);
    let headers = json!({"X-Original-Calling-Number": "+12065550142"});
    assert_eq!(bridge["Parameters"]["SipHeaders"], headers);
}

#[test]
fn where_the_office_runs_the_application_the_target_does_not_wait_for_the_words() {
    let pool = Memory::of(1);
    let rules = crate::take_back::Rules { words_while_ringing: true, ..rules() };
    let mut call = Service::at_connect(&pool, rules, "t1");
    call.taken_back();
    let turn = call.other_hangs_up();
    let reply = serde_json::to_value(&turn.reply).unwrap();
    let actions = reply["Actions"].as_array().unwrap();
    assert_eq!(actions.len(), 1, "{reply}");
    let tone = &actions[0]["Parameters"]["RingbackTone"];
    assert_eq!(tone["Parts"][0]["Text"], "Please hold while we connect you.", "{tone}");
    assert_eq!(tone["Parts"][1]["Name"], "ringback", "{tone}");
}

#[test]
fn events_that_are_for_others_change_nothing() {
    let pool = Memory::of(1);
    let mut call = Service::at_connect(&pool, rules(), "t1");
    for kind in ["ACTION_INTERRUPTED", "DIGITS_RECEIVED", "RINGING"] {
        assert_eq!(shown(&call.tell(kind, Value::Null)), None);
    }
    call.leg_a_up = false;
    // The event that overtakes the caller's HANGUP.
    expect_nothing(&call.succeeded("Speak"));
    assert!(pool.owners().is_empty());
    assert_eq!(shown(&call.caller_hangs_up()), Some(vec!["hang up leg-b1".to_owned()]));
}
