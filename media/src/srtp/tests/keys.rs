//! A new key within the session, on either side.

use super::*;

#[test]
fn a_new_key_starts_its_counters_again_and_the_old_one_is_refused() {
    let (mut us, mut them) = pair(SrtpSuite::AesCm128HmacSha1_80);
    let mut old = protect(&mut us, &packet(7, 60_000));
    assert!(matches!(them.unprotect_rtp(&mut old.clone()), Unprotected::Plain(_)));
    let fresh = SrtpKey::generate(SrtpSuite::AesCm128HmacSha1_32);
    us.rekey(SrtpKeys { tx: fresh.clone(), rx: us.keys.rx.clone() }).unwrap();
    them.rekey(SrtpKeys { tx: them.keys.tx.clone(), rx: fresh }).unwrap();
    assert!(matches!(them.unprotect_rtp(&mut old), Unprotected::Replayed | Unprotected::Forged));
    for n in [60_001, 1, 2] {
        let mut wire = protect(&mut us, &packet(7, n));
        assert!(matches!(them.unprotect_rtp(&mut wire), Unprotected::Plain(172)), "{n}");
    }
}

#[test]
fn a_peer_that_goes_on_with_its_former_key_is_heard_until_it_has_changed() {
    for suite in SrtpSuite::ALL {
        let (mut us, mut them) = pair(suite);
        for n in 0..10 {
            assert_eq!(them.unprotect_rtp(&mut protect(&mut us, &packet(7, n))), PLAIN);
        }
        let fresh = SrtpKey::generate(suite);
        let old = SrtpSession::new(us.keys.clone()).unwrap();
        them.rekey(SrtpKeys { tx: them.keys.tx.clone(), rx: fresh.clone() }).unwrap();
        for n in 10..30 {
            let mut wire = protect(&mut us, &packet(7, n));
            assert_eq!(them.unprotect_rtp(&mut wire.clone()), PLAIN, "our answer is under way");
            assert_eq!(them.unprotect_rtp(&mut wire), Unprotected::Replayed);
        }
        us.rekey(SrtpKeys { tx: fresh, rx: us.keys.rx.clone() }).unwrap();
        for n in 30..90 {
            assert_eq!(them.unprotect_rtp(&mut protect(&mut us, &packet(7, n))), PLAIN);
        }
        let mut old = old;
        let mut late = protect(&mut old, &packet(7, 91));
        assert_eq!(them.unprotect_rtp(&mut late), Unprotected::Forged, "it has changed");
    }
}

const PLAIN: Unprotected = Unprotected::Plain(172);

/// What `them` makes of packets of SSRC 7, with the rollover counter that another sender has reached.
fn after_a_new_key(resets: bool, numbers: &[u32]) -> Vec<Unprotected> {
    let (us, mut them) = pair(SrtpSuite::AesCm128HmacSha1_80);
    let old = SrtpSession::new(us.keys().clone());
    // 100000 packets under the old key: the counter stands at 1.
    let mut sender = old.unwrap();
    for n in (0..100_000u32).step_by(1000) {
        let mut wire = protect(&mut sender, &packet(7, n as u16));
        assert_eq!(them.unprotect_rtp(&mut wire), Unprotected::Plain(172));
    }
    let fresh = SrtpKey::generate(SrtpSuite::AesCm128HmacSha1_80);
    them.rekey(SrtpKeys { tx: them.keys.tx.clone(), rx: fresh.clone() }).unwrap();
    let mut other = oracle(&fresh);
    if !resets {
        // The other implementation keeps its counter by having counted.
        for n in (0..100_000u32).step_by(1000) {
            other.encrypt_rtp(&packet(7, n as u16)).unwrap();
        }
    }
    let open = |n: &u32| {
        let mut wire = other.encrypt_rtp(&packet(7, *n as u16)).unwrap().to_vec();
        them.unprotect_rtp(&mut wire)
    };
    numbers.iter().map(open).collect()
}

#[test]
fn after_a_new_key_a_rollover_counter_may_go_on_or_begin_again() {
    for first in [100_001, 131_060] {
        let numbers: Vec<u32> = (0..40).map(|n| first + n).collect();
        for resets in [false, true] {
            let heard = after_a_new_key(resets, &numbers);
            assert_eq!(heard, [Unprotected::Plain(172); 40], "{first} {resets}");
        }
    }
}

#[test]
fn the_index_of_our_reports_goes_on_after_a_new_key() {
    let (mut us, _) = pair(SrtpSuite::AesCm128HmacSha1_80);
    let report = |us: &mut SrtpSession| {
        let mut wire = [0; 64];
        wire[..8].copy_from_slice(&[0x80, 201, 0, 1, 0, 0, 0, 9]);
        let n = us.protect_rtcp(&mut wire, 8).unwrap();
        u32::from_be_bytes(wire[n - 14..n - 10].try_into().unwrap()) & LAST_RTCP_INDEX
    };
    assert_eq!((report(&mut us), report(&mut us)), (1, 2));
    let fresh = SrtpKey::generate(SrtpSuite::AesCm128HmacSha1_80);
    us.rekey(SrtpKeys { tx: fresh, rx: us.keys.rx.clone() }).unwrap();
    assert_eq!(report(&mut us), 3);
}
