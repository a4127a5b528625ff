//! `StartBotConversation` on the simulated network, with the appliance's own client of Amazon Lex and
//! a Lex behind its wire protocol: what goes wrong, and what is left. What is heard: `interop/bots.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bounds;
mod deaf;
mod failures;

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use offhook::bots::LexBots;
use offhook_chime::credentials::{Environment, Source};
use offhook_chime::lex::Lex;
use offhook_chime::sigv4::Credentials;
use offhook_chime::{Aws, AwsConfig, Trust};
use offhook_pbx::bots::Bots;
use offhook_pbx::event::CallEventKind;
use offhook_tests::lex::{Asked, KEY, LexServer, Plan, SECRET, Told};
use offhook_tests::sim::agent::Dial;
use offhook_tests::sim::media::eventually;
use offhook_tests::sim::scene::Scene;
use offhook_tests::sim::scripted::{Answer, Scripted, actions, bridge, hang_up};
use serde_json::{Value, json};

const NUMBER: &str = "[[number]]\nmatch = \"600\"\nto = \"flow:main\"\n";

/// The alias of a bot whose id ends so.
fn arn(id: &str) -> String {
    format!("arn:aws:lex:eu-west-2:123456789012:bot-alias/{id:0>10}/TSTALIASID")
}

fn start(id: &str) -> Value {
    json!({"Type": "StartBotConversation", "Parameters": {"BotAliasArn": arn(id)}})
}

fn talks_and_hangs_up() -> Scripted {
    Scripted::new(vec![actions(json!([start("A")])), actions(json!([hang_up("LEG-A")]))])
}

fn lex(plan: impl Fn(&Asked) -> Plan + Send + Sync + 'static) -> LexServer {
    LexServer::start((Ipv4Addr::LOCALHOST, 0).into(), plan)
}

/// The appliance's client of this server.
fn bots(server: &LexServer, keys: Source) -> Arc<dyn Bots> {
    let config = AwsConfig {
        region: "us-east-1".to_owned(),
        credentials: keys,
        endpoint: Some(server.url()),
        ..AwsConfig::default()
    };
    let environment = Environment::of(HashMap::new());
    let aws = Aws::new(config, Trust::system().unwrap(), environment).unwrap();
    Arc::new(LexBots::new(move || Ok(Lex::new(aws.clone()))))
}

fn known() -> Source {
    Source::Fixed(Credentials::new(KEY, SECRET))
}

async fn scene(server: &LexServer, script: &Scripted) -> Scene {
    Scene::talking(bots(server, known()), script.applications(), NUMBER).await
}

/// Nothing is left of the call, nor of a conversation.
async fn close(scene: Scene, server: &LexServer) {
    eventually("no connection is open", async || server.open() == 0).await;
    tokio::time::pause();
    close_paused(scene, server).await;
}

/// The same where the clock stands still already.
async fn close_paused(scene: Scene, server: &LexServer) {
    scene.close().await;
    eventually("no connection is open", async || server.open() == 0).await;
    assert_eq!(server.forged(), Vec::<String>::new());
}

fn intent(state: &str) -> Value {
    json!({"name": "Book", "state": state, "confirmationState": "None", "slots": {}})
}

