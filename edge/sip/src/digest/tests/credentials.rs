//! What credentials may look like, and what they may not.

use super::*;

#[test]
fn the_uri_of_credentials_may_name_us_in_any_way_but_nobody_else() {
    let (mut server, now) = server();
    for (claimed, request_uri, verdict) in [
        ("sip:office.example", "sip:office.example", ok()),
        ("sip:office.example", "sip:OFFICE.example:5060;transport=udp", ok()),
        ("sip:office.example", "sips:office.example", ok()),
        ("sip:192.0.2.1:5060", "sip:office.example", ok()),
        ("sip:[2001:db8::1]", "sip:office.example;maddr=192.0.2.1", ok()),
        // sipp names the host alone, whoever is called.
        ("sip:192.0.2.1:5060", "sip:102@office.example", ok()),
        // Some phones put their own address into a REGISTER.
        ("sip:101@office.example", "sip:office.example", ok()),
        ("sip:*97@office.example;user=phone", "sip:%2A97@192.0.2.1", ok()),
        ("tel:+1-212-555-0101", "sip:+12125550101@192.0.2.1;user=phone", ok()),
        ("sip:102@office.example", "sip:+19005550101@office.example", Verdict::Malformed),
        ("sip:102@office.example", "sip:office", ok()),
        // One of ours that a gateway replaced.
        ("sip:102@OFFICE.example", "sip:102@10.0.0.5", ok()),
        ("sip:102@192.0.2.1:5070;transport=tcp", "sip:102@pbx.example", ok()),
        ("sip:pbx.example", "sip:pbx.example", ok()),
        ("sip:192.0.2.1:5060", "tel:+12125550101", ok()),
        // What was answered to somebody else.
        ("sip:102@elsewhere.example", "sip:102@office.example", Verdict::Malformed),
        ("sip:elsewhere.example", "sip:office.example", Verdict::Malformed),
        ("sip:attacker.example", "sip:+19005550101@office.example", Verdict::Malformed),
        ("sip:attacker.example", "sip:+19005550101@attacker.example", Verdict::Malformed),
        ("sip:+1900@attacker.example", "sip:+1900@attacker.example", Verdict::Malformed),
        ("sip:198.51.100.66:5060", "sip:+19005550101@192.0.2.1", Verdict::Malformed),
        ("sip:+19005550101@198.51.100.66", "sip:+19005550101@192.0.2.1", Verdict::Malformed),
        ("tel:+12125550101", "sip:office.example", Verdict::Malformed),
        ("tel:+12125550101", "sip:+19005550101@office.example", Verdict::Malformed),
        ("sip:attacker.example", "tel:+19005550101", Verdict::Malformed),
        ("/", "sip:office.example", Verdict::Malformed),
        ("urn:x", "sip:office.example", Verdict::Malformed),
    ] {
        let mut request = register();
        let mut client = client("secret");
        client.challenged(&request, &refusal(server.challenges(now, false, PEER))).unwrap();
        match claimed.parse() {
            Ok(claimed) => request.uri = claimed,
            Err(_) => request.uri = Uri::Other(claimed.into()),
        }
        client.authorize(&mut request);
        request.uri = request_uri.parse().unwrap();
        assert_eq!(verify(&mut server, now, &request), verdict, "{claimed} {request_uri}");
    }
}

#[test]
fn credentials_are_read_however_they_are_quoted_and_spelled() {
    let (mut server, now) = server();
    for spelling in ["md5", "\"MD5\"", "\"md5\""] {
        let mut offers = server.challenges(now, false, PEER);
        let mut request = register();
        let mut client = client("secret");
        client.challenged(&request, &refusal(offers.split_off(1))).unwrap();
        client.authorize(&mut request);
        let mut credentials = sent(&request);
        credentials.scheme = "digest".into();
        credentials.params.set("algorithm", Some(spelling));
        credentials.params.set("qop", Some("\"auth\""));
        credentials.params.set("NC", Some("\"00000001\""));
        let response = credentials.param("response").unwrap().to_uppercase();
        credentials.params.set_quoted("response", &response);
        request.headers.set_typed(&Authorization(credentials));
        assert_eq!(verify(&mut server, now, &request), ok(), "{spelling}");
    }
}

#[test]
fn an_answer_of_a_session_algorithm_is_as_good_as_a_plain_one() {
    let (mut server, now) = server();
    for (at, algorithm) in [(0, "SHA-256-sess"), (1, "MD5-sess")] {
        for (password, verdict) in [("secret", ok()), ("x", Verdict::Wrong { user: "101".into() })]
        {
            let mut offer = server.challenges(now, false, PEER).remove(at);
            offer.params.set("algorithm", Some(algorithm));
            let mut request = register();
            let mut client = client(password);
            client.challenged(&request, &refusal(vec![offer])).unwrap();
            client.authorize(&mut request);
            assert_eq!(verify(&mut server, now, &request), verdict, "{algorithm}");
        }
    }
}

#[test]
fn a_challenge_with_an_empty_qop_is_answered_as_of_old() {
    let mut client = client("secret");
    let mut request = register();
    let offer = "Digest realm=\"r\", nonce=\"n\", qop=\"\"".parse().unwrap();
    client.challenged(&request, &refusal(vec![offer])).unwrap();
    client.authorize(&mut request);
    assert!(sent(&request).param("qop").is_none());
}

#[test]
fn credentials_that_lack_something_are_malformed() {
    let (mut server, now) = server();
    for missing in ["username", "nonce", "uri", "response", "nc", "cnonce"] {
        let request = answered(&mut server, &mut client("secret"), now);
        let mut credentials = sent(&request);
        credentials.params.remove(missing);
        let uri = request.uri.clone();
        let verdict = judge(&mut server, now, &Method::Register, &credentials, &uri);
        assert_eq!(verdict, Verdict::Malformed, "{missing}");
    }
    for (name, value) in
        [("algorithm", "SHA-512-256"), ("algorithm", "SHA-1"), ("qop", "auth-int"), ("nc", "x")]
    {
        let request = answered(&mut server, &mut client("secret"), now);
        let mut credentials = sent(&request);
        credentials.params.set(name, Some(value));
        let uri = request.uri.clone();
        let verdict = judge(&mut server, now, &Method::Register, &credentials, &uri);
        assert_eq!(verdict, Verdict::Malformed, "{name}={value}");
    }
}

#[test]
fn credentials_for_another_realm_are_passed_over() {
    let (mut server, now) = server();
    let mut request = answered(&mut server, &mut client("secret"), now);
    let mut other = sent(&request);
    other.params.set_quoted("realm", "elsewhere.example");
    request.headers.push_front(HeaderName::Authorization, "Digest garbage=");
    request.headers.push_front_typed(&Authorization(other));
    assert_eq!(verify(&mut server, now, &request), ok());
    assert!(server.credentials(&request.headers, true).is_none());
}
