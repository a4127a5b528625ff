//! Streams: large requests, and responses whose connection is gone.

use std::time::Duration;

use offhook_sip::flow::{ConnectionId, Flow, Transport};
use offhook_sip::header::HeaderName;
use offhook_sip::message::{Message, Method, Request, Response, StatusCode};
use offhook_sip::uri::Uri;
use tokio::sync::mpsc;

use super::lab::{Lab, US, request, settle};
use super::{DialogKey, Owner, SendFailure, SipEvent, Target};

fn large(call_id: &str) -> Request {
    let more = format!("X-Much: {}\r\n", "x".repeat(1_200));
    let text = request("INVITE", "sip:1@192.0.2.9", "192.0.2.1", call_id, 1, &more);
    let Ok(Message::Request(mut request)) = offhook_sip::parse::datagram(text.into()) else {
        panic!("no request")
    };
    request.headers.remove(&HeaderName::Via);
    request
}

fn uri(text: &str) -> Target {
    Target::Uri(text.parse::<Uri>().unwrap())
}

async fn next(lab: &mut Lab) -> (Flow, Request) {
    loop {
        if let (flow, Message::Request(request)) = lab.sent_over().await {
            return (flow, request);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_request_takes_a_stream_where_nobody_asked_for_datagrams() {
    let mut lab = Lab::new();
    let (owner, mut mailbox) = Owner::channel(8);
    lab.sip.send(1, large("a"), uri("sip:192.0.2.9"), &owner);
    let (flow, sent) = next(&mut lab).await;
    assert_eq!(flow.transport, Transport::Tcp);
    assert_eq!(flow.remote, "192.0.2.9:5060".parse::<std::net::SocketAddr>().unwrap());
    assert!(sent.headers.text(&HeaderName::Via).unwrap().starts_with("SIP/2.0/TCP"));
    let busy = Response::to_request(&sent, StatusCode::BUSY_HERE, None);
    lab.stream(flow, busy.to_bytes()).await;
    assert!(matches!(mailbox.recv().await, Some(SipEvent::Response { .. })));
    lab.drain().await;
    for (n, way) in ["sip:192.0.2.9;transport=udp", "sip:192.0.2.9:5060"].iter().enumerate() {
        let mut small = large(&format!("small{n}"));
        if n == 1 {
            small.headers.remove(&HeaderName::parse(b"X-Much").unwrap());
        }
        lab.sip.send(2 + n as u64, small, uri(way), &owner);
        assert_eq!(next(&mut lab).await.0.transport, Transport::Udp, "{way}");
        lab.drain().await;
    }
    // A registration by datagrams says that these arrive.
    let flow = super::lab::udp("192.0.2.9:5060");
    lab.sip.send(9, large("phone"), Target::Flow(flow), &owner);
    assert_eq!(next(&mut lab).await.0.transport, Transport::Udp);
    assert_eq!(lab.survivors().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn where_no_stream_is_taken_the_datagram_follows_at_once_and_first_from_then_on() {
    let mut lab = Lab::new();
    let (owner, mut mailbox) = Owner::channel(8);
    lab.wire.closed.lock().unwrap().insert("192.0.2.9:5060".parse().unwrap());
    lab.sip.send(1, large("a"), uri("sip:192.0.2.9"), &owner);
    let begin = tokio::time::Instant::now();
    let (flow, sent) = next(&mut lab).await;
    assert_eq!((flow.transport, begin.elapsed()), (Transport::Udp, Duration::ZERO));
    lab.answer(flow.remote, &sent, StatusCode::BUSY_HERE).await;
    assert!(matches!(mailbox.recv().await, Some(SipEvent::Response { token: 1, .. })));
    lab.drain().await;
    lab.wire.closed.lock().unwrap().clear();
    lab.sip.send(2, large("b"), uri("sip:192.0.2.9"), &owner);
    assert_eq!(next(&mut lab).await.0.transport, Transport::Udp);
    assert_eq!(lab.survivors().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_place_that_swallows_the_stream_costs_three_seconds_once() {
    let mut lab = Lab::new();
    let (owner, mut mailbox) = Owner::channel(8);
    let begin = tokio::time::Instant::now();
    lab.sip.send(1, large("a"), uri("sip:192.0.2.9"), &owner);
    assert_eq!(next(&mut lab).await.0.transport, Transport::Tcp);
    let (flow, sent) = next(&mut lab).await;
    assert_eq!((flow.transport, begin.elapsed().as_secs()), (Transport::Udp, 3));
    lab.answer(flow.remote, &sent, StatusCode::RINGING).await;
    assert!(matches!(mailbox.recv().await, Some(SipEvent::Response { token: 1, .. })));
    lab.answer(flow.remote, &sent, StatusCode::BUSY_HERE).await;
    lab.drain().await;
    lab.sip.send(2, large("b"), uri("sip:192.0.2.9"), &owner);
    assert_eq!(next(&mut lab).await.0.transport, Transport::Udp);
    assert_eq!(lab.survivors().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_503_over_a_stream_is_the_answer_and_not_asked_for_twice() {
    let mut lab = Lab::new();
    let (owner, mut mailbox) = Owner::channel(8);
    lab.sip.send(1, large("a"), uri("sip:192.0.2.9"), &owner);
    let (flow, sent) = next(&mut lab).await;
    only_answer(&mut lab, &mut mailbox, flow, &sent).await;
}

#[tokio::test(start_paused = true)]
async fn a_503_over_a_stream_is_the_answer_after_a_100_too() {
    let mut lab = Lab::new();
    let (owner, mut mailbox) = Owner::channel(8);
    lab.sip.send(1, large("a"), uri("sip:192.0.2.9"), &owner);
    let (flow, sent) = next(&mut lab).await;
    let trying = Response::to_request(&sent, StatusCode::TRYING, None);
    lab.stream(flow, trying.to_bytes()).await;
    let Some(SipEvent::Response { response, .. }) = mailbox.recv().await else { panic!() };
    assert_eq!(response.status, StatusCode::TRYING);
    only_answer(&mut lab, &mut mailbox, flow, &sent).await;
}

/// A 503 comes to `sent`: its owner is told, and nobody is asked again.
async fn only_answer(
    lab: &mut Lab,
    mailbox: &mut mpsc::Receiver<SipEvent>,
    flow: Flow,
    sent: &Request,
) {
    let busy = Response::to_request(sent, StatusCode::SERVICE_UNAVAILABLE, None);
    lab.stream(flow, busy.to_bytes()).await;
    let rest = lab.drain().await;
    let invites =
        rest.iter().filter(|(_, m)| matches!(m, Message::Request(r) if r.method == Method::Invite));
    assert_eq!(invites.count(), 0);
    let Some(SipEvent::Response { response, .. }) = mailbox.recv().await else { panic!() };
    assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(lab.survivors().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_response_whose_connection_is_gone_takes_a_new_one_to_the_port_of_sent_by() {
    let mut lab = Lab::new();
    let flow = Flow {
        transport: Transport::Tcp,
        local: US.parse().unwrap(),
        remote: "203.0.113.5:41000".parse().unwrap(),
        connection: Some(ConnectionId(7)),
    };
    let text = request("MESSAGE", "sip:101@192.0.2.1", "10.0.0.5:5070", "r", 1, "");
    lab.stream(flow, text.replace("SIP/2.0/UDP", "SIP/2.0/TCP")).await;
    let new = lab.requests.recv().await.unwrap();
    lab.wire.closed.lock().unwrap().insert(flow.remote);
    lab.lost(flow).await;
    lab.sip.respond(new.tx, Response::to_request(&new.request, StatusCode::OK, None));
    let (way, Message::Response(response)) = lab.sent_over().await else { panic!() };
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(way.transport, Transport::Tcp);
    assert_eq!(
        way.remote,
        "203.0.113.5:5070".parse::<std::net::SocketAddr>().unwrap(),
        "never where only a Via says"
    );
    assert_eq!(way.connection, None);
    assert_eq!(lab.survivors().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_invite_in_a_mailbox_that_nobody_reads_any_more_is_answered() {
    let mut lab = Lab::new();
    let (owner, mailbox) = Owner::channel(8);
    let guard = lab.sip.register_dialog(DialogKey::new("dlg", "ours"), &owner);
    settle().await;
    let again = request("INVITE", "sip:us@192.0.2.1", "192.0.2.9:5060", "dlg", 2, "")
        .replace("To: <sip:us@192.0.2.1>", "To: <sip:us@192.0.2.1>;tag=ours");
    lab.datagram("192.0.2.9:5060", again).await;
    drop((mailbox, guard));
    let refused = loop {
        let (_, response) = lab.sent_response().await;
        if response.status.is_final() {
            break response;
        }
    };
    assert_eq!(refused.status, StatusCode::CALL_DOES_NOT_EXIST);
    assert_eq!(lab.survivors().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_lost_fails_only_what_went_over_it() {
    let lab = Lab::new();
    let (owner, mut mailbox) = Owner::channel(8);
    let flow = |id| Flow {
        transport: Transport::Tcp,
        local: US.parse().unwrap(),
        remote: "203.0.113.5:5060".parse().unwrap(),
        connection: Some(ConnectionId(id)),
    };
    for id in [1, 2] {
        lab.sip.send(id, large(&format!("c{id}")), Target::Flow(flow(id)), &owner);
    }
    settle().await;
    lab.lost(flow(1)).await;
    let Some(SipEvent::Failed { token: 1, kind }) = mailbox.recv().await else { panic!() };
    assert_eq!(kind, SendFailure::Transport);
    assert!(mailbox.try_recv().is_err());
}
