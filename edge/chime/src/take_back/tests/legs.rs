//! The losses of AWS's sample, each mended: legs.

use serde_json::json;

use super::memory::Memory;
use super::service::{Service, expect, expect_nothing, rules, rules_with_office, shown};
use crate::take_back::Phase;

const TO_OFFICE: &str = "call AWS +18555550111 as +18005550000 X-Original-Calling-Number=+12065550142 X-Queue=sales X-Sip-Media-Application-Id=sma-1 X-Transaction-Id=t1";

#[test]
fn connect_may_hang_up_before_the_update_comes() {
    let pool = Memory::of(1);
    let mut call = Service::at_connect(&pool, rules(), "t1");
    expect(&call.other_hangs_up(), ["wait 3000"]);
    assert_eq!(call.phase(), Phase::Grace);
    expect(&call.taken_back(), ["say Please hold while we connect you", TO_OFFICE]);
    call.bridged();
    assert_eq!(call.phase(), Phase::Bridged);
}

#[test]
fn connect_may_hang_up_after_the_update_came_and_before_it_is_hung_up() {
    let pool = Memory::of(1);
    let mut call = Service::at_connect(&pool, rules(), "t1");
    expect(&call.taken_back(), ["hang up leg-b1"]);
    // Its BYE crosses ours: the action fails, after the leg's end was told, or without it.
    let mut other = call.clone();
    expect(&call.other_hangs_up(), ["say Please hold while we connect you", TO_OFFICE]);
    assert_eq!(shown(&call.failed("Hangup", "InvalidActionParameter")), None, "the call goes on");
    other.other_down();
    expect(
        &other.failed("Hangup", "InvalidActionParameter"),
        ["say Please hold while we connect you", TO_OFFICE],
    );
}

#[test]
fn the_end_of_connects_leg_is_told_twice_in_either_order_and_the_target_is_called_once() {
    for success_first in [false, true] {
        let pool = Memory::of(1);
        let mut call = Service::at_connect(&pool, rules(), "t1");
        expect(&call.taken_back(), ["hang up leg-b1"]);
        let id = call.other_down();
        let (first, second) = if success_first {
            (call.succeeded("Hangup"), call.tell_hangup("LEG-B", &id))
        } else {
            (call.tell_hangup("LEG-B", &id), call.succeeded("Hangup"))
        };
        expect(&first, ["say Please hold while we connect you", TO_OFFICE]);
        assert_eq!(shown(&second), None, "what runs must go on");
        call.bridged();
        assert_eq!(call.phase(), Phase::Bridged);
    }
}

#[test]
fn nobody_asks_for_the_caller_and_connect_hung_up() {
    let pool = Memory::of(1);
    let mut call = Service::at_connect(&pool, rules(), "t1");
    expect(&call.other_hangs_up(), ["wait 3000"]);
    expect(&call.succeeded("Pause"), ["hang up A"]);
    assert!(pool.owners().is_empty());
}

#[test]
fn the_target_that_hangs_up_ends_the_call() {
    let pool = Memory::of(1);
    let mut call = Service::at_office(&pool, rules(), "t1");
    expect(&call.other_hangs_up(), ["hang up A"]);
}

#[test]
fn a_caller_who_hangs_up_after_the_transfer_leaves_no_ghost_call() {
    let pool = Memory::of(1);
    let mut call = Service::at_office(&pool, rules(), "t1");
    expect(&call.caller_hangs_up(), ["hang up leg-b2"]);
    call.other_down();
    expect_nothing(&call.succeeded("Hangup"));
    expect_nothing(&call.tell_hangup("LEG-B", "leg-b2"));
}

