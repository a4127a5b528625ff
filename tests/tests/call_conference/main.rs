//! A phone that asks for a conference and brings its calls into it (RFC 4579), on the simulated
//! network.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use offhook_tests::sim::agent::Dial;
use offhook_tests::sim::line::Line;
use offhook_tests::sim::scene::{Scene, connect};
use tokio::time::sleep;

mod keys;
mod rooms;
mod stays;
mod subscriptions;

/// 101 holds 102 and talks with 103: its line and the other's, of either call.
async fn two_calls(scene: &Scene) -> ((Line, Line), (Line, Line)) {
    let (mut ann, bob) = connect(scene.phone(101), "102", scene.phone(102)).await;
    ann.hold().await;
    ((ann, bob), connect(scene.phone(101), "103", scene.phone(103)).await)
}

/// A customer who has called that number, and 101, who holds him.
async fn held_customer(scene: &Scene, number: &str) -> (Line, Line) {
    let mut customer = scene.trunk.dial(Dial::to(number));
    let mut ann = scene.phone(101).call().await;
    ann.answer();
    customer.answered().await;
    ann.confirmed().await;
    ann.hold().await;
    (customer, ann)
}

async fn moment() {
    sleep(Duration::from_secs(1)).await;
}

async fn all_hang_up(lines: &mut [&mut Line]) {
    for line in lines {
        line.hang_up();
        line.ended().await;
        moment().await;
    }
}

/// What the timelines of all calls say in words, once they are written.
async fn notes(scene: &Scene) -> Vec<String> {
    sleep(Duration::from_secs(5)).await;
    let keep = &scene.office.keep;
    keep.records().iter().flat_map(|record| keep.notes(&record.id)).collect()
}

async fn times_noted(scene: &Scene, text: &str) -> usize {
    notes(scene).await.iter().filter(|note| note.contains(text)).count()
}
