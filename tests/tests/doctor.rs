//! `offhook doctor` and `offhook chime` before a server that speaks as Amazon Chime SDK does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use offhook_tests::appliance::program;
use offhook_tests::voice_connector::{Connector, KEY, SECRET, VoiceServer};
use serde_json::{Value, json};

struct Office {
    aws: VoiceServer,
    folder: tempfile::TempDir,
}

/// A connector as the console makes it, before anybody set it up.
fn bare() -> Connector {
    Connector {
        id: "abcdefghij1234567890ab".to_owned(),
        encrypted: false,
        origination: Value::Null,
        termination: Value::Null,
        health: Value::Null,
        usernames: Vec::new(),
        numbers: vec!["+12125550100".to_owned()],
        denied: BTreeSet::new(),
    }
}

impl Office {
    fn new(connector: Connector, secret: &str) -> Self {
        let aws = VoiceServer::start(connector);
        let folder = tempfile::tempdir().unwrap();
        let office = Self { aws, folder };
        fs::write(office.path("secret"), secret).unwrap();
        let text = format!(
            "[server]\ndata_dir = \"{data}\"\nexternal_address = \"198.51.100.20\"\n\n\
             [[listen]]\ntransport = \"udp\"\naddress = \"127.0.0.1:5060\"\n\n\
             [[listen]]\ntransport = \"udp\"\naddress = \"0.0.0.0:5070\"\n\n\
             [aws]\nregion = \"us-east-1\"\naccount = \"111122223333\"\nendpoint = \"{url}\"\n\
             access_key = \"{KEY}\"\nsecret_key_file = \"{secret}\"\n\n\
             [[trunk]]\nname = \"connect\"\ntype = \"voice_connector\"\nregion = \"us-east-1\"\n\
             host = \"abcdefghij1234567890ab.voiceconnector.chime.aws\"\ntransport = \"udp\"\n\
             caller_id = \"+12125550100\"\n\n\
             [[number]]\nmatch = \"+12125550100\"\nto = \"echo\"\n",
            data = office.path("data").display(),
            url = office.aws.url(),
            secret = office.path("secret").display(),
        );
        fs::write(office.path("offhook.toml"), text).unwrap();
        office
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = Command::new(program())
            .args(arguments)
            .arg("--config")
            .arg(self.path("offhook.toml"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // One that does not ask does not read either.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Findings: topic, level, words with remedy.
    fn findings(&self) -> Vec<(String, String, String)> {
        let check_ip = self.aws.url();
        let output = self.run(&["doctor", "--json", "--check-ip", &check_ip], "");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let list: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{output:?}"));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let finding = |f: &Value| {
            let words = format!("{} -> {}", text(&f["finding"]), text(&f["remedy"]));
            (text(&f["topic"]), text(&f["level"]), words)
        };
        list.as_array().unwrap().iter().map(finding).collect()
    }

    fn setup(&self, more: &[&str], input: &str) -> Output {
        let check_ip = self.aws.url();
        let mut arguments = vec!["chime", "setup", "--check-ip", &check_ip];
        arguments.extend(more);
        self.run(&arguments, input)
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn of<'a>(findings: &'a [(String, String, String)], topic: &str) -> Vec<(&'a str, &'a str)> {
    let about = findings.iter().filter(|(t, ..)| t == topic);
    about.map(|(_, level, words)| (level.as_str(), words.as_str())).collect()
}

#[test]
fn a_bare_connector_is_set_up_after_a_yes_and_given_back_by_undo() {
    let office = Office::new(bare(), SECRET);
    let before = office.findings();
    assert_eq!(of(&before, "origination")[0].0, "PROBLEM", "{before:?}");
    assert_eq!(of(&before, "termination")[0].0, "PROBLEM", "{before:?}");
    assert_eq!(of(&before, "access keys")[0].0, "ok", "{before:?}");
    assert!(of(&before, "quotas")[0].1.contains("calls per second 5"), "{before:?}");

    let shown = office.setup(&["--country", "us"], "no\n");
    assert!(!shown.status.success());
    assert!(said(&shown).contains("198.51.100.20:5070 over UDP"), "{}", said(&shown));
    assert!(said(&shown).contains("nothing was changed"), "{}", said(&shown));
    assert!(office.aws.connector().origination.is_null());

    let made = office.setup(&["--country", "us"], "yes\n");
    assert!(made.status.success(), "{}", said(&made));
    {
        let connector = office.aws.connector();
        let route = &connector.origination["Routes"][0];
        assert_eq!((&route["Host"], &route["Port"]), (&json!("198.51.100.20"), &json!(5070)));
        assert_eq!(connector.termination["CidrAllowedList"], json!(["198.51.100.20/32"]));
        assert_eq!(connector.termination["CallingRegions"], json!(["US"]));
    }
    let after = office.findings();
    assert_eq!(of(&after, "origination")[0].0, "ok", "{after:?}");
    assert_eq!(of(&after, "termination")[0].0, "ok", "{after:?}");
    let again = office.setup(&["--yes"], "");
    assert!(said(&again).contains("Nothing was changed"), "{}", said(&again));

    let undone = office.run(&["chime", "undo", "--yes"], "");
    assert!(undone.status.success(), "{}", said(&undone));
    assert!(office.aws.connector().origination.is_null());
    assert!(office.aws.connector().termination.is_null());
    assert!(said(&office.run(&["chime", "undo"], "")).contains("nothing to take back"));
}

#[test]
fn what_several_setups_changed_goes_back_to_the_very_beginning() {
    let office = Office::new(bare(), SECRET);
    assert!(office.setup(&["--country", "US", "--yes"], "").status.success());
    assert!(office.setup(&["--country", "CA", "--yes"], "").status.success());
    assert_eq!(office.aws.connector().termination["CallingRegions"], json!(["US", "CA"]));
    let undone = office.run(&["chime", "undo", "--yes"], "");
    assert!(undone.status.success(), "{}", said(&undone));
    assert!(office.aws.connector().termination.is_null());
    assert!(office.aws.connector().origination.is_null());
}

#[test]
fn undo_does_not_take_back_what_somebody_changed_since() {
    let office = Office::new(bare(), SECRET);
    assert!(office.setup(&["--country", "US", "--yes"], "").status.success());
    office.aws.connector().termination["CpsLimit"] = json!(3);
    let undone = office.run(&["chime", "undo", "--yes"], "");
    assert!(!undone.status.success());
    assert!(said(&undone).contains("somebody changed its Termination"), "{}", said(&undone));
    assert_eq!(office.aws.connector().termination["CpsLimit"], 3);
    assert!(office.run(&["chime", "undo", "--yes", "--force"], "").status.success());
    assert!(office.aws.connector().termination.is_null());
}

#[test]
fn routes_and_hosts_of_others_stay_unless_the_operator_says_otherwise() {
    let mut connector = bare();
    let other = json!({"Host": "203.0.113.9", "Port": 5060, "Protocol": "UDP", "Priority": 1,
                       "Weight": 1});
    connector.origination = json!({"Routes": [other], "Disabled": true});
    connector.termination = json!({"CidrAllowedList": ["203.0.113.0/27"], "CpsLimit": 2,
                                   "CallingRegions": ["DE"], "Disabled": false});
    let office = Office::new(connector, SECRET);
    assert!(office.setup(&["--yes"], "").status.success());
    {
        let connector = office.aws.connector();
        let routes = connector.origination["Routes"].as_array().unwrap();
        assert_eq!(routes.len(), 2);
        assert_eq!(routes[0]["Priority"], 2, "behind what was there");
        assert_eq!(connector.origination["Disabled"], false);
        let allowed = json!(["203.0.113.0/27", "198.51.100.20/32"]);
        assert_eq!(connector.termination["CidrAllowedList"], allowed);
        assert_eq!(connector.termination["CpsLimit"], 2);
        assert_eq!(connector.termination["CallingRegions"], json!(["DE"]));
    }
    assert!(office.setup(&["--yes", "--only"], "").status.success());
    let routes = office.aws.connector().origination["Routes"].clone();
    assert_eq!(routes.as_array().map(Vec::len), Some(1), "{routes}");
}

#[test]
fn a_permission_that_lacks_is_named_and_hides_nothing_else() {
    let mut connector = bare();
    connector.denied.insert("chime:GetVoiceConnectorOrigination".to_owned());
    let office = Office::new(connector, SECRET);
    let found = office.findings();
    let (level, words) = of(&found, "origination")[0];
    assert_eq!(level, "unknown");
    assert!(words.contains("do chime:GetVoiceConnectorOrigination"), "{words}");
    assert_eq!(of(&found, "termination")[0].0, "PROBLEM", "{found:?}");
    let setup = office.setup(&["--yes", "--country", "US"], "");
    assert!(!setup.status.success(), "what cannot be seen is not changed");
    assert!(office.aws.connector().termination.is_null());
}

#[test]
fn keys_that_are_wrong_are_told_first() {
    let office = Office::new(bare(), "another-secret");
    let found = office.findings();
    let (level, words) = of(&found, "access keys")[0];
    assert_eq!(level, "PROBLEM");
    assert!(words.contains("secret_key_file"), "{words}");
    assert!(!office.setup(&["--yes"], "").status.success());
    let text = said(&office.run(&["doctor"], ""));
    assert!(!text.contains("another-secret"), "{text}");
}
