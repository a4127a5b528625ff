use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::store::{Definitions, MemoryStore};

fn definition(comment: &str) -> String {
    format!(r#"{{"Comment":"{comment}","StartAt":"A","States":{{"A":{{"Type":"Succeed"}}}}}}"#)
}

fn versions() -> Versions {
    Versions::new(Arc::new(MemoryStore::new()), Clock::system())
}

async fn publish(versions: &Versions, comment: &str) -> u32 {
    let text = definition(comment);
    versions.publish("m", &text, MachineType::Standard, "").await.unwrap().version
}

fn all(version: u32) -> Vec<Route> {
    vec![Route { version, weight: 100 }]
}

#[tokio::test]
async fn a_definition_that_cannot_run_is_not_published() {
    let versions = versions();
    let text = r#"{"StartAt":"B","States":{"A":{"Type":"Succeed"}}}"#;
    let refused = versions.publish("m", text, MachineType::Standard, "").await;
    assert!(
        matches!(refused, Err(VersionError::InvalidDefinition(problems)) if !problems.is_empty())
    );
    assert!(versions.list(None).await.unwrap().is_empty());
    let refused = versions.publish("a b", &definition("x"), MachineType::Standard, "").await;
    assert_eq!(refused, Err(VersionError::InvalidName("a b".into())));
}

#[tokio::test]
async fn the_same_definition_again_is_no_new_version() {
    let versions = versions();
    assert_eq!(publish(&versions, "one").await, 1);
    let text = definition("one");
    let again = versions.publish("m", &text, MachineType::Standard, "").await.unwrap();
    assert!(again.unchanged && again.version == 1);
    assert_eq!(publish(&versions, "two").await, 2);
    assert_eq!(publish(&versions, "one").await, 3);
}

#[tokio::test]
async fn a_version_keeps_the_rule_of_its_release_and_the_same_text_published_now_is_read_by_ours() {
    let pass = json!({ "StartAt": "P", "States": { "P": { "Type": "Pass", "End": true } } });
    let map = json!({ "Type": "Map", "QueryLanguage": "JSONata", "Items": [1], "End": true,
        "ItemProcessor": pass });
    let differs = json!({ "StartAt": "M", "States": { "M": map } }).to_string();
    for (text, is_new) in [(definition("one"), false), (differs, true)] {
        let store = Arc::new(MemoryStore::new());
        let versions = Versions::new(store.clone(), Clock::system());
        let machine = Machine::load(&text).unwrap();
        let before = PublishedVersion {
            machine: "m".into(),
            version: 0,
            kind: MachineType::Standard,
            definition: text.clone(),
            digest: machine.digest().into(),
            description: String::new(),
            published: jiff::Timestamp::UNIX_EPOCH,
            inherits_from_machine: false,
        };
        store.publish_version(before).await.unwrap();
        let again = versions.publish("m", &text, MachineType::Standard, "").await.unwrap();
        assert_eq!((again.version, again.unchanged), if is_new { (2, false) } else { (1, true) });
        let kept = versions.get("m", again.version).await.unwrap();
        assert_eq!(kept.inherits_from_machine, is_new);
        assert!(versions.publish("m", &text, MachineType::Standard, "").await.unwrap().unchanged);
    }
}

#[tokio::test]
async fn what_aws_does_not_take_as_express_is_published_with_a_warning() {
    let waits = "arn:aws:states:::sqs:sendMessage.waitForTaskToken";
    let task = json!({ "Type": "Task", "Resource": waits, "End": true });
    let text = json!({ "StartAt": "T", "States": { "T": task } }).to_string();
    let versions = versions();
    let standard = versions.publish("m", &text, MachineType::Standard, "").await.unwrap();
    assert!(standard.warnings.is_empty());
    let express = versions.publish("m", &text, MachineType::Express, "").await.unwrap();
    assert_eq!(express.warnings[0].path, "/States/T/Resource");
}

#[tokio::test]
async fn without_a_qualifier_the_latest_version_is_run() {
    let versions = versions();
    publish(&versions, "one").await;
    publish(&versions, "two").await;
    let chosen = versions.choose(&MachineRef::latest("m")).await.unwrap();
    assert_eq!((chosen.version, chosen.alias), (2, None));
    let first = MachineRef::parse("arn:aws:states:us-east-1:1:stateMachine:m:1").unwrap();
    assert_eq!(versions.choose(&first).await.unwrap().machine.comment(), Some("one"));
    let none = versions.choose(&MachineRef::latest("n")).await;
    assert!(matches!(none, Err(StartError::NoSuchMachine(name)) if name == "n"));
}

#[tokio::test]
async fn an_alias_shifts_goes_back_and_spreads_by_weight() {
    let versions = versions();
    publish(&versions, "one").await;
    publish(&versions, "two").await;
    let live = MachineRef::parse("m:live").unwrap();
    assert!(matches!(versions.choose(&live).await, Err(StartError::NoSuchMachine(_))));
    versions.shift("m", "live", all(1)).await.unwrap();
    assert_eq!(versions.choose(&live).await.unwrap().version, 1);
    let both = vec![Route { version: 1, weight: 50 }, Route { version: 2, weight: 50 }];
    versions.shift("m", "live", both.clone()).await.unwrap();
    let mut seen = BTreeSet::new();
    for _ in 0..200 {
        seen.insert(versions.choose(&live).await.unwrap().version);
    }
    assert_eq!(seen, BTreeSet::from([1, 2]));
    versions.shift("m", "live", all(2)).await.unwrap();
    let back = versions.roll_back("m", "live").await.unwrap();
    assert_eq!(back.routes, both);
    assert_eq!(versions.roll_back("m", "live").await.unwrap().routes, all(2));
}

#[tokio::test]
async fn an_alias_is_refused_what_makes_no_sense() {
    let versions = versions();
    publish(&versions, "one").await;
    let refused = |routes: Vec<Route>| versions.shift("m", "live", routes);
    let ninety = vec![Route { version: 1, weight: 90 }];
    assert!(matches!(refused(ninety).await, Err(VersionError::InvalidRoutes(_))));
    assert!(matches!(refused(Vec::new()).await, Err(VersionError::InvalidRoutes(_))));
    assert!(matches!(refused(all(7)).await, Err(VersionError::NotFound(_))));
    let number = versions.shift("m", "12", all(1)).await;
    assert!(matches!(number, Err(VersionError::InvalidName(_))));
    let never = versions.roll_back("m", "live").await;
    assert!(matches!(never, Err(VersionError::NotFound(_))));
}

#[tokio::test]
async fn a_version_that_an_alias_points_to_is_not_deleted() {
    let versions = versions();
    publish(&versions, "one").await;
    publish(&versions, "two").await;
    versions.shift("m", "live", all(1)).await.unwrap();
    let refused = versions.delete("m", 1).await;
    assert!(matches!(refused, Err(VersionError::InUse { alias, .. }) if alias == "live"));
    versions.delete("m", 2).await.unwrap();
    assert!(matches!(versions.delete("m", 2).await, Err(VersionError::NotFound(_))));
    versions.delete_alias("m", "live").await.unwrap();
    versions.delete("m", 1).await.unwrap();
}

#[test]
fn two_definitions_are_compared_state_by_state() {
    let from =
        r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Succeed"}}}"#;
    let to =
        r#"{"States":{"C/D":{"Type":"Succeed"},"A":{"Next":"C/D","Type":"Pass"}},"StartAt":"A"}"#;
    let lines: Vec<String> = diff(from, to).iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            r#"~ /States/A/Next "B" -> "C/D""#,
            r#"- /States/B {"Type":"Succeed"}"#,
            r#"+ /States/C~1D {"Type":"Succeed"}"#,
        ]
    );
    assert!(diff(from, from).is_empty());
}

