//! Intrinsic functions: `States.Format(…)` and the others.

use crate::failure::Failure;
use crate::path::PathError;
use crate::scope::Scope;
use serde_json::Value;

/// A parsed call of an intrinsic function.
#[derive(Debug, Clone, PartialEq)]
pub struct Intrinsic {
    source: String,
}

impl Intrinsic {
    /// Parses `States.Name(arguments)`.
    pub fn parse(source: &str) -> Result<Self, PathError> {
        Ok(Self { source: source.to_owned() })
    }
    /// Calls it. `field` as in [`crate::path::Path::evaluate`].
    pub fn evaluate(&self, _scope: &Scope<'_>, field: &str) -> Result<Value, Failure> {
        Err(Failure::runtime(format!("{} {field}", self.source)))
    }
}
