//! Keys heard and sent, and what plays meanwhile.

use super::*;
use crate::g711::Law;

#[test]
fn a_key_is_told_once_when_released() {
    let (mut a, _) = ends();
    for n in 1..4 {
        a.receive(&key(101, n, 7, false));
    }
    for n in 4..7 {
        a.receive(&key(101, n, 7, true));
    }
    let digit = Digit::from_char('7').unwrap();
    let told = PortEventKind::Digit { digit, duration: ms(100) };
    let first = PortEventKind::FirstPacket { from: a.peer };
    assert_eq!(a.heard(), [first, PortEventKind::KeyDown { digit }, told]);
    assert!(!a.leg.wants_ticks());
}

#[test]
fn a_key_stops_a_prompt_at_the_press() {
    let (mut a, _) = ends();
    let clip = Arc::new(Clip::from_samples(vec![1000; 80_000]));
    let playback = Playback { stop_on: DigitSet::of("1"), ..Playback::of(5, vec![clip]) };
    a.leg.play(a.now, playback);
    let made = a.made(ms(200));
    assert_eq!(made.len(), 10);
    assert!(made[0].0.marker && !made[1].0.marker);
    assert_eq!(made[9].0.timestamp, made[0].0.timestamp.wrapping_add(9 * 160));
    a.receive(&key(101, 1, 2, true));
    assert_eq!(a.made(ms(100)).len(), 5, "2 does not stop it");
    a.receive(&packet(0, 300, &[0xff; 160]));
    a.leg.keys = EventReceiver::default();
    a.receive(&key(101, 301, 1, false));
    assert!(a.made(ms(100)).is_empty());
    let digit = Digit::from_char('1').unwrap();
    let position = ms(300);
    let ended = PortEventKind::PlayEnded { id: 5, by: PlayEnd::Digit(digit), position };
    assert!(a.heard().contains(&ended));
}

#[test]
fn a_key_stops_a_prompt_within_two_packets_in_every_codec() {
    for codec in Codec::ALL {
        let mut a = Bench::new("192.0.2.1:4000", |stream| {
            (stream.codec, stream.send_pt) = (codec, codec.payload_type());
        });
        let clip = Arc::new(Clip::from_samples(vec![1000; 80_000]));
        let playback = Playback { stop_on: DigitSet::of("1"), ..Playback::of(5, vec![clip]) };
        a.leg.play(a.now, playback);
        let before = a.made(ms(190)).len();
        assert!((9..=10).contains(&before), "{codec}: {before} packets");
        a.receive(&key(101, 1, 1, false));
        let after = a.made(ms(200)).len();
        assert!(after <= 2, "{codec}: {after} packets after the key");
    }
}

#[test]
fn a_key_that_controls_a_prompt_is_told_to_nobody_else() {
    let (mut a, _) = ends();
    let clip = Arc::new(Clip::from_samples((0..16_000).collect()));
    let five = Digit::from_char('5').unwrap();
    let playback = Playback {
        stop_on: DigitSet::ALL,
        controls: vec![(five, Control::PauseOrResume)],
        ..Playback::of(5, vec![clip])
    };
    a.leg.play(a.now, playback);
    a.made(ms(100));
    a.receive(&key(101, 1, 5, false));
    let paused = a.made(ms(100));
    let quiet =
        |made: &[(RtpView, Vec<u8>)]| made.iter().all(|(_, p)| p.iter().all(|&b| b == 0xff));
    assert!(paused.len() == 5 && quiet(&paused));
    a.receive(&key(101, 2, 5, true));
    let first = PortEventKind::FirstPacket { from: a.peer };
    let told = [PortEventKind::KeyDown { digit: five }, PortEventKind::KeyTaken { digit: five }];
    assert_eq!(a.heard(), [&[first][..], &told].concat());
    // Another key does what it did.
    a.leg.keys = EventReceiver::default();
    a.receive(&key(101, 300, 1, true));
    let one = Digit::from_char('1').unwrap();
    let ended = |e: &PortEventKind| matches!(e, PortEventKind::PlayEnded { by: PlayEnd::Digit(d), position, .. } if *d == one && *position == ms(100));
    let told = |e: &PortEventKind| matches!(e, PortEventKind::Digit { digit, .. } if *digit == one);
    let heard = a.heard();
    assert!(heard.iter().any(ended) && heard.iter().any(told), "{heard:?}");
}

