//! The INVITE client transaction (RFC 3261 §17.1.1, RFC 6026 §7.2).

use super::Action::{
    Arm, Deliver, Double, Forget, ReportTimeout, ReportTransport, Resend, SendAck, SendCancel,
    StopTick,
};
use super::timers::Timer;
use super::{Action, Input};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Sent, nothing heard yet.
    Calling,
    /// As `Calling`, but the owner wants it cancelled as soon as that is allowed.
    Abandoning,
    /// A provisional response came.
    Proceeding,
    /// CANCEL was sent.
    Cancelling,
    /// A final response above 299 came and was acknowledged.
    Completed,
    /// A 2xx came; more of them may follow from other branches.
    Accepted,
    Terminated,
}

#[rustfmt::skip]
pub(super) fn step(state: State, input: Input) -> (State, &'static [Action]) {
    use Input::*;
    use State::*;
    match (state, input) {
        // §17.1.1.2: Timer A doubles without a cap until Timer B ends the attempt.
        (Calling | Abandoning, Tick)   => (state, &[Resend, Double(Timer::A)]),
        (Calling | Abandoning, Expire) => (Terminated, &[ReportTimeout]),
        // §16.6 step 11: from here on only Timer C bounds the wait.
        (Calling, Provisional)         => (Proceeding, &[StopTick, Forget, Arm(Timer::C), Deliver]),
        (Proceeding, Provisional)      => (Proceeding, &[Arm(Timer::C), Deliver]),
        // §16.8: a callee that rings too long is cancelled.
        (Proceeding, Cancel | Expire)  => (Cancelling, &[SendCancel, Arm(Timer::Cancelled)]),
        // §9.1: no CANCEL before a provisional response came.
        (Calling, Cancel)              => (Abandoning, &[]),
        (Abandoning, Provisional)      =>
            (Cancelling, &[StopTick, Forget, SendCancel, Arm(Timer::Cancelled), Deliver]),
        (Cancelling, Provisional)      => (Cancelling, &[Deliver]),
        // §9.1: 64*T1 after the CANCEL the INVITE counts as cancelled, answered or not.
        (Cancelling, Expire)           => (Terminated, &[ReportTimeout]),
        // RFC 6026 §7.2: a 2xx does not end the transaction, Timer M does.
        (Calling | Abandoning | Proceeding | Cancelling, Success) =>
            (Accepted, &[StopTick, Forget, Arm(Timer::M), Deliver]),
        (Calling | Abandoning | Proceeding | Cancelling, Failure) =>
            (Completed, &[StopTick, SendAck, Arm(Timer::D), Deliver]),
        (Calling | Abandoning | Proceeding | Cancelling, TransportError) =>
            (Terminated, &[ReportTransport]),
        (Accepted, Success)            => (Accepted, &[Deliver]),
        (Accepted, Expire)             => (Terminated, &[]),
        // §17.1.1.2: each retransmitted final response is acknowledged, none is reported again.
        (Completed, Failure)           => (Completed, &[Resend]),
        (Completed, Expire | TransportError) => (Terminated, &[]),
        _                              => (state, &[]),
    }
}
