//! The heart of the appliance: transports, registrar, trunks, calls, the office.
//!
//! > A call is one task that owns its legs, timers and media by value; everybody else holds an id
//! > and sends a message. What is to be kept is stated as traits in [`keep`]; no SQL, HTTP or AWS.

pub mod app;
pub mod bans;
pub mod bots;
pub mod call;
mod changes;
pub mod cloud;
pub mod disk;
pub mod event;
pub mod failure;
pub mod keep;
pub mod mask;
pub mod metrics;
pub mod mwi;
pub mod objects;
pub mod office;
pub mod outbox;
pub mod pin;
pub mod quality;
pub mod registrar;
pub mod resolve;
pub mod rooms;
pub mod screen;
pub mod stack;
mod subscriptions;
pub mod transport;
pub mod trunk;
