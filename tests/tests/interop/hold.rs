//! Hold and resume, from either side.

use std::time::Duration;

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::{Net, eventually};
use offhook_tests::scenario::{SDP, Scenario, sdp};
use offhook_tests::sipp::Sipp;
use offhook_tests::tone::{read_growing, seconds_of_tone};

use crate::{last_events, line, office};

/// Two phones that talk: the caller's and the called one's.
fn talking(appliance: &Appliance) -> (Baresip, Baresip) {
    let mut caller = Baresip::registered(&Setup::of(appliance, 3, "101"));
    let mut callee =
        Baresip::registered(&Setup::of(appliance, 4, "102").tone(1000).account(";answermode=auto"));
    caller.dial("102");
    caller.expect("CALL_ESTABLISHED");
    callee.expect("CALL_ESTABLISHED");
    (caller, callee)
}

/// A digit pressed on one phone is seen by the other: packets go that way.
fn assert_reaches(from: &mut Baresip, to: &mut Baresip, digit: &str) {
    from.command("sndcode", digit);
    let seen = to.expect("CALL_DTMF_START");
    assert_eq!(seen["param"], digit, "{seen}");
}

fn holds_and_resumes(holder: &mut Baresip, held: &mut Baresip, appliance: &Appliance) {
    assert_reaches(holder, held, "1");
    holder.command("hold", "");
    eventually("the call is on hold", || {
        let one_way =
            |e: &serde_json::Value| e["direction"] == "recvonly" || e["direction"] == "inactive";
        last_events(appliance, "media").iter().any(one_way).then_some(())
    });
    assert!(!held.saw("CALL_CLOSED") && !holder.saw("CALL_CLOSED"), "hold hung up");
    holder.command("resume", "");
    eventually("the call is resumed", || {
        let media = last_events(appliance, "media");
        (media.last()?["direction"] == "sendrecv").then_some(())
    });
    assert_reaches(holder, held, "2");
    assert_reaches(held, holder, "3");
}

#[test]
fn the_caller_holds_and_resumes() {
    let appliance = office(Net::new(), "", &["101", "102"]);
    let (mut caller, mut callee) = talking(&appliance);
    holds_and_resumes(&mut caller, &mut callee, &appliance);
    caller.command("hangup", "");
    callee.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
}

#[test]
fn the_called_one_holds_and_resumes() {
    let appliance = office(Net::new(), "", &["101", "102"]);
    let (mut caller, mut callee) = talking(&appliance);
    holds_and_resumes(&mut callee, &mut caller, &appliance);
    caller.command("hangup", "");
    callee.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
}

/// Talk, hold, and talk again.
fn hears_nothing_on_hold(holder: &mut Baresip, held: &mut Baresip, tone: f64) {
    let heard = |held: &Baresip| {
        let (samples, rate) = read_growing(&held.heard()[0]).expect("a recording");
        seconds_of_tone(&samples, rate, tone)
    };
    held.hears(tone, 1.0);
    holder.command("hold", "");
    let before = eventually("nothing is heard of the holder for two seconds", || {
        let before = heard(held);
        std::thread::sleep(Duration::from_secs(2));
        (heard(held) == before).then_some(before)
    });
    holder.command("resume", "");
    // It comes back after the hold.
    held.hears(tone, before + 1.0);
    holder.command("hangup", "");
    held.expect("CALL_CLOSED");
}

#[test]
fn who_was_called_hears_nothing_of_a_caller_who_holds_and_hears_him_again() {
    let appliance = office(Net::new(), "", &["101", "102"]);
    let (mut caller, mut callee) = talking(&appliance);
    hears_nothing_on_hold(&mut caller, &mut callee, 440.0);
    appliance.assert_nothing_left();
}

#[test]
fn a_caller_hears_nothing_of_a_called_one_who_holds_and_hears_him_again() {
    let appliance = office(Net::new(), "", &["101", "102"]);
    let (mut caller, mut callee) = talking(&appliance);
    hears_nothing_on_hold(&mut callee, &mut caller, 1000.0);
    appliance.assert_nothing_left();
}

#[test]
fn hold_is_answered_as_rfc_3264_wants_it() {
    let net = Net::new();
    let appliance = office(net, &line(net, "extension:101"), &["101"]);
    let mut desk =
        Baresip::registered(&Setup::of(&appliance, 3, "101").account(";answermode=auto"));
    let old_hold = format!("c=IN IP4 0.0.0.0\n{SDP}");
    let offers = [sdp("sendonly"), sdp("inactive"), old_hold, sdp("sendrecv"), sdp("recvonly")];
    let mut scenario =
        Scenario::new("+15550100999", "+15550100100").invite("", SDP).answered().ack();
    for offer in &offers {
        scenario = scenario.wait(300).reinvite(offer).answered().ack();
    }
    let scenario = scenario.wait(300).bye();
    let caller = Sipp::start(&scenario.xml(), (net.trunk(), 5060), appliance.sip(), &[]);
    desk.expect("CALL_ESTABLISHED");
    let messages = caller.received();
    desk.expect("CALL_CLOSED");
    let answers: Vec<String> = messages
        .iter()
        .filter(|m| m.starts_with("SIP/2.0 200") && m.contains("m=audio"))
        .map(|m| direction(m).to_owned())
        .collect();
    assert_eq!(answers[0], "sendrecv");
    assert_eq!(answers[1], "recvonly", "sendonly is answered with recvonly (RFC 3264 §6.1)");
    assert_eq!(answers[2], "inactive");
    assert_ne!(answers[3], "inactive", "0.0.0.0 is the old way of hold: they may send to us");
    assert_eq!(answers[4], "sendrecv");
    assert_eq!(answers[5], "sendonly");
    appliance.assert_nothing_left();
}

fn direction(message: &str) -> &str {
    let known = ["sendrecv", "sendonly", "recvonly", "inactive"];
    let mut lines = message.lines().rev().filter_map(|l| l.trim_end().strip_prefix("a="));
    // RFC 3264 §6.1: sendrecv when nothing is said.
    lines.find(|l| known.contains(l)).unwrap_or("sendrecv")
}
