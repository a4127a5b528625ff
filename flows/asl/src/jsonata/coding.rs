//! `$encodeUrl`, `$encodeUrlComponent`, `$decodeUrl`, `$decodeUrlComponent` and `$base64decode`: as the
//! reference implementation (JSONata 2.0.6) has them, or AWS where it differs.

use super::host::{Result, error, mismatch};
use super::own::OfOne;
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
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

/// The functions by their names.
pub(super) const FUNCTIONS: [(&str, OfOne); 5] = [
    ("encodeUrl", |value| encode("encodeUrl", SEPARATORS, value)),
    ("encodeUrlComponent", |value| encode("encodeUrlComponent", &[], value)),
    ("decodeUrl", |value| decode_url("decodeUrl", value)),
    ("decodeUrlComponent", |value| decode_url("decodeUrlComponent", value)),
    ("base64decode", base64_decode),
];

/// What `encodeURI` and `encodeURIComponent` leave as it is: letters, digits, a few marks, and
/// `kept`.
fn encode(name: &str, kept: &[u8], value: &JValue) -> Result {
    let text = match value {
        JValue::Undefined => return Ok(JValue::Undefined),
        JValue::String(text) => text,
        _ => return Err(mismatch(1, name)),
    };
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let is_kept =
            byte.is_ascii_alphanumeric() || kept.contains(&byte) || b"-_.!~*'()".contains(&byte);
        if is_kept {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(JValue::from(encoded))
}

/// `$decodeUrl(text)` leaves the escapes of what separates the parts of a URL, and refuses what is
/// no text when it is decoded (JSONata 2.0.6, D3140). `$decodeUrlComponent` is Java's on AWS: `+` is
/// a blank, and bytes that are no text become U+FFFD (measured).
fn decode_url(name: &str, value: &JValue) -> Result {
    let text = match value {
        JValue::Undefined => return Ok(JValue::Undefined),
        JValue::String(text) => text,
        _ => return Err(mismatch(1, name)),
    };
    let whole = name == "decodeUrl";
    let malformed = || {
        let shown = Value::from(&**text);
        error(format!("D3140: Malformed URL passed to ${name}(): {shown}"))
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            bytes.push(if first == b'+' && !whole { b' ' } else { first });
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2).ok_or_else(malformed)?;
        let hex = std::str::from_utf8(digits).ok().filter(|hex| !hex.starts_with('+'));
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).ok_or_else(malformed)?;
        if whole && SEPARATORS.contains(&byte) {
            bytes.push(first);
            bytes.extend(digits);
        } else {
            bytes.push(byte);
        }
        rest = after;
    }
    match String::from_utf8(bytes) {
        Ok(decoded) => Ok(JValue::from(decoded)),
        Err(_) if whole => Err(malformed()),
        Err(wrong) => Ok(JValue::from(String::from_utf8_lossy(wrong.as_bytes()).into_owned())),
    }
}

/// As Java decodes: the padding may be missing, as it is in a JSON Web Token; what is no digit is
/// refused (measured on AWS).
fn base64_decode(value: &JValue) -> Result {
    let text = match value {
        JValue::Undefined => return Ok(JValue::Undefined),
        JValue::String(text) => text,
        _ => return Err(mismatch(1, "base64decode")),
    };
    let bytes = LENIENT.decode(text.as_bytes()).map_err(|wrong| error(wrong.to_string()))?;
    Ok(JValue::from(String::from_utf8_lossy(&bytes).into_owned()))
}
