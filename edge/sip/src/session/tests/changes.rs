//! Changes of a live session: re-INVITE, UPDATE, glare, lost dialogs.

use std::time::Duration;

use super::lab::*;
use super::pair::*;
use crate::header::HeaderName;
use crate::message::Method;
use crate::session::{Output, Phase, Refused, SendFailure, ServerTx, Session, SessionEvent};

const SECOND: Duration = Duration::from_secs(1);
const HOLD: &str = "v=0\r\no=a 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=sendonly\r\n";

fn live_callee() -> (Session, std::time::Instant) {
    let (mut bob, now) = incoming(plain_config(), &bobs_invite(&[], Some(OFFER)));
    bob.accept(now, sdp(ANSWER), none()).unwrap();
    let ack = in_dialog(&bob, "ACK", 10, &[], None);
    bob.handle_ack(now, &ack);
    drain(&mut bob);
    (bob, now)
}

fn offer_token(outputs: &[Output]) -> crate::session::OfferToken {
    outputs
        .iter()
        .find_map(|output| match output {
            Output::Event(SessionEvent::Offer { token, .. }) => Some(*token),
            _ => None,
        })
        .unwrap_or_else(|| panic!("no offer in {:?}", short(outputs)))
}

#[test]
fn both_re_invite_at_once_both_get_491_and_both_come_through_in_the_end() {
    let mut pair = Pair::answered(plain_config(), plain_config());
    let now = pair.now;
    pair.events(A);
    pair.events(B);
    pair.ladder.clear();
    pair.side(A).reinvite(now, sdp(HOLD), none()).unwrap();
    pair.side(B).reinvite(now, sdp(ANSWER), none()).unwrap();
    pair.run();
    assert_eq!(pair.ladder, ["a INVITE", "b INVITE", "b 491", "a 491"]);
    // RFC 3261 §14.1: the owner of the Call-ID waits 2.1 to 4 s, the other up to 2 s.
    let waits = |side: &Session| side.poll_timeout().unwrap() - now;
    let (a, b) = (waits(pair.side(A)), waits(pair.side(B)));
    assert!(a >= Duration::from_millis(2100) && a <= Duration::from_secs(4), "{a:?}");
    assert!(b <= Duration::from_secs(2), "{b:?}");
    assert_eq!((a.as_millis() % 10, b.as_millis() % 10), (0, 0));
    pair.advance(10 * SECOND);
    assert_eq!(pair.ladder[4..], ["b INVITE", "a 200", "b ACK"]);
    assert_eq!(pair.events(B), ["OfferAccepted"]);
    // A's offer was made before B's came through: the owner shall decide anew.
    assert_eq!(pair.events(A), ["OfferRejected 491", "Offer ReInvite"]);
    let now = pair.now;
    pair.side(A).reinvite(now, sdp(HOLD), none()).unwrap();
    pair.run();
    assert_eq!(pair.events(A), ["OfferAccepted"]);
    pair.side(A).hangup(now, none());
    pair.assert_over();
}

#[test]
fn a_491_alone_is_tried_again_with_the_same_offer() {
    let (mut bob, now) = live_callee();
    bob.reinvite(now, sdp(ANSWER), none()).unwrap();
    let (token, invite) = sent(&drain(&mut bob), &Method::Invite);
    bob.handle_response(now, token, &answer(&invite, 491, "peer", &[], None));
    assert!(drain(&mut bob).is_empty());
    assert_eq!(bob.reinvite(now, sdp(HOLD), none()), Err(Refused::OfferPending));
    bob.handle_timeout(now + 2 * SECOND);
    let (_, again) = sent(&drain(&mut bob), &Method::Invite);
    assert_eq!(again.body, invite.body);
}

#[test]
fn a_re_invite_right_after_the_answer_waits_for_the_ack() {
    let (mut bob, now) = incoming(plain_config(), &bobs_invite(&[], Some(OFFER)));
    bob.accept(now, sdp(ANSWER), none()).unwrap();
    bob.reinvite(now, sdp(ANSWER), none()).unwrap();
    assert_eq!(short(&drain(&mut bob)), ["200"]);
    let early = in_dialog(&bob, "INVITE", 11, &[], Some(HOLD));
    bob.handle_request(now, ServerTx(5), &early);
    assert_eq!(short(&drain(&mut bob)), ["491"], "RFC 5407: our 2xx is not acknowledged");
    let ack = in_dialog(&bob, "ACK", 10, &[], None);
    bob.handle_ack(now, &ack);
    assert_eq!(short(&drain(&mut bob)), ["!Confirmed", "INVITE"]);
}

