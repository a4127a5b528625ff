//! Built-ins that are evaluated here, as JSONata 2.0.6 has them: the evaluator's own differ.
//!
//! A call `$number(x)` is rewritten to a call of the function of the same name with
//! [`PREFIX`], whose first argument is the context value: the evaluator gives the context to its
//! own functions only.

mod base;
mod date;
mod instant;
mod integer;
mod js;
mod number;
mod picture;
mod round;
mod signature;

pub(super) use date::now;

use super::coding;
use super::host::{Host, Result, World, error, mismatch};
use jsonata_core::evaluator::EvaluatorError;
use jsonata_core::value::JValue;
use std::rc::Rc;

/// What no expression can write before a name.
pub(super) const PREFIX: &str = "guard:";

/// A function of one argument.
pub(super) type OfOne = fn(&JValue) -> Result;

/// Name, and how many arguments one takes when it is handed on as a value.
const OWN: [(&str, usize); 14] = [
    ("now", 2),
    ("fromMillis", 3),
    ("formatInteger", 2),
    ("parseInteger", 2),
    ("formatBase", 2),
    ("number", 1),
    ("round", 2),
    ("formatNumber", 3),
    ("toMillis", 2),
    ("encodeUrl", 1),
    ("encodeUrlComponent", 1),
    ("decodeUrl", 1),
    ("decodeUrlComponent", 1),
    ("base64decode", 1),
];

/// How many arguments the built-in takes when it is handed on, if it is evaluated here.
pub(super) fn parameters(name: &str) -> Option<usize> {
    OWN.iter().find(|own| own.0 == name).map(|own| own.1)
}

/// A function that knows the time, and counts what it builds.
type OfWorld = fn(&World, &[JValue]) -> Result;

pub(super) fn install(host: &mut Host<'_>, world: &Rc<World>) -> Result<()> {
    let of_world: [(&str, OfWorld); 6] = [
        ("now", date::now),
        ("fromMillis", date::from_millis),
        ("toMillis", date::to_millis),
        ("formatInteger", integer::format_integer),
        ("formatBase", base::format_base),
        ("formatNumber", picture::format_number),
    ];
    for (name, function) in of_world {
        let of = Rc::clone(world);
        let function = move |given: &[JValue]| function(&of, given);
        host.register_fn(&format!("{PREFIX}{name}"), function)?;
    }
    host.register_fn(&format!("{PREFIX}parseInteger"), integer::parse_integer)?;
    host.register_fn(&format!("{PREFIX}round"), round::round)?;
    let number: (&str, OfOne) = ("number", number::number);
    for (name, function) in coding::FUNCTIONS.into_iter().chain([number]) {
        let of_one = move |given: &[JValue]| match function(&one(given, name)?) {
            Err(error) if given.len() == 1 && error.message().starts_with("T0410") => {
                Err(signature::not_of_context(1, name))
            }
            given => given,
        };
        host.register_fn(&format!("{PREFIX}{name}"), of_one)?;
    }
    Ok(())
}

/// The one argument of a function, or the context.
fn one(given: &[JValue], name: &str) -> Result {
    match given {
        [context] => Ok(context.clone()),
        [_, argument] => Ok(argument.clone()),
        [_, _, ..] => Err(mismatch(2, name)),
        [] => Ok(JValue::Undefined),
    }
}

/// An error of JSONata.
fn coded(code: &str, words: &str) -> EvaluatorError {
    error(format!("{code}: {words}"))
}
