//! Browsers: what Chromium offers and how it answers.

use super::*;
use crate::webrtc::{Credentials, Identity, Local as OurRtc, Peer};

pub(super) const PRINT: &str = "sha-256 1F:2E:3D:4C:5B:6A:79:88:97:A6:B5:C4:D3:E2:F1:00:\
                     1F:2E:3D:4C:5B:6A:79:88:97:A6:B5:C4:D3:E2:F1:00";

pub(super) fn ours() -> OurRtc {
    let fingerprint = Identity::fresh().unwrap().fingerprint().clone();
    OurRtc { credentials: Credentials::fresh(), fingerprint, peer: Peer::Browser }
}

pub(super) fn negotiator(rtc: &OurRtc) -> Negotiator {
    let mut local = Local::new("192.0.2.1:30000".parse().unwrap(), Codec::ALL.to_vec());
    local.webrtc = Some(rtc.clone());
    Negotiator::new(local, 7)
}

/// What Chromium offers, with what differs.
fn chromium(session: &str, more: &str) -> String {
    format!(
        "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
         a=group:BUNDLE 0\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS stream\r\n{session}\
         m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\n\
         a=rtcp:9 IN IP4 0.0.0.0\r\n\
         a=candidate:1 1 udp 2113937151 3d1c.local 51000 typ host generation 0\r\n\
         a=candidate:2 1 udp 1677729535 203.0.113.9 51000 typ srflx raddr 0.0.0.0 rport 0\r\n\
         a=ice-ufrag:Yx1m\r\na=ice-pwd:T2SkLr5AAvBvhyaMeKVGUdBu\r\na=ice-options:trickle\r\n\
         a=fingerprint:{PRINT}\r\na=mid:0\r\n\
         a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=sendrecv\r\n\
         a=msid:stream track\r\na=rtcp-mux\r\na=rtcp-rsize\r\na=rtpmap:111 opus/48000/2\r\n\
         a=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n\
         a=rtpmap:63 red/48000/2\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\na=rtpmap:110 telephone-event/48000\r\n\
         a=rtpmap:126 telephone-event/8000\r\na=ssrc:1495711461 cname:x\r\n{more}"
    )
}

pub(super) fn has(sdp: &str, line: &str) -> bool {
    sdp.lines().any(|l| l == line)
}

#[test]
fn a_browsers_offer_is_answered_with_all_that_it_looks_for() {
    let rtc = ours();
    let offer = chromium("", "a=setup:actpass\r\n");
    assert!(wants_webrtc(offer.as_bytes()));
    let (sdp, agreed) = negotiator(&rtc).answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    let Credentials { ufrag, password } = &rtc.credentials;
    for line in [
        "a=group:BUNDLE 0",
        "a=ice-lite",
        "m=audio 30000 UDP/TLS/RTP/SAVPF 0 126",
        "c=IN IP4 192.0.2.1",
        "a=mid:0",
        "a=setup:active",
        "a=rtcp-mux",
        "a=candidate:1 1 udp 2130706431 192.0.2.1 30000 typ host",
        "a=end-of-candidates",
        "a=sendrecv",
        &format!("a=ice-ufrag:{ufrag}"),
        &format!("a=ice-pwd:{password}"),
        &format!("a=fingerprint:{}", rtc.fingerprint),
    ] {
        assert!(has(&sdp, line), "{line}\n{sdp}");
    }
    let terms = agreed.stream.webrtc.unwrap();
    assert!(terms.active && terms.lite && !terms.remote.lite);
    assert_eq!(&*terms.remote.credentials.ufrag, "Yx1m");
    assert_eq!(
        terms.remote.candidates,
        ["203.0.113.9:51000".parse::<std::net::SocketAddr>().unwrap()]
    );
    assert_eq!(terms.fingerprint.to_string(), PRINT);
    assert!(!agreed.remote_hold && agreed.stream.send && agreed.stream.srtp.is_none());
}

