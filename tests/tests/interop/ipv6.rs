//! Phones on IPv6, over UDP and TCP, and calls between the two families.

use std::net::{Ipv6Addr, SocketAddr};

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, PASSWORD, Setup};
use offhook_tests::net::Net;
use offhook_tests::scenario::{SDP, Scenario};
use offhook_tests::sipp::Sipp;
use offhook_tests::tone::assert_tone;

use crate::office;

const LOCALHOST: Ipv6Addr = Ipv6Addr::LOCALHOST;

/// There is one loopback address for all tests: ports of this one's own, above those of media and
/// below those that the system gives away.
fn port(net: Net, n: u16) -> u16 {
    30_000 + u16::from(net.appliance().octets()[2]) * 8 + n
}

fn both_families(net: Net) -> (Appliance, SocketAddr) {
    let at: SocketAddr = (LOCALHOST, port(net, 0)).into();
    let listen =
        |transport: &str| format!("[[listen]]\ntransport = \"{transport}\"\naddress = \"{at}\"\n");
    (office(net, &(listen("udp") + &listen("tcp")), &["101", "102"]), at)
}

/// sipp itself leaves out the brackets in the digest's `uri`.
fn sipp(scenario: &Scenario, from: u16, at: SocketAddr, options: &[&str]) -> Sipp {
    let uri = at.to_string();
    let options = [options, &["-auth_uri", &uri]].concat();
    Sipp::start(&scenario.xml(), (LOCALHOST, from), at, &options)
}

/// sipp's words for a transport.
const UDP: [&str; 2] = ["-t", "u1"];
const TCP: [&str; 2] = ["-t", "t1"];

fn calls(transport: [&str; 2]) {
    let net = Net::new();
    let (appliance, at) = both_families(net);
    let desk = Setup::of(&appliance, 4, "102").tone(1000).account(";answermode=auto");
    let mut desk = Baresip::registered(&desk);
    let scenario = Scenario::new("101", "102").invite_as("101", PASSWORD, "", SDP);
    let scenario = scenario.answered().ack().expect_bye();
    let options = [&transport[..], &["-rtp_echo"]].concat();
    let caller = sipp(&scenario, port(net, 1), at, &options);
    desk.expect("CALL_ESTABLISHED");
    desk.hears(1000.0, 1.5);
    desk.command("hangup", "");
    let messages = caller.finish();
    appliance.assert_nothing_left();
    // Its own voice, there and back.
    assert_tone(&desk.heard()[0], 1000.0, 1.5);
    assert!(
        messages.contains("c=IN IP6 ::1"),
        "the answer names an address of the caller's family"
    );
}

#[test]
fn a_phone_on_ipv6_calls_one_on_ipv4_over_udp() {
    calls(UDP);
}

#[test]
fn a_phone_on_ipv6_calls_one_on_ipv4_over_tcp() {
    calls(TCP);
}

/// Registers and stays to be called: over TCP the call comes over the same connection.
fn is_called(transport: [&str; 2]) {
    let net = Net::new();
    let (appliance, at) = both_families(net);
    let here = port(net, 2);
    sipp(&Scenario::new("101", "101").register(PASSWORD), here, at, &transport).finish();
    let phones = appliance.cli(&["phone", "list"]);
    assert!(phones.contains("[::1]"), "{phones}");
    let scenario = Scenario::called().receive("INVITE").answer(SDP).receive("ACK").expect_bye();
    let options = [&transport[..], &["-rtp_echo"]].concat();
    let phone = sipp(&scenario, here, at, &options);
    let mut caller = Baresip::registered(&Setup::of(&appliance, 3, "102"));
    caller.dial("101");
    caller.expect("CALL_ESTABLISHED");
    caller.hears(440.0, 1.5);
    caller.command("hangup", "");
    phone.finish();
    appliance.assert_nothing_left();
    assert_tone(&caller.heard()[0], 440.0, 1.5);
}

#[test]
fn a_phone_on_ipv6_is_called_over_udp() {
    is_called(UDP);
}

/// Its connection has ended with the registration: a new one is opened to its Contact.
#[test]
fn a_phone_on_ipv6_is_called_over_tcp() {
    is_called(TCP);
}
