//! The target is busy, not registered, rejects, does not answer, or is gone as soon as it is there.

use offhook_tests::cloud::contact::Contact;
use offhook_tests::cloud::stage::{CALLER, Plan, Stage};
use offhook_tests::sim::line::Line;

use crate::{milliseconds, on_both};

on_both! {
    the_target_is_busy,
    the_target_rejects,
    the_target_is_not_registered,
    the_target_does_not_answer,
    the_target_is_gone_from_the_network,
    the_target_hangs_up_in_the_moment_in_which_it_answers,
    the_target_hangs_up_after_a_while,
    the_target_refuses_twice_and_the_caller_is_told,
    connect_is_busy_when_the_caller_comes_back,
    words_cannot_be_said,
}

/// The caller is back at Connect, over a new pair.
async fn back_at_connect(stage: &Stage, mut caller: Line) {
    let mut again = Contact::next(&stage.connect).await;
    again.answer().await;
    assert_eq!(again.who(&stage.flow).await, CALLER);
    assert!(stage.transcript.has("say Nobody answers at the moment"));
    milliseconds(5_000).await;
    assert!(caller.still_up() && again.line.still_up());
    caller.hang_up();
    again.line.ended().await;
}

async fn taken_back(stage: &Stage) -> (Line, Contact) {
    let (caller, mut contact) = stage.taking_back().await;
    contact.line.ended().await;
    (caller, contact)
}

async fn the_target_is_busy(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (caller, _contact) = taken_back(&stage).await;
    stage.phones[0].call().await.reject(486);
    back_at_connect(&stage, caller).await;
    stage.close().await;
}

async fn the_target_rejects(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (caller, _contact) = taken_back(&stage).await;
    let desk = stage.phones[0].call().await;
    desk.ring();
    milliseconds(3_000).await;
    desk.reject(603);
    back_at_connect(&stage, caller).await;
    stage.close().await;
}

async fn the_target_is_not_registered(plan: Plan) {
    let stage = Stage::open(plan).await;
    stage.phones[0].register(0).await;
    let (caller, _contact) = taken_back(&stage).await;
    back_at_connect(&stage, caller).await;
    stage.close().await;
}

async fn the_target_does_not_answer(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (caller, _contact) = taken_back(&stage).await;
    let mut desk = stage.phones[0].call().await;
    desk.ring();
    desk.ended().await;
    back_at_connect(&stage, caller).await;
    stage.close().await;
}

async fn the_target_is_gone_from_the_network(plan: Plan) {
    let mut stage = Stage::open(plan).await;
    stage.lose_phone();
    let (caller, _contact) = taken_back(&stage).await;
    back_at_connect(&stage, caller).await;
    stage.close().await;
}

async fn the_target_hangs_up_in_the_moment_in_which_it_answers(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (mut caller, _contact) = taken_back(&stage).await;
    let mut desk = stage.phones[0].call().await;
    desk.answer();
    desk.hang_up();
    desk.ended().await;
    caller.ended().await;
    stage.close().await;
}

async fn the_target_hangs_up_after_a_while(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (mut caller, _contact, desk) = stage.at_desk().await;
    milliseconds(600_000).await;
    desk.hang_up();
    caller.ended().await;
    milliseconds(10_000).await;
    assert!(stage.phones[0].waiting_call().await.is_none());
    assert!(stage.connect.waiting_call().await.is_none());
    stage.close().await;
}

async fn the_target_refuses_twice_and_the_caller_is_told(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (mut caller, _contact) = taken_back(&stage).await;
    stage.phones[0].call().await.reject(486);
    let mut again = Contact::next(&stage.connect).await;
    again.answer().await;
    assert_eq!(again.who(&stage.flow).await, CALLER);
    assert_eq!(again.transfer(&stage.flow, &stage.target()).await, "transferring");
    stage.phones[0].call().await.reject(486);
    caller.ended().await;
    assert!(stage.transcript.has("say We are sorry"));
    again.line.ended().await;
    stage.close().await;
}

async fn connect_is_busy_when_the_caller_comes_back(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (mut caller, _contact) = taken_back(&stage).await;
    stage.phones[0].call().await.reject(486);
    stage.connect.call().await.reject(486);
    caller.ended().await;
    assert!(stage.transcript.has("say We are sorry"));
    stage.close().await;
}

async fn words_cannot_be_said(mut plan: Plan) {
    plan.mute = true;
    let stage = Stage::open(plan).await;
    let (caller, _contact) = taken_back(&stage).await;
    stage.phones[0].call().await.reject(486);
    back_at_connect(&stage, caller).await;
    stage.close().await;
}
