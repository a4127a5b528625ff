//! Ways to Connect that keep headers: the transaction goes along, and no pair is needed.

use offhook_sma::action::AudioSource;
use serde_json::json;

use super::memory::Memory;
use super::service::{ARN, Service, expect, rules, rules_with_office, shown};
use crate::take_back::{Direct, Pass, Rules, Target};

fn direct(pass: Pass, pairs_behind: bool) -> Direct {
    let target = Target { number: "+12065550199".to_owned(), arn: Some(ARN.to_owned()) };
    Direct { pass, target, trunk: None, pairs_behind }
}

fn by_header(pairs_behind: bool) -> Rules {
    let pass = Pass::Header("X-Call".to_owned());
    Rules { direct: Some(direct(pass, pairs_behind)), ..rules() }
}

/// With whose the transaction is, so that no other application's goes along.
const DIRECT: &str = "call AWS +12065550199 as +18445550100 X-Call=t1 X-Original-Calling-Number=+12065550142 X-Sip-Media-Application-Id=sma-1";

#[test]
fn a_header_goes_before_pairs_and_no_pair_is_claimed() {
    let pool = Memory::of(1);
    let mut call = Service::new(&pool, by_header(true), "t1");
    let turn = call.inbound();
    expect(&turn, [DIRECT]);
    assert!(pool.owners().is_empty());
    assert!(!turn.release);
    call.bridged();
    expect(&call.taken_back(), ["hang up leg-b1"]);
    let turn = call.other_hangs_up();
    assert!(!turn.release, "there is nothing to give back");
    assert_eq!(turn.reply.actions.unwrap().len(), 2);
}

#[test]
fn user_to_user_carries_the_transaction_as_json_in_hexadecimal() {
    let pool = Memory::of(1);
    let rules = Rules { direct: Some(direct(Pass::UserToUser, false)), ..rules() };
    let mut call = Service::new(&pool, rules, "t1");
    let turn = call.inbound();
    let bridge = serde_json::to_value(&turn.reply.actions.unwrap()[0]).unwrap();
    let value = bridge["Parameters"]["SipHeaders"]["User-to-User"].as_str().unwrap().to_owned();
    let hex = value.strip_suffix(";encoding=hex").unwrap();
    let bytes: Vec<u8> = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect();
    let told: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let wanted = json!({"TransactionId": "t1", "SipMediaApplicationId": "sma-1",
        "OriginalCallingNumber": "+12065550142"});
    assert_eq!(told, wanted);
}

#[test]
fn when_that_way_fails_the_caller_goes_by_a_pair() {
    let pool = Memory::of(1);
    let mut call = Service::new(&pool, by_header(true), "t1");
    call.inbound();
    expect(&call.failed("CallAndBridge", "no answer"), ["call PSTN +12065550100 as +18005550000"]);
    assert_eq!(pool.owners(), ["t1"]);
    // Once more, and Connect cannot be reached at all.
    expect(&call.failed("CallAndBridge", "no answer"), ["say We are sorry", "hang up A"]);
    assert!(pool.owners().is_empty());
}

#[test]
fn where_there_are_no_pairs_the_office_takes_the_call_that_connect_does_not() {
    let pool = Memory::of(0);
    let rules = Rules { direct: by_header(false).direct, ..rules_with_office() };
    let mut call = Service::new(&pool, rules, "t1");
    expect(&call.inbound(), [DIRECT]);
    let wanted = "call AWS +18555550111 as +18445550100 X-Original-Calling-Number=+12065550142 X-Sip-Media-Application-Id=sma-1 X-Transaction-Id=t1";
    let turn = call.failed("CallAndBridge", "no answer");
    expect(&turn, ["say Please hold while we connect you", wanted]);
}

#[test]
fn the_office_learns_which_call_it_is() {
    let pool = Memory::of(1);
    let mut call = Service::at_connect(&pool, rules_with_office(), "t1");
    call.taken_back();
    let actions = call.other_hangs_up().reply.actions.unwrap();
    let bridge = serde_json::to_value(&actions[1]).unwrap();
    let headers = &bridge["Parameters"]["SipHeaders"];
    assert_eq!(headers["X-Transaction-Id"], "t1");
    assert_eq!(headers["X-Sip-Media-Application-Id"], "sma-1");
}

#[test]
fn a_caller_who_waits_for_a_pair_hears_music_and_silence_when_it_cannot_be_played() {
    let pool = Memory::of(0);
    let mut waits = rules_with_office();
    waits.exhausted.music = Some(AudioSource::Builtin { name: "waiting-music".to_owned() });
    let mut call = Service::new(&pool, waits, "t1");
    expect(&call.inbound(), ["say All lines are busy", "PlayAudio"]);
    expect(&call.succeeded("PlayAudio"), ["PlayAudio"]);
    // The step begins anew, and he waits as long as anybody else: twelve steps in all.
    expect(&call.failed("PlayAudio", "InvalidAudioSource"), ["wait 5000"]);
    for _ in 2..12 {
        expect(&call.succeeded("Pause"), ["wait 5000"]);
    }
    let turn = call.succeeded("Pause");
    assert!(shown(&turn).unwrap()[1].starts_with("call AWS +18555550111"));
}

#[test]
fn a_pair_that_was_claimed_when_the_direct_way_failed_is_given_back_though_the_answer_was_lost() {
    let pool = Memory::of(1);
    let mut call = Service::new(&pool, by_header(true), "t1");
    call.inbound();
    let before = call.attributes.clone();
    call.failed("CallAndBridge", "no answer");
    assert_eq!(pool.owners(), ["t1"]);
    call.attributes = before;
    call.caller_hangs_up();
    assert!(pool.owners().is_empty());
}

#[test]
fn whoever_is_hung_up_on_because_a_claim_was_not_answered_gives_back_what_was_claimed() {
    let pool = Memory::of(1);
    let mut rules = by_header(true);
    rules.exhausted.wait = std::time::Duration::ZERO;
    let mut call = Service::new(&pool, rules, "t1");
    call.inbound();
    pool.break_down(true);
    let turn = call.failed("CallAndBridge", "no answer");
    expect(&turn, ["say We are sorry", "hang up A"]);
    assert!(turn.release);
}
