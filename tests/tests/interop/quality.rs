//! What is told of a call's sound afterwards.

use std::time::Duration;

use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::Net;

use crate::{last_call, last_events, office};

#[test]
fn both_directions_of_both_legs_of_a_call_are_judged_at_its_end() {
    let appliance = office(Net::new(), "", &["101", "102"]);
    let mut one = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    let callee = Setup::of(&appliance, 4, "102").account(";answermode=auto");
    let mut two = Baresip::registered(&callee);
    one.dial("102");
    one.expect("CALL_ESTABLISHED");
    two.expect("CALL_ESTABLISHED");
    // baresip reports every five seconds; ours have come before.
    std::thread::sleep(Duration::from_secs(12));
    one.command("hangup", "");
    two.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
    let legs = last_events(&appliance, "media-quality");
    assert_eq!(legs.len(), 2, "{legs:?}");
    for leg in &legs {
        for way in ["received", "sent"] {
            let score = leg[way]["mos"].as_f64().unwrap_or_else(|| panic!("{way}: {leg}"));
            assert!((3.0..=4.5).contains(&score), "{way}: {leg}");
        }
        assert!(leg["round_trip_ms"].as_f64().is_some_and(|ms| ms < 1000.0), "{leg}");
    }
    let call = last_call(&appliance);
    let shown = appliance.cli(&["calls", "show", call["id"].as_str().expect("an id")]);
    assert!(shown.contains("quality: heard ") && shown.contains("round trip "), "{shown}");
}
