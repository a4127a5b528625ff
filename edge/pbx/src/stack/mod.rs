//! The SIP stack: one task that owns the transaction layer and the dialog map, and the handle
//! through which everybody else sends and answers.
//!
//! > Whoever holds a [`SipHandle`] never waits: it leaves an order and goes on. Whatever comes of
//! > it arrives in the mailbox of the [`Owner`] that was named in the order.
//!
//! A request that belongs to no dialog and no transaction comes out of the receiver that
//! [`Stack::spawn`](task::Stack::spawn) gives back, for the office to hand on.

mod handle;

pub use handle::ServerTx;
pub use handle::{
    CONTACT_PLACEHOLDER, DialogGuard, DialogKey, MediaAddress, NewRequest, Owner, SendFailure,
    SipEvent, SipHandle, Target,
};
