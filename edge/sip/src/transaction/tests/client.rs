//! Requests we send.

use std::time::Duration;

use super::*;
use crate::header::{HeaderName, Via};

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

#[test]
fn an_invite_is_retransmitted_at_doubling_intervals_until_timer_b() {
    let mut bench = Bench::new();
    bench.send(outgoing(Method::Invite), udp());
    bench.run(secs(40));
    let times = [0, 500, 1500, 3500, 7500, 15_500, 31_500];
    assert_eq!(bench.log(), times.map(|at| format!("{at} INVITE")));
    assert_eq!(bench.said(), ["timeout", "terminated"]);
    bench.assert_empty();
}

#[test]
fn nothing_is_retransmitted_over_tcp_and_timers_b_and_f_still_run() {
    for method in [Method::Invite, Method::Options] {
        let mut bench = Bench::new();
        bench.send(outgoing(method.clone()), tcp());
        bench.run(ms(31_999));
        assert_eq!(bench.log(), [format!("0 {method}")]);
        assert!(bench.said().is_empty());
        bench.run(ms(1));
        assert_eq!(bench.said(), ["timeout", "terminated"]);
        bench.assert_empty();
    }
}

#[test]
fn a_request_gets_our_via_with_a_new_branch_on_top() {
    let mut bench = Bench::new();
    let mut request = outgoing(Method::Options);
    request.headers.push_front(HeaderName::Via, "SIP/2.0/UDP other.example;branch=z9hG4bKo");
    bench.send(request.clone(), udp());
    bench.send(request, udp());
    let vias: Vec<Vec<Via>> = bench
        .sent
        .iter()
        .map(|(_, _, message)| message.headers().typed_list::<Via>().unwrap())
        .collect();
    assert_eq!(vias[0].len(), 2);
    assert_eq!(vias[0][0].sent_by, us());
    assert!(vias[0][0].params.has("rport"));
    assert!(vias[0][0].branch().unwrap().starts_with("z9hG4bK"));
    assert_ne!(vias[0][0].branch(), vias[1][0].branch());
    assert_eq!(vias[0][1].branch(), Some("z9hG4bKo"));
    bench.assert_empty();
}

#[test]
fn a_provisional_response_stops_an_invite_and_slows_other_requests_to_t2() {
    let mut bench = Bench::new();
    bench.send(outgoing(Method::Invite), udp());
    bench.answered(&Method::Invite, 180);
    bench.run(secs(100));
    assert_eq!(bench.log(), ["0 INVITE"]);
    let mut bench = Bench::new();
    bench.send(outgoing(Method::Options), udp());
    bench.run(ms(600));
    bench.answered(&Method::Options, 100);
    bench.run(secs(12));
    assert_eq!(
        bench.log(),
        ["0 OPTIONS", "500 OPTIONS", "1500 OPTIONS", "5500 OPTIONS", "9500 OPTIONS"]
    );
    bench.run(secs(30));
    assert_eq!(bench.said(), ["response 100", "timeout", "terminated"]);
    bench.assert_empty();
}

#[test]
fn a_second_100_is_swallowed_and_other_provisional_responses_are_not() {
    let mut bench = Bench::new();
    bench.send(outgoing(Method::Invite), udp());
    for code in [100, 100, 183, 180, 180, 100] {
        bench.answered(&Method::Invite, code);
    }
    assert_eq!(bench.said(), ["response 100", "response 183", "response 180", "response 180"]);
    bench.assert_empty();
}

#[test]
fn each_retransmitted_refusal_is_acknowledged_and_reported_once() {
    let mut bench = Bench::new();
    bench.send(outgoing(Method::Invite), udp());
    for _ in 0..3 {
        bench.answered(&Method::Invite, 486);
        bench.run(ms(500));
    }
    assert_eq!(bench.log(), ["0 INVITE", "0 ACK", "500 ACK", "1000 ACK"]);
    assert_eq!(bench.said(), ["response 486"]);
    bench.run(ms(32_000 - 1_500 - 1));
    assert_eq!(bench.layer.counts().client, 1, "timer D runs 32 s");
    bench.run(ms(1));
    assert_eq!(bench.layer.counts().client, 0);
    bench.assert_empty();
}

