mod losses;

use super::super::Identity;
use super::*;

/// Both sides' handshakes with one another, and every datagram that was sent until it was over.
fn carry(
    now: Instant,
    client: &mut PhoneHandshake,
    server: &mut PhoneHandshake,
) -> (Vec<News>, Vec<Vec<u8>>) {
    let mut asked = Vec::new();
    let asking = client.handle_timeout(now, &mut |packet| asked.push(packet.to_vec()));
    let (mut news, all) = answer(now, client, server, asked);
    news.insert(0, asking);
    (news, all)
}

/// The same from what the client has asked already.
fn answer(
    now: Instant,
    client: &mut PhoneHandshake,
    server: &mut PhoneHandshake,
    mut to_server: Vec<Vec<u8>>,
) -> (Vec<News>, Vec<Vec<u8>>) {
    let (mut all, mut news) = (Vec::new(), Vec::new());
    while !to_server.is_empty() {
        let mut to_client = Vec::new();
        for packet in std::mem::take(&mut to_server) {
            news.push(server.receive(now, &packet, &mut |p| to_client.push(p.to_vec())));
            all.push(packet);
        }
        for packet in to_client {
            news.push(client.receive(now, &packet, &mut |p| to_server.push(p.to_vec())));
            all.push(packet);
        }
    }
    (news, all)
}

fn pair(now: Instant) -> (PhoneHandshake, PhoneHandshake) {
    let [one, two] = [Identity::fresh().unwrap(), Identity::fresh().unwrap()];
    let client = one.with_phone(now, two.fingerprint().clone(), true);
    (client, two.with_phone(now, one.fingerprint().clone(), false))
}

/// Made by OpenSSL, 2048 bits: for these tests only.
const RSA: [&[u8]; 2] = [include_bytes!("rsa-certificate.der"), include_bytes!("rsa-key.der")];

impl Identity {
    /// What such a phone has.
    pub(in crate::webrtc) fn with_an_rsa_key() -> Self {
        let [certificate, key] = RSA;
        let phones = Roles::with(certificate, key, SignatureScheme::RsaPkcs1Sha256).unwrap();
        let fingerprint = Fingerprint::of(certificate);
        Self { phones, fingerprint, ..Self::fresh().unwrap() }
    }
}

#[test]
fn a_peer_with_an_rsa_key_is_known_in_either_role() {
    let now = Instant::now();
    let ours = Identity::fresh().unwrap();
    let [certificate, key] = RSA;
    let phone = Roles::with(certificate, key, SignatureScheme::RsaPkcs1Sha256).unwrap();
    let print = Fingerprint::of(certificate);
    for active in [false, true] {
        let mut us = ours.with_phone(now, print.clone(), active);
        let mut them = PhoneHandshake::begin(now, &phone, ours.fingerprint().clone(), !active);
        let (client, server) = if active { (&mut us, &mut them) } else { (&mut them, &mut us) };
        let (news, _) = carry(now, client, server);
        let keys = news.iter().filter(|news| matches!(news, News::Keys(_))).count();
        assert_eq!(keys, 2, "{active} {news:?}");
        // Another certificate than signalling announced makes no keys.
        let mut us = ours.with_phone(now, ours.fingerprint().clone(), active);
        let mut them = PhoneHandshake::begin(now, &phone, ours.fingerprint().clone(), !active);
        let (client, server) = if active { (&mut us, &mut them) } else { (&mut them, &mut us) };
        let (news, _) = carry(now, client, server);
        assert!(news.contains(&News::Stranger), "{active} {news:?}");
    }
}

#[test]
fn what_is_no_record_of_dtls_is_passed_over() {
    let now = Instant::now();
    let (mut client, mut server) = pair(now);
    for packet in [&b"\x16\xfe\xfd"[..], &[22; 40], &[], b"\x80\x00 RTP", &[22, 254, 253, 0]] {
        assert_eq!(server.receive(now, packet, &mut |_| panic!("answered")), News::Waiting);
    }
    let (news, _) = carry(now, &mut client, &mut server);
    assert_eq!(news.iter().filter(|news| matches!(news, News::Keys(_))).count(), 2, "{news:?}");
}

