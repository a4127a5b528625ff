//! Functions of texts, those with regular expressions aside.

use super::super::error::{Error, Result, error, memory};
use super::super::evaluate::Evaluation;
use super::super::limits::{FARTHEST, MOST_SPLIT, MOST_WEIGHT};
use super::super::value::Value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// `$length(text)`, in characters.
pub(super) fn length(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Text(text)] = given else { return Ok(Value::Undefined) };
    run.steps(text.len() / 64)?;
    Ok(Value::from(text.chars().count()))
}

/// `$substring(text, start, length)`
pub(super) fn substring(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Text(text), start, length] = given else { return Ok(Value::Undefined) };
    run.steps(text.len() / 64)?;
    let count = text.chars().count() as f64;
    let near = |number: f64| number.clamp(-FARTHEST, FARTHEST);
    let mut start = start.as_f64().map_or(0.0, near);
    if count + start < 0.0 {
        start = 0.0;
    }
    let end = match length {
        Value::Number(length) if *length <= 0.0 => return Ok(Value::from("")),
        Value::Number(length) if start >= 0.0 => start + near(*length),
        Value::Number(length) => count + start + near(*length),
        _ => count,
    };
    // As `Array.prototype.slice` takes places: whole, from the end if negative, `NaN` as nought.
    let place = |place: f64| {
        let place = if place.is_nan() { 0.0 } else { place.trunc() };
        let place = if place < 0.0 { (count + place).max(0.0) } else { place.min(count) };
        place as usize
    };
    let (from, to) = (place(start), place(end));
    let part: String = text.chars().skip(from).take(to.saturating_sub(from)).collect();
    run.text(part)
}

/// `$substringBefore(text, part)`
pub(super) fn before(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Text(text), part] = given else { return Ok(Value::Undefined) };
    run.steps(text.len() / 64)?;
    // JavaScript looks for the name of what is not there.
    let part = part.as_str().unwrap_or("undefined");
    match text.split_once(part) {
        Some((before, _)) => run.text(before.to_owned()),
        None => Ok(Value::Text(text.clone())),
    }
}

/// `$substringAfter(text, part)`
pub(super) fn after(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Text(text), part] = given else { return Ok(Value::Undefined) };
    run.steps(text.len() / 64)?;
    let part = part.as_str().unwrap_or("undefined");
    match text.split_once(part) {
        Some((_, after)) => run.text(after.to_owned()),
        None => Ok(Value::Text(text.clone())),
    }
}

/// `$lowercase(text)`
pub(super) fn lowercase(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Text(text)] = given else { return Ok(Value::Undefined) };
    run.text(text.to_lowercase())
}

/// `$uppercase(text)`
pub(super) fn uppercase(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Text(text)] = given else { return Ok(Value::Undefined) };
    run.text(text.to_uppercase())
}

/// `$trim(text)`: none of four kinds of blanks at the ends, and one blank for several within.
pub(super) fn trim(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Text(text)] = given else { return Ok(Value::Undefined) };
    let words: Vec<&str> =
        text.split([' ', '\t', '\n', '\r']).filter(|word| !word.is_empty()).collect();
    run.build(16 * words.len())?;
    run.text(words.join(" "))
}

/// `$pad(text, width, char)`
pub(super) fn pad(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Text(text), width, char] = given else { return Ok(Value::Undefined) };
    let Some(width) = width.as_f64() else { return Ok(Value::Text(text.clone())) };
    let length = text.chars().count() as f64;
    let missing = width.abs() - length;
    if missing.is_nan() || missing <= 0.0 {
        return Ok(Value::Text(text.clone()));
    }
    if missing > MOST_WEIGHT as f64 {
        return Err(memory());
    }
    if missing.fract() != 0.0 {
        return Err(error("Invalid array length"));
    }
    let char = char.as_str().filter(|char| !char.is_empty()).unwrap_or(" ");
    let missing = missing as usize;
    run.steps(char.len() / 64)?;
    let length = char.chars().count().max(1);
    let part: usize = char.chars().take(missing % length).map(char::len_utf8).sum();
    let padding = (missing / length).saturating_mul(char.len()).saturating_add(part);
    run.fits(text.len().saturating_add(padding))?;
    let padding: String = char.chars().cycle().take(missing).collect();
    let padded = if width > 0.0 { format!("{text}{padding}") } else { format!("{padding}{text}") };
    run.text(padded)
}

/// `$join(texts, separator)`
pub(super) fn join(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Array(texts), separator] = given else { return Ok(Value::Undefined) };
    let separator = separator.as_str().unwrap_or_default();
    let mut bytes = separator.len().saturating_mul(texts.len().saturating_sub(1));
    for text in texts.items() {
        run.step()?;
        bytes = bytes.saturating_add(text.as_str().map_or(0, str::len));
    }
    run.fits(bytes)?;
    let texts: Vec<&str> =
        texts.items().iter().map(|text| text.as_str().unwrap_or_default()).collect();
    Ok(Value::from(texts.join(separator)))
}

/// `$base64encode(text)`, in UTF-8 as on AWS: 2.0.6 takes the lower half of each unit of UTF-16.
pub(super) fn base64_encode(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Text(text)] = given else { return Ok(Value::Undefined) };
    splittable(text)?;
    run.text(STANDARD.encode(text.as_bytes()))
}

/// Whether a text may be split or encoded.
pub(in crate::jsonata) fn splittable(text: &str) -> Result<()> {
    if text.len() > MOST_SPLIT { Err(memory()) } else { Ok(()) }
}

/// A place or a number of matches that must not be negative.
pub(super) fn limit(limit: &Value, code: &'static str, words: &str) -> Result<Option<f64>> {
    match limit {
        Value::Number(limit) if *limit < 0.0 => Err(Error::coded(code, words)),
        Value::Number(limit) => Ok(Some(*limit)),
        _ => Ok(None),
    }
}
