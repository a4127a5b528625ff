//! Step Functions' dialect of JSONata.
//!
//! > The language is JSONata 2.0.6's, which Step Functions has. What Step Functions adds is here too
//! > (`$partition`, `$range`, `$hash`, `$random(seed)`, `$uuid`, `$parse`), `$eval` is not, clock and
//! > chance are the scope's, and what one evaluation may cost is bounded, as on AWS: a second, levels,
//! > and 6,990,256 bytes for a value. Past any bound the expression fails with
//! > `States.QueryEvaluationError`; it never takes the process with it.
//!
//! ```text
//!  text ──► syntax: tokens ──► tree as written ──► tree of paths ──► evaluate ──► JSON
//!                                                       functions · regex ──┘
//! ```
//!
//! An [`Expression`] is parsed once and can be shared between threads. The evaluator's own values
//! live within one call of [`Expression::evaluate`].
//!
//! Source: developer guide, "Transforming data with JSONata in Step Functions".

mod coding;
mod convert;
mod error;
mod evaluate;
mod functions;
mod limits;
mod needs;
mod own;
mod regex;
mod syntax;
mod template;
#[cfg(test)]
mod tests;
mod value;

pub use crate::template::TemplateProblem;
pub(crate) use regex::Compiling;
pub use template::JsonataTemplate;

use crate::failure::Failure;
use crate::scope::{Document, Scope};
use crate::value::kind;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// Why a text is not an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// What is wrong, with JSONata's code where it has one.
    pub message: String,
}

/// One expression, without its `{%` and `%}`.
#[derive(Debug, Clone)]
pub struct Expression {
    source: String,
    tree: Arc<syntax::tree::Tree>,
    /// Names of variables and functions in it, without the `$`.
    names: BTreeSet<String>,
    /// What it is to be given.
    needs: Arc<needs::Needs>,
    /// `$states.input.a.b`: read without the evaluator, so that numbers stay as they are.
    plain: Option<Vec<String>>,
    /// What it calls and is no function.
    foreign: BTreeSet<String>,
    newer: Option<Newer>,
    bad_regex: Option<String>,
}

/// An operator that JSONata 2.0.6, which Step Functions has, does not take where it stands: those of
/// 2.1, and `..` outside of an array constructor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newer {
    /// The operator.
    pub operator: &'static str,
    /// What says the same in 2.0.6.
    pub instead: &'static str,
}

impl Newer {
    /// A regular expression right after what opens something.
    const SLASH: Self = Self { operator: "/", instead: "($pattern := /…/; $pattern)" };

