//! Amazon States Language interpreter. Knows nothing of telephony.
//!
//! > The expression layer: what a state's fields say, parsed at load time and evaluated against a
//! > [`Scope`]. JSONPath states use [`path`], [`intrinsic`] and [`template`]; JSONata states use
//! > [`jsonata`]. A [`Failure`] carries AWS's error name and AWS's words.
//!
//! Nothing here reads a clock or draws a number of its own: time and chance come with the scope.
//! The one exception is the second of wall time a JSONata expression may take.

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
