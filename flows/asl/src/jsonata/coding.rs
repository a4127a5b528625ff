//! `$encodeUrl`, `$decodeUrl`, `$decodeUrlComponent` and `$base64decode` as the reference
//! implementation (JSONata 2.0.6) has them, and its text of numbers.

use super::host::{Result, at, error, mismatch};
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use jsonata_core::evaluator::Evaluator;
use jsonata_core::value::JValue;
use serde_json::Value;

/// What separates the parts of a URL: `encodeURI` leaves it, `decodeURI` leaves its escapes.
const SEPARATORS: &[u8] = b";/?:@&=+$,#";

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Gives `evaluator` the functions.
pub(super) fn install(evaluator: &mut Evaluator) -> Result<()> {
    for name in ["decodeUrl", "decodeUrlComponent"] {
        let decode = move |arguments: &[JValue]| decode_url(name, arguments);
        evaluator.register_fn_override(name, decode)?;
    }
    evaluator.register_fn_override("encodeUrl", encode_url)?;
    evaluator.register_fn_override("base64decode", base64_decode)
}

fn encode_url(arguments: &[JValue]) -> Result {
    let text = match at(arguments, 0) {
        JValue::Undefined => return Ok(JValue::Undefined),
        JValue::String(text) => text,
        _ => return Err(mismatch(1, "encodeUrl")),
    };
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let kept = byte.is_ascii_alphanumeric()
            || SEPARATORS.contains(&byte)
            || b"-_.!~*'()".contains(&byte);
        if kept {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(JValue::from(encoded))
}

/// `$decodeUrl(text)` leaves the escapes of what separates the parts of a URL; both refuse what
/// is no text when it is decoded (JSONata 2.0.6, D3140).
fn decode_url(name: &str, arguments: &[JValue]) -> Result {
    let text = match at(arguments, 0) {
        JValue::Undefined => return Ok(JValue::Undefined),
        JValue::String(text) => text,
        _ => return Err(mismatch(1, name)),
    };
    let kept: &[u8] = if name == "decodeUrl" { SEPARATORS } else { b"" };
    let malformed = || {
        let shown = Value::from(&*text);
        error(format!("D3140: Malformed URL passed to ${name}(): {shown}"))
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2).ok_or_else(malformed)?;
        let hex = std::str::from_utf8(digits).ok().filter(|hex| !hex.starts_with('+'));
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).ok_or_else(malformed)?;
        if kept.contains(&byte) {
            bytes.extend([b'%', digits[0], digits[1]]);
        } else {
            bytes.push(byte);
        }
        rest = after;
    }
    String::from_utf8(bytes).map(JValue::from).map_err(|_| malformed())
}

/// As `atob` of Node.js: what is no digit is skipped, `-` and `_` are digits too, and the padding
/// may be missing, as it is in a JSON Web Token.
fn base64_decode(arguments: &[JValue]) -> Result {
    let text = match at(arguments, 0) {
        JValue::Undefined => return Ok(JValue::Undefined),
        JValue::String(text) => text,
        _ => return Err(mismatch(1, "base64decode")),
    };
    let mut digits: Vec<u8> = Vec::with_capacity(text.len());
    for byte in text.bytes().take_while(|byte| *byte != b'=') {
        match byte {
            b'-' => digits.push(b'+'),
            b'_' => digits.push(b'/'),
            byte if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/') => {
                digits.push(byte);
            }
            _ => {}
        }
    }
    if digits.len() % 4 == 1 {
        digits.pop();
    }
    let bytes = LENIENT.decode(digits).map_err(|wrong| error(wrong.to_string()))?;
    Ok(JValue::from(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Numbers that have more than 15 digits before the point, rounded to 15: the evaluator's own text
/// does so with the others.
pub(super) fn with_15_digits(value: JValue) -> JValue {
    match value {
        JValue::Number(number) if number.abs() >= 1e15 && number.is_finite() => {
            let rounded = format!("{number:.14e}").parse().ok().filter(|n: &f64| n.is_finite());
            JValue::Number(rounded.unwrap_or(number))
        }
        JValue::Array(items) if items.iter().any(is_long) => {
            JValue::array(items.into_vec().into_iter().map(with_15_digits).collect())
        }
        other => other,
    }
}

fn is_long(value: &JValue) -> bool {
    match value {
        JValue::Number(number) => number.abs() >= 1e15,
        JValue::Array(items) => items.iter().any(is_long),
        _ => false,
    }
}
