//! `$formatNumber`: a number by a picture.
//!
//! The pictures are those of XPath's `fn:format-number` (XPath and XQuery Functions and Operators
//! 3.1, section 4.7), with JSONata 2.0.6's readings: the minus sign comes before the prefix, and a
//! picture without a decimal separator has what follows it as its fractional part.

mod parts;

use super::super::limits::MOST_PICTURE;
use super::coded;
use crate::jsonata::error::{Result, memory, mismatch};
use crate::jsonata::evaluate::Evaluation;
use crate::jsonata::value::Value;
use parts::{
    DECIMAL_SEPARATOR, DIGIT, EXPONENT_SEPARATOR, GROUPING_SEPARATOR, MINUS_SIGN,
    PATTERN_SEPARATOR, PER_MILLE, PERCENT, Parts, Signs, wrong,
};

/// Digits after the separator that JavaScript writes at most.
const MOST_PLACES: usize = 100;
/// Digits before it, and of an exponent: more than any double has.
const MOST_DIGITS: usize = 400;
/// What no exponent of a double reaches.
const MOST_EXPONENT: i32 = 800;

/// `$formatNumber(number, picture, options)`
pub(in super::super) fn format_number(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Number(number), picture, options] = given else { return Ok(Value::Undefined) };
    let number = *number;
    let Value::Text(picture) = picture else { return Err(mismatch(2)) };
    if picture.len() > MOST_PICTURE {
        return Err(memory());
    }
    // What its groups take goes with the square of its length.
    run.steps(16 + picture.len() * picture.len() / 256)?;
    let signs = Signs::of(options)?;
    let parts: Vec<&str> = match signs.text(PATTERN_SEPARATOR) {
        "" => vec![picture],
        separator => picture.split(separator).collect(),
    };
    let (positive, negative) = match parts[..] {
        [positive] => (Picture::read(positive, &signs)?, None),
        [positive, negative] => {
            (Picture::read(positive, &signs)?, Some(Picture::read(negative, &signs)?))
        }
        _ => return Err(wrong("D3080")),
    };
    let written = match negative {
        _ if number >= 0.0 => positive.write(number, &signs)?,
        Some(negative) => negative.write(number, &signs)?,
        None => format!("{}{}", signs.text(MINUS_SIGN), positive.write(number, &signs)?),
    };
    run.text(written)
}

/// What a sub-picture says of the numbers written by it.
struct Picture {
    prefix: String,
    suffix: String,
    /// What a number is multiplied by.
    times: f64,
    has_point: bool,
    /// Digits before the point that must be there.
    integer: usize,
    /// Of a mantissa with an exponent.
    scale: usize,
    /// Digits after the point that must and may be there.
    fraction: (usize, usize),
    /// Digits of the exponent; none without one.
    exponent: usize,
    /// Digits between two separators, if it is always the same.
    every: usize,
    /// Digits after each separator before the point.
    groups: Vec<usize>,
    /// Characters before each separator after the point: 2.0.6 counts the separators before it, too.
    fraction_groups: Vec<usize>,
}

impl Picture {
    fn read(picture: &str, signs: &Signs) -> Result<Self> {
        let parts = Parts::of(picture, signs)?;
        parts.validate(signs).map_err(wrong)?;
        let has = |sign| parts.count(sign, signs) > 0;
        let separators = |part: &[char]| -> Vec<usize> {
            let is_separator =
                |at: &usize| part.get(*at).is_some_and(|char| signs.is(GROUPING_SEPARATOR, *char));
            (0..part.len()).filter(is_separator).collect()
        };
        let groups: Vec<usize> = separators(&parts.integer)
            .into_iter()
            .map(|at| signs.places(parts.integer.get(at..).unwrap_or_default()))
            .collect();
        // 2.0.6 looks for the first of them in the fraction, and for the others in the integer.
        let mut fraction_groups = Vec::new();
        if let Some(first) = separators(&parts.fraction).first().copied() {
            let others = separators(&parts.integer).into_iter().filter(|other| *other > first);
            for at in std::iter::once(first).chain(others) {
                let before = parts.fraction.get(..at).unwrap_or(&parts.fraction);
                fraction_groups.push(signs.places(before));
            }
        }
        let scale = signs.mandatory(&parts.integer);
        let mut integer = scale;
        let mut fraction = (signs.mandatory(&parts.fraction), signs.places(&parts.fraction));
        let has_exponent = parts.exponent.is_some();
        if integer == 0 && fraction.1 == 0 {
            if has_exponent { fraction = (1, 1) } else { integer = 1 }
        }
        if has_exponent && integer == 0 && parts.integer.iter().any(|char| signs.is(DIGIT, *char)) {
            integer = 1;
        }
        if integer == 0 && fraction.0 == 0 {
            fraction.0 = 1;
        }
        let exponent = parts.exponent.as_ref().map_or(0, Vec::len);
        if fraction.1.max(fraction.0) > MOST_PLACES || scale.max(exponent) > MOST_DIGITS {
            return Err(coded("D3085", "The picture has too many digits"));
        }
        Ok(Self {
            times: match (has(PERCENT), has(PER_MILLE)) {
                (true, _) => 100.0,
                (_, true) => 1000.0,
                _ => 1.0,
            },
            has_point: has(DECIMAL_SEPARATOR),
            integer,
            scale,
            fraction,
            exponent,
            every: regular(&groups),
            groups,
            fraction_groups,
            prefix: parts.prefix,
            suffix: parts.suffix,
        })
    }

