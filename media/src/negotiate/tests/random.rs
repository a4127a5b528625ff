//! Whatever a peer sends: no panic, and an answer that keeps RFC 3264's promises.

use proptest::prelude::*;

use super::*;
use crate::sdp::real_life::SAMPLES;

fn check(offer: &[u8]) {
    for srtp in [SrtpPolicy::Off, SrtpPolicy::Optional, SrtpPolicy::Required] {
        let mut us = us(Local { srtp, comfort_noise: true, ..local() });
        let Ok((text, agreed)) = us.answer(offer, Direction::SendRecv) else { continue };
        let (offer, answer) = (SessionDescription::parse(offer).unwrap(), parse(&text));
        assert_eq!(offer.media.len(), answer.media.len());
        let active: Vec<usize> =
            answer.media.iter().enumerate().filter(|(_, m)| m.port != 0).map(|(i, _)| i).collect();
        assert_eq!(active.len(), 1);
        let (theirs, ours) = (&offer.media[active[0]], &answer.media[active[0]]);
        assert!(ours.formats.iter().all(|format| theirs.formats.contains(format)));
        assert_eq!(agreed.stream.srtp.is_some(), ours.has("crypto"));
        let there = offer.direction_of(theirs);
        assert!(!agreed.stream.send || there.receives());
        assert!(!agreed.stream.receive || there.sends());
        assert!(!agreed.stream.remote_rtp.ip().is_unspecified() || !agreed.stream.send);
        assert!((10..=60).contains(&agreed.stream.ptime_ms));
        // The same offer again is answered with the same text.
        let bytes = offer.to_string();
        assert_eq!(us.answer(bytes.as_bytes(), Direction::SendRecv).unwrap().0, text);
    }
}

#[test]
fn real_life_offers_are_answered_by_the_rules() {
    let mut answered = 0;
    for (name, text, _) in SAMPLES {
        check(text.as_bytes());
        answered += usize::from(us(local()).answer(text.as_bytes(), Direction::SendRecv).is_ok());
        assert!(!name.is_empty());
    }
    // Not: two faxes, the browser, and IPv6 to our IPv4.
    assert_eq!(answered, SAMPLES.len() - 4);
}

#[test]
fn two_of_us_always_agree() {
    let far = Local::new("198.51.100.7:20000".parse().unwrap(), vec![Codec::Pcma, Codec::Pcmu]);
    for srtp in [SrtpPolicy::Off, SrtpPolicy::Optional, SrtpPolicy::Required] {
        let mut caller = us(Local { srtp, offer_secure: true, ..local() });
        let mut callee = us(Local { srtp, ..far.clone() });
        for turn in 0..4 {
            let offer =
                caller.offer(if turn % 2 == 1 { Direction::SendOnly } else { Direction::SendRecv });
            let (answer, at_callee) = callee.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
            let at_caller = caller.accept_answer(answer.as_bytes()).unwrap();
            assert_eq!(at_caller.stream.codec, at_callee.stream.codec);
            assert_eq!(at_caller.direction, at_callee.direction.reversed());
            let keys = |agreed: &Agreed| agreed.stream.srtp.clone().map(|k| (k.tx, k.rx));
            assert_eq!(keys(&at_caller).map(|(tx, rx)| (rx, tx)), keys(&at_callee));
            std::mem::swap(&mut caller, &mut callee);
        }
    }
}

proptest! {
    #[test]
    fn mutated_offers_never_panic(
        sample in 0..SAMPLES.len(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3), 0..6),
    ) {
        let mut bytes = SAMPLES[sample].1.as_bytes().to_vec();
        for (at, byte, kind) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => bytes.truncate(at.max(1)),
            }
        }
        check(&bytes);
        let mut us = us(Local { srtp: SrtpPolicy::Required, ..local() });
        us.offer(Direction::SendRecv);
        let _ = us.accept_answer(&bytes);
    }
}
