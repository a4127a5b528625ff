//! Phones that ring together.

use offhook_tests::baresip::{Baresip, PASSWORD, Setup};
use offhook_tests::net::Net;
use offhook_tests::scenario::{SDP, Scenario};
use offhook_tests::sipp::{Sipp, first, header};

use crate::{last_call, line, office};

const GROUP: &str = "[[group]]\nname = \"desk\"\nmembers = [\"101\", \"102\"]\n\
                     ring_seconds = 20\n[[extension]]\nnumber = \"101\"\nvoicemail = false\n\
                     [[extension]]\nnumber = \"102\"\nvoicemail = false\n";

fn call() -> Scenario {
    Scenario::new("+15550100999", "+15550100100").invite("", SDP)
}

#[test]
fn the_first_who_answers_has_the_call_and_the_others_stop_ringing() {
    let net = Net::new();
    let appliance = office(net, &(line(net, "group:desk") + GROUP), &["101", "102"]);
    let mut first = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    let mut second = Baresip::registered(&Setup::of(&appliance, 4, "102"));
    let scenario = call().answered().ack().wait(1000).bye();
    let caller = Sipp::start(&scenario.xml(), (net.trunk(), 5060), appliance.sip(), &[]);
    first.expect("CALL_INCOMING");
    second.expect("CALL_INCOMING");
    second.command("accept", "");
    second.expect("CALL_ESTABLISHED");
    first.expect("CALL_CLOSED");
    second.expect("CALL_CLOSED");
    caller.finish();
    assert!(!first.saw("CALL_ESTABLISHED"));
    appliance.assert_nothing_left();
    assert_eq!(last_call(&appliance)["destination"], "extension:102");
}

#[test]
fn a_phone_is_told_that_the_call_was_answered_elsewhere() {
    let net = Net::new();
    let appliance = office(net, &(line(net, "group:desk") + GROUP), &["101", "102"]);
    let mut winner = Baresip::registered(&Setup::of(&appliance, 4, "102"));
    Sipp::register((net.phone(), 5060), appliance.sip(), "101", PASSWORD);
    let rings = Scenario::called().receive("INVITE").respond("180 Ringing", "");
    let rings = rings.receive("CANCEL").cancelled();
    let loser = Sipp::start(&rings.xml(), (net.phone(), 5060), appliance.sip(), &[]);
    let scenario = call().answered().ack().wait(1000).bye();
    let caller = Sipp::start(&scenario.xml(), (net.trunk(), 5060), appliance.sip(), &[]);
    winner.expect("CALL_INCOMING");
    // Both ring before one answers.
    loser.wait_for("180 Ringing");
    winner.command("accept", "");
    let messages = loser.received();
    // RFC 3326 §2, and what phones look for so that the call is not listed as missed.
    let reason = header(first(&messages, "CANCEL "), "Reason").unwrap_or_default().to_lowercase();
    assert!(reason.contains("cause=200") && reason.contains("completed elsewhere"), "{reason:?}");
    caller.finish();
    appliance.assert_nothing_left();
}

#[test]
fn a_group_that_does_not_answer_is_no_answer_for_the_caller() {
    let net = Net::new();
    let group = GROUP.replace("ring_seconds = 20", "ring_seconds = 2");
    let appliance = office(net, &(line(net, "group:desk") + &group), &["101", "102"]);
    let mut one = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    let caller = Sipp::start(&call().refused(480).xml(), (net.trunk(), 5060), appliance.sip(), &[]);
    one.expect("CALL_INCOMING");
    one.expect("CALL_CLOSED");
    caller.finish();
    appliance.assert_nothing_left();
}

#[test]
fn a_sequence_rings_one_after_the_other() {
    let net = Net::new();
    let group = GROUP.replace("ring_seconds = 20", "ring_seconds = 2\nstrategy = \"sequence\"");
    let appliance = office(net, &(line(net, "group:desk") + &group), &["101", "102"]);
    let mut one = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    let mut two = Baresip::registered(&Setup::of(&appliance, 4, "102"));
    let scenario = call().answered().ack().wait(500).bye();
    let caller = Sipp::start(&scenario.xml(), (net.trunk(), 5060), appliance.sip(), &[]);
    one.expect("CALL_INCOMING");
    assert!(!two.saw("CALL_INCOMING"));
    one.expect("CALL_CLOSED");
    two.expect("CALL_INCOMING");
    two.command("accept", "");
    two.expect("CALL_ESTABLISHED");
    two.expect("CALL_CLOSED");
    caller.finish();
    appliance.assert_nothing_left();
}

#[test]
fn every_phone_of_an_extension_rings() {
    let net = Net::new();
    let appliance = office(net, &line(net, "extension:101"), &["101"]);
    let mut desk = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    let mut home = Baresip::registered(&Setup::of(&appliance, 4, "101"));
    let scenario = call().answered().ack().wait(500).bye();
    let caller = Sipp::start(&scenario.xml(), (net.trunk(), 5060), appliance.sip(), &[]);
    desk.expect("CALL_INCOMING");
    home.expect("CALL_INCOMING");
    home.command("accept", "");
    desk.expect("CALL_CLOSED");
    home.expect("CALL_CLOSED");
    caller.finish();
    appliance.assert_nothing_left();
}
