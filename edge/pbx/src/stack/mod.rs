//! The SIP stack: one task that owns the transaction layer and the dialog map, and the handle
//! through which everybody else sends and answers.
//!
//! > Whoever holds a [`SipHandle`] never waits: it leaves an order and goes on. Whatever comes of
//! > it arrives in the mailbox of the [`Owner`] that was named in the order.
//!
//! A request that belongs to no dialog and no transaction comes out of the receiver that
//! [`Stack::spawn`] gives back, for the office to hand on.

mod abandoned;
mod contact;
mod handle;
#[cfg(test)]
#[path = "tests/lab.rs"]
pub(crate) mod lab;
mod large;
mod orphan;
mod receive;
mod reply;
mod sends;
mod stamp;
mod sticky;
#[cfg(test)]
mod stream_tests;
mod task;
#[cfg(test)]
mod tests;
mod unfit;

pub use handle::{
    CONTACT_PLACEHOLDER, DialogGuard, DialogKey, MediaAddress, NewRequest, Owner, SendFailure,
    SipEvent, SipHandle, Target,
};
pub use offhook_sip::transaction::ServerTx;
pub use task::{Parts, Stack, StackConfig, transactions};

/// Methods we take, for Allow (RFC 3261 §20.5).
pub const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, PRACK, UPDATE, INFO, SUBSCRIBE, NOTIFY, REFER";
/// Extensions we know, for Supported (§20.37).
pub const SUPPORTED: &str = "100rel, timer, path";
