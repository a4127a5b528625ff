//! Amazon States Language interpreter. Knows nothing of telephony.

mod cursor;
mod digest;
pub mod failure;
pub mod intrinsic;
pub mod jsonata;
pub mod path;
pub mod scope;
pub mod template;
pub mod value;

pub use failure::Failure;
pub use scope::{Entropy, Scope, Variables};