/// A message whose turn never comes.
pub(in crate::webrtc) fn stray(number: u16) -> Vec<u8> {
    let [high, low] = (1000 + number).to_be_bytes();
    let record = [22, 254, 253, 0, 0, 0, 0, 0, 0, high, low, 0, 13];
    [&record[..], &[13, 0, 0, 1, high, low, 0, 0, 0, 0, 0, 1, 7]].concat()
}

#[test]
fn who_writes_without_end_is_not_listened_to_without_end() {
    let now = Instant::now();
    let (_, mut server) = pair(now);
    for number in 0..20_000 {
        server.receive(now, &stray(number), &mut |_| panic!("answered"));
    }
    assert!(server.budget < RECORD_HEADER + 13);
}

#[test]
fn what_is_past_the_budget_is_not_remembered_as_heard() {
    let now = Instant::now();
    let (mut client, mut server) = pair(now);
    let mut sent = Vec::new();
    client.handle_timeout(now, &mut |packet| sent.push(packet.to_vec()));
    let whole = std::mem::replace(&mut server.budget, sent[0].len() - 1);
    server.receive(now, &sent[0], &mut |_| panic!("answered"));
    server.budget = whole;
    let before = format!("{:?}", server.messages);
    assert_eq!(before, format!("{:?}", Some(Messages::default())));
}

#[test]
fn a_peer_that_is_found_elsewhere_is_asked_at_once_and_patiently() {
    let start = Instant::now();
    let (mut client, _) = pair(start);
    client.handle_timeout(start, &mut |_| {});
    // Not answered for a while, then somebody else speaks.
    for _ in 0..5 {
        let wake = client.wake.unwrap();
        client.handle_timeout(wake, &mut |_| {});
    }
    let later = client.wake.unwrap() - Duration::from_millis(500);
    client.moved(later);
    assert_eq!(client.wake, Some(later));
    let mut asked = 0;
    client.handle_timeout(later, &mut |_| asked += 1);
    assert!(asked > 0);
    // The same when a stranger's message was the end of it where it was.
    client.receive(later, &stray(0), &mut |_| {});
    assert!(client.stopped.is_some());
    let later = later + Duration::from_secs(1);
    client.moved(later);
    let mut asked = 0;
    assert_eq!(client.handle_timeout(later, &mut |_| asked += 1), News::Waiting);
    assert_eq!((asked, client.stopped), (1, None));
}

#[test]
fn a_strangers_messages_do_not_put_off_when_a_handshake_that_they_stopped_is_given_up() {
    let now = Instant::now();
    let (mut client, _) = pair(now);
    client.handle_timeout(now, &mut |_| {});
    for (number, seconds) in (0..20).zip(0..) {
        let later = now + Duration::from_secs(seconds);
        if client.wake.is_some_and(|wake| wake <= later) {
            let news = client.handle_timeout(later, &mut |_| {});
            assert!(matches!(news, News::Failed(_)) && later == now + STOPPED, "{news:?}");
            return;
        }
        client.receive(later, &stray(number), &mut |_| {});
    }
    panic!("it waits for ever");
}

/// A whole message without contents (ServerHelloDone) with that number.
fn done(number: u8) -> Vec<u8> {
    let record = [22, 254, 253, 0, 0, 0, 0, 0, 0, 0, number, 0, 12];
    [&record[..], &[14, 0, 0, 0, 0, number, 0, 0, 0, 0, 0, 0]].concat()
}

