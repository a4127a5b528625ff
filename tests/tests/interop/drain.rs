//! SIGTERM.

use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::Net;
use offhook_tests::scenario::{SDP, Scenario};
use offhook_tests::sipp::{Sipp, first, header};

use crate::{line, office};

#[test]
fn a_live_call_goes_on_while_new_ones_are_turned_away() {
    let net = Net::new();
    let mut appliance = office(net, &line(net, "extension:101"), &["101"]);
    let mut desk =
        Baresip::registered(&Setup::of(&appliance, 3, "101").account(";answermode=auto"));
    // The live call is ended by the daemon when its time is over.
    let live = Scenario::new("+15550100999", "+15550100100").invite("", SDP);
    let live = Sipp::start(
        &live.answered().ack().expect_bye().xml(),
        (net.trunk(), 5060),
        appliance.sip(),
        &["-rtp_echo"],
    );
    desk.expect("CALL_ESTABLISHED");
    appliance.signal("TERM");
    let late = Scenario::new("+15550100998", "+15550100100").invite("", SDP).refused(503);
    let late = Sipp::start(&late.xml(), (net.trunk(), 5070), appliance.sip(), &[]);
    let messages = late.received();
    assert!(header(first(&messages, "SIP/2.0 503"), "Retry-After").is_some(), "{messages:?}");
    assert!(!desk.saw("CALL_CLOSED"), "the live call was cut off");
    live.finish();
    desk.expect("CALL_CLOSED");
    assert!(appliance.ended(), "{}", appliance.log());
}

#[test]
fn a_daemon_without_calls_ends_at_once_and_with_success() {
    let mut appliance = office(Net::new(), "", &["101"]);
    let _phone = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    assert!(appliance.terminate(), "{}", appliance.log());
}