#[test]
fn connect_that_does_not_answer_is_not_the_end() {
    let pool = Memory::of(1);
    let mut call = Service::new(&pool, rules(), "t1");
    call.inbound();
    let turn = call.failed("CallAndBridge", "CallNotAnswered");
    expect(&turn, ["say We are sorry", "hang up A"]);
    assert_eq!(turn.note.as_deref(), Some("CallAndBridge: CallNotAnswered it went wrong"));
    assert!(pool.owners().is_empty());

    let mut call = Service::new(&pool, rules_with_office(), "t2");
    call.inbound();
    let turn = call.failed("CallAndBridge", "CallNotAnswered");
    assert!(shown(&turn).unwrap()[1].starts_with("call AWS +18555550111"));
    assert!(pool.owners().is_empty());
}

#[test]
fn a_target_that_does_not_answer_sends_the_caller_back_to_connect_once() {
    let pool = Memory::of(1);
    let mut call = Service::at_connect(&pool, rules(), "t1");
    for again in [true, false] {
        call.taken_back();
        call.other_hangs_up();
        let turn = call.failed("CallAndBridge", "CallNotAnswered");
        if again {
            let back = "call PSTN +12065550100 as +18005550000";
            expect(&turn, ["say Nobody answers at the moment", back]);
            assert_eq!(pool.owners(), ["t1"]);
            call.bridged();
        } else {
            expect(&turn, ["say We are sorry", "hang up A"]);
        }
    }
    assert!(pool.owners().is_empty());
}

#[test]
fn words_that_cannot_be_said_are_left_out() {
    let pool = Memory::of(1);
    let mut call = Service::at_connect(&pool, rules(), "t1");
    call.taken_back();
    call.other_hangs_up();
    expect(&call.failed("Speak", "SystemException"), [TO_OFFICE]);
    call.failed("CallAndBridge", "CallNotAnswered");
    let again = call.failed("Speak", "SystemException");
    expect(&again, ["call PSTN +12065550100 as +18005550000"]);
    call.failed("CallAndBridge", "CallNotAnswered");
    expect(&call.failed("Speak", "SystemException"), ["hang up A"]);
    expect_nothing(&call.failed("Hangup", "SystemException"));
}

#[test]
fn legs_are_found_by_their_tags() {
    let pool = Memory::of(1);
    let mut call = Service::new(&pool, rules(), "t1");
    call.other_first = true;
    call.inbound();
    call.bridged();
    expect(&call.taken_back(), ["hang up leg-b1"]);
    call.other_hangs_up();
    call.bridged();
    expect(&call.caller_hangs_up(), ["hang up leg-b2"]);
}

#[test]
fn an_invocation_that_is_repeated_gets_the_same_answer() {
    let pool = Memory::of(3);
    let mut call = Service::new(&pool, rules(), "t1");
    let same = |call: &Service, turn: &crate::take_back::Turn| {
        assert_eq!(call.again().reply, turn.reply, "{}", call.last);
    };
    let turn = call.inbound();
    same(&call, &turn);
    assert_eq!(pool.owners(), ["t1"], "one pair");
    let turn = call.bridged();
    same(&call, &turn);
    let turn = call.taken_back();
    same(&call, &turn);
    let turn = call.other_hangs_up();
    same(&call, &turn);
    let turn = call.bridged();
    same(&call, &turn);
    let turn = call.caller_hangs_up();
    same(&call, &turn);
    assert!(pool.owners().is_empty());
}

#[test]
fn two_updates_at_once_make_one_transfer() {
    let pool = Memory::of(1);
    let mut call = Service::at_connect(&pool, rules(), "t1");
    expect(&call.taken_back(), ["hang up leg-b1"]);
    // Before anybody is called the last one counts.
    let other = json!({"TransferTarget": "+12065550177"});
    assert_eq!(shown(&call.update(other.clone())), None);
    expect(
        &call.other_hangs_up(),
        ["say Please hold while we connect you", "call PSTN +12065550177 as +18005550000"],
    );
    // While somebody is being called, a repeated one is nothing and another is too late.
    assert_eq!(shown(&call.update(other.clone())), None);
    let late = call.taken_back();
    assert_eq!(shown(&late), None);
    assert!(late.note.unwrap().contains("too late"));
    call.bridged();
    expect_nothing(&call.update(other));
    assert_eq!(call.phase(), Phase::Bridged);
}
