//! The main job with Debian's user agents: sipp is the Voice Connector, baresip the desk phone.

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, PASSWORD, Setup};
use offhook_tests::net::{Net, eventually};
use offhook_tests::sipp::Sipp;
use offhook_tests::tone::{assert_tone, read_wav, seconds_of_tone};

use crate::voicemail::{ulaw_tone, wav_files};

const CONNECT_CALL: &str = include_str!("../scenarios/connect_call.xml");
const LEAVE_MESSAGE: &str = include_str!("../scenarios/leave_message.xml");

/// A Voice Connector whose calls come from the test's own address, and a number of the office's.
fn office(net: Net, more: &str) -> Appliance {
    let appliance = Appliance::prepare(
        net,
        &format!(
            "[[trunk]]\nname = \"connect\"\ntype = \"voice_connector\"\n\
             host = \"abcdefghij1234567890ab.voiceconnector.chime.aws\"\nregion = \"us-east-1\"\n\
             caller_id = \"+15550100100\"\npeers = [\"{}/32\"]\noptions_seconds = 0\n\
             [[number]]\nmatch = \"+15550100100\"\nto = \"extension:101\"\n{more}",
            net.trunk()
        ),
    );
    appliance.add_phone("101", PASSWORD);
    appliance
}

#[test]
fn a_transferred_connect_call_rings_the_desk_with_the_callers_own_number() {
    let net = Net::new();
    let mut appliance = office(net, "");
    appliance.launch();
    let mut desk = Baresip::registered(&Setup::of(&appliance, 3, "101").tone(1000));
    // sipp sends every RTP packet back: what the phone hears has crossed the appliance twice.
    let trunk = Sipp::start(
        CONNECT_CALL,
        (net.trunk(), 5060),
        appliance.sip(),
        &["-rtp_echo", "-d", "6000"],
    );
    let ringing = desk.expect("CALL_INCOMING");
    let shown = ringing["peeruri"].as_str().unwrap_or("");
    assert!(shown.contains("+12065550123"), "the phone shows {ringing}");
    desk.command("accept", "");
    desk.expect("CALL_ESTABLISHED");
    desk.expect("CALL_CLOSED");
    let messages = trunk.finish();
    assert!(messages.contains("BYE sip:"), "{messages}");
    appliance.assert_nothing_left();
    assert_tone(&desk.heard()[0], 1000.0, 2.0);
    let call = &appliance.json(&["calls", "list"])[0];
    assert_eq!(call["original_caller"], "+12065550123");
    assert_eq!(call["from"], "+15550100999");
    let ladder = appliance.cli(&["calls", "show", call["id"].as_str().expect("an id")]);
    assert!(ladder.contains("INVITE") && ladder.contains("200 OK (INVITE)"), "{ladder}");
}

#[test]
fn a_caller_whom_nobody_answers_leaves_a_message_and_the_lamp_is_lit() {
    let net = Net::new();
    let mut appliance = office(net, "");
    appliance.launch();
    let speech = appliance.folder().join("message.ul");
    std::fs::write(&speech, ulaw_tone(700.0, 20)).expect("file");
    // Nobody is registered: the box answers at once. The default greeting is well below 9 s.
    let scenario = LEAVE_MESSAGE.replace("message.ul", &speech.display().to_string());
    let trunk = Sipp::start(&scenario, (net.trunk(), 5060), appliance.sip(), &["-d", "12000"]);
    trunk.finish();
    appliance.assert_nothing_left();
    let files = wav_files(&appliance.data());
    assert_eq!(files.len(), 1, "{files:?}");
    let (samples, rate) = read_wav(&files[0]);
    let heard = seconds_of_tone(&samples, rate, 700.0);
    let length = samples.len() as f64 / f64::from(rate);
    assert!(heard > 2.0 && heard > length - 1.0, "{heard} s of the tone in {length} s");
    // The lamp is right at the first registration after a restart.
    appliance.kill();
    appliance.launch();
    let desk = Baresip::registered(&Setup::of(&appliance, 3, "101").tone(1000));
    desk.wait_for("Voice-Message: 1/0");
}

#[test]
fn a_recording_survives_kill_9_with_what_was_said_so_far() {
    let net = Net::new();
    let mut appliance = office(net, "");
    appliance.launch();
    let speech = appliance.folder().join("message.ul");
    std::fs::write(&speech, ulaw_tone(700.0, 20)).expect("file");
    let scenario = LEAVE_MESSAGE.replace("message.ul", &speech.display().to_string());
    let _trunk = Sipp::start(&scenario, (net.trunk(), 5060), appliance.sip(), &["-d", "30000"]);
    let file = eventually("three seconds are on the disk", || {
        let files = wav_files(&appliance.data());
        let file = files.first()?;
        let (samples, rate) =
            std::fs::metadata(file).is_ok_and(|m| m.len() > 44).then(|| read_wav(file))?;
        (seconds_of_tone(&samples, rate, 700.0) > 3.0).then(|| file.clone())
    });
    appliance.kill();
    appliance.launch();
    let (samples, rate) = read_wav(&file);
    assert!(seconds_of_tone(&samples, rate, 700.0) > 3.0);
    let desk = Baresip::registered(&Setup::of(&appliance, 3, "101").tone(1000));
    desk.wait_for("Messages-Waiting: yes");
    let call = &appliance.json(&["calls", "list"])[0];
    assert_eq!(call["disposition"], "lost", "{call}");
}
