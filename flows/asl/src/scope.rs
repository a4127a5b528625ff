//! What an expression can see: input, context object, variables, `$states`, the clock and chance.
//!
//! > Nothing here reads a clock or the machine's random numbers. `now` is given, and every random
//! > number comes out of an [`Entropy`] that is part of the execution's state, so that a test, a
//! > replay and an execution restored from a snapshot all see the same.

mod document;
mod entropy;
mod variables;

pub use document::Document;
pub use entropy::Entropy;
pub use variables::Variables;

use serde_json::Value;

/// Everything one evaluation can see.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// What `$` stands for: the state's input, or its result where a result is worked on.
    pub input: &'a Value,
    /// The context object, `$$` in JSONPath.
    pub context: &'a dyn Document,
    /// The variables assigned so far, outer scopes included.
    pub variables: &'a Variables,
    /// `$states` of JSONata: `input`, `result`, `errorOutput`, `context`. `None` in JSONPath.
    pub states: Option<&'a dyn Document>,
    /// The time, for `$now()` and `$millis()`.
    pub now: jiff::Timestamp,
    /// Where random numbers come from.
    pub entropy: &'a Entropy,
}

#[cfg(test)]
mod tests;
