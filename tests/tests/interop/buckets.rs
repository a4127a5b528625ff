//! Buckets of applications: prompts that come from an object store, and recordings that get there,
//! whoever dies meanwhile.

use std::path::{Path, PathBuf};
use std::time::Duration;

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, Setup, write_tone};
use offhook_tests::net::{Net, eventually};
use offhook_tests::s3::S3Server;
use offhook_tests::tone::{read_wav, seconds_of_tone};
use serde_json::{Value, json};

use crate::{last_call, last_ladder, office};

/// A state that has its call do these, and waits until they are done.
fn does(actions: &Value, next: &Value) -> Value {
    json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Arguments": {
            "QueueUrl": "{% $states.context.Execution.Input.QueueUrl %}",
            "MessageBody": {
                "SchemaVersion": "1.0",
                "Actions": actions,
                "TransactionAttributes": {
                    "WaitToken": "{% $states.context.Task.Token %}",
                    "QueueUrl": "{% $states.context.Execution.Input.QueueUrl %}"
                }
            }
        },
        "Assign": {"Last": "{% $states.result.ActionData %}"},
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Done"}],
        "Next": next
    })
}

/// Plays a prompt, records into `recorded`, and plays what was said.
fn workflow() -> Value {
    let leg = json!("LEG-A");
    let play = |bucket: Value, key: Value| {
        json!({"Type": "PlayAudio", "Parameters": {"ParticipantTag": leg,
            "AudioSource": {"Type": "S3", "BucketName": bucket, "Key": key}}})
    };
    let record = json!({"Type": "RecordAudio", "Parameters": {"ParticipantTag": leg,
        "RecordingTerminators": ["#"],
        "RecordingDestination": {"Type": "S3", "BucketName": "media", "Prefix": "said"}}});
    let put = json!({
        "Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:putObject",
        "Arguments": {"Bucket": "media", "Key": "notes/last.json", "Body": "{% $Last %}"},
        "Next": "Play it"
    });
    json!({
        "QueryLanguage": "JSONata", "StartAt": "Ask",
        "States": {
            "Ask": does(&json!([play(json!("media"), json!("prompts/beep.wav")), record]), &json!("Note")),
            "Note": put,
            "Play it": does(
                &json!([play(json!("media"), json!("{% $Last.RecordingDestination.Key %}")),
                    {"Type": "Hangup", "Parameters": {"ParticipantTag": leg}}]),
                &json!("Done")
            ),
            "Done": {"Type": "Succeed"}
        }
    })
}

fn appliance(net: Net, config: &str) -> Appliance {
    let rule = "[[number]]\nmatch = \"800\"\nto = \"flow:ask\"\n";
    let appliance = office(net, &format!("{config}{rule}"), &["101"]);
    let file = appliance.folder().join("ask.asl.json");
    std::fs::write(&file, workflow().to_string()).expect("a file");
    appliance.cli(&["flow", "publish", "--name", "ask", file.to_str().expect("a path")]);
    appliance
}

/// 101 calls the workflow and is recorded.
fn recorded(appliance: &Appliance) -> Baresip {
    let mut phone = Baresip::registered(&Setup::of(appliance, 3, "101"));
    phone.dial("800");
    phone.expect("CALL_ESTABLISHED");
    eventually("it records", || {
        let shown = appliance.cli(&["calls", "show", last_call(appliance)["id"].as_str()?]);
        shown.contains("RecordAudio").then_some(())
    });
    phone
}

fn stored(appliance: &Appliance) -> PathBuf {
    eventually("the recording is stored", || {
        let list = appliance.json(&["recordings", "list"]);
        list[0]["stored"].as_str().map(PathBuf::from)
    })
}

/// What is in the file is at least so much of the phone's tone.
fn assert_said(file: &Path, at_least: f64) {
    let (said, rate) = read_wav(file);
    let heard = seconds_of_tone(&said, rate, 440.0);
    assert!(heard >= at_least, "{heard:.1} s in {}", file.display());
}

fn object(server: &S3Server) -> Option<PathBuf> {
    let wav = |file: &PathBuf| {
        file.extension().is_some_and(|e| e == "wav") && file.to_string_lossy().contains("/said/")
    };
    server.objects().into_iter().find(wav)
}

#[test]
fn a_workflow_plays_and_records_in_an_object_store() {
    let net = Net::new();
    let mut server = S3Server::new(env!("CARGO_BIN_EXE_s3-server"), net.ip(77));
    server.start();
    let prompts = server.bucket().join("prompts");
    std::fs::create_dir(&prompts).expect("a folder");
    write_tone(&prompts.join("beep.wav"), 1000, 2);
    let appliance = appliance(net, &server.bucket_config("media"));
    let mut phone = recorded(&appliance);
    phone.hears(1000.0, 1.6);
    // Where other things run as well, both ways have gaps.
    std::thread::sleep(Duration::from_secs(6));
    phone.command("sndcode", "#");
    phone.expect("CALL_CLOSED");
    let location = stored(&appliance);
    assert!(location.starts_with("s3://recordings/said"), "{location:?}");
    assert_said(&object(&server).expect("an object"), 1.5);
    let (heard, rate) = read_wav(&phone.heard()[0]);
    assert!(seconds_of_tone(&heard, rate, 1000.0) > 1.5, "the prompt is heard");
    let said = seconds_of_tone(&heard, rate, 440.0);
    assert!(said > 1.0, "and {said:.1} s of what was said");
    let note = std::fs::read_to_string(server.bucket().join("notes/last.json")).expect("a note");
    assert!(note.contains("said/"), "{note}");
    eventually("nothing of it is here", || {
        let left = super::voicemail::wav_files(&appliance.data().join("outbox"));
        left.is_empty().then_some(())
    });
    appliance.assert_nothing_left();
}

#[test]
fn a_recording_into_a_store_survives_the_end_of_the_appliance_and_of_the_store() {
    let net = Net::new();
    let server = S3Server::new(env!("CARGO_BIN_EXE_s3-server"), net.ip(77));
    let mut server = server;
    let mut appliance = appliance(net, &server.bucket_config("media"));
    let phone = recorded(&appliance);
    std::thread::sleep(Duration::from_secs(8));
    appliance.kill();
    drop(phone);
    appliance.launch();
    let list = appliance.json(&["recordings", "list"]);
    assert!(list[0]["stored"].is_null() && list[0]["duration_ms"].as_u64() > Some(1000), "{list}");
    appliance.kill();
    server.start();
    appliance.launch();
    stored(&appliance);
    assert_said(&object(&server).expect("an object"), 1.5);
}

#[test]
fn a_recording_into_a_folder_survives_the_end_of_the_appliance() {
    let mut appliance = appliance(Net::new(), "");
    let phone = recorded(&appliance);
    std::thread::sleep(Duration::from_secs(8));
    appliance.kill();
    drop(phone);
    appliance.launch();
    let file = stored(&appliance);
    assert!(file.starts_with(appliance.data().join("buckets/media/said")), "{file:?}");
    assert_said(&file, 1.5);
    assert!(!last_ladder(&appliance).is_empty());
}
