//! `$fromMillis`, `$toMillis` and `$now`: the execution's time and no other clock.
//!
//! The pictures are those of XPath's `fn:format-dateTime` (XPath and XQuery Functions and Operators
//! 3.1, section 9.8.4), in English and the ISO calendar, with JSONata 2.0.6's readings.

mod fields;
mod matching;
mod picture;
mod read;
mod write;

use super::super::host::{Result, World, error, memory};
use super::super::limits::{MOST_SOURCE, MOST_TIMESTAMP};
use super::instant;
use super::signature::{CONTEXT_NUMBER, CONTEXT_STRING, OPTIONAL_STRING, bound};
use jsonata_core::value::JValue;
use picture::Picture;

/// `$toMillis(timestamp, picture)`: milliseconds since 1970.
pub(super) fn to_millis(world: &World, given: &[JValue]) -> Result {
    let [text, picture] = bound("toMillis", [CONTEXT_STRING, OPTIONAL_STRING], given)?;
    let JValue::String(text) = text else { return Ok(JValue::Undefined) };
    let JValue::String(picture) = picture else { return instant::to_millis(&text) };
    if text.len() > MOST_TIMESTAMP || picture.len() > MOST_TIMESTAMP {
        return Err(memory());
    }
    let millis = read::millis(&text, &Picture::read(&picture)?, world.now() as f64)?;
    Ok(millis.map_or(JValue::Undefined, JValue::Number))
}

/// `$fromMillis(number, picture, timezone)`.
pub(super) fn from_millis(world: &World, given: &[JValue]) -> Result {
    let parameters = [CONTEXT_NUMBER, OPTIONAL_STRING, OPTIONAL_STRING];
    let [number, picture, zone] = bound("fromMillis", parameters, given)?;
    let JValue::Number(number) = number else { return Ok(JValue::Undefined) };
    written(world, number, &picture, &zone)
}

/// `$now(picture, timezone)`.
pub(in super::super) fn now(world: &World, given: &[JValue]) -> Result {
    let [picture, zone] = bound("now", [OPTIONAL_STRING, OPTIONAL_STRING], given)?;
    written(world, world.now() as f64, &picture, &zone)
}

fn written(world: &World, millis: f64, picture: &JValue, zone: &JValue) -> Result {
    const ISO_8601: &str = "[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01].[f001][Z01:01t]";
    let picture = picture.as_str().unwrap_or(ISO_8601);
    if picture.len() > MOST_SOURCE {
        return Err(memory());
    }
    let text = write::written(millis, &Picture::read(picture)?, zone.as_str())?;
    world.build(text.len())?;
    Ok(JValue::from(text))
}

/// Where 2.0.6 fails within JavaScript.
fn no_property() -> jsonata_core::evaluator::EvaluatorError {
    error("Cannot read properties of undefined")
}
