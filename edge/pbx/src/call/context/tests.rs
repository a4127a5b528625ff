use std::path::Path;

use offhook_config::{Surroundings, System, check_in};

use super::*;

fn headers(lines: &[(&str, &str)]) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in lines {
        headers.push(HeaderName::parse(name.as_bytes()).unwrap(), (*value).to_owned());
    }
    headers
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn of(lines: &[(&str, &str)]) -> BTreeMap<String, String> {
    attributes([&headers(lines)])
}

#[test]
fn what_connect_sends_along_are_headers_and_the_members_of_user_to_user() {
    let uui = hex(r#"{"Queue": "sales", "Reason": "a refund", "Age": 7, "deep": {"a": 1}}"#);
    let told = of(&[
        ("X-Reason", " a human "),
        ("X-VoiceConnector-ID", "abc"),
        ("X-Amzn-ConnectContactId", "c-1"),
        ("X-Original-Calling-Number", "+1"),
        ("User-to-User", &format!("{uui};encoding=hex")),
        ("Diversion", "<sip:1@x>"),
    ]);
    let wanted =
        [("Age", "7"), ("Queue", "sales"), ("Reason", "a refund"), ("X-Reason", "a human")];
    let wanted = wanted.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(told, BTreeMap::from(wanted));
    assert_eq!(queue(&told), Some("sales"));
    // With the octet that ISDN puts before it, and without a parameter.
    let told = of(&[("User-to-User", &format!("04{}", hex(r#"{"a":"b"}"#)))]);
    assert_eq!(told.get("a").map(String::as_str), Some("b"));
    // What is no JSON is told as it is.
    let told = of(&[("User-to-User", "48656c6c6f;encoding=hex")]);
    assert_eq!(told.get("User-to-User").map(String::as_str), Some("48656c6c6f;encoding=hex"));
}

#[test]
fn what_is_sent_along_is_bounded() {
    let long = "a".repeat(MOST_VALUE + 1);
    assert!(of(&[("X-Long", &long)]).is_empty());
    let names: Vec<String> = (0..60).map(|n| format!("X-{n}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(of(&many).len(), MOST);
    let large = "b".repeat(MOST_VALUE);
    let large: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), large.as_str())).collect();
    let octets: usize = of(&large).iter().map(|(n, v)| n.len() + v.len()).sum();
    assert!(octets <= MOST_OCTETS, "{octets}");
    for odd in ["zz;encoding=hex", "7b;encoding=hex", "7", ";", "", "7b7d;encoding=utf8"] {
        of(&[("User-to-User", odd)]);
    }
}

/// A phonebook.
struct Around;

impl Surroundings for Around {
    fn env(&self, name: &str) -> Option<String> {
        System.env(name)
    }

    fn read(&self, _: &Path) -> std::io::Result<String> {
        Ok("Acme \"Tools\"\r,(206) 555-0123\n".into())
    }

    fn is_file(&self, _: &Path) -> bool {
        true
    }

    fn has_extension(&self, _: &Config, _: &str) -> Option<bool> {
        None
    }
}

fn config() -> Config {
    let text = "[dialplan]\ncountry_code = \"1\"\n[phonebook]\nfile = \"book.csv\"\n";
    check_in(text, Path::new("t.toml"), &Around).unwrap()
}

fn caller(number: &str, original: Option<&str>) -> Caller {
    let mut caller = Caller::known(Source::Trunk("line".into()), number, None);
    caller.original = original.map(str::to_owned);
    caller
}

#[test]
fn a_display_has_the_phonebooks_name_for_who_really_calls_and_the_queue() {
    let config = config();
    let shown = |caller: &Caller, queue| display(&config, caller, queue);
    let known = caller("+12065550123", None);
    assert_eq!(shown(&known, None).as_deref(), Some("Acme \"Tools\""));
    let known = caller("+15550100199", Some("2065550123"));
    assert_eq!(shown(&known, Some("sales")).as_deref(), Some("Acme \"Tools\" (sales)"));
    let unknown = caller("+15550100199", Some("+12065550199"));
    assert_eq!(shown(&unknown, Some("sales")).as_deref(), Some("+12065550199 (sales)"));
    assert_eq!(shown(&caller("+12065550199", None), None), None);
    let hidden = Caller { private: true, ..caller("+12065550123", None) };
    assert_eq!(shown(&hidden, Some("sales")), None);
    let endless = "q".repeat(500);
    let long = shown(&unknown, Some(&endless)).unwrap();
    assert_eq!(long.chars().count(), MOST_DISPLAY);
    assert_eq!(
        shown(&unknown, Some("a\r\nX-Evil: 1")).as_deref(),
        Some("+12065550199 (aX-Evil: 1)")
    );
}
