//! Actions with sound, over real media threads: recordings, digits that are sent.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::UdpSocket;
use std::path::Path;

use offhook_pbx::keep::Recordings as _;
use offhook_tests::net::PATIENCE;
use offhook_tests::sim::agent::{AUDIO_PORT, Dial};
use offhook_tests::sim::line::Line;
use offhook_tests::sim::media::eventually;
use offhook_tests::sim::scene::Scene;
use offhook_tests::sim::scripted::{Answer, Scripted, actions, hang_up};
use serde_json::{Value, json};

const NUMBER: &str = "[[number]]\nmatch = \"600\"\nto = \"flow:main\"\n";

fn record() -> Value {
    json!({"Type": "RecordAudio", "Parameters": {"DurationInSeconds": "60",
        "RecordingTerminators": ["#"],
        "RecordingDestination": {"Type": "S3", "BucketName": "voicemails", "Prefix": "new/"}}})
}

/// An office whose caller is being recorded.
async fn recorded(script: &Scripted, folder: &Path) -> (Scene, Line) {
    let data = format!("data_dir = \"{}\"\n", folder.display());
    let scene = Scene::in_folder(script.applications(), &data, NUMBER).await;
    let mut out = scene.phone(101).dial(Dial::to("600"));
    out.answered().await;
    let bucket = folder.join("buckets/voicemails/new");
    eventually("it is recorded", async || {
        std::fs::read_dir(&bucket).is_ok_and(|mut files| files.next().is_some())
    })
    .await;
    (scene, out)
}

/// The file that an event names.
fn file(folder: &Path, event: &Value) -> std::path::PathBuf {
    let to = &event["ActionData"]["RecordingDestination"];
    assert_eq!((&to["Type"], &to["BucketName"]), (&json!("S3"), &json!("voicemails")), "{event}");
    let key = to["Key"].as_str().unwrap();
    assert!(key.starts_with("new/") && key.ends_with(".wav"), "{key}");
    folder.join("buckets/voicemails").join(key)
}

#[tokio::test]
async fn a_caller_who_hangs_up_leaves_the_recording_and_it_is_told_before_the_hangup() {
    let script = Scripted::new(vec![actions(json!([record(), hang_up("LEG-A")]))]);
    let folder = tempfile::tempdir().unwrap();
    let (scene, mut out) = recorded(&script, folder.path()).await;
    out.hang_up();
    out.ended().await;
    let done = script.nth(2).await;
    assert_eq!(done["InvocationEventType"], "ACTION_SUCCESSFUL");
    assert_eq!(done["CallDetails"]["Participants"][0]["Status"], "Disconnected");
    assert!(file(folder.path(), &done).is_file());
    assert_eq!(script.nth(3).await["InvocationEventType"], "HANGUP");
    tokio::time::pause();
    scene.close().await;
    assert_eq!(script.told().len(), 3);
}

#[tokio::test]
async fn the_event_of_a_recording_is_kept_from_its_beginning_for_an_application_that_outlives_the_call()
 {
    for outlives in [true, false] {
        let answers = vec![actions(json!([record()]))];
        let script = if outlives { Scripted::outliving(answers) } else { Scripted::new(answers) };
        let folder = tempfile::tempdir().unwrap();
        let (scene, mut out) = recorded(&script, folder.path()).await;
        eventually("it is known", async || {
            scene.office.keep.list_recordings(9).await.unwrap().len() == 1
        })
        .await;
        let told = scene.office.keep.told();
        out.hang_up();
        out.ended().await;
        let done = script.nth(2).await;
        assert!(file(folder.path(), &done).is_file());
        if outlives {
            // The same as it hears now.
            let event: Value = serde_json::from_str(&told[0]).unwrap();
            assert_eq!(event["InvocationEventType"], "ACTION_SUCCESSFUL");
            assert_eq!(event["ActionData"]["Type"], "RecordAudio");
            assert_eq!(file(folder.path(), &event), file(folder.path(), &done));
        }
        assert_eq!(told.len(), usize::from(outlives));
        tokio::time::pause();
        scene.close().await;
        tokio::time::resume();
    }
}

#[tokio::test]
async fn an_update_ends_a_recording_and_keeps_what_was_said() {
    let script = Scripted::new(vec![
        actions(json!([record()])),
        actions(json!([hang_up("LEG-A")])),
        Answer::Nothing,
    ]);
    let folder = tempfile::tempdir().unwrap();
    let (scene, mut out) = recorded(&script, folder.path()).await;
    let first = script.nth(1).await;
    let id = first["CallDetails"]["TransactionId"].as_str().unwrap();
    scene.office.calls.update_call(id, Default::default()).unwrap();
    out.ended().await;
    let interrupted = script.nth(3).await;
    assert_eq!(interrupted["InvocationEventType"], "ACTION_INTERRUPTED");
    assert!(file(folder.path(), &interrupted).is_file());
    assert_eq!(script.nth(4).await["InvocationEventType"], "HANGUP");
    tokio::time::pause();
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn digits_are_sent_as_telephone_events() {
    // Where every phone of these tests says that its audio goes.
    let ear = UdpSocket::bind(("127.9.9.9", AUDIO_PORT)).unwrap();
    ear.set_read_timeout(Some(PATIENCE)).unwrap();
    let send = json!({"Type": "SendDigits", "Parameters": {"Digits": "5,#",
        "ToneDurationInMilliseconds": 100, "ParticipantTag": "LEG-A"}});
    let script = Scripted::new(vec![actions(json!([send]))]);
    let scene = Scene::running(script.applications(), NUMBER).await;
    let mut out = scene.phone(101).dial(Dial::to("600"));
    out.answered().await;
    // The paused clock runs ahead of the media threads, which send all of it by and by.
    assert_eq!(script.nth(2).await["InvocationEventType"], "ACTION_SUCCESSFUL");
    let mut packet = [0; 2048];
    let mut heard = Vec::new();
    while heard.len() < 2 {
        let (_, _) = ear.recv_from(&mut packet).expect("a telephone event");
        if packet[1] & 0x7f == 101 && heard.last() != Some(&packet[12]) {
            heard.push(packet[12]);
        }
    }
    assert_eq!(heard, [5, 11]);
    out.hang_up();
    out.ended().await;
    scene.close().await;
}
