//! Hold from either side and in every fashion (RFC 3264 §8.4), on the simulated network.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use bytes::Bytes;
use offhook_sip::message::Method;
use offhook_tests::sim::agent::{AUDIO_PORT, Agent, AgentConfig};
use offhook_tests::sim::scene::{OFFICE, Scene, at, connect};
use offhook_tests::sim::sdp::{self, Direction};
use tokio::time::sleep;

fn hold_of_old(version: u32) -> Bytes {
    // RFC 2543: no direction, an address where nothing can be sent.
    sdp::audio("0.0.0.0", AUDIO_PORT, version, Direction::SendRecv)
}

#[tokio::test(start_paused = true)]
async fn a_hold_of_old_by_address_zero_is_answered_as_a_hold_and_resumed() {
    let scene = Scene::open().await;
    let (mut out, mut back) = connect(scene.phone(101), "102", scene.phone(102)).await;
    for line in [&mut out, &mut back] {
        line.offer(hold_of_old(7));
        let answer = line.offer_accepted().await;
        assert_eq!(Direction::of(&answer), Direction::RecvOnly);
        assert!(!String::from_utf8_lossy(&answer).contains("0.0.0.0"));
        sleep(Duration::from_secs(70)).await;
        line.reinvite(Direction::SendRecv);
        assert_eq!(Direction::of(&line.offer_accepted().await), Direction::SendRecv);
    }
    assert!(out.still_up() && back.still_up());
    out.hang_up();
    back.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn two_parties_that_hold_each_other_resume_one_after_the_other() {
    let scene = Scene::open().await;
    let (mut out, mut back) = connect(scene.phone(101), "102", scene.phone(102)).await;
    out.reinvite(Direction::SendOnly);
    assert_eq!(Direction::of(&out.offer_accepted().await), Direction::RecvOnly);
    // Each leg is answered by itself: what the other one does is none of its business.
    back.reinvite(Direction::SendOnly);
    assert_eq!(Direction::of(&back.offer_accepted().await), Direction::RecvOnly);
    // A phone that asks for an offer of ours while it holds gets all that we can.
    out.ask_for_offer();
    assert_eq!(out.offered().await, Direction::SendRecv);
    out.reinvite(Direction::Inactive);
    assert_eq!(Direction::of(&out.offer_accepted().await), Direction::Inactive);
    for line in [&mut back, &mut out] {
        line.reinvite(Direction::SendRecv);
        assert_eq!(Direction::of(&line.offer_accepted().await), Direction::SendRecv);
    }
    // Nobody was asked anything for the other one's sake.
    let invites = scene.net.messages("INVITE sip:");
    let ours = invites.iter().filter(|(from, _, m)| *from == OFFICE && m.contains(";tag="));
    assert_eq!(ours.filter(|(.., m)| m.contains("\r\nTo: ") && is_within(m)).count(), 0);
    back.hang_up();
    out.ended().await;
    scene.close().await;
}

/// Whether a request is one within a dialog: its To has a tag.
fn is_within(message: &str) -> bool {
    message.lines().any(|l| l.starts_with("To:") && l.contains(";tag="))
}

#[tokio::test(start_paused = true)]
async fn a_session_is_refreshed_while_on_hold_and_stays_on_hold() {
    let scene = Scene::with("[sip]\nsession_expires = 90\n").await;
    // Two phones that know no UPDATE: a refresh is a re-INVITE with what was said last.
    let mut agents = Vec::new();
    for n in 1..=2_u8 {
        let (user, password) = (format!("10{n}"), format!("secret-10{n}"));
        let mut config = AgentConfig::phone(at(20 + n), &user, &password, OFFICE);
        config.session.allow.retain(|method| *method != Method::Update);
        // It is we who refresh.
        config.session.session_expires = None;
        let agent = Agent::start(&scene.net, config);
        scene.phone(100 + u32::from(n)).register(0).await;
        agent.register(3600).await;
        agents.push(agent);
    }
    for holder in [0, 1] {
        let (mut out, mut back) = connect(&agents[0], "102", &agents[1]).await;
        let before = scene.net.messages("INVITE sip:").len();
        let line = if holder == 0 { &mut out } else { &mut back };
        line.reinvite(Direction::SendOnly);
        line.offer_accepted().await;
        sleep(Duration::from_secs(900)).await;
        let there = agents[holder].config.address;
        let refreshes: Vec<_> = scene
            .net
            .messages("INVITE sip:")
            .split_off(before)
            .into_iter()
            .filter(|(from, to, m)| *from == OFFICE && *to == there && is_within(m))
            .collect();
        assert!(refreshes.len() > 10, "{}", scene.net.ladder("INVITE"));
        for (.., refresh) in &refreshes {
            assert_eq!(Direction::of(refresh.as_bytes()), Direction::RecvOnly, "{refresh}");
        }
        assert!(out.still_up() && back.still_up(), "{:?} {:?}", out.log(), back.log());
        // The timeline knows of one hold and no resumption.
        let id = scene.record().id;
        let notes = format!("{:?}", scene.office.keep.timeline(&id));
        assert!(!notes.contains("resumes the call") && !notes.contains("not usable"), "{notes}");
        out.hang_up();
        back.ended().await;
        out.ended().await;
    }
    for agent in &agents {
        agent.register(0).await;
    }
    scene.close().await;
}
