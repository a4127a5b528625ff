//! Reliable provisionals of a callee (RFC 3262), and what waits for their PRACK.

use std::time::Duration;

use super::lab::*;
use super::pair::*;
use crate::header::HeaderName;
use crate::session::{Output, ReliableProvisionals, ServerTx, SessionConfig, SessionEvent};

const SECOND: Duration = Duration::from_secs(1);

fn reliable() -> SessionConfig {
    SessionConfig { reliable_provisionals: ReliableProvisionals::IfOffered, ..plain_config() }
}

#[test]
fn a_reliable_provisional_is_repeated_until_its_prack_and_the_next_waits() {
    let (mut bob, now) = incoming(reliable(), &bobs_invite(&["Supported: 100rel"], Some(OFFER)));
    bob.provisional(now, code(180), None, none()).unwrap();
    bob.provisional(now, code(183), sdp(ANSWER), none()).unwrap();
    let outputs = drain(&mut bob);
    assert_eq!(short(&outputs), ["180"]);
    let rseq: u32 = text(&responded(&outputs).headers, &HeaderName::RSeq).parse().unwrap();
    bob.handle_timeout(now + SECOND / 2);
    assert_eq!(short(&drain(&mut bob)), ["180"]);
    assert_eq!(bob.poll_timeout(), Some(now + SECOND * 3 / 2), "T1, then doubling");

    let unknown = in_dialog(&bob, "PRACK", 11, &[&format!("RAck: {} 10 INVITE", rseq + 1)], None);
    bob.handle_request(now, ServerTx(2), &unknown);
    assert_eq!(short(&drain(&mut bob)), ["481"]);
    let prack = in_dialog(&bob, "PRACK", 12, &[&format!("RAck: {rseq} 10 INVITE")], None);
    bob.handle_request(now, ServerTx(3), &prack);
    let outputs = drain(&mut bob);
    assert_eq!(short(&outputs), ["200", "183"]);
    let Some(Output::Respond { response, .. }) = outputs.last() else { panic!() };
    assert_eq!(text(&response.headers, &HeaderName::RSeq), (rseq + 1).to_string());
}

#[test]
fn the_2xx_waits_for_the_prack_of_a_description_and_brings_none_of_its_own() {
    let (mut bob, now) = incoming(reliable(), &bobs_invite(&["Supported: 100rel"], Some(OFFER)));
    bob.provisional(now, code(183), sdp(ANSWER), none()).unwrap();
    let rseq = text(&responded(&drain(&mut bob)).headers, &HeaderName::RSeq);
    bob.accept(now, sdp(ANSWER), none()).unwrap();
    assert!(drain(&mut bob).is_empty());
    let prack = in_dialog(&bob, "PRACK", 11, &[&format!("RAck: {rseq} 10 INVITE")], None);
    bob.handle_request(now, ServerTx(2), &prack);
    let outputs = drain(&mut bob);
    assert_eq!(short(&outputs), ["200", "200"]);
    let Some(Output::Respond { response, tx }) = outputs.last() else { panic!() };
    assert_eq!(*tx, ServerTx(1));
    assert!(response.body.is_empty());
}

#[test]
fn the_2xx_may_overtake_a_provisional_without_description_and_its_prack_is_still_answered() {
    let (mut bob, now) = incoming(reliable(), &bobs_invite(&["Supported: 100rel"], Some(OFFER)));
    bob.provisional(now, code(180), None, none()).unwrap();
    let rseq = text(&responded(&drain(&mut bob)).headers, &HeaderName::RSeq);
    bob.accept(now, sdp(ANSWER), none()).unwrap();
    let prack = in_dialog(&bob, "PRACK", 11, &[&format!("RAck: {rseq} 10 INVITE")], None);
    bob.handle_request(now, ServerTx(2), &prack);
    assert_eq!(short(&drain(&mut bob)), ["200", "200"]);
}

#[test]
fn an_acknowledged_provisional_is_followed_by_another_every_minute() {
    let (mut bob, now) = incoming(reliable(), &bobs_invite(&["Supported: 100rel"], Some(OFFER)));
    let mut added = none();
    added.push(HeaderName::AlertInfo, "<urn:alert:source:external>");
    bob.provisional(now, code(183), sdp(ANSWER), added).unwrap();
    let mut response = responded(&drain(&mut bob));
    let mut now = now;
    for cseq in 11..15 {
        let rseq: u32 = text(&response.headers, &HeaderName::RSeq).parse().unwrap();
        let prack = in_dialog(&bob, "PRACK", cseq, &[&format!("RAck: {rseq}  10 INVITE")], None);
        bob.handle_request(now, ServerTx(2), &prack);
        assert_eq!(short(&drain(&mut bob)), ["200"]);
        assert_eq!(bob.poll_timeout(), Some(now + 60 * SECOND));
        now += 60 * SECOND;
        bob.handle_timeout(now);
        let outputs = drain(&mut bob);
        assert_eq!(short(&outputs), ["183"]);
        response = responded(&outputs);
        assert_eq!(text(&response.headers, &HeaderName::RSeq), (rseq + 1).to_string());
        assert!(response.body.is_empty());
        let kept = text(&response.headers, &HeaderName::AlertInfo);
        assert_eq!(kept, "<urn:alert:source:external>", "what the owner said is said again");
    }
    bob.accept(now, None, none()).unwrap();
    assert_eq!(short(&drain(&mut bob)), ["200"]);
}

