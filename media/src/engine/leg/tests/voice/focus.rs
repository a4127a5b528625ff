//! A leg whose noise is taken out, and no more.

use super::*;
use crate::voice::Focus;

fn power(samples: &[i16]) -> f64 {
    let sum: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
    sum / samples.len().max(1) as f64
}

/// What B heard in the last second.
fn last_second(phone: &Phone) -> f64 {
    power(&phone.heard[phone.heard.len() - 8000..])
}

#[test]
fn a_leg_s_noise_is_taken_out_until_it_is_to_stay() {
    for (one, two) in [(Codec::Pcmu, Codec::Pcmu), (Codec::G722, Codec::Opus)] {
        let mut a = Phone::new("192.0.2.1:4000", one, 20, 440.0);
        let mut b = Phone::new("192.0.2.2:5000", two, 20, 1000.0);
        a.noise = true;
        let mut now = a.bench.now;
        talk(&mut a, &mut b, &mut now, 2000);
        let before = last_second(&b);
        a.bench.leg.set_focus(Focus::new().map(Box::new));
        talk(&mut a, &mut b, &mut now, 6000);
        let cleaned = last_second(&b);
        assert!(cleaned * 10.0 < before, "{one}: {cleaned:.0} of {before:.0}");
        assert!(!a.heard.is_empty() && last_second(&a) > 1e6, "B's tone is left alone");
        a.bench.leg.set_focus(None);
        talk(&mut a, &mut b, &mut now, 3000);
        let after = last_second(&b);
        assert!(after > before / 2.0, "{one}: {after:.0} of {before:.0}");
        assert_continuous(&b);
    }
}

#[test]
fn a_leg_whose_noise_is_to_be_taken_out_before_it_has_a_stream_says_none_of_it() {
    let heard = [false, true].map(|focused| {
        let mut a = Phone::new("192.0.2.1:4000", Codec::Pcmu, 20, 440.0);
        let mut b = Phone::new("192.0.2.2:5000", Codec::Pcmu, 20, 1000.0);
        let (now, stream) = (a.bench.now, a.bench.leg.stream.clone().unwrap().config);
        // As for a caller who rings still: the wish comes first, what both agree on after it.
        let sender = mpsc::channel(64).0;
        a.bench.leg = Leg::new(now, PortId(1), sender, Arc::default(), ms(5000));
        if focused {
            a.bench.leg.set_focus(Focus::new().map(Box::new));
        }
        a.bench.leg.set_stream(now, stream);
        a.noise = true;
        let mut now = now;
        talk(&mut a, &mut b, &mut now, 6000);
        assert_continuous(&b);
        last_second(&b)
    });
    let [noise, cleaned] = heard;
    assert!(cleaned * 10.0 < noise, "{cleaned:.0} of {noise:.0}");
}
