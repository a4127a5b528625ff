//! AWS and the web: what the appliance asks others for, and how it knows who asks it.
//!
//! The services are spoken to with a small HTTP client and a signer of our own: Amazon's SDK would
//! bring a hundred crates for it. See docs/decisions/0012-amazon-polly-without-the-sdk.md.

mod https;
pub mod polly;
pub mod sigv4;

pub use https::{HttpError, Trust};
