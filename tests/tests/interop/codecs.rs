//! Phones that speak differently, and digits.

use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::Net;
use offhook_tests::scenario::Scenario;
use offhook_tests::sipp::Sipp;
use offhook_tests::tone::assert_tone;

use crate::{last_events, line, office};

/// Lets phones with these accounts talk; both must hear the other's tone.
fn assert_understand_each_other(caller: &str, callee: &str) -> Vec<serde_json::Value> {
    let appliance = office(Net::new(), "", &["101", "102"]);
    let auto = format!("{callee};answermode=auto");
    let mut one = Baresip::registered(&Setup::of(&appliance, 3, "101").account(caller));
    let mut two = Baresip::registered(&Setup::of(&appliance, 4, "102").tone(1000).account(&auto));
    one.dial("102");
    one.expect("CALL_ESTABLISHED");
    two.expect("CALL_ESTABLISHED");
    one.hears(1000.0, 1.5);
    two.hears(440.0, 1.5);
    one.command("hangup", "");
    two.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
    assert_tone(&one.heard()[0], 1000.0, 1.5);
    assert_tone(&two.heard()[0], 440.0, 1.5);
    last_events(&appliance, "media")
}

#[test]
fn a_phone_with_pcmu_only_talks_to_one_with_pcma_only() {
    let media =
        assert_understand_each_other(";audio_codecs=pcmu/8000/1", ";audio_codecs=pcma/8000/1");
    let codecs: Vec<_> = media.iter().filter_map(|e| e["codec"].as_str()).collect();
    assert!(codecs.contains(&"PCMU") && codecs.contains(&"PCMA"), "{codecs:?}");
}

#[test]
fn packets_of_30_ms_reach_a_phone_with_20_ms() {
    assert_understand_each_other(";ptime=30", ";ptime=20");
}

#[test]
fn packets_of_30_ms_and_another_codec() {
    assert_understand_each_other(
        ";ptime=30;audio_codecs=pcma/8000/1",
        ";ptime=20;audio_codecs=pcmu/8000/1",
    );
}

#[test]
fn digits_go_from_phone_to_phone() {
    let appliance = office(Net::new(), "", &["101", "102"]);
    let mut caller = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    let mut callee =
        Baresip::registered(&Setup::of(&appliance, 4, "102").account(";answermode=auto"));
    caller.dial("102");
    caller.expect("CALL_ESTABLISHED");
    callee.expect("CALL_ESTABLISHED");
    caller.command("sndcode", "159#");
    for digit in ["1", "5", "9", "#"] {
        assert_eq!(callee.expect("CALL_DTMF_START")["param"], digit);
    }
    callee.command("sndcode", "*0");
    for digit in ["*", "0"] {
        assert_eq!(caller.expect("CALL_DTMF_START")["param"], digit);
    }
    caller.command("hangup", "");
    callee.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
}

#[test]
fn a_caller_changes_codec_and_address_within_the_call() {
    let net = Net::new();
    let appliance = office(net, &line(net, "extension:101"), &["101"]);
    let desk = Setup::of(&appliance, 3, "101").tone(1000).account(";answermode=auto");
    let mut desk = Baresip::registered(&desk);
    // Nothing is sent back until the new address is told: there, everything is echoed.
    let first = "m=audio 6100 RTP/AVP 0\na=rtpmap:0 PCMU/8000";
    let second = "m=audio [media_port] RTP/AVP 8\na=rtpmap:8 PCMA/8000";
    let scenario = Scenario::new("+15550100999", "+15550100100").invite("", first);
    let scenario = scenario.answered().ack().wait(1000).reinvite(second).answered().ack();
    let scenario = scenario.expect_bye();
    let caller = Sipp::start(&scenario.xml(), (net.trunk(), 5060), appliance.sip(), &["-rtp_echo"]);
    desk.expect("CALL_ESTABLISHED");
    desk.hears(1000.0, 1.5);
    desk.command("hangup", "");
    let messages = caller.received();
    let answers: Vec<_> = messages.iter().filter(|m| m.contains("m=audio")).collect();
    let last = answers.last().expect("an answer");
    assert!(last.contains("RTP/AVP 8"), "{last}");
    appliance.assert_nothing_left();
    assert_tone(&desk.heard()[0], 1000.0, 1.5);
}
