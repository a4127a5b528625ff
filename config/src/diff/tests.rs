use std::path::Path;

use super::*;
use crate::check::{Surroundings, System, check_in};

/// Every file is there.
struct Around;

impl Surroundings for Around {
    fn env(&self, name: &str) -> Option<String> {
        System.env(name)
    }

    fn read(&self, path: &Path) -> std::io::Result<String> {
        System.read(path)
    }

    fn read_bytes(&self, _: &Path) -> std::io::Result<Vec<u8>> {
        Ok(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".into())
    }

    fn is_file(&self, _: &Path) -> bool {
        true
    }

    fn has_extension(&self, _: &Config, _: &str) -> Option<bool> {
        None
    }
}

fn config(text: &str) -> Config {
    check_in(text, Path::new("/etc/t.toml"), &Around).unwrap_or_else(|p| panic!("{text}: {p:?}"))
}

fn told(old: &Config, new: &Config) -> Vec<String> {
    diff(old, new).iter().map(ToString::to_string).collect()
}

/// A value of each key that is not its default.
const OTHERWISE: &[(&str, &str, &str)] = &[
    ("server", "realm", "\"x\""),
    ("server", "domains", "[\"x.example\"]"),
    ("server", "data_dir", "\"/x\""),
    ("server", "user_agent", "\"x\""),
    ("server", "external_address", "\"203.0.113.7\""),
    ("server", "local_networks", "[]"),
    ("server", "drain_seconds", "5"),
    ("server", "log_numbers", "\"full\""),
    ("server", "time_zone", "\"Europe/Berlin\""),
    ("http", "address", "\"127.0.0.1:1\""),
    ("api", "listen", "\"127.0.0.1:1\""),
    ("api", "certificate", "\"/x\"\nkey = \"/x\""),
    ("api", "key", "\"/x\"\ncertificate = \"/x\""),
    ("api", "requests_per_second", "5"),
    ("sip", "t1_ms", "600"),
    ("sip", "t2_ms", "5000"),
    ("sip", "t4_ms", "6000"),
    ("sip", "max_transactions", "100"),
    ("sip", "max_calls", "5"),
    ("sip", "max_connections", "100"),
    ("sip", "max_message_bytes", "8192"),
    ("sip", "session_expires", "0"),
    ("sip", "min_se", "120"),
    ("sip", "reliable_provisional", "false"),
    ("sip", "max_ring_seconds", "60"),
    ("sip", "max_call_seconds", "3600"),
    ("sip", "ca_files", "[\"ca.pem\"]"),
    ("media", "ports", "\"30000-30999\""),
    ("media", "threads", "2"),
    ("media", "address", "\"127.0.0.1\""),
    ("media", "codecs", "[\"PCMA\"]"),
    ("media", "pass_through", "false"),
    ("media", "srtp_phones", "\"off\""),
    ("media", "silence_hangup_seconds", "60"),
    ("media", "hold_music", "\"silence\""),
    ("media", "kernel_relay", "true"),
    ("webrtc", "address", "\"127.0.0.1:9999\""),
    ("registrar", "min_expires", "30"),
    ("registrar", "max_expires", "7200"),
    ("registrar", "default_expires", "600"),
    ("registrar", "max_contacts", "3"),
    ("registrar", "digest", "[\"SHA-256\"]"),
    ("bans", "failures", "3"),
    ("bans", "window_seconds", "30"),
    ("bans", "ban_seconds", "30"),
    ("bans", "never", "[]"),
    ("voicemail", "folder", "\"/x\""),
    ("voicemail", "after_seconds", "5"),
    ("voicemail", "max_seconds", "60"),
    ("voicemail", "min_seconds", "2"),
    ("voicemail", "silence_seconds", "0"),
    ("voicemail", "silence_threshold", "100"),
    ("voicemail", "max_messages", "3"),
    ("voicemail", "menu_number", "\"*98\""),
    ("voicemail", "greeting", "\"x.wav\""),
    ("voicemail", "greeting_text", "\"x\""),
    ("voicemail", "prompts", "\"/x\""),
    ("speech", "engine", "\"off\""),
    ("speech", "voice", "\"Hans\""),
    ("speech", "timeout_seconds", "9"),
    ("speech", "at_once", "2"),
    ("speech", "cache_megabytes", "0"),
    ("speech", "polly_region", "\"eu-central-1\""),
    ("speech", "polly_endpoint", "\"https://x\""),
    ("speech", "polly_key", "\"x\""),
    ("speech", "polly_secret", "\"x\""),
    ("recording", "calls", "\"always\""),
    ("recording", "format", "\"opus\""),
    ("recording", "store", "\"s3\"\nbucket = \"b\"\nregion = \"r\""),
    ("recording", "prefix", "\"x/\""),
    ("recording", "keep_local", "true\nstore = \"s3\"\nbucket = \"b\"\nregion = \"r\""),
    ("recording", "uploads", "1"),
    ("recording", "warn_free_percent", "5"),
    ("recording", "warn_free_mib", "2048"),
    ("supervision", "code", "\"*56\""),
    ("supervision", "notice", "\"beep\""),
    ("supervision", "announcement", "\"x\""),
    ("conference", "factory", "\"meet\""),
    ("conference", "code", "\"*4\""),
    ("dialplan", "country_code", "\"7\""),
    ("dialplan", "national_prefix", "\"8\""),
    ("dialplan", "international_prefix", "\"810\""),
    ("dialplan", "area_code", "\"212\""),
    ("dialplan", "emergency", "[\"110\"]"),
    ("dialplan", "service", "[\"411\"]"),
    ("dialplan", "outside_prefix", "\"9\""),
    ("aws", "region", "\"eu-central-1\""),
    ("aws", "account", "\"111122223333\""),
    ("aws", "access_key", "\"x\"\nsecret_key = \"y\""),
    ("aws", "profile", "\"x\""),
    ("aws", "endpoint", "\"http://127.0.0.1:4566\""),
    ("aws", "pass_on", "true"),
    ("take_back", "queue", "\"https://sqs.us-east-1.amazonaws.com/111122223333/q\""),
    (
        "take_back",
        "table",
        "true\n[dnis]\nour_numbers = [\"+15550100100\"]\nconnect_numbers = [\"+15550100101\"]\ntable = \"pairs\"\nname = \"office\"",
    ),
    ("take_back", "table_interval_ms", "250"),
    ("take_back", "max_age_seconds", "30"),
    ("take_back", "connect", "\"+12065550100\""),
    (
        "take_back",
        "trunk",
        "\"t\"\nconnect = \"+12065550100\"\n\
         [[trunk]]\nname = \"t\"\ntype = \"generic\"\nhost = \"192.0.2.1\"",
    ),
    ("take_back", "pass", "\"user-to-user\"\nconnect = \"+12065550100\""),
    ("take_back", "header", "\"X-Call\"\nconnect = \"+12065550100\""),
    ("cloud", "trunks", "[]"),
    ("cloud", "transaction_header", "\"X-Tx\""),
    ("cloud", "application_header", "\"X-App\""),
    ("cloud", "sip_media_application_id", "\"a-1\""),
    (
        "cloud",
        "transfers",
        "true\ntrunks = [\"t\"]\n[[trunk]]\nname = \"t\"\ntype = \"generic\"\nhost = \"127.0.0.3\"",
    ),
    ("cloud", "code", "\"*9\""),
    ("cloud", "attended", "\"move\""),
    ("cloud", "attended_words", "\"\""),
    ("cloud", "answer_seconds", "9"),
    ("cloud", "bye_seconds", "9"),
    ("cloud", "attributes", "{ desk = \"{extension}\" }"),
    ("cloud", "attributes_required", "false"),
    (
        "cloud",
        "from_number",
        "\"+15550100100\"\nsip_media_application_id = \"a-1\"\nvoice_connector_arn = \"arn:aws:chime:us-east-1:1:vc/x\"",
    ),
    ("cloud", "voice_connector_arn", "\"arn:aws:chime:us-east-1:1:vc/x\""),
    ("dnis", "our_numbers", "[\"+15550100100\"]\nconnect_numbers = []"),
    ("dnis", "connect_numbers", "[\"+15550100100\"]\nour_numbers = []"),
    ("dnis", "table", "\"pairs\"\nname = \"office\""),
    ("dnis", "name", "\"office-2\""),
    ("dnis", "ringing_lease_seconds", "60"),
    ("dnis", "lease_seconds", "600"),
    ("dnis", "wait_seconds", "0"),
    ("dnis", "wait_music", "false"),
    ("dnis", "otherwise", "\"101\""),
    ("dnis", "voicemail", "\"101\""),
    ("application_rules", "attributes_merge", "true"),
    ("application_rules", "max_attributes", "10"),
    ("application_rules", "empty_list_stops", "true"),
    ("application_rules", "mid_list_reports", "false"),
    ("application_rules", "leg_b_hangup_reports", "false"),
    ("application_rules", "sole_leg_hangup_reports", "true"),
    ("application_rules", "no_action_ends_call", "true"),
    ("application_rules", "invalid_replies_told", "true"),
    ("application_rules", "update_stops_speech", "true"),
    ("application_rules", "pause_answers", "false"),
    ("business", "name", "\"x\""),
    ("business", "number", "\"+15551230000\""),
    ("business", "owner", "\"+15551230001\""),
    ("business", "pin_of", "\"101\""),
    ("business", "hours", "[\"Mon-Fri 08:00-18:00\"]"),
    ("business", "time_zone", "\"Europe/Berlin\""),
    (
        "phonebook",
        "file",
        concat!("\"", env!("CARGO_MANIFEST_DIR"), "/src/check/tests/phonebook.csv\""),
    ),
    ("screen_pop", "url", "\"https://x/\"\nsecret = \"0123456789abcdef\""),
    ("screen_pop", "secret", "\"0123456789abcdef\"\nurl = \"https://x/\""),
    ("screen_pop", "ca_file", "\"/x\"\nurl = \"https://x/\"\nsecret = \"0123456789abcdef\""),
    ("screen_pop", "timeout_seconds", "9"),
    ("journal", "keep_days", "1"),
    ("journal", "keep_calls", "1"),
];

#[test]
fn equal_configurations_do_not_differ() {
    let text = "[[extension]]\nnumber = \"101\"\n";
    assert_eq!(diff(&config(text), &config(text)), []);
}

#[test]
fn a_change_of_any_key_is_told_with_when_it_takes_effect() {
    assert_eq!(OTHERWISE.len(), KEYS.len(), "each key has a line here");
    let old = config("");
    for (section, name, value) in OTHERWISE {
        let new = config(&format!("[{section}]\n{name} = {value}\n"));
        let key = KEYS.iter().find(|k| (k.section, k.name) == (section, name));
        let key = key.unwrap_or_else(|| panic!("[{section}] {name} is not in the table"));
        let what = format!("[{section}] {name} changed");
        let changes = diff(&old, &new);
        // A country brings other prefixes with it.
        assert!(changes.contains(&Change { what, effect: key.effect }), "{changes:?}");

        let in_force = new.clone().after_reload_of(&old);
        match key.effect {
            Effect::Live => assert_eq!(in_force, new, "[{section}] {name}"),
            Effect::Restart => {
                // The trunk that a key names is there at once.
                let in_force = Config { trunks: old.trunks.clone(), ..in_force };
                assert_eq!(in_force, old, "[{section}] {name}");
            }
        }
    }
}

#[test]
fn what_waits_for_a_restart_is_told_at_each_reload_until_then() {
    let running = config("");
    let new = config("[server]\nrealm = \"x\"\ndrain_seconds = 5\n");
    let both = ["[server] drain_seconds changed", "[server] realm changed (after a restart)"];
    assert_eq!(told(&running, &new), both);
    let running = new.clone().after_reload_of(&running);
    assert_eq!(told(&running, &new), both[1..]);
}

#[test]
fn lists_are_compared_item_by_item() {
    let old = config("[[extension]]\nnumber = \"101\"\n[[extension]]\nnumber = \"102\"\n");
    let udp = "[[listen]]\ntransport = \"udp\"\naddress = \"127.0.0.1:5060\"";
    for (new, expected) in [
        ("[[extension]]\nnumber = \"102\"\nname = \"Bo\"", "extension 102 changed"),
        ("[[extension]]\nnumber = \"103\"", "extension 103 added"),
        ("", "extension 101 removed"),
        ("[[group]]\nname = \"g\"\nmembers = [\"1\"]", "group g added"),
        ("[[number]]\nmatch = \"5\"\nto = \"echo\"", "[[number]] changed"),
        (udp, "[[listen]] changed (after a restart)"),
    ] {
        let (new, told) = (config(new), told(&old, &config(new)));
        assert!(told.iter().any(|text| text == expected), "{expected}: {told:?}");
        assert!(diff(&old, &new).is_sorted_by_key(|change| change.effect), "{told:?}");
        assert_eq!(new.after_reload_of(&old).listen, old.listen);
    }
}

/// The keys that the first cell of a table row names.
fn keys_of(row: &str) -> Vec<&str> {
    let cell = row.split('|').nth(1).unwrap_or_default();
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_operators_page_names_every_key_and_when_it_takes_effect() {
    let page = include_str!("../../../docs/configuration.md");
    for key in KEYS {
        let heading = format!("### [{}]\n", key.section);
        let (_, section) = page.split_once(&heading).unwrap_or_else(|| panic!("{heading}"));
        let section = section.split("\n#").next().unwrap_or_default();
        let row = section.lines().find(|row| keys_of(row).contains(&key.name));
        let row = row.unwrap_or_else(|| panic!("[{}] {} is missing", key.section, key.name));
        let when = match key.effect {
            Effect::Live => "at once",
            Effect::Restart => "restart",
        };
        assert_eq!(row.split('|').nth(3).map(str::trim), Some(when), "{row}");
    }
    let applications = ["lambda", "webhook", "connection", "bucket"];
    for list in ["listen", "trunk", "extension", "group", "number"].into_iter().chain(applications)
    {
        let problems = check_in(&format!("[[{list}]]\nqqqqq = 1\n"), Path::new("t"), &Around);
        let problems = problems.unwrap_err();
        let known =
            problems.iter().find_map(|p| p.suggestion.as_ref()?.strip_prefix("known here: "));
        let start = format!("**`[[{list}]]`**");
        let (_, item) = page.split_once(&start).unwrap_or_else(|| panic!("{start}"));
        let item = item.split("\n* ").next().unwrap_or_default();
        for key in known.expect("the keys are told").split(", ") {
            assert!(item.contains(&format!("`{key}`")), "[[{list}]] {key} is missing");
        }
    }
}
