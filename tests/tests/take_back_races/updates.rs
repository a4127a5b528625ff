//! Requests for a call that moves already, has ended, or never was; two requests at once.

use std::collections::BTreeMap;

use offhook_chime::take_back::Refusal;
use offhook_tests::cloud::stage::{Plan, Stage};
use offhook_tests::sim::agent::Agent;
use serde_json::Value;

use crate::{milliseconds, on_both};

on_both! {
    an_update_for_a_call_that_is_being_taken_back_changes_nothing,
    an_update_for_a_call_whose_target_rings_changes_nothing,
    an_update_to_the_same_target_that_has_the_caller_changes_nothing,
    an_update_to_another_target_that_comes_while_one_rings_is_too_late,
    an_update_moves_a_caller_on_who_is_with_the_desk,
    an_update_for_a_call_that_has_ended_is_a_404,
    an_update_for_a_call_that_nobody_knows_is_a_404,
    two_updates_at_once_make_one_transfer,
    two_updates_at_once_to_two_targets_make_one_transfer,
    the_desk_hands_the_caller_back_to_connect,
    a_caller_is_taken_back_again_and_again,
}

pub(crate) fn arguments(target: &Value) -> BTreeMap<String, String> {
    let text = |(name, value): (&String, &Value)| {
        (name.clone(), value.as_str().unwrap_or_default().to_owned())
    };
    target.as_object().into_iter().flatten().map(text).collect()
}

async fn nobody(phone: &Agent) {
    milliseconds(1_000).await;
    assert!(phone.waiting_call().await.is_none(), "{} is called", phone.config.user);
}

async fn an_update_for_a_call_that_is_being_taken_back_changes_nothing(plan: Plan) {
    let stage = Stage::open(plan).await;
    for later in 0..10 {
        let (mut caller, mut contact) = stage.at_connect().await;
        let call = stage.last_call();
        assert_eq!(contact.transfer(&stage.flow, &stage.target()).await, "transferring");
        milliseconds(later).await;
        stage.api.update(&call, arguments(&stage.target())).await.unwrap();
        let mut desk = stage.picks_up(0).await;
        nobody(&stage.phones[0]).await;
        assert!(caller.still_up() && desk.still_up(), "{later}\n{}", stage.transcript.text(&call));
        desk.hang_up();
        caller.ended().await;
    }
    stage.close().await;
}

async fn an_update_for_a_call_whose_target_rings_changes_nothing(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (mut caller, mut contact) = stage.at_connect().await;
    let call = stage.last_call();
    contact.transfer(&stage.flow, &stage.target()).await;
    let mut desk = stage.phones[0].call().await;
    desk.ring();
    milliseconds(3_000).await;
    stage.api.update(&call, arguments(&stage.target())).await.unwrap();
    milliseconds(3_000).await;
    desk.answer();
    desk.confirmed().await;
    nobody(&stage.phones[0]).await;
    assert!(caller.still_up() && desk.still_up());
    caller.hang_up();
    desk.ended().await;
    stage.close().await;
}

async fn an_update_to_the_same_target_that_has_the_caller_changes_nothing(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (mut caller, _contact, mut desk) = stage.at_desk().await;
    stage.api.update(&stage.last_call(), arguments(&stage.target())).await.unwrap();
    nobody(&stage.phones[0]).await;
    assert!(caller.still_up() && desk.still_up());
    caller.hang_up();
    desk.ended().await;
    stage.close().await;
}

async fn an_update_to_another_target_that_comes_while_one_rings_is_too_late(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (mut caller, mut contact) = stage.at_connect().await;
    contact.transfer(&stage.flow, &stage.target()).await;
    let mut desk = stage.phones[0].call().await;
    desk.ring();
    milliseconds(1_000).await;
    stage.api.update(&stage.last_call(), arguments(&stage.other_target())).await.unwrap();
    nobody(&stage.phones[1]).await;
    desk.answer();
    desk.confirmed().await;
    assert!(caller.still_up());
    caller.hang_up();
    desk.ended().await;
    stage.close().await;
}

async fn an_update_moves_a_caller_on_who_is_with_the_desk(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (mut caller, _contact, mut desk) = stage.at_desk().await;
    milliseconds(1_000).await;
    stage.api.update(&stage.last_call(), arguments(&stage.other_target())).await.unwrap();
    desk.ended().await;
    let mut other = stage.picks_up(1).await;
    milliseconds(5_000).await;
    assert!(caller.still_up() && other.still_up());
    other.hang_up();
    caller.ended().await;
    stage.close().await;
}

