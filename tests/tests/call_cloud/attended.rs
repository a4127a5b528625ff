//! A phone puts its caller through to somebody outside who has answered it (RFC 5589 §7), and the
//! operator wants the cloud to carry that out.

use std::time::Duration;

use offhook_pbx::cloud::CloudError;
use offhook_tests::sim::agent::Dial;
use offhook_tests::sim::cloud::Asked;
use offhook_tests::sim::line::Line;
use offhook_tests::sim::scene::{OFFICE, Scene, connect};
use offhook_tests::sim::sdp::Direction;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;

use super::{BOBS, CONTACT, TRANSACTION, asked_of, customer_with, open, reported, update};

pub(super) const THERE: &str = "+15557770000";
/// Calls are found by their numbers.
pub(super) const DNIS: &str =
    "[dnis]\nour_numbers = [\"+15550007777\"]\nconnect_numbers = [\"+15550001002\"]\n";

pub(super) async fn open_moving(more: &str) -> (Scene, UnboundedReceiver<Asked>) {
    open(&format!("attended = \"move\"\n{more}{BOBS}")).await
}

/// 102 holds a customer of the cloud and talks with somebody outside.
pub(super) struct Asking {
    pub(super) customer: Line,
    pub(super) bob: Line,
    pub(super) second: Line,
    pub(super) far: Line,
}

impl Asking {
    pub(super) async fn about(scene: &Scene, headers: &[(&str, &str)]) -> Self {
        let (customer, mut bob) = customer_with(scene, headers).await;
        bob.hold().await;
        let (second, far) = connect(scene.phone(102), THERE, &scene.trunk).await;
        Self { customer, bob, second, far }
    }

    /// And puts the one through to the other.
    pub(super) async fn put_through(scene: &Scene, headers: &[(&str, &str)]) -> Self {
        let mut asking = Self::about(scene, headers).await;
        asking.bob.refer_to_call(THERE, &asking.second).await;
        assert_eq!(reported(&mut asking.bob).await, "100 Trying");
        asking
    }

    /// The same of 101, whom 102 has put that customer through to.
    pub(super) async fn put_through_to(scene: &Scene) -> Self {
        let (customer, mut bob) = super::customer(scene).await;
        let (mut second, mut ann) = connect(scene.phone(102), "101", scene.phone(101)).await;
        bob.refer_to_call("101", &second).await;
        bob.ended().await;
        second.ended().await;
        ann.hold().await;
        let (third, far) = connect(scene.phone(101), THERE, &scene.trunk).await;
        Self { customer, bob: ann, second: third, far }
    }

    pub(super) fn all_up(&mut self) -> bool {
        let lines = [&mut self.customer, &mut self.bob, &mut self.second, &mut self.far];
        lines.into_iter().all(Line::still_up)
    }

    /// The customer and whoever was asked are joined here, and the phone is out of it.
    pub(super) async fn are_joined(mut self) {
        self.bob.ended().await;
        self.second.ended().await;
        sleep(Duration::from_secs(40)).await;
        assert!(self.customer.still_up() && self.far.still_up());
        self.customer.hang_up();
        self.customer.ended().await;
        self.far.ended().await;
    }
}

pub(super) fn refused() -> Result<(), CloudError> {
    Err(CloudError::Refused("ForbiddenException".into()))
}

/// How often the office called there.
fn calls_there(scene: &Scene) -> usize {
    let calls = scene.net.messages(&format!("INVITE sip:{THERE}"));
    calls.iter().filter(|(from, ..)| *from == OFFICE).count()
}

