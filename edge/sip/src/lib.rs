//! SIP (RFC 3261 and friends) as pure state machines.
//!
//! > Nothing in this crate owns a socket, reads a clock or spawns a task: every call takes `now`
//! > where time matters, and whatever is to be sent, reported or woken up for is polled out.
//!
//! * [`message`], [`uri`], [`header`]: typed messages; [`parse`] makes them of bytes, `Display`/
//!   `to_bytes` makes bytes of them. [`framing`] cuts a stream into messages (RFC 3261 §18.3).
//! * [`transaction`]: client and server transactions (RFC 3261 §17, RFC 6026).
//! * [`dialog`], [`session`]: dialogs (§12) and the INVITE usage on top of them: early dialogs,
//!   offers and answers, PRACK, UPDATE, re-INVITE with glare, session timers.
//! * [`digest`]: authentication (RFC 3261 §22, RFC 7616, RFC 8760).
//! * [`subscription`], [`refer`]: event notification (RFC 6665) and transfer (RFC 3515).

pub mod dialog;
pub mod digest;
pub mod flow;
pub mod framing;
pub mod header;
pub mod ids;
pub mod message;
mod params;
pub mod parse;
pub mod refer;
pub mod session;
pub mod subscription;
pub mod transaction;
pub mod uri;