#[test]
fn our_offer_is_one_that_a_browser_takes() {
    let rtc = ours();
    let mut us = negotiator(&rtc);
    let offer = us.offer(Direction::SendRecv);
    for line in ["a=group:BUNDLE 0", "a=ice-lite", "a=mid:0", "a=setup:actpass", "a=rtcp-mux"] {
        assert!(has(&offer, line), "{line}\n{offer}");
    }
    assert!(offer.contains("m=audio 30000 UDP/TLS/RTP/SAVPF") && !offer.contains("crypto"));
    let answer = chromium("", "a=setup:active\r\n");
    let agreed = us.accept_answer(answer.as_bytes()).unwrap();
    assert!(!agreed.stream.webrtc.unwrap().active, "the browser begins");
    let again = us.offer(Direction::SendOnly);
    assert!(has(&again, "a=setup:actpass") && has(&again, "a=sendonly"));
    assert!(has(&again, &format!("a=ice-ufrag:{}", rtc.credentials.ufrag)), "no restart");
}

#[test]
fn roles_stay_as_they_are_within_a_call() {
    let mut us = negotiator(&ours());
    us.offer(Direction::SendRecv);
    let answered = us.accept_answer(chromium("", "a=setup:active\r\n").as_bytes()).unwrap();
    let (sdp, agreed) =
        us.answer(chromium("", "a=setup:actpass\r\n").as_bytes(), Direction::SendRecv).unwrap();
    assert!(has(&sdp, "a=setup:passive"), "{sdp}");
    assert_eq!(agreed.stream.webrtc, answered.stream.webrtc);
}

#[test]
fn a_restart_of_the_browsers_ice_gets_fresh_names_and_the_same_certificate() {
    let rtc = ours();
    let mut us = negotiator(&rtc);
    let first = chromium("", "a=setup:actpass\r\n");
    us.answer(first.as_bytes(), Direction::SendRecv).unwrap();
    let restarted = first.replace("Yx1m", "Zz9q");
    let (sdp, agreed) = us.answer(restarted.as_bytes(), Direction::SendRecv).unwrap();
    let terms = agreed.stream.webrtc.unwrap();
    assert_ne!(terms.local, rtc.credentials);
    assert!(has(&sdp, &format!("a=ice-ufrag:{}", terms.local.ufrag)));
    assert!(has(&sdp, &format!("a=fingerprint:{}", rtc.fingerprint)) && terms.active);
}

#[test]
fn a_peer_that_only_answers_is_asked() {
    let offer = chromium("a=ice-lite\r\n", "a=setup:passive\r\n");
    let (sdp, agreed) = negotiator(&ours()).answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    let terms = agreed.stream.webrtc.unwrap();
    assert!(!sdp.contains("ice-lite") && !terms.lite && terms.remote.lite && terms.active);
}

#[test]
fn video_is_refused_by_its_name_and_audio_goes_on() {
    let video = "a=setup:actpass\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\n\
                 a=mid:1\r\na=rtpmap:96 VP8/90000\r\n";
    let offer = chromium("", video).replace("BUNDLE 0", "BUNDLE 0 1");
    let (sdp, _) = negotiator(&ours()).answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    assert!(has(&sdp, "a=group:BUNDLE 0"), "{sdp}");
    assert!(has(&sdp, "m=video 0 UDP/TLS/RTP/SAVPF 96") && has(&sdp, "a=mid:1"), "{sdp}");
}

#[test]
fn hold_and_its_end_are_understood_though_the_address_is_of_zeros() {
    let mut us = negotiator(&ours());
    let offer = chromium("", "a=setup:actpass\r\n");
    us.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    let held = offer.replace("a=sendrecv", "a=sendonly");
    let (sdp, agreed) = us.answer(held.as_bytes(), Direction::SendRecv).unwrap();
    assert!(agreed.remote_hold && !agreed.stream.send && has(&sdp, "a=recvonly"));
    let (_, agreed) = us.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    assert!(!agreed.remote_hold && agreed.stream.send);
}

#[test]
fn what_a_browser_must_say_is_asked_for_in_words() {
    let offer = chromium("", "a=setup:actpass\r\n");
    for (gone, words) in [
        ("a=ice-ufrag:Yx1m\r\n", "a=ice-ufrag"),
        ("a=ice-pwd:T2SkLr5AAvBvhyaMeKVGUdBu\r\n", "a=ice-pwd"),
        (&*format!("a=fingerprint:{PRINT}\r\n"), "a=fingerprint"),
        ("a=rtcp-mux\r\n", "rtcp-mux"),
    ] {
        let lacking = offer.replace(gone, "");
        let error = negotiator(&ours()).answer(lacking.as_bytes(), Direction::SendRecv);
        let error = error.unwrap_err();
        assert_eq!(error.sip_status(), 488);
        assert!(error.text().contains(words), "{error}");
    }
}

