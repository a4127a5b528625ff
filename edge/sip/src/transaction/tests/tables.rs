//! Every state with every input, and every timer on every transport.

use std::fmt::Write;
use std::time::Duration;

use crate::transaction::timers::Timer;
use crate::transaction::{
    Action, Config, Input, client_invite, client_non_invite, server_invite, server_non_invite,
};

const INPUTS: [Input; 9] = [
    Input::Request,
    Input::Ack,
    Input::Provisional,
    Input::Success,
    Input::Failure,
    Input::Cancel,
    Input::Tick,
    Input::Expire,
    Input::TransportError,
];

/// One line for each transition that changes or does something.
fn table<S: Copy + PartialEq + std::fmt::Debug>(
    states: &[S],
    step: fn(S, Input) -> (S, &'static [Action]),
) -> String {
    let mut out = String::new();
    for state in states {
        for input in INPUTS {
            let (next, actions) = step(*state, input);
            if next != *state || !actions.is_empty() {
                let actions: Vec<String> = actions.iter().map(|a| format!("{a:?}")).collect();
                let actions = actions.join(" ");
                writeln!(out, "{}", format!("{state:?} {input:?} > {next:?} {actions}").trim())
                    .unwrap();
            }
        }
    }
    out
}

#[test]
fn an_invite_client_takes_these_transitions_and_no_others() {
    use client_invite::State::*;
    let states = [Calling, Abandoning, Proceeding, Cancelling, Completed, Accepted, Terminated];
    let expected = "\
Calling Provisional > Proceeding StopTick Forget Arm(C) Deliver
Calling Success > Accepted StopTick Forget Arm(M) Deliver
Calling Failure > Completed StopTick SendAck Arm(D) Deliver
Calling Cancel > Abandoning
Calling Tick > Calling Resend Double(A)
Calling Expire > Terminated ReportTimeout
Calling TransportError > Terminated ReportTransport
Abandoning Provisional > Cancelling StopTick Forget SendCancel Arm(Cancelled) Deliver
Abandoning Success > Accepted StopTick Forget Arm(M) Deliver
Abandoning Failure > Completed StopTick SendAck Arm(D) Deliver
Abandoning Tick > Abandoning Resend Double(A)
Abandoning Expire > Terminated ReportTimeout
Abandoning TransportError > Terminated ReportTransport
Proceeding Provisional > Proceeding Arm(C) Deliver
Proceeding Success > Accepted StopTick Forget Arm(M) Deliver
Proceeding Failure > Completed StopTick SendAck Arm(D) Deliver
Proceeding Cancel > Cancelling SendCancel Arm(Cancelled)
Proceeding Expire > Cancelling SendCancel Arm(Cancelled)
Proceeding TransportError > Terminated ReportTransport
Cancelling Provisional > Cancelling Deliver
Cancelling Success > Accepted StopTick Forget Arm(M) Deliver
Cancelling Failure > Completed StopTick SendAck Arm(D) Deliver
Cancelling Expire > Terminated ReportTimeout
Cancelling TransportError > Terminated ReportTransport
Completed Failure > Completed Resend
Completed Expire > Terminated
Completed TransportError > Terminated
Accepted Success > Accepted Deliver
Accepted Expire > Terminated
";
    assert_eq!(table(&states, client_invite::step), expected);
}

#[test]
fn a_non_invite_client_takes_these_transitions_and_no_others() {
    use client_non_invite::State::*;
    let expected = "\
Trying Provisional > Proceeding Deliver
Trying Success > Completed StopTick Forget Arm(K) Deliver
Trying Failure > Completed StopTick Forget Arm(K) Deliver
Trying Tick > Trying Resend Double(E)
Trying Expire > Terminated ReportTimeout
Trying TransportError > Terminated ReportTransport
Proceeding Provisional > Proceeding Deliver
Proceeding Success > Completed StopTick Forget Arm(K) Deliver
Proceeding Failure > Completed StopTick Forget Arm(K) Deliver
Proceeding Tick > Proceeding Resend Arm(LateE)
Proceeding Expire > Terminated ReportTimeout
Proceeding TransportError > Terminated ReportTransport
Completed Expire > Terminated
";
    let states = [Trying, Proceeding, Completed, Terminated];
    assert_eq!(table(&states, client_non_invite::step), expected);
}

#[test]
fn an_invite_server_takes_these_transitions_and_no_others() {
    use server_invite::State::*;
    let expected = "\
Proceeding Request > Proceeding Resend
Proceeding Provisional > Proceeding StopTick Send
Proceeding Success > Accepted StopTick Send Forget Arm(L)
Proceeding Failure > Completed Send Arm(G) Arm(H)
Proceeding Tick > Proceeding Resend
Completed Request > Completed Resend
Completed Ack > Confirmed StopTick Forget Arm(I)
Completed Tick > Completed Resend Double(G)
Completed Expire > Terminated ReportNoAck
Confirmed Expire > Terminated
Accepted Ack > Accepted Deliver
Accepted Success > Accepted Send Forget
Accepted Expire > Terminated
";
    let states = [Proceeding, Completed, Confirmed, Accepted, Terminated];
    assert_eq!(table(&states, server_invite::step), expected);
}

#[test]
fn a_non_invite_server_takes_these_transitions_and_no_others() {
    use server_non_invite::State::*;
    let expected = "\
Trying Success > Completed StopTick Send Arm(J)
Trying Failure > Completed StopTick Send Arm(J)
Trying Tick > Proceeding Resend
Trying Expire > Terminated
Proceeding Request > Proceeding Resend
Proceeding Success > Completed StopTick Send Arm(J)
Proceeding Failure > Completed StopTick Send Arm(J)
Proceeding Expire > Terminated
Completed Request > Completed Resend
Completed Expire > Terminated
";
    let states = [Trying, Proceeding, Completed, Terminated];
    assert_eq!(table(&states, server_non_invite::step), expected);
}

#[test]
fn timers_run_as_long_as_the_rfcs_say() {
    use Timer::*;
    let config = Config::default();
    // Milliseconds over UDP and over TCP; None: never, 0: fires at once.
    let expected = [
        (A, Some(500), None),
        (B, Some(32_000), Some(32_000)),
        (C, Some(185_000), Some(185_000)),
        (D, Some(32_000), Some(0)),
        (E, Some(500), None),
        (LateE, Some(4_000), None),
        (F, Some(32_000), Some(32_000)),
        (G, Some(500), None),
        (H, Some(32_000), Some(32_000)),
        (I, Some(5_000), Some(0)),
        (J, Some(32_000), Some(0)),
        (K, Some(5_000), Some(0)),
        (L, Some(32_000), Some(32_000)),
        (M, Some(32_000), Some(32_000)),
        (Trying, Some(200), Some(200)),
        (LateTrying, Some(3_500), Some(3_500)),
        (Unanswered, Some(32_000), Some(32_000)),
        (Cancelled, Some(32_000), Some(32_000)),
    ];
    for (timer, udp, tcp) in expected {
        let millis = |reliable| timer.duration(&config, reliable).map(|d| d.as_millis());
        assert_eq!((timer, millis(false), millis(true)), (timer, udp, tcp));
    }
    // §17.1.1.2: Timer D is 32 s at least; on a slow link it waits as long as Timer H.
    for (t1, d) in [(100, 32), (1000, 64)] {
        let config = Config { t1: Duration::from_millis(t1), ..Config::default() };
        assert_eq!(D.duration(&config, false), Some(Duration::from_secs(d)));
    }
}
