//! Wrong passwords from addresses that many share, and who else is taken for a guesser.

use std::net::IpAddr;
use std::time::Duration;

use offhook_sip::digest;
use offhook_sip::header::HeaderName;
use offhook_sip::ids::Ids;
use offhook_sip::message::StatusCode;

use super::Verdict;
use super::tests::{Desk, Phone, parse};
use crate::stack::lab::{request, udp};

const OFFICE: &str = "203.0.113.5";
const CONTACT: &str = "Contact: <sip:x@10.0.0.7>\r\n";

fn address(source: &str) -> IpAddr {
    source.split(':').next().unwrap().parse().unwrap()
}

/// One REGISTER of a phone that was just plugged in.
async fn register(
    desk: &mut Desk,
    user: &'static str,
    password: &'static str,
    port: u16,
    n: u32,
) -> StatusCode {
    let mut phone = Phone::with_password(user, password, &format!("{OFFICE}:{port}"));
    phone.call_id = format!("{user}-{port}-{n}");
    desk.register(&mut phone, CONTACT).await.status
}

#[tokio::test(start_paused = true)]
async fn one_phone_with_a_wrong_password_shuts_out_none_of_the_others_behind_its_address() {
    let mut desk = Desk::new();
    assert_eq!(register(&mut desk, "102", "secret", 41_002, 0).await, StatusCode::OK);
    // Several with a slip, none of them often enough to be refused.
    for n in 200..204 {
        register(&mut desk, "101", "wrong", 41_001, n).await;
        register(&mut desk, "999", "secret", 41_003, n).await;
    }
    assert!(!desk.lab.bans.is_banned(address(OFFICE)));
    for n in 0..100 {
        let refused = register(&mut desk, "101", "wrong", 41_001, n).await;
        assert_eq!(refused, StatusCode::FORBIDDEN);
    }
    assert!(!desk.lab.bans.is_banned(address(OFFICE)));
    // It goes on, and so does another phone that comes from a new port after a power cut.
    assert_eq!(register(&mut desk, "102", "secret", 41_002, 1).await, StatusCode::OK);
    assert_eq!(register(&mut desk, "102", "secret", 49_999, 2).await, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_guesser_behind_an_offices_address_does_not_learn_that_he_guessed_right() {
    let mut desk = Desk::new();
    assert_eq!(register(&mut desk, "102", "secret", 41_002, 0).await, StatusCode::OK);
    for n in 0..5 {
        register(&mut desk, "101", "wrong", 6_666, n).await;
    }
    assert_eq!(register(&mut desk, "101", "secret", 6_666, 6).await, StatusCode::FORBIDDEN);
    // Somewhere else the same user is welcome.
    let mut phone = Phone::new("101", "203.0.113.9:5060");
    assert_eq!(desk.register(&mut phone, CONTACT).await.status, StatusCode::OK);
    // The operator mended the phone and lets it in; without him it is let in when the time is over.
    assert!(desk.lab.bans.lift(address(OFFICE)));
    assert_eq!(register(&mut desk, "101", "secret", 41_001, 7).await, StatusCode::OK);
    for n in 10..15 {
        register(&mut desk, "101", "wrong", 6_666, n).await;
    }
    // A phone that is registered goes on from where it is.
    assert_eq!(register(&mut desk, "101", "secret", 41_001, 15).await, StatusCode::OK);
    assert_eq!(register(&mut desk, "101", "secret", 6_666, 16).await, StatusCode::FORBIDDEN);
    tokio::time::sleep(Duration::from_secs(601)).await;
    assert_eq!(register(&mut desk, "101", "secret", 6_666, 17).await, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_scanner_whose_address_has_no_phone_is_banned_whomever_it_tries() {
    let mut desk = Desk::new();
    for (n, user) in ["101", "102", "999", "998", "101"].into_iter().enumerate() {
        assert!(!desk.lab.bans.is_banned(address(OFFICE)), "{n}");
        register(&mut desk, user, "wrong", 5_060, n as u32).await;
    }
    assert!(desk.lab.bans.is_banned(address(OFFICE)));
}

#[tokio::test(start_paused = true)]
async fn a_user_of_ones_own_buys_no_guesses_at_others() {
    let desk = Desk::new();
    let source = "203.0.113.66:5060";
    for n in 0..4 {
        assert!(!desk.lab.bans.is_banned(address(source)), "{n}");
        for (user, password) in [("102", "secret"), ("101", "wrong")] {
            call(&desk, source, user, password, n);
        }
    }
    assert!(desk.lab.bans.is_banned(address(source)));
}

/// Calls with digest without having registered; the challenge is heard late.
fn call(desk: &Desk, source: &str, user: &'static str, password: &str, n: u32) -> Verdict {
    let secret = digest::Secret::Password(password.into());
    let mut client = digest::Client::new(user, secret, Ids::from_seed(3));
    let invite = |seq| {
        parse(&request("INVITE", "sip:102@192.0.2.1", source, &format!("{user}{n}"), seq, ""))
    };
    let first = invite(1);
    let mut asked = None;
    // T1 passes seven times before the challenge is heard.
    for _ in 0..7 {
        asked = Some(desk.auth.authenticate(&first, &udp(source)));
    }
    let Some(Verdict::Challenge(challenge)) = asked else { panic!("{asked:?}") };
    client.challenged(&first, &challenge).unwrap();
    let mut second = invite(2);
    client.authorize(&mut second);
    assert!(second.headers.has(&HeaderName::Authorization));
    desk.auth.authenticate(&second, &udp(source))
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_never_registers_may_call_as_often_as_it_likes() {
    let desk = Desk::new();
    for n in 0..50 {
        let verdict = call(&desk, "203.0.113.8:5060", "101", "secret", n);
        assert!(matches!(verdict, Verdict::Extension(_)), "{n}: {verdict:?}");
        assert!(!desk.lab.bans.is_banned("203.0.113.8".parse().unwrap()));
    }
}
