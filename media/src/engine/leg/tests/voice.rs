//! Legs with different codecs and packet lengths, carried as the worker does it.

mod change;
mod focus;
mod keys;
mod tape;

use super::*;
use crate::codec::OpusWishes;
use crate::dtmf::{Detector, Heard as ToneEvent};
use crate::voice::{Ear, Heard, MAX_PAYLOAD, Mouth, Rate};

fn codec(codec: Codec, ptime_ms: u16) -> impl FnOnce(&mut StreamConfig) {
    move |s| {
        (s.codec, s.ptime_ms) = (codec, ptime_ms);
        (s.send_pt, s.recv_pt) = (codec.payload_type(), codec.payload_type());
    }
}

/// A phone at one end: what it says is a tone, what it hears is kept.
struct Phone {
    bench: Bench,
    mouth: Mouth,
    ear: Ear,
    codec: Codec,
    hertz: f64,
    /// What it says is noise instead.
    noise: bool,
    /// A key that is held: its tone is said.
    key: Option<Digit>,
    said: usize,
    sequence: u16,
    ssrc: u32,
    /// Packets it got, and what it heard of them.
    got: Vec<RtpView>,
    heard: Vec<i16>,
}

impl Phone {
    fn new(peer: &str, form: Codec, ptime_ms: u16, hertz: f64) -> Self {
        let bench = Bench::new(peer, codec(form, ptime_ms));
        let now = bench.now;
        Self {
            bench,
            mouth: Mouth::new(form, OpusWishes::default(), ptime_ms),
            ear: Ear::new(now, Rate::Narrow),
            codec: form,
            hertz,
            noise: false,
            key: None,
            said: 0,
            sequence: 7,
            ssrc: 99,
            got: Vec::new(),
            heard: Vec::new(),
        }
    }

    fn take(&mut self, now: Instant, wire: &[u8]) {
        let view = rtp::parse(wire).unwrap();
        if view.payload_type == self.codec.payload_type() {
            let payload = &wire[view.payload.clone()];
            let (ssrc, timestamp, codec) = (view.ssrc, view.timestamp, Some(self.codec));
            self.ear.push(now, Heard { ssrc, timestamp, codec, payload });
        }
        self.got.push(view);
    }

