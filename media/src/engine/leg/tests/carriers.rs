//! Keys that a phone tells of by INFO besides: each acts once and is passed on once, whichever way is
//! first.

use super::inband::voice_and_key;
use super::*;

const FIVE: u8 = 5;

fn five() -> Digit {
    Digit::from_char('5').unwrap()
}

/// The packets of a key of 100 ms that goes down at this timestamp, its three ends too.
fn pressed(sequence: u16, timestamp: u32) -> Vec<Vec<u8>> {
    let packet = |n: u16| {
        let (marker, payload_type) = (n == 0, 101);
        let sequence = sequence + n;
        let header = Header { marker, payload_type, sequence, timestamp, ssrc: 77 };
        let [d0, d1] = (160 * (n + 1).min(5)).to_be_bytes();
        [&header.to_bytes()[..], &[FIVE, if n < 4 { 10 } else { 0x8a }, d0, d1]].concat()
    };
    (0..7).map(packet).collect()
}

/// Something long.
fn playback(id: u64, stop_on: &str) -> Playback {
    let clip = Arc::new(Clip::from_samples(vec![1000; 80_000]));
    Playback { stop_on: DigitSet::of(stop_on), ..Playback::of(id, vec![clip]) }
}

#[test]
fn a_key_that_came_by_info_does_nothing_more_when_it_comes_as_an_event_two_seconds_later() {
    let (mut a, mut b) = ends();
    a.leg.play(a.now, playback(1, "5"));
    a.made(ms(100));
    assert!(a.leg.informed(a.now, five(), false), "the far leg is to get it");
    assert!(a.heard().iter().any(|kind| matches!(kind, PortEventKind::PlayEnded { id: 1, .. })));
    a.leg.play(a.now, playback(2, "5"));
    a.made(ms(1_900));
    for wire in pressed(1, 5000) {
        assert_eq!(a.through(&mut b, &wire), None, "it was passed on");
    }
    let ended = |kind: &PortEventKind| matches!(kind, PortEventKind::PlayEnded { .. });
    assert!(!a.heard().iter().any(ended));
    // Pressed anew it is another one, and the far leg counts no packet as lost.
    let passed = a.through(&mut b, &pressed(8, 9000)[0]);
    assert!(passed.is_some() && a.heard().iter().any(ended));
}

#[test]
fn two_presses_of_one_key_act_twice_in_every_order_of_events_and_info() {
    // Presses 300 ms apart; each way is early or late, by up to 200 ms.
    for (first, second) in [(0, 40), (40, 0), (0, 200), (200, 0)] {
        for (event_first, again) in [(first, second), (second, first)] {
            let (mut a, mut b) = ends();
            let mut list = playback(1, "");
            list.controls = vec![(five(), Control::Seek(1_000))];
            a.leg.play(a.now, list);
            let (mut passed, mut at) = (Vec::new(), Vec::new());
            for (n, (event, info)) in [(event_first, again), (first, second)].iter().enumerate() {
                let n = n as u64;
                at.extend([(n * 300 + event, Some(n)), (n * 300 + info, None)]);
            }
            at.sort_by_key(|(at, _)| *at);
            let began = a.now;
            for (at, what) in at {
                a.now = began + ms(at);
                match what {
                    Some(n) => {
                        let wires = pressed(1 + 7 * n as u16, 5000 + 2400 * n as u32);
                        let through = wires.iter().filter(|w| a.through(&mut b, w).is_some());
                        passed.push(through.count());
                    }
                    // It goes about in what plays: nobody else is to have it.
                    None => assert!(!a.leg.informed(a.now, five(), false)),
                }
            }
            a.leg.end_play(PlayEnd::Stopped);
            let moved = a.heard().iter().find_map(|kind| match kind {
                PortEventKind::PlayEnded { position, .. } => Some(position.as_secs()),
                _ => None,
            });
            assert_eq!(moved, Some(2), "{event_first} {again} {first} {second}");
            // An event that comes first goes on, all seven packets; one behind its INFO does not.
            let first_seven = |(event, info): (u64, u64)| if event < info { 7 } else { 0 };
            let events = [(event_first, again), (first, second)].map(first_seven);
            assert_eq!(passed, events, "{event_first} {again} {first} {second}");
        }
    }
}

#[test]
fn a_tone_that_came_by_info_before_is_no_second_key_and_most_of_it_is_not_heard() {
    for events in [true, false] {
        let mut a = Bench::new("192.0.2.1:4000", |s| s.telephone_event = None);
        let mut b = Bench::new("192.0.2.2:5000", |s| {
            s.telephone_event = s.telephone_event.filter(|_| events);
        });
        assert!(a.leg.informed(a.now, five(), false));
        a.leg.play(a.now, playback(1, "5"));
        let mut heard = Vec::new();
        for wire in voice_and_key('5') {
            let through = a.through(&mut b, &wire);
            assert_eq!(a.leg.take_key(), None, "the far leg has it by now");
            heard.extend(through.into_iter().flat_map(|(_, payload)| payload));
            a.now += ms(20);
        }
        let told = a.heard();
        let ended = |kind: &PortEventKind| matches!(kind, PortEventKind::PlayEnded { .. });
        assert!(!told.iter().any(ended), "{told:?}");
        let heard: Vec<i16> = heard.iter().map(|&byte| crate::g711::Law::Mu.decode(byte)).collect();
        crate::dtmf::Detector::default().feed(&heard, |event| panic!("{event:?}"));
        assert!(heard.len() > 6000, "the voice is there: {}", heard.len());
    }
}

