mod keys;

use rtc_srtp::context::Context;
use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;

use super::*;
use crate::rtp::Header;

pub(super) fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn pair(suite: SrtpSuite) -> (SrtpSession, SrtpSession) {
    let (ours, theirs) = (SrtpKey::generate(suite), SrtpKey::generate(suite));
    let us = SrtpKeys { tx: ours.clone(), rx: theirs.clone() };
    let them = SrtpKeys { tx: theirs, rx: ours };
    (SrtpSession::new(us).unwrap(), SrtpSession::new(them).unwrap())
}

fn packet(ssrc: u32, sequence: u16) -> Vec<u8> {
    let header =
        Header { marker: false, payload_type: 0, sequence, timestamp: u32::from(sequence), ssrc };
    [&header.to_bytes()[..], &[0x55; 160]].concat()
}

fn protect(session: &mut SrtpSession, plain: &[u8]) -> Vec<u8> {
    let mut buffer = plain.to_vec();
    buffer.resize(plain.len() + 32, 0);
    let at = session.protect_rtp(&mut buffer, 0..plain.len()).unwrap();
    buffer[at].to_vec()
}

#[test]
fn reports_in_clear_are_readable_and_authentic() {
    let suite = SrtpSuite::AesCm128HmacSha1_32;
    let key = || SrtpKey::generate(suite).with_clear_rtcp(true);
    let (ours, theirs) = (key(), key());
    let mut us = SrtpSession::new(SrtpKeys { tx: ours.clone(), rx: theirs.clone() }).unwrap();
    let mut them = SrtpSession::new(SrtpKeys { tx: theirs, rx: ours }).unwrap();
    let plain = [0x81, 202, 0, 2, 0, 0, 0, 9, 1, 1, 0x61, 0];
    let mut wire = [0; 64];
    wire[..12].copy_from_slice(&plain);
    let length = us.protect_rtcp(&mut wire, 12).unwrap();
    // In clear, without the E bit, and with the whole tag of SRTCP.
    assert_eq!((&wire[..12], &wire[12..16], length), (&plain[..], &[0, 0, 0, 1][..], 26));
    let mut forged = wire;
    forged[10] ^= 1;
    assert_eq!(them.unprotect_rtcp(&mut forged[..length]), Unprotected::Forged);
    assert_eq!(them.unprotect_rtcp(&mut wire[..length]), Unprotected::Plain(12));
    let sound = packet(7, 1);
    let mut wire = protect(&mut us, &sound);
    assert_ne!(wire[12..172], sound[12..]);
    assert_eq!(them.unprotect_rtp(&mut wire), Unprotected::Plain(sound.len()));
}

#[test]
fn every_suite_carries_rtp_and_rtcp_both_ways() {
    for suite in SrtpSuite::ALL {
        let (mut us, mut them) = pair(suite);
        for sequence in 0..200 {
            let plain = packet(7, sequence);
            let mut wire = protect(&mut us, &plain);
            assert_ne!(wire[12..172], plain[12..]);
            assert_eq!(them.unprotect_rtp(&mut wire), Unprotected::Plain(plain.len()));
            assert_eq!(wire[..plain.len()], plain);
        }
        let plain = [0x80, 201, 0, 1, 0, 0, 0, 9];
        let mut wire = [0; 64];
        wire[..8].copy_from_slice(&plain);
        let n = them.protect_rtcp(&mut wire, 8).unwrap();
        assert_eq!(us.unprotect_rtcp(&mut wire[..n]), Unprotected::Plain(8));
        assert_eq!(wire[..8], plain);
    }
}

#[test]
fn a_replayed_packet_and_a_forged_one_are_refused() {
    let (mut us, mut them) = pair(SrtpSuite::AesCm128HmacSha1_80);
    let wire = protect(&mut us, &packet(7, 1));
    assert!(matches!(them.unprotect_rtp(&mut wire.clone()), Unprotected::Plain(_)));
    assert_eq!(them.unprotect_rtp(&mut wire.clone()), Unprotected::Replayed);
    let mut forged = protect(&mut us, &packet(7, 2));
    forged[50] ^= 1;
    assert_eq!(them.unprotect_rtp(&mut forged), Unprotected::Forged);
}

#[test]
fn the_rollover_counter_follows_a_long_call() {
    let (mut us, mut them) = pair(SrtpSuite::AesCm128HmacSha1_32);
    for i in (0..140_000u32).step_by(500) {
        let mut wire = protect(&mut us, &packet(7, i as u16));
        assert!(matches!(them.unprotect_rtp(&mut wire), Unprotected::Plain(_)), "packet {i}");
    }
}

