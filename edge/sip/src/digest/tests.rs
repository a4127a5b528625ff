use std::time::{Duration, Instant};

use super::hash::{Qop, Terms, response, session_ha1};
use super::*;
use crate::header::{
    Authorization, Challenge, Credentials, HeaderName, ProxyAuthenticate, WwwAuthenticate,
};
use crate::ids::Ids;
use crate::message::{Method, Request, Response, StatusCode};
use crate::uri::{Host, Uri};

/// The address that everything comes from.
const PEER: &[u8] = b"192.0.2.9";
const REALM: &str = "office.example";

fn server() -> (Server, Instant) {
    server_with(Config::default())
}

fn server_with(config: Config) -> (Server, Instant) {
    let now = Instant::now();
    (Server::new(REALM, Ids::from_seed(1), now, config), now)
}

fn client(password: &str) -> Client {
    Client::new("101", Secret::Password(password.into()), Ids::from_seed(2))
}

fn register() -> Request {
    let uri: Uri = "sip:office.example".parse().unwrap();
    Request::new(Method::Register, uri)
}

fn refusal(challenges: Vec<Challenge>) -> Response {
    let mut response = Response::new(StatusCode::UNAUTHORIZED, None);
    for challenge in challenges {
        response.headers.push_typed(&WwwAuthenticate(challenge));
    }
    response
}

/// Accounts: 101 with the password "secret".
fn lookup(user: &str, hash: Hash) -> Option<Ha1> {
    (user == "101").then(|| Ha1::new(hash, user, REALM, "secret"))
}

fn verify(server: &mut Server, now: Instant, request: &Request) -> Verdict {
    let credentials = server.credentials(&request.headers, false).unwrap();
    judge(server, now, &request.method, &credentials, &request.uri)
}

/// As from a peer that reaches us at 192.0.2.1 or [2001:db8::1].
fn judge(
    server: &mut Server,
    now: Instant,
    method: &Method,
    credentials: &Credentials,
    uri: &Uri,
) -> Verdict {
    let names_us = |host: &Host| ["192.0.2.1", "[2001:db8::1]"].contains(&&*host.to_string());
    let asked = Asked { method, uri, names_us: &names_us };
    server.verify(now, PEER, &asked, credentials, lookup)
}

fn ok() -> Verdict {
    Verdict::Ok { user: "101".into() }
}

fn sent(request: &Request) -> Credentials {
    request.headers.typed::<Authorization>().unwrap().unwrap().0
}

/// Challenges, answers, and gives the request with the answer.
fn answered(server: &mut Server, client: &mut Client, now: Instant) -> Request {
    let mut request = register();
    client.challenged(&request, &refusal(server.challenges(now, false, PEER))).unwrap();
    client.authorize(&mut request);
    request
}

#[test]
fn the_example_of_rfc_2617_comes_out() {
    let ha1 = ha1_md5("Mufasa", "testrealm@host.com", "Circle Of Life");
    assert_eq!(ha1.as_hex(), "939e7578ed9e3c518a452acee763bce9");
    let terms = Terms {
        method: "GET",
        uri: "/dir/index.html",
        nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        qop: Some(Qop { nc: "00000001", cnonce: "0a4f113b", body: None }),
    };
    let answer = response(Hash::Md5, ha1.as_hex(), &terms);
    assert_eq!(answer, "6629fae49393a05397450978507c4ef1");
}