/// JsSIP 3.10.9 to 3.13.5 give the ACK for the 2xx to a re-INVITE the number of another INVITE.
#[test]
fn the_ack_of_a_browsers_re_invite_counts_whatever_its_number_and_that_of_no_other() {
    for (via, counts) in [("WSS", true), ("UDP", false)] {
        let (mut bob, now) = live_callee();
        let hold = in_dialog(&bob, "INVITE", 11, &[], Some(HOLD));
        bob.handle_request(now, ServerTx(2), &hold);
        let token = offer_token(&drain(&mut bob));
        bob.answer_offer(now, token, body(ANSWER)).unwrap();
        drain(&mut bob);
        let mut ack = in_dialog(&bob, "ACK", 10, &[], None);
        let hop = format!("SIP/2.0/{via} a.invalid;branch=z9hG4bKa");
        ack.headers.set(HeaderName::Via, hop.as_str());
        bob.handle_ack(now, &ack);
        assert_eq!(bob.poll_timeout().is_none(), counts, "{via}");
    }
    // The first answer of a call waits for its own: nothing else can have been acknowledged.
    let (mut bob, now) = incoming(plain_config(), &bobs_invite(&[], Some(OFFER)));
    bob.accept(now, sdp(ANSWER), none()).unwrap();
    drain(&mut bob);
    let mut ack = in_dialog(&bob, "ACK", 9, &[], None);
    ack.headers.set(HeaderName::Via, "SIP/2.0/WSS a.invalid;branch=z9hG4bKa");
    bob.handle_ack(now, &ack);
    assert!(drain(&mut bob).is_empty());
}

#[test]
fn a_second_invite_before_our_final_response_gets_500_with_retry_after() {
    let (mut bob, now) = incoming(plain_config(), &bobs_invite(&[], Some(OFFER)));
    let second = in_dialog(&bob, "INVITE", 11, &[], Some(HOLD));
    bob.handle_request(now, ServerTx(2), &second);
    let response = responded(&drain(&mut bob));
    assert_eq!(response.status.code(), 500);
    let wait: u32 = text(&response.headers, &HeaderName::RetryAfter).parse().unwrap();
    assert!(wait <= 10);

    let (mut bob, now) = live_callee();
    for (tx, cseq) in [(2, 11), (3, 12)] {
        let invite = in_dialog(&bob, "INVITE", cseq, &[], Some(HOLD));
        bob.handle_request(now, ServerTx(tx), &invite);
    }
    assert_eq!(short(&drain(&mut bob)), ["!Offer ReInvite", "500"]);
}

#[test]
fn hold_and_resume_keep_the_session_and_a_refused_offer_changes_nothing() {
    let (mut bob, now) = live_callee();
    let hold = in_dialog(&bob, "INVITE", 11, &["Contact: <sip:alice@192.0.2.99>"], Some(HOLD));
    bob.handle_request(now, ServerTx(2), &hold);
    let outputs = drain(&mut bob);
    assert_eq!(short(&outputs), ["!RemoteTargetChanged", "!Offer ReInvite"]);
    bob.answer_offer(now, offer_token(&outputs), body(ANSWER)).unwrap();
    let ack = in_dialog(&bob, "ACK", 11, &[], None);
    bob.handle_ack(now, &ack);
    assert_eq!(short(&drain(&mut bob)), ["200"]);
    assert_eq!(bob.remote_sdp(), sdp(HOLD).as_ref());

    let odd = in_dialog(&bob, "INVITE", 12, &[], Some(OFFER));
    bob.handle_request(now, ServerTx(3), &odd);
    let token = offer_token(&drain(&mut bob));
    assert_eq!(bob.refuse_offer(now, token, code(200)), Err(Refused::BadStatus));
    bob.refuse_offer(now, token, code(488)).unwrap();
    assert_eq!(short(&drain(&mut bob)), ["488"]);
    assert_eq!(bob.remote_sdp(), sdp(HOLD).as_ref());
    assert_eq!(bob.phase(), Phase::Live);
    bob.hangup(now, none());
    let (_, bye) = sent(&drain(&mut bob), &Method::Bye);
    assert_eq!(bye.uri.to_string(), "sip:alice@192.0.2.99");
}

