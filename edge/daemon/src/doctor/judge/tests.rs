use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use offhook_chime::outside::Outside;
use offhook_config::Config;
use serde_json::{Value, json};

use super::judge;
use crate::doctor::facts::{Facts, TrunkFacts};
use crate::doctor::finding::{Finding, Level};

const HOST: &str = "abcdefghij1234567890ab.voiceconnector.chime.aws";

/// An office where all is well.
fn config(more_of_trunk: &str, transport: &str) -> Config {
    let text = format!(
        "[server]\nexternal_address = \"198.51.100.20\"\n\n\
         [[listen]]\ntransport = \"udp\"\naddress = \"10.0.0.2:5060\"\n\n\
         [[trunk]]\nname = \"vc\"\ntype = \"voice_connector\"\nregion = \"us-east-1\"\n\
         host = \"{HOST}\"\ntransport = \"{transport}\"\ncaller_id = \"+12125550100\"\n\
         {more_of_trunk}\n\n[[number]]\nmatch = \"+12125550100\"\nto = \"echo\"\n"
    );
    offhook_config::check(&text, std::path::Path::new("/")).expect("good")
}

fn facts() -> Facts {
    let now: Timestamp = "2026-11-29T12:00:00Z".parse().unwrap();
    let address: IpAddr = "198.51.100.20".parse().unwrap();
    let trunk = TrunkFacts {
        id: Some("abcdefghij1234567890ab".to_owned()),
        connects: None,
        connector: Some(Ok(json!({"VoiceConnector": {"RequireEncryption": false}}))),
        origination: Some(Ok(json!({"Origination": {"Disabled": false, "Routes": [
            {"Host": "pbx.example.com", "Port": 5060, "Protocol": "UDP", "Priority": 1}]}}))),
        termination: Some(Ok(json!({"Termination": {"CpsLimit": 2, "Disabled": false,
            "CallingRegions": ["US"], "CidrAllowedList": ["198.51.100.0/27"]}}))),
        health: Some(Ok(json!({"TerminationHealth": {
            "Timestamp": "2026-11-29T11:59:40Z", "Source": "198.51.100.20"}}))),
        credentials: Some(Ok(json!({"Usernames": []}))),
        numbers: Some(Ok(json!({"PhoneNumbers": [{"E164PhoneNumber": "+12125550100"}]}))),
    };
    Facts {
        daemon: Some(Ok(json!({"listen_problems": [], "trunks": [
            {"name": "vc", "up": true, "last": "200 OK"}]}))),
        outside: Some(Ok(Outside { address, date: Some(now) })),
        skew: Some(SignedDuration::from_secs(1)),
        named: None,
        identity: Some(Ok(json!({"Account": "111122223333", "Arn": "arn:aws:iam::1:user/o"}))),
        quotas: Some(Ok(json!({"Quotas": [
            {"QuotaName": "Voice Connector calls per second", "Value": 5.0}]}))),
        names: [
            (HOST.to_owned(), Ok(vec!["3.80.16.13".parse().unwrap()])),
            ("pbx.example.com".to_owned(), Ok(vec![address])),
        ]
        .into(),
        trunks: [("vc".to_owned(), trunk)].into(),
        now,
    }
}

fn trunk(facts: &mut Facts) -> &mut TrunkFacts {
    facts.trunks.get_mut("vc").unwrap()
}

fn bad(found: Vec<Finding>) -> Vec<Finding> {
    found.into_iter().filter(|finding| finding.level > Level::Good).collect()
}

/// The one finding that is not good.
fn the_one(config: &Config, facts: &Facts) -> Finding {
    let mut found = bad(judge(config, facts));
    // What is only advice.
    found.retain(|finding| !finding.words.contains("in the clear"));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].remedy.is_some() || found[0].level == Level::Unknown, "{found:#?}");
    found.remove(0)
}

#[test]
fn an_office_where_all_is_well_hears_no_more_than_an_advice() {
    let found = bad(judge(&config("", "udp"), &facts()));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].topic, found[0].level), ("encryption", Level::Warning));
}

type Spoil = fn(&mut Facts);

