//! AWS cannot be reached for a minute.

use std::time::Duration;

use offhook_tests::cloud::contact::Contact;
use offhook_tests::cloud::pool::Health;
use offhook_tests::cloud::stage::{CALLER, Plan, Stage};
use offhook_tests::sim::scene::connect;

use crate::{milliseconds, on_both};

on_both! {
    a_caller_who_comes_while_the_table_is_away_waits_for_it,
    a_caller_who_comes_while_the_table_keeps_silent_waits_for_it,
    a_caller_who_waited_in_vain_goes_to_the_office,
    a_caller_who_waited_in_vain_is_told_when_there_is_no_office,
    connect_asks_again_until_it_is_heard,
    calls_that_end_meanwhile_leave_no_pair_behind,
    calls_that_are_taken_back_meanwhile_leave_no_pair_behind,
    calls_that_need_no_aws_know_nothing_of_it,
    an_update_whose_answer_is_lost_is_asked_for_again,
}

async fn a_caller_who_comes_while_the_table_is_away_waits_for_it(plan: Plan) {
    waits(plan, Health::Away).await;
}

async fn a_caller_who_comes_while_the_table_keeps_silent_waits_for_it(plan: Plan) {
    waits(plan, Health::Silent).await;
}

async fn waits(plan: Plan, health: Health) {
    let stage = Stage::open(plan).await;
    stage.pool.set(health);
    let mut caller = stage.dial();
    caller.answered().await;
    assert!(stage.transcript.has("say All lines are busy"));
    milliseconds(45_000).await;
    assert!(caller.still_up());
    stage.pool.set(Health::Well);
    let mut contact = Contact::next(&stage.connect).await;
    contact.answer().await;
    assert_eq!(contact.who(&stage.flow).await, CALLER);
    assert!(caller.still_up());
    caller.hang_up();
    contact.line.ended().await;
    stage.close().await;
}

async fn a_caller_who_waited_in_vain_goes_to_the_office(plan: Plan) {
    let stage = Stage::open(plan).await;
    stage.pool.set(Health::Away);
    let mut caller = stage.dial();
    let mut desk = stage.picks_up(0).await;
    assert!(caller.still_up());
    caller.hang_up();
    desk.ended().await;
    stage.pool.set(Health::Well);
    stage.close().await;
}

async fn a_caller_who_waited_in_vain_is_told_when_there_is_no_office(mut plan: Plan) {
    plan.rules.default_target = None;
    let stage = Stage::open(plan).await;
    stage.pool.set(Health::Away);
    let mut caller = stage.dial();
    caller.ended().await;
    assert!(stage.transcript.has("say We are sorry"));
    stage.pool.set(Health::Well);
    stage.close().await;
}

async fn connect_asks_again_until_it_is_heard(plan: Plan) {
    let stage = Stage::open(plan).await;
    for health in [Health::Away, Health::Silent] {
        let (mut caller, mut contact) = stage.at_connect().await;
        stage.pool.set(health);
        stage.api.set(health);
        for _ in 0..12 {
            assert_eq!(contact.transfer(&stage.flow, &stage.target()).await, "unavailable");
            milliseconds(5_000).await;
        }
        assert!(caller.still_up() && contact.line.still_up(), "who talks is not touched");
        stage.pool.set(Health::Well);
        assert_eq!(contact.transfer(&stage.flow, &stage.target()).await, "unavailable");
        stage.api.set(Health::Well);
        assert_eq!(contact.transfer(&stage.flow, &stage.target()).await, "transferring");
        let mut desk = stage.picks_up(0).await;
        caller.hang_up();
        desk.ended().await;
    }
    stage.close().await;
}

async fn calls_that_end_meanwhile_leave_no_pair_behind(mut plan: Plan) {
    plan.numbers = (2, 2);
    let stage = Stage::open(plan).await;
    for health in [Health::Away, Health::Silent] {
        let (mut one, mut first) = stage.at_connect().await;
        let (mut two, mut second) = stage.at_connect().await;
        stage.pool.set(health);
        one.hang_up();
        first.line.ended().await;
        one.ended().await;
        second.line.hang_up();
        two.ended().await;
        second.line.ended().await;
        milliseconds(60_000).await;
        stage.pool.set(Health::Well);
        // Who comes next, in the minutes after, finds them all free.
        milliseconds(70_000).await;
        let (mut next, mut contact) = stage.at_connect().await;
        next.hang_up();
        contact.line.ended().await;
        next.ended().await;
        milliseconds(5_000).await;
        assert!(stage.pool.owners().is_empty(), "{health:?}: {:?}", stage.pool.owners());
    }
    stage.close().await;
}

async fn calls_that_are_taken_back_meanwhile_leave_no_pair_behind(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (mut caller, mut contact) = stage.taking_back().await;
    stage.pool.set(Health::Away);
    let mut desk = stage.phones[0].call().await;
    contact.line.ended().await;
    desk.answer();
    desk.confirmed().await;
    milliseconds(60_000).await;
    assert!(caller.still_up() && desk.still_up());
    stage.pool.set(Health::Well);
    milliseconds(60_000).await;
    caller.hang_up();
    desk.ended().await;
    stage.close().await;
}

async fn calls_that_need_no_aws_know_nothing_of_it(plan: Plan) {
    let stage = Stage::open(plan).await;
    stage.pool.set(Health::Silent);
    stage.api.set(Health::Silent);
    let waiting = stage.dial();
    milliseconds(100).await;
    let begin = tokio::time::Instant::now();
    let (mut one, mut two) = connect(&stage.phones[0], "102", &stage.phones[1]).await;
    assert!(begin.elapsed() < Duration::from_millis(100), "{:?}", begin.elapsed());
    milliseconds(20_000).await;
    assert!(one.still_up() && two.still_up());
    one.hang_up();
    two.ended().await;
    waiting.hang_up();
    milliseconds(20_000).await;
    stage.pool.set(Health::Well);
    stage.close().await;
}

async fn an_update_whose_answer_is_lost_is_asked_for_again(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (mut caller, mut contact) = stage.at_connect().await;
    stage.api.set(Health::Deaf(Duration::from_secs(60)));
    assert_eq!(contact.transfer(&stage.flow, &stage.target()).await, "unavailable");
    stage.api.set(Health::Well);
    // It was heard: nobody is at the pair any more, and the flow may hang up.
    let status = contact.transfer(&stage.flow, &stage.target()).await;
    assert!(["not_found", "transferring"].contains(&status.as_str()), "{status}");
    let mut desk = stage.picks_up(0).await;
    milliseconds(1_000).await;
    assert!(stage.phones[0].waiting_call().await.is_none(), "one transfer");
    assert!(caller.still_up());
    caller.hang_up();
    desk.ended().await;
    stage.close().await;
}
