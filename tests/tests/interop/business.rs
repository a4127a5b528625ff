//! What callers and the owner of a business number hear when things go wrong: the appliance dies
//! while a message is left, clocks change before a planned call, a number is too long.

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::{Net, eventually};
use offhook_tests::tone::{read_wav, seconds_of_tone};
use serde_json::{Value, json};

use crate::flows::{BUSINESS, closed, ended, entered, has_said, in_state};
use crate::{last_ladder, office};

#[test]
fn the_owner_hears_a_message_that_was_being_left_when_the_appliance_was_killed() {
    let rule = "[[number]]\nmatch = \"800\"\nto = \"flow:business-number\"\n";
    let config = format!("{rule}{BUSINESS}{}", closed());
    let mut appliance = office(Net::new(), &config, &["101", "102"]);
    let mut caller = Baresip::registered(&Setup::of(&appliance, 4, "102"));
    caller.dial("800");
    caller.expect("CALL_ESTABLISHED");
    in_state(&appliance, "Take a message");
    has_said(&appliance, 4.0);
    appliance.kill();
    drop(caller);
    appliance.launch();
    let shown = ended(&appliance);
    assert_eq!(going_on(&appliance).collect::<Vec<_>>(), [0, 1], "{}", appliance.log());
    assert_eq!(shown["execution"]["status"], "SUCCEEDED", "{}", last_ladder(&appliance));
    assert!(entered(&shown).contains(&"Keep the message"), "{:?}", entered(&shown));
    let told = took_a_message(&shown);
    assert_eq!(told["InvocationEventType"], "ACTION_SUCCESSFUL", "{told}");
    assert_eq!(told["ActionData"]["Type"], "RecordAudio", "{told}");
    let key = told["ActionData"]["RecordingDestination"]["Key"].as_str().expect("a key");
    assert!(key.starts_with("business/") && key.ends_with(".wav"), "{told}");
    let leg = &told["CallDetails"]["Participants"][0];
    assert_eq!((&leg["ParticipantTag"], &leg["Status"]), (&json!("LEG-A"), &json!("Disconnected")));

    let mut owner = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    owner.dial("800");
    owner.expect("CALL_ESTABLISHED");
    in_state(&appliance, "Owner menu");
    owner.command("sndcode", "3");
    in_state(&appliance, "Ask what to do with the message");
    owner.command("hangup", "");
    owner.expect("CALL_CLOSED");
    let (heard, rate) = read_wav(&owner.heard()[0]);
    assert!(seconds_of_tone(&heard, rate, 440.0) > 3.0, "the owner hears what was said");
    ended(&appliance);
    appliance.assert_nothing_left();
    // Once: the next start finds nobody who waits, and the message's workflow has done no more.
    let call = shown["execution"]["transaction_id"].as_str().expect("a call");
    let message = |appliance: &Appliance| appliance.json(&["flow", "show", "--call", call]);
    let before = message(&appliance);
    appliance.kill();
    appliance.launch();
    let third = eventually("the third start", || going_on(&appliance).nth(2));
    assert_eq!(third, 0, "{}", appliance.log());
    assert_eq!(message(&appliance), before);
}

/// How many executions went on at each start.
fn going_on(appliance: &Appliance) -> impl Iterator<Item = u32> {
    let log = appliance.log();
    let told = "executions go on after the restart executions=";
    let counts = log.split(told).skip(1).filter_map(|rest| {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    });
    counts.collect::<Vec<u32>>().into_iter()
}

/// The event that ended "Take a message".
fn took_a_message(shown: &Value) -> Value {
    let mut events = shown["history"].as_array().expect("a history").iter();
    let output = |event: &Value| {
        let output = event["taskSucceededEventDetails"]["output"].as_str()?;
        let output: Value = serde_json::from_str(output).ok()?;
        output["ActionData"].get("RecordingDestination")?;
        Some(output)
    };
    events.find_map(output).unwrap_or_else(|| panic!("{shown:#}"))
}

/// What the owner hears who presses these keys at `now` in an office of the zone; what was done.
fn owner_presses(zone: &str, now: &str, keys: &[&str]) -> Value {
    let business = format!("{BUSINESS}time_zone = \"{zone}\"\n");
    let appliance = Appliance::prepare(Net::new(), &business);
    let flow = concat!(env!("CARGO_MANIFEST_DIR"), "/../flows/workflows/business-number.asl.json");
    let presses: Vec<Value> = keys.iter().map(|keys| json!({"press": {"keys": keys}})).collect();
    let owner = json!({"Kind": "phone", "Extension": "101", "IsOwner": true});
    let call = json!({"now": now, "call": {"from": "101", "to": "+15550100100"},
        "context": {"Office": {"Caller": owner}}, "caller": presses, "callees": ["busy"]});
    let args = ["flow", "test", "--json", flow, "-"];
    let output = appliance.try_cli(&args, &call.to_string());
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    told["reports"][0].clone()
}

fn said<'a>(report: &'a Value, begins: &str) -> Vec<&'a str> {
    let spoken = report["spoken"].as_array().expect("what was spoken").iter();
    spoken.filter_map(Value::as_str).filter(|words| words.starts_with(begins)).collect()
}

#[test]
fn a_planned_call_is_told_as_the_clocks_will_stand_then() {
    let cases = [
        // Back by an hour on 1 November at 06:00 UTC; two days and 20 minutes from Friday, 10:00.
        ("America/New_York", "2026-10-30T14:00:00Z", "9:20 am on Sunday"),
        // On by an hour on 3 October at 16:00 UTC.
        ("Australia/Sydney", "2026-10-02T00:00:00Z", "11:20 am on Sunday"),
        ("Asia/Kolkata", "2026-10-30T04:30:00Z", "10:20 am on Sunday"),
    ];
    for (zone, now, when) in cases {
        let keys = ["2", "5552223333#", "2900#", "4", "9", "9"];
        let report = owner_presses(zone, now, &keys);
        let scheduled = said(&report, "The call is scheduled for");
        assert_eq!(scheduled, [format!("The call is scheduled for {when}.")], "{zone}");
        let read_out = said(&report, "A call to");
        assert!(
            read_out.iter().any(|words| words.contains(&format!("at {when}."))),
            "{read_out:?}"
        );
    }
}

#[test]
fn a_number_that_is_too_long_is_refused_with_words_and_asked_for_again() {
    let now = "2026-10-30T14:00:00Z";
    // International, 16 digits; national, 15 and the country's 1; more than are taken.
    let beyond = "5".repeat(45);
    let long = ["0114420794600001234#", "555222333344445#", &beyond];
    for (key, number) in long.into_iter().flat_map(|number| [("1", number), ("2", number)]) {
        let report = owner_presses("UTC", now, &[key, number, "9"]);
        let refused =
            "That number is too long. A number has at most 15 digits with its country code.";
        assert_eq!(said(&report, "That number is too long"), [refused], "{number}");
        assert!(said(&report, "Enter the number").len() > 1, "{report:#}");
        assert!(!report["actions"].to_string().contains("CallAndBridge"), "{report:#}");
        assert!(said(&report, "The call is scheduled").is_empty(), "{report:#}");
    }
    // The longest that there is.
    let report = owner_presses("UTC", now, &["1", "011442079460000123#", "9"]);
    assert!(report["actions"].to_string().contains("\"+442079460000123\""), "{report:#}");
}
