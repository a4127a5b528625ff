//! What goes wrong with a bot, and what is left then.

use offhook_chime::credentials::Source;
use offhook_chime::sigv4::Credentials;
use offhook_tests::lex::{Bot, KEY, Plan, Told};
use offhook_tests::sim::agent::Dial;
use offhook_tests::sim::media::eventually;
use offhook_tests::sim::scene::Scene;
use offhook_tests::sim::scripted::{Answer, Scripted, actions, hang_up};
use serde_json::json;

use super::{
    NUMBER, arn, bots, close, close_paused, intent, lex, scene, start, talks_and_hangs_up,
};

/// What each bot does, by the end of its id.
async fn misbehave(id: String, mut bot: Bot) {
    match id.as_str() {
        "CONFLICT" => {
            // One that comes first is that of a conversation that has just ended.
            bot.does("HeartbeatEvent", json!({})).await;
            bot.fails("ConflictException", "two of them").await;
        }
        "DENIED" => bot.fails("AccessDeniedException", "not yours").await,
        "MISSING" => bot.fails("ResourceNotFoundException", "no such alias").await,
        "THROTTLED" => bot.fails("ThrottlingException", "too many").await,
        "DEPENDENCY" => bot.fails("DependencyFailedException", "the function failed").await,
        "GATEWAY" => bot.fails("BadGatewayException", "the function is gone").await,
        "INVALID" => bot.fails("ValidationException", "localeId").await,
        "GARBAGE" => bot.sends(&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..]).await,
        "TORN" => bot.sends(&b"\x00\x00\x00\x1d\x00\x00\x00\x00\xfdR\x8cZ{'foo"[..]).await,
        "UNFINISHED" => bot.understands(&intent("InProgress"), "ElicitSlot").await,
        "MPEG" => {
            let body = json!({"audioChunk": "AAAA", "contentType": "audio/mpeg"});
            bot.does("AudioResponseEvent", body).await;
        }
        _ => {}
    }
}

#[tokio::test]
async fn each_failure_is_told_in_the_words_of_aws_and_leaves_nothing() {
    const SYSTEM: &str = "System error while running action. ";
    const DENIED: &str = "Access to the bot is denied. ";
    let cases = [
        ("HTTP403", "ResourceAccessDenied", format!("{DENIED}no")),
        ("HTTP404", "ResourceNotFound", "A specified bot is not found. no".to_owned()),
        (
            "HTTP429",
            "ActionExecutionThrottled",
            "Bot conversation service limit is exceeded. no".to_owned(),
        ),
        (
            "HTTP400",
            "InvalidActionParameter",
            "One or more action parameters are invalid. no".to_owned(),
        ),
        (
            "HTTP500",
            "SystemException",
            format!("{SYSTEM}runtime-v2-lex: 500 InternalServerException no"),
        ),
        ("DENIED", "ResourceAccessDenied", format!("{DENIED}not yours")),
        ("MISSING", "ResourceNotFound", "A specified bot is not found. no such alias".to_owned()),
        (
            "THROTTLED",
            "ActionExecutionThrottled",
            "Bot conversation service limit is exceeded. too many".to_owned(),
        ),
        (
            "INVALID",
            "InvalidActionParameter",
            "One or more action parameters are invalid. localeId".to_owned(),
        ),
        ("CONFLICT", "SystemException", format!("{SYSTEM}ConflictException two of them")),
        (
            "DEPENDENCY",
            "SystemException",
            format!("{SYSTEM}DependencyFailedException the function failed"),
        ),
        ("GATEWAY", "SystemException", format!("{SYSTEM}BadGatewayException the function is gone")),
        (
            "GARBAGE",
            "SystemException",
            format!("{SYSTEM}the connection to Amazon Lex broke: a message's checksum is wrong"),
        ),
        (
            "TORN",
            "SystemException",
            format!(
                "{SYSTEM}the connection to Amazon Lex broke: the stream ended within a message"
            ),
        ),
        (
            "MPEG",
            "SystemException",
            format!("{SYSTEM}the connection to Amazon Lex broke: \"audio/mpeg\" was not asked for"),
        ),
        (
            "UNFINISHED",
            "SystemException",
            format!("{SYSTEM}the bot ended the conversation without a result"),
        ),
        (
            "NOTHING",
            "SystemException",
            format!("{SYSTEM}the bot ended the conversation without a result"),
        ),
    ];
    let server = lex(|asked| {
        let id = asked.bot.trim_start_matches('0').to_owned();
        let kinds = [
            ("HTTP400", 400, "ValidationException"),
            ("HTTP403", 403, "AccessDeniedException"),
            ("HTTP404", 404, "ResourceNotFoundException"),
            ("HTTP429", 429, "ThrottlingException"),
            ("HTTP500", 500, "InternalServerException"),
        ];
        match kinds.iter().find(|kind| kind.0 == id) {
            Some((_, status, kind)) => Plan::Refuses(*status, kind, "no"),
            None => Plan::talks(move |bot| misbehave(id, bot)),
        }
    });
    let mut answers: Vec<Answer> =
        cases.iter().map(|(id, ..)| actions(json!([start(id)]))).collect();
    answers.push(actions(json!([hang_up("LEG-A")])));
    let script = Scripted::new(answers);
    let scene = scene(&server, &script).await;
    let mut out = scene.phone(101).dial(Dial::to("600"));
    out.ended().await;
    let events = script.events();
    for ((id, kind, words), event) in cases.iter().zip(&events[1..]) {
        assert_eq!(event["InvocationEventType"], "ACTION_FAILED", "{id}");
        let data = &event["ActionData"];
        assert_eq!(
            (&data["ErrorType"], &data["ErrorMessage"]),
            (&json!(kind), &json!(words)),
            "{id}"
        );
        assert_eq!(data["Parameters"]["BotAliasArn"], arn(id));
    }
    assert_eq!(server.asked().len(), cases.len());
    close(scene, &server).await;
}