#[test]
fn each_mistake_is_found_alone_and_told_with_its_remedy() {
    let table: [(&str, Level, &str, Spoil); 17] = [
        ("appliance", Level::Problem, "no appliance", |f| {
            f.daemon = Some(Err("no appliance is running".to_owned()));
        }),
        ("appliance", Level::Problem, "in use", |f| {
            f.daemon = Some(Ok(json!({"listen_problems": ["0.0.0.0:5060: in use"],
                                      "trunks": [{"name": "vc", "up": true}]})));
        }),
        ("clock", Level::Problem, "400 s behind", |f| {
            f.skew = Some(SignedDuration::from_secs(-400));
        }),
        ("clock", Level::Warning, "30 s before", |f| {
            f.skew = Some(SignedDuration::from_secs(30));
        }),
        ("origination", Level::Problem, "is disabled", |f| {
            set(&mut trunk(f).origination, "/Origination/Disabled", json!(true));
        }),
        ("origination", Level::Problem, "there is no route", |f| {
            set(&mut trunk(f).origination, "/Origination/Routes", json!([]));
        }),
        ("origination", Level::Problem, "they lead to 203.0.113.9", |f| {
            set(&mut trunk(f).origination, "/Origination/Routes/0/Host", json!("203.0.113.9"));
        }),
        ("origination", Level::Problem, "port 5080 over UDP", |f| {
            set(&mut trunk(f).origination, "/Origination/Routes/0/Port", json!(5080));
        }),
        ("termination", Level::Problem, "not on the list", |f| {
            let list = json!(["203.0.113.0/27"]);
            set(&mut trunk(f).termination, "/Termination/CidrAllowedList", list);
        }),
        ("termination", Level::Problem, "no country", |f| {
            set(&mut trunk(f).termination, "/Termination/CallingRegions", json!([]));
        }),
        ("credentials", Level::Problem, "asks for a password", |f| {
            set(&mut trunk(f).credentials, "/Usernames", json!(["office"]));
        }),
        ("OPTIONS at AWS", Level::Problem, "came 3600 s ago", |f| {
            let long_ago = json!("2026-11-29T11:00:00Z");
            set(&mut trunk(f).health, "/TerminationHealth/Timestamp", long_ago);
        }),
        ("OPTIONS at AWS", Level::Warning, "not from this machine", |f| {
            let other = json!("203.0.113.9");
            set(&mut trunk(f).health, "/TerminationHealth/Source", other);
        }),
        ("numbers", Level::Problem, "nobody answers +12125550199", |f| {
            let more = json!([{"E164PhoneNumber": "+12125550100"},
                              {"E164PhoneNumber": "+12125550199"}]);
            set(&mut trunk(f).numbers, "/PhoneNumbers", more);
        }),
        ("numbers", Level::Problem, "get 403", |f| {
            let others = json!([]);
            set(&mut trunk(f).numbers, "/PhoneNumbers", others);
        }),
        ("DNS", Level::Problem, "outside what AWS publishes", |f| {
            f.names.insert(HOST.to_owned(), Ok(vec!["192.0.2.1".parse().unwrap()]));
        }),
        ("OPTIONS", Level::Problem, "no good answer (408)", |f| {
            f.daemon = Some(Ok(json!({"listen_problems": [], "trunks": [
                {"name": "vc", "up": false, "last": "408"}]})));
        }),
    ];
    for (topic, level, words, spoil) in table {
        let mut facts = facts();
        spoil(&mut facts);
        let mut found = bad(judge(&config("", "udp"), &facts));
        found.retain(|finding| finding.topic == topic);
        let first = found.first().unwrap_or_else(|| panic!("nothing about {topic}: {words}"));
        assert_eq!(first.level, level, "{first:?}");
        assert!(first.words.contains(words), "{words}: {first:?}");
        assert!(first.remedy.is_some(), "{first:?}");
    }
}

fn set(asked: &mut Option<crate::doctor::facts::Asked>, pointer: &str, value: Value) {
    let answer = asked.as_mut().unwrap().as_mut().unwrap();
    *answer.pointer_mut(pointer).unwrap() = value;
}

#[test]
fn encryption_must_be_the_same_on_both_sides() {
    let mut facts = facts();
    set(&mut trunk(&mut facts).connector, "/VoiceConnector/RequireEncryption", json!(true));
    let found = bad(judge(&config("", "udp"), &facts));
    let about: Vec<_> = found.iter().filter(|finding| finding.topic == "encryption").collect();
    assert_eq!(about[0].level, Level::Problem);
    assert!(about[0].words.contains("requires TLS"), "{about:?}");
}

#[test]
fn an_address_that_no_peer_is_told_of_is_a_problem_of_nat() {
    let mut facts = facts();
    facts.named = Some("198.51.100.77".parse().unwrap());
    let found = bad(judge(&config("", "udp"), &facts));
    assert!(found.iter().any(|finding| finding.topic == "NAT"), "{found:#?}");
}

#[test]
fn a_number_that_no_rule_takes_is_told() {
    let mut facts = facts();
    set(&mut trunk(&mut facts).numbers, "/PhoneNumbers/0/E164PhoneNumber", json!("+12125550777"));
    let text = "+12125550777 is answered by nobody";
    let found = the_numbers(&config("", "udp"), &facts);
    assert!(found.iter().any(|finding| finding.words.contains("+12125550777")), "{text}");
}

fn the_numbers(config: &Config, facts: &Facts) -> Vec<Finding> {
    bad(judge(config, facts)).into_iter().filter(|finding| finding.topic == "numbers").collect()
}

#[test]
fn a_missing_permission_is_no_problem_but_named() {
    let mut facts = facts();
    let denied = offhook_chime::TaskError {
        error: "ChimeSdkVoice.AccessDeniedException".to_owned(),
        cause: "not authorized".to_owned(),
        status: Some(403),
    };
    trunk(&mut facts).numbers = Some(Err(denied));
    let found = the_one(&config("", "udp"), &facts);
    assert_eq!(found.level, Level::Unknown);
    assert!(found.remedy.unwrap().contains("chime:ListPhoneNumbers"));
}
