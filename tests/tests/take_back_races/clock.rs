//! Clocks that are wrong.

use jiff::SignedDuration;
use offhook_tests::cloud::contact::Flow;
use offhook_tests::cloud::stage::{CALLER, Plan, Stage};

use crate::on_both;

on_both! {
    connects_function_has_another_time_than_the_application,
}

/// The lease of a call that rings lasts for longer. Those who keep pairs in DynamoDB go by AWS's
/// clock whatever their own says, those in PostgreSQL by that of the database (`edge/chime`,
/// `edge/postgres`).
const MOST_SECONDS: i64 = 90;

async fn connects_function_has_another_time_than_the_application(plan: Plan) {
    let mut stage = Stage::open(plan).await;
    for seconds in (-MOST_SECONDS..=MOST_SECONDS).step_by(30) {
        let skewed = stage.pool.seen_by(SignedDuration::from_secs(seconds));
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
