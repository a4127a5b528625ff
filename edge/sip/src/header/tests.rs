use super::*;
use crate::flow::Transport;
use crate::message::Method;
use crate::uri::{Host, HostPort, Uri};

fn headers(list: &[(&str, &str)]) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in list {
        headers.push(HeaderName::parse(name.as_bytes()).unwrap(), *value);
    }
    headers
}

fn values(headers: &Headers, name: &HeaderName) -> Vec<String> {
    headers.get_all(name).map(|v| v.to_text().into_owned()).collect()
}

#[test]
fn every_known_name_is_found_by_its_own_text_in_any_case() {
    for name in HeaderName::KNOWN {
        assert_eq!(HeaderName::parse(name.as_str().as_bytes()).as_ref(), Some(name));
        let upper = name.as_str().to_ascii_uppercase();
        assert_eq!(HeaderName::parse(upper.as_bytes()).as_ref(), Some(name));
    }
}

#[test]
fn compact_names_are_their_long_ones_and_unknown_names_compare_without_case() {
    for (compact, long) in
        [("v", "Via"), ("I", "call-id"), ("m", "Contact"), ("x", "Session-Expires")]
    {
        assert_eq!(HeaderName::parse(compact.as_bytes()), HeaderName::parse(long.as_bytes()));
    }
    assert_eq!(HeaderName::parse(b"X-Foo"), HeaderName::parse(b"x-fOO"));
    assert_ne!(HeaderName::parse(b"X-Foo"), HeaderName::parse(b"X-Fop"));
    assert_eq!(HeaderName::parse(b"X Foo"), None);
    assert_eq!(HeaderName::parse(b""), None);
}

#[test]
fn setting_keeps_the_place_of_the_first() {
    let mut list = headers(&[("Route", "<sip:a>"), ("To", "x"), ("Route", "<sip:b>"), ("To", "y")]);
    list.set(HeaderName::Route, "<sip:c>");
    let names: Vec<&str> = list.iter().map(|h| h.name.as_str()).collect();
    assert_eq!(names, ["Route", "To", "To"]);
    assert_eq!(values(&list, &HeaderName::Route), ["<sip:c>"]);
    list.set(HeaderName::Expires, "5");
    assert_eq!(list.len(), 4);
    assert!(list.remove(&HeaderName::To));
    assert!(!list.remove(&HeaderName::To));
    assert_eq!(list.remove_first(&HeaderName::Route).unwrap().to_text(), "<sip:c>");
}

#[test]
fn a_value_can_never_begin_another_field() {
    assert_eq!(HeaderValue::from("a\r\nEvil: b").to_text(), "a  Evil: b");
    assert_eq!(quote("a\r\n\"b\"\\"), "\"a  \\\"b\\\"\\\\\"");
}

#[test]
fn octets_that_are_no_utf8_are_taken_for_latin1() {
    assert_eq!(HeaderValue::new(&b"J\xf6rg"[..]).to_text(), "Jörg");
}

#[test]
fn lists_are_split_at_commas_outside_quotes_and_brackets() {
    let list =
        headers(&[("Contact", "\"a, \\\"b\" <sip:a,b@h>;x=\"1,2\", sip:c@h"), ("m", "<sip:d@h>")]);
    let users: Vec<String> = list
        .typed_list::<Contact>()
        .unwrap()
        .iter()
        .map(|c| c.uri().unwrap().user_decoded().unwrap().into_owned())
        .collect();
    assert_eq!(users, ["a,b", "c", "d"]);
    assert!(headers(&[("Contact", "<sip:a@h>,")]).typed_list::<Contact>().is_err());
}

#[test]
fn tokens_of_all_fields_are_one_list() {
    let list = headers(&[("Supported", "100rel, timer,"), ("k", ""), ("Supported", "replaces")]);
    let supported: Supported = list.typed().unwrap().unwrap();
    assert_eq!(supported.to_string(), "100rel, timer, replaces");
    assert!(supported.has("TIMER"));
    assert_eq!(list.typed::<Require>(), Ok(None));
    let allow: Allow = headers(&[("Allow", "INVITE, bye")]).typed().unwrap().unwrap();
    assert!(allow.has_method(&Method::Invite) && !allow.has_method(&Method::Bye));
}

#[test]
fn the_first_value_is_changed_or_taken_and_the_rest_stays() {
    let mut list = headers(&[
        ("Via", "SIP/2.0/UDP a;branch=1;rport, SIP/2.0/TCP b"),
        ("Via", "SIP/2.0/TLS c"),
    ]);
    let mut via: Via = list.typed().unwrap().unwrap();
    via.stamp("192.0.2.1:5062".parse().unwrap());
    list.set_first_typed(&via);
    assert_eq!(
        values(&list, &HeaderName::Via),
        ["SIP/2.0/UDP a;branch=1;rport=5062;received=192.0.2.1, SIP/2.0/TCP b", "SIP/2.0/TLS c"]
    );
    list.remove_first_value(&HeaderName::Via);
    assert_eq!(values(&list, &HeaderName::Via), ["SIP/2.0/TCP b", "SIP/2.0/TLS c"]);
    list.remove_first_value(&HeaderName::Via);
    assert_eq!(values(&list, &HeaderName::Via), ["SIP/2.0/TLS c"]);
}

