//! Full tables.

use std::time::Duration;

use super::*;
use crate::header::{HeaderName, RetryAfter};
use crate::transaction::Overloaded;

fn small() -> Config {
    Config {
        max_server: 16,
        server_reserve: 4,
        max_client: 4,
        client_reserve: 1,
        refusals_per_second: 3,
        ..Config::default()
    }
}

fn in_dialog(method: &str, branch: &str) -> Request {
    let mut request = request(method, branch, "");
    request.headers.set(HeaderName::To, "<sip:100@192.0.2.1>;tag=ours");
    request
}

#[test]
fn a_flood_of_invites_gets_503_and_leaves_room_for_calls_to_end() {
    let mut bench = Bench::with(small());
    let mut first = None;
    for i in 0..100 {
        let tx = bench.ask(&request("INVITE", &format!("z9hG4bK{i}"), ""));
        first = first.or(tx);
    }
    assert_eq!(bench.layer.counts().server, 12);
    let Message::Response(busy) = &bench.sent[0].2 else { panic!() };
    assert_eq!(busy.headers.typed::<RetryAfter>().unwrap().map(|r| r.0), Some(10));
    assert!(busy.to_tag().is_some());
    assert_eq!(bench.log(), ["0 503", "0 503", "0 503"], "no flood in return");

    // What belongs to a call goes through: BYE, re-INVITE, CANCEL, ACK.
    assert!(bench.ask(&in_dialog("BYE", "z9hG4bKbye")).is_some());
    assert!(bench.ask(&in_dialog("INVITE", "z9hG4bKre")).is_some());
    bench.ask(&request("CANCEL", "z9hG4bK0", ""));
    assert_eq!(bench.said(), ["cancel"]);
    bench.respond(first.unwrap(), answer(&request("INVITE", "z9hG4bK0", ""), 487));
    bench.ask(&request("ACK", "z9hG4bK0", ""));
    bench.ask(&request("ACK", "z9hG4bKof-a-2xx", ""));
    assert_eq!(bench.said(), ["ack"]);
}

#[test]
fn answered_requests_make_room_for_new_ones_after_t4() {
    let mut bench = Bench::with(small());
    for i in 0..12 {
        let register = request("REGISTER", &format!("z9hG4bK{i}"), "");
        let tx = bench.ask(&register).unwrap();
        bench.respond(tx, answer(&register, 200));
    }
    assert_eq!(bench.ask(&request("REGISTER", "z9hG4bKearly", "")), None);
    bench.run(Duration::from_secs(5));
    for i in 0..20 {
        let late = request("REGISTER", &format!("z9hG4bKlate{i}"), "");
        let tx = bench.ask(&late);
        assert_eq!(tx.is_some(), i < 12, "each replaces one of the old");
        if let Some(tx) = tx {
            bench.respond(tx, answer(&late, 200));
        }
    }
    assert_eq!(bench.layer.counts().server, 12);
    bench.assert_empty();
}

#[test]
fn a_storm_of_registrations_and_ending_calls_does_not_shut_out_new_calls() {
    let mut bench = Bench::with(small());
    for i in 0..12 {
        let register = request("REGISTER", &format!("z9hG4bK{i}"), "");
        let tx = bench.ask(&register).unwrap();
        bench.respond(tx, answer(&register, 200));
    }
    // Calls that end go past what is open to all.
    for i in 0..3 {
        let bye = in_dialog("BYE", &format!("z9hG4bKbye{i}"));
        let tx = bench.ask(&bye).unwrap();
        bench.respond(tx, answer(&bye, 200));
    }
    assert_eq!(bench.layer.take_refused(), 0);
    assert_eq!(bench.ask(&request("INVITE", "z9hG4bKearly", "")), None);
    assert_eq!(bench.layer.take_refused(), 1);
    bench.run(Duration::from_secs(5));
    assert!(bench.ask(&request("INVITE", "z9hG4bKcall", "")).is_some());
    assert_eq!(bench.layer.take_refused(), 0);
}

