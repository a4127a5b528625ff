//! The caller: forks, CANCEL races, acknowledgements, challenges, what is refused.

use std::time::Duration;

use super::lab::*;
use super::pair::*;
use crate::header::{HeaderName, Headers};
use crate::message::Method;
use crate::session::{Phase, Refused, SendFailure, SessionConfig, SessionEvent};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_repeated_2xx_gets_the_same_ack_again() {
    let (mut alice, now) = outgoing(plain_config(), sdp(OFFER));
    let (token, invite) = sent(&drain(&mut alice), &Method::Invite);
    let ok = answer(&invite, 200, "bob", &[], Some(ANSWER));
    alice.handle_response(now, token, &ok);
    let first = acked(&drain(&mut alice));
    alice.handle_response(now + SECOND, token, &ok);
    let outputs = drain(&mut alice);
    assert_eq!(short(&outputs), ["ACK"]);
    assert_eq!(acked(&outputs), first);
}

#[test]
fn the_first_fork_that_answers_is_taken_and_another_gets_ack_and_bye() {
    let (mut alice, now) = outgoing(plain_config(), sdp(OFFER));
    let (token, invite) = sent(&drain(&mut alice), &Method::Invite);
    for tag in ["one", "two"] {
        alice.handle_response(now, token, &answer(&invite, 180, tag, &[], None));
    }
    let two = [(HeaderName::Contact, "<sip:two@192.0.2.22>")];
    let ok_one = answer(&invite, 200, "one", &[], Some(ANSWER));
    let ok_two = answer(&invite, 200, "two", &two, Some(ANSWER));
    alice.handle_response(now, token, &ok_one);
    assert_eq!(short(&drain(&mut alice)), ["!180", "!180", "ACK", "!Answered"]);
    alice.handle_response(now + SECOND, token, &ok_two);
    let outputs = drain(&mut alice);
    assert_eq!(short(&outputs), ["ACK", "BYE"]);
    let (bye_token, bye) = sent(&outputs, &Method::Bye);
    assert_eq!(bye.uri.to_string(), "sip:two@192.0.2.22");
    // Its 2xx again: the same ACK, no second BYE.
    alice.handle_response(now + SECOND, token, &ok_two);
    assert_eq!(short(&drain(&mut alice)), ["ACK"]);
    alice.handle_response(now + SECOND, bye_token, &answer(&bye, 200, "two", &[], None));
    assert_eq!(alice.phase(), Phase::Live);
    assert_eq!(&*alice.dialog().unwrap().id().remote_tag, "one");

    // Over early, it still waits for late forks until 64 x T1 have passed.
    alice.hangup(now + SECOND, none());
    let (token, bye) = sent(&drain(&mut alice), &Method::Bye);
    alice.handle_response(now + SECOND, token, &answer(&bye, 200, "one", &[], None));
    drain(&mut alice);
    assert!(!alice.is_finished());
    assert_eq!(alice.poll_timeout(), Some(now + 32 * SECOND));
    alice.handle_timeout(now + 32 * SECOND);
    assert!(alice.is_finished());
}

#[test]
fn a_2xx_that_crosses_the_cancel_is_acknowledged_and_ended() {
    let mut pair = Pair::call(plain_config(), plain_config(), sdp(OFFER));
    let now = pair.now;
    // Both act before anything is delivered.
    pair.side(B).accept(now, sdp(ANSWER), none()).unwrap();
    pair.side(A).hangup(now, none());
    pair.run();
    assert_eq!(pair.ladder, ["a INVITE", "a CANCEL", "b 200", "a ACK", "a BYE", "b 200"]);
    assert_eq!(pair.events(A), ["Ended Local"]);
    assert_eq!(pair.events(B), ["Confirmed", "Ended Remote"]);
    pair.assert_over();
}

#[test]
fn a_2xx_of_a_known_fork_is_ended_however_many_forks_there_are() {
    let config = SessionConfig { max_parallel: 2, ..plain_config() };
    let (mut alice, now) = outgoing(config, sdp(OFFER));
    let (token, invite) = sent(&drain(&mut alice), &Method::Invite);
    for tag in ["one", "two", "three"] {
        alice.handle_response(now, token, &answer(&invite, 180, tag, &[], None));
    }
    alice.hangup(now, none());
    assert_eq!(short(&drain(&mut alice)), ["!180", "!180", "CANCEL", "!Ended Local"]);
    alice.handle_response(now, token, &answer(&invite, 200, "two", &[], Some(ANSWER)));
    assert_eq!(short(&drain(&mut alice)), ["ACK", "BYE"]);
}

