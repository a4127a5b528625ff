//! Functions at the end of a path, `$.items.length()`: Jayway's, on the value found.

use serde_json::{Number, Value};

/// A function and its arguments.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Function {
    /// `length()`, `size()`: items of an array, members of an object.
    Length,
    /// `min()`, `max()`, `avg()`, `sum()`, `stddev()` of an array's numbers.
    Min,
    Max,
    Avg,
    Sum,
    StdDev,
    /// `keys()` of an object.
    Keys,
    /// `first()`, `last()`, `index(n)` of an array.
    First,
    Last,
    Index(i64),
    /// `concat(x, …)`: text put together.
    Concat(Vec<Value>),
    /// `append(x)`: an array with one more item.
    Append(Vec<Value>),
}

impl Function {
    /// By its name in the path, with constants for arguments.
    pub(super) fn named(name: &str, arguments: Vec<Value>) -> Result<Self, String> {
        let no_arguments = |function: Self| {
            if arguments.is_empty() {
                Ok(function)
            } else {
                Err(format!("`{name}()` takes no arguments"))
            }
        };
        match name {
            "length" | "size" => no_arguments(Self::Length),
            "min" => no_arguments(Self::Min),
            "max" => no_arguments(Self::Max),
            "avg" => no_arguments(Self::Avg),
            "sum" => no_arguments(Self::Sum),
            "stddev" => no_arguments(Self::StdDev),
            "keys" => no_arguments(Self::Keys),
            "first" => no_arguments(Self::First),
            "last" => no_arguments(Self::Last),
            "index" => match arguments.as_slice() {
                [Value::Number(index)] => index
                    .as_i64()
                    .map(Self::Index)
                    .ok_or_else(|| "`index()` takes a whole number".to_owned()),
                _ => Err("`index()` takes one number".to_owned()),
            },
            "concat" => Ok(Self::Concat(arguments)),
            "append" => Ok(Self::Append(arguments)),
            _ => Err(format!("there is no function `{name}()` in a path")),
        }
    }

    /// Its value on what the path before it found; null where it does not fit the value.
    pub(super) fn apply(&self, found: Value) -> Value {
        match self {
            Self::Length => match &found {
                Value::Array(items) => items.len().into(),
                Value::Object(members) => members.len().into(),
                _ => Value::Null,
            },
            Self::Min => numbers(&found).into_iter().reduce(f64::min).map_or(Value::Null, number),
            Self::Max => numbers(&found).into_iter().reduce(f64::max).map_or(Value::Null, number),
            Self::Sum => number(numbers(&found).iter().sum()),
            Self::Avg => average(&numbers(&found)).map_or(Value::Null, number),
            Self::StdDev => deviation(&numbers(&found)).map_or(Value::Null, number),
            Self::Keys => match found {
                Value::Object(members) => {
                    Value::Array(members.into_iter().map(|(key, _)| Value::String(key)).collect())
                }
                _ => Value::Null,
            },
            Self::First => at(found, 0),
            Self::Last => at(found, -1),
            Self::Index(index) => at(found, *index),
            Self::Concat(more) => {
                let items = match &found {
                    Value::Array(items) => items.as_slice(),
                    one => std::slice::from_ref(one),
                };
                items.iter().chain(more).map(text).collect::<String>().into()
            }
            Self::Append(more) => match found {
                Value::Array(mut items) => {
                    items.extend(more.iter().cloned());
                    Value::Array(items)
                }
                other => other,
            },
        }
    }
}

fn at(found: Value, index: i64) -> Value {
    let Value::Array(mut items) = found else { return Value::Null };
    let len = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let index = if index < 0 { index.saturating_add(len) } else { index };
    match usize::try_from(index) {
        Ok(index) if index < items.len() => items.swap_remove(index),
        _ => Value::Null,
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn numbers(found: &Value) -> Vec<f64> {
    match found {
        Value::Array(items) => items.iter().filter_map(Value::as_f64).collect(),
        one => one.as_f64().into_iter().collect(),
    }
}

fn average(numbers: &[f64]) -> Option<f64> {
    (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64)
}

fn deviation(numbers: &[f64]) -> Option<f64> {
    let average = average(numbers)?;
    let squares: f64 = numbers.iter().map(|n| (n - average).powi(2)).sum();
    Some((squares / numbers.len() as f64).sqrt())
}

/// Jayway counts in doubles.
fn number(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}
