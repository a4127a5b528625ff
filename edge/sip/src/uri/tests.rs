use super::*;

fn uri(text: &str) -> Uri {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn uris_that_are_equivalent_by_the_rfc_are() {
    // RFC 3261 §19.1.4, its examples among them.
    for (a, b) in [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("SIP:a@h", "sip:a@h"),
        ("sip:a@[2001:DB8::1]", "sip:a@[2001:db8:0::1]"),
        ("tel:+1-212-555-1212", "tel:+12125551212"),
        ("tel:7042;phone-context=example.com", "TEL:7042;Phone-Context=EXAMPLE.com"),
        ("urn:service:sos", "urn:service:sos"),
    ] {
        assert!(uri(a).equivalent(&uri(b)), "{a} {b}");
        assert!(uri(b).equivalent(&uri(a)), "{b} {a}");
    }
}

#[test]
fn uris_that_are_not_equivalent_by_the_rfc_are_not() {
    for (a, b) in [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:a@h;security=on", "sip:a@h;security=off"),
        ("sip:a@h", "sips:a@h"),
        ("sip:a@h", "sip:h"),
        ("sip:a@h", "sip:a@h;user=phone"),
        ("sip:a:pw@h", "sip:a@h"),
        ("tel:+12125551212", "tel:12125551212"),
        ("tel:7042;phone-context=a", "tel:7042;phone-context=b"),
        ("tel:7042", "tel:7042;ext=1"),
        ("tel:+1", "sip:+1@h"),
    ] {
        assert!(!uri(a).equivalent(&uri(b)), "{a} {b}");
        assert!(!uri(b).equivalent(&uri(a)), "{b} {a}");
    }
}

#[test]
fn a_uri_is_printed_as_it_was_written() {
    for text in [
        "sip:alice:secret@example.com:5070;transport=tcp;lr?Subject=a%20b",
        "sips:+1-212@[2001:db8::1]:5061;user=phone",
        "sip:user;par=u%40example.net@example.com",
        "sip:*67%23@pbx_1.example.com.",
        "sip:h",
        "tel:+1-(212)555.1212;ext=5;phone-context=+1",
        "urn:service:sos",
        "soap.beep://192.0.2.103:3002",
    ] {
        assert_eq!(uri(text).to_string(), text);
    }
}

#[test]
fn what_is_no_uri_is_refused() {
    for text in [
        "",
        "sip",
        "sip:",
        "sip:@h",
        "sip:a@",
        "sip:a b@h",
        "sip:a@h:x",
        "sip:a@h:70000",
        "sip:a@h:",
        "sip:a@h;;lr",
        "sip:a@h;",
        "sip:a@2001:db8::1",
        "sip:a@[2001:db8::1",
        "sip:a@[::g]",
        "sip:a@b@c",
        "sip:a@h;x=<y>",
        "sip:a@h\"",
        "tel:",
        "tel:;ext=1",
        "1sip:a@h",
        ":a",
        "a@h",
        "sip:a@h\r\nX: y",
        "urn:a b",
        "sip:a@.",
        "sip:a@[2001:db8:::1]",
    ] {
        assert!(text.parse::<Uri>().is_err(), "{text:?}");
    }
}

#[test]
fn a_user_is_escaped_and_decoded() {
    let built = SipUri::new(Host::Name("h".into())).with_user("a b@c:d;e%#é");
    assert_eq!(built.to_string(), "sip:a%20b%40c%3Ad%3Be%25%23%C3%A9@h");
    assert_eq!(built.user_decoded().as_deref(), Some("a b@c:d;e%#é"));
    assert_eq!(uri("sip:a%zz%4:pw@h").user_decoded().as_deref(), Some("a%zz%4"));
    assert_eq!(SipUri::new(Host::Name("h".into())).with_user("+1212").to_string(), "sip:+1212@h");
}

#[test]
fn the_transport_parameter_is_read_without_case() {
    let transport = |text: &str| uri(text).as_sip().and_then(SipUri::transport);
    assert_eq!(transport("sip:h;transport=TLS"), Some(Transport::Tls));
    assert_eq!(transport("sip:h;transport=sctp"), None);
    assert_eq!(transport("sip:h"), None);
}
