//! The caller hangs up, at every step.

use std::time::Duration;

use offhook_tests::cloud::contact::Contact;
use offhook_tests::cloud::pool::Health;
use offhook_tests::cloud::stage::{Plan, Stage};

use crate::{milliseconds, on_both};

on_both! {
    the_caller_hangs_up_before_there_is_a_pair,
    the_caller_hangs_up_while_the_table_keeps_silent,
    the_caller_hangs_up_when_the_pair_is_claimed_and_its_answer_is_not_there,
    the_caller_hangs_up_while_connect_rings,
    the_caller_hangs_up_as_connect_answers,
    the_caller_hangs_up_while_he_talks_with_connect,
    the_caller_hangs_up_as_connect_asks_for_him,
    the_caller_hangs_up_while_connects_leg_is_hung_up,
    the_caller_hangs_up_in_the_time_of_grace,
    the_caller_hangs_up_while_the_desk_rings,
    the_caller_hangs_up_as_the_desk_answers,
    the_caller_hangs_up_while_he_talks_with_the_desk,
    the_caller_hangs_up_while_he_waits_for_a_pair,
    the_caller_and_the_desk_hang_up_at_once,
    the_caller_and_connect_hang_up_at_once,
}

async fn the_caller_hangs_up_before_there_is_a_pair(plan: Plan) {
    let stage = Stage::open(plan).await;
    stage.pool.set(Health::Slow(Duration::from_secs(2)));
    let mut caller = stage.dial();
    milliseconds(1_000).await;
    caller.hang_up();
    caller.ended().await;
    milliseconds(10_000).await;
    assert!(stage.connect.waiting_call().await.is_none(), "Connect is called for nobody");
    stage.close().await;
}

async fn the_caller_hangs_up_while_the_table_keeps_silent(plan: Plan) {
    let stage = Stage::open(plan).await;
    stage.pool.set(Health::Silent);
    let mut caller = stage.dial();
    milliseconds(500).await;
    caller.hang_up();
    caller.ended().await;
    milliseconds(20_000).await;
    stage.pool.set(Health::Well);
    assert!(stage.connect.waiting_call().await.is_none());
    stage.close().await;
}

async fn the_caller_hangs_up_when_the_pair_is_claimed_and_its_answer_is_not_there(plan: Plan) {
    let stage = Stage::open(plan).await;
    stage.pool.set(Health::Deaf(Duration::from_millis(1_500)));
    let mut caller = stage.dial();
    milliseconds(500).await;
    assert_eq!(stage.pool.owners().len(), 1);
    caller.hang_up();
    caller.ended().await;
    stage.close().await;
}

async fn the_caller_hangs_up_while_connect_rings(plan: Plan) {
    let stage = Stage::open(plan).await;
    let mut caller = stage.dial();
    let mut contact = Contact::next(&stage.connect).await;
    contact.line.ring();
    caller.progressed(180).await;
    milliseconds(3_000).await;
    caller.hang_up();
    caller.ended().await;
    contact.line.ended().await;
    stage.close().await;
}

async fn the_caller_hangs_up_as_connect_answers(plan: Plan) {
    let stage = Stage::open(plan).await;
    for (answers, leaves) in offsets(5) {
        let mut caller = stage.dial();
        let mut contact = Contact::next(&stage.connect).await;
        contact.line.ring();
        caller.progressed(180).await;
        tokio::join!(
            async {
                milliseconds(answers).await;
                contact.line.answer();
            },
            async {
                milliseconds(leaves).await;
                caller.hang_up();
            }
        );
        caller.ended().await;
        contact.line.ended().await;
        milliseconds(100).await;
        assert!(stage.pool.owners().is_empty(), "{answers} {leaves}");
    }
    stage.close().await;
}

async fn the_caller_hangs_up_while_he_talks_with_connect(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (caller, mut contact) = stage.at_connect().await;
    caller.hang_up();
    contact.line.ended().await;
    // Whatever Connect asks for now is for nobody.
    assert_eq!(contact.transfer(&stage.flow, &stage.target()).await, "not_found");
    assert_eq!(contact.who(&stage.flow).await, "not_found");
    stage.close().await;
}

async fn the_caller_hangs_up_as_connect_asks_for_him(plan: Plan) {
    let stage = Stage::open(plan).await;
    for (asks, leaves) in offsets(8) {
        let (mut caller, mut contact) = stage.at_connect().await;
        let target = stage.target();
        let asking = async {
            milliseconds(asks).await;
            contact.transfer(&stage.flow, &target).await
        };
        let leaving = async {
            milliseconds(leaves).await;
            caller.hang_up();
        };
        tokio::join!(asking, leaving);
        caller.ended().await;
        contact.line.ended().await;
        nobody_rings(&stage).await;
    }
    stage.close().await;
}

