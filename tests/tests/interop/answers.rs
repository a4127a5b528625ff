//! What a caller is told when nobody answers, and callers who hang up at bad moments.

use offhook_tests::baresip::{Baresip, PASSWORD, Setup};
use offhook_tests::net::Net;
use offhook_tests::scenario::{SDP, Scenario};
use offhook_tests::sipp::{Sipp, first, header};

use crate::{last_call, last_ladder, line, office};

const NO_MAILBOX: &str = "[[extension]]\nnumber = \"101\"\nvoicemail = false\n";

fn call() -> Scenario {
    Scenario::new("+15550100999", "+15550100100").invite("", SDP)
}

#[test]
fn a_caller_whose_call_is_rejected_hears_busy() {
    let net = Net::new();
    let config = line(net, "extension:101") + NO_MAILBOX;
    let appliance = office(net, &config, &["101"]);
    let mut desk = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    let caller = Sipp::start(&call().refused(486).xml(), (net.trunk(), 5060), appliance.sip(), &[]);
    desk.expect("CALL_INCOMING");
    desk.command("hangup", "");
    caller.finish();
    appliance.assert_nothing_left();
    assert_eq!(last_call(&appliance)["disposition"], "busy");
}

#[test]
fn a_caller_of_a_phone_that_is_not_there_is_told_so_and_the_record_says_what_to_do() {
    let net = Net::new();
    let config = line(net, "extension:101") + NO_MAILBOX;
    let appliance = office(net, &config, &["101"]);
    Sipp::start(&call().refused(480).xml(), (net.trunk(), 5060), appliance.sip(), &[]).finish();
    appliance.assert_nothing_left();
    assert_eq!(last_call(&appliance)["failure"], "not-registered");
    assert!(last_ladder(&appliance).contains("What to do:"), "{}", last_ladder(&appliance));
}

#[test]
fn a_phone_that_nobody_answers_stops_ringing_in_time() {
    let net = Net::new();
    let config = line(net, "extension:101") + NO_MAILBOX + "ring_seconds = 2\n";
    let appliance = office(net, &config, &["101"]);
    let mut desk = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    let caller = Sipp::start(&call().refused(480).xml(), (net.trunk(), 5060), appliance.sip(), &[]);
    desk.expect("CALL_INCOMING");
    desk.expect("CALL_CLOSED");
    caller.finish();
    appliance.assert_nothing_left();
    assert_eq!(last_call(&appliance)["disposition"], "no-answer");
}

#[test]
fn a_number_that_leads_nowhere_is_not_found() {
    let net = Net::new();
    let appliance = office(net, &line(net, "extension:101"), &["101"]);
    let stranger = Scenario::new("+15550100999", "+15550100177").invite("", SDP).refused(404);
    Sipp::start(&stranger.xml(), (net.trunk(), 5060), appliance.sip(), &[]).finish();
    appliance.assert_nothing_left();
    assert_eq!(last_call(&appliance)["failure"], "unknown-number");
}

#[test]
fn a_caller_who_cancels_while_it_rings_stops_the_ringing() {
    let net = Net::new();
    let appliance = office(net, &line(net, "extension:101"), &["101"]);
    let mut desk = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    let scenario = call().must_ring().wait(500).cancel();
    let caller = Sipp::start(&scenario.xml(), (net.trunk(), 5060), appliance.sip(), &[]);
    desk.expect("CALL_INCOMING");
    desk.expect("CALL_CLOSED");
    caller.finish();
    appliance.assert_nothing_left();
    assert_eq!(last_call(&appliance)["disposition"], "cancelled");
}

#[test]
fn a_cancel_that_comes_after_the_answer_changes_nothing() {
    let net = Net::new();
    let appliance = office(net, &line(net, "extension:101"), &["101"]);
    let mut desk =
        Baresip::registered(&Setup::of(&appliance, 3, "101").account(";answermode=auto"));
    let scenario = call().answered().late_cancel().ack().wait(500).bye();
    let caller = Sipp::start(&scenario.xml(), (net.trunk(), 5060), appliance.sip(), &[]);
    desk.expect("CALL_ESTABLISHED");
    desk.expect("CALL_CLOSED");
    caller.finish();
    appliance.assert_nothing_left();
    assert_eq!(last_call(&appliance)["disposition"], "answered");
}

#[test]
fn a_caller_who_never_acknowledges_the_answer_is_given_up() {
    let net = Net::new();
    // 64 * T1 is how long the ACK may take (RFC 3261 §13.3.1.4).
    let config = line(net, "extension:101") + "[sip]\nt1_ms = 50\n";
    let appliance = office(net, &config, &["101"]);
    let mut desk =
        Baresip::registered(&Setup::of(&appliance, 3, "101").account(";answermode=auto"));
    let scenario = call().answered().expect_bye();
    let caller = Sipp::start(&scenario.xml(), (net.trunk(), 5060), appliance.sip(), &[]);
    desk.expect("CALL_ESTABLISHED");
    desk.expect("CALL_CLOSED");
    caller.finish();
    appliance.assert_nothing_left();
    assert_eq!(last_call(&appliance)["failure"], "ack-missing");
}

#[test]
fn a_phone_that_forwards_its_calls_is_followed() {
    let net = Net::new();
    let config = line(net, "extension:101") + NO_MAILBOX;
    let appliance = office(net, &config, &["101", "102"]);
    let mut desk =
        Baresip::registered(&Setup::of(&appliance, 4, "102").account(";answermode=auto"));
    Sipp::register((net.phone(), 5060), appliance.sip(), "101", PASSWORD);
    let to = format!("Contact: <sip:102@{}>", appliance.sip());
    let forwards = Scenario::called().receive("INVITE").respond("302 Moved Temporarily", &to);
    let forwards = forwards.receive("ACK");
    let phone = Sipp::start(&forwards.xml(), (net.phone(), 5060), appliance.sip(), &[]);
    let caller = Sipp::start(
        &call().answered().ack().wait(500).bye().xml(),
        (net.trunk(), 5060),
        appliance.sip(),
        &[],
    );
    desk.expect("CALL_ESTABLISHED");
    desk.expect("CALL_CLOSED");
    phone.finish();
    caller.finish();
    appliance.assert_nothing_left();
}

#[test]
fn a_phone_may_not_call_as_somebody_else() {
    let net = Net::new();
    let appliance = office(net, "", &["101", "102"]);
    let mut desk = Baresip::registered(&Setup::of(&appliance, 4, "102"));
    // It says +12065550123 of itself, and in a header that only trunks are believed.
    let claims = "P-Asserted-Identity: <sip:+12065550123@offhook>\n\
                  X-Original-Calling-Number: +12065550123\nX-Case: 42";
    let scenario = Scenario::new("101", "102").invite_as("101", PASSWORD, claims, SDP);
    let scenario = scenario.must_ring().wait(300).cancel();
    let uri = format!("102@{}", appliance.sip());
    let extra = ["-auth_uri", &uri];
    let phone = Sipp::start(&scenario.xml(), (net.phone(), 5060), appliance.sip(), &extra);
    let ringing = desk.expect("CALL_INCOMING");
    assert!(!ringing.to_string().contains("+12065550123"), "{ringing}");
    assert!(ringing["peeruri"].as_str().unwrap_or("").contains("101@"), "{ringing}");
    let messages = phone.received();
    let challenge = messages.iter().find(|m| m.starts_with("SIP/2.0 40")).expect("a challenge");
    assert!(
        header(challenge, "Proxy-Authenticate").or(header(challenge, "WWW-Authenticate")).is_some()
    );
    first(&messages, "SIP/2.0 180");
    appliance.assert_nothing_left();
}
