use std::time::Duration;

use offhook_sip::header::{Contact, HeaderName, Headers, Via};
use offhook_sip::message::{Message, Method, Request, Response, StatusCode};
use offhook_sip::uri::Uri;

use super::lab::{Lab, request, settle};
use super::{DialogKey, Owner, SendFailure, SipEvent, Target};

fn invite(uri: &str, call_id: &str) -> Request {
    let text =
        request("INVITE", uri, "192.0.2.1", call_id, 1, "Contact: <sip:us@contact.invalid>\r\n");
    let Ok(Message::Request(mut request)) = offhook_sip::parse::datagram(text.into()) else {
        panic!("no request")
    };
    request.headers.remove(&HeaderName::Via);
    request
}

fn uri(text: &str) -> Target {
    Target::Uri(text.parse::<Uri>().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_request_gets_via_and_contact_of_the_interface_it_takes() {
    let mut lab = Lab::new();
    let (owner, mut mailbox) = Owner::channel(8);
    lab.sip.send(1, invite("sip:bob@192.0.2.9:5070", "a"), uri("sip:192.0.2.9:5070"), &owner);
    let (to, sent) = lab.sent_request().await;
    assert_eq!(to, "192.0.2.9:5070".parse::<std::net::SocketAddr>().unwrap());
    assert_eq!(sent.top_via().unwrap().sent_by.to_string(), super::lab::US);
    let Ok(Some(Contact::Addr(contact))) = sent.headers.typed::<Contact>() else { panic!() };
    assert_eq!(contact.uri.to_string(), "sip:us@192.0.2.1:5060");
    lab.answer(to, &sent, StatusCode::BUSY_HERE).await;
    let Some(SipEvent::Response { token: 1, response, .. }) = mailbox.recv().await else {
        panic!()
    };
    assert_eq!(response.status, StatusCode::BUSY_HERE);
    assert_eq!(lab.survivors().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_silent_target_is_given_up_for_the_next_and_a_late_answer_is_hung_up() {
    let mut lab = Lab::new();
    lab.names.srv("_sip._udp.trunk.test", &[(1, 1, 5060, "a.test"), (2, 1, 5060, "b.test")]);
    lab.names.address("a.test", &["198.51.100.1"]);
    lab.names.address("b.test", &["198.51.100.2"]);
    let (owner, mut mailbox) = Owner::channel(8);
    lab.sip.send(1, invite("sip:1@trunk.test", "b"), uri("sip:trunk.test"), &owner);
    let (first, sent) = lab.sent_request().await;
    assert_eq!(first.ip().to_string(), "198.51.100.1");
    tokio::time::sleep(Duration::from_millis(5_100)).await;
    let second = lab.drain().await.into_iter().rev().find_map(|(to, m)| match m {
        Message::Request(r) if to.ip().to_string() == "198.51.100.2" => Some((to, r)),
        _ => None,
    });
    let (second, again) = second.expect("the second target is tried");
    lab.answer(second, &again, StatusCode::OK).await;
    let Some(SipEvent::Response { token: 1, .. }) = mailbox.recv().await else { panic!() };
    // The first one wakes up at last.
    let mut late = Response::to_request(&sent, StatusCode::OK, None);
    late.ensure_to_tag("late");
    late.headers.push(HeaderName::Contact, "<sip:late@198.51.100.1:5099>");
    lab.datagram("198.51.100.1:5060", late.to_bytes()).await;
    let methods: Vec<_> = lab
        .drain()
        .await
        .into_iter()
        .filter_map(|(to, m)| match m {
            Message::Request(r) if to == first => Some(r.method),
            _ => None,
        })
        .collect();
    assert!(methods.contains(&Method::Ack) && methods.contains(&Method::Bye), "{methods:?}");
    assert_eq!(lab.survivors().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn unreachable_and_busy_servers_are_passed_over_at_once() {
    let mut lab = Lab::new();
    lab.names.address("many.test", &["198.51.100.1", "198.51.100.2", "198.51.100.3"]);
    lab.wire.dead.lock().unwrap().insert("198.51.100.1:5060".parse().unwrap());
    let (owner, mut mailbox) = Owner::channel(8);
    lab.sip.send(1, invite("sip:1@many.test", "c"), uri("sip:many.test:5060"), &owner);
    let (second, sent) = lab.sent_request().await;
    assert_eq!(second.ip().to_string(), "198.51.100.2");
    lab.answer(second, &sent, StatusCode::SERVICE_UNAVAILABLE).await;
    let third = loop {
        let (to, m) = lab.sent_request().await;
        if m.method == Method::Invite && to != second {
            lab.answer(to, &m, StatusCode::RINGING).await;
            lab.answer(to, &m, StatusCode::DECLINE).await;
            break to;
        }
    };
    assert_eq!(third.ip().to_string(), "198.51.100.3");
    let Some(SipEvent::Response { response, .. }) = mailbox.recv().await else { panic!() };
    assert_eq!(response.status, StatusCode::RINGING, "the 503 was not told");
    assert_eq!(lab.survivors().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_request_with_credentials_meets_the_server_that_challenged() {
    let mut lab = Lab::new();
    lab.names.srv("_sip._udp.vc.test", &[(1, 10, 5060, "x.test")]);
    lab.names.address("x.test", &["198.51.100.7", "198.51.100.8"]);
    *lab.names.ttl.lock().unwrap() = Duration::from_secs(1);
    let (owner, mut mailbox) = Owner::channel(8);
    lab.sip.send(1, invite("sip:1@vc.test", "d"), uri("sip:vc.test"), &owner);
    let (first, sent) = lab.sent_request().await;
    lab.answer(first, &sent, StatusCode::UNAUTHORIZED).await;
    assert!(matches!(mailbox.recv().await, Some(SipEvent::Response { .. })));
    lab.names.address("x.test", &["198.51.100.9"]);
    tokio::time::sleep(Duration::from_secs(3)).await;
    lab.drain().await;
    lab.sip.send(2, invite("sip:1@vc.test", "d"), uri("sip:vc.test"), &owner);
    assert_eq!(lab.sent_request().await.0, first);
    lab.sip.send(3, invite("sip:1@vc.test", "another"), uri("sip:vc.test"), &owner);
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(lab.sent_request().await.0.ip().to_string());
    }
    assert!(others.contains(&"198.51.100.9".to_owned()), "a new call resolves anew: {others:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_resolver_stops_nobody_else() {
    let mut lab = Lab::new();
    lab.names.silent.lock().unwrap().insert("slow.test".into());
    let (owner, mut mailbox) = Owner::channel(8);
    lab.sip.send(1, invite("sip:1@slow.test", "e"), uri("sip:slow.test:5060"), &owner);
    lab.sip.send(2, invite("sip:2@192.0.2.9", "f"), uri("sip:192.0.2.9"), &owner);
    let (to, sent) = lab.sent_request().await;
    assert_eq!(to.ip().to_string(), "192.0.2.9");
    lab.answer(to, &sent, StatusCode::BUSY_HERE).await;
    assert!(matches!(mailbox.recv().await, Some(SipEvent::Response { token: 2, .. })));
    let Some(SipEvent::Failed { token: 1, kind: SendFailure::Resolve(why) }) = mailbox.recv().await
    else {
        panic!()
    };
    assert!(why.contains("slow.test"), "{why}");
    assert_eq!(lab.survivors().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_cancel_before_anything_was_sent_ends_the_request() {
    let mut lab = Lab::new();
    lab.names.silent.lock().unwrap().insert("slow.test".into());
    let (owner, mut mailbox) = Owner::channel(8);
    lab.sip.send(1, invite("sip:1@slow.test", "g"), uri("sip:slow.test:5060"), &owner);
    settle().await;
    lab.sip.cancel(1, &owner, Headers::new());
    let event = mailbox.recv().await;
    assert!(
        matches!(event, Some(SipEvent::Failed { token: 1, kind: SendFailure::Cancelled })),
        "{event:?}"
    );
    assert_eq!(lab.survivors().await, (0, 0));
    assert!(mailbox.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_ringing_call_is_cancelled_with_its_reason() {
    let mut lab = Lab::new();
    let (owner, mut mailbox) = Owner::channel(8);
    lab.sip.send(1, invite("sip:1@192.0.2.9", "h"), uri("sip:192.0.2.9"), &owner);
    let (to, sent) = lab.sent_request().await;
    lab.answer(to, &sent, StatusCode::RINGING).await;
    let mut extra = Headers::new();
    extra.push(HeaderName::Reason, "SIP;cause=200;text=\"Call completed elsewhere\"");
    lab.sip.cancel(1, &owner, extra);
    let cancel = loop {
        let (_, m) = lab.sent_request().await;
        if m.method == Method::Cancel {
            break m;
        }
    };
    assert!(cancel.headers.has(&HeaderName::Reason));
    lab.answer(to, &cancel, StatusCode::OK).await;
    lab.answer(to, &sent, StatusCode::REQUEST_TERMINATED).await;
    let mut last = None;
    while let Ok(event) = mailbox.try_recv() {
        last = Some(event);
    }
    let Some(SipEvent::Response { response, .. }) = last else { panic!() };
    assert_eq!(response.status, StatusCode::REQUEST_TERMINATED);
    assert_eq!(lab.survivors().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn options_is_answered_without_the_office() {
    let mut lab = Lab::new();
    let text = request("OPTIONS", "sip:192.0.2.1", "203.0.113.5:5060", "o", 1, "");
    lab.datagram("203.0.113.5:5060", text).await;
    let (to, response) = lab.sent_response().await;
    assert_eq!(to, "203.0.113.5:5060".parse::<std::net::SocketAddr>().unwrap());
    assert_eq!(response.status, StatusCode::OK);
    assert!(response.headers.has(&HeaderName::Allow));
    assert_eq!(lab.survivors().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn answers_go_where_rport_or_sent_by_says_and_through_a_nat() {
    let mut lab = Lab::new();
    let via = |text: &str, via: &str| text.replace(";rport", via);
    // Asked for rport: back to the source.
    let text = request("OPTIONS", "sip:192.0.2.1", "10.0.0.5:5060", "n1", 1, "");
    lab.datagram("203.0.113.5:40000", text).await;
    let (to, response) = lab.sent_response().await;
    assert_eq!(to, "203.0.113.5:40000".parse::<std::net::SocketAddr>().unwrap());
    let stamped: Via = response.headers.typed().unwrap().unwrap();
    assert_eq!(stamped.rport(), Some(Some(40000)));
    assert_eq!(stamped.received(), Some("203.0.113.5".parse().unwrap()));
    // Not asked, own address: to the port of sent-by.
    let text = request("OPTIONS", "sip:192.0.2.1", "203.0.113.5:5070", "n2", 1, "");
    lab.datagram("203.0.113.5:40000", via(&text, "")).await;
    assert_eq!(
        lab.sent_response().await.0,
        "203.0.113.5:5070".parse::<std::net::SocketAddr>().unwrap()
    );
    // Not asked, but a NAT in between: only the source works.
    let text = request("OPTIONS", "sip:192.0.2.1", "10.0.0.5:5060", "n3", 1, "");
    lab.datagram("203.0.113.5:40001", via(&text, "")).await;
    assert_eq!(
        lab.sent_response().await.0,
        "203.0.113.5:40001".parse::<std::net::SocketAddr>().unwrap()
    );
}

#[tokio::test(start_paused = true)]
async fn a_dialog_gets_its_requests_until_its_guard_is_dropped() {
    let mut lab = Lab::new();
    let (owner, mut mailbox) = Owner::channel(8);
    let guard = lab.sip.register_dialog(DialogKey::new("dlg", "ours"), &owner);
    settle().await;
    let bye = |seq| {
        request("BYE", "sip:us@192.0.2.1", "192.0.2.9:5060", "dlg", seq, "")
            .replace("To: <sip:us@192.0.2.1>", "To: <sip:us@192.0.2.1>;tag=ours")
    };
    lab.datagram("192.0.2.9:5060", bye(2)).await;
    let Some(SipEvent::Request { tx, request, .. }) = mailbox.recv().await else { panic!() };
    lab.sip.respond(tx, Response::to_request(&request, StatusCode::OK, None));
    assert_eq!(lab.sent_response().await.1.status, StatusCode::OK);
    drop(guard);
    settle().await;
    lab.datagram("192.0.2.9:5060", bye(3)).await;
    assert_eq!(lab.sent_response().await.1.status, StatusCode::CALL_DOES_NOT_EXIST);
    assert_eq!(lab.survivors().await, (0, 0));
    assert_eq!(lab.metrics.dialogs.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_that_comes_before_the_claim_is_not_lost() {
    let mut lab = Lab::new();
    let text = request("INVITE", "sip:101@192.0.2.1", "192.0.2.9:5060", "cc", 1, "");
    lab.datagram("192.0.2.9:5060", text.clone()).await;
    let new = lab.requests.recv().await.unwrap();
    let cancel =
        text.replace("INVITE sip", "CANCEL sip").replace("CSeq: 1 INVITE", "CSeq: 1 CANCEL");
    lab.datagram("192.0.2.9:5060", cancel).await;
    let (owner, mut mailbox) = Owner::channel(8);
    lab.sip.claim(new.tx, &owner);
    let Some(SipEvent::Cancel { invite, .. }) = mailbox.recv().await else { panic!() };
    assert_eq!(invite, new.tx);
    let status = StatusCode::REQUEST_TERMINATED;
    lab.sip.respond(new.tx, Response::to_request(&new.request, status, None));
    assert_eq!(lab.survivors().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn scanners_get_no_answer_and_are_shut_out_before_parsing() {
    let mut lab = Lab::new();
    let agent = "User-Agent: friendly-scanner\r\n";
    let text = request("OPTIONS", "sip:100@192.0.2.1", "203.0.113.66:5060", "s", 1, agent);
    lab.datagram("203.0.113.66:5060", text.clone()).await;
    assert!(lab.drain().await.is_empty());
    assert!(lab.bans.is_banned("203.0.113.66".parse().unwrap()));
    lab.datagram("203.0.113.66:5060", text.replace(agent, "")).await;
    assert!(lab.drain().await.is_empty());
    assert_eq!(lab.metrics.sip_banned_dropped.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn garbage_and_keep_alives_leave_nothing_behind() {
    let mut lab = Lab::new();
    for junk in ["", "\r\n\r\n", "\0", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"] {
        lab.datagram("203.0.113.9:5060", junk.to_owned()).await;
    }
    assert_eq!(lab.survivors().await, (0, 0));
    assert_eq!(lab.metrics.sip_malformed.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_answers_503_instead_of_waiting() {
    let mut lab = Lab::new();
    let (owner, _mailbox) = Owner::channel(1);
    let _guard = lab.sip.register_dialog(DialogKey::new("full", "ours"), &owner);
    settle().await;
    for seq in 2..4 {
        let info = request("INFO", "sip:us@192.0.2.1", "192.0.2.9:5060", "full", seq, "")
            .replace("To: <sip:us@192.0.2.1>", "To: <sip:us@192.0.2.1>;tag=ours");
        lab.datagram("192.0.2.9:5060", info).await;
    }
    let (_, response) = lab.sent_response().await;
    assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers.has(&HeaderName::RetryAfter));
}

#[tokio::test(start_paused = true)]
async fn a_stack_whose_office_is_gone_says_that_it_is_not_well() {
    let Lab { sip, requests, .. } = Lab::new();
    assert!(sip.is_well().await);
    drop(requests);
    assert!(!sip.is_well().await);
}