#[test]
fn a_key_by_info_ends_a_recording_by_its_terminator_and_the_event_ends_no_other() {
    struct Nothing;
    impl crate::engine::api::SampleSink for Nothing {
        fn push(&mut self, _: &[i16]) {}
    }
    let recording = |id| Recording {
        id,
        to: Box::new(Nothing),
        max: None,
        silence: None,
        terminators: DigitSet::of("5"),
    };
    let (mut a, _) = ends();
    a.leg.record(a.now, recording(1));
    a.leg.informed(a.now, five(), false);
    a.leg.record(a.now, recording(2));
    for wire in pressed(1, 5000) {
        a.receive(&wire);
    }
    let ended = a.heard().into_iter().filter_map(|kind| match kind {
        PortEventKind::RecordEnded { id, by, .. } => Some((id, by)),
        _ => None,
    });
    let ended: Vec<_> = ended.collect();
    assert_eq!(ended, [(1, crate::engine::api::RecordEnd::Terminator(five()))]);
}

#[test]
fn the_tone_beside_an_event_that_came_by_info_before_is_not_relayed_to_who_hears_tones() {
    for events in [true, false] {
        let (mut a, _) = ends();
        let mut b = Bench::new("192.0.2.2:5000", |s| {
            s.telephone_event = s.telephone_event.filter(|_| events);
        });
        let tones = voice_and_key('5');
        assert!(a.leg.informed(a.now, five(), false));
        let mut heard = Vec::new();
        for (n, wire) in tones.iter().enumerate() {
            // The key begins in the 25th packet, and its event with it.
            if n == 25 {
                let timestamp = u32::from_be_bytes(wire[4..8].try_into().unwrap());
                for event in pressed(200, timestamp) {
                    assert_eq!(a.through(&mut b, &event), None, "the far leg has it by now");
                }
            }
            let through = a.through(&mut b, wire);
            heard.extend(through.into_iter().flat_map(|(_, payload)| payload));
            a.now += ms(20);
        }
        let heard: Vec<i16> = heard.iter().map(|&byte| crate::g711::Law::Mu.decode(byte)).collect();
        let mut keys = 0;
        crate::dtmf::Detector::default().feed(&heard, |event| {
            keys += u32::from(matches!(event, crate::dtmf::Heard::Pressed(..)));
        });
        // Who knows events counts no tones, and misses nothing of the voice.
        assert_eq!(keys, u32::from(events));
        assert!(heard.len() > 6000, "the voice is there: {}", heard.len());
    }
}

#[test]
fn a_late_packet_of_a_key_that_was_withheld_is_withheld_when_the_next_key_is_down() {
    let (mut a, mut b) = ends();
    assert!(a.leg.informed(a.now, five(), false));
    let talk = Header { marker: false, payload_type: 0, sequence: 0, timestamp: 4840, ssrc: 77 };
    let talk = [&talk.to_bytes()[..], &[0xff; 160]].concat();
    assert!(a.through(&mut b, &talk).is_some());
    let known = pressed(1, 5000);
    let mut through = 0;
    for wire in &known[..6] {
        through += usize::from(a.through(&mut b, wire).is_some());
    }
    let mut next = pressed(8, 9000);
    next.iter_mut().for_each(|wire| wire[12] = FIVE + 1);
    assert!(a.through(&mut b, &next[0]).is_some(), "another key goes on");
    through += usize::from(a.through(&mut b, &known[6]).is_some());
    assert_eq!(through, 0, "packets of the first one");
    assert!(a.through(&mut b, &next[1]).is_some());
}

#[test]
fn the_owner_hears_what_became_of_a_key_that_what_plays_was_to_take() {
    let (mut a, _) = ends();
    let mut list = playback(1, "");
    list.controls = vec![(five(), Control::Seek(1_000))];
    a.leg.play(a.now, list);
    let told = |a: &mut Bench| -> Vec<PortEventKind> {
        let ours = |kind: &PortEventKind| {
            use PortEventKind::*;
            matches!(kind, Digit { .. } | KeyTaken { .. } | KeyLeft { .. })
        };
        a.heard().into_iter().filter(ours).collect()
    };
    a.leg.informed(a.now, five(), true);
    assert_eq!(told(&mut a), [], "it was taken");
    a.now += ms(3_000);
    // Held for longer than the two ways may be apart, and told of when it goes up.
    let wires = pressed(1, 5000);
    a.receive(&wires[0]);
    a.now += ms(3_000);
    a.receive(&wires[6]);
    assert_eq!(told(&mut a), [PortEventKind::KeyTaken { digit: five() }]);
    a.leg.informed(a.now, five(), true);
    assert_eq!(told(&mut a), [], "it is the same press");
    a.now += ms(3_000);
    a.leg.end_play(PlayEnd::Stopped);
    a.leg.informed(a.now, five(), true);
    assert_eq!(told(&mut a), [PortEventKind::KeyLeft { digit: five() }]);
    a.now += ms(3_000);
    a.leg.informed(a.now, five(), false);
    assert_eq!(told(&mut a), [], "nobody asked");
}
