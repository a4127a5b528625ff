//! The losses of AWS's sample, each mended: pairs.

use futures_util::FutureExt as _;
use offhook_dnis::{DnisPool as _, Lookup, Pair};
use serde_json::json;

use super::memory::Memory;
use super::service::{Service, expect, rules, rules_with_office};
use crate::take_back::{Application, Phase};

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
