//! Phones put calls through, as real ones do it.

use offhook_tests::baresip::{Baresip, PASSWORD, Setup};
use offhook_tests::net::Net;
use offhook_tests::sipp::Sipp;
use offhook_tests::tone::{read_wav, seconds_of_sound, seconds_of_tone};

use crate::{last_call, last_ladder, office};

/// 103 has called 101, who answered; 102 answers by itself, with another tone.
#[test]
fn a_phone_puts_its_caller_through_and_they_hear_each_other() {
    let appliance = office(Net::new(), "", &["101", "102", "103"]);
    let mut desk =
        Baresip::registered(&Setup::of(&appliance, 3, "101").account(";answermode=auto"));
    let mut other = Baresip::registered(
        &Setup::of(&appliance, 4, "102").tone(1000).account(";answermode=auto"),
    );
    let mut caller = Baresip::registered(&Setup::of(&appliance, 5, "103"));
    caller.dial("101");
    caller.expect("CALL_ESTABLISHED");
    desk.expect("CALL_ESTABLISHED");
    desk.command("transfer", &format!("sip:102@{}", appliance.sip()));
    other.expect("CALL_ESTABLISHED");
    desk.expect("CALL_CLOSED");
    caller.hears(1000.0, 1.6);
    assert!(!caller.saw("CALL_CLOSED"));
    other.command("hangup", "");
    caller.expect("CALL_CLOSED");
    let (samples, rate) = read_wav(&caller.heard()[0]);
    let heard = seconds_of_tone(&samples, rate, 1000.0);
    assert!(heard > 1.5, "{heard} s of the phone that the caller was put through to");
    let call = last_call(&appliance);
    assert_eq!(call["destination"], "extension:102");
    let order = &call["transfers"][0];
    assert!(order["by"] == "extension:101" && order["to"] == "102" && order["status"] == 200);
    let listed = appliance.cli(&["calls", "list"]);
    assert!(listed.contains("extension:102 by extension:101"), "{listed}");
    let shown = last_ladder(&appliance);
    assert!(shown.contains("extension:101 to 102 at") && shown.contains(": done"), "{shown}");
    appliance.assert_nothing_left();
}

/// 103 calls a desk phone, hears music while the phone asks 102, and then 102; all by ear.
#[test]
fn a_caller_hears_music_while_the_phone_asks_another_and_then_that_one() {
    let net = Net::new();
    let appliance = office(net, "", &["101", "102", "103"]);
    Sipp::register((net.ip(3), 5060), appliance.sip(), "101", PASSWORD);
    let desk = Sipp::start(
        include_str!("../scenarios/attended_transfer.xml"),
        (net.ip(3), 5060),
        appliance.sip(),
        &[],
    );
    let mut other = Baresip::registered(
        &Setup::of(&appliance, 4, "102").tone(1000).account(";answermode=auto"),
    );
    let mut caller = Baresip::registered(&Setup::of(&appliance, 5, "103"));
    caller.dial("101");
    caller.expect("CALL_ESTABLISHED");
    let messages = desk.received();
    let reports: Vec<&str> =
        messages.iter().filter_map(|m| m.lines().find(|l| l.starts_with("SIP/2.0 "))).collect();
    assert!(reports.contains(&"SIP/2.0 100 Trying") && reports.contains(&"SIP/2.0 200 OK"));
    caller.hears(1000.0, 1.6);
    other.hears(440.0, 1.6);
    assert!(!caller.saw("CALL_CLOSED") && !other.saw("CALL_CLOSED"));
    caller.command("hangup", "");
    other.expect("CALL_CLOSED");
    caller.expect("CALL_CLOSED");
    // The desk phone of this test is mute: what is heard before 102 is the music.
    let (samples, rate) = read_wav(&caller.heard()[0]);
    let after = seconds_of_tone(&samples, rate, 1000.0);
    let music = seconds_of_sound(&samples, rate) - after;
    assert!(music > 1.5, "{music} s of music");
    assert!(after > 1.5, "{after} s of the phone that the caller was put through to");
    let (samples, rate) = read_wav(&other.heard()[0]);
    let heard = seconds_of_tone(&samples, rate, 440.0);
    assert!(heard > 1.5, "{heard} s of the caller");
    for call in appliance.json(&["calls", "list"]).as_array().unwrap() {
        assert_eq!(call["transfers"][0]["by"], "extension:101", "{call}");
        assert_eq!(call["transfers"][0]["status"], 200, "{call}");
    }
    appliance.assert_nothing_left();
}

#[test]
fn a_phone_is_told_that_its_transfer_failed() {
    let appliance = office(Net::new(), "", &["101", "103"]);
    let mut desk =
        Baresip::registered(&Setup::of(&appliance, 3, "101").account(";answermode=auto"));
    let mut caller = Baresip::registered(&Setup::of(&appliance, 5, "103"));
    caller.dial("101");
    caller.expect("CALL_ESTABLISHED");
    desk.expect("CALL_ESTABLISHED");
    desk.command("transfer", &format!("sip:199@{}", appliance.sip()));
    desk.expect("TRANSFER_FAILED");
    // This baresip hangs up then; a phone that does not has its caller back.
    caller.expect("CALL_CLOSED");
    let shown = appliance.cli(&["calls", "show", last_call(&appliance)["id"].as_str().unwrap()]);
    assert!(shown.contains("REFER") && shown.contains("unknown-number"), "{shown}");
    appliance.assert_nothing_left();
}
