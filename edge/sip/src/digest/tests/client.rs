//! The side that is challenged.

use super::*;

#[test]
fn a_wrong_password_is_tried_once() {
    let (mut server, now) = server();
    let mut client = client("wrong");
    let request = answered(&mut server, &mut client, now);
    let again = refusal(server.challenges(now, false, PEER));
    assert_eq!(client.challenged(&request, &again), Err(Refused::WrongPassword));
}

#[test]
fn a_stale_nonce_is_replaced_but_not_for_ever() {
    let (mut server, now) = server();
    let mut client = client("secret");
    let mut request = answered(&mut server, &mut client, now);
    let mut rounds = 0;
    let end = loop {
        match client.challenged(&request, &refusal(server.challenges(now, true, PEER))) {
            Ok(()) => rounds += 1,
            Err(refused) => break refused,
        }
        client.authorize(&mut request);
    };
    assert_eq!((rounds, end), (2, Refused::AlwaysStale));
}

#[test]
fn a_reused_nonce_that_is_refused_without_stale_is_replaced() {
    let (mut server, now) = server();
    let mut client = client("secret");
    answered(&mut server, &mut client, now);
    let mut second = register();
    client.authorize(&mut second);
    assert_eq!(sent(&second).param("nc").as_deref(), Some("00000002"));
    assert_eq!(client.challenged(&second, &refusal(server.challenges(now, false, PEER))), Ok(()));
    client.authorize(&mut second);
    assert_eq!(sent(&second).param("nc").as_deref(), Some("00000001"));
    assert_eq!(verify(&mut server, now, &second), ok());
}

#[test]
fn what_cannot_be_answered_is_not() {
    let mut client = client("secret");
    let offer = |text: &str| refusal(vec![text.parse().unwrap()]);
    for (response, refused) in [
        (Response::new(StatusCode::FORBIDDEN, None), Refused::NoChallenge),
        (Response::new(StatusCode::UNAUTHORIZED, None), Refused::NoChallenge),
        (offer("Basic realm=\"r\""), Refused::Unsupported),
        (offer("Digest realm=\"r\", nonce=\"n\", algorithm=SHA3"), Refused::Unsupported),
        (offer("Digest realm=\"r\", nonce=\"n\", qop=\"auth-conf\""), Refused::Unsupported),
        (offer("Digest realm=\"r\""), Refused::Unsupported),
    ] {
        assert_eq!(client.challenged(&register(), &response), Err(refused), "{response:?}");
    }
}

#[test]
fn a_proxy_and_a_registrar_can_both_be_answered() {
    let mut client = client("secret");
    let mut request = register();
    let mut proxy = Response::new(StatusCode::PROXY_AUTHENTICATION_REQUIRED, None);
    let challenge = |realm: &str| -> Challenge {
        format!("Digest realm=\"{realm}\", nonce=\"n-{realm}\", qop=\"auth\"").parse().unwrap()
    };
    proxy.headers.push_typed(&ProxyAuthenticate(challenge("p")));
    client.challenged(&request, &proxy).unwrap();
    client.authorize(&mut request);
    client.challenged(&request, &refusal(vec![challenge("r")])).unwrap();
    client.authorize(&mut request);
    assert_eq!(request.headers.get_all(&HeaderName::ProxyAuthorization).count(), 1);
    assert_eq!(request.headers.get_all(&HeaderName::Authorization).count(), 1);
}

#[test]
fn session_algorithms_and_body_protection_are_answered() {
    let mut client = client("secret");
    let mut request = register();
    request.body = "v=0\r\n".into();
    let offer = "Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\", algorithm=SHA-256-sess";
    client.challenged(&request, &refusal(vec![offer.parse().unwrap()])).unwrap();
    client.authorize(&mut request);
    let credentials = sent(&request);
    let cnonce = credentials.param("cnonce").unwrap();
    let ha1 = ha1_sha256("101", "r", "secret");
    let ha1 = session_ha1(Hash::Sha256, ha1.as_hex(), "n", &cnonce);
    let terms = Terms {
        method: "REGISTER",
        uri: "sip:office.example",
        nonce: "n",
        qop: Some(Qop { nc: "00000001", cnonce: &cnonce, body: Some(b"v=0\r\n") }),
    };
    let expected = response(Hash::Sha256, &ha1, &terms);
    assert_eq!(credentials.param("response").as_deref(), Some(&*expected));
    assert_eq!(credentials.param("qop").as_deref(), Some("auth-int"));
}

#[test]
fn the_next_nonce_of_a_success_is_used() {
    let (mut server, now) = server();
    let mut client = client("secret");
    answered(&mut server, &mut client, now);
    let mut ok = Response::new(StatusCode::OK, None);
    ok.headers.push(HeaderName::AuthenticationInfo, "nextnonce=\"fresh\"");
    client.accepted(&ok);
    let mut next = register();
    client.authorize(&mut next);
    assert_eq!(sent(&next).param("nonce").as_deref(), Some("fresh"));
    assert_eq!(sent(&next).param("nc").as_deref(), Some("00000001"));
}
