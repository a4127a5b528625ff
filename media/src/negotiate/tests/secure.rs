//! SDES (RFC 4568).

use super::*;
use crate::srtp::SrtpSuite;

const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const KEY_2: &str = "PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR";

fn with(srtp: SrtpPolicy) -> Local {
    Local { srtp, ..local() }
}

fn crypto(tag: u32, suite: &str, key: &str) -> String {
    format!("a=crypto:{tag} {suite} inline:{key}\r\n")
}

fn crypto_line(text: &str) -> String {
    text.lines().find(|line| line.starts_with("a=crypto")).unwrap().to_owned()
}

fn key_of(text: &str) -> String {
    crypto_line(text).split("inline:").nth(1).unwrap().to_owned()
}

#[test]
fn a_secure_offer_is_answered_with_its_tag_and_suite_and_our_own_key() {
    let offer = theirs("RTP/SAVP 0", &crypto(3, "AES_CM_128_HMAC_SHA1_80", KEY));
    for policy in [SrtpPolicy::Optional, SrtpPolicy::Required] {
        let (text, agreed) = answer(with(policy), &offer);
        assert!(text.contains("m=audio 10000 RTP/SAVP 0\r\n"));
        assert!(crypto_line(&text).starts_with("a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:"));
        let keys = agreed.stream.srtp.unwrap();
        assert_eq!(keys.rx.to_base64(), KEY);
        assert_eq!(keys.tx.to_base64(), key_of(&text));
        assert_ne!(keys.tx.to_base64(), KEY);
    }
}

#[test]
fn the_first_known_suite_is_taken_and_unknown_ones_passed_over() {
    let lines = [
        crypto(1, "AEAD_AES_256_GCM", KEY),
        format!("a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{KEY};inline:{KEY_2}\r\n"),
        crypto(3, "AES_CM_128_HMAC_SHA1_32", KEY),
        crypto(4, "AES_CM_128_HMAC_SHA1_80", KEY),
    ];
    let (text, agreed) = answer(local(), &theirs("RTP/SAVP 0", &lines.concat()));
    assert!(crypto_line(&text).contains("crypto:3 AES_CM_128_HMAC_SHA1_32"));
    assert_eq!(agreed.stream.srtp.unwrap().rx.suite(), SrtpSuite::AesCm128HmacSha1_32);
    assert_eq!(text.matches("a=crypto").count(), 1);
}

#[test]
fn a_key_with_lifetime_and_identifier_is_used_and_ours_needs_neither() {
    let line = format!("a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^31|1:1\r\n");
    let (text, agreed) = answer(local(), &theirs("RTP/SAVP 0", &line));
    assert!(crypto_line(&text).starts_with("a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:"));
    assert!(!crypto_line(&text).contains('|'));
    let keys = agreed.stream.srtp.unwrap();
    assert_eq!((keys.rx.mki(), keys.tx.mki()), (&[1][..], &[][..]));
    let rekeyed = line.replace("1:1", "2:1");
    let again = answer(local(), &theirs("RTP/SAVP 0", &rekeyed)).1.stream.srtp.unwrap();
    assert_ne!(again.rx, keys.rx, "another identifier is another key");
}

#[test]
fn reports_go_in_clear_only_for_a_peer_that_will_not_have_them_otherwise() {
    let suite = "AES_CM_128_HMAC_SHA1_80";
    let clear = crypto(1, suite, KEY).replace("\r\n", " UNENCRYPTED_SRTCP\r\n");
    let mut us = us(local());
    let offer = theirs("RTP/SAVP 0", &clear);
    let (text, agreed) = us.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    assert!(crypto_line(&text).ends_with(" UNENCRYPTED_SRTCP"), "{text}");
    let keys = agreed.stream.srtp.unwrap();
    assert!(keys.tx.clear_rtcp() && keys.rx.clear_rtcp());
    // Asked again, our key stays; and so it is in an offer of ours.
    let (again, _) = us.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    assert_eq!(crypto_line(&again), crypto_line(&text));
    assert!(crypto_line(&us.offer_anew(Direction::SendRecv)).ends_with(" UNENCRYPTED_SRTCP"));

    let both = clear + &crypto(2, suite, KEY_2);
    let (text, agreed) = answer(local(), &theirs("RTP/SAVP 0", &both));
    assert!(
        crypto_line(&text).starts_with("a=crypto:2 ") && !text.contains("UNENCRYPTED"),
        "{text}"
    );
    assert!(!agreed.stream.srtp.unwrap().tx.clear_rtcp());
}