#[test]
fn the_examples_of_rfc_7616_come_out() {
    let terms = Terms {
        method: "GET",
        uri: "/dir/index.html",
        nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        qop: Some(Qop {
            nc: "00000001",
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            body: None,
        }),
    };
    for (hash, expected) in [
        (Hash::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
        (Hash::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let ha1 = Ha1::new(hash, "Mufasa", "http-auth@example.org", "Circle of Life");
        assert_eq!(response(hash, ha1.as_hex(), &terms), expected);
    }
}

#[test]
fn sha_256_is_offered_first_and_then_md5_with_one_unpredictable_nonce() {
    let (mut server, now) = server();
    let offers = server.challenges(now, true, PEER);
    let algorithms: Vec<_> = offers.iter().map(|c| c.param("algorithm").unwrap()).collect();
    assert_eq!(algorithms, ["SHA-256", "MD5"]);
    for offer in &offers {
        assert_eq!(offer.param("realm").as_deref(), Some(REALM));
        assert_eq!(offer.param("qop").as_deref(), Some("auth"));
        assert_eq!(offer.param("stale").as_deref(), Some("true"));
        assert!(offer.param("opaque").is_some());
        assert_eq!(offer.param("nonce"), offers[0].param("nonce"));
    }
    let next = server.challenges(now, false, PEER);
    assert_ne!(next[0].param("nonce"), offers[0].param("nonce"));
    assert!(next[0].param("stale").is_none());
}

#[test]
fn a_client_picks_the_strongest_hash_and_is_let_in() {
    let (mut server, now) = server();
    let mut client = client("secret");
    let request = answered(&mut server, &mut client, now);
    assert_eq!(sent(&request).param("algorithm").as_deref(), Some("SHA-256"));
    assert_eq!(verify(&mut server, now, &request), ok());
}

#[test]
fn a_client_that_knows_md5_only_is_let_in() {
    let (mut server, now) = server();
    let secret = Secret::Ha1(vec![ha1_md5("101", REALM, "secret")]);
    let mut client = Client::new("101", secret, Ids::from_seed(2));
    let request = answered(&mut server, &mut client, now);
    assert_eq!(sent(&request).param("algorithm").as_deref(), Some("MD5"));
    assert_eq!(verify(&mut server, now, &request), ok());
}

#[test]
fn challenges_and_wrong_answers_keep_nothing() {
    let (mut server, now) = server();
    for _ in 0..1000 {
        let request = answered(&mut server, &mut client("wrong"), now);
        assert_eq!(verify(&mut server, now, &request), Verdict::Wrong { user: "101".into() });
    }
    assert_eq!(server.remembered(), 0);
}

#[test]
fn an_unknown_user_is_told_apart_only_by_the_verdict() {
    let (mut server, now) = server();
    let secret = Secret::Password("secret".into());
    let mut stranger = Client::new("999", secret, Ids::from_seed(3));
    let request = answered(&mut server, &mut stranger, now);
    assert_eq!(verify(&mut server, now, &request), Verdict::UnknownUser);
}

#[test]
fn a_nonce_serves_many_requests_with_rising_counts_and_no_count_twice() {
    let (mut server, now) = server();
    let mut client = client("secret");
    let first = answered(&mut server, &mut client, now);
    assert_eq!(verify(&mut server, now, &first), ok());
    assert_eq!(verify(&mut server, now, &first), Verdict::Stale, "a replay");
    let mut later: Vec<Request> = (0..5).map(|_| register()).collect();
    later.iter_mut().for_each(|r| client.authorize(r));
    assert_eq!(sent(&later[4]).param("nc").as_deref(), Some("00000006"));
    // Requests overtake each other on the way.
    for i in [2, 0, 4, 1, 3] {
        assert_eq!(verify(&mut server, now, &later[i]), ok());
        assert_eq!(verify(&mut server, now, &later[i]), Verdict::Stale);
    }
    assert_eq!(server.remembered(), 1);
}

#[test]
fn a_count_that_lags_behind_the_window_is_stale() {
    let (mut server, now) = server_with(Config { nc_window: 4, ..Config::default() });
    let mut client = client("secret");
    let first = answered(&mut server, &mut client, now);
    let mut later: Vec<Request> = (0..9).map(|_| register()).collect();
    later.iter_mut().for_each(|r| client.authorize(r));
    assert_eq!(verify(&mut server, now, &later[8]), ok());
    assert_eq!(verify(&mut server, now, &later[5]), ok());
    assert_eq!(verify(&mut server, now, &later[4]), Verdict::Stale);
    assert_eq!(verify(&mut server, now, &first), Verdict::Stale);
}

#[test]
fn an_old_nonce_is_stale_and_so_is_one_of_another_run() {
    let (mut server, now) = server();
    let mut client = client("secret");
    let request = answered(&mut server, &mut client, now);
    let late = now + Duration::from_secs(301);
    assert_eq!(verify(&mut server, late, &request), Verdict::Stale);
    let mut restarted = Server::new(REALM, Ids::from_seed(77), now, Config::default());
    assert_eq!(verify(&mut restarted, now, &request), Verdict::Stale);
    assert_eq!(verify(&mut server, now, &request), ok());
}

#[test]
fn used_nonces_are_forgotten_when_they_expire() {
    let (mut server, now) = server();
    for i in 0..100 {
        let now = now + Duration::from_secs(10 * i);
        let request = answered(&mut server, &mut client("secret"), now);
        assert_eq!(verify(&mut server, now, &request), ok());
        assert!(server.remembered() <= 31);
    }
}

#[test]
fn a_nonce_forgotten_for_lack_of_room_cannot_be_replayed() {
    let (mut server, now) = server_with(Config { max_nonces: 3, ..Config::default() });
    let requests: Vec<Request> = (0..10)
        .map(|i| {
            let now = now + Duration::from_secs(i);
            let request = answered(&mut server, &mut client("secret"), now);
            assert_eq!(verify(&mut server, now, &request), ok());
            request
        })
        .collect();
    assert_eq!(server.remembered(), 3);
    let now = now + Duration::from_secs(20);
    for request in &requests {
        assert_eq!(verify(&mut server, now, request), Verdict::Stale);
    }
}

#[test]
fn a_client_without_qop_may_use_a_nonce_once() {
    let (mut server, now) = server();
    let mut offer = server.challenges(now, false, PEER).remove(1);
    offer.params.remove("qop");
    let mut request = register();
    let mut client = client("secret");
    client.challenged(&request, &refusal(vec![offer])).unwrap();
    client.authorize(&mut request);
    assert!(sent(&request).param("nc").is_none());
    assert_eq!(verify(&mut server, now, &request), ok());
    assert_eq!(verify(&mut server, now, &request), Verdict::Stale);
    let mut next = register();
    client.authorize(&mut next);
    assert!(!next.headers.has(&HeaderName::Authorization), "the nonce is used up");
}

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

#[test]
fn secrets_cannot_be_printed() {
    let ha1 = ha1_md5("101", REALM, "secret");
    let mut account = client("secret");
    answered(&mut server().0, &mut account, Instant::now());
    let printed =
        format!("{ha1:?} {:?} {account:?} {:?}", Secret::Password("secret".into()), server());
    assert!(!printed.contains("\"secret\""), "{printed}");
    assert!(!printed.contains(ha1.as_hex()));
    let sha = ha1_sha256("101", REALM, "secret");
    assert!(!printed.contains(sha.as_hex()));
}

#[test]
fn stored_hex_is_checked() {
    let ha1 = ha1_md5("101", REALM, "secret");
    assert_eq!(Ha1::from_hex(Hash::Md5, &ha1.as_hex().to_uppercase()), Some(ha1.clone()));
    assert_eq!(Ha1::from_hex(Hash::Sha256, ha1.as_hex()), None);
    assert_eq!(Ha1::from_hex(Hash::Md5, &"g".repeat(32)), None);
}

#[test]
fn a_nonce_is_worth_nothing_to_another_address() {
    let now = Instant::now();
    let mut server = Server::new(REALM, Ids::from_seed(1), now, Config::default());
    let request = register();
    for password in ["secret", "wrong"] {
        let mut client = Client::new("101", Secret::Password(password.into()), Ids::from_seed(2));
        let mut request = request.clone();
        client.challenged(&request, &refusal(server.challenges(now, false, b"else"))).unwrap();
        client.authorize(&mut request);
        assert_eq!(verify(&mut server, now, &request), Verdict::Stale);
    }
}
