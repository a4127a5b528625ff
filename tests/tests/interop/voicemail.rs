//! Messages: who leaves them, and who hears them.

use std::path::{Path, PathBuf};

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::{Net, eventually};
use offhook_tests::scenario::{SDP, Scenario};
use offhook_tests::sipp::Sipp;
use offhook_tests::tone::{read_wav, seconds_of_tone};

use crate::{last_call, line, office};

/// Raw PCMU of a tone.
pub(crate) fn ulaw_tone(frequency: f64, seconds: u32) -> Vec<u8> {
    (0..8000 * seconds)
        .map(|n| {
            let phase = f64::from(n) / 8000.0 * frequency * std::f64::consts::TAU;
            offhook_media::g711::Law::Mu.encode((phase.sin() * 12000.0) as i16)
        })
        .collect()
}

/// The recordings on the disk.
pub(crate) fn wav_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "wav") {
                found.push(path);
            }
        }
    }
    found
}

/// A short greeting, so that the tests need not listen to the built-in one.
fn greeting(net: Net, more: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("greeting.wav");
    offhook_tests::baresip::write_tone(&file, 300, 1);
    let config = format!(
        "{}[voicemail]\nafter_seconds = 2\ngreeting = {file:?}\n{more}\n",
        line(net, "extension:101")
    );
    (folder, config)
}

/// A caller from outside who speaks a tone of 700 Hz for so long and hangs up.
fn speaker(appliance: &Appliance, millis: u32) -> Sipp {
    let speech = appliance.folder().join("message.ul");
    std::fs::write(&speech, ulaw_tone(700.0, 20)).expect("file");
    let body = SDP.replace("[media_port]", "[rtpstream_audio_port]");
    let scenario = Scenario::new("+15550100999", "+15550100100").invite("", &body);
    let scenario = scenario.answered().ack().speak(&speech).wait(millis).bye();
    Sipp::start(&scenario.xml(), (appliance.net.trunk(), 5060), appliance.sip(), &[])
}

/// The one message that there is holds at least this much of the caller's tone.
fn assert_message(appliance: &Appliance, seconds: f64) {
    let files = wav_files(&appliance.data());
    assert_eq!(files.len(), 1, "{files:?}");
    let (samples, rate) = read_wav(&files[0]);
    let heard = seconds_of_tone(&samples, rate, 700.0);
    assert!(heard >= seconds, "{heard} s of the caller in {} samples", samples.len());
}

#[test]
fn nobody_answers_and_the_message_is_heard_deleted_and_the_lamp_goes_out() {
    let net = Net::new();
    let (_folder, config) = greeting(net, "");
    let appliance = office(net, &config, &["101"]);
    let mut desk = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    let caller = speaker(&appliance, 8000);
    desk.expect("CALL_INCOMING");
    desk.expect("CALL_CLOSED");
    caller.finish();
    appliance.assert_nothing_left();
    assert_message(&appliance, 2.0);
    assert_eq!(last_call(&appliance)["disposition"], "voicemail");
    desk.wait_for("Voice-Message: 1/0");
    // The one whose phone it is needs no PIN.
    desk.dial("*97");
    desk.expect("CALL_ESTABLISHED");
    // Before that the key might be meant for a message before this one.
    desk.hears(700.0, 3.5);
    desk.command("sndcode", "3");
    eventually("the lamp is out again", || {
        let since = desk.log().rsplit("Voice-Message: 1/0").next()?.to_owned();
        since.contains("Voice-Message: 0/0").then_some(())
    });
    desk.expect("CALL_CLOSED");
    let heard = desk.heard();
    let (samples, rate) = read_wav(&heard[0]);
    assert!(seconds_of_tone(&samples, rate, 700.0) > 1.0, "the message was not played");
    eventually("the file is deleted", || wav_files(&appliance.data()).is_empty().then_some(()));
    appliance.assert_nothing_left();
}

#[test]
fn a_message_that_was_heard_is_old_and_stays() {
    let net = Net::new();
    let (_folder, config) = greeting(net, "");
    let appliance = office(net, &config, &["101"]);
    speaker(&appliance, 6000).finish();
    let mut desk = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    desk.wait_for("Voice-Message: 1/0");
    desk.dial("*97");
    desk.expect("CALL_ESTABLISHED");
    desk.hears_sound(0.5);
    desk.command("sndcode", "2");
    desk.wait_for("Voice-Message: 0/1");
    desk.expect("CALL_CLOSED");
    assert_eq!(wav_files(&appliance.data()).len(), 1);
    appliance.assert_nothing_left();
}

#[test]
fn a_busy_phone_s_caller_leaves_a_message() {
    let net = Net::new();
    let (_folder, config) = greeting(net, "");
    let appliance =
        office(net, &config.replace("after_seconds = 2", "after_seconds = 20"), &["101"]);
    let mut desk = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    let caller = speaker(&appliance, 8000);
    desk.expect("CALL_INCOMING");
    desk.command("hangup", "");
    caller.finish();
    appliance.assert_nothing_left();
    assert_message(&appliance, 2.0);
}

#[test]
fn a_phone_that_does_not_want_to_be_disturbed_does_not_ring() {
    let net = Net::new();
    let (_folder, config) = greeting(net, "");
    let appliance = office(net, &config, &["101"]);
    let mut desk = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    appliance.cli(&["phone", "dnd", "101", "on"]);
    speaker(&appliance, 8000).finish();
    appliance.assert_nothing_left();
    assert_message(&appliance, 2.0);
    assert!(!desk.saw("CALL_INCOMING"));
    desk.wait_for("Voice-Message: 1/0");
}

#[test]
fn a_caller_who_hangs_up_before_the_beep_leaves_nothing() {
    let net = Net::new();
    let (_folder, config) = greeting(net, "");
    let appliance = office(net, &config, &["101"]);
    speaker(&appliance, 300).finish();
    appliance.assert_nothing_left();
    eventually("no file is left", || wav_files(&appliance.data()).is_empty().then_some(()));
    let desk = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    desk.wait_for("Messages-Waiting: no");
}
