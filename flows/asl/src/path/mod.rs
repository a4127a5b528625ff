//! JSONPath as Step Functions reads it: paths that read, and reference paths that write.

use crate::failure::Failure;
use crate::scope::Scope;
use serde_json::Value;

/// Why a text is not a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at character {position}")]
pub struct PathError {
    /// What is wrong.
    pub message: String,
    /// Where, in characters from 0.
    pub position: usize,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

/// A parsed path: `$.a`, `$$.Task.Token`, `$variable.b`.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    source: String,
}

impl Path {
    /// Parses.
    pub fn parse(source: &str) -> Result<Self, PathError> {
        Ok(Self { source: source.to_owned() })
    }
    /// The text it was parsed from.
    pub fn source(&self) -> &str {
        &self.source
    }
    /// What the path finds. `field` is the key the path stands in, as it is written in the
    /// definition (`value.$`, `ErrorPath`), for AWS's words when nothing is found.
    pub fn evaluate(&self, scope: &Scope<'_>, field: &str) -> Result<Value, Failure> {
        self.select(scope).ok_or_else(|| Failure::runtime(format!("{field}")))
    }
    /// What the path finds, or `None`: `IsPresent` asks so, and a Choice, which has words of its own.
    pub fn select(&self, _scope: &Scope<'_>) -> Option<Value> {
        None
    }
    /// Whether the path can find one value only.
    pub fn is_definite(&self) -> bool {
        true
    }
}

/// A path of names and indices only, which can be written to.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferencePath {
    path: Path,
}

impl ReferencePath {
    /// Parses.
    pub fn parse(source: &str) -> Result<Self, PathError> {
        Ok(Self { path: Path::parse(source)? })
    }
    /// Puts `value` into `root` where the path says, making the objects on the way.
    pub fn write(&self, root: &mut Value, value: Value) -> Result<(), Failure> {
        *root = value;
        Ok(())
    }
    /// What is there.
    pub fn read(&self, scope: &Scope<'_>, field: &str) -> Result<Value, Failure> {
        self.path.evaluate(scope, field)
    }
    /// The text it was parsed from.
    pub fn source(&self) -> &str {
        self.path.source()
    }
}
