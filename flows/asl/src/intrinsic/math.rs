//! `States.MathAdd`, `States.MathRandom`, and whole numbers for the others.

use crate::scope::Entropy;
use serde_json::Value;

/// A number rounded to the nearest whole one, as AWS rounds arguments.
pub(super) fn whole(value: &Value) -> Result<i64, String> {
    let Value::Number(number) = value else {
        return Err(format!("a number is expected, not {value}"));
    };
    if let Some(whole) = number.as_i64() {
        return Ok(whole);
    }
    let rounded = number.as_f64().map(|n| (n + 0.5).floor());
    match rounded {
        Some(n) if n.abs() < 9e15 => Ok(n as i64),
        _ => Err(format!("{number} is out of range")),
    }
}

fn int32(value: &Value) -> Result<i32, String> {
    let whole = whole(value)?;
    i32::try_from(whole).map_err(|_| format!("{whole} is not within -2147483648 to 2147483647"))
}

pub(super) fn add(left: &Value, right: &Value) -> Result<Value, String> {
    let sum = i64::from(int32(left)?) + i64::from(int32(right)?);
    match i32::try_from(sum) {
        Ok(sum) => Ok(sum.into()),
        Err(_) => Err(format!("the sum {sum} is not within -2147483648 to 2147483647")),
    }
}

pub(super) fn random(from: &Value, to: &Value, entropy: &Entropy) -> Result<Value, String> {
    let (from, to) = (i64::from(int32(from)?), i64::from(int32(to)?));
    if from >= to {
        return Err(format!("the start {from} must be less than the end {to}"));
    }
    let above = (entropy.unit() * (to - from) as f64) as i64;
    Ok((from + above.min(to - from - 1)).into())
}

/// The same seed gives the same number each time.
pub(super) fn seeded(from: &Value, to: &Value, seed: &Value) -> Result<Value, String> {
    random(from, to, &Entropy::new(whole(seed)?.cast_unsigned()))
}
