//! DTLS-SRTP of desk phones, without ICE.

use super::*;
use crate::webrtc::Fingerprint;

fn print(byte: &str) -> String {
    format!("sha-256 {}", [byte; 32].join(":"))
}

fn ours() -> Local {
    Local { dtls: Fingerprint::strongest([&*print("AB")]), ..local() }
}

fn offer(lines: &str) -> String {
    let fingerprint = format!("a=fingerprint:{}\r\n{lines}", print("01"));
    theirs("UDP/TLS/RTP/SAVPF 0", &fingerprint)
}

#[test]
fn a_desk_phones_offer_is_answered_with_our_certificate_and_waits_for_its_handshake() {
    let (text, agreed) = answer(ours(), &offer("a=setup:actpass\r\na=rtcp-mux\r\n"));
    assert!(text.contains("m=audio 10000 UDP/TLS/RTP/SAVPF 0\r\n"), "{text}");
    assert!(text.contains(&format!("a=fingerprint:{}\r\n", print("AB"))), "{text}");
    assert!(text.contains("a=setup:passive\r\n") && text.contains("a=rtcp-mux\r\n"), "{text}");
    assert!(!text.contains("ice-") && !text.contains("candidate"), "{text}");
    let terms = agreed.stream.dtls.unwrap();
    assert_eq!((terms.fingerprint.to_string(), terms.active), (print("01"), false));
    assert!(agreed.stream.rtcp_mux && agreed.stream.srtp.is_none());
    // Without a choice, or without one port for both.
    let (text, agreed) = answer(ours(), &offer("a=setup:passive\r\n"));
    assert!(text.contains("a=setup:active\r\n") && !text.contains("rtcp-mux"), "{text}");
    assert!(agreed.stream.dtls.unwrap().active && !agreed.stream.rtcp_mux);
}

#[test]
fn roles_stay_over_a_hold() {
    let mut us = us(ours());
    let first = offer("a=setup:passive\r\n");
    us.answer(first.as_bytes(), Direction::SendRecv).unwrap();
    let held = offer("a=setup:actpass\r\na=sendonly\r\n");
    let (text, agreed) = us.answer(held.as_bytes(), Direction::SendRecv).unwrap();
    assert!(text.contains("a=setup:active\r\n") && agreed.remote_hold, "{text}");
}

#[test]
fn an_offer_of_ours_is_taken_by_a_phone_and_nothing_else_is_taken_for_it() {
    let mut us = us(Local { offer_dtls: true, ..ours() });
    let text = us.offer(Direction::SendRecv);
    assert!(text.contains("m=audio 10000 UDP/TLS/RTP/SAVPF 0 8 101\r\n"), "{text}");
    assert!(text.contains("a=setup:actpass\r\n") && !text.contains("a=crypto"), "{text}");
    let plain = theirs("RTP/AVP 0", "");
    assert!(matches!(us.accept_answer(plain.as_bytes()), Err(NegotiateError::Mismatch(_))));
    let agreed = us.accept_answer(offer("a=setup:active\r\n").as_bytes()).unwrap();
    assert!(!agreed.stream.dtls.unwrap().active);
}

#[test]
fn what_is_missing_or_forbidden_is_said() {
    let without = theirs("UDP/TLS/RTP/SAVP 0", "a=setup:actpass\r\n");
    assert!(refusal(ours(), &without).text().contains("a=fingerprint"));
    let odd = offer("a=setup:holdconn\r\n");
    assert!(refusal(ours(), &odd).text().contains("a=setup"));
    let off = Local { srtp: SrtpPolicy::Off, ..ours() };
    assert_eq!(refusal(off, &offer("")), NegotiateError::SrtpOff);
    let required = Local { srtp: SrtpPolicy::Required, ..ours() };
    assert!(us(required).answer(offer("").as_bytes(), Direction::SendRecv).is_ok());
    assert!(matches!(refusal(local(), &offer("")), NegotiateError::Transport(_)));
    // With ICE it is a browser, whose port is another.
    let browser = offer("a=ice-ufrag:abcd\r\na=ice-pwd:abcdabcdabcdabcdabcdab\r\n");
    assert!(wants_webrtc(browser.as_bytes()) && !wants_webrtc(offer("").as_bytes()));
    assert!(matches!(refusal(ours(), &browser), NegotiateError::Transport(_)));
}

#[test]
fn an_offer_with_both_kinds_of_keys_is_answered_with_one() {
    let both = || us(Local { offer_secure: true, dtls_beside_sdes: true, ..ours() });
    let mut phone = both();
    let text = phone.offer(Direction::SendRecv);
    assert!(text.contains("m=audio 10000 RTP/SAVP 0 8 101\r\n"), "{text}");
    assert!(text.contains("a=crypto:1") && text.contains("a=setup:actpass\r\n"), "{text}");
    // As baresip answers: the certificate, under the profile of SDES.
    let fingerprint = format!("a=fingerprint:{}\r\na=setup:active\r\n", print("01"));
    let taken = theirs("RTP/SAVP 0", &format!("{fingerprint}a=rtcp-mux\r\n"));
    let agreed = phone.accept_answer(taken.as_bytes()).unwrap();
    assert!(!agreed.stream.dtls.unwrap().active && agreed.stream.srtp.is_none());
    assert!(agreed.stream.rtcp_mux);
    // Within the call it stays so, whoever offers.
    let text = phone.offer(Direction::SendRecv);
    assert!(text.contains("a=fingerprint:") && !text.contains("a=crypto"), "{text}");
    assert!(phone.accept_answer(taken.as_bytes()).unwrap().stream.dtls.is_some());
    let held = theirs("RTP/SAVP 0", &format!("{fingerprint}a=sendonly\r\n"));
    let (text, agreed) = phone.answer(held.as_bytes(), Direction::SendRecv).unwrap();
    assert!(agreed.stream.dtls.is_some() && !text.contains("a=crypto"), "{text}");

    let mut phone = both();
    let text = phone.offer(Direction::SendRecv);
    let line = text.lines().find(|line| line.starts_with("a=crypto:1")).unwrap();
    for (more, mux) in [("", false), ("a=rtcp-mux\r\n", true)] {
        let taken = theirs("RTP/SAVP 0", &format!("{line}\r\n{more}"));
        let mut phone = phone.clone();
        let agreed = phone.accept_answer(taken.as_bytes()).unwrap();
        assert!(agreed.stream.srtp.is_some() && agreed.stream.dtls.is_none());
        assert_eq!(agreed.stream.rtcp_mux, mux);
        assert!(!phone.offer(Direction::SendRecv).contains("fingerprint"));
    }
    assert!(
        !us(Local { offer_secure: true, ..ours() }).offer(Direction::SendRecv).contains("print")
    );
}

#[test]
fn a_phone_is_known_by_the_hash_that_it_names_and_the_stream_goes_before_the_session() {
    for (name, length) in [("sha-1", 20), ("SHA-384", 48), ("sha-512", 64)] {
        let line = format!("{name} {}", vec!["01"; length].join(":"));
        let offer =
            theirs("UDP/TLS/RTP/SAVPF 0", &format!("a=fingerprint:{line}\r\na=setup:active\r\n"));
        let whole = format!("t=0 0\r\na=fingerprint:{}\r\n", print("FF"));
        let (text, agreed) = answer(ours(), &offer.replace("t=0 0\r\n", &whole));
        assert!(text.contains(&format!("a=fingerprint:{}\r\n", print("AB"))), "{text}");
        assert_eq!(agreed.stream.dtls.unwrap().fingerprint.to_string(), line.to_lowercase());
    }
}
