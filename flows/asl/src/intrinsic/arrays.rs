//! The functions on arrays.

use super::math::whole;
use crate::value;
use serde_json::Value;

/// The most numbers `States.ArrayRange` makes.
const MOST_IN_RANGE: usize = 1000;

fn items(value: &Value) -> Result<&Vec<Value>, String> {
    value.as_array().ok_or_else(|| format!("an array is expected, not {}", value::kind(value)))
}

pub(super) fn partition(array: &Value, size: &Value) -> Result<Value, String> {
    let items = items(array)?;
    match usize::try_from(whole(size)?) {
        Ok(size) if size > 0 => {
            Ok(items.chunks(size).map(<[Value]>::to_vec).map(Value::Array).collect())
        }
        _ => Err(format!("the chunk size must be a positive number, not {size}")),
    }
}

pub(super) fn contains(array: &Value, wanted: &Value) -> Result<Value, String> {
    Ok(items(array)?.iter().any(|item| value::same(item, wanted)).into())
}

pub(super) fn range(first: &Value, last: &Value, step: &Value) -> Result<Value, String> {
    let (first, last, step) = (whole(first)?, whole(last)?, whole(step)?);
    if step == 0 {
        return Err("the step must not be zero".to_owned());
    }
    let mut range = Vec::new();
    let mut next = Some(first);
    while let Some(number) = next.filter(|&n| if step > 0 { n <= last } else { n >= last }) {
        if range.len() == MOST_IN_RANGE {
            return Err(format!("the range has more than {MOST_IN_RANGE} numbers"));
        }
        range.push(Value::from(number));
        next = number.checked_add(step);
    }
    Ok(Value::Array(range))
}

pub(super) fn get(array: &Value, index: &Value) -> Result<Value, String> {
    let items = items(array)?;
    let index = whole(index)?;
    let item = usize::try_from(index).ok().and_then(|index| items.get(index));
    item.cloned()
        .ok_or_else(|| format!("index {index} is out of bounds of an array of {}", items.len()))
}

pub(super) fn length(array: &Value) -> Result<Value, String> {
    Ok(items(array)?.len().into())
}

pub(super) fn unique(array: &Value) -> Result<Value, String> {
    let mut seen = std::collections::HashSet::new();
    let unique = items(array)?.iter().filter(|item| seen.insert(value::canonical(item)));
    Ok(unique.cloned().collect())
}
