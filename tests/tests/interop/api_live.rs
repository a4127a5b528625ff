//! Programs that direct calls which are there: AWS's own client at the API, a function that runs the
//! call, and a desk phone that hears what comes of it.

use std::net::SocketAddr;

use offhook_pbx::office::application_id;
use offhook_tests::baresip::{Baresip, Setup, write_tone};
use offhook_tests::boto3::Client;
use offhook_tests::lambda::{self, LambdaServer};
use offhook_tests::net::Net;
use offhook_tests::scenario::{SDP, Scenario};
use offhook_tests::sipp::Sipp;
use offhook_tests::tone::assert_tone;
use serde_json::{Value, json};

use crate::{last_call, last_ladder, line, office};

fn plays(key: &str) -> Value {
    json!({"Type": "PlayAudio", "Parameters": {"ParticipantTag": "LEG-A",
        "AudioSource": {"Type": "S3", "BucketName": "tones", "Key": key}}})
}

/// Plays `low.wav`, then what an update names; an update without that ends the call.
fn music(event: &Value) -> Value {
    let arguments = &event["ActionData"]["Parameters"]["Arguments"];
    let actions = match (event["InvocationEventType"].as_str(), arguments["play"].as_str()) {
        (Some("CALL_ANSWERED"), _) => vec![plays("low.wav")],
        (Some("CALL_UPDATE_REQUESTED"), Some(key)) => vec![plays(key)],
        (Some("CALL_UPDATE_REQUESTED"), None) => {
            vec![json!({"Type": "Hangup", "Parameters": {"ParticipantTag": "LEG-A"}})]
        }
        _ => Vec::new(),
    };
    json!({"SchemaVersion": "1.0", "Actions": actions})
}

/// `[api]`, `[aws]` and a function `music` that no number leads to.
fn config(net: Net, server: &LambdaServer) -> String {
    format!(
        "[api]\nlisten = \"{}:9481\"\nrequests_per_second = 100\n\
         [aws]\naccess_key = \"{}\"\nsecret_key = \"{}\"\n\
         [[lambda]]\nname = \"music\"\nfunction = \"music\"\nendpoint = \"{}\"\n",
        net.appliance(),
        lambda::KEY,
        lambda::SECRET,
        server.url()
    )
}

fn transaction(answer: &Value) -> &str {
    assert_eq!(answer["status"], 201, "{answer}");
    answer["answer"]["SipMediaApplicationCall"]["TransactionId"].as_str().expect("an id")
}

fn assert_not_found(answer: &Value) {
    assert_eq!((&answer["status"], &answer["error"]), (&json!(404), &json!("NotFoundException")));
    let words = answer["message"].as_str().unwrap_or_default();
    assert!(words.starts_with("The requested resource couldn't be found"), "{answer}");
}