#[test]
fn no_alert_that_anybody_could_cause_goes_to_the_phone_whose_handshake_it_would_end() {
    let now = Instant::now();
    // OpenSSL says its first flight without a cookie before: its ServerHello was lost or comes later.
    let (mut client, _) = pair(now);
    client.handle_timeout(now, &mut |_| {});
    for piece in [done(1), stray(0)] {
        client.receive(now, &piece, &mut |packet| panic!("says {packet:?}"));
    }
    // A second ClientHello with a cookie that is not ours, and one of another version.
    for (at, news) in [(13 + 12 + 2 + 32 + 2, "cookie"), (13 + 12, "version")] {
        let (mut client, mut server) = pair(now);
        let (mut asked, mut cookie) = (Vec::new(), Vec::new());
        client.handle_timeout(now, &mut |packet| asked.push(packet.to_vec()));
        server.receive(now, &asked[0], &mut |packet| cookie.push(packet.to_vec()));
        client.receive(now, &cookie[0], &mut |packet| asked.push(packet.to_vec()));
        asked[1][at] ^= 1;
        let failed = server.receive(now, &asked[1], &mut |packet| panic!("says {packet:?}"));
        assert!(matches!(failed, News::Failed(_)), "{news} {failed:?}");
    }
}

#[test]
fn no_mutated_datagram_makes_a_handshake_panic() {
    let now = Instant::now();
    let (mut client, mut server) = pair(now);
    let (_, seeds) = carry(now, &mut client, &mut server);
    assert!(seeds.len() >= 6);
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for round in 0..1500 {
        let (mut client, mut server) = pair_of(&client, &server, now);
        let mut flights = vec![Vec::new()];
        client.handle_timeout(now, &mut |packet| flights[0].push(packet.to_vec()));
        let mut to_server = flights.remove(0);
        // The handshake goes on with some datagrams changed, so that every state sees such.
        for _ in 0..8 {
            let mut to_client = Vec::new();
            for packet in std::mem::take(&mut to_server) {
                let packet = mutated(packet, round % 3 == 0, &mut next);
                server.receive(now, &packet, &mut |p| to_client.push(p.to_vec()));
            }
            let strange = seeds[(next() % seeds.len() as u64) as usize].clone();
            server.receive(now, &mutated(strange.clone(), true, &mut next), &mut |_| {});
            client.receive(now, &mutated(strange, true, &mut next), &mut |_| {});
            for packet in to_client {
                let packet = mutated(packet, round % 3 == 1, &mut next);
                client.receive(now, &packet, &mut |p| to_server.push(p.to_vec()));
            }
        }
    }
}

fn pair_of(
    client: &PhoneHandshake,
    server: &PhoneHandshake,
    now: Instant,
) -> (PhoneHandshake, PhoneHandshake) {
    thread_local! {
        static IDS: [Identity; 2] = [Identity::fresh().unwrap(), Identity::fresh().unwrap()];
    }
    IDS.with(|[one, two]| {
        let a = one.with_phone(now, client.expected.clone(), true);
        (a, two.with_phone(now, server.expected.clone(), false))
    })
}

/// Changes bytes past the record's header, mostly: a wrong header is passed over.
fn mutated(mut packet: Vec<u8>, really: bool, next: &mut impl FnMut() -> u64) -> Vec<u8> {
    if really {
        for _ in 0..next() % 5 {
            let from =
                if next().is_multiple_of(8) { 0 } else { RECORD_HEADER.min(packet.len() - 1) };
            let at = from + (next() % (packet.len() - from) as u64) as usize;
            packet[at] = next() as u8;
        }
        if next().is_multiple_of(4) && packet.len() > RECORD_HEADER + 1 {
            let length = 1 + (next() % (packet.len() - RECORD_HEADER) as u64) as usize;
            packet.truncate(RECORD_HEADER + length);
            packet[11..13].copy_from_slice(&(length as u16).to_be_bytes());
        }
    }
    packet
}

impl PhoneHandshake {
    /// It says that it is over (close_notify).
    pub(in crate::webrtc) fn leaves(&mut self, now: Instant, send: &mut dyn FnMut(&[u8])) {
        self.endpoint.stop(now, PEER);
        self.flush(now, send);
    }

    /// The library gets what it had before, too.
    pub(in crate::webrtc) fn spare_nothing(&mut self) {
        self.messages = None;
    }
}