#[tokio::test]
async fn a_definition_is_parsed_once_and_a_newer_one_of_another_process_is_seen() {
    let store = Arc::new(MemoryStore::new());
    let versions = Versions::new(store.clone(), Clock::system());
    let elsewhere = Versions::new(store, Clock::system());
    publish(&elsewhere, "one").await;
    let first = versions.choose(&MachineRef::latest("m")).await.unwrap();
    let again = versions.choose(&MachineRef::latest("m")).await.unwrap();
    assert!(Arc::ptr_eq(&first.machine, &again.machine));
    publish(&elsewhere, "two").await;
    let newer = versions.choose(&MachineRef::latest("m")).await.unwrap();
    assert_eq!((newer.version, newer.machine.comment()), (2, Some("two")));
    elsewhere.delete("m", 2).await.unwrap();
    assert_eq!(versions.choose(&MachineRef::latest("m")).await.unwrap().version, 1);
    let deleted = MachineRef::parse("m:2").unwrap();
    assert!(matches!(versions.choose(&deleted).await, Err(StartError::NoSuchMachine(_))));
}

#[tokio::test]
async fn whether_there_is_a_version_is_told_by_name_number_and_alias() {
    let versions = versions();
    for comment in ["one", "two", "three"] {
        publish(&versions, comment).await;
    }
    versions.shift("m", "live", all(3)).await.unwrap();
    versions.delete("m", 2).await.unwrap();
    let there = [("m", None), ("m", Some("1")), ("m", Some("3")), ("m", Some("live"))];
    let missing = [
        ("n", None),
        ("m", Some("2")),
        ("m", Some("4")),
        ("m", Some("03")),
        ("m", Some("99999999999")),
        ("m", Some("other")),
        ("n", Some("live")),
    ];
    let asked = there.map(|one| (one, true)).into_iter().chain(missing.map(|one| (one, false)));
    for ((name, qualifier), expected) in asked {
        let qualifier = qualifier.map(str::to_owned);
        let wanted = MachineRef { name: name.to_owned(), qualifier };
        assert_eq!(versions.has(&wanted).await.unwrap(), expected, "{wanted}");
    }
    assert_eq!(versions.numbers().await.unwrap(), [("m".to_owned(), 3), ("m".to_owned(), 1)]);
}

#[tokio::test]
async fn what_stands_behind_an_at_sign_is_in_no_name() {
    let versions = versions();
    publish(&versions, "one").await;
    // `flow:m@live` is the alias of m.
    let named = versions.publish("m@live", &definition("two"), MachineType::Standard, "").await;
    assert!(matches!(named, Err(VersionError::InvalidName(name)) if name == "m@live"));
    for alias in ["a@b", "7", "", "a b"] {
        let refused = versions.shift("m", alias, all(1)).await;
        assert!(matches!(refused, Err(VersionError::InvalidName(_))), "{alias}");
    }
    assert_eq!(versions.numbers().await.unwrap(), [("m".to_owned(), 1)]);
}
