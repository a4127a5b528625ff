//! AWS's own workflow, unmodified but for the values that its deployment fills in, run through the
//! router with the events of its six call flows. The workflow is test data beside the project;
//! where it is not there, nothing is tested.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod customer;
mod office;
mod owner;
mod scheduled;
mod scripted;
mod trouble;

use office::{BUSINESS, CUSTOMER, OWNER, Office, sample};