#[tokio::test]
async fn a_bot_is_asked_for_as_its_alias_says_and_its_result_is_told_as_aws_documents_it() {
    let server = lex(|_| {
        Plan::talks(async |mut bot| {
            bot.does("HeartbeatEvent", json!({})).await;
            bot.does("TranscriptEvent", json!({"transcript": "a room"})).await;
            bot.does("EventOfAnotherYear", json!({})).await;
            let slots = json!({"City": {"shape": "Scalar", "value": {"originalValue": "paris",
                "interpretedValue": "Paris", "resolvedValues": ["Paris"]}}, "Nights": null});
            let intent = json!({"name": "Book", "state": "ReadyForFulfillment",
                "confirmationState": "Confirmed", "slots": slots});
            bot.understands(&intent, "Close").await;
        })
    });
    let parameters = json!({"BotAliasArn": arn("A"), "LocaleId": "de_DE", "Configuration": {
        "SessionState": {"SessionAttributes": {"MyKey": "my value"},
            "DialogAction": {"Type": "ElicitIntent"}},
        "WelcomeMessages": [{"Content": "Welcome.", "ContentType": "PlainText"}]}});
    let action = json!({"Type": "StartBotConversation", "Parameters": parameters});
    let script = Scripted::new(vec![actions(json!([action])), actions(json!([hang_up("LEG-A")]))]);
    let scene = scene(&server, &script).await;
    let mut out = scene.phone(101).dial(Dial::to("600"));
    out.answered().await;
    out.ended().await;
    let done = &script.events()[1];
    let leg = done["CallDetails"]["Participants"][0]["CallId"].as_str().unwrap();
    assert_eq!(done["InvocationEventType"], "ACTION_SUCCESSFUL", "{done}");
    let slot = json!({"Shape": "Scalar", "Values": [], "Value": {"OriginalValue": "paris",
        "InterpretedValue": "Paris", "ResolvedValues": ["Paris"]}});
    let intent = json!({"Name": "Book", "State": "ReadyForFulfillment",
        "ConfirmationState": "Confirmed", "Slots": {"City": slot, "Nights": null}});
    let expected = json!({"SessionId": leg,
        "SessionState": {"SessionAttributes": {"MyKey": "my value"}, "Intent": intent},
        "Interpretations": [{"NluConfidence": {"Score": 0.9}, "Intent": intent}]});
    assert_eq!(done["ActionData"]["IntentResult"], expected);
    assert_eq!(done["ActionData"]["Parameters"]["LocaleId"], "de_DE");
    let asked = Asked {
        region: "eu-west-2".to_owned(),
        bot: "000000000A".to_owned(),
        alias: "TSTALIASID".to_owned(),
        locale: "de_DE".to_owned(),
        session: leg.to_owned(),
    };
    assert_eq!(server.asked(), [asked]);
    let Told::Configuration(told) = &server.told()[0] else { panic!("{:?}", server.told()) };
    assert_eq!(told["responseContentType"], "audio/pcm");
    assert_eq!(told["disablePlayback"], false);
    let state = json!({"sessionAttributes": {"MyKey": "my value"},
        "dialogAction": {"type": "ElicitIntent"}});
    assert_eq!(told["sessionState"], state);
    let welcome = json!([{"content": "Welcome.", "contentType": "PlainText"}]);
    assert_eq!(told["welcomeMessages"], welcome);
    let timeline = scene.office.keep.timeline(&scene.record().id);
    let notes: Vec<&str> = timeline
        .iter()
        .filter_map(|event| match &event.kind {
            CallEventKind::Note { text } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert!(notes.contains(&"the bot is at Book (ReadyForFulfillment)"), "{notes:?}");
    assert!(!format!("{timeline:?}").contains("Paris"), "what callers say is theirs");
    close(scene, &server).await;
}

#[tokio::test]
async fn a_bot_that_goes_on_after_an_intent_is_not_cut_off() {
    let server = lex(|_| {
        Plan::talks(async |mut bot| {
            bot.understands(&intent("Fulfilled"), "ElicitIntent").await;
            bot.until(&Told::Key('2')).await;
            bot.understands(&intent("Failed"), "Close").await;
            // Nothing is said any more, and it does not hang up: it is waited for a moment.
            bot.until(&Told::Over).await;
        })
    });
    let script = talks_and_hangs_up();
    let scene = scene(&server, &script).await;
    let mut out = scene.phone(101).dial(Dial::to("600"));
    out.answered().await;
    eventually("it was asked", async || !server.asked().is_empty()).await;
    out.press("2");
    out.ended().await;
    let result = &script.events()[1]["ActionData"]["IntentResult"];
    assert_eq!(result["SessionState"]["Intent"]["State"], "Failed");
    eventually("it was told", async || server.told().last() == Some(&Told::Over)).await;
    assert_eq!(server.told()[1..], [Told::Key('2'), Told::Gone, Told::End, Told::Over]);
    close(scene, &server).await;
}

#[tokio::test]
async fn a_caller_of_whom_nothing_comes_is_silent_to_the_bot_and_may_hang_up() {
    let server = lex(|_| {
        Plan::talks(async |mut bot| {
            let mut silence = 0;
            while silence < 8000 {
                if let Told::Audio(samples) = bot.next().await {
                    assert!(samples.iter().all(|sample| *sample == 0));
                    silence += samples.len();
                }
            }
            // In the middle of a word.
            bot.begins_to_speak(500.0, 30.0).await;
            bot.does("TextResponseEvent", json!({})).await;
            bot.understands(&intent("InProgress"), "ElicitSlot").await;
            bot.until(&Told::Over).await;
        })
    });
    let script = Scripted::new(vec![actions(json!([start("A")]))]);
    let scene = scene(&server, &script).await;
    let mut out = scene.phone(101).dial(Dial::to("600"));
    out.answered().await;
    let id = script.nth(1).await["CallDetails"]["TransactionId"].as_str().unwrap().to_owned();
    let keep = scene.office.keep.clone();
    eventually("it speaks", async || format!("{:?}", keep.timeline(&id)).contains("is at Book"))
        .await;
    out.hang_up();
    out.ended().await;
    script.nth(2).await;
    eventually("it was told", async || server.told().last() == Some(&Told::Over)).await;
    assert_eq!(server.told()[1..], [Told::Gone, Told::End, Told::Over]);
    close(scene, &server).await;
    assert_eq!(script.told(), ["NEW_INBOUND_CALL", "HANGUP Hangup"]);
}

/// `UpdateSipMediaApplicationCall` stops `PlayAudio`, `RecordAudio` and `Pause` only
/// (update-sip-call): a conversation goes on, and what was ordered comes after it.
#[tokio::test]
async fn an_update_waits_for_the_end_of_the_conversation() {
    let server = lex(|_| {
        Plan::talks(async |mut bot| {
            bot.until(&Told::Key('1')).await;
            bot.understands(&intent("Fulfilled"), "Close").await;
        })
    });
    let script = Scripted::new(vec![
        actions(json!([start("A"), start("B")])),
        actions(json!([hang_up("LEG-A")])),
    ]);
    let scene = scene(&server, &script).await;
    let mut out = scene.phone(101).dial(Dial::to("600"));
    out.answered().await;
    let first = script.nth(1).await;
    let id = first["CallDetails"]["TransactionId"].as_str().unwrap();
    eventually("it was asked", async || !server.asked().is_empty()).await;
    scene.office.calls.update_call(id, Default::default()).unwrap();
    assert_eq!(script.nth(2).await["InvocationEventType"], "CALL_UPDATE_REQUESTED");
    out.press("1");
    out.ended().await;
    assert_eq!(server.asked().len(), 1);
    close(scene, &server).await;
}

#[tokio::test(start_paused = true)]
async fn a_bot_talks_with_the_caller_alone_and_with_a_good_name_only() {
    let server = lex(|_| Plan::Hangs);
    let named = |name: &str| {
        actions(json!([{"Type": "StartBotConversation", "Parameters": {"BotAliasArn": name}}]))
    };
    let script = Scripted::new(vec![
        named("arn:aws:lex:us-east-1:123456789012:bot/ABCDEFGHIJ"),
        named("arn:aws:lex:evil.example/:123456789012:bot-alias/ABCDEFGHIJ/ABCDEFGHIJ"),
        named("ABCDEFGHIJ"),
        actions(json!([bridge("+15551239999")])),
        actions(json!([start("A")])),
        actions(json!([{"Type": "StartBotConversation",
            "Parameters": {"BotAliasArn": arn("A"), "ParticipantTag": "LEG-B"}}])),
        actions(json!([hang_up("LEG-A")])),
    ]);
    let scene = scene(&server, &script).await;
    let mut out = scene.phone(101).dial(Dial::to("600"));
    let mut far = scene.trunk.call().await;
    far.answer();
    out.ended().await;
    far.hang_up();
    far.ended().await;
    let events = script.events();
    let data = |n: usize| events[n]["ActionData"].clone();
    for n in 1..4 {
        assert_eq!(data(n)["ErrorMessage"], "BotAliasArn parameter value is invalid.");
    }
    for n in [5, 6] {
        assert_eq!(data(n)["ErrorType"], "InvalidActionParameter", "{}", events[n]);
        assert_eq!(data(n)["ErrorMessage"], "Invalid action on the call.", "{}", events[n]);
    }
    assert_eq!(server.asked(), []);
    close_paused(scene, &server).await;
}

/// The session's id is the leg's `CallId`, so that two bots of one call are in each other's way until
/// Lex has let go of the first: it may say so before its stream, or in it.
#[tokio::test]
async fn the_same_bot_again_waits_for_its_session_and_what_each_gathered_is_told() {
    let count = AtomicUsize::new(0);
    let server = lex(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        1 => Plan::Refuses(409, "ConflictException", "the session is open"),
        2 => Plan::talks(async |mut bot| bot.fails("ConflictException", "still").await),
        _ => Plan::talks(async |mut bot| {
            bot.understands(&intent("Fulfilled"), "Close").await;
            bot.until(&Told::Over).await;
        }),
    });
    let pause = json!({"Type": "Pause", "Parameters": {"DurationInMilliseconds": "100"}});
    let script = Scripted::new(vec![
        actions(json!([start("A"), start("A"), pause])),
        Answer::Nothing,
        Answer::Nothing,
        actions(json!([hang_up("LEG-A")])),
    ]);
    let scene = scene(&server, &script).await;
    let mut out = scene.phone(101).dial(Dial::to("600"));
    eventually("all was told", async || script.told().len() == 5).await;
    out.ended().await;
    let bot = "ACTION_SUCCESSFUL StartBotConversation";
    let told = ["NEW_INBOUND_CALL", bot, bot, "ACTION_SUCCESSFUL Pause", "HANGUP Hangup"];
    assert_eq!(script.told(), told);
    for event in &script.events()[1..3] {
        let state = &event["ActionData"]["IntentResult"]["SessionState"]["Intent"]["State"];
        assert_eq!(state, "Fulfilled", "{event}");
    }
    assert_eq!(server.asked().len(), 4);
    close(scene, &server).await;
}
