//! Phones put calls through, as real ones do it.

use std::time::Duration;

use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::Net;
use offhook_tests::tone::{read_wav, seconds_of_tone};

use crate::{last_call, office};

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
    std::thread::sleep(Duration::from_secs(3));
    assert!(!caller.saw("CALL_CLOSED"));
    other.command("hangup", "");
    caller.expect("CALL_CLOSED");
    let (samples, rate) = read_wav(&caller.heard()[0]);
    let heard = seconds_of_tone(&samples, rate, 1000.0);
    assert!(heard > 1.5, "{heard} s of the phone that the caller was put through to");
    assert_eq!(last_call(&appliance)["destination"], "extension:102");
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
