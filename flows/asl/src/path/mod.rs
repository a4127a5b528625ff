//! JSONPath as Step Functions reads it: paths that read, and reference paths that write.
//!
//! > Step Functions follows the Jayway dialect: a definite path gives the bare value and fails
//! > when there is none; an indefinite one (wildcard, slice, filter, `..`, several indices) gives
//! > an array, which may be empty. A path starts in the input (`$`), in the context object (`$$`)
//! > or in a variable (`$name`).
//!
//! Source: developer guide, "Using JSONPath paths"; Jayway JsonPath's README for the dialect.

mod budget;
mod filter;
mod function;
mod parse;
mod reference;
mod select;
mod step;
#[cfg(test)]
mod tests;

pub use reference::ReferencePath;

use crate::failure::Failure;
use crate::scope::Scope;
use serde_json::Value;
use step::Step;

/// Why a text is not a path or an intrinsic function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at character {}){}", position + 1, hint(.suggestion))]
pub struct PathError {
    /// What is wrong.
    pub message: String,
    /// Where, in characters from 0.
    pub position: usize,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

fn hint(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map(|text| format!("; did you mean `{text}`?")).unwrap_or_default()
}

/// Where a path starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// `$`: the state's input (or the result that is worked on).
    Input,
    /// `$$`: the context object.
    Context,
    /// `$name`: a variable, by its name without the `$`.
    Variable(String),
}

/// A parsed path: `$.a`, `$$.Task.Token`, `$variable.b[0]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    source: String,
    root: Root,
    steps: Vec<Step>,
    refused_since: Option<Box<PathError>>,
}

impl Path {
    /// Parses `source`.
    ///
    /// # Errors
    ///
    /// With the character at which it stops being a path.
    pub fn parse(source: &str) -> Result<Self, PathError> {
        parse::path(source)
    }

    /// What is wrong with it, though it was taken here once: published definitions may have it.
    pub(crate) fn refused_since(&self) -> Option<&PathError> {
        self.refused_since.as_deref()
    }

    /// The text it was parsed from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Where it starts.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Whether it finds one value, and that bare, rather than an array of what it finds.
    pub fn is_definite(&self) -> bool {
        let together = self.steps.first() == Some(&Step::Descend)
            && matches!(self.steps.last(), Some(Step::Function(_)));
        step::is_definite(&self.steps) || together
    }

    /// What the path finds. An index past the end of an array, as the last step, finds null: so
    /// it does on AWS in a payload template.
    ///
    /// `field` is the key under which the path is written in the definition (`value.$`,
    /// `ErrorPath`): AWS names it.
    ///
    /// # Errors
    ///
    /// `States.Runtime` when a definite path finds nothing.
    pub fn evaluate(&self, scope: &Scope<'_>, field: &str) -> Result<Value, Failure> {
        if self.root == Root::Input && scope.input.is_null() && !self.steps.is_empty() {
            let words = "Unable to apply Path transformation to null or empty input.";
            return Err(Failure::runtime(words));
        }
        match self.find(scope) {
            Ok(found) => Ok(found),
            Err(Miss::NotFound) if self.ends_past_an_array(scope) => Ok(Value::Null),
            Err(Miss::NotFound) => Err(self.not_found(scope, field)),
            Err(miss) => Err(self.refused(&format!(" specified for the field '{field}'"), miss)),
        }
    }

    /// For what costs more than a path may, or makes no sense.
    fn refused(&self, place: &str, miss: Miss) -> Failure {
        let (source, why) = (&self.source, miss.words());
        Failure::runtime(format!("The JSONPath '{source}'{place} {why}"))
    }

    /// What the path finds, or `None`: for `IsPresent`, and for fields whose failure has words of
    /// its own (`InputPath`, a Choice's `Variable`).
    ///
    /// # Errors
    ///
    /// `States.Runtime` when it cannot be told what it finds: that is not nothing.
    pub fn select(&self, scope: &Scope<'_>) -> Result<Option<Value>, Failure> {
        match self.find(scope) {
            Ok(found) => Ok(Some(found)),
            Err(Miss::NotFound) => Ok(None),
            Err(miss) => Err(self.refused("", miss)),
        }
    }

    /// The first of its names that the input does not have. `None` too where it is no plain way
    /// of names into a value.
    pub fn missing_name(&self, input: &Value) -> Option<&str> {
        let mut place = (self.root == Root::Input && !input.is_null()).then_some(input)?;
        for step in &self.steps {
            let Step::Name(name) = step else { return None };
            match place.get(name) {
                Some(next) => place = next,
                None => return Some(name),
            }
        }
        None
    }

    fn document<'a>(&self, scope: &Scope<'a>) -> Option<&'a Value> {
        match &self.root {
            Root::Input => Some(scope.input),
            Root::Context => Some(scope.context.whole()),
            Root::Variable(name) => scope.variables.get(name),
        }
    }

    fn find(&self, scope: &Scope<'_>) -> Result<Value, Miss> {
        // The members of the context object that are not looked at are not made. A filter may look at
        // any.
        let leads = |step: &Step| matches!(step, Step::Name(_) | Step::Index(_));
        if let (Root::Context, [Step::Name(name), rest @ ..]) = (&self.root, self.steps.as_slice())
            && rest.iter().all(leads)
            && let Some(member) = scope.context.member(name)
        {
            return select::select(member, rest);
        }
        select::select(self.document(scope).ok_or(Miss::NotFound)?, &self.steps)
    }

    fn ends_past_an_array(&self, scope: &Scope<'_>) -> bool {
        self.document(scope).is_some_and(|root| select::ends_past_an_array(root, &self.steps))
    }

    /// AWS's words. They quote the document the path was looked up in.
    fn not_found(&self, scope: &Scope<'_>, field: &str) -> Failure {
        let document = self.document(scope).unwrap_or(scope.input);
        Failure::runtime(format!(
            "The JSONPath '{}' specified for the field '{field}' could not be found in the input \
             '{document}'",
            self.source
        ))
    }
}

/// Why nothing is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Miss {
    NotFound,
    /// A function of what is nothing for it: the sum of no numbers.
    Senseless,
    /// More nodes or bytes than a payload could ever have: `$..*..*..*`.
    TooMuch,
    /// Filters that compare more than a path may.
    TooLong,
}

impl Miss {
    fn words(self) -> &'static str {
        match self {
            Self::NotFound => "finds nothing",
            Self::Senseless => "has a function to which what it finds says nothing",
            Self::TooMuch => "matches more than can be held",
            Self::TooLong => "compares more than a path may",
        }
    }
}