#[test]
fn a_prompt_takes_the_place_of_the_relay_and_gives_it_back() {
    let (mut a, mut b) = ends();
    let relayed = a.through(&mut b, &packet(0, 1, &[1; 160])).unwrap().0;
    let clip = Arc::new(Clip::from_samples(vec![1000; 480]));
    let list = Playback::of(6, vec![clip]);
    b.leg.play(b.now, list);
    assert_eq!(a.through(&mut b, &packet(0, 2, &[1; 160])), None);
    let made = b.made(ms(100));
    let numbers: Vec<_> =
        made.iter().map(|(v, _)| v.sequence.wrapping_sub(relayed.sequence)).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert!(made.iter().all(|(v, _)| v.ssrc == relayed.ssrc));
    assert_eq!(b.heard(), [PortEventKind::PlayEnded { id: 6, by: PlayEnd::End, position: ms(60) }]);
    a.now = b.now;
    let again = a.through(&mut b, &packet(0, 8, &[1; 160])).unwrap().0;
    assert_eq!(again.sequence, relayed.sequence + 4);
    assert!(again.timestamp.wrapping_sub(made[2].0.timestamp) < 800);
}

#[test]
fn digits_are_sent_with_the_peers_payload_type_and_told_when_done() {
    let mut a = Bench::new("192.0.2.1:4000", |s| {
        s.telephone_event = Some(TelephoneEvent { send_pt: 96, recv_pt: 101, clock: 8000 });
    });
    a.leg.send_digits(a.now, &Digit::parse_all("42").unwrap(), ms(100), ms(60));
    let made = a.made(ms(400));
    assert_eq!(made.len(), 14);
    assert!(made.iter().all(|(v, _)| v.payload_type == 96));
    assert_eq!((made[0].1[0], made[7].1[0]), (4, 2));
    assert_eq!(made[7].0.timestamp.wrapping_sub(made[0].0.timestamp), 1280);
    assert_eq!(a.heard(), [PortEventKind::DigitsSent]);
    assert!(!a.leg.wants_ticks());
}

#[test]
fn a_key_that_we_press_is_not_pressed_again_by_what_the_far_leg_says_of_it() {
    for wide in [false, true] {
        let (mut a, mut b) = ends();
        if wide {
            b.change(|s| (s.codec, s.send_pt, s.recv_pt) = (Codec::G722, 9, 9));
        }
        let at = |a: &mut Bench, b: &mut Bench, n: u16, code| {
            let passed = a.through(b, &key(101, n, code, false));
            a.now += ms(20);
            passed.is_some()
        };
        let seven = Digit::from_char('7').unwrap();
        b.leg.send_digits(b.now, &[seven], ms(60), ms(60));
        let mut pressed = 0;
        for n in 0..20 {
            assert!(!at(&mut a, &mut b, n, 7), "packet {n}");
            pressed += b.made(ms(20)).iter().filter(|(view, _)| view.payload_type == 101).count();
        }
        assert_eq!(pressed, 5);
        // Another key is another one, and so is the same one pressed anew.
        assert!(at(&mut a, &mut b, 21, 8));
    }
}

