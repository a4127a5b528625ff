//! Clocks that are wrong.

use jiff::SignedDuration;
use offhook_tests::cloud::contact::Flow;
use offhook_tests::cloud::stage::{CALLER, Plan, Stage};

use crate::on_both;

on_both! {
    connects_function_has_another_time_than_the_application,
}

/// AWS refuses the requests of a clock that is wrong by more than this (SigV4).
const MOST_MINUTES: i64 = 5;

async fn connects_function_has_another_time_than_the_application(plan: Plan) {
    let mut stage = Stage::open(plan).await;
    for minutes in -MOST_MINUTES..=MOST_MINUTES {
        let skewed = stage.pool.seen_by(SignedDuration::from_mins(minutes));
        let usual = std::mem::replace(&mut stage.flow, Flow::new(skewed, stage.api.clone()));
        let (mut caller, mut contact) = stage.at_connect().await;
        assert_eq!(contact.who(&stage.flow).await, CALLER);
        assert_eq!(contact.transfer(&stage.flow, &stage.target()).await, "transferring");
        let mut desk = stage.phones[0].call().await;
        contact.line.ended().await;
        desk.answer();
        desk.confirmed().await;
        assert!(caller.still_up());
        caller.hang_up();
        desk.ended().await;
        stage.flow = usual;
    }
    stage.close().await;
}