#[test]
fn a_re_invite_without_offer_gets_ours_and_is_answered_in_the_ack() {
    let mut pair = Pair::answered(plain_config(), plain_config());
    let now = pair.now;
    pair.events(A);
    pair.events(B);
    pair.side(A).reinvite(now, None, none()).unwrap();
    pair.run();
    assert_eq!(pair.events(B), ["Offer ReInvite", "OfferAccepted"]);
    assert_eq!(pair.events(A), ["Offer Answer"]);
    pair.side(B).hangup(now, none());
    pair.assert_over();
}

#[test]
fn a_cancelled_re_invite_gets_487_and_the_call_goes_on() {
    let (mut bob, now) = live_callee();
    let invite = in_dialog(&bob, "INVITE", 11, &[], Some(HOLD));
    bob.handle_request(now, ServerTx(2), &invite);
    let token = offer_token(&drain(&mut bob));
    let cancel = in_dialog(&bob, "CANCEL", 11, &[], None);
    bob.handle_cancel(now, ServerTx(2), &cancel);
    assert_eq!(short(&drain(&mut bob)), ["487", "!OfferWithdrawn"]);
    assert_eq!(bob.answer_offer(now, token, body(ANSWER)), Err(Refused::UnknownToken));
    assert_eq!(bob.phase(), Phase::Live);
}

#[test]
fn a_re_invite_that_loses_the_dialog_ends_it_and_other_failures_keep_it() {
    for (status, expected) in [
        (488, vec!["!OfferRejected 488"]),
        (500, vec!["!OfferRejected 500"]),
        (603, vec!["!OfferRejected 603"]),
        (481, vec!["!Ended DialogLost"]),
        (408, vec!["!Ended DialogLost", "BYE"]),
    ] {
        let (mut bob, now) = live_callee();
        bob.reinvite(now, sdp(ANSWER), none()).unwrap();
        let (token, invite) = sent(&drain(&mut bob), &Method::Invite);
        bob.handle_response(now, token, &answer(&invite, status, "peer", &[], None));
        assert_eq!(short(&drain(&mut bob)), expected, "{status}");
    }
    let (mut bob, now) = live_callee();
    bob.reinvite(now, sdp(ANSWER), none()).unwrap();
    let (token, _) = sent(&drain(&mut bob), &Method::Invite);
    bob.handle_failure(now, token, SendFailure::Timeout);
    assert_eq!(short(&drain(&mut bob)), ["!Ended Failure(Timeout)", "BYE"]);
}

#[test]
fn a_change_that_never_left_keeps_the_call() {
    for failure in [SendFailure::Transport, SendFailure::Unresolved, SendFailure::Overloaded] {
        let (mut bob, now) = live_callee();
        bob.reinvite(now, sdp(ANSWER), none()).unwrap();
        let (token, _) = sent(&drain(&mut bob), &Method::Invite);
        bob.handle_failure(now, token, failure);
        assert_eq!(short(&drain(&mut bob)), ["!OfferRejected 503"]);
        bob.reinvite(now, sdp(ANSWER), none()).unwrap();
        assert_eq!(short(&drain(&mut bob)), ["INVITE"], "nothing is open any more");
    }
}

