//! `$formatInteger` and `$parseInteger`.
//!
//! The pictures are those of XPath's `fn:format-integer` (XPath and XQuery Functions and Operators
//! 3.1, section 4.6), with JSONata 2.0.6's readings. Dates write and read their numbers with them.

pub(super) mod picture;
pub(super) mod read;
mod words;
pub(super) mod write;

use super::super::host::{Result, World, error, memory};
use super::super::limits::{MOST_NUMERAL, MOST_PICTURE};
use super::signature::{CONTEXT_NUMBER, CONTEXT_STRING, STRING, bound};
use jsonata_core::value::JValue;
use picture::Picture;
use read::Reading;
pub(super) use words::{Numerals, is_blank};

/// `$formatInteger(number, picture)`.
pub(super) fn format_integer(world: &World, given: &[JValue]) -> Result {
    let [number, picture] = bound("formatInteger", [CONTEXT_NUMBER, STRING], given)?;
    let JValue::Number(number) = number else { return Ok(JValue::Undefined) };
    let text = write::written(number.floor(), &read_picture(&picture)?)?;
    world.build(text.len())?;
    Ok(JValue::from(text))
}

/// `$parseInteger(text, picture)`: `NaN` for a text that is no number by the picture.
pub(super) fn parse_integer(given: &[JValue]) -> Result {
    let [text, picture] = bound("parseInteger", [CONTEXT_STRING, STRING], given)?;
    let JValue::String(text) = text else { return Ok(JValue::Undefined) };
    let picture = read_picture(&picture)?;
    if text.len() > MOST_NUMERAL {
        return Err(memory());
    }
    Ok(JValue::Number(Reading::of(&picture)?.number(&text)?))
}

fn read_picture(picture: &JValue) -> Result<Picture> {
    match picture.as_str() {
        Some(text) if text.len() > MOST_PICTURE => Err(memory()),
        Some(text) => Picture::read(text),
        None => Err(error("The picture is undefined")),
    }
}
