//! Built-ins that are evaluated here, as JSONata 2.0.6 has them: the evaluator's own differ.
//!
//! A call `$number(x)` is rewritten to a call of the function of the same name with
//! [`PREFIX`], whose first argument is the context value: the evaluator gives the context to its
//! own functions only.

mod calendar;
mod instant;
mod number;
mod picture;

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
const OWN: [(&str, usize); 8] = [
    ("number", 1),
    ("formatNumber", 3),
    ("toMillis", 1),
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

/// Whether a call with `count` arguments is evaluated here. For times that are read by a picture see
/// [`reads`] and [`READS`].
pub(super) fn takes(name: &str, count: usize) -> bool {
    parameters(name).is_some() && !(name == "toMillis" && count > 1)
}

/// The function that `$toMillis(text, picture)` is, if it is evaluated here.
pub(super) const BY_PICTURE: &str = "guard:toMillisByPicture";

/// The function that says whether [`BY_PICTURE`] reads times by a picture: [`reads`], or none given.
pub(super) const READS: &str = "guard:reads";

/// Whether times are read by this picture here.
pub(super) fn reads(picture: &str) -> bool {
    calendar::is_plain(picture)
}

pub(super) fn install(host: &mut Host<'_>, world: &Rc<World>) -> Result<()> {
    let now = world.now();
    host.register_fn(BY_PICTURE, move |given: &[JValue]| calendar::to_millis(now, given))?;
    host.register_fn(READS, |given: &[JValue]| {
        Ok(JValue::from(match given.first() {
            Some(JValue::String(picture)) => reads(picture),
            picture => matches!(picture, Some(JValue::Undefined)),
        }))
    })?;
    host.register_fn(&format!("{PREFIX}formatNumber"), picture::format_number)?;
    let others: [(&str, OfOne); 2] = [("number", number::number), ("toMillis", instant::to_millis)];
    for (name, function) in coding::FUNCTIONS.into_iter().chain(others) {
        let of_one = move |given: &[JValue]| function(&one(given, name)?);
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
