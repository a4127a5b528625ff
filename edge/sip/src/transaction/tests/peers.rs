//! Defects that were seen in other SIP stacks.

use std::time::Duration;

use super::*;
use crate::header::HeaderName;

#[test]
fn a_non_invite_request_is_retransmitted_at_doubling_intervals_from_t1() {
    let mut bench = Bench::new();
    bench.send(outgoing(Method::Options), udp());
    bench.run(Duration::from_secs(40));
    let times = [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(bench.log(), times.map(|at| format!("{at} OPTIONS")));
    assert_eq!(bench.said(), ["timeout", "terminated"]);
    bench.assert_empty();
}

#[test]
fn the_ack_to_a_refusal_has_the_route_set_and_the_via_of_the_invite() {
    let mut bench = Bench::new();
    let mut invite = outgoing(Method::Invite);
    invite.headers.push(HeaderName::Route, "<sip:a.example;lr>, <sip:b.example;lr>");
    invite.headers.push(HeaderName::Route, "<sip:c.example;lr>");
    bench.send(invite, udp());
    bench.answered(&Method::Invite, 486);
    let (invite, ack) = (bench.last_request(&Method::Invite), bench.last_request(&Method::Ack));
    let routes = |r: &Request| {
        r.headers.get_all(&HeaderName::Route).map(|v| v.to_text().into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(routes(&ack), ["<sip:a.example;lr>, <sip:b.example;lr>", "<sip:c.example;lr>"]);
    assert_eq!(ack.headers.text(&HeaderName::Via), invite.headers.text(&HeaderName::Via));
    assert_eq!(ack.headers.get_all(&HeaderName::Via).count(), 1);
    assert_eq!(ack.uri, invite.uri);
    assert_eq!(ack.to_tag().as_deref(), Some("ours"), "the To of the response");
    assert_eq!(ack.headers.text(&HeaderName::CSeq).as_deref(), Some("7 ACK"));
    bench.assert_empty();
}

#[test]
fn the_ack_of_who_was_there_belongs_to_the_2xx_whatever_tag_it_has() {
    for (made_up, is_proven) in
        [("", true), (";tag=64b5ba46", true), ("", false), (";tag=64b5ba46", false)]
    {
        let mut bench = Bench::new();
        let asked = request("INVITE", "z9hG4bKa", "");
        let invite = bench.ask(&asked).unwrap();
        if is_proven {
            bench.layer.prove(invite);
        }
        bench.respond(invite, answer(&asked, 180));
        let ok = answer(&asked, 200);
        let tag = ok.to_tag().unwrap();
        bench.respond(invite, ok);
        let mut ack = request("ACK", "z9hG4bKa", "");
        let to = ack.to().unwrap().0;
        ack.headers.set(HeaderName::To, format!("<{}>{made_up}", to.uri));
        bench.ask(&ack);
        let acks: Vec<_> = bench
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Ack { request, .. } => request.to_tag(),
                _ => None,
            })
            .collect();
        assert_eq!(acks == [tag.as_str()], is_proven, "{acks:?}");
    }
}

#[test]
fn the_layer_goes_on_after_a_cancel() {
    let mut bench = Bench::new();
    let invite = bench.ask(&request("INVITE", "z9hG4bKa", "")).unwrap();
    assert_eq!(bench.ask(&request("CANCEL", "z9hG4bKa", "")), None);
    assert!(matches!(&*bench.events, [Event::Cancel { invite: i, .. }] if *i == invite));
    bench.respond(invite, answer(&request("INVITE", "z9hG4bKa", ""), 487));
    bench.ask(&request("ACK", "z9hG4bKa", ""));
    assert_eq!(bench.log(), ["0 200", "0 487"]);
    let next = request("OPTIONS", "z9hG4bKb", "");
    let options = bench.ask(&next).unwrap();
    bench.respond(options, answer(&next, 200));
    assert_eq!(bench.log(), ["0 200"]);
    bench.assert_empty();
}

#[test]
fn an_answered_server_transaction_keeps_its_response_and_nothing_of_the_request() {
    let mut bench = Bench::new();
    let big = format!("X-Big: {}\r\n", "x".repeat(8000));
    let register = request("REGISTER", "z9hG4bKa", &big);
    let tx = bench.ask(&register).unwrap();
    let before = bench.layer.servers.get(&tx).unwrap().kept.len();
    assert!(before < 500, "a 100 in store, not the request: {before}");
    let ok = answer(&register, 200);
    bench.respond(tx, ok.clone());
    let entry = bench.layer.servers.get(&tx).unwrap();
    assert_eq!(entry.kept, ok.to_bytes());
    assert_eq!(entry.to_tag, None);
    assert!(size_of_val(entry) <= 320, "{}", size_of_val(entry));
    bench.assert_empty();
}

#[test]
fn a_confirmed_or_accepted_invite_keeps_no_message_at_all() {
    let mut bench = Bench::new();
    let (busy, ok) = (request("INVITE", "z9hG4bKa", ""), request("INVITE", "z9hG4bKb", ""));
    let tx = bench.ask(&busy).unwrap();
    bench.respond(tx, answer(&busy, 486));
    bench.ask(&request("ACK", "z9hG4bKa", ""));
    assert!(bench.layer.servers.get(&tx).unwrap().kept.is_empty());
    let tx = bench.ask(&ok).unwrap();
    bench.respond(tx, answer(&ok, 200));
    assert!(bench.layer.servers.get(&tx).unwrap().kept.is_empty());
    bench.assert_empty();
}
