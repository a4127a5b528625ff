//! `States.MathAdd`, `States.MathRandom`, and whole numbers for the others.

use super::refused::Refused;
use crate::scope::Entropy;
use serde_json::Value;

/// A number as a whole one, its fraction dealt with by `round`.
fn whole(value: &Value, round: impl Fn(f64) -> f64) -> Result<i64, Refused> {
    let Value::Number(number) = value else { return Err(Refused::Arguments) };
    if let Some(whole) = number.as_i64() {
        return Ok(whole);
    }
    match number.as_f64().map(round) {
        Some(n) if n.abs() < 9e15 => Ok(n as i64),
        _ => Err(Refused::Arguments),
    }
}

/// A number without its fraction. The developer guide says that arguments are rounded to the
/// nearest integer; AWS does so in `States.MathAdd` only (tiny-asl-machine, States.ArrayRange 010
/// and 011, States.ArrayPartition 008, States.ArrayGetItem 014, States.MathRandom 007 and 008).
pub(super) fn truncated(value: &Value) -> Result<i64, Refused> {
    whole(value, f64::trunc)
}

fn int32(whole: i64) -> Result<i32, Refused> {
    i32::try_from(whole).map_err(|_| Refused::Arguments)
}

pub(super) fn add(left: &Value, right: &Value) -> Result<Value, Refused> {
    let nearest = |value| int32(whole(value, |number| (number + 0.5).floor())?);
    let sum = i64::from(nearest(left)?) + i64::from(nearest(right)?);
    int32(sum).map(Value::from)
}

pub(super) fn random(from: &Value, to: &Value, entropy: &Entropy) -> Result<Value, Refused> {
    let (from, to) = (int32(truncated(from)?)?, int32(truncated(to)?)?);
    let (from, to) = (i64::from(from), i64::from(to));
    if from >= to {
        return Err(Refused::Arguments);
    }
    let above = (entropy.unit() * (to - from) as f64) as i64;
    Ok((from + above.min(to - from - 1)).into())
}

/// The same seed gives the same number each time.
pub(super) fn seeded(from: &Value, to: &Value, seed: &Value) -> Result<Value, Refused> {
    random(from, to, &Entropy::new(truncated(seed)?.cast_unsigned()))
}
