//! How long a bot is waited for. The clock leaps while nothing is under way, and goes on as a real
//! one then: what was to come comes within [`eventually`], or never.

use std::time::Duration;

use offhook_tests::lex::{LexServer, Plan, Told};
use offhook_tests::sim::agent::Dial;
use offhook_tests::sim::media::eventually;
use offhook_tests::sim::scripted::Scripted;
use serde_json::Value;
use tokio::time::Instant;

use super::{close, intent, lex, scene, talks_and_hangs_up};

async fn leap(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

/// The error that the application was told of, once it was.
async fn error(script: &Scripted) -> Value {
    eventually("the failure is told", async || script.events().len() > 1).await;
    let event = script.events().swap_remove(1);
    assert_eq!(event["InvocationEventType"], "ACTION_FAILED", "{event}");
    assert_eq!(event["ActionData"]["ErrorType"], "SystemException");
    event["ActionData"]["ErrorMessage"].clone()
}

fn refuses() -> LexServer {
    lex(|_| Plan::Refuses(409, "ConflictException", "the session is open"))
}

#[tokio::test]
async fn a_session_that_lex_does_not_let_go_of_is_asked_for_fifteen_seconds() {
    let (server, script) = (refuses(), talks_and_hangs_up());
    let scene = scene(&server, &script).await;
    let began = Instant::now();
    let mut out = scene.phone(101).dial(Dial::to("600"));
    eventually("it is asked again", async || server.asked().len() > 1).await;
    leap(13).await;
    let words = "System error while running action. runtime-v2-lex: 409 ConflictException \
                 the session is open";
    assert_eq!(error(&script).await, words);
    // On this clock, which a slow machine only makes later.
    assert!(began.elapsed() >= Duration::from_secs(15), "{:?}", began.elapsed());
    out.ended().await;
    close(scene, &server).await;
}

#[tokio::test]
async fn a_bot_that_does_nothing_for_a_minute_is_given_up() {
    let server = lex(|_| {
        Plan::talks(async |mut bot| {
            bot.understands(&intent("InProgress"), "ElicitSlot").await;
            bot.until(&Told::Key('2')).await;
            while bot.next().await != Told::Over {}
        })
    });
    let script = talks_and_hangs_up();
    let scene = scene(&server, &script).await;
    let mut out = scene.phone(101).dial(Dial::to("600"));
    out.answered().await;
    let id = script.nth(1).await["CallDetails"]["TransactionId"].as_str().unwrap().to_owned();
    let keep = scene.office.keep.clone();
    eventually("it speaks", async || format!("{:?}", keep.timeline(&id)).contains("is at Book"))
        .await;
    leap(55).await;
    out.press("2");
    eventually("it still listens", async || server.told().contains(&Told::Key('2'))).await;
    assert_eq!(script.events().len(), 1);
    leap(6).await;
    let words = "System error while running action. Amazon Lex says nothing for 60 s";
    assert_eq!(error(&script).await, words);
    out.ended().await;
    close(scene, &server).await;
}
