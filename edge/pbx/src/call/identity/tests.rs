//! Who is shown to whom.

use bytes::Bytes;
use offhook_sip::message::Message;

use super::*;

fn invite(more: &str) -> Request {
    let text = format!(
        "INVITE sip:101@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 3.80.16.1;branch=z9hG4bK1\r\n\
         From: \"Connect\" <sip:+15550001111@10.0.58.47>;tag=a\r\nTo: <sip:101@192.0.2.1>\r\n\
         Call-ID: c\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n{more}\r\n"
    );
    match offhook_sip::parse::datagram(Bytes::from(text)).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!(),
    }
}

fn host() -> Host {
    "192.0.2.1".parse().unwrap()
}

fn trunk_caller(more: &str) -> Caller {
    Caller::of(&invite(more), Source::Trunk("connect".into()), None)
}

#[test]
fn the_phone_shows_the_original_number_of_a_trunk_call() {
    for value in [
        "+15551234567",
        "\"+15551234567\"",
        "sip:+15551234567@x",
        "\"Ann\" <sip:+1-555-123-4567@x>;a=b",
    ] {
        let caller = trunk_caller(&format!("X-Original-Calling-Number: {value}\r\n"));
        let id = toward_phone(&caller, caller.shown_name(), &host());
        assert_eq!(id.from.to_string(), "\"+15551234567\" <sip:+15551234567@192.0.2.1>");
        let asserted = id.headers.text(&HeaderName::PAssertedIdentity).unwrap();
        assert!(asserted.contains("+15551234567"));
        let passed = id.headers.text(&HeaderName::Other("x-original-calling-number".into()));
        assert_eq!(passed.unwrap(), value);
    }
}

#[test]
fn an_application_sets_custom_headers_and_no_others() {
    for (name, may) in [
        ("X-Case", true),
        ("User-to-User", true),
        ("Diversion", true),
        ("X-Amzn-TargetArn", false),
        ("Contact", false),
        ("P-Asserted-Identity", false),
        ("Via", false),
    ] {
        assert_eq!(offhook_sma::action::may_set_header(name), may, "{name}");
    }
}

#[test]
fn without_the_header_the_phone_shows_the_caller() {
    let id = toward_phone(&trunk_caller(""), trunk_caller("").shown_name(), &host());
    assert_eq!(id.from.to_string(), "\"Connect\" <sip:+15550001111@192.0.2.1>");
    let odd = trunk_caller("X-Original-Calling-Number: <script>\r\n");
    assert_eq!(odd.original, None);
}

#[test]
fn a_phone_cannot_claim_an_original_number() {
    let request = invite("X-Original-Calling-Number: +15551234567\r\nX-Case: 7\r\n");
    let caller = Caller::of(&request, Source::Phone("102".into()), Some("Bob"));
    assert_eq!((caller.original.as_deref(), caller.number.as_str()), (None, "102"));
    let id = toward_phone(&caller, caller.shown_name(), &host());
    assert_eq!(id.from.to_string(), "\"Bob\" <sip:102@192.0.2.1>");
    let names: Vec<_> = id.headers.iter().map(|h| h.name.as_str().to_owned()).collect();
    assert_eq!(names, ["X-Case", "P-Asserted-Identity"]);
}

#[test]
fn a_trunk_gets_an_owned_number_and_the_original_in_a_header() {
    let caller = trunk_caller("X-Amzn-TargetArn: a\r\nUser-to-User: 00;encoding=hex\r\n");
    let mut trunk = test_trunk();
    let id = toward_trunk(&caller, (&trunk, &Config::default()), (None, None), &host());
    assert_eq!(id.from.to_string(), "<sip:+15559990000@192.0.2.1>");
    let original = HeaderName::Other(ORIGINAL_CALLER.into());
    assert_eq!(id.headers.text(&original).unwrap(), "+15550001111");
    assert!(id.headers.get(&HeaderName::UserToUser).is_some());
    assert!(id.headers.get(&HeaderName::Other("X-Amzn-TargetArn".into())).is_none());
    trunk.keep_caller = true;
    let id = toward_trunk(&caller, (&trunk, &Config::default()), (None, None), &host());
    assert_eq!(id.from.to_string(), "<sip:+15550001111@192.0.2.1>");
    assert!(id.headers.get(&original).is_none());
    // An application that says whom to show means it; whoever puts through only stands for it.
    for (asked, extension, shown) in [
        (Some("+15558880000"), None, "+15558880000"),
        (Some("+15550001111"), Some("+15557770000"), "+15550001111"),
        (None, Some("+15557770000"), "+15550001111"),
    ] {
        let toward = (&trunk, &Config::default());
        let id = toward_trunk(&caller, toward, (asked, extension), &host());
        assert_eq!(id.from.to_string(), format!("<sip:{shown}@192.0.2.1>"));
    }
}

