//! Payload templates of JSONPath states: keys that end in `.$` hold paths and intrinsics.

use crate::failure::Failure;
pub use crate::jsonata::TemplateProblem;
use crate::scope::Scope;
use serde_json::Value;

/// A parsed payload template (`Parameters`, `ResultSelector`, `ItemSelector`, `Assign`).
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    literal: Value,
}

impl Template {
    /// Parses.
    pub fn parse(value: &Value) -> Result<Self, Vec<TemplateProblem>> {
        Ok(Self { literal: value.clone() })
    }
    /// Evaluates.
    pub fn evaluate(&self, _scope: &Scope<'_>) -> Result<Value, Failure> {
        Ok(self.literal.clone())
    }
}