#[tokio::test(start_paused = true)]
async fn the_cloud_takes_the_caller_to_who_was_asked_and_that_call_ends_as_soon_as_it_says_so() {
    let (scene, mut cloud) = open_moving("").await;
    let mut asking = Asking::put_through(&scene, &TRANSACTION).await;
    let asked = asked_of(&mut cloud).await;
    assert_eq!(asked.order, update(THERE));
    sleep(Duration::from_secs(3)).await;
    assert!(asking.all_up());
    asked.answer(Ok(()));
    assert_eq!(reported(&mut asking.bob).await, "183 The cloud moves the call");
    // Free for the call that comes now.
    asking.far.ended().await;
    asking.second.ended().await;
    sleep(Duration::from_secs(3)).await;
    assert!(asking.customer.still_up() && asking.bob.still_up());
    asking.customer.hang_up();
    assert_eq!(reported(&mut asking.bob).await, "200 OK");
    asking.bob.ended().await;
    assert_eq!(calls_there(&scene), 1);
    let records = scene.close().await;
    let of = |to: &str| records.iter().find(|record| record.to == to).unwrap();
    let moved = of("+15550001002");
    assert_eq!(moved.destination.as_deref(), Some("cloud:+15557770000"));
    assert_eq!((moved.transfers[0].attended, moved.transfers[0].status), (true, Some(200)));
    assert_eq!(of(THERE).hung_up_by.as_deref(), Some("us"));
    assert_eq!((of(THERE).failure.as_deref(), of(THERE).transfers.len()), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_of_connect_goes_back_to_its_flow_which_is_told_who_was_asked() {
    let texts = "attributes = { to = \"{target}\" }\n";
    let (scene, mut cloud) = open_moving(texts).await;
    let mut asking = Asking::put_through(&scene, &CONTACT).await;
    let asked = asked_of(&mut cloud).await;
    assert!(format!("{:?}", asked.order).contains("\"to\": \"+15557770000\""), "{asked:?}");
    assert!(asking.all_up());
    asked.answer(Ok(()));
    asking.far.ended().await;
    asking.customer.ended().await;
    assert_eq!(reported(&mut asking.bob).await, "200 OK");
    asking.bob.ended().await;
    asking.second.ended().await;
    // A flow that is not told whom to call cannot call him.
    let (without, mut silent) = open_moving("").await;
    Asking::put_through(&without, &CONTACT).await.are_joined().await;
    assert!(silent.try_recv().is_err());
    without.close().await;
    let records = scene.close().await;
    assert_eq!(records[0].destination.as_deref(), Some("cloud:connect +15557770000"));
}

#[tokio::test(start_paused = true)]
async fn a_cloud_that_refuses_or_is_silent_leaves_both_calls_with_the_desk() {
    let (scene, mut cloud) = open_moving("").await;
    let mut asking = Asking::about(&scene, &TRANSACTION).await;
    let gone = CloudError::Gone("NotFoundException".into());
    for (answer, says) in [
        (Some(refused()), "403 The cloud may not move the call"),
        (Some(Err(gone)), "404 The cloud has no such call any more"),
        (None, "503 The cloud does not answer"),
    ] {
        asking.bob.refer_to_call(THERE, &asking.second).await;
        assert_eq!(reported(&mut asking.bob).await, "100 Trying");
        let asked = asked_of(&mut cloud).await;
        let _silent = match answer {
            Some(answer) => {
                asked.answer(answer);
                None
            }
            None => Some(asked),
        };
        assert_eq!(reported(&mut asking.bob).await, says);
        sleep(Duration::from_secs(30)).await;
        assert!(asking.all_up());
    }
    // They are two calls again: the one can be resumed, and the other one ended.
    asking.second.hang_up();
    asking.far.ended().await;
    asking.bob.reinvite(Direction::SendRecv);
    asking.bob.offer_accepted().await;
    assert!(asking.customer.still_up());
    asking.customer.hang_up();
    asking.bob.ended().await;
    let records = scene.close().await;
    let statuses: Vec<_> = records[0].transfers.iter().map(|t| t.status).collect();
    assert_eq!(statuses, [Some(403), Some(404), Some(503)]);
    assert!(records.iter().all(|record| record.hung_up_by.as_deref() != Some("us")));
}

#[tokio::test(start_paused = true)]
async fn a_cloud_that_takes_the_order_and_does_nothing_leaves_the_caller_with_the_desk() {
    let (scene, mut cloud) = open_moving("bye_seconds = 8\n").await;
    let mut asking = Asking::put_through(&scene, &TRANSACTION).await;
    asked_of(&mut cloud).await.answer(Ok(()));
    assert_eq!(reported(&mut asking.bob).await, "183 The cloud moves the call");
    asking.far.ended().await;
    assert_eq!(reported(&mut asking.bob).await, "504 The cloud did not take the call");
    sleep(Duration::from_secs(10)).await;
    assert!(asking.customer.still_up() && asking.bob.still_up());
    asking.customer.hang_up();
    asking.bob.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_nobodys_in_the_cloud_is_joined_here() {
    let (scene, mut cloud) = open_moving(DNIS).await;
    let asking = Asking::put_through(&scene, &[]).await;
    asked_of(&mut cloud).await.answer(Err(CloudError::NotThere));
    asking.are_joined().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn without_the_application_s_id_both_calls_stay_with_the_desk() {
    let (scene, mut cloud) = open_moving("").await;
    let mut asking = Asking::put_through(&scene, &TRANSACTION[..1]).await;
    assert_eq!(reported(&mut asking.bob).await, "403 No sip_media_application_id is known");
    sleep(Duration::from_secs(10)).await;
    assert!(asking.all_up() && cloud.try_recv().is_err());
    asking.second.hang_up();
    asking.far.ended().await;
    asking.customer.hang_up();
    asking.bob.ended().await;
    scene.close().await;
}

/// Extensions, ways out that a rule names, and who called the desk.
#[tokio::test(start_paused = true)]
async fn whom_a_transfer_to_the_number_would_not_send_to_the_cloud_is_joined_here() {
    let rule = |number, to, from| {
        format!("[[number]]\nmatch = \"{number}\"\nto = \"{to}\"\nfrom = \"{from}\"\n")
    };
    let out = rule("+15558880000", "trunk:carrier", "phones");
    // A number of ours that no phone may dial as such.
    let desk = rule("+15550001003", "extension:102", "trunks");
    let (scene, mut cloud) = open_moving(&format!("{out}{desk}")).await;
    for (number, at) in [("101", scene.phone(101)), ("+15558880000", &scene.trunk)] {
        let (mut customer, mut bob) = super::customer(&scene).await;
        let (mut second, mut other) = connect(scene.phone(102), number, at).await;
        bob.refer_to_call(number, &second).await;
        bob.ended().await;
        second.ended().await;
        sleep(Duration::from_secs(5)).await;
        assert!(customer.still_up() && other.still_up(), "{number}");
        other.hang_up();
        customer.ended().await;
    }
    let (mut customer, mut bob) = super::customer(&scene).await;
    let mut stranger = scene.trunk.dial(Dial::to("+15550001003").from("+15556660000"));
    let mut second = scene.phone(102).call().await;
    second.answer();
    stranger.answered().await;
    second.confirmed().await;
    bob.refer_to_call("+15556660000", &second).await;
    bob.ended().await;
    second.ended().await;
    sleep(Duration::from_secs(5)).await;
    assert!(customer.still_up() && stranger.still_up());
    stranger.hang_up();
    customer.ended().await;
    assert!(cloud.try_recv().is_err());
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_whose_caller_was_put_through_to_it_moves_him_too() {
    let (scene, mut cloud) = open_moving("bye_seconds = 30\n").await;
    let rounds = [
        (Ok(()), "183 The cloud moves the call"),
        (refused(), "403 The cloud may not move the call"),
    ];
    for (answer, says) in rounds {
        let taken = answer.is_ok();
        let mut asking = Asking::put_through_to(&scene).await;
        asking.bob.refer_to_call(THERE, &asking.second).await;
        let asked = asked_of(&mut cloud).await;
        assert_eq!(asked.order, update(THERE));
        asked.answer(answer);
        assert_eq!(reported(&mut asking.bob).await, "100 Trying");
        assert_eq!(reported(&mut asking.bob).await, says);
        sleep(Duration::from_secs(10)).await;
        assert!(asking.customer.still_up() && asking.bob.still_up());
        assert_eq!((asking.second.still_up(), asking.far.still_up()), (!taken, !taken));
        asking.customer.hang_up();
        if taken {
            assert_eq!(reported(&mut asking.bob).await, "200 OK");
        }
        asking.bob.ended().await;
        asking.second.hang_up();
        asking.far.ended().await;
    }
    // Words of what came before are not those of what comes then.
    let mut asking = Asking::put_through_to(&scene).await;
    asking.bob.refer_to_call(THERE, &asking.second).await;
    asked_of(&mut cloud).await.answer(Ok(()));
    for says in
        ["100 Trying", "183 The cloud moves the call", "504 The cloud did not take the call"]
    {
        assert_eq!(reported(&mut asking.bob).await, says);
    }
    asking.bob.refer("<sip:999@office.example>");
    assert_eq!(reported(&mut asking.bob).await, "100 Trying");
    assert_eq!(reported(&mut asking.bob).await, "404 Not Found");
    asking.customer.hang_up();
    asking.bob.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_else_is_done_with_who_was_asked_until_the_cloud_has_answered() {
    let (scene, mut cloud) = open_moving("").await;
    let mut asking = Asking::put_through(&scene, &TRANSACTION).await;
    let asked = asked_of(&mut cloud).await;
    asking.second.refer("<sip:101@office.example>");
    sleep(Duration::from_secs(1)).await;
    assert!(scene.net.messages("SIP/2.0 603").iter().any(|(.., m)| m.contains("REFER")));
    let (mut third, mut cid) = connect(scene.phone(102), "103", scene.phone(103)).await;
    third.refer_to_call(THERE, &asking.second).await;
    assert_eq!(reported(&mut third).await, "100 Trying");
    assert_eq!(reported(&mut third).await, "480 Temporarily Unavailable");
    third.hang_up();
    cid.ended().await;
    asked.answer(refused());
    assert_eq!(reported(&mut asking.bob).await, "403 The cloud may not move the call");
    // Then it is free again.
    asking.second.refer("<sip:101@office.example>");
    let mut ann = scene.phone(101).call().await;
    ann.answer();
    ann.confirmed().await;
    asking.second.ended().await;
    asking.far.hang_up();
    ann.ended().await;
    asking.customer.hang_up();
    asking.bob.ended().await;
    scene.close().await;
}