#[test]
fn a_cancelled_invite_that_nobody_answers_is_given_up_after_64_t1() {
    let (mut alice, now) = outgoing(plain_config(), sdp(OFFER));
    let (token, invite) = sent(&drain(&mut alice), &Method::Invite);
    alice.handle_response(now, token, &answer(&invite, 180, "bob", &[], None));
    alice.hangup(now, none());
    assert_eq!(short(&drain(&mut alice)), ["!180", "CANCEL", "!Ended Local"]);
    assert!(!alice.is_finished());
    assert_eq!(alice.poll_timeout(), Some(now + 32 * SECOND));
    alice.handle_timeout(now + 32 * SECOND);
    assert!(alice.is_finished());
    assert_eq!(alice.poll_timeout(), None);
}

#[test]
fn an_offerless_invite_that_was_cancelled_still_acknowledges_the_offer() {
    let (mut alice, now) = outgoing(plain_config(), None);
    let (token, invite) = sent(&drain(&mut alice), &Method::Invite);
    alice.hangup(now, none());
    drain(&mut alice);
    alice.handle_response(now, token, &answer(&invite, 200, "bob", &[], Some(ANSWER)));
    assert_eq!(short(&drain(&mut alice)), ["ACK", "BYE"]);
}

#[test]
fn refusing_the_offer_in_a_2xx_ends_the_call() {
    let (mut alice, now) = outgoing(plain_config(), None);
    let (token, invite) = sent(&drain(&mut alice), &Method::Invite);
    alice.handle_response(now, token, &answer(&invite, 200, "bob", &[], Some(ANSWER)));
    let outputs = drain(&mut alice);
    let offer = outputs.iter().find_map(|output| match output {
        crate::session::Output::Event(SessionEvent::Offer { token, .. }) => Some(*token),
        _ => None,
    });
    alice.refuse_offer(now, offer.unwrap(), code(488)).unwrap();
    assert_eq!(short(&drain(&mut alice)), ["ACK", "!Ended Local", "BYE"]);
    assert_eq!(alice.answer_offer(now, offer.unwrap(), body(OFFER)), Err(Refused::UnknownToken));
}

#[test]
fn hanging_up_with_the_offer_of_a_2xx_unanswered_acknowledges_first() {
    let (mut alice, now) = outgoing(plain_config(), None);
    let (token, invite) = sent(&drain(&mut alice), &Method::Invite);
    alice.handle_response(now, token, &answer(&invite, 200, "bob", &[], Some(ANSWER)));
    drain(&mut alice);
    alice.hangup(now, none());
    assert_eq!(short(&drain(&mut alice)), ["ACK", "!Ended Local", "BYE"]);
}

#[test]
fn a_2xx_without_an_answer_to_our_offer_is_no_call() {
    let (mut alice, now) = outgoing(plain_config(), sdp(OFFER));
    let (token, invite) = sent(&drain(&mut alice), &Method::Invite);
    alice.handle_response(now, token, &answer(&invite, 200, "bob", &[], None));
    assert_eq!(short(&drain(&mut alice)), ["ACK", "!Ended Protocol", "BYE"]);
}

#[test]
fn an_answer_that_came_reliably_holds_and_the_2xx_needs_none() {
    let (mut alice, now) = outgoing(plain_config(), sdp(OFFER));
    let (token, invite) = sent(&drain(&mut alice), &Method::Invite);
    let fields = [(HeaderName::Require, "100rel"), (HeaderName::RSeq, "700")];
    let progress = answer(&invite, 183, "bob", &fields, Some(ANSWER));
    alice.handle_response(now, token, &progress);
    let outputs = drain(&mut alice);
    assert_eq!(short(&outputs), ["!183+sdp", "PRACK"]);
    let (_, prack) = sent(&outputs, &Method::Prack);
    let seq = crate::session::wire::cseq(&invite.headers).unwrap().seq;
    assert_eq!(text(&prack.headers, &HeaderName::RAck), format!("700 {seq} INVITE"));
    assert_eq!(crate::session::wire::cseq(&prack.headers).unwrap().seq, seq + 1);
    // The same again, and one with a gap: neither is acknowledged (RFC 3262 §4).
    alice.handle_response(now, token, &progress);
    let gap = [(HeaderName::Require, "100rel"), (HeaderName::RSeq, "702")];
    alice.handle_response(now, token, &answer(&invite, 180, "bob", &gap, None));
    assert!(drain(&mut alice).is_empty());
    alice.handle_response(now, token, &answer(&invite, 200, "bob", &[], None));
    assert_eq!(short(&drain(&mut alice)), ["ACK", "!Answered"]);
    assert_eq!(alice.remote_sdp(), sdp(ANSWER).as_ref());
}

