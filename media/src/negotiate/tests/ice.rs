//! ICE without DTLS, on ports of the leg's own.

use super::*;
use crate::negotiate::tests::webrtc::has;
use crate::webrtc::IceTerms;

const UFRAG: &str = "8hhY";
const PASSWORD: &str = "asd88fgpdd777uzjYhagZg";
const OFFERED: &str = "a=candidate:1 1 UDP 2130706431 198.51.100.2 4000 typ host\r\n\
                       a=candidate:1 2 UDP 2130706430 198.51.100.2 4001 typ host\r\n";

fn names() -> String {
    format!("a=ice-ufrag:{UFRAG}\r\na=ice-pwd:{PASSWORD}\r\n")
}

/// A phone with ICE, with what differs.
fn phone(more: &str) -> String {
    theirs("RTP/AVP 0", &format!("{}{OFFERED}{more}", names()))
}

fn line<'a>(sdp: &'a str, name: &str) -> Option<&'a str> {
    sdp.lines().find_map(|line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'))
}

fn terms(agreed: &Agreed) -> IceTerms {
    agreed.stream.ice.as_deref().cloned().expect("ICE")
}

fn candidates(sdp: &str) -> Vec<&str> {
    sdp.lines().filter(|line| line.starts_with("a=candidate")).collect()
}

/// Nothing of ICE is said, and media goes where `c=` and `m=` have it.
fn is_without((sdp, agreed): &(String, Agreed)) -> bool {
    agreed.stream.ice.is_none()
        && !sdp.contains("a=ice")
        && candidates(sdp).is_empty()
        && agreed.stream.remote_rtp == "198.51.100.2:4000".parse::<SocketAddr>().unwrap()
}

#[test]
fn a_phone_with_ice_is_answered_by_the_lite_side_with_a_candidate_for_each_port() {
    for profile in ["RTP/AVP 0", "RTP/AVPF 0"] {
        let offer = theirs(profile, &format!("{}{OFFERED}", names()));
        let (sdp, agreed) = answer(local(), &offer);
        for expected in [
            "a=ice-lite",
            "a=candidate:1 1 udp 2130706431 192.0.2.1 10000 typ host",
            "a=candidate:1 2 udp 2130706430 192.0.2.1 10001 typ host",
        ] {
            assert!(has(&sdp, expected), "{expected} in {sdp}");
        }
        // What goes with the session stands above the stream.
        assert!(sdp.find("a=ice-lite").unwrap() < sdp.find("m=audio").unwrap());
        let terms = terms(&agreed);
        assert_eq!(line(&sdp, "ice-ufrag"), Some(&*terms.local.ufrag));
        assert_eq!(line(&sdp, "ice-pwd"), Some(&*terms.local.password));
        assert_eq!((&*terms.remote.ufrag, &*terms.remote.password), (UFRAG, PASSWORD));
        assert!(!agreed.stream.rtcp_mux && !sdp.contains("rtcp-mux"));
        assert!(!format!("{agreed:?}").contains(PASSWORD), "a password is printed");
    }
}

#[test]
fn with_keys_of_sdes_there_is_ice_too_and_where_rtcp_shares_the_port_one_component() {
    let crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 \
                  inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\na=rtcp-mux\r\n";
    let (sdp, agreed) =
        answer(local(), &theirs("RTP/SAVP 0", &format!("{}{OFFERED}{crypto}", names())));
    assert!(agreed.stream.srtp.is_some() && agreed.stream.rtcp_mux);
    assert_eq!(candidates(&sdp), ["a=candidate:1 1 udp 2130706431 192.0.2.1 10000 typ host"]);
    assert!(has(&sdp, "a=rtcp-mux") && terms(&agreed).local.ufrag.len() >= 4);
}

