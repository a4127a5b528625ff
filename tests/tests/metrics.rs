//! `http://…/metrics` as Prometheus reads it, and `/health` as a monitor does.
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use offhook_tests::appliance::Appliance;
use offhook_tests::net::Net;
use offhook_tests::sipp::Sipp;

const SECURE_CALL: &str = include_str!("scenarios/secure_call.xml");

/// Head and body.
fn get(appliance: &Appliance, path: &str) -> (String, String) {
    let mut door = TcpStream::connect((appliance.net.appliance(), 9480)).expect("the door");
    let request = format!("GET {path} HTTP/1.1\r\nHost: offhook\r\nConnection: close\r\n\r\n");
    door.write_all(request.as_bytes()).expect("asked");
    let mut answer = String::new();
    door.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("HTTP");
    (head.to_owned(), body.to_owned())
}

fn metrics(appliance: &Appliance) -> String {
    let (head, body) = get(appliance, "/metrics");
    assert!(head.contains("application/openmetrics-text; version=1.0.0"), "{head}");
    body
}

/// What the OpenMetrics text format asks of every line.
fn assert_well_formed(text: &str) {
    let (mut families, mut samples) = (HashSet::new(), HashSet::new());
    let mut current = (String::new(), String::new());
    let body = text.strip_suffix("# EOF\n").expect("the end is marked");
    for line in body.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", name, help] => {
                assert!(families.insert(name.to_owned()), "{name} comes twice");
                assert!(!help.is_empty() && !help.contains('\\'), "{line}");
            }
            ["#", "TYPE", name, kind] => {
                assert!(families.contains(name), "{line}");
                current = (name.to_owned(), kind.to_owned());
            }
            [sample, value] => {
                assert!(samples.insert(sample.to_owned()), "{sample} comes twice");
                let name = sample.split('{').next().unwrap_or_default();
                let suffix = name.strip_prefix(current.0.as_str()).unwrap_or("?");
                let suffixes: &[&str] = match current.1.as_str() {
                    "counter" => &["_total"],
                    "histogram" => &["_bucket", "_count", "_sum"],
                    _ => &[""],
                };
                assert!(suffixes.contains(&suffix), "{line}");
                if suffix == "_sum" {
                    value.parse::<f64>().unwrap_or_else(|_| panic!("{line}"));
                } else {
                    value.parse::<u64>().unwrap_or_else(|_| panic!("{line}"));
                }
            }
            _ => panic!("not OpenMetrics: {line}"),
        }
    }
}

#[test]
fn metrics_are_openmetrics_and_count_calls_by_their_outcome() {
    let net = Net::new();
    let mut appliance = Appliance::prepare(
        net,
        &format!(
            "[[trunk]]\nname = \"connect\"\ntype = \"voice_connector\"\n\
             host = \"{trunk}:5060\"\nregion = \"us-east-1\"\n\
             caller_id = \"+15550100100\"\npeers = [\"{trunk}/32\"]\noptions_seconds = 0\n\
             [[number]]\nmatch = \"+15550100100\"\nto = \"extension:101\"\n",
            trunk = net.trunk()
        ),
    );
    appliance.add_phone("101", "s3cret-pass");
    appliance.launch();
    assert_well_formed(&metrics(&appliance));
    Sipp::start(SECURE_CALL, (net.trunk(), 5060), appliance.sip(), &["-d", "500"]).finish();
    appliance.assert_nothing_left();
    let text = metrics(&appliance);
    assert_well_formed(&text);
    let ended = "offhook_calls_ended_total{outcome=\"voicemail\",failure=\"\"} 1\n";
    assert!(text.contains(ended), "{text}");
    // Its one leg was silent, and said nothing of what it heard.
    let unheard = "offhook_leg_mos_bucket{direction=\"received\",le=\"+Inf\"} 0\n";
    assert!(text.contains(unheard), "{text}");
}

#[test]
fn health_says_what_is_wrong_for_as_long_as_it_is() {
    let appliance = Appliance::start("");
    let (head, body) = get(&appliance, "/health");
    assert!(head.starts_with("HTTP/1.1 200 ") && body == "ok\n", "{head} {body}");
    // Somebody else holds the database, as a backup that hangs would.
    let database = appliance.data().join("offhook.db");
    let other = rusqlite::Connection::open(database).expect("the database");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let (head, body) = get(&appliance, "/health");
    assert!(head.starts_with("HTTP/1.1 503 ") && body.starts_with("database: "), "{head} {body}");
    other.execute_batch("ROLLBACK").expect("the end of it");
    let (head, body) = get(&appliance, "/health");
    assert!(head.starts_with("HTTP/1.1 200 ") && body == "ok\n", "{head} {body}");
}