    /// The number without its sign.
    fn write(&self, number: f64, signs: &Signs) -> Result<String> {
        let mut mantissa = (number * self.times).abs();
        if !mantissa.is_finite() {
            return Err(coded("D1001", "Number out of range: null"));
        }
        let mut exponent = 0_i32;
        if self.exponent > 0 && mantissa > 0.0 {
            let (most, least) =
                (10_f64.powi(self.scale as i32), 10_f64.powi(self.scale as i32 - 1));
            while mantissa < least && exponent.abs() < MOST_EXPONENT {
                mantissa *= 10.0;
                exponent -= 1;
            }
            while mantissa > most && exponent.abs() < MOST_EXPONENT {
                mantissa /= 10.0;
                exponent += 1;
            }
        }
        let places = self.fraction.1;
        let decimal = format!("{:.places$}", rounded(mantissa, places));
        let (whole, fraction) = decimal.split_once('.').unwrap_or((&decimal, ""));
        let whole = signs.digits(&format!(
            "{:0>width$}",
            whole.trim_start_matches('0'),
            width = self.integer
        ));
        let fraction = signs.digits(&format!(
            "{:0<width$}",
            fraction.trim_end_matches('0'),
            width = self.fraction.0
        ));
        let mut written = self.prefix.clone();
        written.push_str(&self.grouped(&whole, &fraction, signs));
        if self.exponent > 0 {
            written.push_str(signs.text(EXPONENT_SEPARATOR));
            written.push_str(if exponent < 0 { signs.text(MINUS_SIGN) } else { "" });
            let digits = format!("{:0>width$}", exponent.abs(), width = self.exponent);
            written.push_str(&signs.digits(&digits));
        }
        written.push_str(&self.suffix);
        Ok(written)
    }

    /// With separators between the digits, and the point if there is one.
    ///
    /// > Where a number has fewer digits than a picture has groups of several sizes, 2.0.6 counts the
    /// > places from the end: 123 is `1,2,3` by `#,##,##0`.
    fn grouped(&self, whole: &str, fraction: &str, signs: &Signs) -> String {
        let separator = |written: &mut Vec<char>, at: usize| {
            written.splice(at..at, signs.text(GROUPING_SEPARATOR).chars());
        };
        let mut written: Vec<char> = whole.chars().collect();
        let mut point = written.len();
        if self.every > 0 {
            for at in (1..point).rev().filter(|at| (point - at).is_multiple_of(self.every)) {
                separator(&mut written, at);
            }
            point = written.len();
        }
        let fraction = signs.text(DECIMAL_SEPARATOR).chars().chain(fraction.chars());
        written.extend(fraction);
        let groups = if self.every > 0 { &[][..] } else { &self.groups };
        for group in groups {
            let from_end = || (written.len() + point).saturating_sub(*group);
            let at = point.checked_sub(*group).unwrap_or_else(from_end);
            separator(&mut written, at);
            point += 1;
        }
        for group in &self.fraction_groups {
            let at = (point + 1 + group).min(written.len());
            separator(&mut written, at);
        }
        if !self.has_point || point + 1 == written.len() {
            written.pop();
        }
        written.into_iter().collect()
    }
}

/// The distance of the separators, if it is the same between all of them.
fn regular(groups: &[usize]) -> usize {
    fn divisor(a: usize, b: usize) -> usize {
        if b == 0 { a } else { divisor(b, a % b) }
    }
    let every = groups.iter().copied().reduce(divisor).unwrap_or(0);
    let is_regular = (1..=groups.len()).all(|count| groups.contains(&(count * every)));
    if is_regular { every } else { 0 }
}

/// Half to even in decimal, as `$round` does.
fn rounded(number: f64, places: usize) -> f64 {
    let shifted = |number: f64, by: i64| -> f64 {
        let text = format!("{number:e}");
        let Some((digits, exponent)) = text.split_once('e') else { return number };
        let exponent = exponent.parse::<i64>().unwrap_or(0) + by;
        format!("{digits}e{exponent}").parse().unwrap_or(number)
    };
    let scaled = shifted(number, places as i64);
    if !scaled.is_finite() {
        return number;
    }
    shifted(scaled.round_ties_even(), -(places as i64))
}
