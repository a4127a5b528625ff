//! Before the answer: how long it rings, announcements, several phones with early media, digits; on
//! the simulated network.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::UdpSocket;
use std::time::Duration;

use offhook_tests::net::PATIENCE;
use offhook_tests::sim::agent::{AUDIO_PORT, Agent, AgentConfig, Dial};
use offhook_tests::sim::scene::{OFFICE, Scene, at};
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn an_announcement_before_the_answer_is_heard_to_its_end() {
    let scene = Scene::open().await;
    let mut out = scene.phone(101).dial(Dial::to("+15557770000"));
    let mut far = scene.trunk.call().await;
    // Its network says once a minute that it goes on (RFC 3261 §13.3.1.1).
    far.progress(183, true);
    sleep(Duration::from_secs(700)).await;
    far.answer();
    out.answered().await;
    far.confirmed().await;
    out.hang_up();
    far.ended().await;

    // For an hour at most.
    let began = Instant::now();
    let mut out = scene.phone(101).dial(Dial::to("+15557770000"));
    let mut far = scene.trunk.call().await;
    far.progress(183, true);
    assert_eq!(out.rejected().await.status.code(), 480);
    far.ended().await;
    assert_eq!(began.elapsed().as_secs() / 10, 360);
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_trunk_that_says_nothing_more_is_given_up_when_it_rang_long_enough() {
    let silent = format!(
        "[[trunk]]\nname = \"silent\"\ntype = \"generic\"\nhost = \"{}\"\ntransport = \"udp\"\n\
         caller_id = \"+15550008888\"\norder = 200\nsrtp = \"off\"\n",
        at(8)
    );
    let scene = Scene::with(&silent).await;
    let mut config = AgentConfig::carrier(at(8), "silent", OFFICE);
    config.session.repeat_provisional = Duration::from_secs(86_400);
    let trunk = Agent::start(&scene.net, config);
    let began = Instant::now();
    let mut out = scene.phone(101).dial(Dial::to("+15557770000"));
    scene.trunk.call().await.reject(503);
    let mut far = trunk.call().await;
    far.progress(183, true);
    out.rejected().await;
    far.ended().await;
    assert_eq!(began.elapsed().as_secs(), 180);
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_rings_as_long_as_its_extension_says_without_another_word() {
    let long = "[sip]\nmax_ring_seconds = 3600\n[[extension]]\nnumber = \"104\"\n\
                password = \"secret-104\"\nvoicemail = false\nring_seconds = 600\n";
    let scene = Scene::with(long).await;
    let mut config = AgentConfig::phone(at(14), "104", "secret-104", OFFICE);
    config.session.repeat_provisional = Duration::from_secs(86_400);
    let phone = Agent::start(&scene.net, config);
    phone.register(3600).await;
    let mut out = scene.phone(101).dial(Dial::to("104"));
    let mut back = phone.call().await;
    back.ring();
    // Timer C of RFC 3261 §16.6 is a proxy's.
    sleep(Duration::from_secs(500)).await;
    back.answer();
    out.answered().await;
    back.confirmed().await;
    out.hang_up();
    back.ended().await;
    // What rings on says so once a minute, and is given up all the same.
    let began = Instant::now();
    let mut out = scene.phone(102).dial(Dial::to("101"));
    let mut back = scene.phone(101).call().await;
    back.ring();
    out.rejected().await;
    back.ended().await;
    assert_eq!(began.elapsed().as_secs(), 20);
    phone.register(0).await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn of_phones_that_all_have_early_media_none_is_heard_until_it_is_alone() {
    let scene = Scene::open().await;
    let mut out = scene.phone(103).dial(Dial::to("200"));
    let mut lines = [scene.phone(101).call().await, scene.phone(102).call().await];
    for line in &lines {
        line.progress(183, true);
    }
    assert!(out.progressed(180).await.body.is_empty());
    // A digit for nobody: it changes nothing.
    out.press('1');
    sleep(Duration::from_secs(1)).await;
    lines[0].reject(486);
    lines[0].ended().await;
    lines[1].progress(183, true);
    assert!(!out.progressed(183).await.body.is_empty());
    lines[1].answer();
    out.answered().await;
    lines[1].confirmed().await;
    out.press('2');
    sleep(Duration::from_secs(1)).await;
    let refused = scene.net.messages("SIP/2.0 4");
    assert!(!refused.iter().any(|(.., m)| m.contains("INFO")), "{refused:?}");
    out.hang_up();
    lines[1].ended().await;
    scene.close().await;
}

/// Keys for the menu of an announcement before the answer: they go where the announcement comes
/// from, as telephone events (RFC 4733).
#[tokio::test(start_paused = true)]
async fn a_digit_pressed_during_an_announcement_reaches_who_makes_it() {
    // Where every phone and trunk of these tests says that its audio goes.
    let ear = UdpSocket::bind(("127.9.9.9", AUDIO_PORT)).unwrap();
    ear.set_read_timeout(Some(PATIENCE)).unwrap();
    let scene = Scene::open().await;
    let mut out = scene.phone(101).dial(Dial::to("+15557770000"));
    let far = scene.trunk.call().await;
    far.progress(183, true);
    out.progressed(183).await;
    out.press('7');
    sleep(Duration::from_secs(1)).await;
    let mut packet = [0; 2048];
    let event = loop {
        let (length, _) = ear.recv_from(&mut packet).expect("a telephone event");
        if packet[1] & 0x7f == 101 {
            break packet[..length].to_vec();
        }
    };
    assert_eq!(event[12], 7);
    far.answer();
    out.answered().await;
    far.hang_up();
    out.ended().await;
    scene.close().await;
}