#[test]
fn of_other_requests_only_an_info_that_meets_no_dialog_ends_the_call() {
    for (method, status, expected) in [
        (Method::Info, 481, vec!["!Response 481", "!Ended DialogLost"]),
        (Method::Info, 408, vec!["!Response 408"]),
        (Method::Message, 408, vec!["!Response 408"]),
        (Method::Message, 481, vec!["!Response 481"]),
        (Method::Options, 481, vec!["!Response 481"]),
        (Method::Info, 415, vec!["!Response 415"]),
        (Method::Info, 501, vec!["!Response 501"]),
        (Method::Notify, 481, vec!["!Response 481"]),
        (Method::Refer, 408, vec!["!Response 408"]),
    ] {
        let (mut bob, now) = live_callee();
        bob.send(now, method.clone(), &none(), None).unwrap();
        let (token, request) = sent(&drain(&mut bob), &method);
        bob.handle_response(now, token, &answer(&request, status, "peer", &[], None));
        assert_eq!(short(&drain(&mut bob)), expected, "{method} {status}");
    }
    for (method, failure) in [
        (Method::Info, SendFailure::Timeout),
        (Method::Info, SendFailure::Transport),
        (Method::Message, SendFailure::Timeout),
        (Method::Options, SendFailure::Timeout),
        (Method::Notify, SendFailure::Timeout),
    ] {
        let (mut bob, now) = live_callee();
        let token = bob.send(now, method.clone(), &none(), None).unwrap();
        drain(&mut bob);
        bob.handle_failure(now, token, failure);
        assert_eq!(short(&drain(&mut bob)), ["!RequestFailed"], "{method} {failure:?}");
    }
}

#[test]
fn an_update_that_dies_with_its_fork_does_not_end_the_call() {
    for silent in [true, false] {
        let (mut alice, now) = outgoing(plain_config(), sdp(OFFER));
        let (invite_token, invite) = sent(&drain(&mut alice), &Method::Invite);
        let reliable = [(HeaderName::Require, "100rel"), (HeaderName::RSeq, "1")];
        let early = answer(&invite, 183, "one", &reliable, Some(ANSWER));
        alice.handle_response(now, invite_token, &early);
        drain(&mut alice);
        alice.update(now, sdp(HOLD), none()).unwrap();
        let (token, update) = sent(&drain(&mut alice), &Method::Update);
        let two = answer(&invite, 200, "two", &[], Some(ANSWER));
        alice.handle_response(now, invite_token, &two);
        drain(&mut alice);
        if silent {
            alice.handle_failure(now, token, SendFailure::Timeout);
            assert_eq!(short(&drain(&mut alice)), ["!OfferRejected 408"]);
        } else {
            alice.handle_response(now, token, &answer(&update, 481, "one", &[], None));
            assert_eq!(short(&drain(&mut alice)), ["!OfferRejected 481"]);
        }
        assert_eq!(alice.phase(), Phase::Live);
        alice.reinvite(now, sdp(HOLD), none()).unwrap();
        assert_eq!(short(&drain(&mut alice)), ["INVITE"]);
    }
}

#[test]
fn the_2xx_of_the_first_invite_is_acknowledged_again_after_a_re_invite_too() {
    let (mut alice, now) = outgoing(plain_config(), sdp(OFFER));
    let (first, invite) = sent(&drain(&mut alice), &Method::Invite);
    let ok = answer(&invite, 200, "bob", &[], Some(ANSWER));
    alice.handle_response(now, first, &ok);
    let ack = acked(&drain(&mut alice));
    alice.reinvite(now, sdp(HOLD), none()).unwrap();
    let (second, reinvite) = sent(&drain(&mut alice), &Method::Invite);
    let again = answer(&reinvite, 200, "bob", &[], Some(ANSWER));
    alice.handle_response(now, second, &again);
    let second_ack = acked(&drain(&mut alice));
    for (token, ok, ack) in [(first, &ok, &ack), (second, &again, &second_ack), (first, &ok, &ack)]
    {
        alice.handle_response(now + SECOND, token, ok);
        assert_eq!(acked(&drain(&mut alice)), *ack);
    }
}

#[test]
fn a_2xx_to_our_re_invite_after_the_end_is_still_acknowledged() {
    let (mut bob, now) = live_callee();
    bob.reinvite(now, sdp(ANSWER), none()).unwrap();
    let (token, invite) = sent(&drain(&mut bob), &Method::Invite);
    bob.hangup(now, none());
    assert_eq!(short(&drain(&mut bob)), ["CANCEL", "!Ended Local", "BYE"]);
    let ok = answer(&invite, 200, "peer", &[], Some(OFFER));
    bob.handle_response(now, token, &ok);
    assert_eq!(short(&drain(&mut bob)), ["ACK"]);
    bob.handle_response(now, token, &ok);
    assert_eq!(short(&drain(&mut bob)), ["ACK"]);
}

