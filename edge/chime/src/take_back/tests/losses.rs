//! The losses of AWS's sample, each mended.

use futures_util::FutureExt as _;
use offhook_dnis::{DnisPool as _, Lookup, Pair};
use serde_json::json;

use super::memory::Memory;
use super::service::{Service, expect, expect_nothing, rules, rules_with_office, shown};
use crate::take_back::{Application, Phase};

const TO_OFFICE: &str = "call AWS +18555550111 as +18005550000 X-Original-Calling-Number=+12065550142 X-Queue=sales X-Sip-Media-Application-Id=sma-1 X-Transaction-Id=t1";

#[test]
fn a_pair_does_not_leak_when_the_caller_is_gone_before_the_answer_is_stored() {
    let pool = Memory::of(1);
    let mut call = Service::new(&pool, rules(), "t1");
    call.inbound();
    assert_eq!(pool.owners(), ["t1"]);
    call.attributes = None;
    call.caller_hangs_up();
    assert!(pool.owners().is_empty());
}

#[test]
fn a_pair_does_not_leak_when_the_function_dies_after_the_claim() {
    let pool = Memory::of(1);
    Service::new(&pool, rules(), "t1").inbound();
    // No event comes any more.
    pool.forward(121);
    assert!(pool.owners().is_empty());
    expect(
        &Service::new(&pool, rules(), "t2").inbound(),
        ["call PSTN +12065550100 as +18005550000"],
    );
}

#[test]
fn a_lease_is_short_while_connect_rings_and_long_while_it_talks() {
    let pool = Memory::of(1);
    let _call = Service::at_connect(&pool, rules(), "t1");
    pool.forward(4 * 3_600 - 1);
    assert_eq!(pool.owners(), ["t1"]);
}

#[test]
fn who_finds_no_pair_waits_and_gets_the_next_one() {
    let pool = Memory::of(1);
    let mut first = Service::at_connect(&pool, rules(), "t1");
    let mut second = Service::new(&pool, rules(), "t2");
    let turn = second.inbound();
    expect(&turn, ["say All lines are busy", "wait 5000"]);
    assert!(turn.without_pair);
    expect(&second.succeeded("Pause"), ["wait 5000"]);
    first.caller_hangs_up();
    expect(&second.succeeded("Pause"), ["call PSTN +12065550100 as +18005550000"]);
}

#[test]
fn who_waits_too_long_for_a_pair_goes_to_the_office_or_hears_why_not() {
    for (rules, office) in [(rules(), false), (rules_with_office(), true)] {
        let pool = Memory::of(0);
        let mut call = Service::new(&pool, rules, "t1");
        call.inbound();
        let mut turn = call.succeeded("Pause");
        for _ in 1..12 {
            turn = call.succeeded("Pause");
        }
        if office {
            let wanted = "call AWS +18555550111 as +18445550100 X-Original-Calling-Number=+12065550142 X-Sip-Media-Application-Id=sma-1 X-Transaction-Id=t1";
            expect(&turn, ["say Please hold while we connect you", wanted]);
        } else {
            expect(&turn, ["say We are sorry", "hang up A"]);
        }
    }
}

#[test]
fn a_pool_that_is_down_is_as_one_that_is_empty() {
    let pool = Memory::of(3);
    pool.break_down(true);
    let mut call = Service::new(&pool, rules(), "t1");
    let turn = call.inbound();
    expect(&turn, ["say All lines are busy", "wait 5000"]);
    assert!(turn.note.unwrap().contains("it is down"));
    pool.break_down(false);
    expect(&call.succeeded("Pause"), ["call PSTN +12065550100 as +18005550000"]);
    // Giving back fails, too: the caller is hung up on no later for it.
    call.bridged();
    pool.break_down(true);
    let turn = call.caller_hangs_up();
    expect(&turn, ["hang up leg-b1"]);
    assert!(turn.note.unwrap().contains("it is down"));
}

#[test]
fn a_pair_that_could_not_be_given_back_is_given_back_with_another_calls_event() {
    let pool = Memory::of(1);
    let mut call = Service::at_connect(&pool, rules(), "t1");
    let mut other = call.beside("t2");
    pool.break_down(true);
    call.caller_hangs_up();
    expect(&other.inbound(), ["say All lines are busy", "wait 5000"]);
    pool.break_down(false);
    assert_eq!(pool.owners(), ["t1"], "for hours");
    expect(&other.succeeded("Pause"), ["call PSTN +12065550100 as +18005550000"]);
    assert_eq!(pool.owners(), ["t2"]);
    // What is owed once is given back once.
    other.caller_hangs_up();
    expect(&other.beside("t3").inbound(), ["call PSTN +12065550100 as +18005550000"]);
    assert_eq!(pool.owners(), ["t3"]);
}

#[test]
fn a_pair_that_was_not_given_back_for_the_target_is_given_back_at_the_end() {
    let pool = Memory::of(1);
    let mut call = Service::at_connect(&pool, rules(), "t1");
    call.taken_back();
    pool.break_down(true);
    call.other_hangs_up();
    call.bridged();
    pool.break_down(false);
    assert_eq!(pool.owners(), ["t1"]);
    call.caller_hangs_up();
    assert!(pool.owners().is_empty());
}

