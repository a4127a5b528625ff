//! Functions at the end of a path, `$.items.length()`: Jayway's, on the value found, or on each of
//! those that an indefinite path finds (`$.orders[*].length()`), but for one that begins with `..`.
//!
//! Compared with Jayway JsonPath itself, as WireMock 3.13.2 carries it.

use super::Miss;
use super::budget::Budget;
use super::select;
use super::step::Step;
use serde_json::{Number, Value};

/// An argument of a function.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Argument {
    Constant(Value),
    /// What a path finds from the document's root: `$.concat($.first, ' ', $.last)`.
    Path(Vec<Step>),
}

impl Argument {
    /// The items of an array that is found, else the value. `left` is what all arguments of a path
    /// may still cost. A definite path that finds nothing is a miss, as it is in Jayway
    /// (`EvaluationContextImpl.getValue`).
    fn values(&self, root: &Value, left: &mut Budget<'_>) -> Result<Vec<Value>, Miss> {
        match self {
            Self::Constant(value) if left.holds(value) => Ok(vec![value.clone()]),
            Self::Constant(_) => Err(Miss::TooMuch),
            Self::Path(steps) => match select::within(root, steps, left)? {
                Value::Array(items) => Ok(items),
                one => Ok(vec![one]),
            },
        }
    }
}

/// What all `arguments` give.
fn given(arguments: &[Argument], root: &Value, left: &mut Budget<'_>) -> Result<Vec<Value>, Miss> {
    let mut all = Vec::new();
    for argument in arguments {
        all.extend(argument.values(root, left)?);
    }
    Ok(all)
}

/// A function and its arguments.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Function {
    /// `length()`, `size()`: items of an array, members of an object.
    Length,
    /// `min()`, `max()`, `avg()`, `sum()`, `stddev()` of an array's numbers and those given.
    Min(Vec<Argument>),
    Max(Vec<Argument>),
    Avg(Vec<Argument>),
    Sum(Vec<Argument>),
    StdDev(Vec<Argument>),
    /// `keys()` of an object.
    Keys,
    /// `first()`, `last()`, `index(n)` of an array.
    First,
    Last,
    Index(i64),
    /// `concat(x, …)`: an array's texts and what is given, put together.
    Concat(Vec<Argument>),
    /// `append(x)`: an array with more items.
    Append(Vec<Argument>),
}

impl Function {
    /// By its name in the path.
    pub(super) fn named(name: &str, arguments: Vec<Argument>) -> Result<Self, String> {
        let no_arguments = |function: Self| {
            if arguments.is_empty() {
                Ok(function)
            } else {
                Err(format!("`{name}()` takes no arguments"))
            }
        };
        match name {
            "length" | "size" => no_arguments(Self::Length),
            "min" => Ok(Self::Min(arguments)),
            "max" => Ok(Self::Max(arguments)),
            "avg" => Ok(Self::Avg(arguments)),
            "sum" => Ok(Self::Sum(arguments)),
            "stddev" => Ok(Self::StdDev(arguments)),
            "keys" => no_arguments(Self::Keys),
            "first" => no_arguments(Self::First),
            "last" => no_arguments(Self::Last),
            "index" => match arguments.as_slice() {
                [Argument::Constant(Value::Number(index))] => index
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

    /// Its value on what the path before it found; null where it does not fit the value, and a miss
    /// where it has no number or item to take. What its arguments give is taken off `left`.
    pub(super) fn apply(
        &self,
        found: Value,
        root: &Value,
        left: &mut Budget<'_>,
    ) -> Result<Value, Miss> {
        let mut numbers = |more: &[Argument]| numbers(&found, more, root, left);
        Ok(match self {
            Self::Length => match &found {
                Value::Array(items) => items.len().into(),
                Value::Object(members) => members.len().into(),
                _ => Value::Null,
            },
            Self::Min(more) => some(numbers(more)?.into_iter().reduce(f64::min))?,
            Self::Max(more) => some(numbers(more)?.into_iter().reduce(f64::max))?,
            Self::Sum(more) => some(numbers(more)?.into_iter().reduce(|sum, one| sum + one))?,
            Self::Avg(more) => some(average(&numbers(more)?))?,
            Self::StdDev(more) => some(deviation(&numbers(more)?))?,
            Self::Keys => match found {
                Value::Object(members) => {
                    Value::Array(members.into_iter().map(|(key, _)| Value::String(key)).collect())
                }
                _ => Value::Null,
            },
            Self::First => at(found, 0)?,
            Self::Last => at(found, -1)?,
            Self::Index(index) => at(found, *index)?,
            Self::Concat(more) => {
                let given = given(more, root, left)?;
                let own = found.as_array().into_iter().flatten().filter(|item| item.is_string());
                own.chain(&given).map(text).collect::<String>().into()
            }
            Self::Append(more) => {
                let given = given(more, root, left)?;
                match found {
                    Value::Array(mut items) => {
                        items.extend(given);
                        Value::Array(items)
                    }
                    other => other,
                }
            }
        })
    }
}

fn at(found: Value, index: i64) -> Result<Value, Miss> {
    let Value::Array(mut items) = found else { return Err(Miss::NotFound) };
    let len = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let index = if index < 0 { index.saturating_add(len) } else { index };
    match usize::try_from(index) {
        Ok(index) if index < items.len() => Ok(items.swap_remove(index)),
        _ => Err(Miss::NotFound),
    }
}

/// A number that was counted, or a miss where there was none to count.
fn some(counted: Option<f64>) -> Result<Value, Miss> {
    counted.map(number).ok_or(Miss::NotFound)
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn numbers(
    found: &Value,
    more: &[Argument],
    root: &Value,
    left: &mut Budget<'_>,
) -> Result<Vec<f64>, Miss> {
    let items = found.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut numbers: Vec<f64> = items.iter().filter_map(Value::as_f64).collect();
    numbers.extend(given(more, root, left)?.iter().filter_map(Value::as_f64));
    Ok(numbers)
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
