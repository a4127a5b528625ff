//! Requests we receive.

use std::time::Duration;

use super::*;
use crate::header::HeaderName;
use crate::transaction::Trying;

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

#[test]
fn an_invite_gets_a_100_after_200_ms_of_silence() {
    let mut bench = Bench::new();
    let invite = request("INVITE", "z9hG4bKa", "Timestamp: 54\r\n");
    let tx = bench.ask(&invite).unwrap();
    bench.run(secs(1));
    let Message::Response(trying) = &bench.sent[0].2 else { panic!() };
    assert_eq!(trying.to_tag(), None);
    assert_eq!(trying.headers.text(&HeaderName::Timestamp).as_deref(), Some("54"));
    assert_eq!(bench.log(), ["200 100"]);
    bench.respond(tx, answer(&invite, 200));
    bench.assert_empty();
}

#[test]
fn an_owner_that_answers_quickly_needs_no_100() {
    let mut bench = Bench::new();
    let invite = request("INVITE", "z9hG4bKa", "");
    let tx = bench.ask(&invite).unwrap();
    bench.run(ms(199));
    bench.respond(tx, answer(&invite, 180));
    bench.run(secs(1));
    bench.respond(tx, answer(&invite, 200));
    assert_eq!(bench.log(), ["199 180", "1199 200"]);
    bench.assert_empty();
}

#[test]
fn a_100_can_be_sent_at_once() {
    let mut bench = Bench::with(Config { trying: Trying::AtOnce, ..Config::default() });
    let invite = request("INVITE", "z9hG4bKa", "");
    let tx = bench.ask(&invite).unwrap();
    assert_eq!(bench.log(), ["0 100"]);
    bench.respond(tx, answer(&invite, 200));
    bench.assert_empty();
}

#[test]
fn a_retransmitted_invite_gets_the_same_answer() {
    let mut bench = Bench::new();
    let invite = request("INVITE", "z9hG4bKa", "");
    let tx = bench.ask(&invite).unwrap();
    for code in [180, 183, 486] {
        bench.respond(tx, answer(&invite, code));
        assert_eq!(bench.ask(&invite), None);
        assert_eq!(bench.sent[0].2, bench.sent[1].2);
        assert_eq!(bench.log(), [format!("0 {code}"), format!("0 {code}")]);
    }
    bench.assert_empty();
}

