//! Trunks: who calls in, whom to call out, and whether they are there.
//!
//! * [`peers`]: which trunk an address belongs to.
//! * [`service`]: selection by order and health, and the state of each trunk.
//! * [`health`], [`register`]: one task each per trunk that wants it.
//! * [`mod@line`]: what the calls of one trunk share.

mod health;
mod line;
pub mod peers;
mod register;
pub mod service;
#[cfg(test)]
mod tests;

pub use line::CallSlot;
pub use peers::{Peers, Recognised};
pub use service::{TrunkConfig, TrunkStatus, TrunkTarget, Trunks};