#[test]
fn an_answer_that_adds_unencrypted_reports_to_what_we_offered_is_refused_with_words() {
    let answer = |parameter: &str| {
        let mut us = us(with(SrtpPolicy::Required));
        assert!(us.offer(Direction::SendRecv).contains("a=crypto:1 "));
        let line = crypto(1, "AES_CM_128_HMAC_SHA1_80", KEY);
        let line = line.replace("\r\n", &format!("{parameter}\r\n"));
        us.accept_answer(theirs("RTP/SAVP 0", &line).as_bytes()).map(|_| ())
    };
    assert!(answer("").is_ok());
    let error = answer(" UNENCRYPTED_SRTCP").unwrap_err();
    assert!(error.text().contains("UNENCRYPTED_SRTCP"), "{}", error.text());
}

#[test]
fn only_unknown_suites_are_488_with_words() {
    let lines = crypto(1, "F8_128_HMAC_SHA1_80", KEY) + &crypto(2, "AES_192_CM_HMAC_SHA1_80", KEY);
    for policy in [SrtpPolicy::Optional, SrtpPolicy::Required] {
        let error = refusal(with(policy), &theirs("RTP/SAVP 0", &lines));
        assert_eq!(error.sip_status(), 488);
        assert!(error.text().contains("unknown suite F8_128_HMAC_SHA1_80"), "{error}");
        assert!(!error.text().contains(KEY));
    }
    let dtls = refusal(local(), &theirs("RTP/SAVP 0", "a=fingerprint:sha-256 00\r\n"));
    assert!(dtls.text().contains("DTLS-SRTP needs UDP/TLS/RTP/SAVPF"), "{dtls}");
}

#[test]
fn each_policy_refuses_what_it_must() {
    let clear = theirs("RTP/AVP 0", "");
    let secure = theirs("RTP/SAVP 0", &crypto(1, "AES_CM_128_HMAC_SHA1_80", KEY));
    assert_eq!(refusal(with(SrtpPolicy::Required), &clear), NegotiateError::SrtpRequired);
    assert_eq!(refusal(with(SrtpPolicy::Off), &secure), NegotiateError::SrtpOff);
    assert!(answer(with(SrtpPolicy::Optional), &clear).1.stream.srtp.is_none());
}

#[test]
fn crypto_beside_clear_rtp_is_used_when_allowed() {
    let offer = theirs("RTP/AVP 0", &crypto(1, "AES_CM_128_HMAC_SHA1_80", KEY));
    for (policy, secure) in
        [(SrtpPolicy::Off, false), (SrtpPolicy::Optional, true), (SrtpPolicy::Required, true)]
    {
        let (text, agreed) = answer(with(policy), &offer);
        assert!(text.contains("m=audio 10000 RTP/AVP 0\r\n"), "the transport of the offer");
        assert_eq!((agreed.stream.srtp.is_some(), text.contains("a=crypto")), (secure, secure));
    }
    let unusable = theirs("RTP/AVP 0", &crypto(1, "AEAD_AES_256_GCM", KEY));
    assert!(answer(with(SrtpPolicy::Optional), &unusable).1.stream.srtp.is_none());
    assert!(matches!(refusal(with(SrtpPolicy::Required), &unusable), NegotiateError::Crypto(_)));
}