#[test]
fn a_peer_without_telephone_events_hears_the_key_as_a_tone() {
    let mut a = Bench::new("192.0.2.1:4000", |_| {});
    let mut b = Bench::new("192.0.2.2:5000", |s| {
        (s.codec, s.send_pt, s.recv_pt) = (Codec::Pcma, 8, 8);
        s.telephone_event = None;
    });
    let (before, _) = a.through(&mut b, &packet(0, 30, &[0xff; 160])).unwrap();
    let mut heard = Vec::new();
    let mut stamps = Vec::new();
    let mut numbers = 1..;
    for n in 1..=10u16 {
        let header = Header {
            marker: n == 1,
            payload_type: 101,
            sequence: if n > 8 { 38 + n } else { 29 + 2 * n },
            timestamp: 5000,
            ssrc: 77,
        };
        let [d0, d1] = (n.min(8) * 160).to_be_bytes();
        let flags = if n >= 8 { 0x8a } else { 10 };
        let event = [&header.to_bytes()[..], &[5, flags, d0, d1]].concat();
        let Some((view, payload)) = a.through(&mut b, &event) else {
            assert!(n > 8, "only the repeated ends make nothing");
            continue;
        };
        assert_eq!((view.payload_type, payload.len()), (8, 160));
        assert_eq!(Some(view.sequence.wrapping_sub(before.sequence)), numbers.next());
        stamps.push(view.timestamp.wrapping_sub(before.timestamp));
        heard.extend(payload.iter().map(|&byte| Law::A.decode(byte)));
        // What the phone sends beside its events is not mixed in.
        let mut beside = packet(0, 30 + 2 * n, &[0x00; 160]);
        beside[4..8].copy_from_slice(&(5000 + u32::from(n - 1) * 160).to_be_bytes());
        assert!(a.through(&mut b, &beside).is_none());
    }
    let expected: Vec<u32> = (0..8).map(|n| 5000 - 30 * 160 + n * 160).collect();
    assert_eq!(stamps, expected);
    for hertz in [770.0, 1336.0] {
        let level = crate::resample::tests::level_of(&heard, hertz);
        assert!((level + 12.0).abs() < 1.0, "{hertz} Hz: {level} dB");
    }
    assert!(matches!(a.heard().last(), Some(PortEventKind::Digit { .. })), "and it is seen");
    let (after, _) = a.through(&mut b, &packet(0, 49, &[0xff; 160])).unwrap();
    assert_eq!(Some(after.sequence.wrapping_sub(before.sequence)), numbers.next());
}

#[test]
fn a_key_in_the_payload_type_of_the_peers_own_list_is_heard() {
    let mut a = Bench::new("192.0.2.1:4000", |s| {
        (s.codec, s.send_pt, s.recv_pt) = (Codec::Pcma, 97, 8);
        s.telephone_event = Some(TelephoneEvent { send_pt: 96, recv_pt: 101, clock: 8000 });
    });
    let mut b = Bench::new("192.0.2.2:5000", |_| {});
    for (sequence, (payload_type, out)) in (1..).zip([(97, 0), (8, 0), (96, 101), (101, 101)]) {
        let payload = if out == 0 { &[0xd5; 160][..] } else { &[1, 10, 0, 160] };
        let (view, sent) = a.through(&mut b, &packet(payload_type, sequence, payload)).unwrap();
        assert_eq!(view.payload_type, out, "{payload_type}");
        assert_eq!(sent[0], if out == 0 { 0xfe } else { 1 });
    }
}

#[test]
fn digits_are_sent_as_tones_to_a_peer_without_telephone_events() {
    let mut a = Bench::new("192.0.2.1:4000", |s| s.telephone_event = None);
    a.leg.send_digits(a.now, &Digit::parse_all("42").unwrap(), ms(100), ms(60));
    let made = a.made(ms(400));
    assert_eq!(made.len(), 16, "without a gap until the last is over");
    assert!(made.iter().all(|(v, payload)| v.payload_type == 0 && payload.len() == 160));
    for (n, (view, _)) in (0..).zip(&made) {
        assert_eq!(view.sequence, made[0].0.sequence.wrapping_add(n));
        let since = view.timestamp.wrapping_sub(made[0].0.timestamp);
        assert_eq!(since, u32::from(n) * 160);
    }
    for (digit, hertz) in [(0, [770.0, 1209.0]), (8, [697.0, 1336.0])] {
        let bytes = made[digit..digit + 5].iter().flat_map(|(_, payload)| payload);
        let heard: Vec<i16> = bytes.map(|&byte| Law::Mu.decode(byte)).collect();
        for hertz in hertz {
            let level = crate::resample::tests::level_of(&heard, hertz);
            assert!((level + 12.0).abs() < 1.5, "{hertz} Hz: {level} dB");
        }
        assert!(made[digit + 5].1.iter().all(|&byte| Law::Mu.decode(byte) == 0), "silence");
    }
    assert_eq!(a.heard(), [PortEventKind::DigitsSent]);
}
