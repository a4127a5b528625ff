//! What is wrong with a definition, where, and what to do.

use serde::Serialize;

/// Whether a definition with the problem can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// The definition is refused.
    Error,
    /// The definition runs, though probably not as it was meant.
    Warning,
}

/// The kind of problem, in the manner of `ValidateStateMachineDefinition`'s diagnostic codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// The text is not JSON, or not a JSON object.
    InvalidJsonDescription,
    /// A field is missing, unknown, of the wrong type or out of range.
    SchemaValidationFailed,
    /// A transition leads to a state that does not exist in its `States`.
    MissingTransitionTarget,
    /// No transition leads to the state.
    UnreachableState,
    /// No terminal state can be reached.
    MissingEndState,
    /// Two states of one definition have the same name.
    DuplicateStateName,
    /// A key occurs twice in one object; JSON keeps the last.
    DuplicateKey,
    /// A path cannot be read.
    InvalidPath,
    /// An intrinsic function cannot be read.
    InvalidIntrinsic,
    /// A JSONata expression cannot be read.
    InvalidJsonata,
    /// A `Resource` cannot be read.
    InvalidResource,
    /// A variable's name or scope is not allowed.
    InvalidVariable,
    /// The order or contents of `Retry` or `Catch` are not allowed.
    InvalidErrorHandling,
    /// The definition is larger or deeper than allowed.
    LimitExceeded,
    /// Something that probably is not what was meant.
    Suspicious,
}

impl Code {
    /// The code as it is written, such as `MISSING_TRANSITION_TARGET`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidJsonDescription => "INVALID_JSON_DESCRIPTION",
            Self::SchemaValidationFailed => "SCHEMA_VALIDATION_FAILED",
            Self::MissingTransitionTarget => "MISSING_TRANSITION_TARGET",
            Self::UnreachableState => "UNREACHABLE_STATE",
            Self::MissingEndState => "MISSING_END_STATE",
            Self::DuplicateStateName => "DUPLICATE_STATE_NAME",
            Self::DuplicateKey => "DUPLICATE_KEY",
            Self::InvalidPath => "INVALID_PATH",
            Self::InvalidIntrinsic => "INVALID_INTRINSIC",
            Self::InvalidJsonata => "INVALID_JSONATA",
            Self::InvalidResource => "INVALID_RESOURCE",
            Self::InvalidVariable => "INVALID_VARIABLE",
            Self::InvalidErrorHandling => "INVALID_ERROR_HANDLING",
            Self::LimitExceeded => "LIMIT_EXCEEDED",
            Self::Suspicious => "SUSPICIOUS",
        }
    }
}

/// One mistake of a definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Whether it stops the definition from running.
    pub severity: Severity,
    /// What kind it is.
    pub code: Code,
    /// Where: a JSON pointer (RFC 6901) such as `/States/Foo/Next`; empty for the whole document.
    pub path: String,
    /// The line of that place, from 1.
    pub line: usize,
    /// The column of that place, in characters from 1.
    pub column: usize,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What was probably meant, or what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}: {}", self.line, self.column, self.code.as_str(), self.message)?;
        if !self.path.is_empty() {
            write!(f, " at {}", self.path)?;
        }
        match &self.suggestion {
            Some(suggestion) => write!(f, " ({suggestion})"),
            None => Ok(()),
        }
    }
}
