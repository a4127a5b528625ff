//! Filters, `[?(@.a == 1 && @.b in ['x','y'])]`: what they mean.

use super::select;
use super::step::Step;
use regex_lite::Regex;
use serde_json::Value;
use std::cmp::Ordering;

/// The condition of a filter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    /// `@.a`: is there such a value?
    Exists(Operand),
    Compare(Operand, Operator, Operand),
    Matches(Operand, Pattern),
}

/// A regular expression that must match the whole text. Two are equal by how they are written.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pub(super) source: String,
    pub(super) regex: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    /// `@…`: from the value that is tested.
    Current(Vec<Step>),
    /// `$…`: from the document's root.
    Root(Vec<Step>),
    Literal(Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    SubsetOf,
    AnyOf,
    NoneOf,
    Size,
    Empty,
    Contains,
}

impl Filter {
    /// Whether `current` passes.
    pub(super) fn accepts(&self, current: &Value, root: &Value) -> bool {
        match self {
            Self::And(all) => all.iter().all(|one| one.accepts(current, root)),
            Self::Or(any) => any.iter().any(|one| one.accepts(current, root)),
            Self::Not(inner) => !inner.accepts(current, root),
            Self::Exists(operand) => operand.value(current, root).is_some(),
            Self::Compare(left, operator, right) => {
                let (left, right) = (left.value(current, root), right.value(current, root));
                operator.holds(left.as_ref(), right.as_ref())
            }
            Self::Matches(left, pattern) => left
                .value(current, root)
                .as_ref()
                .and_then(Value::as_str)
                .is_some_and(|text| pattern.regex.is_match(text)),
        }
    }
}

impl Operand {
    fn value(&self, current: &Value, root: &Value) -> Option<Value> {
        match self {
            Self::Current(steps) => found(current, steps),
            Self::Root(steps) => found(root, steps),
            Self::Literal(value) => Some(value.clone()),
        }
    }
}

/// An indefinite path that finds nothing counts as nothing.
fn found(from: &Value, steps: &[Step]) -> Option<Value> {
    let value = select::select(from, steps).ok()?;
    let empty = !super::step::is_definite(steps) && value.as_array().is_some_and(Vec::is_empty);
    (!empty).then_some(value)
}

impl Operator {
    fn holds(self, left: Option<&Value>, right: Option<&Value>) -> bool {
        match self {
            Self::Equal => equal(left, right),
            Self::NotEqual => !equal(left, right),
            Self::Less => order(left, right).is_some_and(Ordering::is_lt),
            Self::LessOrEqual => order(left, right).is_some_and(Ordering::is_le),
            Self::Greater => order(left, right).is_some_and(Ordering::is_gt),
            Self::GreaterOrEqual => order(left, right).is_some_and(Ordering::is_ge),
            Self::In => items(right).iter().any(|item| equal(left, Some(item))),
            Self::NotIn => !items(right).iter().any(|item| equal(left, Some(item))),
            Self::SubsetOf => {
                left.is_some_and(Value::is_array) && items(left).iter().all(|l| within(l, right))
            }
            Self::AnyOf => items(left).iter().any(|l| within(l, right)),
            Self::NoneOf => !items(left).iter().any(|l| within(l, right)),
            Self::Size => {
                let size = match left {
                    Some(Value::Array(items)) => items.len(),
                    Some(Value::String(text)) => text.chars().count(),
                    _ => return false,
                };
                right.and_then(Value::as_u64) == u64::try_from(size).ok()
            }
            Self::Empty => {
                let empty = match left {
                    Some(Value::Array(items)) => items.is_empty(),
                    Some(Value::String(text)) => text.is_empty(),
                    _ => return false,
                };
                right.and_then(Value::as_bool) == Some(empty)
            }
            Self::Contains => match (left, right) {
                (Some(Value::Array(_)), Some(item)) => within(item, left),
                (Some(Value::String(text)), Some(Value::String(part))) => text.contains(part),
                _ => false,
            },
        }
    }
}

fn items(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn within(item: &Value, list: Option<&Value>) -> bool {
    items(list).iter().any(|other| equal(Some(item), Some(other)))
}

/// Equality as Jayway has it: the left side's type decides, so that the number 1 equals the text
/// "1.0" and the text "1" the number 1.
fn equal(left: Option<&Value>, right: Option<&Value>) -> bool {
    match (left, right) {
        (Some(Value::Number(l)), Some(Value::Number(r))) => l == r || l.as_f64() == r.as_f64(),
        (Some(Value::Number(l)), Some(Value::String(r))) => {
            r.trim().parse::<f64>().ok().is_some_and(|r| l.as_f64() == Some(r))
        }
        (Some(Value::String(l)), Some(Value::Number(r))) => *l == r.to_string(),
        (left, right) => left.is_some() && left == right,
    }
}

fn order(left: Option<&Value>, right: Option<&Value>) -> Option<Ordering> {
    match (left?, right?) {
        (Value::Number(l), Value::Number(r)) => l.as_f64()?.partial_cmp(&r.as_f64()?),
        (Value::String(l), Value::String(r)) => Some(l.cmp(r)),
        _ => None,
    }
}
