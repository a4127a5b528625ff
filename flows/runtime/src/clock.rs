//! What time it is: the machine's clock, or a virtual one that begins where it is told.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// A clock. Copies of it show the same time.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Kind);

#[derive(Debug, Clone, Copy)]
enum Kind {
    System,
    /// Goes with tokio's clock, which tests and dry runs stop and wind forward.
    Virtual {
        begin: Instant,
        shown: Timestamp,
    },
}

/// How long a wait for the system's clock may be before it is looked at again: it can be set.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

impl Clock {
    /// The machine's.
    pub fn system() -> Self {
        Self(Kind::System)
    }

    /// One that shows `now` now, and from then on goes with tokio's clock.
    pub fn beginning_at(now: Timestamp) -> Self {
        Self(Kind::Virtual { begin: Instant::now(), shown: now })
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        match self.0 {
            Kind::System => Timestamp::now(),
            Kind::Virtual { begin, shown } => {
                // To the millisecond, as tokio's timers go.
                let passed = Duration::from_millis(whole_millis(begin.elapsed()));
                shown.checked_add(passed).unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// Whether it is the machine's.
    pub(crate) fn is_real(&self) -> bool {
        matches!(self.0, Kind::System)
    }

    /// Waits until it shows `time`, or a while less: look at the clock again afterwards.
    pub async fn sleep_towards(&self, time: Option<Timestamp>) {
        let Some(time) = time else { return std::future::pending().await };
        let left = time.duration_since(self.now());
        // A timer that fires a moment early would only be set again.
        let millis = left.as_millis().max(0).saturating_add(i128::from(left.subsec_nanos() != 0));
        let left = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
        let most = match self.0 {
            Kind::System => LOOK_AGAIN,
            Kind::Virtual { .. } => Duration::from_secs(86_400 * 365),
        };
        tokio::time::sleep(left.min(most)).await;
    }

    /// Waits until it shows `time`.
    pub async fn sleep_until(&self, time: Timestamp) {
        while self.now() < time {
            self.sleep_towards(Some(time)).await;
        }
    }
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
