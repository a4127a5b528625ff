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
        ("IP6 hold.Invalid", "", RecvOnly),
        ("IP4 nowhere.invalid", "a=inactive\r\n", Inactive),
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
fn a_phone_that_holds_by_stopping_its_stream_is_held_and_comes_back() {
    let mut us = us(local());
    let offer = theirs("RTP/AVP 0 101", EVENTS);
    let (first, before) = us.answer(offer.as_bytes(), SendRecv).unwrap();
    let stopped = offer.replace("m=audio 4000", "m=audio 0");
    let (text, held) = us.answer(stopped.as_bytes(), SendRecv).unwrap();
    assert!(text.ends_with("m=audio 0 RTP/AVP 0 101\r\n"), "{text}");
    assert_eq!(version(&text), version(&first) + 1);
    assert!(held.remote_hold && !held.stream.send && !held.stream.receive);
    assert_eq!(us.answer(stopped.as_bytes(), SendRecv).unwrap().0, text, "a refresh");
    // Our own refresh offers the stream again; the peer leaves it stopped.
    assert!(us.offer(SendRecv).contains("m=audio 10000 "));
    assert_eq!(us.accept_answer(stopped.as_bytes()), Ok(held));
    let (text, resumed) = us.answer(offer.as_bytes(), SendRecv).unwrap();
    assert!(text.contains("m=audio 10000 RTP/AVP 0 101\r\n"));
    assert_eq!(resumed, before);
}

#[test]
fn a_call_cannot_begin_with_a_stopped_stream() {
    let stopped = theirs("RTP/AVP 0", "").replace("m=audio 4000", "m=audio 0");
    assert_eq!(refusal(local(), &stopped), NegotiateError::NoAudio);
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
