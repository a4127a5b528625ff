//! Limits of calls, and who may call out, on the simulated network.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use offhook_pbx::event::CallEventKind;
use offhook_tests::sim::agent::{Agent, AgentConfig, Dial};
use offhook_tests::sim::scene::{OFFICE, Scene, at, connect, text};
use offhook_tests::sim::sdp::Direction;
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn a_call_is_ended_at_its_longest_time_and_an_emergency_call_is_not() {
    let scene = Scene::with("[sip]\nmax_call_seconds = 120\n").await;
    let began = Instant::now();
    let (mut out, mut back) = connect(scene.phone(101), "102", scene.phone(102)).await;
    let mut help = scene.phone(103).dial(Dial::to("911"));
    let mut far = scene.trunk.call().await;
    far.answer();
    help.answered().await;
    far.confirmed().await;
    out.ended().await;
    back.ended().await;
    assert!((118..=122).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    sleep(Duration::from_secs(600)).await;
    assert!(help.still_up() && far.still_up() && scene.office.calls.count() == 1);
    help.hang_up();
    far.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_call_as_its_own_configuration_says_and_never_one_on_hold() {
    // Nobody sends a packet in this network.
    let scene = Scene::set("silence_hangup_seconds = 60", "").await;
    let began = Instant::now();
    let (mut out, mut back) = connect(scene.phone(101), "102", scene.phone(102)).await;
    // A call for help is not ended.
    let mut help = scene.phone(103).dial(Dial::to("911"));
    let mut far = scene.trunk.call().await;
    far.answer();
    help.answered().await;
    far.confirmed().await;
    out.ended().await;
    back.ended().await;
    assert!((59..=80).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    // Of its two silent legs one is enough, and it fails once.
    let record = scene.office.keep.records().remove(0);
    assert_eq!(record.failure.as_deref(), Some("no-media"));
    let failures = scene.office.keep.timeline(&record.id).into_iter();
    let details = failures.filter_map(|event| match event.kind {
        CallEventKind::Failure { code, detail, .. } => Some((code, detail)),
        _ => None,
    });
    let details: Vec<_> = details.collect();
    assert_eq!(details, [("no-media".to_owned(), "leg A, 60 s".to_owned())]);

    // On hold silence is what is to be expected; after it the time begins anew.
    let (mut out, mut back) = connect(scene.phone(101), "102", scene.phone(102)).await;
    // So long that silence is counted already.
    sleep(Duration::from_secs(40)).await;
    out.reinvite(Direction::SendOnly);
    out.offer_accepted().await;
    sleep(Duration::from_secs(300)).await;
    out.reinvite(Direction::SendRecv);
    out.offer_accepted().await;
    let resumed = Instant::now();
    back.ended().await;
    assert!((59..=80).contains(&resumed.elapsed().as_secs()), "{:?}", resumed.elapsed());
    out.ended().await;

    // A reload reaches the next call and leaves this one alone.
    let (mut old, mut old_back) = connect(scene.phone(101), "102", scene.phone(102)).await;
    let mut config = (**scene.office.config.borrow()).clone();
    config.media.silence_hangup = Some(Duration::from_secs(200));
    scene.office.config.send(Arc::new(config)).unwrap();
    let began = Instant::now();
    let (mut new, mut new_back) = connect(scene.phone(102), "101", scene.phone(101)).await;
    old.ended().await;
    old_back.ended().await;
    assert!(began.elapsed() < Duration::from_secs(90));
    new.ended().await;
    new_back.ended().await;
    assert!((199..=230).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert!(help.still_up() && far.still_up());
    help.hang_up();
    far.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_from_a_trunk_leads_out_only_where_a_rule_of_the_operator_says_so() {
    let scene = Scene::with(
        "[[number]]\nmatch = \"+15550002000\"\nfrom = \"trunks\"\nto = \"trunk:carrier\"\n",
    )
    .await;
    // Numbers outside, services, emergency numbers, with and without prefixes and disguises.
    for number in ["+15558880000", "5558880000", "0015558880000", "911", "9911", "*97", "sip"] {
        let mut out = scene.trunk.dial(Dial::to(number));
        let refusal = out.rejected().await;
        assert!(matches!(refusal.status.code(), 404 | 484), "{number}: {}", refusal.status.code());
        assert!(scene.trunk.waiting_call().await.is_none(), "{number}");
    }
    // The one that the operator forwards.
    let mut out = scene.trunk.dial(Dial::to("+15550002000"));
    let far = scene.trunk.call().await;
    assert_eq!(far.invite.as_ref().unwrap().uri.user_decoded().unwrap(), "+15550002000");
    far.answer();
    out.answered().await;
    far.hang_up();
    out.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_prove_who_it_is_calls_nobody_and_is_nobody_in_the_records() {
    let scene = Scene::open().await;
    let before = scene.net.messages("INVITE sip:").len();
    // A stranger, one that names an extension, and one with a wrong password.
    let stranger = Agent::start(&scene.net, AgentConfig::carrier(at(66), "x", OFFICE));
    let liar = Agent::start(&scene.net, AgentConfig::carrier(at(67), "101", OFFICE));
    let guesser = Agent::start(&scene.net, AgentConfig::phone(at(68), "101", "wrong", OFFICE));
    for agent in [&stranger, &liar, &guesser] {
        for number in ["102", "+15557770000", "911"] {
            let dial = Dial::to(number).with("P-Asserted-Identity", "<sip:101@office.example>");
            let mut out = agent.dial(dial);
            let status = out.rejected().await.status.code();
            assert!(matches!(status, 401 | 403), "{} {number}: {status}", agent.config.user);
        }
    }
    let sent: Vec<_> = scene.net.messages("INVITE sip:").split_off(before);
    assert!(sent.iter().all(|(from, ..)| *from != OFFICE), "{sent:?}");
    // A phone that is not registered but knows its password may call, as itself.
    scene.phone(101).register(0).await;
    let mut out = scene.phone(101).dial(Dial::to("102").from("103"));
    let mut bob = scene.phone(102).call().await;
    assert!(text(bob.invite.as_ref().unwrap(), "From").unwrap().contains("sip:101@"));
    bob.answer();
    out.answered().await;
    out.hang_up();
    bob.ended().await;
    let records = scene.close().await;
    assert_eq!(records.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_operator_ends_before_the_answer_says_so() {
    let scene = Scene::open().await;
    let mut out = scene.phone(101).dial(Dial::to("102"));
    let mut back = scene.phone(102).call().await;
    back.ring();
    out.progressed(180).await;
    let id = scene.record().id;
    assert!(scene.office.calls.hang_up(&id[..8]));
    out.ended().await;
    back.ended().await;
    let records = scene.close().await;
    assert_eq!(records[0].failure.as_deref(), Some("ended-by-operator"));
    assert_eq!(records[0].hung_up_by.as_deref(), Some("us"));
}

#[tokio::test(start_paused = true)]
async fn who_hides_the_number_is_hidden_from_the_phone_and_known_to_the_record() {
    let scene = Scene::open().await;
    let dial = Dial::to("+15550001000").from("+15550007777").with("Privacy", "id");
    let mut out = scene.trunk.dial(dial);
    let ann = scene.phone(101).call().await;
    let invite = ann.invite.as_ref().unwrap();
    let printed = String::from_utf8(invite.to_bytes().to_vec()).unwrap();
    assert!(!printed.contains("7777"), "{printed}");
    assert!(text(invite, "From").unwrap().contains("anonymous@anonymous.invalid"));
    ann.answer();
    out.answered().await;
    ann.hang_up();
    out.ended().await;
    let records = scene.close().await;
    assert_eq!(records[0].from, "+15550007777");
}
