//! Functions of numbers.

use super::super::error::{Error, Result};
use super::super::evaluate::Evaluation;
use super::super::own::js::number_text;
use super::super::value::{Array, Value};

/// `$abs(number)`
pub(super) fn abs(_: &mut Evaluation<'_>, given: &[Value]) -> Result {
    of_one(given, f64::abs)
}

/// `$floor(number)`
pub(super) fn floor(_: &mut Evaluation<'_>, given: &[Value]) -> Result {
    of_one(given, f64::floor)
}

/// `$ceil(number)`
pub(super) fn ceil(_: &mut Evaluation<'_>, given: &[Value]) -> Result {
    of_one(given, f64::ceil)
}

fn of_one(given: &[Value], function: fn(f64) -> f64) -> Result {
    match given {
        [Value::Number(number)] => Ok(Value::Number(function(*number))),
        _ => Ok(Value::Undefined),
    }
}

/// `$sqrt(number)`
pub(super) fn sqrt(_: &mut Evaluation<'_>, given: &[Value]) -> Result {
    match given {
        [Value::Number(number)] if *number < 0.0 => {
            let number = number_text(*number);
            let words =
                format!("The sqrt function cannot be applied to a negative number: {number}");
            Err(Error::coded("D3060", words))
        }
        _ => of_one(given, f64::sqrt),
    }
}

/// `$power(base, exponent)`
pub(super) fn power(_: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Number(base), exponent] = given else { return Ok(Value::Undefined) };
    let exponent = exponent.as_f64().unwrap_or(f64::NAN);
    // Of one and an infinite exponent JavaScript has no power (ECMA-262, `Number::exponentiate`).
    let is_none = exponent.is_nan() || base.abs() == 1.0 && exponent.is_infinite();
    let power = if is_none { f64::NAN } else { base.powf(exponent) };
    if power.is_finite() {
        return Ok(Value::Number(power));
    }
    let words = format!(
        "The power function has resulted in a value that cannot be represented as a JSON number: \
         base={}, exponent={}",
        number_text(*base),
        number_text(exponent)
    );
    Err(Error::coded("D3061", words))
}

fn numbers(given: &[Value]) -> Option<impl Iterator<Item = f64> + '_> {
    match given {
        [Value::Array(array)] => {
            Some(array.items().iter().map(|item| item.as_f64().unwrap_or(f64::NAN)))
        }
        _ => None,
    }
}

/// `$sum(numbers)`
pub(super) fn sum(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    counted(run, given)?;
    let sum = numbers(given).map(|numbers| numbers.fold(0.0, |sum, number| sum + number));
    Ok(sum.map_or(Value::Undefined, Value::Number))
}

/// `$average(numbers)`
pub(super) fn average(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let count = counted(run, given)?;
    let sum = numbers(given).map(|numbers| numbers.fold(0.0, |sum, number| sum + number));
    let average = sum.filter(|_| count > 0).map(|sum| sum / count as f64);
    Ok(average.map_or(Value::Undefined, Value::Number))
}

/// `$max(numbers)`
pub(super) fn max(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    counted(run, given)?;
    extreme(given, |one, other| if one > other || one.is_nan() { one } else { other })
}

/// `$min(numbers)`
pub(super) fn min(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    counted(run, given)?;
    extreme(given, |one, other| if one < other || one.is_nan() { one } else { other })
}

fn extreme(given: &[Value], nearer: fn(f64, f64) -> f64) -> Result {
    let extreme = numbers(given).and_then(|numbers| numbers.reduce(nearer));
    Ok(extreme.map_or(Value::Undefined, Value::Number))
}

fn counted(run: &mut Evaluation<'_>, given: &[Value]) -> Result<usize> {
    let count = given.first().and_then(Value::as_array).map_or(0, Array::len);
    run.steps(count / 8)?;
    Ok(count)
}
