//! Which argument of a call is which parameter of a built-in.
//!
//! JSONata matches the types of the arguments, one letter each, with the parameters as a regular
//! expression would, greedy from left to right. A parameter that may be the context takes it where no
//! argument is left for it. (JSONata documentation, "Writing higher-order functions": function
//! signatures.)

use super::super::host::{Result, error, mismatch};
use jsonata_core::evaluator::EvaluatorError;
use jsonata_core::value::JValue;

/// One parameter of a built-in.
#[derive(Clone, Copy)]
pub(super) struct Parameter {
    kind: Kind,
    /// What stands in if no argument does.
    otherwise: Otherwise,
}

#[derive(Clone, Copy)]
enum Kind {
    Number,
    String,
}

#[derive(Clone, Copy, PartialEq)]
enum Otherwise {
    /// It must be given.
    Never,
    Context,
    Nothing,
}

/// A number that may be the context: `n-`.
pub(super) const CONTEXT_NUMBER: Parameter =
    Parameter { kind: Kind::Number, otherwise: Otherwise::Context };
/// A text that may be the context: `s-`.
pub(super) const CONTEXT_STRING: Parameter =
    Parameter { kind: Kind::String, otherwise: Otherwise::Context };
/// `s`
pub(super) const STRING: Parameter = Parameter { kind: Kind::String, otherwise: Otherwise::Never };
/// `n?`
pub(super) const OPTIONAL_NUMBER: Parameter =
    Parameter { kind: Kind::Number, otherwise: Otherwise::Nothing };
/// `s?`
pub(super) const OPTIONAL_STRING: Parameter =
    Parameter { kind: Kind::String, otherwise: Otherwise::Nothing };

impl Parameter {
    /// Nothing is of every type.
    fn admits(self, value: &JValue) -> bool {
        match value {
            JValue::Undefined => true,
            JValue::Number(_) => matches!(self.kind, Kind::Number),
            JValue::String(_) => matches!(self.kind, Kind::String),
            _ => false,
        }
    }
}

/// The value of each parameter of `name`, of `(context, arguments…)`.
///
/// # Errors
///
/// T0410 with the place of the first argument that fits nowhere; T0411 for the context.
pub(super) fn bound<const N: usize>(
    name: &str,
    parameters: [Parameter; N],
    given: &[JValue],
) -> Result<[JValue; N]> {
    let (context, arguments) = match given.split_first() {
        Some((context, arguments)) => (context.clone(), arguments),
        None => (JValue::Undefined, given),
    };
    let Some(taken) = taken(&parameters, arguments, true) else {
        return Err(mismatch(first_wrong(&parameters, arguments) + 1, name));
    };
    let mut values = [const { JValue::Undefined }; N];
    let mut next = 0;
    for ((value, parameter), is_taken) in values.iter_mut().zip(parameters).zip(taken) {
        if is_taken {
            *value = arguments.get(next).cloned().unwrap_or(JValue::Undefined);
            next += 1;
        } else if parameter.otherwise == Otherwise::Context {
            if !parameter.admits(&context) {
                return Err(not_of_context(next + 1, name));
            }
            *value = context.clone();
        }
    }
    Ok(values)
}

/// The context is of a wrong type for a parameter.
pub(super) fn not_of_context(argument: usize, name: &str) -> EvaluatorError {
    error(format!(
        "T0411: Context value is not a compatible type with argument {argument} of function \
         \"{name}\""
    ))
}

/// Which parameters take an argument each; `None` if the arguments do not match.
fn taken(parameters: &[Parameter], arguments: &[JValue], is_whole: bool) -> Option<Vec<bool>> {
    let Some((parameter, others)) = parameters.split_first() else {
        return (arguments.is_empty() || !is_whole).then(Vec::new);
    };
    let with = |is_taken: bool, mut rest: Vec<bool>| {
        rest.insert(0, is_taken);
        rest
    };
    let found = arguments.split_first().filter(|(first, _)| parameter.admits(first));
    if let Some(rest) = found.and_then(|(_, rest)| taken(others, rest, is_whole)) {
        return Some(with(true, rest));
    }
    if parameter.otherwise == Otherwise::Never {
        return None;
    }
    taken(others, arguments, is_whole).map(|rest| with(false, rest))
}

/// How many arguments match the parameters before the one that fails.
fn first_wrong(parameters: &[Parameter], arguments: &[JValue]) -> usize {
    let mut good = 0;
    for count in 1..=parameters.len() {
        let before = parameters.get(..count).unwrap_or_default();
        match taken(before, arguments, false) {
            Some(taken) => good = taken.iter().filter(|is_taken| **is_taken).count(),
            None => break,
        }
    }
    good
}