#[test]
fn a_via_is_stamped_only_where_it_must_be() {
    let stamped = |text: &str| {
        let mut via = Via::parse_value(text).unwrap();
        via.stamp("192.0.2.1:5062".parse().unwrap());
        via.to_string()
    };
    // RFC 3261 §18.2.1, RFC 3581 §4.
    assert_eq!(stamped("SIP/2.0/UDP 192.0.2.1:9"), "SIP/2.0/UDP 192.0.2.1:9");
    assert_eq!(stamped("SIP/2.0/UDP h"), "SIP/2.0/UDP h;received=192.0.2.1");
    assert_eq!(
        stamped("SIP/2.0/UDP 192.0.2.1;rport"),
        "SIP/2.0/UDP 192.0.2.1;rport=5062;received=192.0.2.1"
    );
    let host = HostPort::new(Host::Name("h".into()), Some(5060));
    let ours = Via::new(Transport::Tcp, host, "z9hG4bKx");
    assert_eq!(ours.to_string(), "SIP/2.0/TCP h:5060;branch=z9hG4bKx;rport");
    assert_eq!(ours.rport(), Some(None));
}

#[test]
fn malformed_vias_are_refused() {
    for text in [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ",
        "SIP/2.0 h",
        "SIP/3.0/UDP h",
        "HTTP/2.0/UDP h",
        "SIP/2.0/UDP h;",
        "SIP/2.0/UDP h;;x",
        "SIP/2.0/UDP h x",
        "SIP/2.0/UDP h:99999",
        "SIP/2.0/UDP 2001:db8::1",
        "SIP/2.0/UDP h;x=\"y",
    ] {
        assert!(Via::parse_value(text).is_err(), "{text:?}");
    }
    let spaced = Via::parse_value("SIP / 2.0 / TCP first.example.com: 4000;ttl=16").unwrap();
    assert_eq!(spaced.sent_by.to_string(), "first.example.com:4000");
}

#[test]
fn malformed_addresses_are_refused() {
    for text in [
        "",
        "<sip:a@h",
        "sip:a@h>",
        "\"x <sip:a@h>",
        "\"x\" sip:a@h",
        "x\"y\" <sip:a@h>",
        "a, b <sip:a@h>",
        "<sip:a@h>, <sip:b@h>",
        "<sip:a@h>;tag=1, <sip:b@h>",
        "<sip:a@h> x",
        "<sip:a@h>;",
        "<>",
        "sip:a@h?x=y",
        "a@h",
        "<sip:a@h>;tag=\"1",
        "<sip:a@h><sip:b@h>",
    ] {
        assert!(To::parse_value(text).is_err(), "{text:?}");
    }
}