#[test]
fn of_two_audio_streams_the_secure_one_is_taken_and_the_other_refused() {
    let secure =
        format!("m=audio 4002 RTP/SAVP 0\r\n{}", crypto(1, "AES_CM_128_HMAC_SHA1_80", KEY));
    let offer = theirs("RTP/AVP 0", &secure);
    for (policy, ports) in [
        (SrtpPolicy::Off, [10000, 0]),
        (SrtpPolicy::Optional, [0, 10000]),
        (SrtpPolicy::Required, [0, 10000]),
    ] {
        let mut us = us(with(policy));
        let (text, _) = us.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
        let found: Vec<u16> = parse(&text).media.iter().map(|media| media.port).collect();
        assert_eq!(found, ports, "{policy:?}");
        let again = us.answer(offer.as_bytes(), Direction::SendRecv).unwrap().0;
        assert_eq!(again, text, "a refresh changes nothing, not even the version");
    }
}

#[test]
fn we_offer_srtp_when_it_is_required_or_wanted() {
    for (policy, wanted, secure) in [
        (SrtpPolicy::Off, true, false),
        (SrtpPolicy::Optional, false, false),
        (SrtpPolicy::Optional, true, true),
        (SrtpPolicy::Required, false, true),
    ] {
        let text = us(Local { offer_secure: wanted, ..with(policy) }).offer(Direction::SendRecv);
        assert_eq!(text.contains("RTP/SAVP "), secure);
        assert_eq!(text.matches("a=crypto").count(), if secure { 3 } else { 0 });
    }
}

#[test]
fn the_answer_to_our_secure_offer_chooses_the_key_by_its_tag() {
    let mut us = us(with(SrtpPolicy::Required));
    let offer = us.offer(Direction::SendRecv);
    let second = offer.lines().filter(|l| l.starts_with("a=crypto")).nth(1).unwrap();
    let text = theirs("RTP/SAVP 0", &crypto(2, "AES_CM_128_HMAC_SHA1_32", KEY));
    let keys = us.accept_answer(text.as_bytes()).unwrap().stream.srtp.unwrap();
    assert!(second.ends_with(&keys.tx.to_base64()));
    assert_eq!(keys.rx.to_base64(), KEY);
}

#[test]
fn an_answer_must_not_take_the_encryption_away_or_invent_a_line() {
    for answer in [
        theirs("RTP/AVP 0", ""),
        theirs("RTP/SAVP 0", ""),
        theirs("RTP/SAVP 0", &crypto(9, "AES_CM_128_HMAC_SHA1_80", KEY)),
        theirs("RTP/SAVP 0", &crypto(1, "AES_CM_128_HMAC_SHA1_32", KEY)),
        theirs("RTP/SAVP 0", &crypto(1, "AEAD_AES_256_GCM", KEY)),
    ] {
        let mut us = us(with(SrtpPolicy::Required));
        assert!(us.offer(Direction::SendRecv).contains("a=crypto:1 "));
        assert!(us.accept_answer(answer.as_bytes()).is_err(), "{answer}");
    }
    let mut plain = us(local());
    plain.offer(Direction::SendRecv);
    let secure = theirs("RTP/SAVP 0", &crypto(1, "AES_CM_128_HMAC_SHA1_80", KEY));
    assert!(plain.accept_answer(secure.as_bytes()).is_err());
}

#[test]
fn our_key_stays_over_re_invites_and_the_peers_may_change() {
    let mut us = us(local());
    let offer = |key| theirs("RTP/SAVP 0", &crypto(1, "AES_CM_128_HMAC_SHA1_80", key));
    let (first, _) = us.answer(offer(KEY).as_bytes(), Direction::SendRecv).unwrap();
    let (second, agreed) = us.answer(offer(KEY_2).as_bytes(), Direction::SendRecv).unwrap();
    assert_eq!(first, second);
    assert_eq!(agreed.stream.srtp.unwrap().rx.to_base64(), KEY_2);
    let ours = us.offer(Direction::SendOnly);
    assert_eq!(key_of(&ours), key_of(&first));
    assert_eq!(ours.matches("a=crypto").count(), 1);
}

