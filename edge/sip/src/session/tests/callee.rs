//! The callee: what is refused at once, our 2xx and its ACK, BYE.

use std::time::Duration;

use super::lab::*;
use crate::header::{HeaderName, Headers};
use crate::ids::Ids;
use crate::message::{Method, Request, Response, StatusCode};
use crate::session::{
    Output, Refused, ReliableProvisionals, ServerTx, Session, SessionConfig, SessionEvent,
};

const SECOND: Duration = Duration::from_secs(1);

fn refused(config: SessionConfig, invite: &Request) -> Response {
    let now = std::time::Instant::now();
    let contact = uri("sip:bob@192.0.2.2");
    let mut ids = Ids::from_seed(1);
    Session::incoming(now, config.into(), &mut ids, invite, ServerTx(1), contact).err().unwrap()
}

#[test]
fn an_invite_that_asks_for_the_unknown_is_refused_with_the_reason() {
    let response = refused(plain_config(), &bobs_invite(&["Require: 100rel, nothing"], None));
    assert_eq!(response.status.code(), 420);
    assert_eq!(text(&response.headers, &HeaderName::Unsupported), "nothing");
    assert!(response.to_tag().is_some());

    let mut invite = bobs_invite(&[], None);
    invite.headers.remove(&HeaderName::Contact);
    let response = refused(plain_config(), &invite);
    assert_eq!(response.status.code(), 400);
    assert_eq!(response.reason_text(), "Bad or missing Contact");

    let short = bobs_invite(&["Session-Expires: 60", "Supported: timer"], None);
    let response = refused(SessionConfig::default(), &short);
    assert_eq!(response.status.code(), 422);
    assert_eq!(text(&response.headers, &HeaderName::MinSe), "90");

    let always =
        SessionConfig { reliable_provisionals: ReliableProvisionals::Always, ..plain_config() };
    let response = refused(always, &bobs_invite(&[], None));
    assert_eq!(response.status.code(), 421);
    assert_eq!(text(&response.headers, &HeaderName::Require), "100rel");

    let mut odd = bobs_invite(&["Content-Type: text/plain"], None);
    odd.body = body("hello");
    let response = refused(plain_config(), &odd);
    assert_eq!(response.status.code(), 415);
    assert_eq!(text(&response.headers, &HeaderName::Accept), "application/sdp");

    let packed = bobs_invite(&["Content-Encoding: gzip"], Some(OFFER));
    let response = refused(plain_config(), &packed);
    assert_eq!(response.status.code(), 415);
    assert_eq!(text(&response.headers, &HeaderName::AcceptEncoding), "identity");
}

#[test]
fn a_body_that_may_be_ignored_or_is_none_is_no_reason_to_refuse() {
    let isup = ["Content-Type: application/isup", "Content-Disposition: signal; Handling=optional"];
    let mut with_isup = bobs_invite(&isup, None);
    with_isup.body = body("xx");
    let mut breaks = bobs_invite(&[], None);
    breaks.body = body("\r\n\r\n");
    for invite in [with_isup, breaks] {
        let (bob, _) = incoming(plain_config(), &invite);
        assert_eq!(bob.remote_sdp(), None, "it is ours to offer");
    }
    let plain = bobs_invite(&["e: Identity"], Some(OFFER));
    assert!(incoming(plain_config(), &plain).0.remote_sdp().is_some());
}

#[test]
fn a_boundary_may_hold_what_separates_parameters() {
    let mut invite = bobs_invite(&["Content-Type: multipart/mixed; boundary=\"a;b=c\""], None);
    invite.body =
        body(&format!("--a;b=c\r\nContent-Type: application/sdp\r\n\r\n{OFFER}\r\n--a;b=c--\r\n"));
    assert!(incoming(plain_config(), &invite).0.remote_sdp().is_some());
}

#[test]
fn the_session_description_is_found_in_a_multipart_body() {
    let mut invite = bobs_invite(&["Content-Type: multipart/mixed;boundary=\"b1\""], None);
    invite.body = body(&format!(
        "--b1\r\nContent-Type: application/isup\r\n\r\nxx\r\n--b1\r\nContent-Type: application/sdp\r\n\r\n{OFFER}\r\n--b1--\r\n"
    ));
    let (bob, _) = incoming(plain_config(), &invite);
    let got = String::from_utf8(bob.remote_sdp().unwrap().to_vec()).unwrap();
    assert_eq!(got.trim_end(), OFFER.trim_end());
}

