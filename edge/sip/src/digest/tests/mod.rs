//! Digest authentication: [`client`] is the challenged side, [`credentials`] what it may send.

use std::time::{Duration, Instant};

use super::hash::{Qop, Terms, response, session_ha1};
use super::*;
use crate::header::{
    Authorization, Challenge, Credentials, HeaderName, ProxyAuthenticate, WwwAuthenticate,
};
use crate::ids::Ids;
use crate::message::{Method, Request, Response, StatusCode};
use crate::uri::{Host, Uri};

mod client;
mod credentials;

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