#[test]
fn the_callers_own_number_given_back_is_no_wish() {
    let config = Config::default();
    let mut trunk = test_trunk();
    let original = "X-Original-Calling-Number: +15551234567\r\n";
    for (number, more, keeps, asked, shown) in [
        // Connect's number in From, the customer's beside it: the trunk's setting decides.
        ("+15550001111", original, true, Some("+15550001111"), "+15551234567"),
        ("+15550001111", original, true, None, "+15551234567"),
        ("+15550001111", original, true, Some("+15558880000"), "+15558880000"),
        ("+15550001111", original, false, Some("+15550001111"), "+15559990000"),
        // A carrier writes the number as it likes; an application is told it in full.
        ("2125550123", "", true, Some("+12125550123"), "2125550123"),
        ("2125550123", "", false, Some("+12125550123"), "+15559990000"),
        ("2125550123", "", false, Some("2125550123"), "+15559990000"),
        ("2125550123", "", false, Some("+12125550124"), "+12125550124"),
    ] {
        let mut caller = trunk_caller(more);
        caller.number = number.into();
        trunk.keep_caller = keeps;
        let id = toward_trunk(&caller, (&trunk, &config), (asked, None), &host());
        let expected = format!("<sip:{shown}@192.0.2.1>");
        assert_eq!(id.from.to_string(), expected, "{number} {more} {keeps} {asked:?}");
    }
}

#[test]
fn the_number_that_a_program_begins_a_call_with_is_a_wish() {
    // `FromPhoneNumber` of CreateSipMediaApplicationCall: nobody called who could be given back.
    let source = Source::Application("flow:main".into());
    let caller = Caller::known(source, "+15558880000", None);
    let mut trunk = test_trunk();
    for keeps in [false, true] {
        trunk.keep_caller = keeps;
        let toward = (&trunk, &Config::default());
        let id = toward_trunk(&caller, toward, (Some("+15558880000"), None), &host());
        assert_eq!(id.from.to_string(), "<sip:+15558880000@192.0.2.1>", "{keeps}");
    }
}

#[test]
fn who_is_withheld_stays_so_when_an_application_gives_the_number_back() {
    let config = Config::default();
    let mut caller = trunk_caller("Privacy: id\r\n");
    caller.number = "2125550123".into();
    for asked in ["+12125550123", "2125550123"] {
        let shown = shown_as(&caller, &config, Some(asked), Some(&Headers::new()));
        let id = toward_phone(&shown, shown.shown_name(), &host());
        assert!(!format!("{id:?}").contains("5550123"), "{id:?}");
        assert!(id.from.to_string().contains("anonymous.invalid"));
    }
    let other = shown_as(&caller, &config, Some("+12125550124"), Some(&Headers::new()));
    assert_eq!(other.shown(), "+12125550124");
}

#[test]
fn a_transaction_that_came_with_a_call_is_no_trunks_business() {
    let more = "x-transaction-id: t-9\r\nX-Sip-Media-Application-Id: a-9\r\nX-Order: 7\r\n";
    let phone = Caller::of(&invite(more), Source::Phone("102".into()), None);
    for caller in [phone, trunk_caller(more)] {
        let id = toward_trunk(&caller, (&test_trunk(), &Config::default()), (None, None), &host());
        let names: Vec<_> = id.headers.iter().map(|h| h.name.as_str().to_owned()).collect();
        assert!(names.iter().any(|name| name == "X-Order"), "{names:?}");
        assert!(!names.iter().any(|name| name.ends_with("-id") || name.ends_with("-Id")));
    }
}

