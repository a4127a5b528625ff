//! Pairs, and what is known of a lease.

use std::fmt;

use jiff::Timestamp;

/// A number of ours that is shown, and a number of Connect's that is dialled.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pair {
    /// Shown to Connect: its `CustomerEndpoint`. E.164.
    pub our_number: String,
    /// Dialled: Connect's `SystemEndpoint`. E.164.
    pub connect_number: String,
}

impl Pair {
    /// Of two numbers in E.164.
    pub fn new(our_number: impl Into<String>, connect_number: impl Into<String>) -> Self {
        Self { our_number: our_number.into(), connect_number: connect_number.into() }
    }

    /// All pairs of these numbers: a call may come from any of ours to any of Connect's.
    #[must_use]
    pub fn matrix(our_numbers: &[String], connect_numbers: &[String]) -> Vec<Self> {
        let of = |ours: &String| {
            let ours = ours.clone();
            connect_numbers.iter().map(move |connect| Self::new(ours.clone(), connect.clone()))
        };
        our_numbers.iter().flat_map(of).collect()
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.our_number, self.connect_number)
    }
}

/// A pair that belongs to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Which.
    pub pair: Pair,
    /// The call's transaction id.
    pub owner: String,
    /// Who called, E.164; empty when nobody said.
    pub original_calling_number: String,
    /// The SIP media application that the call belongs to.
    pub application: Option<String>,
    /// The Connect contact that it has become.
    pub contact: Option<String>,
    /// When it was claimed.
    pub since: Timestamp,
    /// It is nobody's from this moment on.
    pub expires: Timestamp,
}

/// How full a pool is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Pairs that may be claimed.
    pub free: usize,
    /// Pairs of calls.
    pub leased: usize,
}