    /// What is wrong, in one sentence.
    pub fn message(self) -> String {
        match self.operator {
            ".." => "`..` stands between the items of an array, and nowhere else.".to_owned(),
            "/" => "`/` divides right after `(`, `[`, `{`, `-` and `|`; no regular expression can \
                    stand there."
                .to_owned(),
            operator => {
                format!("`{operator}` came with JSONata 2.1, and Step Functions evaluates 2.0.6.")
            }
        }
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Expression {
    /// Parses the text between `{%` and `%}`.
    ///
    /// # Errors
    ///
    /// With JSONata's message. `$`, `$$` and a bare field name at the top level are refused, as AWS
    /// refuses them: there is no document around an expression.
    pub fn parse(source: &str) -> Result<Self, ExpressionError> {
        Self::parse_in(source, &mut Compiling::default())
    }

    /// The same, of a definition: `compiling` is what its regular expressions came to until now.
    pub(crate) fn parse_in(
        source: &str,
        compiling: &mut Compiling,
    ) -> Result<Self, ExpressionError> {
        compiling.next_expression();
        let source = source.trim();
        if source.len() > limits::MOST_SOURCE {
            let message = format!("the expression is longer than {} bytes", limits::MOST_SOURCE);
            return Err(ExpressionError { message });
        }
        let syntax::Parsed { tree, newer, bad_regex } = syntax::parse(source, compiling)
            .map_err(|wrong| ExpressionError { message: wrong.to_string() })?;
        if let Some(read) = tree.reads_no_document() {
            let what = if read.starts_with('$') { "the input" } else { "the field" };
            let meant = if read.starts_with('$') { "" } else { &format!(".{read}") };
            let message = format!(
                "`{read}` stands for nothing at the top level of an expression; {what} is \
                 `$states.input{meant}`"
            );
            return Err(ExpressionError { message });
        }
        let mut foreign = tree.calls_of_others();
        foreign.retain(|name| !functions::names().any(|known| known == name));
        let (plain, names) = (tree.plain_path(), tree.variables());
        let (needs, source) = (Arc::new(needs::Needs::of(&tree)), source.to_owned());
        Ok(Self { source, tree: Arc::new(tree), names, needs, plain, foreign, newer, bad_regex })
    }

    /// The text between `{%` and `%}`, without blanks around it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// An operator in it that Step Functions refuses. It is evaluated here all the same: whether it
    /// may be there is for who takes the expression in.
    pub fn newer(&self) -> Option<Newer> {
        self.newer
    }

    /// What is wrong with a regular expression in it, in one sentence. It fails when it is reached,
    /// or is read as it was meant here before.
    pub fn bad_regex(&self) -> Option<&str> {
        self.bad_regex.as_deref()
    }

    /// What it calls, without the `$`, and is neither a function of the language nor made in it: a
    /// variable, or nothing. With the function that may have been meant.
    pub fn foreign_calls(&self) -> impl Iterator<Item = (&str, Option<&'static str>)> {
        let near = |name: &str| crate::machine::nearest(name, functions::names());
        self.foreign.iter().map(move |name| (name.as_str(), near(name)))
    }

    /// The members of `$states` that it reads, as far as they are written out.
    pub fn reads_of_states(&self) -> impl Iterator<Item = &str> {
        self.needs.members_of_states()
    }

    /// The variables and functions it names, without the `$`: `states` among them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The variable, without the `$`, whose value or a member of it is all the expression asks for.
    pub fn variable(&self) -> Option<&str> {
        self.plain.as_ref()?.first().map(String::as_str).filter(|name| *name != "states")
    }

    /// Evaluates for the field `location`, written as AWS does: `Output/a/b[0]`, `Items`,
    /// `Choices[1]/Condition`.
    ///
    /// # Errors
    ///
    /// `States.QueryEvaluationError` when it fails or gives nothing.
    pub fn evaluate(&self, scope: &Scope<'_>, location: &str) -> Result<Value, Failure> {
        self.evaluate_at(scope, &location)
    }

    /// The same, for a location that is written out when the expression fails.
    fn evaluate_at(
        &self,
        scope: &Scope<'_>,
        location: &dyn fmt::Display,
    ) -> Result<Value, Failure> {
        if let Some(found) = self.plain.as_ref().and_then(|names| plain_value(names, scope)) {
            return Ok(found.clone());
        }
        match self.run(scope) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(self.failure("returned nothing (undefined).", location)),
            Err(message) => {
                Err(self.failure(&format!("threw an error during evaluation{message}"), location))
            }
        }
    }

    /// As [`Expression::evaluate`], for a field that wants one type.
    ///
    /// # Errors
    ///
    /// `States.QueryEvaluationError`, for a result of another type as well.
    pub fn evaluate_as(
        &self,
        scope: &Scope<'_>,
        location: &str,
        expected: Expected,
    ) -> Result<Value, Failure> {
        let value = self.evaluate(scope, location)?;
        if expected.admits(&value) {
            return Ok(value);
        }
        let (wanted, kind) = (expected.name(), kind(&value));
        let words = format!(
            "returned an unexpected result type. Expected '{wanted}', but was '{kind}' for value: \
             {value}"
        );
        Err(self.failure(&words, &location))
    }

    /// AWS's sentence.
    fn failure(&self, words: &str, location: &dyn fmt::Display) -> Failure {
        let source = &self.source;
        Failure::query(
            format!(
                "The JSONata expression '{source}' specified for the field '{location}' {words}"
            ),
            &location.to_string(),
        )
    }

    /// The value, nothing, or the end of AWS's sentence.
    fn run(&self, scope: &Scope<'_>) -> Result<Option<Value>, String> {
        let mut evaluation = evaluate::Evaluation::new(&self.tree, &self.needs, scope);
        let value = evaluation.run().map_err(|error| error.ending())?;
        let json = convert::from_value(&value).ok_or_else(|| error::memory().ending())?;
        scope.entropy.resume(&evaluation.entropy);
        Ok(json)
    }
}

/// Follows names through objects; `None` where the evaluator has to say what happens.
fn plain_value<'a>(names: &[String], scope: &Scope<'a>) -> Option<&'a Value> {
    let (first, rest) = names.split_first()?;
    match scope.states {
        Some(states) if first == "states" => found(states, rest),
        _ => member_of(scope.variables.get(first)?, rest),
    }
}

fn found<'a>(document: &'a dyn Document, names: &[String]) -> Option<&'a Value> {
    let Some((first, rest)) = names.split_first() else { return Some(document.whole()) };
    match document.inner(first) {
        Some(inner) => found(inner, rest),
        None => member_of(document.member(first)?, rest),
    }
}

fn member_of<'a>(root: &'a Value, names: &[String]) -> Option<&'a Value> {
    names.iter().try_fold(root, |value, name| value.as_object()?.get(name))
}

/// The type a field wants of its expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// `Items`
    Array,
    /// `Condition`
    Boolean,
    /// Counts and seconds, `ToleratedFailurePercentage`
    Number,
    /// `Timestamp`, `Error`, `Cause`
    String,
    /// An object.
    Object,
}

impl Expected {
    fn admits(self, value: &Value) -> bool {
        match self {
            Self::Array => value.is_array(),
            Self::Boolean => value.is_boolean(),
            Self::Number => value.is_number(),
            Self::String => value.is_string(),
            Self::Object => value.is_object(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Array => "array",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::String => "string",
            Self::Object => "object",
        }
    }
}
