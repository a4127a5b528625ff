//! Connect hangs up before, while and after it asks for the caller.

use std::time::Duration;

use offhook_tests::cloud::pool::Health;
use offhook_tests::cloud::stage::{Plan, Stage};
use offhook_tests::sim::agent::Dial;
use tokio::time::Instant;

use crate::{milliseconds, on_both};

on_both! {
    connect_has_the_caller_taken_back_and_hangs_up,
    connect_hangs_up_a_second_before_it_asks,
    connect_hangs_up_and_never_asks,
    connect_hangs_up_while_its_request_is_under_way,
    connects_bye_crosses_ours,
    connect_does_not_confirm_our_bye,
    connect_hangs_up_in_the_moment_in_which_it_answers,
    connect_does_not_answer,
    connect_refuses_the_call,
}

async fn connect_has_the_caller_taken_back_and_hangs_up(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (mut caller, _contact, mut desk) = stage.at_desk().await;
    let invite = desk.invite.clone().unwrap();
    let shown = offhook_tests::sim::scene::text(&invite, "From").unwrap();
    assert!(shown.contains("+12065550142"), "the desk is shown who calls: {shown}");
    milliseconds(60_000).await;
    assert!(caller.still_up() && desk.still_up());
    desk.hang_up();
    caller.ended().await;
    stage.close().await;
}

async fn connect_hangs_up_a_second_before_it_asks(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (mut caller, mut contact) = stage.at_connect().await;
    contact.line.hang_up();
    milliseconds(1_000).await;
    assert_eq!(contact.transfer(&stage.flow, &stage.target()).await, "transferring");
    let mut desk = stage.picks_up(0).await;
    assert!(caller.still_up());
    caller.hang_up();
    desk.ended().await;
    stage.close().await;
}

async fn connect_hangs_up_and_never_asks(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (mut caller, mut contact) = stage.at_connect().await;
    contact.line.hang_up();
    contact.line.ended().await;
    let begin = Instant::now();
    caller.ended().await;
    assert_eq!(begin.elapsed().as_secs(), 3, "he is held for the time in which it may ask");
    // It is over: the function is told so, in whatever words.
    assert_eq!(contact.transfer(&stage.flow, &stage.target()).await, "not_found");
    stage.close().await;
}

async fn connect_hangs_up_while_its_request_is_under_way(plan: Plan) {
    let stage = Stage::open(plan).await;
    for under_way in [0, 1, 2, 3, 5, 8, 13, 500, 2_000] {
        stage.api.set(Health::Slow(Duration::from_millis(under_way)));
        let (mut caller, mut contact) = stage.at_connect().await;
        let target = stage.target();
        contact.line.hang_up();
        let status = contact.transfer(&stage.flow, &target).await;
        assert_eq!(status, "transferring", "{under_way} ms");
        let desk = stage.picks_up(0).await;
        assert!(caller.still_up());
        desk.hang_up();
        caller.ended().await;
    }
    assert!(stage.phones[0].waiting_call().await.is_none(), "nobody is called twice");
    stage.close().await;
}

async fn connects_bye_crosses_ours(plan: Plan) {
    let stage = Stage::open(plan).await;
    for later in 0..12 {
        let (mut caller, contact) = stage.taking_back().await;
        milliseconds(later).await;
        contact.line.hang_up();
        let desk = stage.picks_up(0).await;
        assert!(caller.still_up(), "{later} ms");
        desk.hang_up();
        caller.ended().await;
    }
    assert!(stage.phones[0].waiting_call().await.is_none(), "nobody is called twice");
    stage.close().await;
}

async fn connect_does_not_confirm_our_bye(plan: Plan) {
    let mut stage = Stage::open(plan).await;
    let (mut caller, mut contact) = stage.at_connect().await;
    stage.lose_connect();
    assert_eq!(contact.transfer(&stage.flow, &stage.target()).await, "transferring");
    let begin = Instant::now();
    let mut desk = stage.phones[0].call().await;
    assert!(begin.elapsed() < Duration::from_millis(100), "{:?}", begin.elapsed());
    desk.answer();
    desk.confirmed().await;
    // The time in which a BYE without an answer fails (Timer F).
    milliseconds(40_000).await;
    assert!(caller.still_up() && desk.still_up());
    caller.hang_up();
    desk.ended().await;
    stage.close().await;
}

async fn connect_hangs_up_in_the_moment_in_which_it_answers(plan: Plan) {
    let stage = Stage::open(plan).await;
    let mut caller = stage.dial();
    let contact = stage.connect.call().await;
    contact.ring();
    contact.answer();
    contact.hang_up();
    caller.answered().await;
    let begin = Instant::now();
    caller.ended().await;
    assert!(begin.elapsed() <= Duration::from_secs(4), "{:?}", begin.elapsed());
    drop(contact);
    stage.close().await;
}

async fn connect_does_not_answer(plan: Plan) {
    let stage = Stage::open(plan).await;
    let mut caller = stage.dial();
    let mut contact = stage.connect.call().await;
    contact.ring();
    contact.ended().await;
    // The office takes the call.
    let mut desk = stage.phones[0].call().await;
    desk.answer();
    caller.answered().await;
    desk.confirmed().await;
    assert!(stage.pool.owners().is_empty(), "the pair is free while the office talks");
    caller.hang_up();
    desk.ended().await;
    stage.close().await;
}

async fn connect_refuses_the_call(plan: Plan) {
    let stage = Stage::open(plan).await;
    for status in [486, 503, 404, 603] {
        let mut caller = stage.callers.dial(
            Dial::to(offhook_tests::cloud::stage::ENTRY).from(offhook_tests::cloud::stage::CALLER),
        );
        let contact = stage.connect.call().await;
        contact.reject(status);
        let mut desk = stage.phones[0].call().await;
        desk.answer();
        caller.answered().await;
        desk.confirmed().await;
        caller.hang_up();
        desk.ended().await;
    }
    stage.close().await;
}