#[test]
fn a_target_keeps_the_caller_though_a_pair_is_still_to_be_given_back() {
    let pool = Memory::of(1);
    let mut call = Service::at_connect(&pool, rules(), "t1");
    call.taken_back();
    pool.break_down(true);
    call.other_hangs_up();
    call.bridged();
    pool.break_down(false);
    assert!(call.state().owed && !call.state().leased);
    // He is asked for once more, and the leg cannot be hung up.
    call.update(json!({"TransferTarget": "+12065550177"}));
    call.failed("Hangup", "SystemException");
    assert_eq!(call.phase(), Phase::Bridged);
    expect(&call.other_hangs_up(), ["hang up A"]);
    assert!(pool.owners().is_empty());
    assert!(!call.state().owed);
}

#[test]
fn a_pair_that_cannot_be_given_back_keeps_no_other_waiting() {
    let pool = Memory::of(2);
    let mut first = Service::at_connect(&pool, rules(), "t1");
    let mut second = first.beside("t2");
    second.inbound();
    second.bridged();
    let mut third = first.beside("t3");
    pool.break_down(true);
    first.caller_hangs_up();
    second.caller_hangs_up();
    pool.break_down(false);
    pool.refuse("t1");
    third.inbound();
    assert_eq!(pool.owners(), ["t1", "t3"]);
    pool.refuse("");
    third.caller_hangs_up();
    assert!(pool.owners().is_empty());
}

#[test]
fn nothing_is_owed_to_a_pool_that_gives_back_by_itself() {
    let pool = Memory::of(1);
    pool.repeat_releases();
    let mut call = Service::at_connect(&pool, rules(), "t1");
    let mut other = call.beside("t2");
    pool.break_down(true);
    call.caller_hangs_up();
    pool.break_down(false);
    expect(&other.inbound(), ["say All lines are busy", "wait 5000"]);
    assert_eq!(pool.owners(), ["t1"]);
}

#[test]
fn a_pool_that_gives_back_by_itself_is_asked_for_all_that_the_call_may_have() {
    for repeats in [false, true] {
        let pool = Memory::of(1);
        let mut call = Service::new(&pool, rules(), "t1");
        call.inbound();
        if repeats {
            pool.repeat_releases();
        }
        pool.break_down(true);
        call.caller_hangs_up();
        assert_eq!(pool.searched(), usize::from(repeats));
    }
}

#[test]
fn a_pair_that_the_call_remembers_is_given_back_without_a_search() {
    let pool = Memory::of(1);
    Service::at_connect(&pool, rules(), "t1").caller_hangs_up();
    let mut call = Service::at_office(&pool, rules(), "t2");
    call.other_hangs_up();
    call.caller_hangs_up();
    assert!(pool.owners().is_empty());
    assert_eq!(pool.searched(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_silent_pool_is_waited_on_for_less_than_the_service_waits_for_us() {
    let pool = Memory::of(1);
    let mut rules = rules();
    rules.exhausted.wait = std::time::Duration::ZERO;
    let mut call = Service::new(&pool, rules.clone(), "t1");
    std::thread::scope(|scope| scope.spawn(|| call.inbound()).join().map(drop)).unwrap();
    let event = serde_json::from_value(call.last).unwrap();
    pool.fall_silent();
    let begin = tokio::time::Instant::now();
    let turn = Application::new(rules, pool).handle(&event).await;
    expect(&turn, ["say We are sorry", "hang up A"]);
    assert!(begin.elapsed() < std::time::Duration::from_secs(5));
    assert_eq!(turn.note.unwrap().matches("no answer").count(), 2);
}

#[test]
fn what_the_last_transfer_brought_is_gone_where_attributes_are_added() {
    for merges in [true, false] {
        let pool = Memory::of(2);
        let mut call = Service::at_connect(&pool, rules(), "t1");
        call.merges = merges;
        call.taken_back();
        call.other_hangs_up();
        assert!(call.state().target.is_some() && !call.state().headers.is_empty());
        expect(
            &call.failed("CallAndBridge", "CallNotAnswered"),
            ["say Nobody answers at the moment", "call PSTN +12065550100 as +18005550000"],
        );
        let state = call.state();
        assert_eq!((state.target, state.headers.len(), state.leg_b), (None, 0, None));
        // An empty text is written once, where it takes the place of what was.
        let again = call.succeeded("Speak").reply.transaction_attributes;
        assert!(again.is_none_or(|written| !written.values().any(|text| text == "")));
    }
}

#[test]
fn a_late_hangup_does_not_free_the_next_calls_pair() {
    let pool = Memory::of(1);
    let mut first = Service::at_connect(&pool, rules(), "t1");
    first.caller_hangs_up();
    let _second = Service::at_connect(&pool, rules(), "t2");
    first.other_hangs_up();
    first.caller_hangs_up();
    assert_eq!(pool.owners(), ["t2"]);
}

#[test]
fn a_pair_is_given_back_only_when_connects_leg_is_down() {
    let pool = Memory::of(1);
    let mut call = Service::at_connect(&pool, rules(), "t1");
    call.taken_back();
    assert_eq!(pool.owners(), ["t1"], "Connect may ask again");
    call.other_hangs_up();
    assert!(pool.owners().is_empty());
    // A lookup that comes late hears nothing, neither of this call nor of the next.
    let late = Lookup {
        pair: Pair::new("+18005550000", "+12065550100"),
        contact: Some("c1".to_owned()),
        owner: Some("t1".to_owned()),
    };
    assert_eq!(pool.lookup(late.clone()).now_or_never().unwrap().unwrap(), None);
    let _next = Service::at_connect(&pool, rules(), "t2");
    assert_eq!(pool.lookup(late).now_or_never().unwrap().unwrap(), None);
}

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
