//! Reliable provisional responses (RFC 3262), asked for by a caller and given by a called one.

use offhook_tests::baresip::{Baresip, PASSWORD, Setup};
use offhook_tests::net::Net;
use offhook_tests::scenario::{SDP, Scenario};
use offhook_tests::sipp::{Sipp, first, header};

use crate::{last_call, line, office};

#[test]
fn a_caller_who_requires_reliable_responses_gets_them() {
    let net = Net::new();
    let appliance = office(net, &line(net, "extension:101"), &["101"]);
    let mut desk = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    let scenario = Scenario::new("+15550100999", "+15550100100");
    let scenario = scenario.invite("Require: 100rel", SDP).reliable(180).prack().answered().ack();
    let scenario = scenario.wait(500).bye();
    let caller = Sipp::start(&scenario.xml(), (net.trunk(), 5060), appliance.sip(), &[]);
    caller.wait_for("CSeq: 2 PRACK");
    desk.expect("CALL_INCOMING");
    desk.command("accept", "");
    desk.expect("CALL_ESTABLISHED");
    let messages = caller.received();
    desk.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
    let ringing = first(&messages, "SIP/2.0 180");
    assert_eq!(header(ringing, "Require"), Some("100rel"), "RFC 3262 §3");
    assert!(header(ringing, "RSeq").is_some_and(|n| n.parse::<u32>().is_ok_and(|n| n > 0)));
    assert_eq!(last_call(&appliance)["disposition"], "answered");
}

#[test]
fn a_caller_who_never_acknowledges_a_reliable_response_is_refused_in_the_end() {
    let net = Net::new();
    // 64 * T1 without a PRACK (RFC 3262 §3).
    let config = line(net, "extension:101") + "[sip]\nt1_ms = 50\n";
    let appliance = office(net, &config, &["101"]);
    let mut desk = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    let scenario = Scenario::new("+15550100999", "+15550100100");
    let scenario = scenario.invite("Require: 100rel", SDP).reliable(180).refused(504);
    let caller = Sipp::start(&scenario.xml(), (net.trunk(), 5060), appliance.sip(), &[]);
    desk.expect("CALL_INCOMING");
    desk.expect("CALL_CLOSED");
    caller.finish();
    appliance.assert_nothing_left();
}

#[test]
fn a_phone_that_answers_reliably_is_acknowledged() {
    let net = Net::new();
    let appliance = office(net, "", &["101", "102"]);
    let at = (net.ip(4), 5060);
    Sipp::register(at, appliance.sip(), "102", PASSWORD);
    let phone = Scenario::called().receive_invite().reliably("183 Session Progress", SDP);
    let phone = phone.receive("PRACK").respond("200 OK", "").wait(300).answer_invite();
    let phone = phone.receive("ACK").expect_bye();
    let phone = Sipp::start(&phone.xml(), at, appliance.sip(), &[]);
    let mut caller = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    caller.dial("102");
    caller.expect("CALL_ESTABLISHED");
    caller.command("hangup", "");
    let messages = phone.received();
    let prack = first(&messages, "PRACK");
    let invite = first(&messages, "INVITE");
    let cseq = header(invite, "CSeq").expect("CSeq");
    assert_eq!(header(prack, "RAck"), Some(format!("4711 {cseq}").as_str()), "RFC 3262 §7.2");
    assert!(header(invite, "Supported").is_some_and(|s| s.contains("100rel")), "{invite}");
    appliance.assert_nothing_left();
}
