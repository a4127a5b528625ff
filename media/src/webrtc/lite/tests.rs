use super::super::stun::{Class, Side, Writer};
use super::*;

const PHONE: &str = "192.0.2.1:4000";
const ELSEWHERE: &str = "192.0.2.1:5000";
const STRANGER: &str = "203.0.113.9:7";

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn terms() -> IceTerms {
    IceTerms { local: Credentials::fresh(), remote: Credentials::fresh() }
}

/// What comes back for it.
fn give(
    lite: &mut Lite,
    now: Instant,
    (component, from): (Component, &str),
    packet: &[u8],
) -> (bool, Vec<(SocketAddr, Vec<u8>)>) {
    let mut sent = Vec::new();
    let heard = lite.receive(now, (component, addr(from)), packet, &mut |to, packet| {
        sent.push((to, packet.to_vec()));
    });
    (heard != Asked::Stranger, sent)
}

fn nominate(lite: &mut Lite, now: Instant, (component, from): (Component, &str)) {
    let terms = lite.terms.clone();
    let (heard, sent) =
        give(lite, now, (component, from), &check(&terms, &terms.local.password, true));
    let view = stun::parse(&sent[0].1).unwrap();
    assert!(heard && view.class == Class::Success && view.is_by(&terms.local.password));
    assert_eq!((sent.len(), sent[0].0), (1, addr(from)));
}

#[test]
fn media_goes_where_the_peer_chose_each_component_by_itself() {
    let now = Instant::now();
    let mut lite = Lite::new(now, terms());
    assert_eq!(lite.found(now), Found::Nothing);
    let asks = check(&lite.terms, &lite.terms.local.password, false);
    assert!(give(&mut lite, now, (Component::Rtp, PHONE), &asks).0);
    assert_eq!(lite.found(now), Found::Nothing, "asked, and not chosen");
    nominate(&mut lite, now, (Component::Rtp, PHONE));
    assert_eq!(lite.found(now), Found::Path { rtp: addr(PHONE), rtcp: None });
    assert!(lite.knows(Component::Rtp, addr(PHONE)));
    assert!(!lite.knows(Component::Rtcp, addr(PHONE)), "another port, another path");
    nominate(&mut lite, now, (Component::Rtcp, ELSEWHERE));
    let both = Found::Path { rtp: addr(PHONE), rtcp: Some(addr(ELSEWHERE)) };
    assert_eq!(lite.found(now + PATIENCE), both);
}

#[test]
fn a_peer_that_never_asks_is_served_as_without_ice_and_one_that_asks_late_still_counts() {
    let now = Instant::now();
    let mut lite = Lite::new(now, terms());
    assert_eq!(lite.found(now + PATIENCE), Found::Nobody);
    nominate(&mut lite, now + PATIENCE, (Component::Rtp, PHONE));
    let path = Found::Path { rtp: addr(PHONE), rtcp: None };
    assert_eq!(lite.found(now + PATIENCE), path);
}

#[test]
fn a_peer_that_takes_our_side_is_told_to_change_it() {
    let now = Instant::now();
    let mut lite = Lite::new(now, terms());
    let mut writer = Writer::new(Class::Request, [3; 12]);
    writer.username(&format!("{}:{}", lite.terms.local.ufrag, lite.terms.remote.ufrag));
    writer.side(Side::Controlled(7));
    let asks = writer.finish(&lite.terms.local.password).unwrap();
    let (_, sent) = give(&mut lite, now, (Component::Rtp, PHONE), &asks);
    assert_eq!(stun::parse(&sent[0].1).unwrap().error, Some(487));
    assert!(!lite.knows(Component::Rtp, addr(PHONE)));
}

#[test]
fn who_does_not_know_the_password_changes_nothing_and_gets_no_answer() {
    let now = Instant::now();
    let mut lite = Lite::new(now, terms());
    nominate(&mut lite, now, (Component::Rtp, PHONE));
    let right = lite.terms.local.password.clone();
    let forged = check(&lite.terms, "wrong", true);
    let other = IceTerms { local: Credentials::fresh(), ..lite.terms.clone() };
    let misnamed = check(&other, &right, true);
    let mut changed = check(&lite.terms, &right, true);
    changed[25] ^= 1;
    let mut long = check(&lite.terms, &right, true);
    long.resize(MAX_MESSAGE + 4, 0);
    let answer = Writer::new(Class::Success, [3; 12]).finish(&right).unwrap();
    for packet in [forged, misnamed, changed, long, answer, vec![0; 20], vec![0]] {
        for component in [Component::Rtp, Component::Rtcp] {
            assert_eq!(give(&mut lite, now, (component, STRANGER), &packet), (false, Vec::new()));
            assert!(!lite.knows(component, addr(STRANGER)));
        }
    }
    assert_eq!(lite.found(now), Found::Path { rtp: addr(PHONE), rtcp: None });
}