#[test]
fn a_wrong_key_is_told_once() {
    let (mut us, _) = pair(SrtpSuite::AesCm128HmacSha1_80);
    let (_, mut stranger) = pair(SrtpSuite::AesCm128HmacSha1_80);
    let told = (0..100)
        .filter(|&s| {
            let mut wire = protect(&mut us, &packet(7, s));
            stranger.unprotect_rtp(&mut wire) == Unprotected::Forged && stranger.failed()
        })
        .count();
    assert_eq!(told, 1);
}

#[test]
fn a_flood_of_forged_ssrcs_neither_grows_nor_hurts_the_real_one() {
    let (mut us, mut them) = pair(SrtpSuite::AesCm128HmacSha1_80);
    let mut first = protect(&mut us, &packet(7, 1));
    assert!(matches!(them.unprotect_rtp(&mut first), Unprotected::Plain(_)));
    for ssrc in 0..2000 {
        let mut forged = packet(ssrc, 2);
        forged.extend([0; 10]);
        assert!(matches!(
            them.unprotect_rtp(&mut forged),
            Unprotected::Replayed | Unprotected::Forged
        ));
        let mut forged = [&[0x80, 201, 0, 1][..], &ssrc.to_be_bytes(), &[0x80; 14]].concat();
        assert!(matches!(
            them.unprotect_rtcp(&mut forged),
            Unprotected::Replayed | Unprotected::Forged
        ));
    }
    assert_eq!(them.heard.count(), 1);
    let mut next = protect(&mut us, &packet(7, 2));
    assert!(matches!(them.unprotect_rtp(&mut next), Unprotected::Plain(_)));
}

#[test]
fn a_key_that_stays_keeps_its_replay_window() {
    let (mut us, mut them) = pair(SrtpSuite::AesCm128HmacSha1_80);
    let wire = protect(&mut us, &packet(7, 1));
    assert!(matches!(them.unprotect_rtp(&mut wire.clone()), Unprotected::Plain(_)));
    them.rekey(them.keys().clone()).unwrap();
    assert!(matches!(
        them.unprotect_rtp(&mut wire.clone()),
        Unprotected::Replayed | Unprotected::Forged
    ));
}

#[test]
fn a_key_is_never_printed() {
    let key = SrtpKey::generate(SrtpSuite::AesCm128HmacSha1_80);
    let shown = format!("{key:?}");
    assert_eq!(shown, "SrtpKey(AES_CM_128_HMAC_SHA1_80, <hidden>)");
    let short = SrtpKey::new(key.suite(), &[0; 3]).unwrap_err();
    assert_eq!(short, SrtpKeyError::Length { got: 3, want: 30 });
}

/// Another implementation with the same key.
fn oracle(key: &SrtpKey) -> Context {
    let profile = match key.suite() {
        SrtpSuite::AesCm128HmacSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        SrtpSuite::AesCm128HmacSha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
        SrtpSuite::Aes256CmHmacSha1_80 => ProtectionProfile::Aes256CmHmacSha1_80,
        SrtpSuite::Aes256CmHmacSha1_32 => ProtectionProfile::Aes256CmHmacSha1_32,
        SrtpSuite::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        SrtpSuite::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
        unknown => panic!("it does not know {unknown}"),
    };
    let (master, salt) = key.parts().unwrap();
    let (rtp, rtcp) = (srtp_replay_protection(128), srtcp_replay_protection(128));
    let provider = rtc_srtp::crypto::default_provider().unwrap();
    Context::new(master, salt, profile, Some(rtp), Some(rtcp), provider.crypto()).unwrap()
}

