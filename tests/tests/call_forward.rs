//! Phones that forward their calls (302), and trunks that take over from each other, on the
//! simulated network.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use offhook_tests::sim::agent::{Agent, AgentConfig, Dial};
use offhook_tests::sim::scene::{OFFICE, Scene, at, text};

fn spare() -> String {
    format!(
        "[[trunk]]\nname = \"spare\"\ntype = \"generic\"\nhost = \"{}\"\ntransport = \"udp\"\n\
         caller_id = \"+15550008888\"\norder = 200\nsrtp = \"off\"\noptions_seconds = 0\n",
        at(8)
    )
}

#[tokio::test(start_paused = true)]
async fn two_phones_that_forward_outside_each_have_the_second_trunk_to_fall_back_on() {
    let scene = Scene::with(&spare()).await;
    let spare = Agent::start(&scene.net, AgentConfig::carrier(at(8), "spare", OFFICE));
    let mut out = scene.trunk.dial(Dial::to("200"));
    let ringing = scene.phone(103).call().await;
    ringing.ring();
    scene.phone(101).call().await.redirect("sip:+15557770001@x");
    scene.phone(102).call().await.redirect("sip:+15557770002@x");
    // The first trunk is broken for both calls; each goes on to the spare one.
    for _ in 0..2 {
        scene.trunk.call().await.reject(503);
    }
    let mut numbers = Vec::new();
    let mut lines = Vec::new();
    for _ in 0..2 {
        let line = spare.call().await;
        let invite = line.invite.as_ref().unwrap();
        numbers.push(invite.uri.user_decoded().unwrap().into_owned());
        // Each says who forwarded it, and only that.
        let diversions: Vec<_> = invite
            .headers
            .get_all(&offhook_sip::header::HeaderName::Diversion)
            .map(|v| v.to_text().into_owned())
            .collect();
        assert_eq!(diversions.len(), 1, "{diversions:?}");
        lines.push(line);
    }
    numbers.sort();
    assert_eq!(numbers, ["+15557770001", "+15557770002"]);
    lines[1].answer();
    out.answered().await;
    out.hang_up();
    lines[1].ended().await;
    lines[0].ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_forward_tries_its_contacts_by_their_preference() {
    let scene = Scene::open().await;
    let mut out = scene.trunk.dial(Dial::to("+15550001000"));
    scene.phone(101).call().await.redirect_to(&[
        "<sip:+15557770000@x>;q=0.3",
        "<sip:102@x>;q=0.9",
        "<sip:199@x>;q=0.5",
    ]);
    let bob = scene.phone(102).call().await;
    bob.ring();
    out.progressed(180).await;
    assert!(scene.trunk.waiting_call().await.is_none(), "the worse ones wait");
    bob.reject(486);
    let mut far = scene.trunk.call().await;
    assert_eq!(far.invite.as_ref().unwrap().uri.user_decoded().unwrap(), "+15557770000");
    far.answer();
    out.answered().await;
    out.hang_up();
    far.ended().await;

    // Equals ring at once.
    let mut out = scene.trunk.dial(Dial::to("+15550001000"));
    scene.phone(101).call().await.redirect_to(&["<sip:102@x>", "<sip:103@x>;q=1.0"]);
    let (bob, mut cid) = (scene.phone(102).call().await, scene.phone(103).call().await);
    bob.ring();
    cid.answer();
    out.answered().await;
    out.hang_up();
    cid.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_forward_counts_as_the_phone_dialling() {
    let scene = Scene::open().await;
    // 103 may not call outside: not by forwarding either, whoever calls.
    for number in ["+15557770000", "9115557770000", "911"] {
        let mut out = scene.phone(101).dial(Dial::to("103"));
        scene.phone(103).call().await.redirect(&format!("sip:{number}@x"));
        assert_eq!(out.rejected().await.status.code(), 480, "{number}");
    }
    // Nor through a rule that leads out over a trunk.
    let scene2 =
        Scene::with("[[number]]\nmatch = \"777\"\nfrom = \"phones\"\nto = \"trunk:carrier\"\n");
    scene.close().await;
    let scene = scene2.await;
    let mut out = scene.phone(103).dial(Dial::to("777"));
    assert_eq!(out.rejected().await.status.code(), 403);
    let mut out = scene.phone(101).dial(Dial::to("777"));
    let mut far = scene.trunk.call().await;
    far.answer();
    out.answered().await;
    out.hang_up();
    far.ended().await;
    // A trunk's redirect is not followed at all.
    let mut out = scene.phone(101).dial(Dial::to("+15557770000"));
    scene.trunk.call().await.redirect("sip:+15558880000@x");
    assert_eq!(out.rejected().await.status.code(), 480);
    assert!(scene.trunk.waiting_call().await.is_none());
    let records = scene.close().await;
    assert_eq!(records.last().unwrap().failure.as_deref(), Some("peer-refused"));
}

#[tokio::test(start_paused = true)]
async fn a_chain_of_forwards_says_who_sent_the_call_on_the_last_one_first() {
    let scene = Scene::open().await;
    let mut out = scene
        .trunk
        .dial(Dial::to("+15550001000").with("Diversion", "<sip:+18005550100@x>;reason=no-answer"));
    scene.phone(101).call().await.redirect("sip:102@x");
    scene.phone(102).call().await.redirect("sip:+15557770000@x");
    let far = scene.trunk.call().await;
    let invite = far.invite.as_ref().unwrap();
    let diversions: Vec<_> = invite
        .headers
        .get_all(&offhook_sip::header::HeaderName::Diversion)
        .map(|v| v.to_text().into_owned())
        .collect();
    let starts: Vec<_> = diversions.iter().map(|d| &d[..9]).collect();
    assert_eq!(starts, ["<sip:102@", "<sip:101@", "<sip:+180"], "{diversions:?}");
    assert!(text(invite, "From").unwrap().contains("+15550009999"));
    far.answer();
    out.answered().await;
    far.hang_up();
    out.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_phone_forwards_to_next_rings_when_the_first_does_not_answer() {
    let scene = Scene::open().await;
    let mut out = scene.trunk.dial(Dial::to("+15550001000"));
    scene.phone(101).call().await.redirect_to(&["<sip:102@x>;q=0.9", "<sip:103@x>;q=0.5"]);
    let mut bob = scene.phone(102).call().await;
    bob.ring();
    let mut cid = scene.phone(103).call().await;
    assert!(bob.ended().await.answered.is_none());
    cid.answer();
    out.answered().await;
    out.hang_up();
    cid.ended().await;
    scene.close().await;
}