#[test]
fn a_phone_that_says_where_its_checks_led_keeps_our_key_and_one_that_restarts_elsewhere_does_not() {
    let offer = |more: &str| {
        let crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 \
                      inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n";
        theirs("RTP/SAVP 0", &format!("{}{OFFERED}{more}{crypto}", names()))
    };
    let mut negotiator = us(local());
    let mut key = |offer: &str| {
        let (sdp, _) = negotiator.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
        line(&sdp, "crypto").unwrap().to_owned()
    };
    let first = key(&offer(""));
    let other = "a=candidate:2 1 UDP 1694498815 203.0.113.7 61000 typ srflx\r\n";
    let moved = offer(other)
        .replace("c=IN IP4 198.51.100.2", "c=IN IP4 203.0.113.7")
        .replace("m=audio 4000", "m=audio 61000");
    assert_eq!(key(&moved), first);
    let restarted = offer("").replace(UFRAG, "9uB6").replace(PASSWORD, "YH75Fviy6338Vbrhrlp8Yh");
    assert_ne!(key(&restarted), first);
}

#[test]
fn names_of_the_session_hold_for_the_stream() {
    let offer =
        phone("").replace(&names(), "").replace("t=0 0\r\n", &format!("t=0 0\r\n{}", names()));
    assert_eq!(&*terms(&answer(local(), &offer).1).remote.ufrag, UFRAG);
}

#[test]
fn media_that_is_expected_at_no_candidate_is_a_mismatch_and_the_call_goes_on_without_ice() {
    let (sdp, agreed) = answer(local(), &phone("").replace("m=audio 4000", "m=audio 4444"));
    assert!(has(&sdp, "a=ice-mismatch") && candidates(&sdp).is_empty());
    assert!(!sdp.contains("ice-lite") && !sdp.contains("ice-ufrag"), "{sdp}");
    assert_eq!(agreed.stream.ice, None);
    assert_eq!(agreed.stream.remote_rtp, "198.51.100.2:4444".parse::<SocketAddr>().unwrap());
    // Our next offer says nothing of it.
    let mut negotiator = us(local());
    let offer = phone("").replace("m=audio 4000", "m=audio 4444");
    negotiator.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    assert!(!negotiator.offer(Direction::SendRecv).contains("a=ice"));
}

#[test]
fn an_address_of_zeros_or_a_candidate_told_later_is_no_mismatch() {
    let trickles = |c: &str, port: u16| {
        phone("a=ice-options:trickle\r\n")
            .replace(OFFERED, "")
            .replace("c=IN IP4 198.51.100.2", &format!("c=IN IP4 {c}"))
            .replace("m=audio 4000", &format!("m=audio {port}"))
    };
    for offer in [trickles("0.0.0.0", 9), trickles("198.51.100.2", 4000)] {
        let (sdp, agreed) = answer(local(), &offer);
        assert!(agreed.stream.ice.is_some() && !sdp.contains("mismatch"), "{sdp}");
    }
}

#[test]
fn what_is_not_whole_is_no_ice() {
    for offer in [
        phone("").replace(UFRAG, "abc"),
        phone("").replace(PASSWORD, "tooshort"),
        phone("").replace("ice-pwd", "ice-pw"),
        phone("").replace(OFFERED, ""),
        phone("a=ice-mismatch\r\n"),
        phone("").replace(UFRAG, &"u".repeat(257)),
    ] {
        assert!(is_without(&answer(local(), &offer)), "{offer}");
    }
}

#[test]
fn two_lite_sides_ask_nothing_and_send_where_the_other_says_it_is() {
    let offer = phone("").replace("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n");
    let (sdp, agreed) = answer(local(), &offer);
    assert!(has(&sdp, "a=ice-lite") && candidates(&sdp).len() == 2);
    assert_eq!(agreed.stream.ice, None);
    assert_eq!(agreed.stream.remote_rtp, "198.51.100.2:4000".parse::<SocketAddr>().unwrap());
}

