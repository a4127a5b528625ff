//! Amazon States Language interpreter. Knows nothing of telephony.

mod cursor;
pub mod failure;
pub mod intrinsic;
pub mod jsonata;
pub mod path;
pub mod scope;
pub mod template;

pub use failure::Failure;
pub use scope::{Entropy, Scope, Variables};