#[test]
fn an_offer_that_is_due_makes_a_provisional_without_it_a_plain_one() {
    let (mut bob, now) = incoming(reliable(), &bobs_invite(&["Supported: 100rel"], None));
    bob.provisional(now, code(180), None, none()).unwrap();
    assert!(!responded(&drain(&mut bob)).headers.has(&HeaderName::RSeq));
    bob.provisional(now, code(183), sdp(ANSWER), none()).unwrap();
    assert!(responded(&drain(&mut bob)).headers.has(&HeaderName::RSeq));
}

#[test]
fn an_accept_behind_an_update_of_the_caller_goes_out_with_its_answer() {
    for refuse in [false, true] {
        let fields = ["Supported: 100rel"];
        let (mut bob, now) = incoming(reliable(), &bobs_invite(&fields, Some(OFFER)));
        bob.provisional(now, code(183), sdp(ANSWER), none()).unwrap();
        let rseq = text(&responded(&drain(&mut bob)).headers, &HeaderName::RSeq);
        let prack = in_dialog(&bob, "PRACK", 11, &[&format!("RAck: {rseq} 10 INVITE")], None);
        bob.handle_request(now, ServerTx(2), &prack);
        let update = in_dialog(&bob, "UPDATE", 12, &[], Some(OFFER));
        bob.handle_request(now, ServerTx(3), &update);
        let outputs = drain(&mut bob);
        assert_eq!(short(&outputs), ["200", "!Offer Update"]);
        let Some(Output::Event(SessionEvent::Offer { token, .. })) = outputs.last() else {
            panic!()
        };
        bob.accept(now, None, none()).unwrap();
        assert!(drain(&mut bob).is_empty(), "it waits");
        if refuse {
            bob.refuse_offer(now, *token, code(488)).unwrap();
        } else {
            bob.answer_offer(now, *token, body(ANSWER)).unwrap();
        }
        let first = if refuse { "488" } else { "200" };
        assert_eq!(short(&drain(&mut bob)), [first, "200"]);
    }
}

#[test]
fn an_invite_that_expires_is_ended_with_487_and_an_answered_one_is_not() {
    let invite = bobs_invite(&["Expires: 30"], Some(OFFER));
    let (mut bob, now) = incoming(plain_config(), &invite);
    bob.provisional(now, code(180), None, none()).unwrap();
    drain(&mut bob);
    assert_eq!(bob.poll_timeout(), Some(now + 30 * SECOND));
    bob.handle_timeout(now + 30 * SECOND);
    assert_eq!(short(&drain(&mut bob)), ["487", "!Ended Remote"]);
    assert!(bob.is_finished());

    let (mut bob, now) = incoming(plain_config(), &invite);
    bob.accept(now, sdp(ANSWER), none()).unwrap();
    bob.handle_ack(now, &in_dialog(&bob, "ACK", 10, &[], None));
    bob.handle_timeout(now + 31 * SECOND);
    assert!(!bob.is_over());

    for odd in ["Expires: 0", "Expires: Sat, 01 Dec 2040 16:00:00 GMT", "Expires: 99999999999"] {
        let (bob, _) = incoming(plain_config(), &bobs_invite(&[odd], Some(OFFER)));
        assert_eq!(bob.poll_timeout(), None, "{odd}");
    }
}

#[test]
fn without_a_prack_the_call_is_refused_after_64_t1() {
    let (mut bob, now) = incoming(plain_config(), &bobs_invite(&["Require: 100rel"], Some(OFFER)));
    bob.provisional(now, code(180), None, none()).unwrap();
    let mut last = Vec::new();
    let mut end = now;
    while !bob.is_over() {
        end = bob.poll_timeout().unwrap();
        bob.handle_timeout(end);
        last = short(&drain(&mut bob));
    }
    assert_eq!(end - now, 32 * SECOND);
    assert_eq!(last, ["504", "!Ended PrackTimeout"]);
}

#[test]
fn a_delayed_offer_goes_out_in_a_reliable_provisional_and_is_answered_in_the_prack() {
    let mut pair = Pair::call(plain_config(), reliable(), None);
    let now = pair.now;
    pair.side(B).provisional(now, code(183), sdp(ANSWER), none()).unwrap();
    pair.run();
    assert_eq!(pair.events(A), ["183", "Offer Provisional"]);
    assert_eq!(pair.events(B), ["OfferAccepted"]);
    pair.side(B).accept(now, None, none()).unwrap();
    pair.run();
    assert_eq!(pair.events(A), ["Answered"]);
    assert_eq!(pair.ladder, ["a INVITE", "b 183", "a PRACK", "b 200", "b 200", "a ACK"]);
    assert_eq!(pair.side(A).remote_sdp(), sdp(ANSWER).as_ref());
    assert_eq!(pair.side(B).remote_sdp(), sdp(OFFER).as_ref());
    pair.side(B).hangup(now, none());
    pair.assert_over();
}

#[test]
fn a_prack_may_bring_a_new_offer_once_the_first_is_answered() {
    let (mut bob, now) = incoming(reliable(), &bobs_invite(&["Supported: 100rel"], Some(OFFER)));
    bob.provisional(now, code(183), sdp(ANSWER), none()).unwrap();
    let rseq = text(&responded(&drain(&mut bob)).headers, &HeaderName::RSeq);
    bob.accept(now, None, none()).unwrap();
    let rack = format!("RAck: {rseq} 10 INVITE");
    let prack = in_dialog(&bob, "PRACK", 11, &[&rack], Some(OFFER));
    bob.handle_request(now, ServerTx(2), &prack);
    let outputs = drain(&mut bob);
    assert_eq!(short(&outputs), ["!Offer Prack"]);
    let Some(Output::Event(SessionEvent::Offer { token, .. })) = outputs.last() else { panic!() };
    bob.answer_offer(now, *token, body(ANSWER)).unwrap();
    assert_eq!(short(&drain(&mut bob)), ["200", "200"]);
}