#[test]
fn a_stray_parameter_on_to_stays_and_gets_our_tag_behind_it() {
    let mut invite = bobs_invite(&[], Some(OFFER));
    invite.headers.set(HeaderName::To, "<sip:+16185558387@198.51.100.204:5060>;transport=UDP");
    let (mut bob, now) = incoming(plain_config(), &invite);
    bob.provisional(now, code(180), None, none()).unwrap();
    let to = text(&responded(&drain(&mut bob)).headers, &HeaderName::To);
    let tag = bob.local_tag();
    assert_eq!(to, format!("<sip:+16185558387@198.51.100.204:5060>;transport=UDP;tag={tag}"));
}

#[test]
fn our_2xx_is_repeated_until_the_ack_and_then_ended_with_a_clear_reason() {
    let (mut bob, now) = incoming(plain_config(), &bobs_invite(&[], Some(OFFER)));
    bob.accept(now, sdp(ANSWER), none()).unwrap();
    let first = responded(&drain(&mut bob));
    let mut at = Vec::new();
    let mut ended = Vec::new();
    while ended.is_empty() {
        let due = bob.poll_timeout().unwrap();
        bob.handle_timeout(due);
        let outputs = drain(&mut bob);
        match &outputs[..] {
            [Output::Respond { response, tx }] => {
                assert_eq!((response, *tx), (&first, ServerTx(1)));
                at.push((due - now).as_millis());
            }
            _ => {
                assert_eq!(due - now, 32 * SECOND);
                let (_, bye) = sent(&outputs, &Method::Bye);
                let reason = text(&bye.headers, &HeaderName::Reason);
                assert_eq!(reason, "SIP;cause=408;text=\"ACK timeout\"");
                ended = short(&outputs);
            }
        }
    }
    // RFC 3261 §13.3.1.4: T1, doubling up to T2, for 64 x T1.
    assert_eq!(at, [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]);
    assert_eq!(ended, ["!Ended AckTimeout", "BYE"]);
}

#[test]
fn an_ack_stops_the_2xx_whatever_its_branch_or_route() {
    let (mut bob, now) = incoming(plain_config(), &bobs_invite(&[], Some(OFFER)));
    bob.accept(now, sdp(ANSWER), none()).unwrap();
    drain(&mut bob);
    let wrong = in_dialog(&bob, "ACK", 11, &[], None);
    bob.handle_ack(now, &wrong);
    assert!(drain(&mut bob).is_empty());
    let ack = in_dialog(&bob, "ACK", 10, &["Route: <sip:192.0.2.9;lr>"], None);
    bob.handle_ack(now, &ack);
    assert_eq!(short(&drain(&mut bob)), ["!Confirmed"]);
    assert_eq!(bob.poll_timeout(), None);
    bob.handle_ack(now, &ack);
    assert!(drain(&mut bob).is_empty());
}

#[test]
fn a_hangup_before_the_ack_waits_for_it() {
    let (mut bob, now) = incoming(plain_config(), &bobs_invite(&[], Some(OFFER)));
    bob.accept(now, sdp(ANSWER), none()).unwrap();
    bob.hangup(now, none());
    assert_eq!(short(&drain(&mut bob)), ["200", "!Ended Local"]);
    bob.handle_timeout(now + SECOND);
    assert_eq!(short(&drain(&mut bob)), ["200"]);
    let ack = in_dialog(&bob, "ACK", 10, &[], None);
    bob.handle_ack(now + SECOND, &ack);
    let (token, bye) = sent(&drain(&mut bob), &Method::Bye);
    bob.handle_response(now + SECOND, token, &answer(&bye, 200, "peer", &[], None));
    assert!(bob.is_finished());
}

#[test]
fn a_hangup_without_any_ack_says_bye_after_64_t1() {
    let (mut bob, now) = incoming(plain_config(), &bobs_invite(&[], Some(OFFER)));
    bob.accept(now, sdp(ANSWER), none()).unwrap();
    bob.hangup(now, none());
    drain(&mut bob);
    bob.handle_timeout(now + 32 * SECOND);
    assert_eq!(short(&drain(&mut bob)), ["BYE"]);
    bob.handle_timeout(now + 100 * SECOND);
    assert!(bob.is_finished());
}

