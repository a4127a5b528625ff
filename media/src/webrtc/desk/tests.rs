use super::super::dtls::stray;
use super::*;

mod strangers;

const A: &str = "192.0.2.1:4000";
const B: &str = "198.51.100.2:5000";

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Carries datagrams until both have keys or nothing happens for a while; `b` is behind a NAT.
fn carry(now: Instant, a: &mut Desk, b: &mut Desk, mut to_b: Vec<Vec<u8>>) {
    let mut to_a = Vec::new();
    for step in 0..200 {
        let now = now + Duration::from_millis(step * 50);
        a.handle_timeout(now, &mut |to, packet| {
            // What goes to others is not lost on the way, but nobody's here.
            if to == addr(B) {
                to_b.push(packet.to_vec());
            }
        });
        b.handle_timeout(now, &mut |_, packet| to_a.push(packet.to_vec()));
        for packet in std::mem::take(&mut to_b) {
            b.receive(now, addr(A), &packet, &mut |_, packet| to_a.push(packet.to_vec()));
        }
        for packet in std::mem::take(&mut to_a) {
            a.receive(now, addr(B), &packet, &mut |to, packet| {
                assert_eq!(to, addr(B), "where it speaks from, not where it said");
                to_b.push(packet.to_vec());
            });
        }
    }
}

#[test]
fn two_sides_get_the_same_keys_the_other_way_round() {
    let now = Instant::now();
    let [one, two] = [Identity::fresh().unwrap(), Identity::fresh().unwrap()];
    let terms = |of: &Identity, active| DtlsTerms { fingerprint: of.fingerprint().clone(), active };
    let mut sent = Vec::new();
    let announced = addr("10.0.0.7:5000");
    let mut a = Desk::new(now, terms(&two, false), &one, announced, &mut |_, _| {});
    let mut b = Desk::new(now, terms(&one, true), &two, addr(A), &mut |_, packet| {
        sent.push(packet.to_vec());
    });
    assert!(!sent.is_empty(), "who is active begins at once");
    for packet in sent {
        a.receive(now, addr(B), &packet, &mut |_, _| {});
    }
    carry(now, &mut a, &mut b, Vec::new());
    let (a_keys, b_keys) = (a.keys().unwrap().clone(), b.keys().unwrap().clone());
    assert_eq!((a_keys.tx, a_keys.rx), (b_keys.rx, b_keys.tx));
    // The same agreement again keeps them; another certificate does not.
    a.set(now, terms(&two, false), &one, announced, &mut |_, _| {});
    assert!(a.keys().is_some());
    a.set(now, terms(&one, false), &one, announced, &mut |_, _| {});
    assert!(a.keys().is_none());
}

#[test]
fn a_peer_whose_description_changes_is_asked_at_its_new_address_at_once() {
    let now = Instant::now();
    let [one, two] = [Identity::fresh().unwrap(), Identity::fresh().unwrap()];
    let terms = || DtlsTerms { fingerprint: two.fingerprint().clone(), active: true };
    let mut to = Vec::new();
    let mut desk = Desk::new(now, terms(), &one, addr(A), &mut |at, _| to.push(at));
    let later = now + Duration::from_millis(300);
    desk.set(later, terms(), &one, addr(A), &mut |_, _| panic!("the same again"));
    desk.set(later, terms(), &one, addr(B), &mut |at, _| to.push(at));
    assert_eq!(to, [addr(A), addr(B)]);
}

#[test]
fn a_forged_alert_or_a_flood_from_a_stranger_does_not_end_the_handshake() {
    let now = Instant::now();
    let [one, two] = [Identity::fresh().unwrap(), Identity::fresh().unwrap()];
    let terms = |of: &Identity, active| DtlsTerms { fingerprint: of.fingerprint().clone(), active };
    let alert = [21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40];
    let forge = |desk: &mut Desk, own: &str| {
        for from in [own, "203.0.113.9:7"] {
            desk.receive(now, addr(from), &alert, &mut |_, _| panic!("answered"));
        }
        for number in 0..2000_u16 {
            desk.receive(now, addr("203.0.113.9:7"), &stray(number), &mut |_, _| {});
        }
    };
    let mut a = Desk::new(now, terms(&two, false), &one, addr(B), &mut |_, _| {});
    let mut sent = Vec::new();
    let mut b = Desk::new(now, terms(&one, true), &two, addr(A), &mut |_, packet| {
        sent.push(packet.to_vec());
    });
    // Before the phone speaks, and between its flights.
    for _ in 0..2000 {
        a.receive(now, addr("203.0.113.9:7"), &sent[0], &mut |_, _| {});
    }
    let mut answers = Vec::new();
    for packet in sent {
        a.receive(now, addr(B), &packet, &mut |_, packet| answers.push(packet.to_vec()));
    }
    assert!(!answers.is_empty());
    forge(&mut a, B);
    forge(&mut b, A);
    let mut on = Vec::new();
    for packet in answers {
        b.receive(now, addr(A), &packet, &mut |_, packet| on.push(packet.to_vec()));
    }
    for packet in on {
        a.receive(now, addr(B), &packet, &mut |_, _| {});
    }
    carry(now, &mut a, &mut b, Vec::new());
    assert!(a.keys().is_some() && b.keys().is_some());
    assert_eq!((a.take_error(), b.take_error()), (None, None));
}

