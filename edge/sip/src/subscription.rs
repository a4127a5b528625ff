//! One subscription (RFC 6665) from either side, without its dialog: what stands in the header
//! fields, when it must be refreshed, and when it ends.
//!
//! The dialog builds the in-dialog request (tags, CSeq, Route set); this module fills in Event,
//! Expires, Subscription-State and the body.

mod notifier;
mod subscriber;
#[cfg(test)]
mod tests;

pub use notifier::{Limits, Notifier, SubscribeError};
pub use subscriber::{Notified, Subscriber, SubscriberEvent};

/// Why a subscription ended (RFC 6665 §4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Subscribe again, at once.
    Deactivated,
    /// Subscribe again, after a while.
    Probation,
    /// Not allowed any more; do not subscribe again.
    Rejected,
    /// It was not refreshed, or was unsubscribed.
    Timeout,
    /// Gave no decision in time; subscribe again later.
    GiveUp,
    /// What it was about is gone; do not subscribe again.
    NoResource,
    /// What it was about cannot change any more; do not subscribe again.
    Invariant,
}

impl EndReason {
    /// As in the `reason` parameter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deactivated => "deactivated",
            Self::Probation => "probation",
            Self::Rejected => "rejected",
            Self::Timeout => "timeout",
            Self::GiveUp => "giveup",
            Self::NoResource => "noresource",
            Self::Invariant => "invariant",
        }
    }

    /// Unknown reasons are `None`: the subscriber may try again (RFC 6665 §4.1.3).
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Deactivated,
            Self::Probation,
            Self::Rejected,
            Self::Timeout,
            Self::GiveUp,
            Self::NoResource,
            Self::Invariant,
        ]
        .into_iter()
        .find(|reason| reason.as_str().eq_ignore_ascii_case(text))
    }

    /// Whether subscribing again makes sense.
    pub fn may_retry(self) -> bool {
        !matches!(self, Self::Rejected | Self::NoResource | Self::Invariant)
    }
}