#[test]
fn a_caller_may_bye_its_early_dialog() {
    let (mut bob, now) = incoming(plain_config(), &bobs_invite(&[], Some(OFFER)));
    bob.provisional(now, code(180), None, none()).unwrap();
    drain(&mut bob);
    let bye = in_dialog(&bob, "BYE", 11, &["Reason: SIP;cause=500"], None);
    bob.handle_request(now, ServerTx(2), &bye);
    assert_eq!(short(&drain(&mut bob)), ["200", "487", "!Ended Remote"]);
    assert!(bob.is_finished());
}

#[test]
fn a_cancel_after_the_answer_has_no_effect() {
    let (mut bob, now) = incoming(plain_config(), &bobs_invite(&[], Some(OFFER)));
    bob.accept(now, sdp(ANSWER), none()).unwrap();
    drain(&mut bob);
    let cancel = in_dialog(&bob, "CANCEL", 10, &[], None);
    bob.handle_cancel(now, ServerTx(1), &cancel);
    assert!(drain(&mut bob).is_empty());
}

#[test]
fn answering_twice_is_refused_without_harm() {
    let (mut bob, now) = incoming(plain_config(), &bobs_invite(&[], Some(OFFER)));
    assert_eq!(bob.accept(now, None, none()), Err(Refused::NeedsSdp));
    assert_eq!(bob.provisional(now, code(200), None, none()), Err(Refused::BadStatus));
    assert_eq!(bob.reject(now, code(302), None, none()), Err(Refused::BadStatus));
    bob.accept(now, sdp(ANSWER), none()).unwrap();
    assert_eq!(bob.accept(now, sdp(ANSWER), none()), Err(Refused::NotNow));
    assert_eq!(bob.provisional(now, code(180), None, none()), Err(Refused::NotNow));
    assert_eq!(bob.reject(now, code(486), None, none()), Err(Refused::NotNow));
}

#[test]
fn early_media_of_a_plain_183_is_repeated_in_the_200() {
    let (mut bob, now) = incoming(plain_config(), &bobs_invite(&[], Some(OFFER)));
    bob.provisional(now, code(183), sdp(ANSWER), none()).unwrap();
    bob.accept(now, None, none()).unwrap();
    let outputs = drain(&mut bob);
    let Some(Output::Respond { response, .. }) = outputs.last() else { panic!() };
    assert_eq!(response.body, body(ANSWER));
}

#[test]
fn a_plain_provisional_is_repeated_every_minute_so_that_proxies_keep_the_call() {
    let (mut bob, now) = incoming(plain_config(), &bobs_invite(&[], Some(OFFER)));
    bob.provisional(now, code(180), None, none()).unwrap();
    drain(&mut bob);
    assert_eq!(bob.poll_timeout(), Some(now + 60 * SECOND));
    bob.handle_timeout(now + 60 * SECOND);
    assert_eq!(short(&drain(&mut bob)), ["180"]);
    assert_eq!(bob.poll_timeout(), Some(now + 120 * SECOND));
}

#[test]
fn the_reasons_of_a_bye_or_cancel_come_along_with_the_end() {
    let fields = ["Reason: Q.850;cause=16", "Reason: SIP;cause=200;text=\"Done\""];
    for live in [true, false] {
        let (mut bob, now) = incoming(plain_config(), &bobs_invite(&[], Some(OFFER)));
        if live {
            bob.accept(now, sdp(ANSWER), none()).unwrap();
            let bye = in_dialog(&bob, "BYE", 11, &fields, None);
            bob.handle_request(now, ServerTx(2), &bye);
        } else {
            let cancel = in_dialog(&bob, "CANCEL", 10, &fields, None);
            bob.handle_cancel(now, ServerTx(1), &cancel);
        }
        let outputs = drain(&mut bob);
        let Some(Output::Event(SessionEvent::Ended { reasons, .. })) = outputs.last() else {
            panic!("{:?}", short(&outputs))
        };
        let reasons: Vec<_> = reasons.iter().map(|reason| reason.to_text()).collect();
        assert_eq!(reasons, ["Q.850;cause=16", "SIP;cause=200;text=\"Done\""]);
    }
}

