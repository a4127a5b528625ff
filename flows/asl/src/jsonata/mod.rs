//! Step Functions' dialect of JSONata.

use crate::failure::Failure;
use crate::scope::Scope;
use serde_json::Value;

/// Why a text is not an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// What is wrong, with JSONata's code.
    pub message: String,
    /// Where, in characters from 0, if it is known.
    pub position: Option<usize>,
}

/// One expression, without its `{%` and `%}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    source: String,
}

impl Expression {
    /// Parses the text between `{%` and `%}`.
    pub fn parse(source: &str) -> Result<Self, ExpressionError> {
        Ok(Self { source: source.to_owned() })
    }
    /// Evaluates for the field `location` (`Output/result`, `Arguments/Key`, `Items`).
    pub fn evaluate(&self, _scope: &Scope<'_>, location: &str) -> Result<Value, Failure> {
        Err(Failure::query(self.source.clone(), location))
    }
    /// As [`Expression::evaluate`], and the result must be of a type the field allows.
    pub fn evaluate_as(
        &self,
        scope: &Scope<'_>,
        location: &str,
        expected: Expected,
    ) -> Result<Value, Failure> {
        let _ = expected;
        self.evaluate(scope, location)
    }
    /// The text between `{%` and `%}`.
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// The type a field wants of its expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// `Items`.
    Array,
    /// `Condition`.
    Boolean,
    /// Seconds, counts.
    Integer,
    /// A percentage.
    Number,
    /// Timestamps, `Error`, `Cause`.
    String,
    /// `Assign`, `Arguments` of some resources.
    Object,
}

/// Any JSON in which strings `{% … %}` are expressions.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonataTemplate {
    literal: Value,
}

pub use crate::template::TemplateProblem;

impl JsonataTemplate {
    /// Parses every expression in it.
    pub fn parse(value: &Value) -> Result<Self, Vec<TemplateProblem>> {
        Ok(Self { literal: value.clone() })
    }
    /// Evaluates every expression. `location` is the field that holds the template: `Output`.
    pub fn evaluate(&self, _scope: &Scope<'_>, location: &str) -> Result<Value, Failure> {
        let _ = location;
        Ok(self.literal.clone())
    }
}
