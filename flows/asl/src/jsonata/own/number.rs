//! `$number`.

use crate::jsonata::error::{Error, Result};
use crate::jsonata::evaluate::Evaluation;
use crate::jsonata::value::Value;
use serde_json::Value as Json;

/// `$number(value)`: a number, a boolean, or a text that JSON would take as a number, or with
/// `0x`, `0o` or `0b` before whole digits. No blanks around it (D3030).
pub(in super::super) fn number(_: &mut Evaluation<'_>, given: &[Value]) -> Result {
    match given {
        [Value::Bool(truth)] => Ok(Value::Number(f64::from(u8::from(*truth)))),
        [Value::Text(text)] => read(text).map(Value::Number).ok_or_else(|| {
            let text = Json::from(&**text);
            Error::coded("D3030", format!("Unable to cast value to a number: {text}"))
        }),
        [other] => Ok(other.clone()),
        _ => Ok(Value::Undefined),
    }
}

fn read(text: &str) -> Option<f64> {
    if let Some(digits) = text.strip_prefix('0').and_then(|rest| {
        let radix = rest.get(..1).and_then(|mark| match mark {
            "x" | "X" => Some(16),
            "o" | "O" => Some(8),
            "b" | "B" => Some(2),
            _ => None,
        })?;
        Some((rest.get(1..)?, radix))
    }) {
        return whole(digits.0, digits.1);
    }
    if !is_decimal(text) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn whole(digits: &str, radix: u32) -> Option<f64> {
    let mut number = None;
    for digit in digits.chars() {
        let digit = digit.to_digit(radix)?;
        number = Some(number.unwrap_or(0.0) * f64::from(radix) + f64::from(digit));
    }
    number
}

/// `-?` digits, `.` digits and an exponent: leading zeros may be there.
fn is_decimal(text: &str) -> bool {
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let exponent = exponent
        .is_none_or(|exponent| are_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)));
    let mantissa = match mantissa.split_once('.') {
        Some((whole, fraction)) => are_digits(whole) && are_digits(fraction),
        None => are_digits(mantissa),
    };
    mantissa && exponent
}
