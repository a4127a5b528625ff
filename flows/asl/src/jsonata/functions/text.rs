//! `$string`, and the copy of a value that it makes.

use super::super::error::{Error, Result, memory};
use super::super::evaluate::{Evaluation, number};
use super::super::limits::MOST_WEIGHT;
use super::super::own::js::number_text;
use super::super::value::{Object, Value};
use std::sync::Arc;

/// `$string(value, prettify)`
pub(super) fn of_value(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [value, prettify] = given else { return Ok(Value::Undefined) };
    let is_pretty = matches!(prettify, Value::Bool(true));
    Ok(written(run, value, is_pretty)?.map_or(Value::Undefined, Value::Text))
}

/// A value as text; `None` for nothing.
///
/// # Errors
///
/// D3001 and D1001 for numbers that JSON does not have.
pub(in crate::jsonata) fn string(
    run: &mut Evaluation<'_>,
    value: &Value,
) -> Result<Option<Arc<str>>> {
    written(run, value, false)
}

fn written(run: &mut Evaluation<'_>, value: &Value, is_pretty: bool) -> Result<Option<Arc<str>>> {
    let text = match value {
        Value::Undefined => return Ok(None),
        Value::Text(text) => return Ok(Some(Arc::clone(text))),
        Value::Function(_) => return Ok(Some("".into())),
        Value::Number(number) if !number.is_finite() => {
            let words = "Attempting to invoke string function on Infinity or NaN";
            return Err(Error::coded("D3001", words));
        }
        value => {
            let mut text = String::new();
            write(run, value, is_pretty.then_some(0), &mut text)?;
            text
        }
    };
    run.fits(text.len())?;
    Ok(Some(text.into()))
}

/// JSON as `JSON.stringify` writes it, indented by two blanks a level if a level is given.
fn write(
    run: &mut Evaluation<'_>,
    value: &Value,
    level: Option<usize>,
    text: &mut String,
) -> Result<()> {
    run.step()?;
    if text.len() > MOST_WEIGHT {
        return Err(memory());
    }
    match value {
        Value::Null | Value::Undefined | Value::Tuples(_) => text.push_str("null"),
        Value::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
        Value::Number(_) => match number(value)? {
            // The largest number is rounded to one that there is not.
            Some(number) if precise(number).is_finite() => {
                text.push_str(&number_text(precise(number)));
            }
            _ => text.push_str("null"),
        },
        Value::Text(part) => quote(part, text),
        Value::Function(_) => text.push_str("\"\""),
        Value::Array(array) => {
            text.push('[');
            for (index, item) in array.items().iter().enumerate() {
                separate(index, level, text);
                write(run, item, level.map(|level| level + 1), text)?;
            }
            end(array.len(), level, text);
            text.push(']');
        }
        Value::Object(object) => {
            text.push('{');
            for (index, (name, member)) in object.members().iter().enumerate() {
                separate(index, level, text);
                quote(name, text);
                text.push_str(if level.is_some() { ": " } else { ":" });
                write(run, member, level.map(|level| level + 1), text)?;
            }
            end(object.len(), level, text);
            text.push('}');
        }
    }
    Ok(())
}

fn separate(index: usize, level: Option<usize>, text: &mut String) {
    if index > 0 {
        text.push(',');
    }
    if let Some(level) = level {
        line(level + 1, text);
    }
}

fn end(length: usize, level: Option<usize>, text: &mut String) {
    if let Some(level) = level.filter(|_| length > 0) {
        line(level, text);
    }
}

fn line(level: usize, text: &mut String) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", level));
}

/// ECMA-262, `QuoteJSONString`.
fn quote(part: &str, text: &mut String) {
    text.push('"');
    for char in part.chars() {
        match char {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\0'..='\u{1f}' => text.push_str(&format!("\\u{:04x}", u32::from(char))),
            char => text.push(char),
        }
    }
    text.push('"');
}

/// A number as fifteen digits tell it (ECMA-262, `toPrecision`): of two as near, the larger.
fn precise(number: f64) -> f64 {
    // Whole numbers of up to fifteen digits are told by them.
    if number.fract() == 0.0 && number.abs() < 1e15 {
        return number;
    }
    let text = format!("{:.40e}", number.abs());
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let rest = digits.get(16..).unwrap_or_default();
    let is_half = rest.starts_with('5') && rest.bytes().skip(1).all(|digit| digit == b'0');
    let size = if is_half {
        // One more in the last place makes it the larger.
        format!("{}6e{exponent}", digits.get(..16).unwrap_or_default())
    } else {
        text.clone()
    };
    let rounded = format!("{:.14e}", size.parse::<f64>().unwrap_or(number.abs()));
    rounded.parse::<f64>().unwrap_or(number.abs()).copysign(number)
}

/// A copy of a value, as it would be read from its text: no functions, numbers of fifteen digits, and
/// every object another than it was.
pub(in crate::jsonata) fn copied(run: &mut Evaluation<'_>, value: &Value) -> Result {
    run.step()?;
    match value {
        Value::Array(array) => {
            let mut items = Vec::with_capacity(array.len());
            for item in array.items() {
                items.push(match item {
                    Value::Undefined => Value::Null,
                    item => copied(run, item)?,
                });
            }
            run.list(items)
        }
        Value::Object(object) => {
            let mut copy = Object::default();
            for (name, member) in object.members() {
                copy.insert(Arc::clone(name), copied(run, member)?);
            }
            run.object(copy)
        }
        Value::Number(_) => Ok(number(value)?.map_or(Value::Null, |number| precise(number).into())),
        Value::Function(_) => Ok(Value::from("")),
        other => Ok(other.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::precise;

    #[test]
    fn a_number_is_told_by_fifteen_digits_the_larger_of_two_as_near() {
        for (number, told) in [
            (0.1 + 0.2, 0.3),
            (-0.1 - 0.2, -0.3),
            (100_000_000_000_000.5, 100_000_000_000_001.0),
            (100_000_000_000_001.5, 100_000_000_000_002.0),
            (1.0 / 3.0, 0.333_333_333_333_333),
            (1e300, 1e300),
            (5e-324, 4.94065645841247e-324),
            (0.0, 0.0),
        ] {
            assert_eq!(precise(number).to_bits(), f64::to_bits(told), "{number}");
        }
    }
}
