//! Session timers between two sessions and against a scripted peer (RFC 4028).

use std::time::Duration;

use super::lab::*;
use super::pair::*;
use crate::header::HeaderName;
use crate::message::Method;
use crate::session::{PreferRefresher, SendFailure, SessionConfig};

const SECOND: Duration = Duration::from_secs(1);

fn timed(refresher: PreferRefresher) -> SessionConfig {
    SessionConfig { session_expires: Some(120), refresher, ..SessionConfig::default() }
}

fn no_update(config: SessionConfig) -> SessionConfig {
    let allow = config.allow.iter().filter(|m| **m != Method::Update).cloned().collect();
    SessionConfig { allow, ..config }
}

#[test]
fn the_agreed_side_refreshes_by_update_and_the_call_lives_on() {
    for (prefer, who) in [(PreferRefresher::Us, "a"), (PreferRefresher::Peer, "b")] {
        let callee = timed(if who == "a" { PreferRefresher::Peer } else { PreferRefresher::Us });
        let mut pair = Pair::answered(timed(prefer), callee);
        pair.advance(600 * SECOND);
        let updates = pair.ladder.iter().filter(|l| **l == format!("{who} UPDATE")).count();
        assert_eq!(updates, 10, "{:?}", pair.ladder);
        assert!(!pair.side(A).is_over() && !pair.side(B).is_over());
        let now = pair.now;
        pair.side(A).hangup(now, none());
        pair.assert_over();
    }
}

#[test]
fn a_peer_without_update_is_refreshed_by_re_invite_with_the_same_description() {
    let mut pair =
        Pair::answered(timed(PreferRefresher::Us), no_update(timed(PreferRefresher::Us)));
    pair.events(A);
    pair.events(B);
    pair.advance(61 * SECOND);
    assert_eq!(pair.ladder[3..], ["a INVITE", "b 200", "a ACK"]);
    assert_eq!(pair.events(B), ["Offer ReInvite"]);
    assert!(pair.events(A).is_empty(), "nothing changed, nothing to tell");
    assert_eq!(pair.side(B).remote_sdp(), sdp(OFFER).as_ref());
}

#[test]
fn a_refused_update_falls_back_to_re_invite() {
    let (mut alice, now) = outgoing(timed(PreferRefresher::Us), sdp(OFFER));
    let (token, invite) = sent(&drain(&mut alice), &Method::Invite);
    let fields = [
        (HeaderName::Allow, "INVITE, ACK, BYE, UPDATE"),
        (HeaderName::SessionExpires, "120;refresher=uac"),
    ];
    alice.handle_response(now, token, &answer(&invite, 200, "bob", &fields, Some(ANSWER)));
    drain(&mut alice);
    let now = now + 60 * SECOND;
    alice.handle_timeout(now);
    let (token, update) = sent(&drain(&mut alice), &Method::Update);
    assert!(update.body.is_empty());
    assert_eq!(text(&update.headers, &HeaderName::SessionExpires), "120;refresher=uac");
    alice.handle_response(now, token, &answer(&update, 405, "bob", &[], None));
    let (_, again) = sent(&drain(&mut alice), &Method::Invite);
    assert_eq!(again.body, body(OFFER));
}

#[test]
fn a_side_that_is_not_refreshed_hangs_up_before_the_interval_ends() {
    let mut pair = Pair::answered(timed(PreferRefresher::Us), timed(PreferRefresher::Peer));
    pair.events(A);
    pair.events(B);
    // The refresher's requests get lost for good.
    pair.lose = Box::new(|label| label == "a UPDATE" || label == "a BYE");
    pair.advance(87 * SECOND);
    assert!(pair.events(B).iter().all(|e| e == "Confirmed"), "{:?}", pair.ladder);
    // 120 - min(32, 40) = 88 s.
    pair.advance(2 * SECOND);
    assert_eq!(pair.events(B), ["Ended SessionTimer"]);
    assert_eq!(pair.ladder.last().unwrap(), "a 200");
    assert_eq!(pair.events(A).last().unwrap(), "Ended SessionTimer");
}

#[test]
fn a_refresh_without_answer_ends_the_call() {
    let mut pair = Pair::answered(timed(PreferRefresher::Us), timed(PreferRefresher::Peer));
    pair.lose = Box::new(|label| label == "a UPDATE");
    pair.advance(60 * SECOND);
    let now = pair.now;
    // The transaction layer gives up; the second token is the refresh.
    pair.side(A).handle_failure(now, crate::session::RequestToken(2), SendFailure::Timeout);
    pair.run();
    assert_eq!(pair.events(A).last().unwrap(), "Ended Failure(Timeout)");
    assert_eq!(pair.events(B).last().unwrap(), "Ended Remote");
}

#[test]
fn without_session_expires_in_the_2xx_there_is_no_timer() {
    let mut pair = Pair::answered(
        timed(PreferRefresher::Us),
        SessionConfig { supported: Vec::new(), ..plain_config() },
    );
    assert_eq!(pair.side(A).poll_timeout(), None);
    assert_eq!(pair.side(B).poll_timeout(), None);
}

#[test]
fn a_caller_without_timer_support_is_refreshed_by_us() {
    let caller = SessionConfig { supported: Vec::new(), ..plain_config() };
    let mut pair = Pair::answered(caller, timed(PreferRefresher::Peer));
    pair.ladder.clear();
    pair.advance(61 * SECOND);
    assert_eq!(pair.ladder, ["b UPDATE", "a 200"]);
}

#[test]
fn a_change_keeps_the_roles_of_the_timer() {
    // A refreshes; a re-INVITE of B must leave that with A.
    let mut pair = Pair::answered(timed(PreferRefresher::Us), timed(PreferRefresher::Us));
    let now = pair.now;
    pair.side(B).reinvite(now, sdp(ANSWER), none()).unwrap();
    pair.run();
    pair.ladder.clear();
    pair.advance(61 * SECOND);
    assert_eq!(pair.ladder, ["a UPDATE", "b 200"]);
}

#[test]
fn a_refresh_with_too_small_an_interval_is_asked_again() {
    let (mut alice, now) = outgoing(timed(PreferRefresher::Us), sdp(OFFER));
    let (token, invite) = sent(&drain(&mut alice), &Method::Invite);
    let fields = [
        (HeaderName::Allow, "INVITE, ACK, BYE, UPDATE"),
        (HeaderName::SessionExpires, "120;refresher=uac"),
    ];
    alice.handle_response(now, token, &answer(&invite, 200, "bob", &fields, Some(ANSWER)));
    drain(&mut alice);
    let now = now + 60 * SECOND;
    alice.handle_timeout(now);
    let (token, update) = sent(&drain(&mut alice), &Method::Update);
    let min = [(HeaderName::MinSe, "900")];
    alice.handle_response(now, token, &answer(&update, 422, "bob", &min, None));
    let (token, again) = sent(&drain(&mut alice), &Method::Update);
    assert_eq!(text(&again.headers, &HeaderName::SessionExpires), "900;refresher=uac");
    let agreed = [(HeaderName::SessionExpires, "900;refresher=uac")];
    alice.handle_response(now, token, &answer(&again, 200, "bob", &agreed, None));
    assert_eq!(alice.poll_timeout(), Some(now + 450 * SECOND));
}
