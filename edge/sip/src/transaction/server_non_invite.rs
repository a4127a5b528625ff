//! The non-INVITE server transaction (RFC 3261 §17.2.2, RFC 4320).

use super::Action::{Arm, Resend, Send, StopTick};
use super::timers::Timer;
use super::{Action, Input};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing sent yet.
    Trying,
    /// A 100 was sent.
    Proceeding,
    /// The final response was sent and answers retransmissions until Timer J.
    Completed,
    Terminated,
}

#[rustfmt::skip]
pub(super) fn step(state: State, input: Input) -> (State, &'static [Action]) {
    use Input::*;
    use State::*;
    match (state, input) {
        // RFC 4320 §4.1: a 100 only once the client's Timer E has grown to T2, and then surely.
        // What is kept by then is that 100. Other provisional responses are not sent at all.
        (Trying, Tick)                  => (Proceeding, &[Resend]),
        (Proceeding | Completed, Request) => (state, &[Resend]),
        (Trying | Proceeding, Success | Failure) =>
            (Completed, &[StopTick, Send, Arm(Timer::J)]),
        // RFC 4320 §4.2: too late for any answer, and 408 is not one.
        (Trying | Proceeding, Expire)   => (Terminated, &[]),
        (Completed, Expire)             => (Terminated, &[]),
        _                               => (state, &[]),
    }
}