#[test]
fn another_implementation_reads_what_we_write_and_writes_what_we_read() {
    // Those of 192 bits it does not have; they are held against RFC 6188.
    for suite in SrtpSuite::ALL.into_iter().filter(|suite| suite.key_len() != 24) {
        let (mut us, _) = pair(suite);
        let (mut reader, mut writer) = (oracle(&us.keys.tx), oracle(&us.keys.rx));
        // Into the second turn of the sequence number, every other packet late.
        for n in (0..70_000u32).step_by(31).flat_map(|n| [n + 32, n]) {
            let mut plain = packet(7, n as u16);
            if n % 5 == 0 {
                // One contributing source, an extension of one word.
                plain[0] |= 0x11;
                plain.splice(12..12, [1, 2, 3, 4, 0x12, 0x34, 0, 1, 9, 9, 9, 9]);
            }
            let mut theirs = writer.encrypt_rtp(&plain).unwrap().to_vec();
            assert_eq!(us.unprotect_rtp(&mut theirs), Unprotected::Plain(plain.len()), "{n}");
            assert_eq!(theirs[..plain.len()], plain);
            let ours = protect(&mut us, &plain);
            assert_eq!(reader.decrypt_rtp(&ours).unwrap(), plain, "{n}");
        }
        for n in 0..200u8 {
            let plain = [0x80, 201, 0, 2, 0, 0, 0, 9, n, 1, 2, 3];
            let mut theirs = writer.encrypt_rtcp(&plain).unwrap().to_vec();
            assert_eq!(us.unprotect_rtcp(&mut theirs.clone()), Unprotected::Plain(12));
            assert!(matches!(
                us.unprotect_rtcp(&mut theirs),
                Unprotected::Replayed | Unprotected::Forged
            ));
            let mut wire = [0; 64];
            wire[..12].copy_from_slice(&plain);
            let n = us.protect_rtcp(&mut wire, 12).unwrap();
            assert_eq!(reader.decrypt_rtcp(&wire[..n]).unwrap(), &plain[..]);
        }
    }
}

#[test]
fn a_packet_is_never_protected_twice_with_one_number() {
    let (mut us, _) = pair(SrtpSuite::AesCm128HmacSha1_80);
    let mut buffer = packet(7, 9);
    buffer.resize(200, 0);
    assert!(us.protect_rtp(&mut buffer.clone(), 0..172).is_some());
    assert!(us.protect_rtp(&mut buffer.clone(), 0..172).is_none());
    assert!(us.protect_rtp(&mut buffer[..180], 0..172).is_none(), "no room");
}

#[test]
fn a_replay_is_refused_across_the_turn_of_the_sequence_number() {
    let (mut us, mut them) = pair(SrtpSuite::AesCm128HmacSha1_32);
    let wires: Vec<_> =
        (65_500u32..65_580).map(|n| protect(&mut us, &packet(7, n as u16))).collect();
    for wire in &wires {
        assert!(matches!(them.unprotect_rtp(&mut wire.clone()), Unprotected::Plain(172)));
    }
    for wire in &wires {
        assert!(matches!(
            them.unprotect_rtp(&mut wire.clone()),
            Unprotected::Replayed | Unprotected::Forged
        ));
    }
}

#[test]
fn a_key_identifier_is_taken_off_and_may_be_missing() {
    let (ours, theirs) = pair(SrtpSuite::AesCm128HmacSha1_80);
    let named = |keys: &SrtpKeys| SrtpKeys {
        tx: keys.tx.clone().with_mki(&[0, 0, 0, 1]),
        rx: keys.rx.clone().with_mki(&[0, 0, 0, 1]),
    };
    let (ours, theirs) = (ours.keys, theirs.keys);
    for sender in [&theirs, &named(&theirs)] {
        let mut us = SrtpSession::new(named(&ours)).unwrap();
        let mut them = SrtpSession::new(sender.clone()).unwrap();
        for n in 0..100 {
            let plain = packet(7, n);
            let mut wire = protect(&mut them, &plain);
            assert_eq!(wire.len(), 172 + 10 + sender.tx.mki().len());
            assert_eq!(us.unprotect_rtp(&mut wire), Unprotected::Plain(172));
            assert_eq!(wire[..172], plain);
        }
        let plain = [0x80, 201, 0, 1, 0, 0, 0, 9];
        let mut wire = [0; 64];
        wire[..8].copy_from_slice(&plain);
        let n = them.protect_rtcp(&mut wire, 8).unwrap();
        assert_eq!(us.unprotect_rtcp(&mut wire[..n]), Unprotected::Plain(8));
        assert_eq!(wire[..8], plain);
    }
}

#[test]
fn a_source_that_speaks_is_never_forgotten_for_others_that_come_and_go() {
    let (mut us, mut them) = pair(SrtpSuite::AesCm128HmacSha1_80);
    let first = protect(&mut us, &packet(7, 0));
    assert_eq!(them.unprotect_rtp(&mut first.clone()), Unprotected::Plain(172));
    for n in 1..200u32 {
        // Beyond the first turn of the sequence number.
        let mut wire = protect(&mut us, &packet(7, (n * 500) as u16));
        assert_eq!(them.unprotect_rtp(&mut wire), Unprotected::Plain(172), "{n}");
        let mut other = protect(&mut us, &packet(1000 + n, 1));
        assert_eq!(them.unprotect_rtp(&mut other), Unprotected::Plain(172));
        let mut late = protect(&mut us, &packet(7, (n * 500 - 1) as u16));
        assert_eq!(them.unprotect_rtp(&mut late), Unprotected::Plain(172), "{n} late");
    }
    assert_ne!(them.unprotect_rtp(&mut first.clone()), Unprotected::Plain(172));
    assert!(them.heard.count() <= MAX_SOURCES);
}

