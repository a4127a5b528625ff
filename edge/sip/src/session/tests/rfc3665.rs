//! The call flows of RFC 3665 §3, as far as an endpoint sees them.

use std::time::Duration;

use super::lab::*;
use super::pair::*;
use crate::header::{HeaderName, Headers};
use crate::message::Method;
use crate::session::SessionConfig;

fn pair() -> Pair {
    Pair::call(plain_config(), plain_config(), sdp(OFFER))
}

#[test]
fn s3_1_a_successful_call() {
    let mut pair = pair();
    let now = pair.now;
    pair.side(B).provisional(now, code(180), None, none()).unwrap();
    pair.run();
    pair.side(B).accept(now, sdp(ANSWER), none()).unwrap();
    pair.run();
    assert_eq!(pair.events(A), ["180", "Answered"]);
    assert_eq!(pair.events(B), ["Confirmed"]);
    let b = pair.side(B);
    b.hangup(now, Headers::new());
    pair.run();
    assert_eq!(pair.ladder, ["a INVITE", "b 180", "b 200", "a ACK", "b BYE", "a 200"]);
    assert_eq!(pair.events(A), ["Ended Remote"]);
    assert_eq!(pair.events(B), ["Ended Local"]);
    pair.assert_over();
}

#[test]
fn s3_2_a_call_through_two_proxies_takes_the_recorded_route_back() {
    let (mut alice, now) = outgoing(plain_config(), sdp(OFFER));
    let (token, invite) = sent(&drain(&mut alice), &Method::Invite);
    let routes = [
        (
            HeaderName::RecordRoute,
            "<sip:ss2.biloxi.example.com;lr>, <sip:ss1.atlanta.example.com;lr>",
        ),
        (HeaderName::Contact, "<sip:bob@client.biloxi.example.com>"),
    ];
    alice.handle_response(now, token, &answer(&invite, 180, "bob", &routes, None));
    alice.handle_response(now, token, &answer(&invite, 200, "bob", &routes, Some(ANSWER)));
    let ack = acked(&drain(&mut alice));
    assert_eq!(ack.uri.to_string(), "sip:bob@client.biloxi.example.com");
    let hops: Vec<String> =
        ack.headers.get_all(&HeaderName::Route).map(|v| v.to_text().into_owned()).collect();
    assert_eq!(hops, ["<sip:ss1.atlanta.example.com;lr>", "<sip:ss2.biloxi.example.com;lr>"]);
    alice.hangup(now, none());
    let outputs = drain(&mut alice);
    let (_, bye) = sent(&outputs, &Method::Bye);
    assert_eq!(bye.headers.get_all(&HeaderName::Route).count(), 2);
    assert_eq!(alice.dialog().unwrap().next_hop().to_string(), "sip:ss1.atlanta.example.com;lr");
}

#[test]
fn s3_3_each_proxy_that_asks_gets_credentials_in_a_new_invite() {
    let config = SessionConfig { answers_challenges: true, ..plain_config() };
    let (mut alice, now) = outgoing(config, sdp(OFFER));
    let (mut token, mut invite) = sent(&drain(&mut alice), &Method::Invite);
    let call_id = text(&invite.headers, &HeaderName::CallId);
    let from = text(&invite.headers, &HeaderName::From);
    for realm in ["atlanta", "biloxi"] {
        let challenge = format!("Digest realm=\"{realm}\", nonce=\"x\"");
        let fields = [(HeaderName::ProxyAuthenticate, &*challenge)];
        alice.handle_response(now, token, &answer(&invite, 407, "proxy", &fields, None));
        assert_eq!(short(&drain(&mut alice)), ["!Challenge"]);
        let mut headers = Headers::new();
        headers.push(HeaderName::ProxyAuthorization, format!("Digest realm=\"{realm}\""));
        let before = crate::session::wire::cseq(&invite.headers).unwrap().seq;
        token = alice.retry_with(now, token, &headers).unwrap();
        (_, invite) = sent(&drain(&mut alice), &Method::Invite);
        assert_eq!(crate::session::wire::cseq(&invite.headers).unwrap().seq, before + 1);
        assert_eq!(text(&invite.headers, &HeaderName::CallId), call_id);
        assert_eq!(text(&invite.headers, &HeaderName::From), from);
    }
    alice.handle_response(now, token, &answer(&invite, 200, "bob", &[], Some(ANSWER)));
    let outputs = drain(&mut alice);
    assert_eq!(short(&outputs), ["ACK", "!Answered"]);
    // RFC 3261 §13.2.2.4: the ACK has the credentials of its INVITE.
    let ack = acked(&outputs);
    assert_eq!(text(&ack.headers, &HeaderName::ProxyAuthorization), "Digest realm=\"biloxi\"");
}

#[test]
fn s3_4_a_dead_proxy_ends_the_attempt() {
    let (mut alice, now) = outgoing(plain_config(), sdp(OFFER));
    let (token, _) = sent(&drain(&mut alice), &Method::Invite);
    alice.handle_failure(now, token, crate::session::SendFailure::Timeout);
    assert_eq!(short(&drain(&mut alice)), ["!Ended Failure(Timeout)"]);
    assert!(alice.is_finished());
}