#[test]
fn tolerable_addresses_are_read() {
    for (text, display, uri, tag) in [
        ("<sip:a@h>;transport=UDP", None, "sip:a@h", None),
        ("sip:a@h;tag=1", None, "sip:a@h", Some("1")),
        ("J. R. (Bob) Smith <sip:a@h>;tag=1", Some("J. R. (Bob) Smith"), "sip:a@h", Some("1")),
        ("Jörg<tel:+49;ext=1> ; TAG = x", Some("Jörg"), "tel:+49;ext=1", Some("x")),
        ("\"\" <sip:a@h>;tag=", None, "sip:a@h", None),
        ("< sip:a@h >", None, "sip:a@h", None),
        (
            "\"a;tag=no <sip:x>\" <sip:a@h;tag=no>;tag=yes",
            Some("a;tag=no <sip:x>"),
            "sip:a@h;tag=no",
            Some("yes"),
        ),
    ] {
        let to = To::parse_value(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(to.display.as_deref(), display, "{text}");
        assert_eq!((to.uri.to_string().as_str(), to.tag()), (uri, tag), "{text}");
        let mut request = crate::message::Request::new(Method::Bye, "sip:h".parse().unwrap());
        request.headers.push(HeaderName::To, text);
        assert_eq!(request.to_tag().as_deref(), tag, "{text}: the short cut finds the same tag");
    }
}

#[test]
fn contacts_tell_their_expiry_and_preference() {
    let contact = |text: &str| Contact::parse_value(text).unwrap();
    assert_eq!(contact("*"), Contact::Star);
    assert_eq!(contact("<sip:a@h>").expires(), None);
    assert_eq!(contact("<sip:a@h>;expires=0").expires(), Some(0));
    assert_eq!(contact("<sip:a@h>;expires=soon").expires(), Some(3600));
    assert_eq!(contact("<sip:a@h>;expires=\"0\"").expires(), Some(0), "quoted as of old");
    assert_eq!(contact("<sip:a@h>;expires=99999999999").expires(), Some(u32::MAX));
    for (text, q) in
        [("0.7", 700), ("1.000", 1000), ("0", 0), ("1.1", 1000), ("x", 1000), ("0.25", 250)]
            .into_iter()
            .chain([("\"0.5\"", 500), ("0.12345", 123), ("0.", 0), ("0.1x", 1000)])
    {
        assert_eq!(contact(&format!("<sip:a@h>;q={text}")).q(), q, "{text}");
    }
}

/// Reads, prints, and gives the value for closer looks.
fn same<T: TypedHeader>(text: &str) -> T {
    let value = T::parse_value(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(value.to_string(), text);
    value
}

#[test]
fn values_of_extensions_are_read_and_printed() {
    let expires: SessionExpires = same("1800;refresher=uas");
    assert_eq!((expires.delta, expires.refresher), (1800, Some(Refresher::Uas)));
    assert_eq!(same::<MinSe>("90").0, 90);
    assert_eq!(same::<RSeq>("988789").0, 988_789);
    let rack: RAck = same("776656 1 INVITE");
    assert_eq!((rack.rseq, rack.cseq, rack.method), (776_656, 1, Method::Invite));
    let replaces: Replaces =
        same("425928@bobster.example.org;to-tag=7743;from-tag=6472;early-only");
    assert!(replaces.early_only && &*replaces.to_tag == "7743");
    let event: Event = same("dialog;id=7;include-session-description");
    assert_eq!((&*event.package, event.id.as_deref()), ("dialog", Some("7")));
    let state: SubscriptionState = same("terminated;reason=timeout;retry-after=5");
    assert_eq!((state.state, state.retry_after), (SubState::Terminated, Some(5)));
    let reason: Reason = same("Q.850;cause=16;text=\"Terminated, ok\"");
    assert_eq!((reason.cause(), reason.text().as_deref()), (Some(16), Some("Terminated, ok")));
    assert_eq!(
        Reason::new("SIP", 200, "Call completed elsewhere").to_string(),
        "SIP;cause=200;text=\"Call completed elsewhere\""
    );
    let warning: Warning = same("307 isi.edu \"Session parameter 'foo' not understood\"");
    assert_eq!(warning.code, 307);
    assert!(same::<ContentType>("multipart/mixed;boundary=\"a b\"").is("Multipart", "MIXED"));
    assert_eq!(RetryAfter::parse_value("18000;duration=3600"), Ok(RetryAfter(18000)));
    assert_eq!(RetryAfter::parse_value("120 (I'm in a meeting)"), Ok(RetryAfter(120)));
    let diversion: Diversion = same("\"A\" <tel:+1212>;reason=no-answer;counter=1");
    assert!(matches!(diversion.uri, Uri::Tel(_)));
}

#[test]
fn malformed_values_of_extensions_are_refused() {
    assert!(SessionExpires::parse_value("1800;refresher=me").is_err());
    assert!(SessionExpires::parse_value("x").is_err());
    assert!(RAck::parse_value("1 2").is_err() && RAck::parse_value("1 2 INVITE x").is_err());
    assert!(Replaces::parse_value("a@b;to-tag=1").is_err());
    assert!(CSeq::parse_value("1").is_err() && CSeq::parse_value("+1 BYE").is_err());
    assert!(CSeq::parse_value("4294967296 BYE").is_err() && CSeq::parse_value("1BYE").is_err());
    assert!(CallId::parse_value("a b").is_err() && CallId::parse_value("").is_err());
    assert!(Warning::parse_value("307 isi.edu text").is_err());
    assert!(ContentType::parse_value("application").is_err());
    assert!(Expires::parse_value("-1").is_err() && Expires::parse_value("").is_err());
}

#[test]
fn challenges_and_credentials_keep_their_parameters() {
    let text = "Digest realm=\"a \\\"b\\\", c\", nonce=\"x\", algorithm=MD5, qop=\"auth,auth-int\"";
    let WwwAuthenticate(challenge) = same(text);
    assert!(challenge.is("digest"));
    assert_eq!(challenge.param("realm").as_deref(), Some("a \"b\", c"));
    assert_eq!(challenge.param("QOP").as_deref(), Some("auth,auth-int"));
    let list = headers(&[("WWW-Authenticate", text), ("WWW-Authenticate", "Digest realm=\"z\"")]);
    assert_eq!(list.typed_list::<WwwAuthenticate>().unwrap().len(), 2);
    assert!(Authorization::parse_value("Digest username").is_err());
    assert!(Authorization::parse_value("Digest a=\"b\" c=d").is_err());
    assert!(Authorization::parse_value("Digest a=\"b").is_err());
}
