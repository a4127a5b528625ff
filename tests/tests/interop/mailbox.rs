//! Whatever keeps a phone from answering, the caller gets to the mailbox.

use offhook_tests::baresip::PASSWORD;
use offhook_tests::net::Net;
use offhook_tests::scenario::{SDP, Scenario};
use offhook_tests::sipp::Sipp;

use crate::{last_call, line, office};

/// `phone` registers as 101, or 101 is registered nowhere.
fn leaves_a_message(phone: Option<Scenario>, config: &str) {
    let net = Net::new();
    let appliance = office(net, &(line(net, "extension:101") + config), &["101"]);
    let at = (net.ip(4), 5060);
    let phone = phone.map(|scenario| {
        Sipp::register(at, appliance.sip(), "101", PASSWORD);
        Sipp::start(&scenario.xml(), at, appliance.sip(), &[])
    });
    let caller = Scenario::new("+15550100999", "+15550100100").invite("", SDP);
    let caller = caller.answered().ack().wait(8000).bye();
    Sipp::start(&caller.xml(), (net.trunk(), 5060), appliance.sip(), &["-rtp_echo"]).finish();
    if let Some(phone) = phone {
        phone.finish();
    }
    appliance.assert_nothing_left();
    let call = last_call(&appliance);
    assert_eq!(call["disposition"], "voicemail", "{call}");
}

fn refuses(line: &str) -> Scenario {
    Scenario::called().receive("INVITE").respond(line, "").receive("ACK")
}

#[test]
fn of_a_busy_phone() {
    leaves_a_message(Some(refuses("486 Busy Here")), "");
}

#[test]
fn of_a_phone_whose_user_declines() {
    leaves_a_message(Some(refuses("603 Decline")), "");
}

#[test]
fn of_a_phone_that_is_temporarily_unavailable() {
    leaves_a_message(Some(refuses("480 Temporarily Unavailable")), "");
}

#[test]
fn of_a_phone_that_fails() {
    leaves_a_message(Some(refuses("500 Server Internal Error")), "");
}

#[test]
fn of_a_phone_that_rings_in_vain() {
    let rings = Scenario::called().receive("INVITE").respond("180 Ringing", "");
    let rings = rings.receive("CANCEL").cancelled();
    leaves_a_message(Some(rings), "[voicemail]\nafter_seconds = 2\n");
}

#[test]
fn of_a_phone_that_is_registered_and_gone() {
    // Timer B, 64 * T1, is how long one waits for a phone that says nothing at all.
    let net = Net::new();
    let config = line(net, "extension:101") + "[sip]\nt1_ms = 50\n";
    let appliance = office(net, &config, &["101"]);
    Sipp::register((net.ip(4), 5060), appliance.sip(), "101", PASSWORD);
    let caller = Scenario::new("+15550100999", "+15550100100").invite("", SDP);
    let caller = caller.answered().ack().wait(6000).bye();
    Sipp::start(&caller.xml(), (net.trunk(), 5060), appliance.sip(), &["-rtp_echo"]).finish();
    appliance.assert_nothing_left();
    assert_eq!(last_call(&appliance)["disposition"], "voicemail");
}

#[test]
fn of_a_phone_that_is_not_registered() {
    leaves_a_message(None, "");
}
