//! AWS: what the appliance uses of its services. Today that is Amazon Polly.
//!
//! The services are spoken to with a small HTTP client and a signer of our own: Amazon's SDK would
//! bring a hundred crates for one request. See docs/decisions/0012-amazon-polly-without-the-sdk.md.

mod https;
pub mod polly;
pub mod sigv4;
