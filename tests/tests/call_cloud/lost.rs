//! The leg on which a phone has asked somebody outside is lost while the cloud is asked to call him
//! anew: nobody hung up, so the phone has put nobody through by it.

use std::time::Duration;

use offhook_sip::message::Method;
use offhook_tests::sim::agent::{Agent, AgentConfig};
use offhook_tests::sim::scene::{OFFICE, Scene, at, connect};
use tokio::time::sleep;

use super::attended::{Asking, THERE, open_moving, refused};
use super::dies::Loss;
use super::let_go::hang_up;
use super::{asked_of, customer, reported};

/// A set of 102's on which it asks, and which is lost that way soon.
async fn to_be_lost(scene: &Scene, how: Loss) -> (Agent, Asking) {
    let (customer, mut bob) = customer(scene).await;
    bob.hold().await;
    let mut config = AgentConfig::phone(at(40), "102", "secret-102", OFFICE);
    config.session.allow.retain(|method| *method != Method::Update);
    if how == Loss::Forgotten {
        // It is we who refresh.
        config.session.session_expires = None;
    }
    let agent = Agent::start(&scene.net, config);
    let (second, far) = connect(&agent, THERE, &scene.trunk).await;
    sleep(Duration::from_secs(40)).await;
    (agent, Asking { customer, bob, second, far })
}

#[tokio::test(start_paused = true)]
async fn who_was_asked_is_hung_up_on_and_the_caller_is_the_clouds_or_stays() {
    for (how, failure) in
        [(Loss::Forgotten, "phone-unreachable"), (Loss::Expired, "session-expired")]
    {
        for (answer, lets_go) in [(Ok(()), false), (refused(), false), (refused(), true)] {
            let more = "answer_seconds = 30\nbye_seconds = 100\n[sip]\nsession_expires = 90\n";
            let (scene, mut cloud) = open_moving(more).await;
            let (agent, asking) = to_be_lost(&scene, how).await;
            let Asking { mut customer, mut bob, second, mut far } = asking;
            bob.refer_to_call(THERE, &second).await;
            assert_eq!(reported(&mut bob).await, "100 Trying");
            let asked = asked_of(&mut cloud).await;
            if lets_go {
                hang_up(&mut bob).await;
            }
            let lost = match how {
                Loss::Forgotten => {
                    second.refuse_offers(481);
                    Some((agent, second))
                }
                // There is nobody who would refresh it.
                Loss::Expired => {
                    drop((agent, second));
                    None
                }
            };
            far.ended().await;
            let taken = answer.is_ok();
            asked.answer(answer);
            if lets_go {
                bob = scene.phone(102).call().await;
                bob.answer();
                bob.confirmed().await;
            } else {
                let says = if taken { "183 The cloud moves" } else { "403 The cloud may not move" };
                assert_eq!(reported(&mut bob).await, format!("{says} the call"), "{how:?}");
            }
            sleep(Duration::from_secs(5)).await;
            assert!(customer.still_up() && bob.still_up(), "{how:?} {lets_go}");
            hang_up(&mut customer).await;
            bob.ended().await;
            drop(lost);
            let records = scene.close().await;
            let of = |to: &str| records.iter().find(|record| record.to == to).unwrap();
            assert_eq!(of(THERE).failure.as_deref(), Some(failure), "{how:?}");
            let moved = of("+15550001002").destination.as_deref() == Some("cloud:+15557770000");
            assert_eq!(moved, taken, "{how:?}");
        }
    }
}