    /// The packets of the next 10 ms.
    fn say(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let step = std::f64::consts::TAU * self.hertz / 8000.0;
        let mut samples: Vec<i16> = (self.said..self.said + 80)
            .map(|n| ((step * n as f64).sin() * 8000.0) as i16)
            .collect();
        if self.noise {
            let mut seed = (self.said as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            samples.iter_mut().for_each(|sample| {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                *sample = ((seed >> 48) as i16) / 64;
            });
        }
        if let Some(key) = self.key {
            crate::dtmf::sound(key, self.said as u32, 8000, &mut samples);
        }
        self.said += 80;
        self.mouth.feed(now, &samples, Rate::Narrow);
        let (mut made, mut payload) = (Vec::new(), [0; MAX_PAYLOAD]);
        while let Some(spoken) = self.mouth.poll(&mut payload) {
            self.sequence += 1;
            let header = Header {
                marker: false,
                payload_type: self.codec.payload_type(),
                sequence: self.sequence,
                timestamp: spoken.timestamp,
                ssrc: self.ssrc,
            };
            made.push([&header.to_bytes()[..], &payload[..spoken.length]].concat());
        }
        made
    }
}

/// Gives one packet from `a` to `b`, as `Worker::pass` does.
fn pass(a: &mut Phone, b: &mut Phone, now: Instant, wire: &[u8]) {
    let far = b.bench.leg.speaks();
    a.bench.now = now;
    let Some(mut media) = a.bench.receive(wire) else { return };
    if !a.bench.leg.route(now, &mut media, far, &a.bench.buffer) {
        return;
    }
    if let Some(at) = b.bench.leg.relay(now, &media, &mut a.bench.buffer) {
        let wire = a.bench.buffer[at].to_vec();
        b.take(now, &wire);
    }
}

/// What the legs do on their own at a moment, as `Worker::tick` does.
fn tick(a: &mut Phone, b: &mut Phone, now: Instant) {
    let mut piece = Piece::default();
    while let Some(forward) =
        a.bench.leg.hear(now, b.bench.leg.speaks().map(Speaks::events), &mut piece)
    {
        if forward {
            b.bench.leg.say(now, &piece);
        }
    }
    b.bench.leg.handle_timeout(now);
    while let Some(at) = b.bench.leg.poll(now, &mut b.bench.buffer) {
        let wire = b.bench.buffer[at].to_vec();
        b.take(now, &wire);
    }
}

/// Lets both talk for so many ms.
fn talk(a: &mut Phone, b: &mut Phone, from: &mut Instant, ms_: u64) {
    for step in 0..ms_ / 5 {
        *from += ms(5);
        let now = *from;
        if step % 2 == 0 {
            for wire in a.say(now) {
                pass(a, b, now, &wire);
            }
            for wire in b.say(now) {
                pass(b, a, now, &wire);
            }
        }
        tick(a, b, now);
        tick(b, a, now);
        for phone in [&mut *a, &mut *b] {
            while phone.ear.due(now) {
                phone.ear.pull(now, &mut phone.heard);
            }
        }
    }
}

/// Share of the energy that is the tone.
fn share(samples: &[i16], hertz: f64) -> f64 {
    let step = std::f64::consts::TAU * hertz / 8000.0;
    let (mut re, mut im, mut all) = (0.0, 0.0, 1.0);
    for (n, &sample) in samples.iter().enumerate() {
        let (sin, cos) = (step * n as f64).sin_cos();
        (re, im) = (re + f64::from(sample) * cos, im + f64::from(sample) * sin);
        all += f64::from(sample).powi(2);
    }
    2.0 * (re * re + im * im) / samples.len() as f64 / all
}

fn assert_hears(phone: &Phone, hertz: f64) {
    let end = &phone.heard[phone.heard.len() - 4000..];
    let worst = end.chunks(800).map(|part| share(part, hertz)).fold(1.0, f64::min);
    assert!(worst > 0.9, "{} hears {hertz} Hz with {worst:.2}", phone.codec);
}

/// One source, and no jump that time does not explain.
fn assert_continuous(phone: &Phone) {
    for pair in phone.got.windows(2) {
        let [last, next] = pair else { continue };
        assert_eq!(last.ssrc, next.ssrc);
        assert_eq!(next.sequence, last.sequence.wrapping_add(1));
        let step = next.timestamp.wrapping_sub(last.timestamp);
        assert!(step < phone.codec.clock_rate() / 2, "{step} {last:?} {next:?}");
    }
}

#[test]
fn every_pair_of_codecs_and_packet_lengths_understands_each_other() {
    for (one, two) in [
        ((Codec::Pcmu, 20), (Codec::G722, 20)),
        ((Codec::Pcma, 20), (Codec::Opus, 20)),
        ((Codec::G722, 20), (Codec::Opus, 60)),
        ((Codec::Pcmu, 30), (Codec::Pcmu, 20)),
        ((Codec::Pcmu, 10), (Codec::Pcma, 60)),
        ((Codec::G722, 20), (Codec::G722, 40)),
        ((Codec::Opus, 20), (Codec::Opus, 20)),
    ] {
        let mut a = Phone::new("192.0.2.1:4000", one.0, one.1, 440.0);
        let mut b = Phone::new("192.0.2.2:5000", two.0, two.1, 1000.0);
        let mut now = a.bench.now;
        talk(&mut a, &mut b, &mut now, 2500);
        assert_hears(&a, 1000.0);
        assert_hears(&b, 440.0);
        assert_continuous(&a);
        assert_continuous(&b);
        let ticks = two.0.clock_rate() / 1000 * u32::from(two.1);
        let [.., last, next] = &b.got[..] else { panic!() };
        assert_eq!(next.timestamp.wrapping_sub(last.timestamp), ticks, "packets of {} ms", two.1);
    }
}

#[test]
fn the_same_codec_and_length_is_passed_on_byte_by_byte() {
    for form in [Codec::Opus, Codec::G722, Codec::Pcmu] {
        let mut a = Phone::new("192.0.2.1:4000", form, 20, 440.0);
        let mut b = Phone::new("192.0.2.2:5000", form, 20, 1000.0);
        let mut now = a.bench.now;
        let mut said = Vec::new();
        for _ in 0..50 {
            now += ms(10);
            for wire in a.say(now) {
                said.push(wire[12..].to_vec());
                let far = b.bench.leg.speaks();
                let mut media = a.bench.receive(&wire).unwrap();
                assert!(a.bench.leg.route(now, &mut media, far, &a.bench.buffer));
                let at = b.bench.leg.relay(now, &media, &mut a.bench.buffer).unwrap();
                assert_eq!(a.bench.buffer[at][12..], said[said.len() - 1][..]);
            }
        }
        assert!(said.len() >= 24 && !a.bench.leg.wants_ticks());
    }
}

#[test]
fn opus_of_another_length_is_passed_on_as_long_as_the_far_leg_takes_it() {
    for (said, takes, passes) in [(20, 120, true), (60, 120, true), (60, 40, false), (40, 40, true)]
    {
        let mut a = Phone::new("192.0.2.1:4000", Codec::Opus, 20, 440.0);
        let mut b = Phone::new("192.0.2.2:5000", Codec::Opus, 20, 1000.0);
        b.bench.change(|s| (s.ptime_ms, s.maxptime_ms) = (40, takes));
        a.mouth = Mouth::new(Codec::Opus, OpusWishes::default(), said);
        let mut now = a.bench.now;
        let mut wires = Vec::new();
        for _ in 0..60 {
            now += ms(10);
            for wire in a.say(now) {
                pass(&mut a, &mut b, now, &wire);
                wires.push(wire);
            }
            tick(&mut a, &mut b, now);
        }
        let all = b.got.len() == wires.len() && a.bench.leg.way == voice::Way::Relay;
        assert_eq!(all, passes, "{said} ms to who takes {takes}: {} packets", b.got.len());
    }
    // What is no packet of Opus is no reason to encode anew.
    let mut a = Phone::new("192.0.2.1:4000", Codec::Opus, 20, 440.0);
    let mut b = Phone::new("192.0.2.2:5000", Codec::Opus, 20, 1000.0);
    for n in 0..9 {
        let wire = packet(Codec::Opus.payload_type(), n, &[0b1111_1011, 63, 1, 2]);
        let now = a.bench.now;
        pass(&mut a, &mut b, now, &wire);
    }
    assert_eq!(a.bench.leg.way, voice::Way::Relay);
}

#[test]
fn a_change_of_codec_within_the_call_is_heard_as_nothing() {
    let mut a = Phone::new("192.0.2.1:4000", Codec::Pcmu, 20, 440.0);
    let mut b = Phone::new("192.0.2.2:5000", Codec::Pcmu, 20, 1000.0);
    let mut now = a.bench.now;
    talk(&mut a, &mut b, &mut now, 1000);
    for form in [Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu] {
        b.mouth = Mouth::new(form, OpusWishes::default(), 20);
        b.codec = form;
        b.got.clear();
        b.bench.now = now;
        b.bench.change(codec(form, 20));
        a.bench.leg.reconsider();
        b.bench.leg.reconsider();
        talk(&mut a, &mut b, &mut now, 1500);
        assert_hears(&a, 1000.0);
        assert_hears(&b, 440.0);
        assert_continuous(&a);
        assert_continuous(&b);
    }
}

#[test]
fn prompts_and_recordings_work_with_every_codec() {
    for form in Codec::ALL {
        let mut a = Phone::new("192.0.2.1:4000", form, 20, 440.0);
        let mut b = Phone::new("192.0.2.2:5000", Codec::Pcmu, 20, 1000.0);
        let mut now = a.bench.now;
        let samples: Vec<i16> =
            (0..16_000).map(|n| ((f64::from(n) * 0.5).sin() * 8000.0) as i16).collect();
        a.bench.leg.play(now, Playback::of(4, vec![Arc::new(Clip::from_samples(samples))]));
        let tape = Tape::default();
        a.bench.leg.record(
            now,
            Recording {
                id: 5,
                to: Box::new(tape.clone()),
                max: None,
                silence: None,
                terminators: DigitSet::NONE,
            },
        );
        talk(&mut a, &mut b, &mut now, 1500);
        // Half a radian a sample.
        assert_hears(&a, 4000.0 / std::f64::consts::TAU);
        a.bench.leg.end_record(now, crate::engine::api::RecordEnd::Stopped);
        let tape = tape.0.lock().unwrap();
        assert!(tape.len().abs_diff(12_000) <= 480, "{form}: {} samples", tape.len());
        assert!(share(&tape[4000..11_000], 440.0) > 0.9, "{form} is recorded");
    }
}

#[test]
fn a_wideband_prompt_is_heard_so_where_the_codec_has_room_for_it() {
    for (form, heard) in [(Codec::G722, true), (Codec::Opus, true), (Codec::Pcma, false)] {
        let mut a = Phone::new("192.0.2.1:4000", form, 20, 440.0);
        let mut b = Phone::new("192.0.2.2:5000", Codec::Pcmu, 20, 1000.0);
        let mut now = a.bench.now;
        a.ear = Ear::new(now, Rate::Wide);
        let tone = crate::resample::tests::sine(48_000, 5500.0, 2.0, 0.3);
        let mut rates = crate::resample::Rates::new(48_000).unwrap();
        rates.push(&tone).unwrap();
        let mut samples = crate::resample::Samples::default();
        rates.finish(&mut samples).unwrap();
        a.bench.leg.play(now, Playback::of(4, vec![Arc::new(Clip::from_rates(samples))]));
        talk(&mut a, &mut b, &mut now, 1500);
        let part = &a.heard[a.heard.len() / 2..];
        let energy = part.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / part.len() as f64;
        assert_eq!(energy.sqrt() > 2000.0, heard, "{form}: {}", energy.sqrt());
    }
}

/// Keeps samples.
#[derive(Clone, Default)]
struct Tape(Arc<std::sync::Mutex<Vec<i16>>>);

impl crate::engine::SampleSink for Tape {
    fn push(&mut self, samples: &[i16]) {
        self.0.lock().unwrap().extend_from_slice(samples);
    }
}

#[test]
fn comfort_noise_becomes_sound_for_who_does_not_take_it() {
    let mut a = Phone::new("192.0.2.1:4000", Codec::Pcmu, 20, 440.0);
    let mut b = Phone::new("192.0.2.2:5000", Codec::Pcmu, 20, 1000.0);
    let mut now = a.bench.now;
    talk(&mut a, &mut b, &mut now, 500);
    let header = Header {
        marker: false,
        payload_type: 13,
        sequence: a.sequence + 1,
        timestamp: a.said as u32,
        ssrc: 99,
    };
    pass(&mut a, &mut b, now, &[&header.to_bytes()[..], &[45]].concat());
    let (before, packets) = (b.heard.len(), b.got.len());
    for _ in 0..200 {
        now += ms(5);
        tick(&mut a, &mut b, now);
        while b.ear.due(now) {
            b.ear.pull(now, &mut b.heard);
        }
    }
    assert!(b.got.len() > packets + 40 && b.got.iter().all(|v| v.payload_type == 0));
    let noise = &b.heard[before + 2000..];
    let mean = noise.iter().map(|s| u64::from(s.unsigned_abs())).sum::<u64>() / noise.len() as u64;
    assert!((60..400).contains(&mean), "-45 dBov: {mean}");
}
