//! Directions and hold in all its styles.

use super::*;
use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};

#[test]
fn each_direction_is_answered_as_rfc_3264_says() {
    for (offered, wish, answered, held) in [
        (SendRecv, SendRecv, SendRecv, false),
        (SendOnly, SendRecv, RecvOnly, true),
        (RecvOnly, SendRecv, SendOnly, false),
        (Inactive, SendRecv, Inactive, true),
        (SendRecv, SendOnly, SendOnly, false),
        (SendOnly, SendOnly, Inactive, true),
        (RecvOnly, RecvOnly, Inactive, false),
        (SendRecv, Inactive, Inactive, false),
    ] {
        let offer = theirs("RTP/AVP 0", &format!("a={offered}\r\n"));
        let (text, agreed) = us(local()).answer(offer.as_bytes(), wish).unwrap();
        assert_eq!((direction(&text), agreed.direction), (answered, answered), "{offered}");
        assert_eq!(agreed.remote_hold, held, "{offered}");
        assert_eq!(
            (agreed.stream.send, agreed.stream.receive),
            (answered.sends(), answered.receives())
        );
    }
}

#[test]
fn a_direction_of_the_session_holds_for_the_stream() {
    let offer = theirs("RTP/AVP 0", "").replace("t=0 0\r\n", "t=0 0\r\na=sendonly\r\n");
    let (text, agreed) = answer(local(), &offer);
    assert_eq!(direction(&text), RecvOnly);
    assert!(agreed.remote_hold);
    let both = offer.replace("RTP/AVP 0\r\n", "RTP/AVP 0\r\na=sendrecv\r\n");
    assert!(!answer(local(), &both).1.remote_hold, "the stream's own attribute wins");
}

#[test]
fn the_old_hold_with_address_zero_is_a_hold_and_nothing_is_sent_there() {
    for (c, lines, answered) in [
        ("IP4 0.0.0.0", "", RecvOnly),
        ("IP4 0.0.0.0", "a=sendonly\r\n", RecvOnly),
        ("IP4 0.0.0.0", "a=inactive\r\n", Inactive),
        ("IP6 ::", "", RecvOnly),
    ] {
        let offer =
            theirs("RTP/AVP 0", lines).replace("c=IN IP4 198.51.100.2", &format!("c=IN {c}"));
        let (text, agreed) = answer(local(), &offer);
        assert_eq!(direction(&text), answered);
        assert!(agreed.remote_hold && !agreed.stream.send);
        assert!(!text.contains("0.0.0.0"), "we keep our address");
    }
}

#[test]
fn hold_and_resume_by_the_peer_come_back_to_two_way_audio() {
    let mut us = us(local());
    for (attribute, held) in [
        ("sendrecv", false),
        ("sendonly", true),
        ("sendrecv", false),
        ("inactive", true),
        ("sendrecv", false),
    ] {
        let offer = theirs("RTP/AVP 0 101", &format!("{EVENTS}a={attribute}\r\n"));
        let (_, agreed) = us.answer(offer.as_bytes(), SendRecv).unwrap();
        assert_eq!((agreed.remote_hold, agreed.stream.send), (held, !held), "{attribute}");
    }
}

#[test]
fn our_own_hold_and_resume_come_back_to_two_way_audio() {
    let mut us = us(local());
    us.answer(theirs("RTP/AVP 0", "").as_bytes(), SendRecv).unwrap();
    assert_eq!(direction(&us.offer(SendOnly)), SendOnly);
    let held = us.accept_answer(theirs("RTP/AVP 0", "a=recvonly\r\n").as_bytes()).unwrap();
    assert!(held.stream.send && !held.stream.receive && !held.remote_hold);
    assert_eq!(direction(&us.offer(SendRecv)), SendRecv);
    let resumed = us.accept_answer(theirs("RTP/AVP 0", "a=sendrecv\r\n").as_bytes()).unwrap();
    assert!(resumed.stream.send && resumed.stream.receive);
}

#[test]
fn an_answer_cannot_widen_what_was_offered() {
    let mut us = us(local());
    us.offer(SendOnly);
    let agreed = us.accept_answer(theirs("RTP/AVP 0", "a=sendrecv\r\n").as_bytes()).unwrap();
    assert_eq!((agreed.direction, agreed.remote_hold), (SendOnly, false));
    us.offer(Inactive);
    let agreed = us.accept_answer(theirs("RTP/AVP 0", "").as_bytes()).unwrap();
    assert_eq!((agreed.direction, agreed.remote_hold), (Inactive, false));
}

#[test]
fn an_answer_that_does_not_listen_is_a_hold() {
    let mut us = us(local());
    us.offer(SendRecv);
    let agreed = us.accept_answer(theirs("RTP/AVP 0", "a=sendonly\r\n").as_bytes()).unwrap();
    assert_eq!((agreed.direction, agreed.remote_hold), (RecvOnly, true));
}

#[test]
fn after_a_hold_that_was_answered_the_next_offer_says_its_own_direction() {
    let mut us = us(local());
    us.answer(theirs("RTP/AVP 0", "a=sendonly\r\n").as_bytes(), SendRecv).unwrap();
    assert_eq!(direction(&us.offer(SendRecv)), SendRecv);
}
