//! Keys between decoded audio, and in it.

use super::*;

#[test]
fn a_key_is_passed_on_once_between_decoded_audio() {
    let mut a = Phone::new("192.0.2.1:4000", Codec::Pcmu, 20, 440.0);
    let mut b = Phone::new("192.0.2.2:5000", Codec::Opus, 20, 1000.0);
    b.bench.change(|s| {
        s.telephone_event = Some(TelephoneEvent { send_pt: 101, recv_pt: 101, clock: 48_000 });
    });
    let mut now = a.bench.now;
    talk(&mut a, &mut b, &mut now, 500);
    b.got.clear();
    for (n, (flags, duration)) in
        [(10, 160u16), (10, 320), (0x8a, 480), (0x8a, 480), (0x8a, 480)].into_iter().enumerate()
    {
        let header = Header {
            marker: n == 0,
            payload_type: 101,
            sequence: a.sequence + 1 + n as u16,
            timestamp: 777_000,
            ssrc: 99,
        };
        let wire = [&header.to_bytes()[..], &[5, flags], &duration.to_be_bytes()].concat();
        pass(&mut a, &mut b, now, &wire);
        for _ in 0..4 {
            now += ms(5);
            tick(&mut a, &mut b, now);
        }
    }
    a.sequence += 5;
    talk(&mut a, &mut b, &mut now, 200);
    let events: Vec<_> = b.got.iter().filter(|v| v.payload_type == 101).collect();
    assert_eq!(events.len(), 5);
    assert!(events.iter().all(|v| v.timestamp == events[0].timestamp), "one key, not five");
    assert_continuous(&b);
    assert_eq!(a.bench.heard().len(), 3, "it latched, and told the key, down and up");
}

#[test]
fn keys_that_we_press_are_told_apart_by_a_peer_without_events() {
    for (form, ptime) in
        [(Codec::Opus, 20), (Codec::Opus, 40), (Codec::G722, 60), (Codec::Pcma, 30)]
    {
        for tone in [50, 100, 250] {
            let mut a = Phone::new("192.0.2.1:4000", Codec::Pcmu, 20, 440.0);
            let mut b = Phone::new("192.0.2.2:5000", form, ptime, 1000.0);
            b.bench.change(|s| s.telephone_event = None);
            let digits = Digit::parse_all("55#").unwrap();
            b.bench.leg.send_digits(b.bench.now, &digits, ms(tone), ms(60));
            let mut now = b.bench.now;
            let until = now + ms(3 * (tone + 60) + 200);
            while now < until {
                now += ms(5);
                tick(&mut a, &mut b, now);
                while b.ear.due(now) {
                    b.ear.pull(now, &mut b.heard);
                }
            }
            let mut heard = String::new();
            Detector::default().feed(&b.heard, |event| {
                if let ToneEvent::Pressed(digit, _) = event {
                    heard.push(digit.as_char());
                }
            });
            assert_eq!(heard, "55#", "{form} {ptime} ms, tones of {tone} ms");
            assert_continuous(&b);
        }
    }
}

#[test]
fn tones_of_a_wideband_peer_without_events_are_told_and_not_recorded() {
    for form in [Codec::G722, Codec::Opus] {
        let mut a = Phone::new("192.0.2.1:4000", form, 20, 440.0);
        let mut b = Phone::new("192.0.2.2:5000", Codec::Pcmu, 20, 1000.0);
        a.bench.change(|s| s.telephone_event = None);
        let mut now = a.bench.now;
        let tape = Tape::default();
        let terminators = DigitSet::of("#");
        let to = Box::new(tape.clone());
        a.bench.leg.record(now, Recording { id: 5, to, max: None, silence: None, terminators });
        talk(&mut a, &mut b, &mut now, 1000);
        a.key = Digit::from_char('#');
        talk(&mut a, &mut b, &mut now, 100);
        a.key = None;
        talk(&mut a, &mut b, &mut now, 500);
        let digits = a.bench.heard().into_iter().filter(|kind| {
            matches!(kind, PortEventKind::Digit { .. } | PortEventKind::RecordEnded { .. })
        });
        assert_eq!(digits.count(), 2, "{form}");
        let samples = tape.0.lock().unwrap();
        let tone = |part: &[i16]| {
            let loud = part.iter().any(|s| s.unsigned_abs() > 400);
            loud && share(part, 941.0) + share(part, 1477.0) > 0.5
        };
        let pieces = samples.chunks_exact(80).enumerate();
        let tones: Vec<usize> = pieces.filter(|(_, part)| tone(part)).map(|(n, _)| n).collect();
        assert_eq!(tones, [0; 0], "{form}: of {}", samples.len() / 80);
        let said = samples.chunks_exact(80).filter(|part| share(part, 440.0) > 0.7).count();
        assert!(said >= 94, "{form}: {said} of 100");
    }
}