#[test]
fn boto3_rings_a_desk_phone_and_directs_the_call_while_it_goes_on() {
    let net = Net::new();
    let server = LambdaServer::start((net.ip(6), 0).into());
    server.function("music", |event| Ok(music(&event)));
    let appliance = office(net, &(line(net, "extension:101") + &config(net, &server)), &["101"]);
    let tones = appliance.data().join("buckets/tones");
    std::fs::create_dir_all(&tones).expect("a folder");
    write_tone(&tones.join("low.wav"), 600, 30);
    write_tone(&tones.join("high.wav"), 900, 30);
    let api = Client::of(&appliance, SocketAddr::from((net.appliance(), 9481)));
    let mut desk = Baresip::registered(&Setup::of(&appliance, 3, "101"));

    let created = api.create("lambda:music", "+15550100100", "101", &json!({"customer": "4711"}));
    let transaction = transaction(&created);
    let ringing = desk.expect("CALL_INCOMING");
    assert!(ringing["peeruri"].as_str().unwrap_or("").contains("+15550100100"), "{ringing}");
    desk.command("accept", "");
    desk.expect("CALL_ESTABLISHED");
    desk.hears(600.0, 1.0);
    let update = |application: &str, arguments: &Value| {
        json!(["update_sip_media_application_call", {"SipMediaApplicationId": application,
            "TransactionId": transaction, "Arguments": arguments}])
    };
    // By the words, by the id of its events, and by names of others.
    let own = application_id("lambda:music");
    let high = json!({"play": "high.wav"});
    let answers = api.ask(&json!([
        update("lambda:other", &json!({})),
        update(&application_id("extension:101"), &json!({})),
        update("music", &json!({})),
        update(&own, &high),
    ]));
    answers[..3].iter().for_each(assert_not_found);
    let told = json!({"status": 202,
        "answer": {"SipMediaApplicationCall": {"TransactionId": transaction}}});
    assert_eq!(answers[3], told);
    desk.hears(900.0, 1.0);
    assert_not_found(&api.update("lambda:music", "23fe0cf1-fc36-4bdc-976d-3520c0a3ac86", &high));
    assert_eq!(api.update("lambda:music", transaction, &json!({}))["status"], 202);
    desk.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
    assert_not_found(&api.update("lambda:music", transaction, &high));

    assert_tone(&desk.heard()[0], 600.0, 1.0);
    assert_tone(&desk.heard()[0], 900.0, 1.0);
    let told: Vec<String> = server
        .invoked("music")
        .iter()
        .map(|event| event["InvocationEventType"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        told,
        [
            "NEW_OUTBOUND_CALL",
            "RINGING",
            "CALL_ANSWERED",
            "CALL_UPDATE_REQUESTED",
            "ACTION_INTERRUPTED",
            "CALL_UPDATE_REQUESTED",
            "ACTION_INTERRUPTED",
            "HANGUP"
        ],
        "{}",
        last_ladder(&appliance)
    );
    let first = &server.invoked("music")[0];
    assert_eq!(first["ActionData"]["Parameters"]["Arguments"], json!({"customer": "4711"}));
    assert_eq!(first["CallDetails"]["SipMediaApplicationId"], *own);
}

#[test]
fn a_workflow_has_a_call_placed_by_an_application_that_no_number_leads_to() {
    let net = Net::new();
    let server = LambdaServer::start((net.ip(6), 0).into());
    server.function("music", |event| Ok(music(&event)));
    let appliance = office(net, &(line(net, "flow:places") + &config(net, &server)), &["101"]);
    let places = json!({"QueryLanguage": "JSONata", "StartAt": "Place", "States": {"Place": {
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true,
        "Arguments": {
            "FunctionName": "{% $states.input.Office.PlaceCallFunctionArn %}",
            "Payload": {"BusinessPhoneNumber": "+15550100100", "BusinessOwnerPhoneNumber": "101",
                "CustomerPhoneNumber": "+12065550123",
                "SipMediaApplicationId": application_id("lambda:music")}}}}});
    let file = appliance.folder().join("places.asl.json");
    std::fs::write(&file, places.to_string()).expect("a file");
    appliance.cli(&["flow", "publish", file.to_str().expect("a path")]);
    let mut desk = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    // The workflow is over then, and the caller was not answered.
    let caller = Scenario::new("+12065550199", "+15550100100").invite("", SDP).refused(480);
    Sipp::start(&caller.xml(), (net.trunk(), 5060), appliance.sip(), &[]).finish();
    desk.expect("CALL_INCOMING");
    desk.command("hangup", "");
    desk.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
    let arguments = server.invoked("music")[0]["ActionData"]["Parameters"]["Arguments"].clone();
    assert_eq!(arguments["CustomerPhoneNumber"], "+12065550123", "{arguments}");
}

#[test]
fn applications_that_no_number_leads_to_are_found_by_their_ids() {
    let net = Net::new();
    let server = LambdaServer::start((net.ip(6), 0).into());
    server.function("music", |event| Ok(music(&event)));
    let appliance = office(net, &config(net, &server), &["101"]);
    let file = appliance.folder().join("silent.asl.json");
    let ends = json!({"StartAt": "Wait", "States": {
        "Wait": {"Type": "Wait", "Seconds": 5, "Next": "Over"}, "Over": {"Type": "Succeed"}}});
    std::fs::write(&file, ends.to_string()).expect("a file");
    let file = file.to_str().expect("a path");
    appliance.cli(&["flow", "publish", "--alias", "live", file]);
    let api = Client::of(&appliance, SocketAddr::from((net.appliance(), 9481)));
    let mut desk = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    for label in ["lambda:music", "flow:silent", "flow:silent@live", "flow:silent@1"] {
        let id = application_id(label);
        let created = api.create(&id, "+15550100100", "101", &json!({}));
        let id = transaction(&created).to_owned();
        // A workflow that is over before its call is placed has none placed.
        if label.starts_with("lambda:") {
            desk.expect("CALL_INCOMING");
            desk.command("hangup", "");
            desk.expect("CALL_CLOSED");
        }
        appliance.assert_nothing_left();
        let call = last_call(&appliance);
        assert_eq!((&call["id"], &call["source"]), (&json!(id), &json!(label)), "{call}");
    }
    let rang = desk.events.iter().filter(|event| event["type"] == "CALL_INCOMING").count();
    assert_eq!(rang, 1);
    let ladder = last_ladder(&appliance);
    assert!(ladder.contains("the call is not placed: the workflow ended"), "{ladder}");
    let answer = api.create(&application_id("flow:none"), "+15550100100", "101", &json!({}));
    assert_eq!(answer["error"], "BadRequestException", "{answer}");
    // By its words: what is not published is told before anything rings, and nothing is begun.
    for label in ["flow:none", "flow:silent@none", "flow:silent@2"] {
        let answer = api.create(label, "+15550100100", "101", &json!({}));
        let told = (&answer["status"], &answer["error"]);
        assert_eq!(told, (&json!(400), &json!("BadRequestException")), "{label}: {answer}");
        let words = answer["message"].as_str().unwrap_or_default();
        assert!(words.contains(&format!("{label}: it is not published")), "{answer}");
    }
    appliance.assert_nothing_left();
    assert_eq!(last_call(&appliance)["source"], "flow:silent@1", "none has been begun since");
}
