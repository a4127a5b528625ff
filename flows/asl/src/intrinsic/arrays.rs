//! The functions on arrays.

use super::math::truncated;
use super::refused::Refused;
use crate::java;
use crate::value;
use serde_json::Value;

/// The most numbers `States.ArrayRange` makes.
const MOST_IN_RANGE: usize = 1000;

fn items(value: &Value) -> Result<&Vec<Value>, Refused> {
    value.as_array().ok_or(Refused::Arguments)
}

pub(super) fn partition(array: &Value, size: &Value) -> Result<Value, Refused> {
    let items = items(array)?;
    match usize::try_from(truncated(size)?) {
        Ok(size) if size > 0 => {
            Ok(items.chunks(size).map(<[Value]>::to_vec).map(Value::Array).collect())
        }
        _ => Err(Refused::Arguments),
    }
}

pub(super) fn contains(array: &Value, wanted: &Value) -> Result<Value, Refused> {
    // AWS compares what the two are as texts: true is 'true', and {"a":1,"b":2} is not
    // {"b":2,"a":1} (tiny-asl-machine, States.ArrayContains 006, 019 and 021).
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let wanted_text = text(wanted);
    let fits = |item: &Value| {
        text(item) == wanted_text
            || item.is_number() && wanted.is_number() && value::same(item, wanted)
    };
    Ok(items(array)?.iter().any(fits).into())
}

pub(super) fn range(first: &Value, last: &Value, step: &Value) -> Result<Value, Refused> {
    let (first, last, step) = (truncated(first)?, truncated(last)?, truncated(step)?);
    if step == 0 {
        return Err(Refused::Arguments);
    }
    let mut range = Vec::new();
    let mut next = Some(first);
    while let Some(number) = next.filter(|&n| if step > 0 { n <= last } else { n >= last }) {
        if range.len() == MOST_IN_RANGE {
            return Err(Refused::Arguments);
        }
        range.push(Value::from(number));
        next = number.checked_add(step);
    }
    Ok(Value::Array(range))
}

pub(super) fn get(array: &Value, index: &Value) -> Result<Value, Refused> {
    let items = items(array)?;
    let index = truncated(index)?;
    // An empty array has null at every place (tiny-asl-machine, States.ArrayGetItem 012).
    if items.is_empty() {
        return Ok(Value::Null);
    }
    let item = usize::try_from(index).ok().and_then(|index| items.get(index));
    item.cloned().ok_or(Refused::Arguments)
}

pub(super) fn length(array: &Value) -> Result<Value, Refused> {
    Ok(items(array)?.len().into())
}

pub(super) fn unique(array: &Value) -> Result<Value, Refused> {
    let mut seen = std::collections::HashSet::new();
    let unique = items(array)?.iter().filter(|item| seen.insert(value::canonical(item)));
    Ok(Value::Array(java::in_hash_order(unique.cloned().collect(), java::of_value)))
}
