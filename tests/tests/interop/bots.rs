//! A real phone talks with bots of Amazon Lex: the appliance as a process, its own client of Lex, and
//! a Lex and a Lambda behind their wire protocols, which check signatures.

use std::sync::mpsc;

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::lambda::LambdaServer;
use offhook_tests::lex::{Asked, KEY, LexServer, Plan, SECRET, Told};
use offhook_tests::net::{Net, eventually};
use offhook_tests::tone::assert_tone;
use serde_json::{Value, json};

use crate::office;

const BOT: &str = "arn:aws:lex:us-east-1:123456789012:bot-alias/ABCDEFGHIH/MNOPQRSTUV";

struct Cloud {
    lex: LexServer,
    lambda: LambdaServer,
    appliance: Appliance,
}

/// An office whose number 600 is a function's: a bot, and the end.
fn cloud(plan: impl Fn(&Asked) -> Plan + Send + Sync + 'static) -> Cloud {
    let net = Net::new();
    let lex = LexServer::start((net.ip(6), 0).into(), plan);
    let lambda = LambdaServer::start((net.ip(7), 0).into());
    lambda.function("ivr", |event| {
        let action = match event["InvocationEventType"].as_str() {
            Some("NEW_INBOUND_CALL") => {
                json!([{"Type": "StartBotConversation", "Parameters": {"BotAliasArn": BOT}}])
            }
            Some("HANGUP") => json!([]),
            _ => json!([{"Type": "Hangup", "Parameters": {"ParticipantTag": "LEG-A"}}]),
        };
        Ok(json!({"SchemaVersion": "1.0", "Actions": action}))
    });
    let config = format!(
        "[aws]\nendpoint = \"{}\"\naccess_key = \"{KEY}\"\nsecret_key = \"{SECRET}\"\n\
         [[lambda]]\nname = \"ivr\"\nfunction = \"ivr\"\nendpoint = \"{}\"\n\
         [[number]]\nmatch = \"600\"\nto = \"lambda:ivr\"\n",
        lex.url(),
        lambda.url()
    );
    let appliance = office(net, &config, &["101"]);
    Cloud { lex, lambda, appliance }
}

impl Cloud {
    fn caller(&self) -> Baresip {
        let mut phone = Baresip::registered(&Setup::of(&self.appliance, 3, "101"));
        phone.dial("600");
        phone.expect("CALL_ESTABLISHED");
        phone
    }

    /// Nothing is left of the call and of its conversation.
    fn over(&self) -> Vec<Value> {
        self.appliance.assert_nothing_left();
        eventually("no connection is open", || (self.lex.open() == 0).then_some(()));
        assert_eq!(self.lex.forged(), Vec::<String>::new());
        self.lambda.invoked("ivr")
    }

    fn played(&self) -> usize {
        self.lex.told().iter().filter(|told| **told == Told::Played).count()
    }
}

fn intent(state: &str) -> Value {
    json!({"name": "BookHotel", "state": state, "confirmationState": "None", "slots": {}})
}

