//! How a call sounds, estimated from what the network did to it: the E-model (ITU-T G.107) with all
//! that is not measured at its default, so that R = 93.2 - Id - Ie,eff.

use crate::codec::Codec;
use crate::engine::PortCounters;

/// R of a connection without delay and loss, all else at its default (G.107 §7.7).
const R_DEFAULT: f64 = 93.2;

/// What one direction of a leg went through.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Path {
    /// How the audio was coded.
    pub codec: Codec,
    /// Share of packets that did not come, 0 to 1.
    pub loss: f64,
    /// Mean length of a run of losses over that of losses by pure chance; 1 while unknown.
    pub burst_ratio: f64,
    /// From mouth to ear in ms, one way.
    pub delay_ms: f64,
}

impl Path {
    /// The transmission rating, 0 to 93.2.
    pub fn r_factor(&self) -> f64 {
        (R_DEFAULT - delay_impairment(self.delay_ms) - self.equipment_impairment()).max(0.0)
    }

    /// The same without the delay: of who only listens.
    pub fn listening_r_factor(&self) -> f64 {
        Self { delay_ms: 0.0, ..*self }.r_factor()
    }

    /// Ie,eff (G.107 §7.5 with BurstR).
    fn equipment_impairment(&self) -> f64 {
        let (ie, bpl) = robustness(self.codec);
        let percent = self.loss.clamp(0.0, 1.0) * 100.0;
        ie + (95.0 - ie) * percent / (percent / self.burst_ratio.max(1.0) + bpl)
    }
}

/// Ie and Bpl of a codec. G.113 appendix I has those of G.711 with concealment, which all our ears
/// do. For G.722 and Opus it has none on this scale, where they are at least as good: they are taken
/// like G.711.
const fn robustness(codec: Codec) -> (f64, f64) {
    match codec {
        Codec::Pcmu | Codec::Pcma | Codec::G722 | Codec::Opus => (0.0, 25.1),
        // What G.113 has for G.729A; most others of their kind are not far from it.
        Codec::Passed(_) => (11.0, 19.0),
    }
}

/// Id, in the usual simplification of G.107 §7.4 for connections without echo: little up to the
/// 177.3 ms where people begin to interrupt each other, then more.
fn delay_impairment(ms: f64) -> f64 {
    let ms = ms.max(0.0);
    0.024 * ms + 0.11 * (ms - 177.3).max(0.0)
}

/// The mean opinion score that belongs to a rating, 1 to 4.5 (G.107 annex B).
pub fn mos(r: f64) -> f64 {
    let r = r.clamp(0.0, 100.0);
    let score = 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6;
    // The polynomial dips below 1 for the smallest ratings.
    score.clamp(1.0, 4.5)
}

/// BurstR (G.107 §7.5): losses by chance come in runs of 1 / (1 - loss) on average.
pub fn burst_ratio(lost: u64, runs: u64, loss: f64) -> f64 {
    if runs == 0 { 1.0 } else { (lost as f64 / runs as f64 * (1.0 - loss)).max(1.0) }
}

/// A jitter buffer holds about twice the jitter, and never nothing.
const BUFFER_MS: f64 = 10.0;

/// What the peer's audio went through up to us: `None` before its first packet. The delay is that
/// to an ear with a jitter buffer here, half of the round trip being its way.
pub fn received(c: &PortCounters, codec: Codec, ptime_ms: u16) -> Option<Path> {
    let loss = share(c.lost, c.expected)?;
    let runs = burst_ratio(c.losses, c.loss_runs, loss);
    let delay_ms = way_ms(c, ptime_ms) + buffer_ms(c.jitter_us);
    Some(Path { codec, loss, burst_ratio: runs, delay_ms })
}

/// What our audio went through up to the peer, as its reports say: `None` without any.
pub fn sent(c: &PortCounters, codec: Codec, ptime_ms: u16) -> Option<Path> {
    let loss = share(c.remote_lost + c.remote_discarded, c.remote_expected)?;
    let told = Some(c.remote_delay_ms as f64).filter(|ms| *ms > 0.0);
    let delay_ms = way_ms(c, ptime_ms) + told.unwrap_or_else(|| buffer_ms(c.remote_jitter_us));
    Some(Path { codec, loss, burst_ratio: 1.0, delay_ms })
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64).min(1.0))
}

/// A packet is filled before it is sent, and is half the round trip on its way.
fn way_ms(c: &PortCounters, ptime_ms: u16) -> f64 {
    c.round_trip_us as f64 / 2000.0 + f64::from(ptime_ms)
}

fn buffer_ms(jitter_us: u64) -> f64 {
    (jitter_us as f64 / 500.0).max(BUFFER_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(loss: f64, burst_ratio: f64, delay_ms: f64) -> Path {
        Path { codec: Codec::Pcma, loss, burst_ratio, delay_ms }
    }

    #[test]
    fn an_undisturbed_call_has_the_score_that_the_model_gives_its_default() {
        let r = path(0.0, 1.0, 0.0).r_factor();
        assert!((r - 93.2).abs() < 1e-9);
        // G.107 table B.1: R 93.2 is 4.41; 90, 80, 70, 60 and 50 are 4.34, 4.03, 3.60, 3.10, 2.58.
        for (r, score) in
            [(93.2, 4.41), (90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)]
        {
            assert!((mos(r) - score).abs() < 0.008, "{r}: {}", mos(r));
        }
        assert!((mos(3.0) - 1.0).abs() < 1e-9 && (mos(200.0) - 4.5).abs() < 1e-9);
    }

    #[test]
    fn loss_and_delay_cost_and_bursts_cost_more() {
        let r = |loss, burst, delay| path(loss, burst, delay).r_factor();
        // 95 * 5 / (5 + 25.1)
        assert!((r(0.05, 1.0, 0.0) - (93.2 - 15.78)).abs() < 0.01);
        assert!(r(0.05, 3.0, 0.0) < r(0.05, 1.0, 0.0));
        assert!((r(0.0, 1.0, 150.0) - (93.2 - 3.6)).abs() < 1e-9);
        assert!((r(0.0, 1.0, 400.0) - (93.2 - 9.6 - 0.11 * 222.7)).abs() < 1e-9);
        assert_eq!(r(1.0, 50.0, 5000.0), 0.0);
    }

    #[test]
    fn losses_by_chance_are_no_bursts() {
        assert_eq!(burst_ratio(0, 0, 0.0), 1.0);
        assert_eq!(burst_ratio(10, 10, 0.1), 1.0);
        assert!((burst_ratio(40, 10, 0.1) - 3.6).abs() < 1e-9);
    }
}
