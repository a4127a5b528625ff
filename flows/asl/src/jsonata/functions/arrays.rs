//! Functions of arrays.

use super::super::error::{Error, Result};
use super::super::evaluate::{Evaluation, compared, number};
use super::super::value::{Array, Function, Value};
use std::collections::HashSet;
use std::rc::Rc;

/// Bytes of a place among those that are known.
const PLACE: usize = 32;

/// `$count(array)`
pub(super) fn count(_: &mut Evaluation<'_>, given: &[Value]) -> Result {
    Ok(Value::from(given.first().and_then(Value::as_array).map_or(0, Array::len)))
}

/// `$append(left, right)`
pub(super) fn append(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [left, right] = given else { return Ok(Value::Undefined) };
    run.append(left.clone(), right.clone())
}

/// `$exists(value)`
pub(super) fn exists(_: &mut Evaluation<'_>, given: &[Value]) -> Result {
    Ok(Value::Bool(given.first().is_some_and(|value| !value.is_undefined())))
}

/// `$reverse(array)`
pub(super) fn reverse(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Array(array)] = given else { return Ok(Value::Undefined) };
    if array.len() <= 1 {
        return Ok(Value::Array(array.clone()));
    }
    run.list(array.items().iter().rev().cloned().collect())
}

/// `$shuffle(array)`
pub(super) fn shuffle(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Array(array)] = given else { return Ok(Value::Undefined) };
    if array.len() <= 1 {
        return Ok(Value::Array(array.clone()));
    }
    let mut items = array.items().to_vec();
    for last in (1..items.len()).rev() {
        run.steps(32)?;
        let other = (run.entropy.unit() * (last + 1) as f64) as usize;
        items.swap(last, other.min(last));
    }
    run.list(items)
}

/// What tells a value that has no parts from all others; zero has one sign.
#[derive(PartialEq, Eq, Hash)]
enum Scalar<'a> {
    Undefined,
    Null,
    Bool(bool),
    Number(u64),
    Text(&'a str),
}

impl<'a> Scalar<'a> {
    /// `None` for what has parts, is a function, or is not even the same as itself, as `NaN`.
    fn of(value: &'a Value) -> Option<Self> {
        match value {
            Value::Undefined => Some(Self::Undefined),
            Value::Null => Some(Self::Null),
            Value::Bool(truth) => Some(Self::Bool(*truth)),
            Value::Number(number) if number.is_nan() => None,
            Value::Number(number) => Some(Self::Number((number + 0.0).to_bits())),
            Value::Text(text) => Some(Self::Text(text)),
            _ => None,
        }
    }
}

/// `$distinct(array)`
pub(super) fn distinct(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [value] = given else { return Ok(Value::Undefined) };
    let Value::Array(array) = value else { return Ok(value.clone()) };
    if array.len() <= 1 {
        return Ok(value.clone());
    }
    let mut scalars = HashSet::new();
    let (mut found, mut others): (Vec<Value>, Vec<&Value>) = (Vec::new(), Vec::new());
    for item in array.items() {
        let is_new = match Scalar::of(item) {
            Some(scalar) => {
                run.steps(1 + item.as_str().map_or(0, str::len) / 64)?;
                scalars.insert(scalar)
            }
            None => {
                let is_new = is_none_of(run, item, &others)?;
                others.extend(is_new.then_some(item));
                is_new
            }
        };
        if is_new {
            run.build(PLACE)?;
            found.push(item.clone());
        }
    }
    if array.is_sequence { run.sequence(found) } else { run.list(found) }
}

/// Whether a value is none of those that are known.
fn is_none_of(run: &mut Evaluation<'_>, value: &Value, known: &[&Value]) -> Result<bool> {
    for known in known {
        if run.is_same(value, known)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `$zip(arrays…)`: as many as the shortest of them has.
pub(super) fn zip(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let length = |value: &Value| value.as_array().map_or(0, Array::len);
    let shortest = given.iter().map(length).min().unwrap_or(0);
    let mut tuples = Vec::new();
    for at in 0..shortest {
        run.grows(tuples.len())?;
        let tuple = given.iter().map(|array| array.as_slice().get(at).cloned().unwrap_or_default());
        let tuple = tuple.collect();
        tuples.push(run.list(tuple)?);
    }
    run.list(tuples)
}

/// `$sort(array, function)`
pub(super) fn sort(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Array(array), by] = given else { return Ok(Value::Undefined) };
    if array.len() <= 1 {
        return Ok(Value::Array(array.clone()));
    }
    let items = array.items().to_vec();
    let sorted = match by {
        Value::Function(by) => run.merge_sorted(items, &mut |run, left, right| {
            let given = vec![left.clone(), right.clone()];
            run.nested_call(by, given).map(|after| is_truthy(&after))
        })?,
        _ => {
            if !are_all(run, &items)? {
                let words = "The single argument form of the sort function can only be applied to an \
                             array of strings or an array of numbers.  Use the second argument to \
                             specify a comparison function";
                return Err(Error::coded("D3070", words));
            }
            run.merge_sorted(items, &mut |run, left, right| {
                Ok(match (left, right) {
                    (Value::Text(left), Value::Text(right)) => {
                        run.steps(left.len().min(right.len()) / 64)?;
                        compared(left, right).is_gt()
                    }
                    (left, right) => left.as_f64() > right.as_f64(),
                })
            })?
        }
    };
    run.list(sorted)
}

/// Whether all are numbers, or all texts.
fn are_all(run: &mut Evaluation<'_>, items: &[Value]) -> Result<bool> {
    run.steps(items.len() / 8)?;
    let mut are_numbers = true;
    for item in items {
        are_numbers &= number(item)?.is_some();
    }
    Ok(are_numbers || items.iter().all(|item| matches!(item, Value::Text(_))))
}

/// What JavaScript takes for true.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Undefined | Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => *number != 0.0 && !number.is_nan(),
        Value::Text(text) => !text.is_empty(),
        _ => true,
    }
}

/// `$boolean(value)`
pub(super) fn boolean(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    match given {
        [] | [Value::Undefined] => Ok(Value::Undefined),
        [value, ..] => Ok(Value::Bool(run.is_true(value)?)),
    }
}

/// `$not(value)`
pub(super) fn not(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    match boolean(run, given)? {
        Value::Bool(truth) => Ok(Value::Bool(!truth)),
        other => Ok(other),
    }
}

/// A function that is an argument.
pub(super) fn function(value: Option<&Value>) -> Option<&Rc<Function>> {
    match value {
        Some(Value::Function(function)) => Some(function),
        _ => None,
    }
}
