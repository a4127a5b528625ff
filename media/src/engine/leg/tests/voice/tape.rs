//! Conversations on tape, and the last words of a recording.

use super::*;
use crate::engine::api::{RecordEnd, TapeSink};

/// Keeps what comes, and when.
#[derive(Clone, Default)]
struct Track(Arc<std::sync::Mutex<Vec<Heard>>>);

type Heard = (Instant, Vec<i16>);

impl TapeSink for Track {
    fn push(&mut self, at: Instant, samples: &[i16]) {
        self.0.lock().unwrap().push((at, samples.to_vec()));
    }
}

impl Track {
    fn samples(&self) -> Vec<i16> {
        self.0.lock().unwrap().iter().flat_map(|(_, samples)| samples.clone()).collect()
    }

    /// Every piece begins where the one before ended.
    fn assert_without_a_gap(&self) {
        let pieces = self.0.lock().unwrap();
        for pair in pieces.windows(2) {
            let length = Duration::from_micros(pair[0].1.len() as u64 * 125);
            assert_eq!(pair[1].0, pair[0].0 + length);
        }
    }
}

const PEERS: [&str; 2] = ["192.0.2.1:4000", "192.0.2.2:5000"];

#[test]
fn both_sides_of_a_call_are_taped_and_hear_each_other_as_before() {
    for (one, two) in [
        (Codec::Pcmu, Codec::Pcmu),
        (Codec::G722, Codec::G722),
        (Codec::Opus, Codec::Opus),
        (Codec::Pcma, Codec::Opus),
        (Codec::G722, Codec::Pcmu),
    ] {
        let mut a = Phone::new(PEERS[0], one, 20, 440.0);
        let mut b = Phone::new(PEERS[1], two, 20, 1000.0);
        let mut now = a.bench.now;
        let (left, right) = (Track::default(), Track::default());
        a.bench.leg.add_tape(1, Box::new(left.clone()));
        b.bench.leg.add_tape(1, Box::new(right.clone()));
        talk(&mut a, &mut b, &mut now, 2000);
        assert_hears(&a, 1000.0);
        assert_hears(&b, 440.0);
        assert_continuous(&a);
        for (track, hertz) in [(&left, 440.0), (&right, 1000.0)] {
            track.assert_without_a_gap();
            let samples = track.samples();
            assert!(samples.len() >= 15_000, "{one} {two}: {}", samples.len());
            assert!(share(&samples[3000..14_000], hertz) > 0.9, "{one} {two} {hertz}");
        }
        a.bench.leg.end_tape(now, 1);
        talk(&mut a, &mut b, &mut now, 300);
        assert_eq!(Arc::strong_count(&left.0), 1, "let go of");
        assert_eq!(Arc::strong_count(&right.0), 2);
        assert_hears(&b, 440.0);
    }
}

#[test]
fn a_tape_changes_no_byte_of_what_is_passed_on() {
    for form in [Codec::Opus, Codec::G722, Codec::Pcmu] {
        let mut a = Phone::new(PEERS[0], form, 20, 440.0);
        let mut b = Phone::new(PEERS[1], form, 20, 1000.0);
        let track = Track::default();
        a.bench.leg.add_tape(1, Box::new(track.clone()));
        let mut now = a.bench.now;
        for _ in 0..50 {
            now += ms(10);
            for wire in a.say(now) {
                let far = b.bench.leg.speaks();
                a.bench.now = now;
                let mut media = a.bench.receive(&wire).unwrap();
                assert!(a.bench.leg.route(now, &mut media, far, &a.bench.buffer));
                let at = b.bench.leg.relay(now, &media, &mut a.bench.buffer).unwrap();
                assert_eq!(a.bench.buffer[at][12..], wire[12..]);
            }
            tick(&mut a, &mut b, now);
        }
        assert!(track.samples().len() >= 3000);
        assert!(b.got.is_empty(), "nothing but what was passed on");
    }
}

#[test]
fn a_side_that_falls_silent_stays_on_tape_as_silence() {
    let mut a = Phone::new(PEERS[0], Codec::G722, 20, 440.0);
    let mut b = Phone::new(PEERS[1], Codec::G722, 20, 1000.0);
    let track = Track::default();
    a.bench.leg.add_tape(1, Box::new(track.clone()));
    let mut now = a.bench.now;
    talk(&mut a, &mut b, &mut now, 1000);
    for _ in 0..100 {
        now += ms(10);
        tick(&mut a, &mut b, now);
    }
    track.assert_without_a_gap();
    let samples = track.samples();
    assert!(samples.len() >= 15_000, "{}", samples.len());
    assert!(samples[samples.len() - 4000..].iter().all(|s| s.unsigned_abs() < 50));
}

#[test]
fn a_recording_has_the_last_words_whatever_else_listens() {
    for (form, far, taped) in [
        (Codec::G722, Codec::Pcmu, false),
        (Codec::Opus, Codec::Pcmu, false),
        (Codec::Opus, Codec::G722, true),
        (Codec::G722, Codec::G722, true),
        (Codec::G722, Codec::G722, false),
    ] {
        let mut a = Phone::new(PEERS[0], form, 20, 440.0);
        let mut b = Phone::new(PEERS[1], far, 20, 1000.0);
        let mut now = a.bench.now;
        let tape = Tape::default();
        let recording = Recording {
            id: 5,
            to: Box::new(tape.clone()),
            max: None,
            silence: None,
            terminators: DigitSet::NONE,
        };
        a.bench.leg.record(now, recording);
        if taped {
            a.bench.leg.add_tape(1, Box::new(Track::default()));
        }
        talk(&mut a, &mut b, &mut now, 1000);
        a.hertz = 1600.0;
        talk(&mut a, &mut b, &mut now, 100);
        a.bench.leg.end_record(now, RecordEnd::Stopped);
        a.hertz = 2700.0;
        talk(&mut a, &mut b, &mut now, 300);
        let told = std::iter::from_fn(|| a.bench.events.try_recv().ok()).any(|event| {
            matches!(event.kind, PortEventKind::RecordEnded { id: 5, by: RecordEnd::Stopped, .. })
        });
        assert!(told, "{form}");
        let samples = tape.0.lock().unwrap();
        let said = samples.chunks_exact(80).filter(|piece| share(piece, 1600.0) > 0.7).count();
        assert!(said >= 8, "{form} {far}: {said} of 10 pieces, {}", samples.len());
        let later = samples.chunks_exact(80).filter(|piece| share(piece, 2700.0) > 0.7).count();
        assert!(later <= 2, "{form} {far}: {later} pieces of what came after");
    }
}

#[test]
fn the_end_of_a_leg_gives_recording_and_tape_what_the_ear_still_holds() {
    let mut a = Phone::new(PEERS[0], Codec::Opus, 20, 440.0);
    let mut b = Phone::new(PEERS[1], Codec::Pcmu, 20, 1000.0);
    let mut now = a.bench.now;
    let track = Track::default();
    a.bench.leg.add_tape(1, Box::new(track.clone()));
    talk(&mut a, &mut b, &mut now, 1000);
    let before = track.samples().len();
    a.bench.leg.hear_last(now);
    let after = track.samples().len();
    assert!(after >= before + 160, "{before} {after}");
    track.assert_without_a_gap();
}