#[tokio::test]
async fn a_lex_that_never_answers_is_given_up() {
    let server = lex(|_| Plan::Hangs);
    let script = talks_and_hangs_up();
    let scene = scene(&server, &script).await;
    let mut out = scene.phone(101).dial(Dial::to("600"));
    eventually("it was asked", async || !server.asked().is_empty()).await;
    tokio::time::pause();
    out.ended().await;
    let data = &script.events()[1]["ActionData"];
    let words = "System error while running action. Amazon Lex says nothing for 15 s";
    assert_eq!(
        (&data["ErrorType"], &data["ErrorMessage"]),
        (&json!("SystemException"), &json!(words))
    );
    close_paused(scene, &server).await;
}

#[tokio::test]
async fn a_caller_hangs_up_while_lex_does_not_answer() {
    let server = lex(|_| Plan::Hangs);
    let script = Scripted::new(vec![actions(json!([start("A")]))]);
    let scene = scene(&server, &script).await;
    let mut out = scene.phone(101).dial(Dial::to("600"));
    out.answered().await;
    eventually("it was asked", async || !server.asked().is_empty()).await;
    out.hang_up();
    out.ended().await;
    script.nth(2).await;
    close(scene, &server).await;
}

#[tokio::test]
async fn without_keys_or_with_wrong_ones_there_is_no_bot() {
    for (keys, kind, words) in [
        (
            Source::Environment,
            "SystemException",
            "System error while running action. no AWS credentials",
        ),
        (
            Source::Fixed(Credentials::new(KEY, "wrong")),
            "ResourceAccessDenied",
            "Access to the bot is denied.",
        ),
    ] {
        let server = lex(|_| Plan::talks(async |mut bot| bot.until(&Told::Over).await));
        let script = talks_and_hangs_up();
        let scene = Scene::talking(bots(&server, keys), script.applications(), NUMBER).await;
        let mut out = scene.phone(101).dial(Dial::to("600"));
        out.ended().await;
        let data = &script.events()[1]["ActionData"];
        assert_eq!(data["ErrorType"], kind);
        assert!(data["ErrorMessage"].as_str().unwrap().starts_with(words), "{data}");
        assert_eq!(server.asked(), []);
        eventually("no connection is open", async || server.open() == 0).await;
        tokio::time::pause();
        scene.close().await;
        tokio::time::resume();
    }
}
