//! Nothing is lost when something changes: keys, senders, codecs, far legs.

use super::*;
use crate::engine::api::RecordEnd;

const PEERS: [&str; 2] = ["192.0.2.1:4000", "192.0.2.2:5000"];

fn pair(one: Codec, two: Codec) -> (Phone, Phone) {
    (Phone::new(PEERS[0], one, 20, 440.0), Phone::new(PEERS[1], two, 20, 1000.0))
}

/// Records a phone; a `#` ends it.
fn record(phone: &mut Phone, now: Instant) -> Tape {
    let tape = Tape::default();
    let to = Box::new(tape.clone());
    let terminators = DigitSet::of("#");
    phone.bench.leg.record(now, Recording { id: 5, to, max: None, silence: None, terminators });
    tape
}

/// What a phone sends when a key goes down (and up, when so many ms have passed).
fn key_now(phone: &mut Phone, code: u8, held: Option<u16>) -> Vec<u8> {
    phone.sequence += 1;
    let header = Header {
        marker: held.is_none(),
        payload_type: 101,
        sequence: phone.sequence,
        timestamp: phone.said as u32 * (phone.codec.clock_rate() / 8000),
        ssrc: 99,
    };
    let flags = if held.is_some() { 0x8a } else { 10 };
    let duration = (held.unwrap_or(20) * 8).to_be_bytes();
    [&header.to_bytes()[..], &[code, flags], &duration].concat()
}

/// Pieces of 10 ms that are loud.
fn loud(samples: &[i16]) -> usize {
    samples.chunks(80).filter(|piece| piece.iter().any(|s| s.unsigned_abs() > 3000)).count()
}

/// The longest stretch without the tone, in ms.
fn hole(samples: &[i16]) -> usize {
    let quiet = |piece: &[i16]| piece.iter().all(|s| s.unsigned_abs() < 1500);
    let longest = samples.chunk_by(|a, b| (a.unsigned_abs() < 1500) == (b.unsigned_abs() < 1500));
    longest.filter(|run| quiet(run)).map(|run| run.len() / 8).max().unwrap_or(0)
}

#[test]
fn what_was_said_before_a_key_is_recorded_whatever_the_codec() {
    for form in Codec::ALL {
        let (mut a, mut b) = pair(form, Codec::Pcmu);
        b.bench.leg.stream = None;
        let mut now = a.bench.now;
        let tape = record(&mut a, now);
        talk(&mut a, &mut b, &mut now, 1000);
        a.bench.now = now;
        let wire = key_now(&mut a, 11, None);
        a.bench.receive(&wire);
        tick(&mut a, &mut b, now);
        let tape = tape.0.lock().unwrap();
        assert!(a.bench.leg.recorder.is_none(), "{form}: it ended");
        // One second, of which the last packet may not be whole.
        assert!(loud(&tape) >= 96, "{form}: {} of 100 pieces", loud(&tape));
        let end = &tape[tape.len() - 400..];
        assert!(loud(end) == 5, "{form}: up to the key");
    }
}

#[test]
fn a_key_that_ends_nothing_is_silence_on_tape_and_nothing_else_is() {
    for form in Codec::ALL {
        let (mut a, mut b) = pair(form, Codec::Pcmu);
        b.bench.leg.stream = None;
        let mut now = a.bench.now;
        let tape = record(&mut a, now);
        talk(&mut a, &mut b, &mut now, 1000);
        a.bench.now = now;
        let down = key_now(&mut a, 1, None);
        let at = a.said;
        a.bench.receive(&down);
        talk(&mut a, &mut b, &mut now, 200);
        let mut up = key_now(&mut a, 1, Some(200));
        up[4..8].copy_from_slice(&down[4..8]);
        a.bench.receive(&up);
        talk(&mut a, &mut b, &mut now, 1000);
        a.bench.leg.end_record(now, RecordEnd::Stopped);
        let tape = tape.0.lock().unwrap();
        let silent = hole(&tape[2000..]);
        assert!((170..=215).contains(&silent), "{form}: {silent} ms after {at}");
        assert!(loud(&tape) >= 195, "{form}: {}", loud(&tape));
    }
}

