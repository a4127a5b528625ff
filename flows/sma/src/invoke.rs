//! How a handler that may not answer (a Lambda, a webhook) is asked, without a clock or a socket.
//!
//! > Whoever runs it does what [`Invocation::poll`] says and tells what came of it. An answer to any
//! > attempt is the answer: a handler has to be idempotent for one `TransactionId` and `Sequence`.
//!
//! From timeouts: five seconds are waited before an invocation is tried again; without a response
//! after twenty the call is hung up. A function that fails with a 4xx is invoked once more; when
//! the retries run out the call ends with 480.

use std::time::{Duration, Instant};

/// The final status of a call that nobody answered and whose handler failed.
pub const GIVE_UP_STATUS: u16 = 480;

/// Times and counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// An attempt without an answer is followed by another one after this.
    pub retry_after: Duration,
    /// All of them together.
    pub deadline: Duration,
    /// Attempts after a 4xx.
    pub client_error_retries: u32,
    /// Attempts in all.
    pub attempts: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            retry_after: Duration::from_secs(5),
            deadline: Duration::from_secs(20),
            client_error_retries: 1,
            // Not documented: as many as there is time for.
            attempts: 4,
        }
    }
}

/// Why an attempt gave no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The function or its service said 4xx (rights, throttling, too large).
    Client(u16),
    /// 5xx, no connection, an error that the function raised.
    Other(String),
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Ask (again).
    Invoke,
    /// Nothing until this time, unless an answer comes.
    WaitUntil(Instant),
    /// No answer will come: the call ends.
    GiveUp(GiveUp),
}

/// Why, in the words of AWS's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GiveUp {
    /// Nothing within the deadline.
    #[error("AWS Lambda client operation timed out.")]
    TimedOut,
    /// 403.
    #[error("Access denied while invoking the AWS Lambda function.")]
    AccessDenied,
    /// 429.
    #[error("The AWS Lambda function was throttled.")]
    Throttled,
    /// Another error, as often as it was asked.
    #[error("The AWS Lambda function failed with {0}.")]
    Failed(u16),
}

/// One invocation with its retries.
#[derive(Debug)]
pub struct Invocation {
    policy: Policy,
    deadline: Instant,
    attempts: u32,
    client_errors: u32,
    /// When the next attempt is due.
    next: Instant,
    under_way: u32,
    over: Option<GiveUp>,
    last: Option<u16>,
}

impl Invocation {
    /// Begins now; the first step is [`Step::Invoke`].
    pub fn new(now: Instant, policy: Policy) -> Self {
        Self {
            policy,
            deadline: now + policy.deadline,
            attempts: 0,
            client_errors: 0,
            next: now,
            under_way: 0,
            over: None,
            last: None,
        }
    }

    /// What is to be done now.
    pub fn poll(&mut self, now: Instant) -> Step {
        if let Some(why) = self.over {
            return Step::GiveUp(why);
        }
        if now >= self.deadline {
            return self.give_up(match self.last {
                Some(status) if self.under_way == 0 => of_status(status),
                _ => GiveUp::TimedOut,
            });
        }
        if now >= self.next && self.attempts < self.policy.attempts {
            self.attempts += 1;
            self.under_way += 1;
            self.next = now + self.policy.retry_after;
            return Step::Invoke;
        }
        if self.attempts >= self.policy.attempts && self.under_way == 0 {
            return self.give_up(self.last.map_or(GiveUp::TimedOut, of_status));
        }
        let more = self.attempts < self.policy.attempts;
        Step::WaitUntil(if more { self.next.min(self.deadline) } else { self.deadline })
    }

    /// An attempt failed. One that the function is to blame for is repeated at once, as often as
    /// the policy says; another one when its time is over.
    pub fn failed(&mut self, now: Instant, fault: &Fault) {
        self.under_way = self.under_way.saturating_sub(1);
        self.last = Some(match fault {
            Fault::Client(status) => *status,
            Fault::Other(_) => 500,
        });
        if let Fault::Client(status) = fault {
            self.client_errors += 1;
            if self.client_errors > self.policy.client_error_retries {
                self.over = Some(of_status(*status));
            } else {
                self.next = now;
            }
        }
    }

    /// Attempts so far.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    fn give_up(&mut self, why: GiveUp) -> Step {
        self.over = Some(why);
        Step::GiveUp(why)
    }
}

fn of_status(status: u16) -> GiveUp {
    match status {
        403 => GiveUp::AccessDenied,
        429 => GiveUp::Throttled,
        status => GiveUp::Failed(status),
    }
}
