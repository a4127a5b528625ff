//! Keys of a peer that knows no telephone events.

use super::*;
use crate::dtmf::Keypad;
use crate::engine::api::{RecordEnd, Recording, SampleSink};
use crate::g711::Law;

#[derive(Clone, Default)]
struct Tape(Arc<std::sync::Mutex<Vec<i16>>>);

impl SampleSink for Tape {
    fn push(&mut self, samples: &[i16]) {
        self.0.lock().unwrap().extend_from_slice(samples);
    }
}

/// Packets of half a second of voice, a key of 100 ms that begins somewhere in a packet, and voice.
pub(super) fn voice_and_key(key: char) -> Vec<Vec<u8>> {
    let voice = |n: usize| ((n as f64 * 0.2).sin() * 6000.0) as i16;
    let mut samples: Vec<i16> = (0..4077).map(voice).collect();
    let mut keypad = Keypad::default();
    let mut now = Instant::now();
    keypad.queue(now, &[Digit::from_char(key).unwrap()], ms(100), ms(60));
    while let Some(piece) = keypad.poll(now) {
        samples.extend(piece);
        now += ms(20);
    }
    samples.extend((0..4000).map(voice));
    let packets = samples.chunks_exact(160).map(|frame| frame.iter().map(|&s| Law::Mu.encode(s)));
    (1..).zip(packets).map(|(n, payload)| packet(0, n, &payload.collect::<Vec<u8>>())).collect()
}

fn without_events() -> Bench {
    Bench::new("192.0.2.1:4000", |s| s.telephone_event = None)
}

fn is_digit(kind: &PortEventKind) -> bool {
    matches!(kind, PortEventKind::Digit { .. })
}

#[test]
fn a_tone_is_told_once_and_stops_a_prompt() {
    let mut a = without_events();
    let clip = Arc::new(Clip::from_samples(vec![1000; 80_000]));
    let mut playback = Playback::of(5, vec![clip]);
    playback.stop_on = DigitSet::ALL;
    a.leg.play(a.now, playback);
    for wire in voice_and_key('7') {
        a.receive(&wire);
        a.now += ms(20);
    }
    let heard = a.heard();
    assert_eq!(heard.iter().filter(|kind| is_digit(kind)).count(), 1, "{heard:?}");
    let seven = Digit::from_char('7').unwrap();
    assert!(heard.iter().any(|kind| matches!(kind,
        PortEventKind::PlayEnded { id: 5, by: PlayEnd::Digit(digit), .. } if *digit == seven)));
    assert!(heard.iter().any(|kind| matches!(kind,
        PortEventKind::Digit { digit, duration } if *digit == seven
            && duration.abs_diff(ms(100)) < ms(20))));
}

#[test]
fn a_tone_whose_end_is_not_heard_has_ended_when_the_peer_speaks_again() {
    // Lost packets, or a pause of a peer that sends nothing then: 100 ms and 400 ms.
    for gap in [30..35, 30..50] {
        let mut a = without_events();
        for (n, wire) in voice_and_key('7').iter().enumerate() {
            if !gap.contains(&n) {
                a.receive(wire);
            }
            a.now += ms(20);
        }
        let heard = a.heard();
        assert_eq!(heard.iter().filter(|kind| is_digit(kind)).count(), 1, "{gap:?} {heard:?}");
    }
}

#[test]
fn tones_beside_agreed_events_are_not_counted_again() {
    let (mut a, _) = ends();
    for wire in voice_and_key('7') {
        a.receive(&wire);
    }
    assert!(!a.heard().iter().any(is_digit));
}

#[test]
fn a_recording_has_the_words_before_a_tone_and_none_of_the_tone() {
    for terminators in [DigitSet::of("#"), DigitSet::NONE] {
        let mut a = without_events();
        let tape = Tape::default();
        let to = Box::new(tape.clone());
        a.leg.record(a.now, Recording { id: 1, to, max: None, silence: None, terminators });
        for wire in voice_and_key('#') {
            a.receive(&wire);
            a.now += ms(20);
            a.leg.handle_timeout(a.now);
        }
        a.leg.end_record(a.now, RecordEnd::Stopped);
        let by = a.heard().into_iter().find_map(|kind| match kind {
            PortEventKind::RecordEnded { by, .. } => Some(by),
            _ => None,
        });
        let ended = !terminators.is_empty();
        assert_eq!(matches!(by, Some(RecordEnd::Terminator(_))), ended, "{by:?}");
        let samples = tape.0.lock().unwrap();
        let loud: Vec<usize> = (0..samples.len()).filter(|&n| samples[n] != 0).collect();
        // The voice has its last 20 ms at most taken away, and 20 ms at its beginning again.
        let gap =
            loud.windows(2).find(|pair| pair[1] > pair[0] + 100).map(|pair| (pair[0], pair[1]));
        match gap {
            None => {
                assert!(ended);
                let last = loud[loud.len() - 1];
                assert!((3917..4077).contains(&last), "{last}");
            }
            Some((last, next)) => {
                assert!(!ended && (3917..4077).contains(&last), "{last}");
                assert!((4870..5600).contains(&next), "{next}");
            }
        }
    }
}

#[test]
fn a_tone_goes_on_as_an_event_and_so_little_of_it_as_audio_that_nobody_takes_it_for_a_key() {
    let mut a = without_events();
    let mut b = Bench::new("192.0.2.2:5000", |_| {});
    let (mut audio, mut events) = (Vec::new(), Vec::new());
    for wire in voice_and_key('5') {
        let passed = a.through(&mut b, &wire);
        if let Some(key) = a.leg.take_key() {
            assert!(b.leg.take_over(b.now, key));
        }
        (a.now, b.now) = (a.now + ms(20), b.now + ms(15));
        for (view, payload) in passed.into_iter().chain(b.made(ms(5))) {
            match view.payload_type {
                101 => events.push((view, payload)),
                _ => audio.extend(payload.iter().map(|&byte| Law::Mu.decode(byte))),
            }
        }
    }
    assert_eq!(events.len(), 7, "five, and the end twice more");
    assert!(
        events
            .iter()
            .all(|(view, payload)| { payload[0] == 5 && view.timestamp == events[0].0.timestamp })
    );
    crate::dtmf::Detector::default().feed(&audio, |event| panic!("{event:?}"));
    assert!(audio.len() > 6000, "the voice is there: {}", audio.len());
}

#[test]
fn a_tone_stays_a_tone_for_a_far_leg_without_events() {
    let mut a = without_events();
    let mut b = Bench::new("192.0.2.2:5000", |s| s.telephone_event = None);
    for wire in voice_and_key('5') {
        let (_, payload) = a.through(&mut b, &wire).unwrap();
        assert_eq!(payload, wire[12..]);
        assert!(a.leg.take_key().is_none_or(|key| !b.leg.take_over(b.now, key)));
    }
}
