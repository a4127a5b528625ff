//! The same flows with a caller that is written down, until no state is left that can be reached.

use std::sync::Arc;

use offhook_flows::script::{Report, Scenario, never_reached, test_blocking};
use offhook_flows::services::dynamodb::DynamoDb;
use offhook_flows::services::{NoUpstream, Service, Services};
use offhook_flows::store::{ExecutionStatus, MemoryStore};
use serde_json::{Value, json};

use super::office::Schedules;
use super::{BUSINESS, CUSTOMER, OWNER, sample};

const OPEN: &str = "2025-01-01T15:00:00Z";
const CLOSED: &str = "2025-01-02T02:00:00Z";

fn press(keys: &str) -> Value {
    json!({ "press": { "keys": keys } })
}

/// The call, what its caller does, and who is called.
fn scenarios() -> Vec<(&'static str, &'static str, &'static str, Value, Value)> {
    let leaves = |during: &str| json!({ "hang_up": { "during": during, "after": 1.5 } });
    let (one, two) = (press("1"), press("2"));
    let (three, number) = (press("3"), press("7865550123"));
    let (nobody, busy) = (json!([]), json!(["busy"]));
    vec![
        ("reached", CUSTOMER, OPEN, nobody.clone(), nobody.clone()),
        ("at once", CUSTOMER, OPEN, json!([leaves("Speak")]), nobody.clone()),
        ("first", CUSTOMER, OPEN, json!([leaves("Conversation")]), nobody.clone()),
        ("not reached", CUSTOMER, OPEN, json!([]), busy.clone()),
        (
            "long",
            CUSTOMER,
            OPEN,
            json!([leaves("Never")]),
            json!([{ "answers": { "talks": 6100.0 } }]),
        ),
        ("empty", OWNER, OPEN, json!([three.clone(), "wait"]), nobody.clone()),
        ("message", CUSTOMER, CLOSED, json!([{ "say": { "seconds": 9.0 } }]), nobody.clone()),
        (
            "heard",
            OWNER,
            OPEN,
            json!([three.clone(), one, three, leaves("SpeakAndGetDigits")]),
            nobody.clone(),
        ),
        ("called", OWNER, OPEN, json!([press("1"), number.clone()]), nobody.clone()),
        ("busy", OWNER, OPEN, json!([press("1"), number.clone()]), busy),
        (
            "scheduled",
            OWNER,
            OPEN,
            json!([two.clone(), number.clone(), press("15#")]),
            nobody.clone(),
        ),
        ("not scheduled", OWNER, OPEN, json!([two, number, "wait"]), nobody),
    ]
}

fn named<'a>(reports: &'a [Report], name: &str) -> &'a Report {
    reports.iter().find(|report| report.scenario == name).unwrap()
}

fn run(definition: &str) -> Vec<Report> {
    let store = Arc::new(MemoryStore::new());
    let tables = DynamoDb::new(store.clone(), None);
    tables.learn(&serde_json::from_str(definition).unwrap());
    let local: Vec<Arc<dyn Service>> = vec![Arc::new(tables), Arc::new(Schedules::default())];
    let services = Services::new(local, Arc::new(NoUpstream));
    let play = |scenario: Value| {
        let scenario: Scenario = serde_json::from_value(scenario).unwrap();
        test_blocking(definition, &scenario, store.clone(), services.clone()).unwrap()
    };
    let inbound = scenarios().into_iter().map(|(name, from, now, caller, callees)| {
        json!({ "name": name, "now": now, "call": { "from": from, "to": BUSINESS },
            "caller": caller, "callees": callees })
    });
    let outbound =
        [json!([{ "answers": {} }, { "answers": {} }]), json!([{ "answers": {} }, "busy"])];
    let outbound = outbound.into_iter().map(|callees| {
        json!({ "name": "a scheduled call", "now": OPEN, "callees": callees,
            "call": { "from": BUSINESS, "to": OWNER, "direction": "outbound",
                "arguments": { "CustomerPhoneNumber": "3055551234" } } })
    });
    inbound.chain(outbound).map(play).collect()
}

#[test]
fn scenarios_reach_every_state_that_can_be_reached() {
    let Some(definition) = sample() else { return };
    let reports = run(&definition);
    let all: String = reports.iter().map(ToString::to_string).collect();
    // The sample compares a text with a boolean: nothing leads there.
    assert_eq!(never_reached(&definition, &reports), ["Play Error and Hangup"], "{all}");
    for report in &reports {
        assert_ne!(report.status, ExecutionStatus::Running, "{report}");
    }
    let heard = named(&reports, "heard");
    assert!(heard.timeline.iter().any(|line| line.what.contains("recording-")), "{heard}");
    assert!(heard.problems.is_empty(), "{heard}");
}

#[test]
fn no_key_after_the_last_question_is_told_as_a_problem_of_the_workflow() {
    let Some(definition) = sample() else { return };
    let reports = run(&definition);
    let empty = named(&reports, "empty");
    assert_eq!(empty.status, ExecutionStatus::Failed);
    assert!(empty.problems[0].contains("apology"), "{empty}");
}
