//! When a report is due, and of which kind (RFC 3550 §6.2 to §6.4).

use std::time::{Duration, Instant};

/// The least time between reports that RFC 3550 §6.2 recommends. With two parties the bandwidth
/// never asks for more.
const INTERVAL: Duration = Duration::from_secs(5);

/// e - 3/2: by how much the times below are too short on purpose (RFC 3550 §6.3.1).
const COMPENSATION: f32 = 1.218_28;

/// The clock of one leg's reports.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// `None`: at once.
    next: Option<Instant>,
    /// Packets sent when the last report went out, and the one before it.
    sent: [u32; 2],
}

impl Schedule {
    /// The first report comes after half the time (RFC 3550 §6.2). `chance` from 0 to 1 spreads the
    /// legs of one moment.
    pub fn new(now: Instant, chance: f32) -> Self {
        Self { next: Some(now + after(INTERVAL / 2, chance)), sent: [0; 2] }
    }

    /// Whether a report is due; then the next is planned.
    pub fn is_due(&mut self, now: Instant, chance: f32) -> bool {
        let due = self.next.is_none_or(|at| now >= at);
        if due {
            self.next = Some(now + after(INTERVAL, chance));
        }
        due
    }

    /// Whether the report that goes out now is a sender's: something was sent since the second
    /// last one (RFC 3550 §6.4).
    pub fn as_sender(&mut self, sent: u32) -> bool {
        let [last, before] = self.sent;
        self.sent = [sent, last];
        sent != before
    }

    /// Packets are counted from zero again, under another SSRC: a report is due at once.
    pub fn begin_anew(&mut self) {
        (self.next, self.sent) = (None, [0; 2]);
    }
}

/// From half of it to one and a half (RFC 3550 §6.3.1).
fn after(time: Duration, chance: f32) -> Duration {
    time.mul_f32((0.5 + chance.clamp(0.0, 1.0)) / COMPENSATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_come_at_times_of_their_own_around_five_seconds() {
        let t0 = Instant::now();
        let mut schedule = Schedule::new(t0, 1.0);
        let mut due = Vec::new();
        for n in 0..400u64 {
            let chance = (n % 10) as f32 / 10.0;
            if schedule.is_due(t0 + Duration::from_millis(n * 100), chance) {
                due.push(n);
            }
        }
        assert!((30..=31).contains(&due[0]), "{due:?}");
        let times: Vec<u64> = due.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(times.iter().all(|t| (20..=62).contains(t)), "{times:?}");
        assert!(times.iter().max() > times.iter().min());
    }

    #[test]
    fn who_sends_no_more_is_a_receiver_from_its_second_report_on() {
        let mut schedule = Schedule::new(Instant::now(), 0.5);
        assert!(!schedule.as_sender(0), "nothing sent yet");
        assert!(schedule.as_sender(100));
        assert!(schedule.as_sender(100), "sent since the second last");
        assert!(!schedule.as_sender(100));
        assert!(schedule.as_sender(101));
    }
}
