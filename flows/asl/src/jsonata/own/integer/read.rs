//! Whole numbers, read by a picture.

use super::super::js;
use super::picture::{ASCII_ZERO, Case, Decimal, Grouping, Picture, Primary, no_sequence};
use super::words;
use crate::jsonata::error::{Result, error};

/// How a number that a picture describes is read.
#[derive(Debug, Clone)]
pub(in super::super) enum Reading {
    Letters(Case),
    Roman(Case),
    Words,
    Decimal(Decimal, bool),
}

impl Reading {
    /// # Errors
    ///
    /// D3130.
    pub(in super::super) fn of(picture: &Picture) -> Result<Self> {
        Ok(match &picture.primary {
            Primary::Letters => Self::Letters(picture.case),
            Primary::Roman => Self::Roman(picture.case),
            Primary::Words => Self::Words,
            Primary::Decimal(decimal) => Self::Decimal(decimal.clone(), picture.is_ordinal),
            Primary::Sequence(token) => return Err(no_sequence(token)),
        })
    }

    /// The number that `text` is; `NaN` if it is none.
    ///
    /// # Errors
    ///
    /// For digits below those of the picture's family, which 2.0.6 makes no characters of.
    pub(in super::super) fn number(&self, text: &str) -> Result<f64> {
        match self {
            Self::Letters(case) => Ok(letters(text, if *case == Case::Upper { 'A' } else { 'a' })),
            Self::Roman(Case::Upper) => Ok(roman(text)),
            Self::Roman(_) => Ok(roman(&text.to_uppercase())),
            Self::Words => Ok(words::number(&text.to_lowercase())),
            Self::Decimal(decimal, is_ordinal) => decimal_number(text, decimal, *is_ordinal),
        }
    }
}

/// Digits of base 26 with no nought among them.
fn letters(text: &str, first: char) -> f64 {
    let units: Vec<u16> = text.encode_utf16().collect();
    let worth = |place: usize| 26_f64.powf(place as f64);
    let digit = |unit: u16| f64::from(unit) - f64::from(u32::from(first)) + 1.0;
    units.iter().rev().enumerate().map(|(place, unit)| digit(*unit) * worth(place)).sum()
}

/// A numeral before a greater one is taken away.
fn roman(text: &str) -> f64 {
    let (mut sum, mut most) = (0.0, 1.0);
    for numeral in text.chars().rev() {
        let value = match numeral {
            'M' => 1000.0,
            'D' => 500.0,
            'C' => 100.0,
            'L' => 50.0,
            'X' => 10.0,
            'V' => 5.0,
            'I' => 1.0,
            _ => return f64::NAN,
        };
        if value < most {
            sum -= value;
        } else {
            most = value;
            sum += value;
        }
    }
    sum
}

fn decimal_number(text: &str, decimal: &Decimal, is_ordinal: bool) -> Result<f64> {
    let mut digits = text.to_owned();
    if is_ordinal {
        let units: Vec<u16> = text.encode_utf16().collect();
        let kept = units.len().saturating_sub(2);
        digits = String::from_utf16_lossy(units.get(..kept).unwrap_or_default());
    }
    match &decimal.grouping {
        // 2.0.6 takes commas out, whatever the separator is.
        Grouping::Regular(..) => digits.retain(|char| char != ','),
        Grouping::Irregular(separators) => {
            digits.retain(|char| !separators.iter().any(|separator| separator.1 == char));
        }
    }
    if decimal.zero != ASCII_ZERO {
        let shifted = |char: char| {
            let code = (u32::from(char) + ASCII_ZERO).checked_sub(decimal.zero)?;
            Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
        };
        digits = digits
            .chars()
            .map(shifted)
            .collect::<Option<String>>()
            .ok_or_else(|| error("Invalid code point"))?;
    }
    Ok(js::parse_int(&digits))
}
