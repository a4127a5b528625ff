//! Packets that are lost on the way, and flights that are said again.

use super::*;

#[test]
fn a_server_whose_flight_comes_whole_only_after_seven_seconds_is_still_heard() {
    let now = Instant::now();
    let ours = Identity::fresh().unwrap();
    let phone = Identity::with_an_rsa_key();
    let mut client = ours.with_phone(now, phone.fingerprint().clone(), true);
    let mut server = phone.with_phone(now, ours.fingerprint().clone(), false);
    let (mut to_server, mut flight) = (Vec::new(), Vec::new());
    client.handle_timeout(now, &mut |packet| to_server.push(packet.to_vec()));
    for _ in 0..2 {
        let mut to_client = Vec::new();
        for packet in std::mem::take(&mut to_server) {
            server.receive(now, &packet, &mut |p| to_client.push(p.to_vec()));
        }
        flight = to_client;
        // Of the flight its first datagram alone.
        client.receive(now, &flight[0], &mut |p| to_server.push(p.to_vec()));
    }
    assert!(flight.len() > 1 && to_server.is_empty());
    // What it says again after one second and after three is lost.
    for seconds in 1..7 {
        let later = now + Duration::from_secs(seconds);
        if client.wake.is_some_and(|wake| wake <= later) {
            assert_eq!(client.handle_timeout(later, &mut |_| {}), News::Waiting, "{seconds}");
        }
    }
    let later = now + Duration::from_secs(7);
    let mut again = Vec::new();
    server.handle_timeout(later, &mut |packet| again.push(packet.to_vec()));
    for packet in again {
        client.receive(later, &packet, &mut |packet| to_server.push(packet.to_vec()));
    }
    let (news, _) = answer(later, &mut client, &mut server, to_server);
    assert_eq!(news.iter().filter(|news| matches!(news, News::Keys(_))).count(), 2, "{news:?}");
}

#[test]
fn a_lost_datagram_is_sent_again() {
    let mut now = Instant::now();
    let (mut client, mut server) = pair(now);
    client.handle_timeout(now, &mut |_| {});
    let (mut keys, mut to_server, mut to_client) = (0, Vec::new(), Vec::new());
    for step in 0..40 {
        now += std::time::Duration::from_millis(500);
        for (side, out) in [(&mut client, &mut to_server), (&mut server, &mut to_client)] {
            if side.wake.is_some_and(|wake| wake <= now) {
                side.handle_timeout(now, &mut |packet| out.push(packet.to_vec()));
            }
        }
        for (number, packet) in std::mem::take(&mut to_server).into_iter().enumerate() {
            // Every third datagram to the server never comes.
            if (step + number) % 3 != 0 {
                let news = server.receive(now, &packet, &mut |p| to_client.push(p.to_vec()));
                keys += usize::from(matches!(news, News::Keys(_)));
            }
        }
        for packet in std::mem::take(&mut to_client) {
            let news = client.receive(now, &packet, &mut |p| to_server.push(p.to_vec()));
            keys += usize::from(matches!(news, News::Keys(_)));
        }
    }
    assert_eq!(keys, 2);
}

/// The messages of a datagram that can be read, each cut in pieces of so many bytes at most, a record for
/// each; and what cannot be read.
fn cut(mut packet: &[u8], most: usize, number: &mut u8) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let (mut pieces, mut others) = (Vec::new(), Vec::new());
    while packet.len() > RECORD_HEADER {
        let length = usize::from(u16::from_be_bytes([packet[11], packet[12]]));
        let (record, after) = packet.split_at(RECORD_HEADER + length);
        packet = after;
        if record[0] != 22 || record[3..5] != [0, 0] {
            others.push(record.to_vec());
            continue;
        }
        let (header, body) = record[RECORD_HEADER..].split_at(12);
        for (n, piece) in body.chunks(most).enumerate() {
            *number += 1;
            let [offset, count] = [n * most, piece.len()].map(|n| (n as u32).to_be_bytes());
            let wire = [&header[..6], &offset[1..], &count[1..], piece].concat();
            let record = [22, 254, 253, 0, 0, 0, 0, 0, 0, 0, *number, 0, wire.len() as u8];
            pieces.push([&record[..], &wire].concat());
        }
        if body.is_empty() {
            *number += 1;
            pieces.push([&record[..10], &[*number], &record[11..]].concat());
        }
    }
    (pieces, others)
}

