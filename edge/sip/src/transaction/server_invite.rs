//! The INVITE server transaction (RFC 3261 §17.2.1, RFC 6026 §7.1).

use super::Action::{Arm, Deliver, Double, Forget, ReportNoAck, Resend, Send, StopTick};
use super::timers::Timer;
use super::{Action, Input};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No final response sent yet.
    Proceeding,
    /// A final response above 299 is retransmitted until the ACK comes.
    Completed,
    /// The ACK came; more of them are swallowed.
    Confirmed,
    /// A 2xx was sent; whoever owns the session retransmits it.
    Accepted,
    Terminated,
}

#[rustfmt::skip]
pub(super) fn step(state: State, input: Input) -> (State, &'static [Action]) {
    use Input::*;
    use State::*;
    match (state, input) {
        // §17.2.1: the owner has been silent for 200 ms; what is kept by then is a 100.
        (Proceeding, Tick)        => (Proceeding, &[Resend]),
        (Proceeding, Request)     => (Proceeding, &[Resend]),
        (Proceeding, Provisional) => (Proceeding, &[StopTick, Send]),
        // RFC 6026 §7.1: a 2xx leads to Accepted, which absorbs INVITEs until Timer L.
        (Proceeding, Success)     => (Accepted, &[StopTick, Send, Forget, Arm(Timer::L)]),
        (Accepted, Success)       => (Accepted, &[Send, Forget]),
        (Accepted, Ack)           => (Accepted, &[Deliver]),
        (Accepted, Expire)        => (Terminated, &[]),
        (Proceeding, Failure)     => (Completed, &[Send, Arm(Timer::G), Arm(Timer::H)]),
        (Completed, Request)      => (Completed, &[Resend]),
        // §17.2.1: Timer G doubles up to T2.
        (Completed, Tick)         => (Completed, &[Resend, Double(Timer::G)]),
        (Completed, Ack)          => (Confirmed, &[StopTick, Forget, Arm(Timer::I)]),
        (Completed, Expire)       => (Terminated, &[ReportNoAck]),
        (Confirmed, Expire)       => (Terminated, &[]),
        // RFC 6026 §7.1: a transport error leaves the state as it is.
        _                         => (state, &[]),
    }
}
