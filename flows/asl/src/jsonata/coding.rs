//! `$encodeUrl`, `$encodeUrlComponent`, `$decodeUrl`, `$decodeUrlComponent` and `$base64decode`: as the
//! reference implementation (JSONata 2.0.6) has them, or AWS where it differs.

use super::error::{Error, Result, error};
use super::evaluate::Evaluation;
use super::functions::splittable;
use super::value::Value;
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value as Json;

/// What separates the parts of a URL: `encodeURI` leaves it, `decodeURI` leaves its escapes.
const SEPARATORS: &[u8] = b";/?:@&=+$,#";

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// `$encodeUrl(text)`
pub(super) fn encode_url(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    encode(run, SEPARATORS, given)
}

/// `$encodeUrlComponent(text)`
pub(super) fn encode_url_component(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    encode(run, &[], given)
}

/// What `encodeURI` and `encodeURIComponent` leave as it is: letters, digits, a few marks, and
/// `kept`.
fn encode(run: &mut Evaluation<'_>, kept: &[u8], given: &[Value]) -> Result {
    let [Value::Text(text)] = given else { return Ok(Value::Undefined) };
    splittable(text)?;
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
    run.text(encoded)
}

/// `$decodeUrl(text)` leaves the escapes of what separates the parts of a URL, and refuses what is
/// no text when it is decoded (JSONata 2.0.6, D3140).
pub(super) fn decode_url(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    decode(run, "decodeUrl", given)
}

/// `$decodeUrlComponent` is Java's on AWS: `+` is a blank, and bytes that are no text become U+FFFD
/// (measured).
pub(super) fn decode_url_component(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    decode(run, "decodeUrlComponent", given)
}

fn decode(run: &mut Evaluation<'_>, name: &str, given: &[Value]) -> Result {
    let [Value::Text(text)] = given else { return Ok(Value::Undefined) };
    run.build(text.len())?;
    let whole = name == "decodeUrl";
    let malformed = || {
        let shown = Json::from(&**text);
        Error::coded("D3140", format!("Malformed URL passed to ${name}(): {shown}"))
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
        Ok(decoded) => run.text(decoded),
        Err(_) if whole => Err(malformed()),
        Err(wrong) => run.text(String::from_utf8_lossy(wrong.as_bytes()).into_owned()),
    }
}

/// As Java decodes: the padding may be missing, as it is in a JSON Web Token; what is no digit is
/// refused (measured on AWS).
pub(super) fn base64_decode(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Text(text)] = given else { return Ok(Value::Undefined) };
    splittable(text)?;
    let bytes = LENIENT.decode(text.as_bytes()).map_err(|wrong| error(wrong.to_string()))?;
    run.text(String::from_utf8_lossy(&bytes).into_owned())
}