#[test]
fn who_wants_to_stay_unknown_is_shown_to_nobody() {
    for more in ["Privacy: id\r\n", "Privacy: user;critical\r\n"] {
        let caller = trunk_caller(more);
        assert_eq!((caller.number.as_str(), caller.shown()), ("+15550001111", "anonymous"));
        let id = toward_phone(&caller, caller.shown_name(), &host());
        let shown = format!("{:?} {:?}", id.from, id.headers);
        assert!(!shown.contains("1111") && !shown.contains("Connect"), "{shown}");
        assert!(id.from.to_string().contains("sip:anonymous@anonymous.invalid"));
    }
    let phone = Caller::of(&invite("Privacy: id\r\n"), Source::Phone("102".into()), Some("Bob"));
    let id = toward_trunk(&phone, (&test_trunk(), &Config::default()), (None, None), &host());
    assert!(id.from.to_string().contains("anonymous.invalid"), "{}", id.from);
    let asserted = id.headers.text(&HeaderName::PAssertedIdentity).unwrap();
    assert_eq!(asserted, "<sip:+15559990000@192.0.2.1>");
    assert!(!trunk_caller("Privacy: none\r\n").private);
    // Whose call it was did not say so: our own number, which came with it, is not the caller's.
    for withheld in ["anonymous", "\"Anonymous\" <sip:anonymous@anonymous.invalid>", "Restricted"] {
        let caller = trunk_caller(&format!("X-Original-Calling-Number: {withheld}\r\n"));
        assert_eq!((caller.number.as_str(), caller.shown()), ("+15550001111", "anonymous"));
        let id = toward_phone(&caller, caller.shown_name(), &host());
        assert!(!format!("{:?}", id.from).contains("1111"), "{}", id.from);
    }
    let claim = invite("X-Original-Calling-Number: anonymous\r\n");
    assert!(!Caller::of(&claim, Source::Phone("102".into()), None).private);
    // Connect said whose call it is; that number is meant for the phone.
    let handed_back = trunk_caller("Privacy: id\r\nX-Original-Calling-Number: +15551234567\r\n");
    assert_eq!(handed_back.shown(), "+15551234567");
}

#[test]
fn a_number_that_an_application_asks_for_stands_for_who_is_withheld_too() {
    let config = Config::default();
    let caller = trunk_caller("");
    let headers = |original| {
        let mut headers = Headers::new();
        headers.push(HeaderName::Other(ORIGINAL_CALLER.into()), original);
        headers
    };
    let withheld = headers("anonymous");
    let shown = shown_as(&caller, &config, Some("+15550142000"), Some(&withheld));
    assert_eq!((shown.number.as_str(), shown.shown()), ("+15550142000", "anonymous"));
    assert_eq!(shown.name, None);
    let shown = shown_as(&caller, &config, None, Some(&withheld));
    assert_eq!((shown.number.as_str(), shown.shown()), ("+15550001111", "anonymous"));
    let said = shown_as(&caller, &config, Some("+15550142000"), Some(&headers("+15551234567")));
    assert_eq!(said.shown(), "+15551234567");
    let asked = shown_as(&caller, &config, Some("+15550142000"), Some(&Headers::new()));
    assert_eq!((asked.shown(), asked.private), ("+15550142000", false));
    assert_eq!(shown_as(&caller, &config, None, None), caller);
}

fn test_trunk() -> Trunk {
    let text = "[[trunk]]\nname = \"vc\"\ntype = \"voice_connector\"\nregion = \"us-east-1\"\n\
         host = \"abcdefghijklmnopqrstuv.voiceconnector.chime.aws\"\ncaller_id = \"+15559990000\"\n";
    let config = offhook_config::check(text, std::path::Path::new("t.toml"));
    config.unwrap().trunks.remove(0)
}

#[test]
fn a_transaction_is_believed_from_the_trunks_that_are_named_for_it() {
    let request = invite("X-Transaction-Id: t-1\r\n");
    let of = |source, trunks: Option<&str>| {
        let mut config = Config::default();
        config.cloud.trunks = trunks.map(|name| vec![name.to_owned()]);
        let caller = Caller::of(&request, source, None).from_cloud(&request, &config);
        caller.cloud.and_then(|cloud| cloud.transaction_id)
    };
    let trunk = |name: &str| Source::Trunk(name.into());
    assert_eq!(of(trunk("connect"), Some("connect")).as_deref(), Some("t-1"));
    assert_eq!(of(trunk("carrier"), Some("connect")), None);
    assert_eq!(of(trunk("connect"), None), None, "no Voice Connector");
    assert_eq!(of(Source::Phone("connect".into()), Some("connect")), None);
}