#[test]
fn s3_5_a_gateway_that_rewrites_contacts_is_followed() {
    // Voice Connector: Record-Route is public, Contact private with a parameter of its own.
    let contact = "sip:10.0.58.47:5060;alias=10.0.58.47~5060~1";
    let invite =
        bobs_invite(&["Record-Route: <sip:3.80.16.13;lr;ftag=gK0;did=0a.1;nat=yes>"], Some(OFFER));
    let mut invite = invite;
    invite.headers.set(HeaderName::Contact, format!("<{contact}>"));
    let (mut bob, now) = incoming(plain_config(), &invite);
    bob.provisional(now, code(180), None, none()).unwrap();
    bob.accept(now, sdp(ANSWER), none()).unwrap();
    for output in drain(&mut bob) {
        if let crate::session::Output::Respond { response, .. } = output {
            let route = text(&response.headers, &HeaderName::RecordRoute);
            assert_eq!(route, "<sip:3.80.16.13;lr;ftag=gK0;did=0a.1;nat=yes>");
        }
    }
    let ack = in_dialog(&bob, "ACK", 10, &[], None);
    bob.handle_ack(now, &ack);
    bob.hangup(now, none());
    let outputs = drain(&mut bob);
    let (_, bye) = sent(&outputs, &Method::Bye);
    assert_eq!(bye.uri.to_string(), contact);
    assert_eq!(
        text(&bye.headers, &HeaderName::Route),
        "<sip:3.80.16.13;lr;ftag=gK0;did=0a.1;nat=yes>"
    );
    let hop = outputs.iter().find_map(|output| match output {
        crate::session::Output::Send { next_hop, .. } => Some(next_hop.to_string()),
        _ => None,
    });
    assert_eq!(hop.as_deref(), Some("sip:3.80.16.13;lr;ftag=gK0;did=0a.1;nat=yes"));
}

#[test]
fn s3_6_a_redirection_is_surfaced_and_an_offerless_invite_answers_in_the_ack() {
    let (mut alice, now) = outgoing(plain_config(), None);
    let (token, invite) = sent(&drain(&mut alice), &Method::Invite);
    let fields = [(HeaderName::Contact, "<sip:bob@biloxi.example.com>")];
    alice.handle_response(now, token, &answer(&invite, 302, "redirect", &fields, None));
    assert_eq!(short(&drain(&mut alice)), ["!Rejected 302", "!Ended Rejected"]);

    let mut pair = Pair::call(plain_config(), plain_config(), None);
    let now = pair.now;
    pair.side(B).accept(now, sdp(ANSWER), none()).unwrap();
    pair.run();
    assert_eq!(pair.events(A), ["Answered?", "Offer Answer"]);
    assert_eq!(pair.events(B), ["OfferAccepted", "Confirmed"]);
    assert_eq!(pair.side(A).remote_sdp(), sdp(ANSWER).as_ref());
    assert_eq!(pair.side(B).remote_sdp(), sdp(OFFER).as_ref());
    pair.side(A).hangup(now, none());
    pair.assert_over();
}

#[test]
fn s3_7_a_re_invite_moves_the_media_and_the_contact() {
    let mut pair = Pair::answered(plain_config(), plain_config());
    let now = pair.now;
    pair.events(A);
    pair.side(B).reinvite(now, sdp(ANSWER), none()).unwrap();
    pair.run();
    assert_eq!(pair.events(A), ["Offer ReInvite"]);
    assert_eq!(pair.events(B), ["Confirmed", "OfferAccepted"]);
    assert_eq!(pair.ladder[3..], ["b INVITE", "a 200", "b ACK"]);
    pair.side(A).hangup(now, none());
    pair.assert_over();
}

#[test]
fn s3_8_no_answer_the_caller_cancels() {
    let mut pair = pair();
    let now = pair.now;
    pair.side(B).provisional(now, code(180), None, none()).unwrap();
    pair.run();
    let mut reason = Headers::new();
    reason.push(HeaderName::Reason, "SIP;cause=200;text=\"Call completed elsewhere\"");
    pair.side(A).hangup(now, reason);
    pair.run();
    assert_eq!(pair.ladder, ["a INVITE", "b 180", "a CANCEL", "b 487"]);
    assert_eq!(pair.events(A), ["180", "Ended Local"]);
    let events = std::mem::take(&mut pair.sides[B].events);
    let [crate::session::SessionEvent::Ended { by, reasons, .. }] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(*by, crate::session::EndedBy::Remote);
    assert_eq!(reasons[0].to_text(), "SIP;cause=200;text=\"Call completed elsewhere\"");
    pair.assert_over();
}

#[test]
fn s3_9_busy() {
    let mut pair = pair();
    let now = pair.now;
    pair.side(B).reject(now, code(486), None, none()).unwrap();
    pair.run();
    assert_eq!(pair.events(A), ["Rejected 486", "Ended Rejected"]);
    assert_eq!(pair.events(B), ["Ended Local"]);
    pair.assert_over();
}

#[test]
fn s3_10_no_response_from_the_far_phone() {
    let (mut alice, now) = outgoing(plain_config(), sdp(OFFER));
    let (token, invite) = sent(&drain(&mut alice), &Method::Invite);
    alice.handle_response(now, token, &answer(&invite, 100, "", &[], None));
    assert!(drain(&mut alice).is_empty());
    assert_eq!(alice.poll_timeout(), None, "how long it may ring is for the owner to say");
    alice.handle_response(
        now + Duration::from_secs(32),
        token,
        &answer(&invite, 480, "proxy", &[], None),
    );
    assert_eq!(short(&drain(&mut alice)), ["!Rejected 480", "!Ended Rejected"]);
}

#[test]
fn s3_11_temporarily_unavailable_after_ringing() {
    let mut pair = pair();
    let now = pair.now;
    pair.side(B).provisional(now, code(180), None, none()).unwrap();
    pair.run();
    pair.side(B).hangup(now, none());
    pair.run();
    assert_eq!(pair.events(A), ["180", "Rejected 480", "Ended Rejected"]);
    pair.assert_over();
}