#[test]
fn a_recording_has_every_word_when_the_sender_or_the_codec_changes() {
    for (before, after) in [
        (Codec::G722, Codec::G722),
        (Codec::Opus, Codec::Opus),
        (Codec::G722, Codec::Pcmu),
        (Codec::Pcmu, Codec::Opus),
        (Codec::Opus, Codec::G722),
    ] {
        let (mut a, mut b) = pair(before, Codec::Pcmu);
        b.bench.leg.stream = None;
        let mut now = a.bench.now;
        let tape = record(&mut a, now);
        talk(&mut a, &mut b, &mut now, 1000);
        a.ssrc = 1234;
        a.mouth = Mouth::new(after, OpusWishes::default(), 20);
        a.codec = after;
        a.bench.now = now;
        a.bench.change(codec(after, 20));
        talk(&mut a, &mut b, &mut now, 1000);
        a.bench.leg.end_record(now, RecordEnd::Stopped);
        let tape = tape.0.lock().unwrap();
        assert!(loud(&tape) >= 196, "{before} {after}: {} of 200 pieces", loud(&tape));
    }
}

#[test]
fn a_recording_has_no_hole_when_its_leg_is_bridged() {
    let (mut a, mut b) = pair(Codec::Opus, Codec::G722);
    let mut now = a.bench.now;
    let to_b = std::mem::take(&mut b.bench.leg.stream);
    let tape = record(&mut a, now);
    talk(&mut a, &mut b, &mut now, 1000);
    b.bench.leg.stream = to_b;
    a.bench.leg.reconsider();
    b.bench.leg.reconsider();
    talk(&mut a, &mut b, &mut now, 1000);
    a.bench.leg.hear_last(now);
    let tape = tape.0.lock().unwrap();
    assert!(loud(&tape) >= 197 && hole(&tape[2000..]) < 15, "{} {}", loud(&tape), hole(&tape));
}

#[test]
fn a_change_of_codec_makes_no_hole_and_keeps_numbers_and_time() {
    let (mut a, mut b) = pair(Codec::G722, Codec::Opus);
    let mut now = a.bench.now;
    talk(&mut a, &mut b, &mut now, 1000);
    for form in [Codec::Pcmu, Codec::G722, Codec::Opus, Codec::Pcma] {
        let (heard_a, heard_b, got) = (a.heard.len(), b.heard.len(), b.got.len());
        b.mouth = Mouth::new(form, OpusWishes::default(), 20);
        // Its timestamps begin anew.
        b.ssrc += 1;
        b.codec = form;
        b.bench.now = now;
        b.bench.change(codec(form, 20));
        a.bench.leg.reconsider();
        b.bench.leg.reconsider();
        talk(&mut a, &mut b, &mut now, 1000);
        // What the two at the ends make of it, with their own waiting.
        let (at_a, at_b) = (hole(&a.heard[heard_a..]), hole(&b.heard[heard_b..]));
        assert!(at_a <= 45 && at_b <= 45, "{form}: {at_a} and {at_b} ms of nothing");
        assert!(b.got[got..].iter().all(|v| v.payload_type == form.payload_type()));
        for pair in b.got[got - 1..].windows(2) {
            assert_eq!(pair[0].ssrc, pair[1].ssrc);
            assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
            let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
            assert!((1..=60 * 48).contains(&step), "{form}: {step}");
        }
    }
}

#[test]
fn what_need_not_be_decoded_any_more_is_relayed_again_and_nothing_is_lost() {
    let (mut a, mut b) = pair(Codec::G722, Codec::G722);
    let mut now = a.bench.now;
    talk(&mut a, &mut b, &mut now, 500);
    assert!(a.bench.leg.ear.is_none());
    // One packet of another codec.
    let mut stray = packet(0, a.sequence + 1, &[0xff; 160]);
    stray[4..12].copy_from_slice(&[&(a.said as u32).to_be_bytes()[..], &[0, 0, 0, 99]].concat());
    a.sequence += 1;
    a.said += 160;
    pass(&mut a, &mut b, now, &stray);
    talk(&mut a, &mut b, &mut now, 3000);
    assert!(a.bench.leg.ear.is_some(), "nobody paused");
    let heard = b.heard.len();
    talk(&mut a, &mut b, &mut now, 18_000);
    assert!(a.bench.leg.ear.is_none());
    talk(&mut a, &mut b, &mut now, 500);
    assert!(hole(&b.heard[heard..]) <= 15, "{}", hole(&b.heard[heard..]));
    assert_continuous(&b);
}
