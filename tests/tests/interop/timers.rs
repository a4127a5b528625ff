//! Session timers (RFC 4028).

use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::Net;
use offhook_tests::scenario::{SDP, Scenario};
use offhook_tests::sipp::{Sipp, first, header};

use crate::{last_call, line, office};

#[test]
fn an_interval_that_is_too_small_is_refused_with_the_smallest() {
    let net = Net::new();
    let appliance = office(net, &line(net, "extension:101"), &["101"]);
    let short = "Supported: timer\nSession-Expires: 60";
    let scenario = Scenario::new("+15550100999", "+15550100100").invite(short, SDP).refused(422);
    let caller = Sipp::start(&scenario.xml(), (net.trunk(), 5060), appliance.sip(), &[]);
    let messages = caller.received();
    assert_eq!(header(first(&messages, "SIP/2.0 422"), "Min-SE"), Some("90"));
    appliance.assert_nothing_left();
}

/// The smallest interval is 90 s, and the call ends a third before (RFC 4028 §10): a long test.
#[test]
fn a_caller_who_stops_refreshing_is_hung_up() {
    let net = Net::new();
    let appliance = office(net, &line(net, "extension:101"), &["101"]);
    let mut desk =
        Baresip::registered(&Setup::of(&appliance, 3, "101").account(";answermode=auto"));
    let promise = "Supported: timer\nSession-Expires: 90;refresher=uac";
    let scenario = Scenario::new("+15550100999", "+15550100100").invite(promise, SDP);
    let scenario = scenario.answered().ack().expect_bye();
    let caller = Sipp::start(&scenario.xml(), (net.trunk(), 5060), appliance.sip(), &["-rtp_echo"]);
    desk.expect("CALL_ESTABLISHED");
    let messages = caller.received();
    let agreed = header(first(&messages, "SIP/2.0 200"), "Session-Expires").unwrap_or("");
    assert!(agreed.starts_with("90") && agreed.contains("refresher=uac"), "{agreed}");
    desk.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
    assert_eq!(last_call(&appliance)["failure"], "session-expired");
}