#[test]
fn early_media_without_100rel_serves_as_the_answer_when_the_2xx_brings_none() {
    let (mut alice, now) = outgoing(plain_config(), sdp(OFFER));
    let (token, invite) = sent(&drain(&mut alice), &Method::Invite);
    alice.handle_response(now, token, &answer(&invite, 183, "bob", &[], Some(ANSWER)));
    alice.handle_response(now, token, &answer(&invite, 200, "bob", &[], None));
    assert_eq!(short(&drain(&mut alice)), ["!183+sdp", "ACK", "!Answered"]);
}

#[test]
fn without_credentials_a_challenge_is_a_refusal() {
    let (mut alice, now) = outgoing(plain_config(), sdp(OFFER));
    let (token, invite) = sent(&drain(&mut alice), &Method::Invite);
    alice.handle_response(now, token, &answer(&invite, 407, "p", &[], None));
    assert_eq!(short(&drain(&mut alice)), ["!Rejected 407", "!Ended Rejected"]);

    let config = SessionConfig { answers_challenges: true, ..plain_config() };
    let (mut alice, now) = outgoing(config, sdp(OFFER));
    let (token, invite) = sent(&drain(&mut alice), &Method::Invite);
    alice.handle_response(now, token, &answer(&invite, 401, "p", &[], None));
    assert_eq!(short(&drain(&mut alice)), ["!Challenge"]);
    alice.give_up(now, token).unwrap();
    assert_eq!(short(&drain(&mut alice)), ["!Rejected 401", "!Ended Rejected"]);
    assert_eq!(alice.retry_with(now, token, &none()), Err(Refused::UnknownToken));
    assert!(alice.is_finished());
}

#[test]
fn a_challenged_bye_can_be_answered_after_the_end() {
    let config = SessionConfig { answers_challenges: true, ..plain_config() };
    let (mut alice, now) = outgoing(config, sdp(OFFER));
    let (token, invite) = sent(&drain(&mut alice), &Method::Invite);
    alice.handle_response(now, token, &answer(&invite, 200, "bob", &[], Some(ANSWER)));
    alice.hangup(now, none());
    let (token, bye) = sent(&drain(&mut alice), &Method::Bye);
    alice.handle_response(now, token, &answer(&bye, 407, "bob", &[], None));
    assert_eq!(short(&drain(&mut alice)), ["!Challenge"]);
    assert!(!alice.is_finished());
    let mut credentials = Headers::new();
    credentials.push(HeaderName::ProxyAuthorization, "Digest x");
    let token = alice.retry_with(now, token, &credentials).unwrap();
    let (_, again) = sent(&drain(&mut alice), &Method::Bye);
    let seq = |r: &crate::message::Request| crate::session::wire::cseq(&r.headers).unwrap().seq;
    assert_eq!(seq(&again), seq(&bye) + 1);
    alice.handle_response(now, token, &answer(&again, 200, "bob", &[], None));
    assert!(alice.is_finished());
}

#[test]
fn a_422_raises_the_interval_and_tries_again() {
    let config = SessionConfig { session_expires: Some(600), ..SessionConfig::default() };
    let (mut alice, now) = outgoing(config, sdp(OFFER));
    let (token, invite) = sent(&drain(&mut alice), &Method::Invite);
    assert_eq!(text(&invite.headers, &HeaderName::SessionExpires), "600;refresher=uac");
    let fields = [(HeaderName::MinSe, "3600")];
    alice.handle_response(now, token, &answer(&invite, 422, "bob", &fields, None));
    let (token, again) = sent(&drain(&mut alice), &Method::Invite);
    assert_eq!(text(&again.headers, &HeaderName::SessionExpires), "3600;refresher=uac");
    assert_eq!(text(&again.headers, &HeaderName::MinSe), "3600");
    assert_eq!(again.headers.text(&HeaderName::CallId), invite.headers.text(&HeaderName::CallId));
    // A 422 that asks for nothing new is the end.
    alice.handle_response(now, token, &answer(&again, 422, "bob", &fields, None));
    assert_eq!(short(&drain(&mut alice)), ["!Rejected 422", "!Ended Rejected"]);
}