/// Pieces that a stranger makes up, of each message that there may be: sound ones, of another length
/// than the phone's.
fn pieces() -> Vec<Vec<u8>> {
    let piece = |number: u8| {
        let kind = [2, 11, 12, 13, 14, 16, 15, 20][usize::from(number) % 8];
        let message = [kind, 0, 3, 232, 0, number, 0, 0, 0, 0, 0, 1, 7];
        [&[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, number, 0, 13][..], &message].concat()
    };
    (0..12).map(piece).collect()
}

#[test]
fn a_strangers_pieces_before_the_phone_speaks_do_not_spoil_the_handshake_of_an_rsa_key() {
    let now = Instant::now();
    for we_begin in [true, false] {
        let [us, phone] = [Identity::fresh().unwrap(), Identity::with_an_rsa_key()];
        let terms =
            |of: &Identity, active| DtlsTerms { fingerprint: of.fingerprint().clone(), active };
        let (mut to_a, mut to_b) = (Vec::new(), Vec::new());
        let mut a = Desk::new(now, terms(&phone, we_begin), &us, addr(B), &mut |_, packet| {
            to_b.push(packet.to_vec());
        });
        let mut b = Desk::new(now, terms(&us, !we_begin), &phone, addr(A), &mut |_, packet| {
            to_a.push(packet.to_vec());
        });
        for piece in pieces() {
            a.receive(now, addr("203.0.113.9:7"), &piece, &mut |_, _| panic!("answered"));
        }
        for packet in to_a {
            a.receive(now, addr(B), &packet, &mut |_, packet| to_b.push(packet.to_vec()));
        }
        carry(now, &mut a, &mut b, to_b);
        assert!(a.keys().is_some() && b.keys().is_some(), "{we_begin}");
    }
}

#[test]
fn a_phone_behind_a_nat_gets_its_keys_beside_strangers_who_begin_handshakes_too() {
    let now = Instant::now();
    let [us, phone, other] = [(); 3].map(|()| Identity::fresh().unwrap());
    let terms = |of: &Identity, active| DtlsTerms { fingerprint: of.fingerprint().clone(), active };
    let mut a = Desk::new(now, terms(&phone, false), &us, addr("10.0.0.7:5000"), &mut |_, _| {});
    let mut hellos = Vec::new();
    let mut stranger = Desk::new(now, terms(&us, true), &other, addr(A), &mut |_, packet| {
        hellos.push(packet.to_vec());
    });
    // One goes as far as it can and stays there; forged ones come from many places.
    let (mut to_a, from) = (hellos.clone(), addr("203.0.113.9:7"));
    let mut to_stranger = Vec::new();
    for _ in 0..2 {
        for packet in std::mem::take(&mut to_a) {
            a.receive(now, from, &packet, &mut |_, packet| to_stranger.push(packet.to_vec()));
        }
        for packet in std::mem::take(&mut to_stranger) {
            stranger.receive(now, addr(A), &packet, &mut |_, p| to_a.push(p.to_vec()));
        }
    }
    for piece in pieces() {
        a.receive(now, addr("203.0.113.9:8"), &piece, &mut |_, _| panic!("answered"));
    }
    for port in 0..5_000 {
        let from = SocketAddr::from(([203, 0, 113, 10], 1_000 + port));
        a.receive(now, from, &hellos[0], &mut |_, _| {});
    }
    assert!(a.others.len() <= MOST_OTHERS && a.others[0].from == from);
    let later = now + Duration::from_secs(1);
    let mut said = Vec::new();
    let mut b = Desk::new(later, terms(&us, true), &phone, addr(A), &mut |_, packet| {
        said.push(packet.to_vec());
    });
    let mut on = Vec::new();
    for packet in said {
        a.receive(later, addr(B), &packet, &mut |_, packet| on.push(packet.to_vec()));
    }
    carry(later, &mut a, &mut b, on);
    assert!(a.keys().is_some() && b.keys().is_some());
    assert!(a.others.is_empty(), "the others are forgotten");
}

#[test]
fn another_certificate_than_announced_or_nobody_at_all_ends_it_with_words() {
    let now = Instant::now();
    let [one, two] = [Identity::fresh().unwrap(), Identity::fresh().unwrap()];
    let terms = |of: &Identity, active| DtlsTerms { fingerprint: of.fingerprint().clone(), active };
    let mut a = Desk::new(now, terms(&one, false), &one, addr(B), &mut |_, _| {});
    let mut b = Desk::new(now, terms(&one, true), &two, addr(A), &mut |_, _| {});
    carry(now, &mut a, &mut b, Vec::new());
    assert!(a.keys().is_none());
    assert_eq!(a.take_error(), Some(WebRtcError::Stranger));
    let mut alone = Desk::new(now, terms(&two, false), &one, addr(B), &mut |_, _| {});
    alone.handle_timeout(now + Duration::from_secs(60), &mut |_, _| {});
    assert!(alone.take_error().is_some());
    assert!(alone.take_error().is_none(), "told once");
}
