//! Calls to the outside, with sipp as the carrier.

use std::net::Ipv4Addr;

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, PASSWORD, Setup};
use offhook_tests::net::{Net, eventually};
use offhook_tests::scenario::{SDP, Scenario};
use offhook_tests::sipp::{Sipp, first, header};
use offhook_tests::tone::assert_tone;

use crate::voicemail::ulaw_tone;
use crate::{last_call, last_ladder, line, office};

/// A carrier that answers one call and waits for its end.
fn answers() -> Scenario {
    let rings = Scenario::called().receive("INVITE").respond("180 Ringing", "");
    rings.answer(SDP).receive("ACK").expect_bye()
}

/// A carrier that answers one call with this.
fn refuses(line: &str) -> Scenario {
    Scenario::called().receive("INVITE").respond(line, "").receive("ACK")
}

fn carrier(appliance: &Appliance, at: Ipv4Addr, scenario: &Scenario) -> Sipp {
    Sipp::start(&scenario.xml(), (at, 5060), appliance.sip(), &[])
}

/// A trunk by name, at an address, tried in this order.
fn trunk(name: &str, at: Ipv4Addr, order: u32, more: &str) -> String {
    format!(
        "[[trunk]]\nname = \"{name}\"\ntype = \"generic\"\nhost = \"{at}:5060\"\n\
         transport = \"udp\"\norder = {order}\noptions_seconds = 0\n\
         caller_id = \"+15550100100\"\n{more}\n"
    )
}

const DIALPLAN: &str = "[dialplan]\ncountry_code = \"1\"\narea_code = \"212\"\n\
                        emergency = [\"911\", \"110\"]\n";

#[test]
fn a_national_number_goes_out_in_e164_with_a_number_that_we_own() {
    let net = Net::new();
    let config = line(net, "extension:101") + DIALPLAN;
    let appliance = office(net, &config, &["101"]);
    let carrier = carrier(&appliance, net.trunk(), &answers());
    let mut phone = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    phone.dial("12065550123");
    phone.expect("CALL_ESTABLISHED");
    phone.command("hangup", "");
    let messages = carrier.received();
    let invite = first(&messages, "INVITE ");
    assert!(invite.starts_with("INVITE sip:+12065550123@"), "{invite}");
    assert!(header(invite, "From").unwrap_or("").contains("sip:+15550100100@"), "{invite}");
    assert!(!invite.contains("sip:101@"), "the extension is nobody's business:\n{invite}");
    assert_eq!(header(invite, "X-Original-Calling-Number"), None);
    appliance.assert_nothing_left();
    let call = last_call(&appliance);
    assert_eq!(call["destination"], "trunk:line");
    assert_eq!(call["disposition"], "answered");
}

#[test]
fn an_emergency_number_goes_out_as_dialled_and_is_matched_whole() {
    let net = Net::new();
    let config = line(net, "extension:101")
        + DIALPLAN
        + "[[extension]]\nnumber = \"101\"\noutside_calls = false\n";
    let appliance = office(net, &config, &["101", "102"]);
    let emergency = carrier(&appliance, net.trunk(), &answers());
    // A phone that may not call outside may still call for help.
    let mut phone = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    phone.dial("911");
    phone.expect("CALL_ESTABLISHED");
    phone.command("hangup", "");
    let messages = emergency.received();
    assert!(first(&messages, "INVITE ").starts_with("INVITE sip:911@"), "{messages:?}");
    // 12125551101 holds 110 and 911 does not stand in it by accident: it is a plain number.
    let plain = carrier(&appliance, net.trunk(), &answers());
    let mut other = Baresip::registered(&Setup::of(&appliance, 4, "102"));
    other.dial("12125551101");
    other.expect("CALL_ESTABLISHED");
    other.command("hangup", "");
    let messages = plain.received();
    assert!(first(&messages, "INVITE ").starts_with("INVITE sip:+12125551101@"), "{messages:?}");
    appliance.assert_nothing_left();
}

#[test]
fn a_phone_that_may_not_call_outside_does_not() {
    let net = Net::new();
    let config = line(net, "extension:101")
        + DIALPLAN
        + "[[extension]]\nnumber = \"101\"\noutside_calls = false\n";
    let appliance = office(net, &config, &["101"]);
    let mut phone = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    phone.dial("12065550123");
    let closed = phone.expect("CALL_CLOSED");
    assert!(closed["param"].as_str().unwrap_or("").starts_with("403"), "{closed}");
    appliance.assert_nothing_left();
    assert_eq!(last_call(&appliance)["failure"], "not-allowed");
}

