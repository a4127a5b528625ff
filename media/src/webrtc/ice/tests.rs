use super::super::stun;
use super::*;

fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n], 4_000))
}

/// A browser's request.
fn request(agent: &Agent, theirs: &Credentials, with: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new(Class::Request, rand::random());
    writer.username(&format!("{}:{}", agent.local.ufrag, theirs.ufrag));
    writer.side(Side::Controlling(7));
    writer.priority(100);
    with(&mut writer);
    writer.finish(&agent.local.password).unwrap()
}

fn give(agent: &mut Agent, now: Instant, from: SocketAddr, bytes: &[u8]) -> bool {
    agent.receive(now, from, &stun::parse(bytes).unwrap())
}

fn answer(agent: &mut Agent) -> (SocketAddr, Vec<u8>) {
    let Transmit { to, bytes } = agent.poll_transmit().expect("an answer");
    (to, bytes)
}

fn lite(now: Instant) -> (Agent, Credentials) {
    let theirs = Credentials::fresh();
    let mut agent = Agent::new(now, Credentials::fresh());
    let remote = Remote { credentials: theirs.clone(), lite: false, candidates: vec![address(9)] };
    agent.set_remote(now, &remote, true);
    (agent, theirs)
}

#[test]
fn the_lite_side_answers_who_knows_the_password_and_nobody_else() {
    let now = Instant::now();
    let (mut agent, theirs) = lite(now);
    let good = request(&agent, &theirs, |_| {});
    assert!(give(&mut agent, now, address(1), &good));
    let (to, bytes) = answer(&mut agent);
    let view = stun::parse(&bytes).unwrap();
    assert_eq!((to, view.class), (address(1), Class::Success));
    assert!(view.is_by(&agent.local.password) && agent.knows(address(1)));
    assert_eq!(agent.selected(), None, "not before it is nominated");
    let mut forged = Writer::new(Class::Request, [1; 12]);
    forged.username(&format!("{}:{}", agent.local.ufrag, theirs.ufrag));
    let forged = forged.finish("wrong").unwrap();
    let mut unsigned = Writer::new(Class::Request, [1; 12]);
    unsigned.username("x:y");
    let unsigned = unsigned.finish(&agent.local.password).unwrap();
    for bytes in [forged, unsigned] {
        assert!(!give(&mut agent, now, address(2), &bytes));
        assert!(agent.poll_transmit().is_none(), "there is nothing to amplify");
        assert!(!agent.knows(address(2)));
    }
}

#[test]
fn the_lite_side_never_begins() {
    let now = Instant::now();
    let (mut agent, _) = lite(now);
    for tick in 0..100 {
        agent.handle_timeout(now + PACE * tick);
        assert!(agent.poll_transmit().is_none());
    }
}

#[test]
fn the_nominated_path_with_the_peers_highest_priority_is_taken_and_a_silent_one_left() {
    let now = Instant::now();
    let (mut agent, theirs) = lite(now);
    let nominate = |priority: u32| {
        move |writer: &mut Writer| {
            writer.nominate();
            writer.priority(priority);
        }
    };
    for (n, priority, chosen) in [(1, 50, 1), (2, 200, 2), (3, 100, 2)] {
        let bytes = request(&agent, &theirs, nominate(priority));
        give(&mut agent, now, address(n), &bytes);
        assert_eq!(agent.selected(), Some(address(chosen)));
    }
    let later = now + STALE;
    let bytes = request(&agent, &theirs, nominate(50));
    give(&mut agent, later, address(1), &bytes);
    assert_eq!(agent.selected(), Some(address(1)), "the other two are silent");
}

#[test]
fn a_nomination_that_was_heard_on_the_way_moves_nothing_from_elsewhere_however_silent_the_peer() {
    let now = Instant::now();
    let (mut agent, theirs) = lite(now);
    let chosen = request(&agent, &theirs, Writer::nominate);
    assert!(give(&mut agent, now, address(1), &chosen));
    assert!(give(&mut agent, now, address(1), &chosen), "repeated, as its answer was lost");
    let later = now + STALE;
    assert!(!give(&mut agent, later, address(2), &chosen));
    assert!(!agent.knows(address(2)) && agent.selected() == Some(address(1)));
}

#[test]
fn a_way_whose_media_is_heard_does_not_give_way_to_another_that_was_chosen_before() {
    let now = Instant::now();
    let (mut agent, theirs) = lite(now);
    let nominate = |agent: &mut Agent, now, n| {
        let bytes = request(agent, &theirs, Writer::nominate);
        give(agent, now, address(n), &bytes);
    };
    nominate(&mut agent, now, 1);
    agent.hears(now + STALE, address(1));
    nominate(&mut agent, now + STALE, 2);
    assert_eq!(agent.selected(), Some(address(1)), "of the same priority, and in use");
    nominate(&mut agent, now + 2 * STALE, 2);
    assert_eq!(agent.selected(), Some(address(2)));
}

#[test]
fn consent_ends_when_the_peer_asks_no_more() {
    let now = Instant::now();
    let (mut agent, theirs) = lite(now);
    let bytes = request(&agent, &theirs, Writer::nominate);
    give(&mut agent, now, address(1), &bytes);
    assert!(!agent.lost(now + CONSENT_HOLDS / 2));
    let again = request(&agent, &theirs, |_| {});
    give(&mut agent, now + CONSENT_HOLDS / 2, address(1), &again);
    assert!(!agent.lost(now + CONSENT_HOLDS));
    assert!(agent.lost(now + CONSENT_HOLDS / 2 + CONSENT_HOLDS));
}