async fn the_caller_hangs_up_while_connects_leg_is_hung_up(plan: Plan) {
    let stage = Stage::open(plan).await;
    for later in 0..16 {
        let (mut caller, mut contact) = stage.taking_back().await;
        milliseconds(later).await;
        caller.hang_up();
        caller.ended().await;
        contact.line.ended().await;
        nobody_rings(&stage).await;
    }
    stage.close().await;
}

/// A desk that was called is not called any more.
async fn nobody_rings(stage: &Stage) {
    milliseconds(200).await;
    while let Some(mut desk) = stage.phones[0].waiting_call().await {
        desk.ended().await;
    }
    assert!(stage.pool.owners().is_empty());
}

async fn the_caller_hangs_up_in_the_time_of_grace(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (mut caller, mut contact) = stage.at_connect().await;
    contact.line.hang_up();
    contact.line.ended().await;
    milliseconds(1_000).await;
    caller.hang_up();
    caller.ended().await;
    milliseconds(500).await;
    assert_eq!(contact.transfer(&stage.flow, &stage.target()).await, "not_found");
    nobody_rings(&stage).await;
    stage.close().await;
}

async fn the_caller_hangs_up_while_the_desk_rings(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (mut caller, mut contact) = stage.at_connect().await;
    contact.transfer(&stage.flow, &stage.target()).await;
    let mut desk = stage.phones[0].call().await;
    desk.ring();
    milliseconds(4_000).await;
    caller.hang_up();
    caller.ended().await;
    desk.ended().await;
    stage.close().await;
}

async fn the_caller_hangs_up_as_the_desk_answers(plan: Plan) {
    let stage = Stage::open(plan).await;
    for (answers, leaves) in offsets(8) {
        let (mut caller, mut contact) = stage.at_connect().await;
        contact.transfer(&stage.flow, &stage.target()).await;
        let mut desk = stage.phones[0].call().await;
        desk.ring();
        milliseconds(2_000).await;
        tokio::join!(
            async {
                milliseconds(answers).await;
                desk.answer();
            },
            async {
                milliseconds(leaves).await;
                caller.hang_up();
            }
        );
        caller.ended().await;
        desk.ended().await;
    }
    stage.close().await;
}

async fn the_caller_hangs_up_while_he_talks_with_the_desk(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (caller, contact, mut desk) = stage.at_desk().await;
    milliseconds(30_000).await;
    caller.hang_up();
    desk.ended().await;
    milliseconds(40_000).await;
    assert!(stage.phones[0].waiting_call().await.is_none(), "no ghost call");
    assert!(stage.connect.waiting_call().await.is_none());
    drop(contact);
    stage.close().await;
}

async fn the_caller_hangs_up_while_he_waits_for_a_pair(plan: Plan) {
    let stage = Stage::open(plan).await;
    let (mut first, mut contact) = stage.at_connect().await;
    let mut second = stage.dial();
    second.answered().await;
    milliseconds(12_000).await;
    assert!(stage.transcript.has("say All lines are busy"));
    second.hang_up();
    second.ended().await;
    // The pair that is free then is not his.
    first.hang_up();
    contact.line.ended().await;
    milliseconds(10_000).await;
    assert!(stage.connect.waiting_call().await.is_none());
    first.ended().await;
    stage.close().await;
}

async fn the_caller_and_the_desk_hang_up_at_once(plan: Plan) {
    let stage = Stage::open(plan).await;
    for (one, two) in offsets(6) {
        let (mut caller, _contact, mut desk) = stage.at_desk().await;
        tokio::join!(
            async {
                milliseconds(one).await;
                caller.hang_up();
            },
            async {
                milliseconds(two).await;
                desk.hang_up();
            }
        );
        caller.ended().await;
        desk.ended().await;
        milliseconds(1_000).await;
        assert!(stage.phones[0].waiting_call().await.is_none(), "no ghost call");
    }
    stage.close().await;
}

async fn the_caller_and_connect_hang_up_at_once(plan: Plan) {
    let stage = Stage::open(plan).await;
    for (one, two) in offsets(6) {
        let (mut caller, mut contact) = stage.at_connect().await;
        tokio::join!(
            async {
                milliseconds(one).await;
                caller.hang_up();
            },
            async {
                milliseconds(two).await;
                contact.line.hang_up();
            }
        );
        caller.ended().await;
        contact.line.ended().await;
        milliseconds(200).await;
        assert!(stage.pool.owners().is_empty(), "{one} {two}");
    }
    stage.close().await;
}

/// Milliseconds by which either of two comes later than the other.
fn offsets(most: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..=most).map(|n| (n, 0)).chain((1..=most).map(|n| (0, n)))
}
