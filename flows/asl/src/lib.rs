//! Amazon States Language interpreter. Knows nothing of telephony.
//!
//! A definition is read by [`Machine::load`], which tells everything that is wrong with it. An
//! [`Execution`] of it takes what happens and the time, and gives back what is to be done and
//! until when:
//!
//! ```text
//!  (Machine, input) ──► Execution::start ──► poll_effect ──► the driver calls services
//!                              ▲                                      │
//!                              └── handle_task · handle_token · handle_timeout(now)
//! ```
//!
//! > Nothing here opens a socket, reads a clock, starts a thread or draws a random number that was
//! > not given: the same calls in the same order give the same execution, on this machine or on
//! > another that read its snapshot. The one exception is the second of wall time that a JSONata
//! > expression may take.
//!
//! Rooms: [`machine`] (definitions and their problems), [`execution`] (the interpreter),
//! [`history`] (events in the form of `GetExecutionHistory`), and the expression layer:
//! [`path`], [`intrinsic`] and [`template`] for JSONPath states, [`jsonata`] for JSONata ones,
//! [`scope`] for what both see. What is bounded stands in [`limits`].
//!
//! Sources: the States Language specification (states-language.net), the Step Functions developer
//! guide and API reference, and executions recorded on AWS, which `tests/recorded.rs` replays.

mod cursor;
mod digest;
pub mod execution;
pub mod failure;
pub mod history;
pub mod intrinsic;
mod java;
pub mod json;
pub mod jsonata;
pub mod limits;
pub mod machine;
pub mod path;
pub mod scope;
pub mod template;
pub mod value;

pub use execution::{Execution, Start};
pub use failure::Failure;
pub use machine::Machine;
pub use scope::{Entropy, Scope, Variables};