#[test]
fn an_original_caller_that_a_phone_claims_is_not_told_to_the_trunk() {
    let net = Net::new();
    let appliance = office(net, &line(net, "extension:101"), &["101"]);
    let carrier = carrier(&appliance, net.trunk(), &answers());
    let claims = "X-Original-Calling-Number: +12065550199\nX-Case: 42";
    let scenario = Scenario::new("101", "+12065550123").invite_as("101", PASSWORD, claims, SDP);
    let scenario = scenario.answered().ack().wait(300).bye();
    let uri = format!("+12065550123@{}", appliance.sip());
    let extra = ["-auth_uri", &uri];
    Sipp::start(&scenario.xml(), (net.phone(), 5060), appliance.sip(), &extra).finish();
    let messages = carrier.received();
    let invite = first(&messages, "INVITE ");
    assert!(!invite.contains("+12065550199"), "{invite}");
    assert_eq!(header(invite, "X-Case"), Some("42"), "other headers of one's own pass");
    appliance.assert_nothing_left();
}

#[test]
fn a_caller_id_that_is_refused_gets_its_remedy() {
    let net = Net::new();
    let appliance = office(net, &line(net, "extension:101"), &["101"]);
    let carrier =
        carrier(&appliance, net.trunk(), &refuses("403 Caller Id +15550100100 is not valid"));
    let mut phone = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    phone.dial("+12065550123");
    let closed = phone.expect("CALL_CLOSED");
    assert!(closed["param"].as_str().unwrap_or("").starts_with("403"), "{closed}");
    carrier.finish();
    appliance.assert_nothing_left();
    assert_eq!(last_call(&appliance)["failure"], "caller-id-not-owned");
    let ladder = last_ladder(&appliance);
    assert!(ladder.contains("phone number inventory"), "{ladder}");
}

#[test]
fn a_trunk_that_answers_503_is_followed_by_the_next() {
    let net = Net::new();
    let config = trunk("first", net.ip(2), 1, "") + &trunk("second", net.ip(8), 2, "");
    let appliance = office(net, &config, &["101"]);
    let full = carrier(&appliance, net.ip(2), &refuses("503 Service Unavailable"));
    let free = carrier(&appliance, net.ip(8), &answers());
    let mut phone = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    phone.dial("+12065550123");
    phone.expect("CALL_ESTABLISHED");
    phone.command("hangup", "");
    full.finish();
    free.finish();
    appliance.assert_nothing_left();
    assert_eq!(last_call(&appliance)["destination"], "trunk:second");
}

#[test]
fn a_trunk_that_is_dead_is_followed_by_the_next() {
    let net = Net::new();
    // 64 * T1 is how long a silent one is waited for (RFC 3261 §17.1.1.2, timer B).
    let config = trunk("first", net.ip(2), 1, "")
        + &trunk("second", net.ip(8), 2, "")
        + "[sip]\nt1_ms = 50\n";
    let appliance = office(net, &config, &["101"]);
    let _silent = std::net::UdpSocket::bind((net.ip(2), 5060)).expect("a socket");
    let free = carrier(&appliance, net.ip(8), &answers());
    let mut phone = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    phone.dial("+12065550123");
    phone.expect("CALL_ESTABLISHED");
    phone.command("hangup", "");
    free.finish();
    appliance.assert_nothing_left();
    assert_eq!(last_call(&appliance)["destination"], "trunk:second");
}

#[test]
fn what_the_carrier_says_before_it_answers_is_heard() {
    let net = Net::new();
    let appliance = office(net, &trunk("carrier", net.trunk(), 1, ""), &["101"]);
    let speech = appliance.folder().join("announcement.ul");
    std::fs::write(&speech, ulaw_tone(700.0, 20)).expect("file");
    let body = SDP.replace("[media_port]", "[rtpstream_audio_port]");
    let scenario = Scenario::called().receive("INVITE").progress(&body).speak(&speech).wait(3000);
    let scenario = scenario.respond("404 Not Found", "").receive("ACK");
    let carrier = carrier(&appliance, net.trunk(), &scenario);
    let mut phone = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    phone.dial("+12065550123");
    phone.expect("CALL_PROGRESS");
    let closed = phone.expect("CALL_CLOSED");
    assert!(closed["param"].as_str().unwrap_or("").starts_with("404"), "{closed}");
    carrier.finish();
    appliance.assert_nothing_left();
    assert_tone(&phone.heard()[0], 700.0, 1.5);
    assert_eq!(last_call(&appliance)["failure"], "number-not-in-service");
}

