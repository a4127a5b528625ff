//! Amazon States Language interpreter. Knows nothing of telephony.

mod cursor;
mod digest;
pub mod execution;
pub mod failure;
pub mod history;
pub mod intrinsic;
pub mod jsonata;
pub mod limits;
pub mod machine;
pub mod path;
pub mod scope;
pub mod template;
pub mod value;

pub use execution::{Execution, Start};
pub use failure::Failure;
pub use machine::Machine;
pub use scope::{Entropy, Scope, Variables};
