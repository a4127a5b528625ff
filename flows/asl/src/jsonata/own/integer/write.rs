//! Whole numbers, written by a picture.

use super::super::js;
use super::picture::{ASCII_ZERO, Case, Decimal, Grouping, Picture, Primary, no_sequence};
use super::words;
use crate::jsonata::error::{Result, error, memory};
use crate::jsonata::limits::{LARGEST_ROMAN, MOST_PICTURE};

const ROMAN: [(f64, &str); 13] = [
    (1000.0, "m"),
    (900.0, "cm"),
    (500.0, "d"),
    (400.0, "cd"),
    (100.0, "c"),
    (90.0, "xc"),
    (50.0, "l"),
    (40.0, "xl"),
    (10.0, "x"),
    (9.0, "ix"),
    (5.0, "v"),
    (4.0, "iv"),
    (1.0, "i"),
];

/// `number`, which is whole, by `picture`.
///
/// # Errors
///
/// D3130; for Roman numerals over [`LARGEST_ROMAN`]; for what is no number, where 2.0.6 does not end.
pub(in super::super) fn written(number: f64, picture: &Picture) -> Result<String> {
    let size = number.abs();
    let text = match &picture.primary {
        Primary::Letters => letters(size, if picture.case == Case::Upper { 'A' } else { 'a' })?,
        Primary::Roman => cased(roman(size)?, picture.case),
        Primary::Words => cased(words::written(size, picture.is_ordinal)?, picture.case),
        Primary::Decimal(decimal) => decimal_text(size, decimal, picture.is_ordinal)?,
        Primary::Sequence(token) => return Err(no_sequence(token)),
    };
    Ok(if number < 0.0 { format!("-{text}") } else { text })
}

fn cased(text: String, case: Case) -> String {
    match case {
        Case::Upper => text.to_ascii_uppercase(),
        Case::Lower => text.to_ascii_lowercase(),
        Case::Title => text,
    }
}

/// A to Z, then AA: nothing for nought.
fn letters(mut number: f64, first: char) -> Result<String> {
    if number.is_infinite() {
        return Err(memory());
    }
    let mut letters = Vec::new();
    while number > 0.0 {
        let letter = u32::from(first) + ((number - 1.0) % 26.0) as u32;
        letters.extend(char::from_u32(letter));
        number = ((number - 1.0) / 26.0).floor();
    }
    Ok(letters.iter().rev().collect())
}

fn roman(mut number: f64) -> Result<String> {
    if number > LARGEST_ROMAN {
        return Err(memory());
    }
    let mut text = String::new();
    for (value, numeral) in ROMAN {
        while number >= value {
            text.push_str(numeral);
            number -= value;
        }
    }
    Ok(text)
}

/// Places are those of UTF-16 units, which matters where a separator stands before a number's first
/// digit: 2.0.6 then counts from the number's end once more.
fn decimal_text(number: f64, decimal: &Decimal, is_ordinal: bool) -> Result<String> {
    let digits = js::number_text(number);
    // Rounded up: this many digits at least.
    let missing = (decimal.mandatory - digits.len() as f64).ceil();
    if missing > MOST_PICTURE as f64 {
        return Err(memory());
    }
    let mut units = Vec::new();
    for char in std::iter::repeat_n('0', missing as usize).chain(digits.chars()) {
        let code = u32::from(char) + decimal.zero - ASCII_ZERO;
        units.push(u16::try_from(code).unwrap_or(u16::MAX));
    }
    let mut unit = [0; 2];
    match &decimal.grouping {
        Grouping::Regular(every, sign) => {
            for count in (1..=units.len().saturating_sub(1) / every).rev() {
                let at = units.len().saturating_sub(count * every);
                units.splice(at..at, sign.encode_utf16(&mut unit).iter().copied());
            }
        }
        Grouping::Irregular(separators) => {
            for (place, sign) in separators.iter().rev() {
                let at = match units.len().checked_sub(*place) {
                    Some(at) => at,
                    None => {
                        units.drain(..(2 * units.len()).saturating_sub(*place));
                        0
                    }
                };
                units.splice(at..at, sign.encode_utf16(&mut unit).iter().copied());
            }
        }
    }
    let mut text = String::from_utf16(&units).map_err(|_| error("The picture cuts a character"))?;
    if is_ordinal {
        text.push_str(suffix(&text));
    }
    Ok(text)
}

/// Of a number in digits.
fn suffix(text: &str) -> &'static str {
    let mut from_end = text.chars().rev();
    let (last, before) = (from_end.next(), from_end.next());
    match last {
        _ if before == Some('1') => "th",
        Some('1') => "st",
        Some('2') => "nd",
        Some('3') => "rd",
        _ => "th",
    }
}