#[test]
fn a_refusal_is_retransmitted_at_doubling_intervals_up_to_t2_until_timer_h() {
    let mut bench = Bench::new();
    let invite = request("INVITE", "z9hG4bKa", "");
    let tx = bench.ask(&invite).unwrap();
    bench.respond(tx, answer(&invite, 486));
    bench.events.clear();
    bench.run(secs(40));
    let times = [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(bench.log(), times.map(|at| format!("{at} 486")));
    assert_eq!(bench.said(), ["no ack", "terminated"]);
    bench.assert_empty();
}

#[test]
fn the_ack_to_a_refusal_stops_it_and_is_kept_from_the_owner() {
    let mut bench = Bench::new();
    let invite = request("INVITE", "z9hG4bKa", "");
    let tx = bench.ask(&invite).unwrap();
    bench.respond(tx, answer(&invite, 486));
    bench.ask(&request("ACK", "z9hG4bKa", ""));
    bench.ask(&request("ACK", "z9hG4bKa", ""));
    assert_eq!(bench.said(), Vec::<String>::new());
    bench.run(ms(4_999));
    assert_eq!(bench.layer.counts().server, 1, "timer I runs 5 s");
    bench.run(ms(1));
    assert_eq!(bench.layer.counts().server, 0);
    assert_eq!(bench.log(), ["0 486"]);
    bench.assert_empty();
}

#[test]
fn over_tcp_a_refusal_is_sent_once_and_its_ack_ends_the_transaction() {
    let mut bench = Bench::new();
    let invite = request("INVITE", "z9hG4bKa", "");
    let tx = bench.ask_over(&invite, tcp()).unwrap();
    bench.respond(tx, answer(&invite, 486));
    bench.run(secs(10));
    bench.ask_over(&request("ACK", "z9hG4bKa", ""), tcp());
    assert_eq!(bench.log(), ["0 486"]);
    assert_eq!(bench.layer.leftovers(), 0);
}

#[test]
fn an_accepted_invite_is_absorbed_and_its_2xx_sent_as_often_as_the_owner_says() {
    let mut bench = Bench::new();
    let invite = request("INVITE", "z9hG4bKa", "");
    let tx = bench.ask(&invite).unwrap();
    bench.respond(tx, answer(&invite, 200));
    assert_eq!(bench.ask(&invite), None);
    bench.run(secs(1));
    bench.respond(tx, answer(&invite, 200));
    bench.respond(tx, answer(&invite, 486));
    bench.respond(tx, answer(&invite, 180));
    assert_eq!(bench.log(), ["0 200", "1000 200"]);
    bench.run(ms(30_999));
    assert_eq!(bench.layer.counts().server, 1, "timer L runs 32 s");
    bench.run(ms(1));
    assert_eq!(bench.layer.counts().server, 0);
    bench.assert_empty();
}

#[test]
fn the_ack_to_a_2xx_goes_to_the_dialog_whatever_its_branch() {
    let mut bench = Bench::new();
    let invite = request("INVITE", "z9hG4bKa", "");
    let tx = bench.ask(&invite).unwrap();
    bench.respond(tx, answer(&invite, 200));
    for branch in ["z9hG4bKother", "z9hG4bKa"] {
        bench.ask(&request("ACK", branch, ""));
        assert_eq!(bench.said(), ["ack"]);
    }
    bench.assert_empty();
}

#[test]
fn other_requests_are_answered_once_and_again_for_each_retransmission() {
    let mut bench = Bench::new();
    let options = request("OPTIONS", "z9hG4bKa", "");
    let tx = bench.ask(&options).unwrap();
    assert_eq!(bench.ask(&options), None, "no news yet for a retransmission");
    bench.respond(tx, answer(&options, 200));
    bench.respond(tx, answer(&options, 404));
    bench.ask(&options);
    assert_eq!(bench.log(), ["0 200", "0 200"]);
    bench.run(ms(31_999));
    assert_eq!(bench.layer.counts().server, 1, "timer J runs 32 s");
    bench.run(ms(1));
    assert_eq!(bench.layer.counts().server, 0);
    bench.assert_empty();
}

#[test]
fn over_tcp_an_answered_request_is_gone_at_once() {
    let mut bench = Bench::new();
    let options = request("OPTIONS", "z9hG4bKa", "");
    let tx = bench.ask_over(&options, tcp()).unwrap();
    bench.respond(tx, answer(&options, 200));
    assert_eq!(bench.layer.leftovers(), 0);
}

#[test]
fn a_slow_owner_of_another_request_is_covered_by_one_100_after_3_5_s() {
    let mut bench = Bench::new();
    let options = request("OPTIONS", "z9hG4bKa", "");
    let tx = bench.ask(&options).unwrap();
    bench.respond(tx, answer(&options, 100));
    bench.respond(tx, answer(&options, 183));
    bench.run(secs(5));
    assert_eq!(bench.log(), ["3500 100"]);
    bench.respond(tx, answer(&options, 200));
    assert_eq!(bench.log(), ["5000 200"]);
    bench.assert_empty();
}

#[test]
fn a_request_without_an_answer_is_dropped_without_408() {
    let mut bench = Bench::new();
    let options = request("OPTIONS", "z9hG4bKa", "");
    let tx = bench.ask(&options).unwrap();
    bench.respond(tx, answer(&options, 408));
    assert_eq!(bench.log(), Vec::<String>::new());
    bench.ask(&request("OPTIONS", "z9hG4bKb", "")).unwrap();
    bench.events.clear();
    bench.run(secs(32));
    assert_eq!(bench.log(), ["3500 100"]);
    assert_eq!(bench.said(), ["terminated"]);
    bench.assert_empty();
}

#[test]
fn a_cancel_is_answered_with_the_tag_of_the_invite_and_reported() {
    let mut bench = Bench::new();
    let invite = request("INVITE", "z9hG4bKa", "");
    let tx = bench.ask(&invite).unwrap();
    bench.respond(tx, answer(&invite, 180));
    bench.sent.clear();
    let cancel = request("CANCEL", "z9hG4bKa", "Reason: SIP;cause=200\r\n");
    bench.ask(&cancel);
    assert_eq!(bench.sent[0].2, Message::Response(answer(&cancel, 200)), "tag of the 180");
    let [Event::Cancel { invite, request, .. }] = &*bench.events else { panic!() };
    assert_eq!(*invite, tx);
    assert!(request.headers.has(&HeaderName::Reason));
    bench.sent.clear();
    bench.ask(&cancel);
    assert_eq!(bench.log(), ["0 200"]);
    assert_eq!(bench.said(), Vec::<String>::new(), "a retransmitted CANCEL is no news");
    bench.respond(tx, answer(&cancel, 487));
    bench.assert_empty();
}

#[test]
fn a_cancel_that_comes_too_late_changes_nothing() {
    let mut bench = Bench::new();
    let invite = request("INVITE", "z9hG4bKa", "");
    let tx = bench.ask(&invite).unwrap();
    bench.respond(tx, answer(&invite, 200));
    bench.ask(&request("CANCEL", "z9hG4bKa", ""));
    assert_eq!(bench.log(), ["0 200", "0 200"]);
    assert_eq!(bench.said(), Vec::<String>::new());
    bench.assert_empty();
}

#[test]
fn a_cancel_of_nothing_gets_481_and_is_not_kept() {
    let mut bench = Bench::new();
    bench.ask(&request("CANCEL", "z9hG4bKa", ""));
    bench.ask(&request("CANCEL", "z9hG4bKa", ""));
    assert_eq!(bench.sent[0].2, bench.sent[1].2);
    assert_eq!(bench.log(), ["0 481", "0 481"]);
    assert_eq!(bench.layer.leftovers(), 0);
}

#[test]
fn equal_branches_of_different_hosts_and_methods_are_different_transactions() {
    let mut bench = Bench::new();
    let first = request("OPTIONS", "z9hG4bKa", "");
    let mut second = first.clone();
    second.headers.set(HeaderName::Via, "SIP/2.0/UDP 203.0.113.9;branch=z9hG4bKa;rport=5060");
    second.headers.set(HeaderName::CallId, "another");
    assert!(bench.ask(&first).is_some());
    assert!(bench.ask(&second).is_some());
    assert!(bench.ask(&request("INFO", "z9hG4bKa", "")).is_some());
}

#[test]
fn sent_by_is_compared_without_case_and_with_the_default_port() {
    let mut bench = Bench::new();
    let mut options = request("OPTIONS", "z9hG4bKa", "");
    options.headers.set(HeaderName::Via, "SIP/2.0/UDP Phone.Example;branch=z9hG4bKa;rport=5060");
    assert!(bench.ask(&options).is_some());
    options.headers.set(HeaderName::Via, "SIP/2.0/UDP phone.example:5060;branch=z9hG4bKa;rport");
    assert!(bench.ask(&options).is_none());
}

#[test]
fn an_element_of_rfc_2543_is_matched_by_its_header_fields() {
    for branch in ["old-style", ""] {
        let mut bench = Bench::new();
        let old = |method| {
            let mut request = request(method, "x", "");
            let branch =
                if branch.is_empty() { String::new() } else { format!(";branch={branch}") };
            let via = format!("SIP/2.0/UDP 198.51.100.7{branch};rport=5060");
            request.headers.set(HeaderName::Via, via);
            request
        };
        let tx = bench.ask(&old("INVITE")).unwrap();
        assert_eq!(bench.ask(&old("INVITE")), None);
        bench.ask(&old("CANCEL"));
        assert_eq!(bench.said(), ["cancel"]);
        bench.respond(tx, answer(&old("INVITE"), 487));
        let mut ack = old("ACK");
        ack.headers.set(HeaderName::To, "<sip:100@192.0.2.1>;tag=ours");
        bench.ask(&ack);
        assert_eq!(bench.said(), Vec::<String>::new(), "taken by the transaction");
        let mut next = old("INVITE");
        next.headers.set(HeaderName::CSeq, "8 INVITE");
        assert!(bench.ask(&next).is_some());
    }
}

#[test]
fn the_copy_of_a_forked_request_is_a_loop() {
    let mut bench = Bench::new();
    let first = request("INVITE", "z9hG4bKa", "");
    let mut copy = first.clone();
    copy.headers.set(HeaderName::Via, "SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKb;rport=5060");
    let tx = bench.ask(&first).unwrap();
    assert_eq!(bench.ask(&copy), None);
    assert_eq!(bench.log(), ["0 482"]);
    bench.respond(tx, answer(&first, 401));
    assert!(bench.ask(&copy).is_some(), "a refused request may be tried again");
}

#[test]
fn responses_go_to_the_source_when_rport_asks_for_it_and_to_sent_by_otherwise() {
    let far = "203.0.113.20:40000".parse().unwrap();
    for (via, port) in [
        ("SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKa;received=203.0.113.20;rport=40000", 40_000),
        ("SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKa;received=203.0.113.20", 5070),
        ("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa;received=203.0.113.20;maddr=192.0.2.99", 5060),
    ] {
        let mut bench = Bench::new();
        let mut options = request("OPTIONS", "x", "");
        options.headers.set(HeaderName::Via, via);
        let tx = bench.ask_over(&options, Flow { remote: far, ..udp() }).unwrap();
        bench.respond(tx, answer(&options, 200));
        let expected = std::net::SocketAddr::new(far.ip(), port);
        assert_eq!(bench.sent[0].1.remote, expected, "{via}");
    }
}

#[test]
fn a_request_repeated_over_a_new_connection_is_answered_there() {
    let mut bench = Bench::new();
    let invite = request("INVITE", "z9hG4bKa", "");
    let tx = bench.ask_over(&invite, tcp()).unwrap();
    let remote = "198.51.100.7:41000".parse().unwrap();
    let again = Flow { connection: Some(ConnectionId(2)), remote, ..tcp() };
    bench.ask_over(&invite, again);
    bench.sent.clear();
    bench.respond(tx, answer(&invite, 180));
    assert_eq!(bench.sent[0].1, again);
    // Not to another host, whatever branch it guessed.
    let stranger = Flow { remote: "203.0.113.9:41000".parse().unwrap(), ..again };
    bench.ask_over(&invite, stranger);
    bench.sent.clear();
    bench.respond(tx, answer(&invite, 183));
    assert_eq!(bench.sent[0].1, again);
}
