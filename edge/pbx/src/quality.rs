//! How calls sounded: of one leg for its timeline, of all for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use offhook_media::codec::Codec;
use offhook_media::engine::PortCounters;
use offhook_media::quality::{self, Path, mos};
use serde::{Deserialize, Serialize};

use crate::event::CallEventKind;

/// One direction of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PathQuality {
    /// Packets that did not come, or came too late, in percent.
    pub loss_percent: f64,
    /// Interarrival jitter in ms (RFC 3550 A.8), its mean.
    pub jitter_ms: f64,
    /// Mean opinion score as the E-model estimates it (ITU-T G.107), 1 to 4.5.
    pub mos: f64,
}

impl PathQuality {
    fn of(path: Path, jitter_us: u64) -> Self {
        Self {
            loss_percent: hundredths(path.loss * 100.0),
            jitter_ms: hundredths(jitter_us as f64 / 1000.0),
            mos: hundredths(mos(path.r_factor())),
        }
    }

    /// What people say of such a call (G.107 annex B, its five classes of ratings).
    pub fn opinion(&self) -> &'static str {
        match self.mos {
            mos if mos >= 4.03 => "good",
            mos if mos >= 3.60 => "fair",
            mos if mos >= 3.10 => "poor",
            _ => "bad",
        }
    }
}

/// Nobody reads further digits, and they are longer than the number.
fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// What is known of a leg that ended; `None` when nothing was heard of its party.
pub(crate) fn of_leg(c: &PortCounters, codec: Codec, ptime_ms: u16) -> Option<CallEventKind> {
    let received =
        quality::received(c, codec, ptime_ms).map(|path| PathQuality::of(path, c.jitter_us));
    let sent =
        quality::sent(c, codec, ptime_ms).map(|path| PathQuality::of(path, c.remote_jitter_us));
    let known = c.round_trip_us != 0;
    let round_trip_ms = known.then(|| hundredths(c.round_trip_us as f64 / 1000.0));
    let any = received.is_some() || sent.is_some();
    any.then_some(CallEventKind::MediaQuality { received, sent, round_trip_ms })
}

/// How often a value of a leg was at most so much.
#[derive(Debug)]
pub struct Histogram {
    /// `leg_mos`.
    pub name: &'static str,
    /// For `# HELP`.
    pub help: &'static str,
    /// `received`, `sent`; empty where there is no direction.
    pub direction: &'static str,
    bounds: &'static [f64],
    /// One for each bound, and one for what is above all.
    counts: Box<[AtomicU64]>,
    thousandths: AtomicU64,
}

impl Histogram {
    fn new(
        (name, help, bounds): (&'static str, &'static str, &'static [f64]),
        direction: &'static str,
    ) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { name, help, direction, bounds, counts, thousandths: AtomicU64::new(0) }
    }

    fn note(&self, value: f64) {
        let place = self.bounds.iter().position(|bound| value <= *bound);
        if let Some(count) = self.counts.get(place.unwrap_or(self.bounds.len())) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        // Values here are small and not negative.
        self.thousandths.fetch_add((value * 1000.0).round() as u64, Ordering::Relaxed);
    }

    /// Each bound and how many values were no greater; the last bound is infinite.
    pub fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let mut sum = 0;
        let sums = self.counts.iter().map(|count| {
            sum += count.load(Ordering::Relaxed);
            sum
        });
        bounds.zip(sums).collect()
    }

    /// All values together.
    pub fn sum(&self) -> f64 {
        self.thousandths.load(Ordering::Relaxed) as f64 / 1000.0
    }
}

/// How all legs sounded that ended since the start.
#[derive(Debug)]
pub struct QualityMetrics {
    mos: [Histogram; 2],
    loss: [Histogram; 2],
    jitter: [Histogram; 2],
    round_trip: Histogram,
}

