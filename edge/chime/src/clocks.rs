//! What time it is where services are, as their answers tell it (`Date`, RFC 9110 §6.6.1).
//!
//! > From an answer on, time is counted by a clock that nobody sets: neither a step of this
//! > machine's own nor a server with another time moves what one service has told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// By how much two clocks may differ and be called the same: dates are whole seconds.
const CLOSE: SignedDuration = SignedDuration::from_secs(2);
/// An answer that took longer tells a time that is over.
const PROMPT: Duration = Duration::from_secs(2);

/// A clock for each service, by its prefix in addresses.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clocks(Arc<Mutex<HashMap<String, Learned>>>);

/// It was this time there, then.
#[derive(Debug, Clone, Copy)]
struct Learned {
    time: Timestamp,
    at: Instant,
}

impl Learned {
    fn now(self, at: Instant) -> Timestamp {
        later(self.time, at.saturating_duration_since(self.at))
    }
}

impl Clocks {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Learned>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A service's time; this machine's own (`here`) until an answer has told it.
    pub(crate) fn now(&self, service: &str, at: Instant, here: Timestamp) -> Timestamp {
        self.all().get(service).map_or(here, |learned| learned.now(at))
    }

    /// An answer that came now had this date, and took so long.
    pub(crate) fn learn(
        &self,
        service: &str,
        date: Timestamp,
        took: Duration,
        (at, here): (Instant, Timestamp),
    ) {
        if took > PROMPT {
            return;
        }
        let mut all = self.all();
        let known = all.get(service).map_or(here, |learned| learned.now(at));
        // Whole seconds, and the way of the answer: what is known is the better one.
        let close = date.duration_since(known).abs() <= CLOSE;
        if !close {
            all.insert(service.to_owned(), Learned { time: date, at });
        } else if !all.contains_key(service) {
            all.insert(service.to_owned(), Learned { time: here, at });
        }
    }
}

/// Whether an answer's date shows that its request was signed at a time that the service had not,
/// neither then nor while the answer came.
pub(crate) fn is_other(date: Timestamp, signed: Timestamp, took: Duration) -> bool {
    date.duration_since(signed) < -CLOSE || date.duration_since(later(signed, took)) > CLOSE
}

/// So much after that.
pub(crate) fn later(time: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(100);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_time_that_was_told_goes_on_whatever_this_machine_s_clock_is_set_to() {
        let (clocks, begin) = (Clocks::default(), Instant::now());
        let then = begin + Duration::from_secs(10);
        assert_eq!(clocks.now("dynamodb", begin, at(5_000)), at(5_000));
        clocks.learn("dynamodb", at(1_000), QUICK, (begin, at(5_000)));
        assert_eq!(clocks.now("dynamodb", then, at(5_010)), at(1_010));
        assert_eq!(clocks.now("dynamodb", then, at(1_010)), at(1_010));
        // So it does where both were the same.
        clocks.learn("sqs", at(5_001), QUICK, (begin, at(5_000)));
        assert_eq!(clocks.now("sqs", then, at(9_000)), at(5_010));
        // A date of whole seconds does not make it jump; another time does.
        clocks.learn("sqs", at(5_009), QUICK, (then, at(9_000)));
        assert_eq!(clocks.now("sqs", then, at(9_000)), at(5_010));
        clocks.learn("sqs", at(5_020), QUICK, (then, at(9_000)));
        assert_eq!(clocks.now("sqs", then, at(9_000)), at(5_020));
    }

    #[test]
    fn neither_another_service_nor_a_slow_answer_tells_the_time() {
        let (clocks, begin) = (Clocks::default(), Instant::now());
        clocks.learn("lambda", at(1_000), QUICK, (begin, at(5_000)));
        clocks.learn("dynamodb", at(1_000), Duration::from_secs(3), (begin, at(5_000)));
        assert_eq!(clocks.now("dynamodb", begin, at(5_000)), at(5_000));
    }

    #[test]
    fn a_date_between_the_request_and_the_end_of_its_answer_is_no_other_time() {
        let long = Duration::from_secs(30);
        assert!(!is_other(at(1_030), at(1_000), long));
        assert!(!is_other(at(998), at(1_000), long));
        assert!(is_other(at(1_033), at(1_000), long));
        assert!(is_other(at(997), at(1_000), long));
    }
}
