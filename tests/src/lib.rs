//! What whole-program tests stand on: the real daemon as a process, real user agents beside it,
//! each test on loopback addresses of its own, and ears that tell which tone a file holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

pub mod appliance;
pub mod baresip;
pub mod boto3;
pub mod browser;
pub mod cloud;
mod firefox;
pub mod killed;
pub mod lambda;
pub mod lex;
pub mod linphone;
pub mod moto;
pub mod net;
pub mod npm;
pub mod postgres;
pub mod python;
pub mod s3;
pub mod scenario;
pub mod sim;
pub mod sipp;
pub mod tone;
pub mod voice_connector;
pub mod web;
