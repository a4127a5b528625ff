//! Intrinsic functions: `States.Format('{}', $.name)` and the others.
//!
//! > Parsed at load time; called with what the paths among the arguments find. Their number counts
//! > only then, as at AWS, which takes a definition with too many or too few. A path that finds
//! > nothing is `States.Runtime`, and so are arguments that do not fit: `States.IntrinsicFailure`,
//! > which the States Language has for them, AWS does not raise. Its sentence quotes the outermost
//! > call.
//!
//! Source: developer guide, "Intrinsics for JSONPath states"; what AWS answers where the guide does
//! not say it, or says something else: the cases recorded on AWS by
//! github.com/gabrielmoreira/tiny-asl-machine (`tests/conformance/cases/`), named where they count.

mod arrays;
mod function;
mod jackson;
mod math;
mod parse;
mod refused;
mod strings;
#[cfg(test)]
mod tests;

pub use function::Function;

use crate::failure::Failure;
use crate::path::{Path, PathError, Root};
use crate::scope::Scope;
use serde_json::Value;

/// A parsed call of an intrinsic function.
#[derive(Debug, Clone, PartialEq)]
pub struct Intrinsic {
    source: String,
    call: Call,
}

/// One call, perhaps inside another.
#[derive(Debug, Clone, PartialEq)]
struct Call {
    function: Function,
    arguments: Vec<Argument>,
}

#[derive(Debug, Clone, PartialEq)]
enum Argument {
    /// Text between single quotes, its backslashes still in place: only `States.Format` tells
    /// `{}` from `\{\}`.
    Text(String),
    /// A number, true, false or null.
    Value(Value),
    Path(Path),
    Call(Call),
}

impl Intrinsic {
    /// Parses `States.Name(argument, …)`.
    ///
    /// # Errors
    ///
    /// If there is no such function, or an argument is none.
    pub fn parse(source: &str) -> Result<Self, PathError> {
        Ok(Self { source: source.to_owned(), call: parse::whole(source)? })
    }

    /// Whether `text` is meant as a call, rather than as a path.
    pub fn looks_like_one(text: &str) -> bool {
        text.trim_start().starts_with("States.")
    }

    /// The text it was parsed from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The paths among its arguments, those of calls inside included.
    pub fn paths(&self) -> Vec<&Path> {
        let arguments = self.calls().into_iter().flat_map(|call| &call.arguments);
        arguments
            .filter_map(|argument| match argument {
                Argument::Path(path) => Some(path),
                Argument::Text(_) | Argument::Value(_) | Argument::Call(_) => None,
            })
            .collect()
    }

    /// What is to be said of calls with too many or too few arguments, those inside included.
    pub fn miscounted(&self) -> Vec<String> {
        let counted = |call: &Call| call.function.miscounted(call.arguments.len());
        self.calls().into_iter().filter_map(counted).collect()
    }

    /// The call and those inside.
    fn calls(&self) -> Vec<&Call> {
        let mut calls = vec![&self.call];
        let mut at = 0;
        while let Some(call) = calls.get(at).copied() {
            calls.extend(call.arguments.iter().filter_map(|argument| match argument {
                Argument::Call(inner) => Some(inner),
                Argument::Path(_) | Argument::Text(_) | Argument::Value(_) => None,
            }));
            at += 1;
        }
        calls
    }

    /// Calls it.
    ///
    /// # Errors
    ///
    /// `States.Runtime` when a path finds nothing, or the function cannot work with its arguments.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, Failure> {
        let source = &self.source;
        self.call.evaluate(scope).map_err(|trouble| {
            Failure::runtime(match trouble {
                Trouble::NotFound(words) => {
                    format!("The function '{source}' had the following error: {words}")
                }
                Trouble::Refused(words) => format!(
                    "There was an error while evaluating the intrinsic function: {source}. {words}"
                ),
            })
        })
    }
}

/// Why a call has no value.
#[derive(Debug)]
enum Trouble {
    NotFound(String),
    Refused(String),
}

impl Call {
    fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, Trouble> {
        let mut values = Vec::with_capacity(self.arguments.len());
        for (at, argument) in self.arguments.iter().enumerate() {
            values.push(match argument {
                Argument::Text(raw) if at == 0 && self.function == Function::Format => {
                    Value::String(raw.clone())
                }
                Argument::Text(raw) => Value::String(strings::unescape(raw)),
                Argument::Value(value) => value.clone(),
                Argument::Path(path) => path
                    .select(scope)
                    .map_err(|failure| Trouble::Refused(failure.cause))?
                    .ok_or_else(|| missing(path, scope))?,
                Argument::Call(inner) => inner.evaluate(scope)?,
            });
        }
        self.function
            .apply(&values, scope)
            .map_err(|refused| Trouble::Refused(refused.words(self.function)))
    }
}

/// AWS's words. A path in the context object is written as if its root were `$`, and it is the
/// state's input that is quoted.
fn missing(path: &Path, scope: &Scope<'_>) -> Trouble {
    let source = match path.root() {
        Root::Context => path.source().get(1..).unwrap_or_default(),
        Root::Input | Root::Variable(_) => path.source(),
    };
    Trouble::NotFound(format!(
        "The JsonPath argument for the field '{source}' could not be found in the input '{}'",
        scope.input
    ))
}