#[test]
fn a_flood_without_the_names_never_keeps_the_peer_out_and_one_with_them_is_bounded() {
    let now = Instant::now();
    let mut lite = Lite::new(now, terms());
    let other = IceTerms { local: Credentials::fresh(), ..lite.terms.clone() };
    let misnamed = check(&other, "guess", true);
    for _ in 0..5_000 {
        assert!(!give(&mut lite, now, (Component::Rtp, STRANGER), &misnamed).0);
    }
    nominate(&mut lite, now, (Component::Rtp, PHONE));
    // Whoever knows even the password: that many answers in a second, from as many addresses.
    let terms = lite.terms.clone();
    let answered = (0..5_000_u16).filter(|n| {
        let from = format!("203.0.113.9:{}", 1_000 + n);
        let asks = check(&terms, &terms.local.password, false);
        !give(&mut lite, now, (Component::Rtp, &from), &asks).1.is_empty()
    });
    assert_eq!(answered.count(), 99);
    let known =
        (0..5_000_u16).filter(|n| lite.rtp.knows(SocketAddr::from(([203, 0, 113, 9], 1_000 + n))));
    assert!(known.count() <= 12, "the paths of a leg are few");
    assert_eq!(lite.found(now), Found::Path { rtp: addr(PHONE), rtcp: None });
    nominate(&mut lite, now + Duration::from_secs(1), (Component::Rtcp, PHONE));
}

#[test]
fn a_restart_keeps_the_way_until_another_is_chosen_and_old_passwords_open_nothing() {
    let now = Instant::now();
    let mut lite = Lite::new(now, terms());
    nominate(&mut lite, now, (Component::Rtp, PHONE));
    let old = lite.terms.clone();
    lite.set(now, old.clone());
    nominate(&mut lite, now, (Component::Rtp, PHONE));
    lite.set(now, terms());
    let path = |rtp: &str| Found::Path { rtp: addr(rtp), rtcp: None };
    assert_eq!(lite.found(now + PATIENCE), path(PHONE));
    let late = check(&old, &old.local.password, true);
    assert_eq!(give(&mut lite, now, (Component::Rtp, STRANGER), &late), (false, Vec::new()));
    nominate(&mut lite, now, (Component::Rtp, ELSEWHERE));
    assert_eq!(lite.found(now), path(ELSEWHERE));
}

#[test]
fn a_restart_of_a_peer_that_never_asks_is_not_waited_for_again() {
    let now = Instant::now();
    let mut lite = Lite::new(now, terms());
    lite.set(now + PATIENCE / 2, terms());
    assert_eq!(lite.found(now + PATIENCE), Found::Nothing, "it may yet ask");
    let later = now + 2 * PATIENCE;
    assert_eq!(lite.found(later), Found::Nobody);
    lite.set(later, terms());
    assert_eq!(lite.found(later), Found::Nobody, "no silence a second time");
    nominate(&mut lite, later, (Component::Rtp, PHONE));
    assert_eq!(lite.found(later), Found::Path { rtp: addr(PHONE), rtcp: None });
}

#[test]
fn a_keepalive_is_an_indication_that_tells_nothing() {
    let bytes = keepalive();
    let view = stun::parse(&bytes).unwrap();
    assert_eq!((view.class, view.username, bytes.len()), (Class::Indication, None, 28));
}

#[test]
fn a_keepalive_is_no_check_and_from_where_the_peer_is_not_it_is_a_strangers() {
    let now = Instant::now();
    let mut lite = Lite::new(now, terms());
    nominate(&mut lite, now, (Component::Rtp, PHONE));
    let asks = check(&lite.terms, &lite.terms.local.password, false);
    for (component, from, packet, expected) in [
        (Component::Rtp, PHONE, keepalive(), Asked::Keepalive),
        (Component::Rtcp, PHONE, keepalive(), Asked::Stranger),
        (Component::Rtp, STRANGER, keepalive(), Asked::Stranger),
        (Component::Rtp, PHONE, asks, Asked::Check),
    ] {
        let asked = lite.receive(now, (component, addr(from)), &packet, &mut |_, _| {});
        assert_eq!(asked, expected, "{component:?} {from}");
    }
}