#[test]
fn a_browsers_offer_and_a_port_of_the_other_kind_do_not_meet() {
    let offer = chromium("", "a=setup:actpass\r\n");
    let local = Local::new("192.0.2.1:30000".parse().unwrap(), Codec::ALL.to_vec());
    let plain = Negotiator::new(local, 7).answer(offer.as_bytes(), Direction::SendRecv);
    assert!(matches!(plain, Err(NegotiateError::Transport(_))), "{plain:?}");
    let clear = "v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 4000 RTP/AVP 0\r\n";
    assert!(!wants_webrtc(clear.as_bytes()));
    // Only where there is another stream can another port do.
    assert!(!offers_another(offer.as_bytes()) && offers_another(clear.as_bytes()));
    let both = format!("{offer}m=audio 4000 RTP/AVP 0\r\n");
    assert!(wants_webrtc(both.as_bytes()) && offers_another(both.as_bytes()));
    let refused = format!("{offer}m=audio 0 RTP/AVP 0\r\n");
    assert!(!offers_another(refused.as_bytes()));
    let error = negotiator(&ours()).answer(clear.as_bytes(), Direction::SendRecv);
    assert!(matches!(error, Err(NegotiateError::Transport(_))), "{error:?}");
    let mut us = negotiator(&ours());
    us.offer(Direction::SendRecv);
    assert!(us.accept_answer(clear.as_bytes()).is_err());
}

/// A fragment of an INFO (RFC 8840 §9) with these candidates.
fn fragment(ufrag: &str, candidates: &[&str]) -> String {
    let lines: String = candidates.iter().map(|c| format!("a=candidate:{c}\r\n")).collect();
    format!("a=ice-ufrag:{ufrag}\r\na=ice-pwd:x\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n{lines}")
}

#[test]
fn candidates_that_come_later_are_asked_where_we_are_the_one_who_asks() {
    let rtc = ours();
    let mut we = negotiator(&rtc);
    let offer = chromium("a=ice-lite\r\n", "a=setup:passive\r\n");
    we.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    let later = fragment(
        "Yx1m",
        &[
            "3 1 udp 99 198.51.100.7 4000 typ relay",
            "4 1 udp 100 198.51.100.8 4000 typ srflx",
            // Known, of no use here, and no candidates at all.
            "2 1 udp 1677729535 203.0.113.9 51000 typ srflx",
            "5 1 tcp 9 198.51.100.9 9 typ host tcptype active",
            "6 1 udp 9 3d1c.local 51000 typ host",
            "7 1 udp many 198.51.100.9 9 typ host",
            "nonsense",
        ],
    );
    let trickled = we.trickle(later.as_bytes());
    assert_eq!((trickled.used, trickled.malformed), (2, 2));
    let stream = trickled.stream.unwrap();
    let asked = &stream.webrtc.as_ref().unwrap().remote.candidates;
    let asked: Vec<_> = asked.iter().map(ToString::to_string).collect();
    assert_eq!(asked, ["203.0.113.9:51000", "198.51.100.8:4000", "198.51.100.7:4000"]);
    // Said again it is nothing new; of another generation it is not for this one.
    assert_eq!(we.trickle(later.as_bytes()).stream, None);
    let other = fragment("Zz2n", &["3 1 udp 99 198.51.100.77 4000 typ relay"]);
    assert_eq!(we.trickle(other.as_bytes()), Trickled::default());
    // However many come, no more are asked than a description may name.
    let many: Vec<_> = (1..99).map(|n| format!("8 1 udp 9 198.51.100.{n} 5000 typ host")).collect();
    for one in &many {
        we.trickle(fragment("Yx1m", &[one]).as_bytes());
    }
    let agreed = we.agreed().unwrap().stream.webrtc.clone().unwrap();
    assert_eq!(agreed.remote.candidates.len(), 12);
}

#[test]
fn candidates_that_come_later_change_nothing_where_we_only_answer() {
    let rtc = ours();
    let mut we = negotiator(&rtc);
    assert_eq!(we.trickle(b"a=candidate:x\r\n").malformed, 1);
    let offer = chromium("", "a=setup:actpass\r\n");
    we.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    let before = we.agreed().cloned();
    let later = fragment("Yx1m", &["3 1 udp 99 198.51.100.7 4000 typ relay"]);
    assert_eq!(we.trickle(later.as_bytes()), Trickled::default());
    assert_eq!(we.agreed().cloned(), before);
}