#[test]
fn a_peer_that_takes_our_side_is_told_so() {
    let now = Instant::now();
    let (mut agent, theirs) = lite(now);
    let mut writer = Writer::new(Class::Request, [3; 12]);
    writer.username(&format!("{}:{}", agent.local.ufrag, theirs.ufrag));
    writer.side(Side::Controlled(1));
    let bytes = writer.finish(&agent.local.password).unwrap();
    give(&mut agent, now, address(1), &bytes);
    assert_eq!(stun::parse(&answer(&mut agent).1).unwrap().error, Some(487));
}

#[test]
fn paths_are_bounded_and_the_selected_one_stays() {
    let now = Instant::now();
    let (mut agent, theirs) = lite(now);
    let bytes = request(&agent, &theirs, Writer::nominate);
    give(&mut agent, now, address(1), &bytes);
    for n in 2..200 {
        let bytes = request(&agent, &theirs, |_| {});
        give(&mut agent, now + Duration::from_millis(n.into()), address(n), &bytes);
        while agent.poll_transmit().is_some() {}
    }
    assert!(agent.paths.len() <= MAX_PATHS);
    assert_eq!(agent.selected(), Some(address(1)));
    assert!(agent.knows(address(1)));
}

#[test]
fn after_a_restart_only_the_new_password_counts_and_the_old_path_serves_meanwhile() {
    let now = Instant::now();
    let (mut agent, theirs) = lite(now);
    let old = request(&agent, &theirs, Writer::nominate);
    give(&mut agent, now, address(1), &old);
    let mut fresh = Agent::restarted(now, Credentials::fresh(), &agent);
    let remote = Remote { credentials: Credentials::fresh(), lite: false, candidates: Vec::new() };
    assert!(agent.is_restart(&remote));
    fresh.set_remote(now, &remote, true);
    assert_eq!(fresh.selected(), Some(address(1)));
    assert!(!give(&mut fresh, now, address(1), &old));
    let new = request(&fresh, &remote.credentials, Writer::nominate);
    assert!(give(&mut fresh, now, address(2), &new));
    assert_eq!(fresh.selected(), Some(address(2)));
}

/// Two agents on one virtual network; `reaches` says which packets arrive.
fn connect(
    full: &mut Agent,
    other: &mut Agent,
    (ours, theirs): (SocketAddr, SocketAddr),
    reaches: impl Fn(SocketAddr) -> bool,
) {
    let start = Instant::now();
    for tick in 0..100 {
        let now = start + PACE * tick;
        full.handle_timeout(now);
        other.handle_timeout(now);
        while let Some(Transmit { to, bytes }) = full.poll_transmit() {
            if reaches(to) {
                give(other, now, ours, &bytes);
            }
        }
        while let Some(Transmit { bytes, .. }) = other.poll_transmit() {
            give(full, now, theirs, &bytes);
        }
    }
}

#[test]
fn the_full_side_finds_the_one_candidate_that_answers_and_nominates_it() {
    let now = Instant::now();
    let mut full = Agent::new(now, Credentials::fresh());
    let mut other = Agent::new(now, Credentials::fresh());
    let of = |agent: &Agent, lite, candidates| Remote {
        credentials: agent.local().clone(),
        lite,
        candidates,
    };
    let candidates = vec![address(7), address(8), address(9)];
    let (to_full, to_other) = (of(&other, true, candidates), of(&full, false, vec![address(1)]));
    full.set_remote(now, &to_full, false);
    other.set_remote(now, &to_other, true);
    connect(&mut full, &mut other, (address(1), address(9)), |to| to == address(9));
    assert_eq!(full.selected(), Some(address(9)));
    assert_eq!(other.selected(), Some(address(1)));
    assert!(!full.lost(now + Duration::from_secs(20)));
}

#[test]
fn two_full_sides_that_both_want_to_control_agree() {
    let now = Instant::now();
    let mut one = Agent::new(now, Credentials::fresh());
    let mut two = Agent::new(now, Credentials::fresh());
    for (agent, other, at) in [(0, 1, 2), (1, 0, 1)] {
        let credentials = [&one, &two][other].local().clone();
        let remote = Remote { credentials, lite: true, candidates: vec![address(at)] };
        [&mut one, &mut two][agent].set_remote(now, &remote, false);
    }
    connect(&mut one, &mut two, (address(1), address(2)), |_| true);
    assert_eq!((one.selected(), two.selected()), (Some(address(2)), Some(address(1))));
}

#[test]
fn candidates_are_read_and_what_cannot_be_asked_is_not() {
    let read = |text| read_candidate(text).map(|(_, address)| address.to_string());
    let host = "842163049 1 udp 1677729535 203.0.113.7 61234 typ srflx raddr 0.0.0.0 rport 0";
    assert_eq!(read(host).as_deref(), Some("203.0.113.7:61234"));
    assert_eq!(read("1 1 UDP 1 2001:db8::1 9 typ host").as_deref(), Some("[2001:db8::1]:9"));
    for bad in [
        "1 1 tcp 1 192.0.2.1 9 typ host tcptype active",
        "1 2 udp 1 192.0.2.1 9 typ host",
        "1 1 udp 1 4f7b.local 9 typ host",
        "1 1 udp 1 0.0.0.0 9 typ host",
        "1 1 udp 1 224.0.0.1 9 typ host",
        "1 1 udp 1 192.0.2.1 0 typ host",
        "1 1 udp",
    ] {
        assert_eq!(read(bad), None, "{bad}");
    }
}