#[test]
fn a_bot_hears_a_phone_speaks_to_it_and_tells_the_application_what_it_understood() {
    let (heard, hears) = mpsc::channel();
    let cloud = cloud(move |_| {
        let heard = heard.clone();
        Plan::talks(async move |mut bot| {
            // The tone of the phone's microphone.
            heard.send(bot.hears(440.0).await).unwrap();
            bot.understands(&intent("InProgress"), "ElicitSlot").await;
            bot.speaks(1000.0, 1.5).await;
            bot.until(&Told::Played).await;
            bot.until(&Told::Key('#')).await;
            bot.understands(&intent("ReadyForFulfillment"), "Close").await;
            bot.speaks(600.0, 1.5).await;
            bot.until(&Told::Over).await;
        })
    });
    let mut phone = cloud.caller();
    let share = hears.recv().unwrap();
    assert!(share > 0.9, "the bot heard another tone: {share}");
    phone.hears(1000.0, 1.0);
    eventually("the bot was heard", || (cloud.played() == 1).then_some(()));
    phone.command("sndcode", "42#");
    phone.expect("CALL_CLOSED");
    let events = cloud.over();
    assert_tone(&phone.heard()[0], 600.0, 1.3);
    let kinds: Vec<&Value> = events.iter().map(|event| &event["InvocationEventType"]).collect();
    assert_eq!(kinds, ["NEW_INBOUND_CALL", "ACTION_SUCCESSFUL", "HANGUP"]);
    let result = &events[1]["ActionData"]["IntentResult"];
    let told = json!({"Name": "BookHotel", "State": "ReadyForFulfillment",
        "ConfirmationState": "None", "Slots": {}});
    assert_eq!(result["SessionState"]["Intent"], told, "{result}");
    assert_eq!(result["SessionId"], events[0]["CallDetails"]["Participants"][0]["CallId"]);
    let mut told = cloud.lex.told();
    assert!(matches!(told.remove(0), Told::Configuration(_)));
    // He hears the last words before it is over.
    let keys = ['4', '2', '#'].map(Told::Key);
    let end = [Told::Played, Told::Gone, Told::End, Told::Over];
    assert_eq!(told, [&[Told::Played][..], &keys, &end].concat());
}

#[test]
fn who_interrupts_a_bot_hears_no_more_of_what_it_said() {
    let cloud = cloud(|_| {
        Plan::talks(async |mut bot| {
            bot.speaks(1000.0, 20.0).await;
            bot.until(&Told::Key('1')).await;
            let body = json!({"eventReason": "DTMF_START_DETECTED"});
            bot.does("PlaybackInterruptionEvent", body).await;
            bot.speaks(600.0, 1.5).await;
            bot.until(&Told::Played).await;
            bot.understands(&intent("Fulfilled"), "Close").await;
        })
    });
    let mut phone = cloud.caller();
    phone.hears(1000.0, 1.0);
    phone.command("sndcode", "1");
    phone.hears(600.0, 1.3);
    phone.expect("CALL_CLOSED");
    let events = cloud.over();
    assert_eq!(events[1]["InvocationEventType"], "ACTION_SUCCESSFUL", "{}", events[1]);
    assert_eq!(cloud.played(), 1, "what was cut off was not heard");
}

#[test]
fn answers_of_a_bot_are_heard_one_after_the_other() {
    let cloud = cloud(|_| {
        Plan::talks(async |mut bot| {
            bot.speaks(1000.0, 2.0).await;
            bot.understands(&intent("Fulfilled"), "Close").await;
            // While the first is still heard.
            bot.speaks(600.0, 1.5).await;
            bot.until(&Told::Over).await;
        })
    });
    let mut phone = cloud.caller();
    phone.expect("CALL_CLOSED");
    cloud.over();
    assert_tone(&phone.heard()[0], 1000.0, 1.7);
    assert_tone(&phone.heard()[0], 600.0, 1.3);
    assert_eq!(cloud.played(), 2);
}

#[test]
fn a_phone_hangs_up_in_the_middle_of_a_word_and_the_bot_is_told() {
    let cloud = cloud(|_| {
        Plan::talks(async |mut bot| {
            bot.begins_to_speak(1000.0, 20.0).await;
            bot.until(&Told::Over).await;
        })
    });
    let mut phone = cloud.caller();
    phone.hears(1000.0, 1.0);
    phone.command("hangup", "");
    let events = cloud.over();
    eventually("the bot was told", || {
        (cloud.lex.told()[1..] == [Told::Gone, Told::End, Told::Over]).then_some(())
    });
    let kinds: Vec<&Value> = events.iter().map(|event| &event["InvocationEventType"]).collect();
    assert_eq!(kinds, ["NEW_INBOUND_CALL", "HANGUP"]);
}