#[test]
fn a_peer_at_another_address_gets_a_new_key_and_one_that_only_holds_does_not() {
    let mut us = us(local());
    let offer = theirs("RTP/SAVP 0", &crypto(1, "AES_CM_128_HMAC_SHA1_80", KEY));
    let mut key =
        |offer: &str| key_of(&us.answer(offer.as_bytes(), Direction::SendRecv).unwrap().0);
    let first = key(&offer);
    assert_eq!(key(&offer.replace("IP4 198.51.100.2", "IP4 0.0.0.0")), first, "the old hold");
    assert_eq!(key(&offer), first);
    let moved = key(&offer.replace("audio 4000", "audio 4400"));
    assert_ne!(moved, first);
    assert_ne!(key(&offer.replace("IP4 198.51.100.2", "IP4 198.51.100.3")), moved);
}

#[test]
fn a_peer_that_resumes_from_another_address_than_it_held_from_gets_a_new_key() {
    let mut us = us(local());
    let offer = theirs("RTP/SAVP 0", &crypto(1, "AES_CM_128_HMAC_SHA1_80", KEY));
    let mut key =
        |offer: &str| key_of(&us.answer(offer.as_bytes(), Direction::SendRecv).unwrap().0);
    let first = key(&offer);
    assert_eq!(key(&offer.replace("IP4 198.51.100.2", "IP4 0.0.0.0")), first);
    assert_ne!(key(&offer.replace("IP4 198.51.100.2", "IP4 198.51.100.3")), first);
}

#[test]
fn who_asks_for_our_offer_within_a_call_gets_a_fresh_key_of_the_same_suite() {
    let mut us = us(local());
    let offer = theirs("RTP/SAVP 0", &crypto(3, "AES_CM_128_HMAC_SHA1_32", KEY));
    let first = crypto_line(&us.answer(offer.as_bytes(), Direction::SendRecv).unwrap().0);
    let anew = us.offer_anew(Direction::SendRecv);
    let (was, is) = (first.split_once("inline:").unwrap(), crypto_line(&anew));
    let is = is.split_once("inline:").unwrap();
    assert_eq!((was.0, anew.matches("a=crypto").count()), (is.0, 1));
    assert_ne!(was.1, is.1);
    let agreed = us.accept_answer(offer.as_bytes()).unwrap();
    assert_eq!(agreed.stream.srtp.unwrap().tx.to_base64(), is.1);
    assert_eq!(key_of(&us.offer(Direction::SendRecv)), is.1, "and it stays");
    // In clear, and at first, it is an offer like any other.
    assert!(!super::us(local()).offer_anew(Direction::SendRecv).contains("a=crypto"));
}

#[test]
fn a_new_suite_gets_a_new_key() {
    let mut us = us(local());
    let offer = |suite| theirs("RTP/SAVP 0", &crypto(1, suite, KEY));
    let (first, _) =
        us.answer(offer("AES_CM_128_HMAC_SHA1_80").as_bytes(), Direction::SendRecv).unwrap();
    let (second, agreed) =
        us.answer(offer("AES_CM_128_HMAC_SHA1_32").as_bytes(), Direction::SendRecv).unwrap();
    assert_ne!(key_of(&first), key_of(&second));
    assert_eq!(agreed.stream.srtp.unwrap().tx.suite(), SrtpSuite::AesCm128HmacSha1_32);
}

#[test]
fn no_key_is_ever_in_debug_output_or_in_an_error() {
    let mut us = us(with(SrtpPolicy::Required));
    let offer = us.offer(Direction::SendRecv);
    let mut secrets: Vec<String> =
        offer.lines().filter_map(|line| line.split("inline:").nth(1)).map(str::to_owned).collect();
    secrets.push(KEY.to_owned());
    let text = theirs("RTP/SAVP 0", &crypto(1, "AES_CM_128_HMAC_SHA1_80", KEY));
    let agreed = us.accept_answer(text.as_bytes()).unwrap();
    let broken =
        theirs("RTP/SAVP 0", &format!("a=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:{KEY}\r\n"));
    let error = us.answer(broken.as_bytes(), Direction::SendRecv).unwrap_err();
    // The last description is kept, too: it is compared, never shown.
    let shown = format!("{us:?} {agreed:?} {error:?} {error} {us:#?}");
    for secret in secrets {
        assert!(!shown.contains(&secret));
        assert!(!shown.contains(&secret[..12]));
    }
}
