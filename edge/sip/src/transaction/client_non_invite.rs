//! The non-INVITE client transaction (RFC 3261 §17.1.2).

use super::Action::{
    Arm, Deliver, Double, Forget, ReportTimeout, ReportTransport, Resend, StopTick,
};
use super::timers::Timer;
use super::{Action, Input};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Sent, nothing heard yet.
    Trying,
    /// A provisional response came.
    Proceeding,
    /// A final response came; its retransmissions are swallowed.
    Completed,
    Terminated,
}

#[rustfmt::skip]
pub(super) fn step(state: State, input: Input) -> (State, &'static [Action]) {
    use Input::*;
    use State::*;
    match (state, input) {
        // §17.1.2.2: T1, 2*T1, 4*T1 … up to T2.
        (Trying, Tick)                  => (Trying, &[Resend, Double(Timer::E)]),
        // §17.1.2.2: after a provisional response every T2.
        (Proceeding, Tick)              => (Proceeding, &[Resend, Arm(Timer::LateE)]),
        (Trying | Proceeding, Expire)   => (Terminated, &[ReportTimeout]),
        (Trying | Proceeding, Provisional) => (Proceeding, &[Deliver]),
        (Trying | Proceeding, Success | Failure) =>
            (Completed, &[StopTick, Forget, Arm(Timer::K), Deliver]),
        (Trying | Proceeding, TransportError) => (Terminated, &[ReportTransport]),
        (Completed, Expire)             => (Terminated, &[]),
        _                               => (state, &[]),
    }
}
