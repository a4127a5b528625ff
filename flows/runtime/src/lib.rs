//! Workflows that run calls: joins the Amazon States Language interpreter with the events and
//! actions of a SIP media application.
//!
//! > One task owns all executions; everything else holds an id and sends a message. What is
//! > acknowledged is kept first, so a restart goes on where it stopped.
//!
//! Executions wait for three things: time, a service's answer, a task token. Services that run on
//! this machine are in [`services`]; what leaves it goes through [`services::Upstream`], and what
//! must survive a restart through [`store::FlowStore`]. Both are traits that crates above
//! implement: this one knows no SQL, no HTTP and no AWS signature.

pub mod audit;
pub mod clock;
pub mod handed_over;
pub mod names;
pub mod router;
pub mod runtime;
pub mod schedule;
pub mod script;
pub mod secrets;
pub mod services;
pub mod store;
pub mod versions;

pub use clock::Clock;
pub use names::{MachineRef, Place};
pub use router::{FlowCall, Router};
pub use runtime::Runtime;
pub use services::{Service, ServiceError, Upstream};
pub use store::FlowStore;
