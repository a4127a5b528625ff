//! Desk phones that register, and call each other.

use offhook_tests::baresip::{Baresip, PASSWORD, Setup};
use offhook_tests::net::{Net, eventually};

use crate::{contacts, last_call, office, talking, understood};

#[test]
fn a_phone_registers_over_udp_and_is_there_after_kill_9() {
    let mut appliance = office(Net::new(), "", &["101"]);
    let _phone = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    assert_eq!(contacts(&appliance, "101"), 1);
    appliance.kill();
    appliance.launch();
    assert_eq!(contacts(&appliance, "101"), 1, "the binding is gone");
}

#[test]
fn a_phone_that_registered_before_kill_9_rings_after_it() {
    let mut appliance = office(Net::new(), "", &["101", "102"]);
    let mut desk = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    appliance.kill();
    appliance.launch();
    let mut caller = Baresip::registered(&Setup::of(&appliance, 4, "102"));
    caller.dial("101");
    desk.expect("CALL_INCOMING");
    desk.command("accept", "");
    caller.expect("CALL_ESTABLISHED");
    caller.command("hangup", "");
    desk.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
}

#[test]
fn a_phone_registers_over_tcp_and_is_called_over_its_connection() {
    let appliance = office(Net::new(), "", &["101", "102"]);
    let tcp = Setup { transport: "tcp", ..Setup::of(&appliance, 3, "101") };
    let mut desk = Baresip::registered(&tcp);
    assert_eq!(contacts(&appliance, "101"), 1);
    let mut caller = Baresip::registered(&Setup::of(&appliance, 4, "102"));
    caller.dial("101");
    desk.expect("CALL_INCOMING");
    caller.command("hangup", "");
    desk.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
}

#[test]
fn a_phone_that_is_switched_off_unregisters() {
    let appliance = office(Net::new(), "", &["101"]);
    let mut phone = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    assert_eq!(contacts(&appliance, "101"), 1);
    phone.command("quit", "");
    eventually("the contact is gone", || (contacts(&appliance, "101") == 0).then_some(()));
}

#[test]
fn a_wrong_password_is_refused() {
    let appliance = office(Net::new(), "", &["101"]);
    let wrong = Setup { password: "another-pass", ..Setup::of(&appliance, 3, "101") };
    Baresip::start(&wrong).wait_for("403 Forbidden");
    assert_eq!(contacts(&appliance, "101"), 0);
}

#[test]
fn a_phone_that_was_removed_is_not_rung_any_more() {
    let appliance = office(Net::new(), "", &["101", "102"]);
    let mut desk = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    let mut caller = Baresip::registered(&Setup::of(&appliance, 4, "102"));
    appliance.cli(&["phone", "remove", "101"]);
    caller.dial("101");
    let closed = caller.expect("CALL_CLOSED");
    assert!(closed["param"].as_str().unwrap_or("").starts_with("404"), "{closed}");
    assert!(!desk.saw("CALL_INCOMING"));
    // And comes back with the same password when it is added again.
    appliance.add_phone("101", PASSWORD);
    appliance.assert_nothing_left();
}

#[test]
fn two_phones_talk_and_hear_each_other() {
    let appliance = understood("", "", ["", ""]);
    let call = last_call(&appliance);
    assert_eq!(call["disposition"], "answered");
    assert_eq!(call["hung_up_by"], "caller");
}

#[test]
fn the_called_one_may_hang_up_first() {
    let appliance = office(Net::new(), "", &["101", "102"]);
    let (mut caller, mut callee) = talking(&appliance);
    callee.command("hangup", "");
    caller.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
    assert_eq!(last_call(&appliance)["hung_up_by"], "callee");
}

#[test]
fn a_caller_who_hangs_up_while_it_rings_stops_the_ringing() {
    let appliance = office(Net::new(), "", &["101", "102"]);
    let mut caller = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    let mut callee = Baresip::registered(&Setup::of(&appliance, 4, "102"));
    caller.dial("102");
    callee.expect("CALL_INCOMING");
    caller.expect("CALL_RINGING");
    caller.command("hangup", "");
    callee.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
    eventually("the record says cancelled", || {
        (last_call(&appliance)["disposition"] == "cancelled").then_some(())
    });
}

#[test]
fn the_operator_ends_a_call() {
    let appliance = office(Net::new(), "", &["101", "102"]);
    let (mut caller, mut callee) = talking(&appliance);
    let id = appliance.json(&["status"])["calls"][0]["id"].as_str().expect("an id").to_owned();
    assert!(!appliance.try_cli(&["calls", "hangup", "no/call"], "").status.success());
    assert!(!appliance.try_cli(&["calls", "hangup", "nobody"], "").status.success());
    appliance.cli(&["calls", "hangup", &id]);
    caller.expect("CALL_CLOSED");
    callee.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
    assert!(appliance.cli(&["calls", "show", &id]).contains("operator"));
}