#[test]
fn a_flight_that_lost_a_piece_and_is_said_again_in_other_pieces_is_whole_then() {
    let now = Instant::now();
    let (ours, phone) = (Identity::fresh().unwrap(), Identity::with_an_rsa_key());
    for (active, first, again) in [(true, 200, 230), (false, 200, 230), (true, 230, 200)] {
        let mut us = ours.with_phone(now, phone.fingerprint().clone(), active);
        let mut them = phone.with_phone(now, ours.fingerprint().clone(), !active);
        let (mut to_us, mut to_them, mut keys, mut number) = (Vec::new(), Vec::new(), 0, 8);
        us.handle_timeout(now, &mut |packet| to_them.push(packet.to_vec()));
        them.handle_timeout(now, &mut |packet| to_us.push(packet.to_vec()));
        while !(to_us.is_empty() && to_them.is_empty()) {
            for packet in std::mem::take(&mut to_us) {
                // A flight with the certificate loses its second piece, and is said again.
                let mut wire = vec![packet.clone()];
                if packet.len() > 600 {
                    let (mut lossy, _) = cut(&packet, first, &mut number);
                    let at = lossy.iter().position(|piece| piece[19..22] != [0; 3]).unwrap();
                    lossy.remove(at);
                    let (whole, others) = cut(&packet, again, &mut number);
                    wire = [lossy, whole, others].concat();
                }
                for packet in wire {
                    let news = us.receive(now, &packet, &mut |p| to_them.push(p.to_vec()));
                    keys += usize::from(matches!(news, News::Keys(_)));
                }
            }
            for packet in std::mem::take(&mut to_them) {
                let news = them.receive(now, &packet, &mut |p| to_us.push(p.to_vec()));
                keys += usize::from(matches!(news, News::Keys(_)));
            }
        }
        assert!(keys == 2 && number > 12, "{active} {first} {again}: {keys} {number}");
    }
}

#[test]
fn a_flight_of_ours_that_was_lost_is_sent_again_though_the_peer_says_its_own_in_other_pieces() {
    let now = Instant::now();
    let (ours, phone) = (Identity::fresh().unwrap(), Identity::with_an_rsa_key());
    let mut us = ours.with_phone(now, phone.fingerprint().clone(), true);
    let mut them = phone.with_phone(now, ours.fingerprint().clone(), false);
    let (mut to_them, mut to_us, mut number) = (Vec::new(), Vec::new(), 8);
    us.handle_timeout(now, &mut |packet| to_them.push(packet.to_vec()));
    for _ in 0..2 {
        for packet in std::mem::take(&mut to_them) {
            them.receive(now, &packet, &mut |p| to_us.push(p.to_vec()));
        }
        let flight = std::mem::take(&mut to_us);
        for most in [200, 230, 90] {
            for packet in &flight {
                let (pieces, _) = cut(packet, most, &mut number);
                for piece in pieces {
                    us.receive(now, &piece, &mut |p| to_them.push(p.to_vec()));
                }
            }
        }
    }
    assert!(!to_them.is_empty());
    to_them.clear();
    let later = us.wake.expect("it is said again");
    us.handle_timeout(later, &mut |packet| to_them.push(packet.to_vec()));
    let (news, _) = answer(later, &mut us, &mut them, to_them);
    assert_eq!(news.iter().filter(|news| matches!(news, News::Keys(_))).count(), 2, "{news:?}");
}