#[test]
fn the_answer_to_a_refer_names_where_we_are() {
    let (mut bob, now) = incoming(plain_config(), &bobs_invite(&[], Some(OFFER)));
    bob.accept(now, sdp(ANSWER), none()).unwrap();
    drain(&mut bob);
    let refer = in_dialog(&bob, "REFER", 11, &["Refer-To: <sip:c@192.0.2.3>"], None);
    bob.handle_request(now, ServerTx(2), &refer);
    let outputs = drain(&mut bob);
    let Some(Output::Event(SessionEvent::Request { token, .. })) = outputs.last() else {
        panic!("{:?}", short(&outputs))
    };
    bob.respond(now, *token, code(202), &none(), None).unwrap();
    let response = responded(&drain(&mut bob));
    assert_eq!(text(&response.headers, &HeaderName::Contact), "<sip:bob@192.0.2.2>");
}

#[test]
fn a_redirection_names_the_other_address_and_a_refusal_keeps_its_phrase() {
    let (mut bob, now) = incoming(plain_config(), &bobs_invite(&[], Some(OFFER)));
    let other = "<sip:carol@192.0.2.3>".parse().unwrap();
    bob.redirect(now, code(302), &[other], none()).unwrap();
    let response = responded(&drain(&mut bob));
    assert_eq!(text(&response.headers, &HeaderName::Contact), "<sip:carol@192.0.2.3>");

    let (mut bob, now) = incoming(plain_config(), &bobs_invite(&[], Some(OFFER)));
    let mut headers = Headers::new();
    headers.push(HeaderName::RetryAfter, "30");
    bob.reject(now, code(486), Some("Do not\r\ndisturb"), headers).unwrap();
    let response = responded(&drain(&mut bob));
    assert_eq!(response.reason_text(), "Do not  disturb");
    assert_eq!(text(&response.headers, &HeaderName::RetryAfter), "30");
    assert!(bob.is_finished());
}

// Requests in the dialog

#[test]
fn requests_out_of_order_or_of_another_dialog_are_refused() {
    let (mut bob, now) = incoming(plain_config(), &bobs_invite(&[], Some(OFFER)));
    let old = in_dialog(&bob, "INFO", 9, &[], None);
    bob.handle_request(now, ServerTx(2), &old);
    let mut other = in_dialog(&bob, "INFO", 11, &[], None);
    other.headers.set(HeaderName::From, "<sip:mallory@192.0.2.6>;tag=other");
    bob.handle_request(now, ServerTx(3), &other);
    let unknown = in_dialog(&bob, "FROB", 12, &[], None);
    bob.handle_request(now, ServerTx(4), &unknown);
    let odd = in_dialog(&bob, "INFO", 13, &["Require: odd"], None);
    bob.handle_request(now, ServerTx(5), &odd);
    let options = in_dialog(&bob, "OPTIONS", 14, &[], None);
    bob.handle_request(now, ServerTx(6), &options);
    assert_eq!(short(&drain(&mut bob)), ["500", "481", "405", "420", "200"]);
}

#[test]
fn a_flood_of_requests_meets_a_limit_and_what_waits_at_the_end_gets_487() {
    let config = SessionConfig { max_parallel: 2, ..plain_config() };
    let (mut bob, now) = incoming(config, &bobs_invite(&[], Some(OFFER)));
    for (tx, cseq) in [(2, 11), (3, 12), (4, 13)] {
        let info = in_dialog(&bob, "INFO", cseq, &[], None);
        bob.handle_request(now, ServerTx(tx), &info);
    }
    let outputs = drain(&mut bob);
    assert_eq!(short(&outputs), ["!Request INFO", "!Request INFO", "503"]);
    let Some(Output::Event(SessionEvent::Request { token, .. })) = outputs.first() else {
        panic!()
    };
    bob.respond(now, *token, StatusCode::OK, &none(), None).unwrap();
    assert_eq!(bob.respond(now, *token, StatusCode::OK, &none(), None), Err(Refused::UnknownToken));
    drain(&mut bob);
    let cancel = in_dialog(&bob, "CANCEL", 10, &[], None);
    bob.handle_cancel(now, ServerTx(1), &cancel);
    assert_eq!(short(&drain(&mut bob)), ["487", "487", "!Ended Remote"]);
}

#[test]
fn who_takes_late_candidates_says_so_in_its_answer() {
    let mut config = plain_config();
    for told in [false, true] {
        let (mut bob, now) = incoming(config.clone(), &bobs_invite(&[], Some(OFFER)));
        bob.accept(now, sdp(ANSWER), none()).unwrap();
        let outputs = drain(&mut bob);
        let recv = HeaderName::Other("Recv-Info".into());
        assert_eq!(responded(&outputs).headers.get(&recv).is_some(), told);
        config.supported.push(crate::session::TRICKLE_ICE.into());
    }
}
