//! Somebody hangs up while the cloud is asked to call anew who was asked: nobody is lost.

use std::time::Duration;

use offhook_pbx::cloud::CloudError;
use offhook_pbx::event::CallEventKind;
use offhook_tests::sim::line::Line;
use offhook_tests::sim::scene::Scene;
use tokio::time::sleep;

use super::attended::{Asking, DNIS, THERE, open_moving, refused};
use super::{TRANSACTION, asked_of, reported};

pub(super) async fn hang_up(line: &mut Line) {
    line.hang_up();
    line.ended().await;
    // Until the office knows it.
    sleep(Duration::from_millis(500)).await;
}

/// Which of its two calls the phone hangs up.
pub(super) const LETS_GO: [(bool, bool); 3] = [(true, false), (false, true), (true, true)];

impl Asking {
    pub(super) async fn let_go(&mut self, (caller, asked): (bool, bool)) {
        if asked {
            hang_up(&mut self.second).await;
        }
        if caller {
            hang_up(&mut self.bob).await;
        }
        assert!(self.customer.still_up() && self.far.still_up());
    }
}

fn rang_bob(scene: &Scene) -> usize {
    scene.net.messages("INVITE sip:102").len()
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_has_let_go_of_a_call_has_put_the_two_through_when_the_cloud_refuses() {
    let (scene, mut cloud) = open_moving("").await;
    for (n, which) in LETS_GO.into_iter().enumerate() {
        let mut asking = Asking::put_through(&scene, &TRANSACTION).await;
        let asked = asked_of(&mut cloud).await;
        asking.let_go(which).await;
        asked.answer(refused());
        if !which.0 {
            assert_eq!(reported(&mut asking.bob).await, "200 OK");
        }
        asking.are_joined().await;
        assert_eq!(rang_bob(&scene), n + 1, "{which:?}: nobody rings again");
    }
    let records = scene.close().await;
    assert!(records.iter().all(|record| record.transfers[0].status == Some(200)));
}

#[tokio::test(start_paused = true)]
async fn whatever_the_phone_has_hung_up_the_cloud_has_the_caller_when_it_takes_him() {
    let (scene, mut cloud) = open_moving("").await;
    for which in LETS_GO {
        let mut asking = Asking::put_through(&scene, &TRANSACTION).await;
        let asked = asked_of(&mut cloud).await;
        asking.let_go(which).await;
        asked.answer(Ok(()));
        asking.far.ended().await;
        asking.second.ended().await;
        hang_up(&mut asking.customer).await;
        asking.bob.ended().await;
    }
    let records = scene.close().await;
    let moved = records.iter().filter(|r| r.destination.as_deref() == Some("cloud:+15557770000"));
    assert_eq!(moved.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn who_was_asked_may_hang_up_and_the_caller_is_the_clouds_or_stays() {
    let (scene, mut cloud) = open_moving("").await;
    for lets_go in [false, true] {
        for answer in [Ok(()), refused()] {
            let taken = answer.is_ok();
            let mut asking = Asking::put_through(&scene, &TRANSACTION).await;
            let asked = asked_of(&mut cloud).await;
            if lets_go {
                asking.let_go((false, true)).await;
            }
            hang_up(&mut asking.far).await;
            asking.second.ended().await;
            asked.answer(answer);
            let says = if taken { "183 The cloud moves" } else { "403 The cloud may not move" };
            assert_eq!(reported(&mut asking.bob).await, format!("{says} the call"));
            sleep(Duration::from_secs(5)).await;
            assert!(asking.customer.still_up() && asking.bob.still_up());
            hang_up(&mut asking.customer).await;
            asking.bob.ended().await;
        }
    }
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_joined_with_the_caller_of_a_call_that_is_nobodys_in_the_cloud_is_too_after_that() {
    let (scene, mut cloud) = open_moving(DNIS).await;
    for which in LETS_GO {
        let mut asking = Asking::put_through(&scene, &[]).await;
        let asked = asked_of(&mut cloud).await;
        asking.let_go(which).await;
        asked.answer(Err(CloudError::NotThere));
        if !which.0 {
            assert_eq!(reported(&mut asking.bob).await, "200 OK");
        }
        asking.are_joined().await;
    }
    let records = scene.close().await;
    assert!(records.iter().all(|record| record.transfers[0].status == Some(200)));
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_has_hung_up_on_both_rings_again_when_the_other_has_hung_up_too() {
    let (scene, mut cloud) = open_moving(DNIS).await;
    let cases: [(&[_], _); 2] = [(&TRANSACTION, refused()), (&[], Err(CloudError::NotThere))];
    for (headers, answer) in cases {
        let mut asking = Asking::put_through(&scene, headers).await;
        let asked = asked_of(&mut cloud).await;
        asking.let_go((true, true)).await;
        hang_up(&mut asking.far).await;
        asked.answer(answer);
        let mut back = scene.phone(102).call().await;
        back.answer();
        back.confirmed().await;
        sleep(Duration::from_secs(5)).await;
        assert!(asking.customer.still_up());
        hang_up(&mut asking.customer).await;
        back.ended().await;
    }
    // One that has kept the caller has him still.
    let mut asking = Asking::put_through(&scene, &[]).await;
    let asked = asked_of(&mut cloud).await;
    asking.let_go((false, true)).await;
    hang_up(&mut asking.far).await;
    asked.answer(Err(CloudError::NotThere));
    assert_eq!(reported(&mut asking.bob).await, "404 This call is not in the cloud");
    sleep(Duration::from_secs(5)).await;
    assert!(asking.customer.still_up() && asking.bob.still_up());
    hang_up(&mut asking.customer).await;
    asking.bob.ended().await;
    let records = scene.office.keep.records();
    let last = &records.iter().rfind(|record| record.to == "+15550001002").unwrap().id;
    let failures =
        scene.office.keep.timeline(last).into_iter().filter_map(|event| match event.kind {
            CallEventKind::Failure { code, .. } => Some(code),
            _ => None,
        });
    assert_eq!(failures.collect::<Vec<_>>(), ["cloud-call-gone"]);
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn both_hang_up_in_the_same_moment_and_the_caller_stays() {
    let (scene, mut cloud) = open_moving("").await;
    let mut asking = Asking::put_through(&scene, &TRANSACTION).await;
    let asked = asked_of(&mut cloud).await;
    asking.far.hang_up();
    asking.second.hang_up();
    asking.far.ended().await;
    asking.second.ended().await;
    sleep(Duration::from_secs(1)).await;
    asked.answer(refused());
    assert_eq!(reported(&mut asking.bob).await, "403 The cloud may not move the call");
    hang_up(&mut asking.customer).await;
    asking.bob.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_whose_caller_was_put_through_to_it_may_let_go_too() {
    let (scene, mut cloud) = open_moving("").await;
    for answer in [refused(), Ok(())] {
        for which in LETS_GO {
            let mut asking = Asking::put_through_to(&scene).await;
            asking.bob.refer_to_call(THERE, &asking.second).await;
            assert_eq!(reported(&mut asking.bob).await, "100 Trying");
            let asked = asked_of(&mut cloud).await;
            asking.let_go(which).await;
            asked.answer(answer.clone());
            if answer.is_err() {
                if !which.0 {
                    assert_eq!(reported(&mut asking.bob).await, "200 OK");
                }
                asking.are_joined().await;
                continue;
            }
            asking.far.ended().await;
            asking.second.ended().await;
            hang_up(&mut asking.customer).await;
            asking.bob.ended().await;
        }
    }
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_bye_of_the_caller_that_is_faster_than_the_answer_is_what_the_answer_says() {
    let (scene, mut cloud) = open_moving("").await;
    let gone = || Err(CloudError::Gone("NotFoundException".into()));
    // The cloud has him: the other one is free. He is gone: they talk on.
    for (answer, says) in [(Ok(()), "200 OK"), (gone(), "487 Request Terminated")] {
        let taken = answer.is_ok();
        let mut asking = Asking::put_through(&scene, &TRANSACTION).await;
        let asked = asked_of(&mut cloud).await;
        hang_up(&mut asking.customer).await;
        sleep(Duration::from_secs(1)).await;
        assert!(asking.bob.still_up() && asking.second.still_up() && asking.far.still_up());
        asked.answer(answer);
        assert_eq!(reported(&mut asking.bob).await, says);
        asking.bob.ended().await;
        sleep(Duration::from_secs(5)).await;
        assert_eq!((asking.second.still_up(), asking.far.still_up()), (!taken, !taken));
        asking.second.hang_up();
        asking.far.ended().await;
    }
    // Nobody is there for whom the phone has let go of.
    let mut asking = Asking::put_through(&scene, &TRANSACTION).await;
    let asked = asked_of(&mut cloud).await;
    asking.let_go((false, true)).await;
    hang_up(&mut asking.customer).await;
    asked.answer(gone());
    asking.bob.ended().await;
    asking.far.ended().await;
    let records = scene.close().await;
    assert!(records.iter().all(|record| record.ended.is_some()));
}

#[tokio::test(start_paused = true)]
async fn the_operator_ends_either_call_while_the_cloud_is_asked() {
    let (scene, mut cloud) = open_moving("").await;
    let (mut asking, mut other) =
        (Asking::put_through(&scene, &TRANSACTION).await, scene.office.calls.calls());
    let asked = asked_of(&mut cloud).await;
    assert!(scene.office.calls.hang_up(&other.remove(1).id));
    asking.far.ended().await;
    asking.second.ended().await;
    assert!(asking.customer.still_up() && asking.bob.still_up());
    assert!(scene.office.calls.hang_up(&other.remove(0).id));
    asking.customer.ended().await;
    assert_eq!(reported(&mut asking.bob).await, "487 Request Terminated");
    asking.bob.ended().await;
    asked.answer(Ok(()));
    scene.close().await;
}
