//! AWS and the web: what the appliance asks others for, and how it knows who asks it.
//!
//! > A request out is bounded in time and size, protected on its way unless it stays on this
//! > machine, and follows no redirect; no secret of it can be printed.
//!
//! The services are spoken to with a small HTTP client and a signer of our own: Amazon's SDK would
//! bring a hundred crates for it. See docs/decisions/0012-amazon-polly-without-the-sdk.md.

mod aws;
mod clocks;
pub mod credentials;
pub mod dnis;
pub mod eventstream;
pub mod function;
pub mod handler;
pub mod http_task;
mod https;
pub mod lambda;
mod lambda_task;
pub mod lex;
pub mod outside;
pub mod polly;
pub mod runtime;
pub mod sdk;
pub mod sigv4;
pub mod take_back;
mod task;
pub mod webhook;

pub use aws::{Aws, AwsConfig, AwsError};
pub use https::{HttpError, Trust};
pub use task::TaskError;