type Family = (&'static str, &'static str, &'static [f64]);

const MOS: Family = (
    "leg_mos",
    "Estimated mean opinion score of legs that ended, by direction of the audio as seen from here.",
    // The limits of the classes of G.107 annex B.
    &[2.58, 3.1, 3.6, 4.03, 4.34],
);
const LOSS: Family =
    ("leg_loss_percent", "Packets lost on legs that ended.", &[0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0]);
const JITTER: Family = (
    "leg_jitter_milliseconds",
    "Mean jitter on legs that ended.",
    &[1.0, 5.0, 10.0, 20.0, 50.0, 100.0],
);
const ROUND_TRIP: Family = (
    "leg_round_trip_milliseconds",
    "Mean round trip to the parties of legs that ended.",
    &[10.0, 50.0, 100.0, 200.0, 400.0, 800.0],
);

impl Default for QualityMetrics {
    fn default() -> Self {
        let both = |of: Family| ["received", "sent"].map(|way| Histogram::new(of, way));
        Self {
            mos: both(MOS),
            loss: both(LOSS),
            jitter: both(JITTER),
            round_trip: Histogram::new(ROUND_TRIP, ""),
        }
    }
}

impl QualityMetrics {
    /// Counts a leg, as its timeline has it.
    pub(crate) fn note(&self, event: &CallEventKind) {
        let CallEventKind::MediaQuality { received, sent, round_trip_ms } = event else { return };
        let ways = [received, sent].into_iter().enumerate();
        for (way, path) in ways.filter_map(|(way, path)| Some((way, path.as_ref()?))) {
            let values = [
                (&self.mos, path.mos),
                (&self.loss, path.loss_percent),
                (&self.jitter, path.jitter_ms),
            ];
            for (histograms, value) in values {
                if let Some(histogram) = histograms.get(way) {
                    histogram.note(value);
                }
            }
        }
        if let Some(ms) = round_trip_ms {
            self.round_trip.note(*ms);
        }
    }

    /// All of them, those of one name one after another.
    pub fn all(&self) -> impl Iterator<Item = &Histogram> {
        let ways = [&self.mos, &self.loss, &self.jitter].into_iter().flatten();
        ways.chain([&self.round_trip])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters() -> PortCounters {
        PortCounters {
            expected: 1000,
            lost: 20,
            losses: 20,
            loss_runs: 20,
            jitter_us: 12_345,
            ..PortCounters::default()
        }
    }

    #[test]
    fn a_leg_without_reports_of_its_party_is_judged_by_what_was_heard() {
        let Some(event) = of_leg(&counters(), Codec::Pcma, 20) else { panic!("heard") };
        let CallEventKind::MediaQuality { received: Some(received), sent, round_trip_ms } = event
        else {
            panic!("{event:?}")
        };
        assert_eq!((received.loss_percent, received.jitter_ms), (2.0, 12.35));
        assert!((4.1..4.3).contains(&received.mos), "{received:?}");
        assert_eq!((received.opinion(), sent, round_trip_ms), ("good", None, None));
        assert_eq!(of_leg(&PortCounters::default(), Codec::Pcma, 20), None);
    }

    #[test]
    fn legs_are_counted_by_direction_in_growing_buckets() {
        let metrics = QualityMetrics::default();
        let reported = PortCounters {
            remote_expected: 100,
            remote_lost: 30,
            round_trip_us: 250_000,
            ..counters()
        };
        for counters in [counters(), reported] {
            metrics.note(&of_leg(&counters, Codec::Pcma, 20).expect("heard"));
        }
        let last = |h: &Histogram| h.buckets().last().map(|(_, n)| *n);
        assert_eq!(metrics.mos.each_ref().map(last), [Some(2), Some(1)]);
        assert_eq!(metrics.loss[0].buckets()[4..6], [(2.0, 2), (5.0, 2)]);
        assert_eq!(metrics.loss[1].buckets()[6..], [(10.0, 0), (f64::INFINITY, 1)]);
        assert!((metrics.loss[0].sum() - 4.0).abs() < 1e-9);
        assert_eq!(metrics.round_trip.buckets()[2..4], [(100.0, 0), (200.0, 0)]);
        assert_eq!(last(&metrics.round_trip), Some(1));
    }
}
