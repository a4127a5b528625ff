//! Debian's baresip as the office's desk phones.

use std::time::Duration;

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::eventually;
use offhook_tests::tone::assert_tone;

/// A phone of the test's net, over UDP, that does not answer by itself.
fn setup<'a>(appliance: &Appliance, last: u8, user: &'a str, tone: u32) -> Setup<'a> {
    Setup {
        ip: appliance.net.ip(last),
        server: appliance.sip().to_string(),
        user,
        password: "s3cret-pass",
        transport: "udp",
        account: "",
        tone,
        regint: 120,
    }
}

fn contacts(appliance: &Appliance, number: &str) -> usize {
    let phones = appliance.json(&["phone", "list"]);
    let phone = phones.as_array().expect("a list").iter().find(|p| p["number"] == number);
    phone.map_or(0, |p| p["contacts"].as_array().map_or(0, Vec::len))
}

#[test]
fn a_phone_registers_over_udp_and_is_there_after_kill_9() {
    let mut appliance = Appliance::start("");
    appliance.add_phone("101", "s3cret-pass");
    let mut phone = Baresip::start(&setup(&appliance, 3, "101", 440));
    phone.expect("REGISTER_OK");
    assert_eq!(contacts(&appliance, "101"), 1);
    appliance.kill();
    appliance.launch();
    assert_eq!(contacts(&appliance, "101"), 1, "the binding is gone");
}

#[test]
fn a_phone_registers_over_tcp() {
    let appliance = Appliance::start("");
    appliance.add_phone("101", "s3cret-pass");
    let setup = Setup { transport: "tcp", ..setup(&appliance, 3, "101", 440) };
    let mut phone = Baresip::start(&setup);
    phone.expect("REGISTER_OK");
    assert_eq!(contacts(&appliance, "101"), 1);
}

#[test]
fn a_wrong_password_is_refused() {
    let appliance = Appliance::start("");
    appliance.add_phone("101", "another-pass");
    let mut phone = Baresip::start(&setup(&appliance, 3, "101", 440));
    phone.expect("REGISTER_FAIL");
    assert_eq!(contacts(&appliance, "101"), 0);
}

#[test]
fn two_phones_talk_and_hear_each_other() {
    let appliance = Appliance::start("");
    appliance.add_phone("101", "s3cret-pass");
    appliance.add_phone("102", "s3cret-pass");
    let mut caller = Baresip::start(&setup(&appliance, 3, "101", 440));
    let answer = Setup { account: ";answermode=auto", ..setup(&appliance, 4, "102", 1000) };
    let mut callee = Baresip::start(&answer);
    caller.expect("REGISTER_OK");
    callee.expect("REGISTER_OK");
    caller.command("dial", &format!("sip:102@{}", appliance.sip()));
    caller.expect("CALL_ESTABLISHED");
    callee.expect("CALL_ESTABLISHED");
    std::thread::sleep(Duration::from_secs(3));
    caller.command("hangup", "");
    callee.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
    assert_tone(&caller.heard()[0], 1000.0, 1.5);
    assert_tone(&callee.heard()[0], 440.0, 1.5);
    let calls = appliance.json(&["calls", "list"]);
    assert_eq!(calls[0]["disposition"], "answered");
    assert_eq!(calls[0]["hung_up_by"], "caller");
}

#[test]
fn a_caller_who_hangs_up_while_it_rings_stops_the_ringing() {
    let appliance = Appliance::start("");
    appliance.add_phone("101", "s3cret-pass");
    appliance.add_phone("102", "s3cret-pass");
    let mut caller = Baresip::start(&setup(&appliance, 3, "101", 440));
    let mut callee = Baresip::start(&setup(&appliance, 4, "102", 1000));
    caller.expect("REGISTER_OK");
    callee.expect("REGISTER_OK");
    caller.command("dial", &format!("sip:102@{}", appliance.sip()));
    callee.expect("CALL_INCOMING");
    caller.expect("CALL_RINGING");
    caller.command("hangup", "");
    callee.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
    eventually("the record says cancelled", Duration::from_secs(5), || {
        (appliance.json(&["calls", "list"])[0]["disposition"] == "cancelled").then_some(())
    });
}
