//! Registrations (RFC 3261 §10.3), accounts, and who somebody is.
//!
//! * [`directory`]: the accounts.
//! * [`auth`]: from a request to an extension, a trunk, a challenge or a refusal.
//! * [`bindings`]: the table of contacts, without clocks or sockets.
//! * [`service`]: REGISTER, from the request to the 200 that is sent when the store has it.
//! * `keeping`: what the store is given, and given again when the disk was full.

pub mod auth;
pub mod bindings;
mod config;
pub mod directory;
#[cfg(test)]
mod guess_tests;
mod keeping;
#[cfg(test)]
mod keeping_tests;
mod request;
pub mod service;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
mod way_tests;

pub use auth::{Authenticator, Verdict};
pub use bindings::Contact;
pub use config::RegistrarConfig;
pub use directory::Directory;
pub use service::{Registrar, RegistrationChange};
