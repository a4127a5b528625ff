//! `$fromMillis`, `$toMillis` and `$now`: the execution's time and no other clock.
//!
//! The pictures are those of XPath's `fn:format-dateTime` (XPath and XQuery Functions and Operators
//! 3.1, section 9.8.4), in English and the ISO calendar, with JSONata 2.0.6's readings.

mod fields;
mod matching;
mod picture;
mod read;
mod write;

use super::super::limits::{MOST_SOURCE, MOST_TIMESTAMP};
use super::instant;
use crate::jsonata::error::{Result, error, memory};
use crate::jsonata::evaluate::Evaluation;
use crate::jsonata::value::Value;
use picture::Picture;

/// `$toMillis(timestamp, picture)`: milliseconds since 1970.
pub(in super::super) fn to_millis(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Text(text), picture] = given else { return Ok(Value::Undefined) };
    let Value::Text(picture) = picture else { return instant::to_millis(text) };
    run.steps(64)?;
    if text.len() > MOST_TIMESTAMP || picture.len() > MOST_TIMESTAMP {
        return Err(memory());
    }
    let millis = read::millis(text, &Picture::read(picture)?, run.now())?;
    Ok(millis.map_or(Value::Undefined, Value::Number))
}

/// `$fromMillis(number, picture, timezone)`.
pub(in super::super) fn from_millis(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Number(number), picture, zone] = given else { return Ok(Value::Undefined) };
    written(run, *number, picture, zone)
}

/// `$now(picture, timezone)`.
pub(in super::super) fn now(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [picture, zone] = given else { return Ok(Value::Undefined) };
    written(run, run.now(), picture, zone)
}

fn written(run: &mut Evaluation<'_>, millis: f64, picture: &Value, zone: &Value) -> Result {
    const ISO_8601: &str = "[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01].[f001][Z01:01t]";
    let picture = picture.as_str().unwrap_or(ISO_8601);
    if picture.len() > MOST_SOURCE {
        return Err(memory());
    }
    let text = write::written(millis, &Picture::read(picture)?, zone.as_str())?;
    run.steps(64)?;
    run.text(text)
}

/// Where 2.0.6 fails within JavaScript.
fn no_property() -> crate::jsonata::error::Error {
    error("Cannot read properties of undefined")
}
