//! A bot that takes nothing of what it is told, while its connection is well.

use offhook_pbx::event::CallEventKind;
use offhook_tests::lex::{LexServer, Plan};
use offhook_tests::sim::agent::{AUDIO_PORT, Dial};
use offhook_tests::sim::line::Line;
use offhook_tests::sim::media::{eventually, pcmu, square_wave};
use offhook_tests::sim::scene::{Scene, at};
use offhook_tests::sim::scripted::{Scripted, actions};
use offhook_tests::sim::sdp;
use serde_json::json;
use tokio::net::UdpSocket;

use super::{close_paused, lex, scene, start, talks_and_hangs_up};

/// A phone (of its own in each test) that has spoken for longer than the windows of the connection and all queues hold.
async fn speaks(server: &LexServer, scene: &Scene, phone: u8) -> Line {
    let mut out = scene.phone(100 + u32::from(phone)).dial(Dial::to("600"));
    let to = sdp::audio_address(&out.answered().await.body).unwrap();
    eventually("it was asked", async || !server.asked().is_empty()).await;
    let socket = UdpSocket::bind((at(10 + phone).ip(), AUDIO_PORT)).await.unwrap();
    let mut sent = 0;
    eventually("he speaks", async || {
        socket.send_to(&pcmu(sent, square_wave(0x90, 0x10)), &to).await.unwrap();
        sent += 1;
        sent > 450
    })
    .await;
    tokio::time::pause();
    out
}

/// What the call's timeline says of lost sound.
fn lost(scene: &Scene) -> Vec<String> {
    let timeline = scene.office.keep.timeline(&scene.record().id);
    let notes = timeline.into_iter().filter_map(|event| match event.kind {
        CallEventKind::Note { text } => Some(text),
        _ => None,
    });
    notes.filter(|text| text.ends_with(" ms of sound did not reach the bot")).collect()
}

#[tokio::test]
async fn a_bot_that_takes_nothing_is_given_up_and_what_it_missed_is_noted() {
    let server = lex(|_| Plan::Deaf);
    let script = talks_and_hangs_up();
    let scene = scene(&server, &script).await;
    let mut out = speaks(&server, &scene, 1).await;
    out.ended().await;
    let data = &script.events()[1]["ActionData"];
    let words = "System error while running action. the connection to Amazon Lex broke: it takes \
                 nothing";
    assert_eq!(
        (&data["ErrorType"], &data["ErrorMessage"]),
        (&json!("SystemException"), &json!(words))
    );
    assert_eq!(lost(&scene).len(), 1);
    close_paused(scene, &server).await;
}

#[tokio::test]
async fn what_a_bot_missed_is_noted_too_when_its_caller_hangs_up() {
    let server = lex(|_| Plan::Deaf);
    let script = Scripted::new(vec![actions(json!([start("A")]))]);
    let scene = scene(&server, &script).await;
    let mut out = speaks(&server, &scene, 2).await;
    out.hang_up();
    out.ended().await;
    script.nth(2).await;
    assert_eq!(script.told(), ["NEW_INBOUND_CALL", "HANGUP Hangup"]);
    eventually("the call is over", async || scene.office.left().calls == 0).await;
    assert_eq!(lost(&scene).len(), 1);
    close_paused(scene, &server).await;
}
