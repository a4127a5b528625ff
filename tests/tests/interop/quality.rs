//! What is told of a call's sound afterwards.

use std::time::Duration;

use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::Net;
use serde_json::Value;

use crate::{last_call, last_events, office};

/// Both directions have the score of a call within one machine, and the way there and back was measured.
fn is_fine(leg: &Value) -> bool {
    let is_good = |way: &str| {
        leg[way]["mos"].as_f64().is_some_and(|score| {
            assert!((1.0..=4.5).contains(&score), "{way}: {leg}");
            score >= 3.0
        })
    };
    let is_near = leg["round_trip_ms"].as_f64().is_some_and(|ms| ms < 1000.0);
    is_good("received") && is_good("sent") && is_near
}

#[test]
fn both_directions_of_both_legs_of_a_call_are_judged_at_its_end() {
    let appliance = office(Net::new(), "", &["101", "102"]);
    let mut one = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    let callee = Setup::of(&appliance, 4, "102").account(";answermode=auto");
    let mut two = Baresip::registered(&callee);
    // A machine that has much else to do may spoil the sound of one call, and not of three.
    let mut heard = Vec::new();
    while !heard.last().is_some_and(|legs: &Vec<Value>| legs.iter().all(is_fine)) {
        assert!(heard.len() < 3, "{heard:?}");
        one.dial("102");
        one.expect("CALL_ESTABLISHED");
        two.expect("CALL_ESTABLISHED");
        // baresip reports every five seconds; ours have come before.
        std::thread::sleep(Duration::from_secs(12));
        one.command("hangup", "");
        two.expect("CALL_CLOSED");
        one.expect("CALL_CLOSED");
        appliance.assert_nothing_left();
        let legs = last_events(&appliance, "media-quality");
        assert_eq!(legs.len(), 2, "{legs:?}");
        heard.push(legs);
    }
    let call = last_call(&appliance);
    let shown = appliance.cli(&["calls", "show", call["id"].as_str().expect("an id")]);
    assert!(shown.contains("quality: heard ") && shown.contains("round trip "), "{shown}");
}
