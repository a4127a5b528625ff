//! Phones that listen to the calls of others, on the simulated network.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use offhook_pbx::event::CallEventKind;
use offhook_pbx::keep::Supervising;
use offhook_tests::net::PATIENCE;
use offhook_tests::sim::agent::{AUDIO_PORT, Dial};
use offhook_tests::sim::media::eventually;
use offhook_tests::sim::scene::{Scene, connect};
use offhook_tests::sim::sdp::Direction;
use tokio::time::sleep;

const RIGHT: &str = "[[supervisor]]\nextension = \"103\"\nof = [\"101\", \"102\"]\n";

async fn moment() {
    sleep(Duration::from_secs(2)).await;
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_listens_whispers_and_barges_in_and_leaves_the_call_as_it_was() {
    let scene = Scene::with(RIGHT).await;
    let (mut ann, mut bob) = connect(scene.phone(101), "102", scene.phone(102)).await;
    let mut cid = scene.phone(103).dial(Dial::to("*55102"));
    cid.answered().await;
    moment().await;
    for key in ['5', '6', '9', '4'] {
        cid.press(key);
        moment().await;
    }
    cid.hang_up();
    cid.ended().await;
    sleep(Duration::from_secs(30)).await;
    assert!(ann.still_up() && bob.still_up());
    ann.hang_up();
    bob.ended().await;
    let keep = Arc::clone(&scene.office.keep);
    let records = scene.close().await;
    let [call, supervision] = &records[..] else { panic!("{records:?}") };
    assert_eq!(supervision.destination.as_deref(), Some("supervise:102"));
    let [kept] = &call.supervised[..] else { panic!("{call:?}") };
    assert_eq!((kept.by.as_str(), kept.how), ("extension:103", Supervising::Barge));
    assert!(kept.until.is_some_and(|until| until >= kept.at));
    let timeline = keep.timeline(&call.id);
    let ways = timeline.iter().filter_map(|event| match &event.kind {
        CallEventKind::Supervised { how, .. } => Some(how.as_str()),
        _ => None,
    });
    assert_eq!(ways.collect::<Vec<_>>(), ["listen", "whisper", "barge", "listen"]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_call_ends_its_supervisors() {
    let more = format!("{RIGHT}[supervision]\ncode = \"#7\"\nnotice = \"beep\"\n");
    let scene = Scene::with(&more).await;
    let (mut ann, bob) = connect(scene.phone(101), "102", scene.phone(102)).await;
    let mut cid = scene.phone(103).dial(Dial::to("#7101"));
    cid.answered().await;
    moment().await;
    bob.hang_up();
    ann.ended().await;
    cid.ended().await;
    let records = scene.close().await;
    assert!(records[0].supervised[0].until.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_call_on_hold_is_found_as_well() {
    let scene = Scene::with(RIGHT).await;
    let (mut ann, bob) = connect(scene.phone(101), "102", scene.phone(102)).await;
    ann.hold().await;
    let mut cid = scene.phone(103).dial(Dial::to("*55102"));
    cid.answered().await;
    moment().await;
    ann.reinvite(Direction::SendRecv);
    ann.offer_accepted().await;
    moment().await;
    assert!(cid.still_up() && bob.is_up());
    ann.hang_up();
    cid.ended().await;
    assert_eq!(scene.close().await[0].supervised.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_has_no_right_or_dials_nobody_is_refused_without_a_word() {
    let right = "[[supervisor]]\nextension = \"103\"\nof = [\"group:all\"]\n\
                 [[supervisor]]\nextension = \"101\"\nof = [\"*\"]\n";
    let scene = Scene::with(right).await;
    let cases =
        [(102, "*55101", 403), (103, "*55999", 403), (103, "*55103", 403), (101, "*55", 484)];
    for (phone, number, status) in cases.into_iter().chain([(101, "*55999", 404)]) {
        let mut line = scene.phone(phone).dial(Dial::to(number));
        assert_eq!(line.rejected().await.status.code(), status, "{phone} {number}");
    }
    // Nobody outside listens, whatever it dials.
    let mut line = scene.trunk.dial(Dial::to("*55101"));
    assert_eq!(line.rejected().await.status.code(), 404);
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_of_nothing_is_told_so_and_hung_up() {
    let scene = Scene::with(RIGHT).await;
    // 101 rings, and talks to nobody yet.
    let mut out = scene.phone(102).dial(Dial::to("101"));
    let ringing = scene.phone(101).call().await;
    ringing.ring();
    out.progressed(180).await;
    let mut cid = scene.phone(103).dial(Dial::to("*55101"));
    cid.answered().await;
    // An engine of speech is a process of its own, which no paused clock waits for.
    eventually("it is hung up", async || !cid.still_up()).await;
    assert!(cid.ended().await.answered.is_some());
    out.hang_up();
    out.ended().await;
    let records = scene.close().await;
    assert!(records.iter().all(|record| record.supervised.is_empty()), "{records:?}");
}

#[tokio::test(start_paused = true)]
async fn a_right_to_listen_alone_is_no_right_to_speak() {
    let right = "[[supervisor]]\nextension = \"103\"\nof = [\"*\"]\nmay = [\"listen\"]\n";
    let scene = Scene::with(right).await;
    let (ann, mut bob) = connect(scene.phone(101), "102", scene.phone(102)).await;
    let mut cid = scene.phone(103).dial(Dial::to("*55102"));
    cid.answered().await;
    moment().await;
    cid.press('6');
    cid.press('5');
    moment().await;
    cid.hang_up();
    cid.ended().await;
    moment().await;
    ann.hang_up();
    bob.ended().await;
    assert_eq!(scene.close().await[0].supervised[0].how, Supervising::Listen);
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_stays_behind_when_the_extension_puts_its_caller_through() {
    let scene = Scene::with(RIGHT).await;
    let mut customer = scene.trunk.dial(Dial::to("+15550001000"));
    let mut ann = scene.phone(101).call().await;
    ann.answer();
    customer.answered().await;
    ann.confirmed().await;
    let mut cid = scene.phone(103).dial(Dial::to("*55101"));
    cid.answered().await;
    moment().await;
    ann.refer("<sip:102@office.example>");
    let mut bob = scene.phone(102).call().await;
    bob.answer();
    bob.confirmed().await;
    cid.ended().await;
    ann.hang_up();
    ann.ended().await;
    moment().await;
    assert!(customer.still_up() && bob.still_up());
    customer.hang_up();
    bob.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn two_supervisors_come_and_go_one_after_the_other() {
    let more = format!("{RIGHT}[[supervisor]]\nextension = \"102\"\nof = [\"101\"]\n");
    let scene = Scene::with(&more).await;
    let mut customer = scene.trunk.dial(Dial::to("+15550001000"));
    let mut ann = scene.phone(101).call().await;
    ann.answer();
    customer.answered().await;
    ann.confirmed().await;
    let mut supervisors = Vec::new();
    for phone in [102, 103] {
        let mut line = scene.phone(phone).dial(Dial::to("*55101"));
        line.answered().await;
        moment().await;
        supervisors.push(line);
    }
    supervisors[0].hang_up();
    supervisors[0].ended().await;
    moment().await;
    assert!(supervisors[1].still_up() && ann.still_up());
    customer.hang_up();
    ann.ended().await;
    supervisors[1].ended().await;
    let records = scene.close().await;
    let by: Vec<_> = records[0].supervised.iter().map(|one| one.by.as_str()).collect();
    assert_eq!(by, ["extension:102", "extension:103"]);
}

/// The key goes to whom the caller hears, who may not have answered yet.
#[tokio::test(start_paused = true)]
async fn a_key_by_info_goes_to_an_announcement_also_when_a_supervisor_listens() {
    // Where every phone and trunk of these tests says that its audio goes.
    let ear = UdpSocket::bind(("127.9.9.9", AUDIO_PORT)).unwrap();
    ear.set_read_timeout(Some(PATIENCE)).unwrap();
    let scene = Scene::with(RIGHT).await;
    let (ann, mut bob) = connect(scene.phone(102), "101", scene.phone(101)).await;
    let mut cid = scene.phone(103).dial(Dial::to("*55101"));
    cid.answered().await;
    moment().await;
    bob.refer("<sip:+15557770000@office.example>");
    let mut far = scene.trunk.call().await;
    far.progress(183, true);
    moment().await;
    ann.press('7');
    moment().await;
    let mut packet = [0; 2048];
    loop {
        ear.recv_from(&mut packet).expect("a telephone event");
        if packet[1] & 0x7f == 101 && packet[12] == 7 {
            break;
        }
    }
    far.answer();
    far.confirmed().await;
    cid.ended().await;
    bob.hang_up();
    bob.ended().await;
    moment().await;
    ann.hang_up();
    far.ended().await;
    scene.close().await;
}