#[test]
fn a_further_offer_keeps_our_names_unless_the_peer_restarts() {
    let mut negotiator = us(local());
    let mut ask = |offer: &str| {
        let (sdp, agreed) = negotiator.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
        (sdp, terms(&agreed))
    };
    let (_, first) = ask(&phone(""));
    let (held, again) = ask(&phone("a=sendonly\r\n"));
    assert_eq!(first, again);
    assert!(candidates(&held).len() == 2);
    let (sdp, restarted) =
        ask(&phone("").replace(UFRAG, "9uB6").replace(PASSWORD, "YH75Fviy6338Vbrhrlp8Yh"));
    assert_ne!(restarted.local, first.local);
    assert_eq!(line(&sdp, "ice-ufrag"), Some(&*restarted.local.ufrag));
    // Our own offer within the session is no restart.
    let offer = negotiator.offer(Direction::SendOnly);
    assert_eq!(line(&offer, "ice-pwd"), Some(&*restarted.local.password));
    assert!(candidates(&offer).len() == 2 && has(&offer, "a=ice-lite"));
    // Who answers it without ICE goes on without (RFC 8839 §4.4.3.1).
    let plain = theirs("RTP/AVP 0", "");
    let agreed = negotiator.accept_answer(plain.as_bytes()).unwrap();
    assert_eq!(agreed.stream.ice, None);
    assert!(!negotiator.offer(Direction::SendRecv).contains("a=ice"));
}

#[test]
fn our_own_offer_has_ice_only_where_the_phone_said_that_it_has() {
    assert!(!us(local()).offer(Direction::SendRecv).contains("a=ice"));
    let asked = Local { offer_ice: true, ..local() };
    let mut negotiator = us(asked.clone());
    let offer = negotiator.offer(Direction::SendRecv);
    assert!(has(&offer, "a=ice-lite") && candidates(&offer).len() == 2);
    assert!(!offer.contains("rtcp-mux"));
    // c=/m= elsewhere than at a candidate: nobody could be told any more, and its checks decide.
    for elsewhere in [phone(""), phone("").replace("m=audio 4000", "m=audio 4444")] {
        let mut negotiator = negotiator.clone();
        let agreed = negotiator.accept_answer(elsewhere.as_bytes()).unwrap();
        let terms = terms(&agreed);
        assert_eq!(line(&offer, "ice-ufrag"), Some(&*terms.local.ufrag));
        assert_eq!(&*terms.remote.ufrag, UFRAG);
    }
    for without in [theirs("RTP/AVP 0", ""), phone("a=ice-mismatch\r\n")] {
        let mut negotiator = negotiator.clone();
        let agreed = negotiator.accept_answer(without.as_bytes()).unwrap();
        assert_eq!(agreed.stream.ice, None);
    }
    // A port has ICE or DTLS.
    let dtls = crate::webrtc::Identity::fresh().unwrap().fingerprint().clone();
    let both = Local { dtls: Some(dtls), offer_dtls: true, ..asked };
    assert!(!us(both).offer(Direction::SendRecv).contains("a=ice"));
}

#[test]
fn a_stream_for_pages_is_refused_and_the_plain_one_beside_it_has_its_ice() {
    let page = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=rtcp-mux\r\na=setup:actpass\r\n";
    let offer = phone("").replace("m=audio 4000", &format!("{page}{}m=audio 4000", names()));
    let (sdp, agreed) = answer(local(), &offer);
    assert!(sdp.contains("m=audio 0 UDP/TLS/RTP/SAVPF"), "{sdp}");
    assert!(agreed.stream.ice.is_some() && candidates(&sdp).len() == 2);
}

#[test]
fn where_a_stream_is_passed_on_beside_the_audio_there_is_no_ice() {
    let offer = phone("m=video 5000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n");
    let said = besides(offer.as_bytes()).remove(0).1;
    let through = [(1, Through { said, port: 20_000 })];
    let mut negotiator = us(local());
    let answered = negotiator.answer_with(offer.as_bytes(), Direction::SendRecv, &through).unwrap();
    assert_eq!(answered.1.beside.len(), 1);
    assert!(is_without(&answered));
    // Where ICE runs already, a stream that comes to it changes nothing.
    let mut negotiator = us(local());
    let (_, before) = negotiator.answer(phone("").as_bytes(), Direction::SendRecv).unwrap();
    let (_, after) =
        negotiator.answer_with(offer.as_bytes(), Direction::SendRecv, &through).unwrap();
    assert_eq!((terms(&before), after.beside.len()), (terms(&after), 1));
}