#[test]
fn over_tcp_a_refused_invite_is_gone_with_its_ack() {
    let mut bench = Bench::new();
    bench.send(outgoing(Method::Invite), tcp());
    bench.answered(&Method::Invite, 486);
    assert_eq!(bench.log(), ["0 INVITE", "0 ACK"]);
    assert_eq!(bench.said(), ["response 486", "terminated"]);
    assert_eq!(bench.layer.leftovers(), 0);
}

#[test]
fn every_2xx_to_an_invite_is_reported_until_timer_m() {
    let mut bench = Bench::new();
    bench.send(outgoing(Method::Invite), udp());
    bench.answered(&Method::Invite, 200);
    bench.run(secs(31));
    bench.answered(&Method::Invite, 200);
    assert_eq!(bench.said(), ["response 200", "response 200"]);
    bench.run(secs(1));
    bench.answered(&Method::Invite, 200);
    assert_eq!(bench.said(), ["terminated"]);
    assert_eq!(bench.log(), ["0 INVITE"], "the ACK is the owner's");
    bench.assert_empty();
}

#[test]
fn a_retransmitted_answer_to_other_requests_is_swallowed_until_timer_k() {
    let mut bench = Bench::new();
    bench.send(outgoing(Method::Options), udp());
    bench.answered(&Method::Options, 200);
    bench.answered(&Method::Options, 200);
    bench.run(ms(4_999));
    assert_eq!(bench.said(), ["response 200"]);
    assert_eq!(bench.layer.counts().client, 1);
    bench.run(ms(1));
    assert_eq!(bench.said(), ["terminated"]);
    bench.assert_empty();
}

#[test]
fn an_unmatched_response_is_dropped_unless_asked_for() {
    for (report_stray, expected) in [(false, vec![]), (true, vec!["stray"])] {
        let mut bench = Bench::with(Config { report_stray, ..Config::default() });
        let stranger = answer(&request("OPTIONS", "z9hG4bKstranger", ""), 200);
        bench.receive(Message::Response(stranger), udp());
        assert_eq!(bench.said(), expected);
    }
}

#[test]
fn a_cancel_waits_for_a_provisional_response() {
    let mut bench = Bench::new();
    let tx = bench.send(outgoing(Method::Invite), udp());
    let cancel = bench.cancel(tx).unwrap();
    assert_eq!(bench.cancel(tx), None, "once is enough");
    bench.run(ms(600));
    let invite = bench.last_request(&Method::Invite);
    assert_eq!(bench.log(), ["0 INVITE", "500 INVITE"]);
    bench.receive(Message::Response(answer(&invite, 180)), udp());
    bench.events.clear();
    bench.answered(&Method::Cancel, 200);
    assert_eq!(bench.log(), ["600 CANCEL"]);
    bench.receive(Message::Response(answer(&invite, 487)), udp());
    assert!(
        matches!(&*bench.events, [Event::Response { tx: c, .. }, Event::Response { tx: i, .. }]
            if *c == cancel && *i == tx)
    );
    bench.assert_empty();
}