#[test]
fn a_busy_number_outside_is_busy_and_no_other_trunk_is_asked() {
    let net = Net::new();
    let config = trunk("first", net.ip(2), 1, "") + &trunk("second", net.ip(8), 2, "");
    let appliance = office(net, &config, &["101"]);
    let busy = carrier(&appliance, net.ip(2), &refuses("486 Busy Here"));
    let mut phone = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    phone.dial("+12065550123");
    let closed = phone.expect("CALL_CLOSED");
    assert!(closed["param"].as_str().unwrap_or("").starts_with("486"), "{closed}");
    busy.finish();
    appliance.assert_nothing_left();
}

/// A carrier's challenge of our INVITE, and what came of it.
fn challenged(status: &str, field: &str, checked: bool) {
    let net = Net::new();
    let config =
        trunk("carrier", net.trunk(), 1, "username = \"office\"\npassword = \"trunk-pass\"");
    let appliance = office(net, &config, &["101"]);
    let challenge =
        format!("{field}: Digest realm=\"carrier\", nonce=\"f00d\", algorithm=MD5, qop=\"auth\"");
    let scenario = Scenario::called().receive("INVITE").respond(status, &challenge);
    let scenario = scenario.receive("ACK");
    let scenario = match checked {
        true => scenario.receive_authorized("INVITE", "office", "trunk-pass"),
        false => scenario.receive("INVITE"),
    };
    let scenario = scenario.respond("180 Ringing", "").answer(SDP).receive("ACK").expect_bye();
    let carrier = carrier(&appliance, net.trunk(), &scenario);
    let mut phone = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    phone.dial("+12065550123");
    phone.expect("CALL_ESTABLISHED");
    phone.command("hangup", "");
    let messages = carrier.received();
    let invites: Vec<_> = messages.iter().filter(|m| m.starts_with("INVITE ")).collect();
    assert_eq!(invites.len(), 2);
    let field = field.replace("Authenticate", "Authorization").replace("WWW-", "");
    let credentials = header(invites[1], &field).expect("credentials");
    assert!(credentials.contains("username=\"office\""), "{credentials}");
    assert!(!invites[1].contains("trunk-pass"), "{}", invites[1]);
    appliance.assert_nothing_left();
    assert!(!appliance.log().contains("trunk-pass"));
}

#[test]
fn a_carrier_that_wants_a_password_gets_its_answer() {
    challenged("401 Unauthorized", "WWW-Authenticate", true);
}

// sipp looks at Authorization only, so here it cannot check the answer.
#[test]
fn a_proxy_that_wants_a_password_gets_its_answer() {
    challenged("407 Proxy Authentication Required", "Proxy-Authenticate", false);
}

#[test]
fn a_carrier_that_wants_registration_is_registered_with() {
    let net = Net::new();
    let more = "register = true\nusername = \"office\"\npassword = \"trunk-pass\"";
    let challenge =
        "WWW-Authenticate: Digest realm=\"carrier\", nonce=\"f00d\", algorithm=MD5, qop=\"auth\"";
    let scenario = Scenario::called()
        .receive("REGISTER")
        .respond("401 Unauthorized", challenge)
        .receive_authorized("REGISTER", "office", "trunk-pass")
        .respond("200 OK", "[last_Contact:];expires=600");
    let scenario = scenario.xml();
    let mut appliance = Appliance::prepare(net, &trunk("carrier", net.trunk(), 1, more));
    let carrier = Sipp::start(&scenario, (net.trunk(), 5060), appliance.sip(), &[]);
    appliance.launch();
    eventually("the trunk is registered", || {
        let status = appliance.json(&["status"]);
        (status["trunks"][0]["registered"] == true).then_some(())
    });
    carrier.finish();
}

#[test]
fn a_trunk_that_answers_options_is_up_and_one_that_does_not_is_down() {
    let net = Net::new();
    let asked =
        |name, at| trunk(name, at, 1, "").replace("options_seconds = 0", "options_seconds = 5");
    let config = asked("living", net.ip(2)) + &asked("dead", net.ip(8)) + "[sip]\nt1_ms = 50\n";
    let answers = Scenario::called().receive("OPTIONS").respond("200 OK", "");
    let mut appliance = Appliance::prepare(net, &config);
    let _living = Sipp::start(&answers.xml(), (net.ip(2), 5060), appliance.sip(), &["-m", "9"]);
    let _dead = std::net::UdpSocket::bind((net.ip(8), 5060)).expect("a socket");
    appliance.launch();
    eventually("one is up, one is down", || {
        let status = appliance.json(&["status"]);
        let up = |name: &str| {
            let trunks = status["trunks"].as_array().expect("a list");
            trunks.iter().find(|t| t["name"] == name).map(|t| t["up"].clone())
        };
        (up("living")? == true && up("dead")? == false).then_some(())
    });
}