async fn an_update_for_a_call_that_has_ended_is_a_404(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (caller, mut contact, mut desk) = stage.at_desk().await;
    let call = stage.last_call();
    caller.hang_up();
    desk.ended().await;
    milliseconds(1_000).await;
    let error = stage.api.update(&call, arguments(&stage.target())).await.unwrap_err();
    assert_eq!(error.refusal, Refusal::Ended);
    // Connect's function does not even ask: no pair names the call any more.
    assert_eq!(contact.transfer(&stage.flow, &stage.target()).await, "not_found");
    nobody(&stage.phones[0]).await;
    stage.close().await;
}

async fn an_update_for_a_call_that_nobody_knows_is_a_404(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (mut caller, mut contact) = stage.at_connect().await;
    for unknown in ["23fe0cf1-fc36-4bdc-976d-3520c0a3ac86", "", "x"] {
        let error = stage.api.update(unknown, arguments(&stage.target())).await.unwrap_err();
        assert_eq!(error.refusal, Refusal::Ended);
    }
    // A contact that came over other numbers.
    let theirs = std::mem::replace(&mut contact.theirs, "+12065559999".to_owned());
    assert_eq!(contact.transfer(&stage.flow, &stage.target()).await, "not_found");
    contact.theirs = theirs;
    assert!(caller.still_up() && contact.line.still_up());
    nobody(&stage.phones[0]).await;
    caller.hang_up();
    contact.line.ended().await;
    stage.close().await;
}

async fn two_updates_at_once_make_one_transfer(plan: Plan) {
    let stage = Stage::open(plan).await;
    for later in 0..8 {
        let (mut caller, mut contact) = stage.at_connect().await;
        let (call, target) = (stage.last_call(), stage.target());
        let (one, two) = tokio::join!(contact.transfer(&stage.flow, &target), async {
            milliseconds(later).await;
            stage.api.update(&call, arguments(&target)).await
        });
        assert_eq!((one.as_str(), two), ("transferring", Ok(())));
        let mut desk = stage.picks_up(0).await;
        nobody(&stage.phones[0]).await;
        assert!(caller.still_up() && desk.still_up());
        desk.hang_up();
        caller.ended().await;
    }
    stage.close().await;
}

async fn two_updates_at_once_to_two_targets_make_one_transfer(plan: Plan) {
    let stage = Stage::open(plan).await;
    for later in 0..16 {
        let (mut caller, mut contact) = stage.at_connect().await;
        let (call, target) = (stage.last_call(), stage.target());
        let (one, two) = tokio::join!(contact.transfer(&stage.flow, &target), async {
            milliseconds(later).await;
            stage.api.update(&call, arguments(&stage.other_target())).await
        });
        assert_eq!((one.as_str(), two), ("transferring", Ok(())));
        milliseconds(500).await;
        let rings = [stage.phones[0].waiting_call().await, stage.phones[1].waiting_call().await];
        let mut rings = rings.into_iter().flatten();
        let (mut desk, none) = (rings.next().unwrap(), rings.next());
        assert!(none.is_none(), "{later}\n{}", stage.transcript.text(&call));
        desk.answer();
        desk.confirmed().await;
        assert!(caller.still_up());
        desk.hang_up();
        caller.ended().await;
    }
    stage.close().await;
}

async fn the_desk_hands_the_caller_back_to_connect(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (mut caller, _contact, mut desk) = stage.at_desk().await;
    milliseconds(1_000).await;
    let to_connect = BTreeMap::from([("TransferTarget".to_owned(), "connect".to_owned())]);
    stage.api.update(&stage.last_call(), to_connect).await.unwrap();
    desk.ended().await;
    let mut again = offhook_tests::cloud::contact::Contact::next(&stage.connect).await;
    again.answer().await;
    assert_eq!(again.who(&stage.flow).await, offhook_tests::cloud::stage::CALLER);
    assert!(caller.still_up());
    caller.hang_up();
    again.line.ended().await;
    stage.close().await;
}

async fn a_caller_is_taken_back_again_and_again(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (mut caller, mut contact) = stage.at_connect().await;
    let call = stage.last_call();
    let to_connect = BTreeMap::from([("TransferTarget".to_owned(), "connect".to_owned())]);
    for _ in 0..20 {
        assert_eq!(contact.transfer(&stage.flow, &stage.target()).await, "transferring");
        let mut desk = stage.phones[0].call().await;
        contact.line.ended().await;
        desk.answer();
        desk.confirmed().await;
        milliseconds(50).await;
        stage.api.update(&call, to_connect.clone()).await.unwrap();
        desk.ended().await;
        contact = offhook_tests::cloud::contact::Contact::next(&stage.connect).await;
        contact.answer().await;
        milliseconds(50).await;
    }
    assert!(caller.still_up() && contact.line.still_up());
    caller.hang_up();
    contact.line.ended().await;
    stage.close().await;
}