#[test]
fn a_cancel_has_via_route_and_request_uri_of_the_invite_and_extra_fields() {
    let mut bench = Bench::new();
    let mut invite = outgoing(Method::Invite);
    invite.headers.push(HeaderName::Route, "<sip:a.example;lr>");
    invite.headers.push(HeaderName::Require, "100rel");
    let tx = bench.send(invite, udp());
    bench.answered(&Method::Invite, 180);
    let mut extra = Headers::new();
    extra.push(HeaderName::Reason, "SIP;cause=200");
    bench.layer.cancel(bench.now, tx, extra).unwrap();
    bench.drain();
    let (invite, cancel) =
        (bench.last_request(&Method::Invite), bench.last_request(&Method::Cancel));
    for name in [HeaderName::Via, HeaderName::Route, HeaderName::To, HeaderName::From] {
        assert_eq!(cancel.headers.get(&name), invite.headers.get(&name), "{name}");
    }
    assert_eq!(cancel.uri, invite.uri);
    assert_eq!(cancel.headers.text(&HeaderName::CSeq).as_deref(), Some("7 CANCEL"));
    assert_eq!(cancel.headers.text(&HeaderName::Reason).as_deref(), Some("SIP;cause=200"));
    assert!(!cancel.headers.has(&HeaderName::Require), "RFC 3261 §9.1");
    bench.assert_empty();
}

#[test]
fn a_cancel_that_became_needless_only_says_that_it_is_gone() {
    let mut bench = Bench::new();
    let tx = bench.send(outgoing(Method::Invite), udp());
    bench.cancel(tx).unwrap();
    bench.answered(&Method::Invite, 200);
    assert_eq!(bench.said(), ["response 200", "terminated"]);
    assert_eq!(bench.cancel(tx), None);
    bench.assert_empty();
}

#[test]
fn a_cancelled_invite_without_any_answer_ends_after_64_t1() {
    let mut bench = Bench::new();
    let tx = bench.send(outgoing(Method::Invite), tcp());
    bench.answered(&Method::Invite, 180);
    bench.run(secs(10));
    bench.cancel(tx).unwrap();
    bench.run(secs(32));
    // Both the INVITE and the CANCEL.
    assert_eq!(bench.said(), ["response 180", "timeout", "terminated", "timeout", "terminated"]);
    bench.assert_empty();
}

#[test]
fn a_callee_that_rings_without_news_is_cancelled_by_timer_c() {
    let mut bench = Bench::new();
    bench.send(outgoing(Method::Invite), tcp());
    bench.answered(&Method::Invite, 180);
    bench.run(secs(180));
    bench.answered(&Method::Invite, 180);
    bench.run(secs(184));
    assert_eq!(bench.sent.len(), 1, "a 180 starts the timer anew");
    bench.run(secs(1));
    assert_eq!(bench.log(), ["0 INVITE", "365000 CANCEL"]);
    bench.assert_empty();
}

#[test]
fn a_lost_connection_fails_the_requests_on_it_and_no_others() {
    let mut bench = Bench::new();
    let dead = bench.send(outgoing(Method::Invite), tcp());
    bench.send(outgoing(Method::Options), udp());
    let done = bench.send(outgoing(Method::Info), udp());
    bench.answered(&Method::Info, 200);
    bench.said();
    bench.layer.transport_failed(bench.now, &tcp());
    bench.drain();
    assert!(matches!(&*bench.events, [Event::TransportError { tx }, Event::Terminated { .. }]
        if *tx == dead));
    bench.events.clear();
    bench.layer.transport_failed(bench.now, &udp());
    bench.drain();
    assert_eq!(bench.said(), ["transport error", "terminated"], "INFO had its answer");
    assert_eq!(bench.layer.counts().client, 1);
    let _ = done;
    bench.assert_empty();
}

#[test]
fn the_ack_to_a_2xx_is_sent_once_with_a_branch_of_its_own() {
    let mut bench = Bench::new();
    bench.send(outgoing(Method::Invite), udp());
    bench.answered(&Method::Invite, 200);
    bench.layer.send_stateless(outgoing(Method::Ack), udp(), &us());
    bench.drain();
    let branch = |r: &Request| r.top_via().unwrap().branch().unwrap().to_owned();
    assert_ne!(
        branch(&bench.last_request(&Method::Invite)),
        branch(&bench.last_request(&Method::Ack))
    );
    bench.run(secs(20));
    assert_eq!(bench.log(), ["0 INVITE", "0 ACK"]);
    bench.assert_empty();
}
