//! Messages on the wire: torture tests, oracles, properties, mutations.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

mod corpus;
mod mutation;
mod oracle;
mod properties;
mod torture;