#[test]
fn a_small_table_is_not_all_reserve() {
    let config = Config { max_server: 8, max_client: 8, ..Config::default() };
    let mut bench = Bench::with(config);
    for i in 0..6 {
        assert!(bench.ask(&request("OPTIONS", &format!("z9hG4bK{i}"), "")).is_some());
    }
    assert_eq!(bench.ask(&request("OPTIONS", "z9hG4bKlast", "")), None);
    bench.send(outgoing(Method::Options), udp());
}

#[test]
fn our_own_requests_are_refused_when_full_but_not_those_of_a_call() {
    let mut bench = Bench::with(small());
    let invite = bench.send(outgoing(Method::Invite), udp());
    bench.answered(&Method::Invite, 180);
    for _ in 0..2 {
        bench.send(outgoing(Method::Options), udp());
    }
    let refused = bench.layer.send_request(bench.now, outgoing(Method::Options), udp(), &us());
    assert_eq!(refused, Err(Overloaded));
    let mut bye = outgoing(Method::Bye);
    bye.headers.set(HeaderName::To, "<sip:100@192.0.2.1>;tag=theirs");
    bench.send(bye.clone(), udp());
    assert!(bench.layer.send_request(bench.now, bye, udp(), &us()).is_err());
    assert!(bench.cancel(invite).is_some(), "a CANCEL is never refused");
    bench.assert_empty();
}

#[test]
fn a_stranger_challenged_once_leaves_nothing_behind() {
    let mut bench = Bench::new();
    let invite = request("INVITE", "z9hG4bKa", "");
    let tx = bench.ask(&invite).unwrap();
    bench.layer.respond_once(tx, answer(&invite, 401));
    bench.drain();
    assert_eq!(bench.layer.leftovers(), 0);
    bench.run(Duration::from_secs(60));
    assert_eq!(bench.log(), ["0 401"]);
}

#[test]
fn a_stranger_who_repeats_himself_is_answered_with_the_same_tag() {
    let mut bench = Bench::new();
    let invite = request("INVITE", "z9hG4bKa", "");
    for _ in 0..2 {
        let tx = bench.ask(&invite).unwrap();
        let challenge = Response::to_request(&invite, StatusCode::UNAUTHORIZED, None);
        bench.layer.respond_once(tx, challenge);
        bench.drain();
    }
    let tag = |i: usize| match &bench.sent[i].2 {
        Message::Response(response) => response.to_tag(),
        Message::Request(_) => panic!("no request was made"),
    };
    assert!(tag(0).is_some());
    assert_eq!(tag(0), tag(1));
}

#[test]
fn refused_invites_that_nobody_acknowledges_make_room_for_new_ones_after_t4() {
    let mut bench = Bench::with(small());
    for i in 0..12 {
        let invite = request("INVITE", &format!("z9hG4bK{i}"), "");
        let tx = bench.ask(&invite).unwrap();
        bench.respond(tx, answer(&invite, 486));
    }
    assert_eq!(bench.ask(&request("INVITE", "z9hG4bKearly", "")), None);
    bench.run(Duration::from_secs(5));
    for i in 0..12 {
        let late = request("INVITE", &format!("z9hG4bKlate{i}"), "");
        assert!(bench.ask(&late).is_some(), "{i}");
    }
    assert_eq!(bench.layer.counts().server, 12);
}

#[test]
fn stale_wakeups_stay_in_proportion_to_the_tables() {
    let mut bench = Bench::new();
    for i in 0..5_000 {
        let options = request("OPTIONS", &format!("z9hG4bK{i}"), "");
        let tx = bench.ask_over(&options, tcp()).unwrap();
        bench.respond(tx, answer(&options, 200));
        bench.send(outgoing(Method::Options), tcp());
        bench.answered(&Method::Options, 200);
        bench.sent.clear();
        bench.events.clear();
        assert!(bench.layer.wakeups() <= 300, "{}", bench.layer.wakeups());
    }
    bench.assert_empty();
}
