//! The simulated phones by themselves, without an appliance between them: what the larger tests
//! stand on must stand alone.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::time::Duration;

use offhook_tests::sim::agent::{Agent, AgentConfig, Dial, Left};
use offhook_tests::sim::net::{SimNet, Weather};
use offhook_tests::sim::sdp::Direction;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const CALLER: SocketAddr =
    SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::new(127, 1, 0, 1), 5060));
const CALLEE: SocketAddr =
    SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::new(127, 1, 0, 2), 5060));

fn pair(net: &SimNet) -> (Agent, Agent) {
    let caller = AgentConfig::carrier(CALLER, "alice", CALLEE);
    let callee = AgentConfig::carrier(CALLEE, "bob", CALLER);
    (Agent::start(net, caller), Agent::start(net, callee))
}

#[tokio::test(start_paused = true)]
async fn two_phones_call_hold_and_hang_up() {
    let net = SimNet::start(1, Weather::CALM);
    let (alice, bob) = pair(&net);
    let mut out = alice.dial(Dial::to("bob"));
    let mut back = bob.call().await;
    back.ring();
    out.progressed(180).await;
    back.answer();
    out.answered().await;
    back.confirmed().await;
    out.reinvite(Direction::SendOnly);
    assert_eq!(back.offered().await, Direction::SendOnly);
    assert_eq!(Direction::of(&out.offer_accepted().await), Direction::RecvOnly);
    back.hang_up();
    assert!(out.ended().await.answered.is_some());
    back.ended().await;
    tokio::time::sleep(Duration::from_secs(70)).await;
    assert_eq!((alice.left().await, bob.left().await), (Left::default(), Left::default()));
    net.close();
}

#[tokio::test(start_paused = true)]
async fn on_a_lossy_network_both_phones_always_agree_that_a_call_is_over() {
    for seed in 0..8 {
        let net = SimNet::start(seed, Weather::ROUGH);
        let (alice, bob) = pair(&net);
        let mut random = StdRng::seed_from_u64(seed);
        for n in 0..60 {
            let mut within = |ms: u64| Duration::from_millis(random.random_range(0..ms));
            let (patience, ringing, talking) = (within(3_000), within(3_000), within(3_000));
            let caller_ends = n % 2 == 0;
            let caller = async {
                let mut line = alice.dial(Dial::to("bob"));
                let answered = tokio::time::timeout(patience, line.answered()).await.is_ok();
                if answered && caller_ends {
                    tokio::time::sleep(talking).await;
                }
                if !answered || caller_ends {
                    line.hang_up();
                }
                line.ended().await
            };
            let callee = async {
                // A caller of little patience may be gone before its INVITE was ever heard.
                let mut line =
                    tokio::time::timeout(Duration::from_secs(40), bob.call()).await.ok()?;
                line.ring();
                tokio::time::sleep(ringing).await;
                line.answer();
                tokio::time::sleep(talking).await;
                if !caller_ends {
                    line.hang_up();
                }
                Some(line.ended().await)
            };
            let (caller, callee) = tokio::join!(caller, callee);
            let Some(callee) = callee else {
                assert!(caller.answered.is_none(), "seed {seed}, call {n}: {caller:?}");
                continue;
            };
            let apart = caller.at.max(callee.at) - caller.at.min(callee.at);
            assert!(
                apart < Duration::from_secs(65),
                "seed {seed}, call {n}: {caller:?}\n{callee:?}\n{}",
                net.ladder("")
            );
        }
        tokio::time::sleep(Duration::from_secs(140)).await;
        let left = (alice.left().await, bob.left().await);
        assert_eq!(left, (Left::default(), Left::default()), "seed {seed}");
        assert!(bob.waiting_call().await.is_none(), "seed {seed}: a call that nobody made");
        net.close();
    }
}