#[test]
fn requests_of_the_owner_go_in_the_dialog_and_their_outcome_comes_back() {
    let mut pair = Pair::answered(plain_config(), plain_config());
    let now = pair.now;
    pair.events(A);
    pair.events(B);
    let content = Some(("application/dtmf-relay", body("Signal=5\r\n")));
    let token = pair.side(A).send(now, Method::Info, &none(), content).unwrap();
    pair.run();
    assert_eq!(pair.events(B), ["Request INFO"]);
    assert_eq!(pair.events(A), ["Response 200"]);
    pair.side(A).handle_failure(now, token, SendFailure::Timeout);
    assert!(pair.events(A).is_empty(), "a finished request fails no more");
    assert_eq!(
        pair.side(A).send(now, Method::Bye, &none(), None),
        Err(Refused::NotNow),
        "what the session owns is not for the owner"
    );
    pair.side(B).hangup(now, none());
    pair.assert_over();
    assert_eq!(pair.side(A).send(now, Method::Info, &none(), None), Err(Refused::Over));
}

#[test]
fn headers_of_the_owner_pass_through_but_never_steer_the_dialog() {
    let mut call = invite(sdp(OFFER));
    call.headers.push(HeaderName::Other("X-Original-Calling-Number".into()), "+12065550100");
    call.headers.push(HeaderName::UserToUser, "00FF;encoding=hex");
    call.headers.push(HeaderName::CallId, "evil");
    call.headers.push(HeaderName::Contact, "<sip:evil@192.0.2.66>");
    let steering = [
        HeaderName::Via,
        HeaderName::Route,
        HeaderName::RecordRoute,
        HeaderName::RSeq,
        HeaderName::RAck,
        HeaderName::SessionExpires,
        HeaderName::MinSe,
    ];
    for name in &steering {
        call.headers.push(name.clone(), "1");
    }
    let mut ids = crate::ids::Ids::from_seed(1);
    let config = std::sync::Arc::new(plain_config());
    let now = std::time::Instant::now();
    let mut alice = crate::session::Session::outgoing(now, config, &mut ids, call);
    let (_, invite) = sent(&drain(&mut alice), &Method::Invite);
    let number = HeaderName::Other("x-original-calling-number".into());
    assert_eq!(text(&invite.headers, &number), "+12065550100");
    assert_eq!(text(&invite.headers, &HeaderName::UserToUser), "00FF;encoding=hex");
    assert_eq!(invite.headers.get_all(&HeaderName::CallId).count(), 1);
    assert_eq!(text(&invite.headers, &HeaderName::CallId), alice.call_id());
    assert_eq!(text(&invite.headers, &HeaderName::Contact), "<sip:alice@192.0.2.1>");
    assert!(steering.iter().all(|name| !invite.headers.has(name)), "{:?}", invite.headers);
}

#[test]
fn a_bye_on_the_only_early_dialog_ends_the_attempt() {
    let mut pair = Pair::call(plain_config(), plain_config(), sdp(OFFER));
    let now = pair.now;
    pair.side(B).provisional(now, code(180), None, none()).unwrap();
    pair.run();
    let token = pair.side(A).invite_token();
    assert!(token.is_some());
    let (call_id, to) = (pair.side(A).call_id().to_owned(), pair.side(A).local_tag().to_owned());
    let from = pair.side(B).local_tag().to_owned();
    let bye = request(
        &[
            "BYE sip:alice@192.0.2.1 SIP/2.0",
            "Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKbye",
            "Max-Forwards: 70",
            &format!("From: <sip:bob@biloxi.example.com>;tag={from}"),
            &format!("To: <sip:alice@atlanta.example.com>;tag={to}"),
            &format!("Call-ID: {call_id}"),
            "CSeq: 1 BYE",
        ],
        None,
    );
    pair.side(A).handle_request(now, crate::session::ServerTx(99), &bye);
    let outputs = drain(pair.side(A));
    assert_eq!(short(&outputs), ["200", "CANCEL", "!Ended Remote"]);
}
