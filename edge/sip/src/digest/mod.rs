//! Digest authentication (RFC 3261 §22, RFC 7616, RFC 8760; RFC 2617 for peers of old).
//!
//! [`Server`] challenges and verifies, [`Client`] answers challenges. Neither keeps a password in
//! a place where it can be printed, and the server needs no password at all: an [`Ha1`] does.

mod client;
mod hash;
mod nonce;
mod server;
#[cfg(test)]
mod tests;

pub use client::{Client, Refused, Secret};
pub use hash::{Algorithm, Ha1, Hash, ha1_md5, ha1_sha256};
pub use server::{Asked, Config, Server, Verdict};