#[test]
fn a_source_that_made_room_is_heard_again_and_its_old_packets_are_not() {
    let (mut us, mut them) = pair(SrtpSuite::AesCm128HmacSha1_80);
    let old: Vec<_> = (0..70_000u32)
        .step_by(500)
        .map(|n| {
            let wire = protect(&mut us, &packet(7, n as u16));
            assert_eq!(them.unprotect_rtp(&mut wire.clone()), Unprotected::Plain(172));
            wire
        })
        .collect();
    for ssrc in 1000..1100 {
        let mut other = protect(&mut us, &packet(ssrc, 1));
        assert_eq!(them.unprotect_rtp(&mut other), Unprotected::Plain(172));
    }
    for wire in &old {
        assert!(!matches!(them.unprotect_rtp(&mut wire.clone()), Unprotected::Plain(_)));
    }
    let mut next = protect(&mut us, &packet(7, 70_001u32 as u16));
    assert_eq!(them.unprotect_rtp(&mut next), Unprotected::Plain(172));
}

#[test]
fn a_key_with_more_sources_than_can_be_remembered_takes_no_new_ones() {
    let (mut us, mut them) = pair(SrtpSuite::AesCm128HmacSha1_80);
    let wires: Vec<_> = (0..400)
        .filter_map(|ssrc| {
            let mut wire = packet(ssrc, 1);
            wire.resize(200, 0);
            let at = us.protect_rtp(&mut wire, 0..172)?;
            Some(wire[at].to_vec())
        })
        .collect();
    assert_eq!(wires.len(), MAX_SOURCES + MAX_FORMER, "nor do we send under more");
    for pass in 0..2 {
        for wire in &wires {
            let plain = matches!(them.unprotect_rtp(&mut wire.clone()), Unprotected::Plain(_));
            assert_eq!(plain, pass == 0, "each once, however many there were since");
        }
    }
}

#[test]
fn a_packet_that_happens_to_end_like_the_identifier_is_taken_whole() {
    let (ours, theirs) = pair(SrtpSuite::AesCm128HmacSha1_80);
    // The identifier 1 was announced, and is not sent.
    let keys = SrtpKeys { rx: ours.keys.rx.clone().with_mki(&[1]), ..ours.keys.clone() };
    let (mut us, mut them) = (SrtpSession::new(keys).unwrap(), theirs);
    let mut ending_so = 0;
    for n in 0..2000 {
        let mut wire = protect(&mut them, &packet(7, n));
        ending_so += usize::from(wire[171] == 1);
        assert_eq!(us.unprotect_rtp(&mut wire), Unprotected::Plain(172), "{n}");
        let mut wire = [0; 64];
        wire[..8].copy_from_slice(&[0x80, 201, 0, 1, 0, 0, 0, 9]);
        let n = them.protect_rtcp(&mut wire, 8).unwrap();
        // Its trailer ends in 1 every 256 times.
        assert_eq!(us.unprotect_rtcp(&mut wire[..n]), Unprotected::Plain(8));
    }
    assert!(ending_so > 0);
}

#[test]
fn no_mutated_packet_panics_or_is_taken_for_authentic() {
    let (mut us, mut them) = pair(SrtpSuite::AesCm128HmacSha1_32);
    let (mut other, _) = pair(SrtpSuite::AesCm128HmacSha1_32);
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for n in 0..4000 {
        let mut wire = protect(&mut us, &packet(7, n));
        let sound = wire.clone();
        let at = (next() % wire.len() as u64) as usize;
        match next() % 3 {
            0 => wire[at] ^= (next() % 255) as u8 + 1,
            1 => wire.truncate(at),
            _ => wire[0] = next() as u8,
        }
        if wire != sound {
            assert!(matches!(
                them.unprotect_rtp(&mut wire.clone()),
                Unprotected::Replayed | Unprotected::Forged
            ));
            let _ = them.unprotect_rtcp(&mut wire);
            let _ = other.protect_rtp(&mut wire, 0..at.min(150));
        }
        assert!(matches!(them.unprotect_rtp(&mut sound.clone()), Unprotected::Plain(172)));
    }
}
