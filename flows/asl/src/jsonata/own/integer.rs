//! `$formatInteger` and `$parseInteger`.
//!
//! The pictures are those of XPath's `fn:format-integer` (XPath and XQuery Functions and Operators
//! 3.1, section 4.6), with JSONata 2.0.6's readings. Dates write and read their numbers with them.

pub(super) mod picture;
pub(super) mod read;
mod words;
pub(super) mod write;

use super::super::limits::{MOST_NUMERAL, MOST_PICTURE};
use crate::jsonata::error::{Result, error, memory};
use crate::jsonata::evaluate::Evaluation;
use crate::jsonata::value::Value;
use picture::Picture;
use read::Reading;
pub(super) use words::{Numerals, is_blank};

/// `$formatInteger(number, picture)`.
pub(in super::super) fn format_integer(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Number(number), picture] = given else { return Ok(Value::Undefined) };
    run.steps(16)?;
    let text = write::written(number.floor(), &read_picture(picture)?)?;
    run.text(text)
}

/// `$parseInteger(text, picture)`: `NaN` for a text that is no number by the picture.
pub(in super::super) fn parse_integer(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Text(text), picture] = given else { return Ok(Value::Undefined) };
    run.steps(16 + text.len() / 16)?;
    let picture = read_picture(picture)?;
    if text.len() > MOST_NUMERAL {
        return Err(memory());
    }
    Ok(Value::Number(Reading::of(&picture)?.number(text)?))
}

fn read_picture(picture: &Value) -> Result<Picture> {
    match picture.as_str() {
        Some(text) if text.len() > MOST_PICTURE => Err(memory()),
        Some(text) => Picture::read(text),
        None => Err(error("The picture is undefined")),
    }
}
