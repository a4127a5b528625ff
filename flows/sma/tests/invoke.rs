//! How a handler is asked (timeouts, of AWS's guide), on a virtual clock.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use offhook_sma::invoke::{Fault, GiveUp, Invocation, Policy, Step};

fn begin() -> (Instant, Invocation) {
    let now = Instant::now();
    (now, Invocation::new(now, Policy::default()))
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_handler_that_says_nothing_is_asked_every_five_seconds_and_given_up_after_twenty() {
    let (now, mut asking) = begin();
    for at in [0, 5, 10, 15] {
        assert_eq!(asking.poll(now + s(at)), Step::Invoke);
        assert_eq!(asking.poll(now + s(at)), Step::WaitUntil(now + s(at + 5)));
    }
    assert_eq!(asking.poll(now + s(20)), Step::GiveUp(GiveUp::TimedOut));
    assert_eq!(asking.poll(now + s(21)), Step::GiveUp(GiveUp::TimedOut));
    assert_eq!(GiveUp::TimedOut.to_string(), "AWS Lambda client operation timed out.");
    assert_eq!(asking.attempts(), 4);
}

#[test]
fn a_4xx_is_tried_once_more_at_once() {
    for (status, why) in
        [(403, GiveUp::AccessDenied), (429, GiveUp::Throttled), (413, GiveUp::Failed(413))]
    {
        let (now, mut asking) = begin();
        assert_eq!(asking.poll(now), Step::Invoke);
        asking.failed(now + s(1), &Fault::Client(status));
        assert_eq!(asking.poll(now + s(1)), Step::Invoke);
        asking.failed(now + s(2), &Fault::Client(status));
        assert_eq!(asking.poll(now + s(2)), Step::GiveUp(why));
    }
}

#[test]
fn another_failure_is_tried_again_when_its_five_seconds_are_over() {
    let (now, mut asking) = begin();
    for at in [0, 5, 10, 15] {
        assert_eq!(asking.poll(now + s(at)), Step::Invoke);
        asking.failed(now + s(at), &Fault::Other("boom".into()));
    }
    assert_eq!(asking.poll(now + s(16)), Step::GiveUp(GiveUp::Failed(500)));
}

#[test]
fn an_answer_to_the_first_attempt_may_come_after_the_second_began() {
    let (now, mut asking) = begin();
    asking.poll(now);
    assert_eq!(asking.poll(now + s(5)), Step::Invoke);
    // The second one fails while the first is still awaited.
    asking.failed(now + s(6), &Fault::Client(400));
    assert_eq!(asking.poll(now + s(6)), Step::Invoke);
    assert_eq!(asking.poll(now + s(6)), Step::WaitUntil(now + s(11)));
}
