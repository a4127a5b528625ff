//! Phones that speak differently, and digits.

use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::Net;
use offhook_tests::scenario::Scenario;
use offhook_tests::sipp::Sipp;
use offhook_tests::tone::assert_tone;

use crate::{codecs_of, line, office, talking, understood};

#[test]
fn a_phone_with_pcmu_only_talks_to_one_with_pcma_only() {
    let accounts = [";audio_codecs=pcmu/8000/1", ";audio_codecs=pcma/8000/1"];
    let codecs = codecs_of(&understood("", "", accounts));
    assert!(codecs.iter().any(|c| c == "PCMU") && codecs.iter().any(|c| c == "PCMA"), "{codecs:?}");
}

#[test]
fn packets_of_30_ms_reach_a_phone_with_20_ms() {
    understood("", "", [";ptime=30", ";ptime=20"]);
}

#[test]
fn packets_of_30_ms_and_another_codec() {
    let accounts = [";ptime=30;audio_codecs=pcma/8000/1", ";ptime=20;audio_codecs=pcmu/8000/1"];
    understood("", "", accounts);
}

#[test]
fn digits_go_from_phone_to_phone() {
    let appliance = office(Net::new(), "", &["101", "102"]);
    let (mut caller, mut callee) = talking(&appliance);
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
