//! The functions on text and on JSON as text.

use super::jackson;
use super::refused::Refused;
use crate::digest;
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use serde_json::Value;

/// The most characters AWS encodes, decodes or hashes.
const MOST_CHARACTERS: usize = 10_000;
/// The most text `States.Format` makes: a multiple of what a payload may hold.
const MOST_FORMATTED: usize = 1024 * 1024;

/// With or without the padding, whatever the last bits are.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

fn text(value: &Value) -> Result<&str, Refused> {
    value.as_str().ok_or(Refused::Arguments)
}

fn short(value: &Value) -> Result<&str, Refused> {
    let text = text(value)?;
    if text.chars().count() > MOST_CHARACTERS { Err(Refused::Arguments) } else { Ok(text) }
}

/// Takes away the backslash before `'`, `{`, `}` and `\`. Others stay: `'{"a":"\""}'` is JSON.
pub(super) fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(c) = rest.next() {
        match (c, rest.clone().next()) {
            ('\\', Some(escaped @ ('\'' | '{' | '}' | '\\'))) => {
                text.push(escaped);
                rest.next();
            }
            _ => text.push(c),
        }
    }
    text
}

pub(super) fn format(template: &Value, values: &[Value]) -> Result<Value, Refused> {
    let template = text(template)?;
    let mut formatted = String::with_capacity(template.len());
    let mut values = values.iter();
    let mut rest = template.chars();
    while let Some(c) = rest.next() {
        match (c, rest.clone().next()) {
            ('\\', Some(escaped @ ('\'' | '{' | '}' | '\\'))) => {
                formatted.push(escaped);
                rest.next();
            }
            ('{', Some('}')) => {
                rest.next();
                show(values.next().ok_or(Refused::Placeholders)?, &mut formatted);
            }
            ('{', _) => return Err(Refused::Unclosed),
            ('}', _) => return Err(Refused::Unopened),
            _ => formatted.push(c),
        }
        if formatted.len() > MOST_FORMATTED {
            return Err(Refused::Arguments);
        }
    }
    if values.next().is_some() {
        return Err(Refused::Placeholders);
    }
    Ok(Value::String(formatted))
}

/// Writes a value as AWS does in a text: `{a=1, b=[x, true]}`, with no quotes (recorded on AWS).
fn show(value: &Value, text: &mut String) {
    match value {
        Value::String(word) => text.push_str(word),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { ", " });
                show(item, text);
            }
            text.push(']');
        }
        Value::Object(members) => {
            text.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { ", " });
                text.push_str(name);
                text.push('=');
                show(member, text);
            }
            text.push('}');
        }
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(double) => text.push_str(&java_double(double)),
            None => text.push_str(&number.to_string()),
        },
        other => text.push_str(&other.to_string()),
    }
}

/// A number with a fraction as Java's `Double.toString` has it: `2.5`, `1.0E7`.
fn java_double(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{number:?}");
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((digits, power)) if digits.contains('.') => format!("{digits}E{power}"),
        Some((digits, power)) => format!("{digits}.0E{power}"),
        None => text,
    }
}

pub(super) fn to_json(text_of_json: &Value) -> Result<Value, Refused> {
    let text = text(text_of_json)?;
    // An empty text is null on AWS (tiny-asl-machine, States.StringToJson 013).
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(text).map_err(|error| {
        Refused::NotJson(jackson::complaint(text).unwrap_or_else(|| error.to_string()))
    })
}

pub(super) fn base64_encode(data: &Value) -> Result<Value, Refused> {
    Ok(Value::String(STANDARD.encode(short(data)?)))
}

pub(super) fn base64_decode(data: &Value) -> Result<Value, Refused> {
    // AWS takes what is no Base64 too (tiny-asl-machine, States.Base64Decode 013 to 019), as a
    // decoder does that reads over every other character and ends at the padding.
    let mut digits: String = short(data)?
        .chars()
        .take_while(|c| *c != '=')
        .filter_map(|c| match c {
            '-' => Some('+'),
            '_' => Some('/'),
            c => (c.is_ascii_alphanumeric() || matches!(c, '+' | '/')).then_some(c),
        })
        .collect();
    if digits.len() % 4 == 1 {
        digits.pop();
    }
    let bytes = LENIENT.decode(digits).map_err(|_| Refused::Arguments)?;
    Ok(Value::String(String::from_utf8_lossy(&bytes).into_owned()))
}

pub(super) fn hash(data: &Value, algorithm: &Value) -> Result<Value, Refused> {
    let as_json = Value::String(data.to_string());
    let data = short(if data.is_string() { data } else { &as_json })?;
    let algorithm = text(algorithm)?;
    digest::hex(algorithm, data).map(Value::String).ok_or(Refused::Arguments)
}

pub(super) fn merge(under: &Value, over: &Value, deep: &Value) -> Result<Value, Refused> {
    let (Value::Object(under), Value::Object(over)) = (under, over) else {
        return Err(Refused::Arguments);
    };
    // Whatever is not true is the shallow mode (tiny-asl-machine, States.JsonMerge 015); there is
    // no other.
    if *deep == Value::Bool(true) {
        return Err(Refused::Arguments);
    }
    let mut merged = under.clone();
    merged.extend(over.iter().map(|(key, value)| (key.clone(), value.clone())));
    Ok(Value::Object(merged))
}

/// At every one of the characters; nothing between two of them is no part.
pub(super) fn split(whole: &Value, characters: &Value) -> Result<Value, Refused> {
    let (whole, characters) = (text(whole)?, text(characters)?);
    let parts = whole.split(|c| characters.contains(c)).filter(|part| !part.is_empty());
    Ok(parts.map(|part| Value::String(part.to_owned())).collect())
}
