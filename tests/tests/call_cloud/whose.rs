//! Of the calls that phones hold, which one is meant when one of them dials the code in a new call.

use std::time::Duration;

use offhook_tests::sim::agent::{Agent, AgentConfig};
use offhook_tests::sim::scene::{OFFICE, Scene, at, connect};
use tokio::time::sleep;

use super::held::{DIALLED, outcome, told};
use super::{BOBS, CONTACT, asked_of, customer, customer_with, open, update};

#[tokio::test(start_paused = true)]
async fn of_several_held_calls_the_clouds_own_and_the_one_held_last_is_meant() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut first, mut a) = customer(&scene).await;
    a.hold().await;
    sleep(Duration::from_secs(5)).await;
    let (mut second, mut b) = customer_with(&scene, &CONTACT).await;
    b.hold().await;
    sleep(Duration::from_secs(5)).await;
    // Held after them, but none of the cloud's.
    let (mut own, mut ann) = connect(scene.phone(102), "101", scene.phone(101)).await;
    own.hold().await;
    told(scene.phone(102), "*8").await;
    second.ended().await;
    b.ended().await;
    assert!(first.still_up() && a.still_up() && own.still_up() && ann.still_up());
    assert!(cloud.try_recv().is_err());
    let order = async { told(scene.phone(102), "*8").await };
    let answer = async {
        let asked = asked_of(&mut cloud).await;
        assert_eq!(asked.order, update("connect"));
        asked.answer(Ok(()));
        first.hang_up();
    };
    tokio::join!(order, answer);
    a.ended().await;
    sleep(Duration::from_secs(3)).await;
    // What the cloud has not is put through by the office, as it is by a REFER.
    let order = async { told(scene.phone(102), "*8103").await };
    let answer = async {
        let cid = scene.phone(103).call().await;
        cid.answer();
        cid
    };
    let ((), mut cid) = tokio::join!(order, answer);
    assert_eq!(outcome(&scene).await, "200 The call is put through.");
    own.ended().await;
    assert!(ann.still_up());
    ann.hold().await;
    told(scene.phone(101), "*8").await;
    assert_eq!(outcome(&scene).await, "404 This call is not in the cloud");
    assert!(ann.still_up());
    ann.hang_up();
    cid.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_another_phone_of_the_extension_holds_is_not_meant() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
    bob.hold().await;
    let phone = |address| {
        let config = AgentConfig::phone(address, "102", "secret-102", OFFICE);
        // As it happens, both have the same address in their own networks.
        Agent::start(&scene.net, AgentConfig { contact: Some(at(12)), ..config })
    };
    let elsewhere = phone(at(30));
    told(&elsewhere, DIALLED).await;
    assert_eq!(outcome(&scene).await, "404 You hold no call.");
    assert!(customer.still_up() && bob.still_up() && cloud.try_recv().is_err());
    // Phones that open a connection for each call have another port each time.
    let mut beside = at(12);
    beside.set_port(5070);
    let same = phone(beside);
    let order = async { told(&same, DIALLED).await };
    let answer = async {
        asked_of(&mut cloud).await.answer(Ok(()));
        customer.hang_up();
    };
    tokio::join!(order, answer);
    bob.ended().await;
    assert_eq!(outcome(&scene).await, "200 The call is put through.");
    scene.close().await;
}

/// Another phone of 102 behind the NAT that 102 is behind; by its Contact it is none of theirs.
fn behind_the_same_nat(scene: &Scene) -> Agent {
    let mut address = at(12);
    address.set_port(5071);
    let config = AgentConfig::phone(address, "102", "secret-102", OFFICE);
    Agent::start(&scene.net, AgentConfig { contact: Some(at(40)), ..config })
}

#[tokio::test(start_paused = true)]
async fn phones_of_one_extension_behind_one_nat_are_told_apart_by_their_contacts() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
    bob.hold().await;
    let other = behind_the_same_nat(&scene);
    told(&other, DIALLED).await;
    assert_eq!(outcome(&scene).await, "404 You hold no call.");
    assert!(customer.still_up() && bob.still_up() && cloud.try_recv().is_err());
    // Nor does it bring that call into a conference.
    let (mut line, mut cid) = connect(&other, "103", scene.phone(103)).await;
    line.press("*3#");
    sleep(Duration::from_secs(10)).await;
    assert!(customer.still_up() && bob.still_up() && line.still_up() && cid.still_up());
    line.hang_up();
    cid.ended().await;
    customer.hang_up();
    bob.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn of_two_phones_behind_one_address_each_means_the_call_that_it_holds_itself() {
    let (scene, mut cloud) = open(BOBS).await;
    let beside = |port| {
        let mut address = at(12);
        address.set_port(port);
        let config = AgentConfig::phone(address, "102", "secret-102", OFFICE);
        // Behind that NAT they call themselves the same, too.
        Agent::start(&scene.net, AgentConfig { contact: Some(at(40)), ..config })
    };
    let (one, other) = (beside(5071), beside(5072));
    let (mut first, mut ann) = connect(&one, "101", scene.phone(101)).await;
    first.hold().await;
    sleep(Duration::from_secs(5)).await;
    // Held after it.
    let (mut second, mut cid) = connect(&other, "103", scene.phone(103)).await;
    second.hold().await;
    let far = async {
        let far = scene.trunk.call().await;
        far.answer();
        far
    };
    let ((), mut far) = tokio::join!(told(&one, DIALLED), far);
    assert_eq!(outcome(&scene).await, "200 The call is put through.");
    first.ended().await;
    assert!(ann.still_up() && second.still_up() && cid.still_up() && cloud.try_recv().is_err());
    ann.hang_up();
    far.ended().await;
    second.hang_up();
    cid.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_other_extension_of_a_device_holds_is_not_meant() {
    let (scene, _cloud) = open(BOBS).await;
    // 102 on the device of 101.
    let mut beside = at(11);
    beside.set_port(5071);
    let config = AgentConfig::phone(beside, "102", "secret-102", OFFICE);
    let other = Agent::start(&scene.net, AgentConfig { contact: Some(at(11)), ..config });
    let (mut line, mut ann) = connect(&other, "101", scene.phone(101)).await;
    ann.hold().await;
    told(&other, "*8103").await;
    assert_eq!(outcome(&scene).await, "404 You hold no call.");
    assert!(line.still_up() && ann.still_up());
    line.hang_up();
    ann.ended().await;
    scene.close().await;
}