#[test]
fn a_bye_while_an_offer_waits_answers_both() {
    let (mut bob, now) = live_callee();
    let invite = in_dialog(&bob, "INVITE", 11, &[], Some(HOLD));
    bob.handle_request(now, ServerTx(2), &invite);
    drain(&mut bob);
    let bye = in_dialog(&bob, "BYE", 12, &[], None);
    bob.handle_request(now, ServerTx(3), &bye);
    assert_eq!(short(&drain(&mut bob)), ["200", "487", "!Ended Remote"]);
    assert!(bob.is_finished());
}

// RFC 3311

#[test]
fn an_update_changes_the_live_session_in_both_directions() {
    let mut pair = Pair::answered(plain_config(), plain_config());
    let now = pair.now;
    pair.events(A);
    pair.events(B);
    for side in [A, B] {
        pair.side(side).update(now, sdp(HOLD), none()).unwrap();
        pair.run();
        assert_eq!(pair.events(side), ["OfferAccepted"]);
        assert_eq!(pair.events(1 - side), ["Offer Update"]);
    }
    assert_eq!(pair.ladder[3..], ["a UPDATE", "b 200", "b UPDATE", "a 200"]);
    pair.side(A).hangup(now, none());
    pair.assert_over();
}

#[test]
fn an_update_meets_491_over_our_offer_and_500_over_the_peers() {
    let (mut bob, now) = live_callee();
    bob.update(now, sdp(ANSWER), none()).unwrap();
    drain(&mut bob);
    let update = in_dialog(&bob, "UPDATE", 11, &[], Some(HOLD));
    bob.handle_request(now, ServerTx(2), &update);
    assert_eq!(short(&drain(&mut bob)), ["491"]);

    let (mut bob, now) = live_callee();
    for (tx, cseq) in [(2, 11), (3, 12)] {
        let update = in_dialog(&bob, "UPDATE", cseq, &[], Some(HOLD));
        bob.handle_request(now, ServerTx(tx), &update);
    }
    let outputs = drain(&mut bob);
    assert_eq!(short(&outputs), ["!Offer Update", "500"]);
    assert!(responded(&outputs).headers.get(&HeaderName::RetryAfter).is_some());

    // In an early dialog the offer of the INVITE is open.
    let (mut bob, now) = incoming(plain_config(), &bobs_invite(&[], Some(OFFER)));
    let update = in_dialog(&bob, "UPDATE", 11, &[], Some(HOLD));
    bob.handle_request(now, ServerTx(2), &update);
    assert_eq!(short(&drain(&mut bob)), ["500"]);
    // Without a description it is a mere target refresh.
    let fields = ["Contact: <sip:alice@192.0.2.77>"];
    let update = in_dialog(&bob, "UPDATE", 12, &fields, None);
    bob.handle_request(now, ServerTx(3), &update);
    assert_eq!(short(&drain(&mut bob)), ["!RemoteTargetChanged", "200"]);
}

#[test]
fn an_update_in_an_early_dialog_works_once_the_answer_came_reliably() {
    let reliable = crate::session::SessionConfig {
        reliable_provisionals: crate::session::ReliableProvisionals::IfOffered,
        ..plain_config()
    };
    let mut pair = Pair::call(plain_config(), reliable, sdp(OFFER));
    let now = pair.now;
    assert_eq!(pair.side(A).update(now, sdp(HOLD), none()), Err(Refused::NoDialog));
    pair.side(B).provisional(now, code(183), sdp(ANSWER), none()).unwrap();
    pair.run();
    pair.side(A).update(now, sdp(HOLD), none()).unwrap();
    pair.run();
    assert_eq!(pair.events(A), ["183+sdp", "OfferAccepted"]);
    pair.side(B).update(now, sdp(ANSWER), none()).unwrap();
    pair.run();
    assert_eq!(pair.events(B), ["Offer Update", "OfferAccepted"]);
    pair.side(B).accept(now, None, none()).unwrap();
    pair.run();
    assert_eq!(pair.events(A), ["Offer Update", "Answered"]);
    assert_eq!(pair.side(A).remote_sdp(), sdp(ANSWER).as_ref());
    pair.side(B).hangup(now, none());
    pair.assert_over();
}
