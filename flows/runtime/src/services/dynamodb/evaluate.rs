//! Whether an item meets a condition.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::condition::{Comparator, Condition, Operand};
use super::number::Number;
use super::value::{Item, Value, same};

impl Condition {
    /// Whether `item` meets it. An item that is not there is an empty one.
    pub(super) fn holds(&self, item: &Item) -> bool {
        match self {
            Self::And(all) => all.iter().all(|c| c.holds(item)),
            Self::Or(all) => all.iter().any(|c| c.holds(item)),
            Self::Not(inner) => !inner.holds(item),
            Self::Compare(comparator, a, b) => compare(*comparator, a.of(item), b.of(item)),
            Self::Between(a, low, high) => {
                compare(Comparator::GreaterOrEqual, a.of(item), low.of(item))
                    && compare(Comparator::LessOrEqual, a.of(item), high.of(item))
            }
            Self::In(a, list) => {
                list.iter().any(|b| compare(Comparator::Equal, a.of(item), b.of(item)))
            }
            Self::Exists(path) => path.find(item).is_some(),
            Self::NotExists(path) => path.find(item).is_none(),
            Self::Type(path, kind) => path.find(item).is_some_and(|v| v.kind() == kind),
            Self::BeginsWith(a, b) => begins_with(a.of(item).as_deref(), b.of(item).as_deref()),
            Self::Contains(a, b) => contains(a.of(item).as_deref(), b.of(item).as_deref()),
        }
    }
}

impl Operand {
    fn of<'a>(&'a self, item: &'a Item) -> Option<Cow<'a, Value>> {
        match self {
            Self::Path(path) => path.find(item).map(Cow::Borrowed),
            Self::Value(value) => Some(Cow::Borrowed(value)),
            Self::Size(path) => {
                let size = length(path.find(item)?)?;
                Some(Cow::Owned(Value::N(Number::from_count(size))))
            }
        }
    }
}

/// `size` of a value: characters, bytes or elements. Others have none.
fn length(value: &Value) -> Option<usize> {
    match value {
        Value::S(text) => Some(text.chars().count()),
        Value::B(bytes) => Some(bytes.len()),
        Value::L(list) => Some(list.len()),
        Value::M(map) => Some(map.len()),
        Value::Ss(set) => Some(set.len()),
        Value::Ns(set) => Some(set.len()),
        Value::Bs(set) => Some(set.len()),
        Value::N(_) | Value::Bool(_) | Value::Null => None,
    }
}

/// The order of two values of one type that has an order: strings and binaries by their bytes.
pub(super) fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::S(a), Value::S(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Value::N(a), Value::N(b)) => Some(a.cmp(b)),
        (Value::B(a), Value::B(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Values of different types are never equal and have no order; what is not there differs from
/// everything that is.
fn compare(comparator: Comparator, a: Option<Cow<'_, Value>>, b: Option<Cow<'_, Value>>) -> bool {
    let (a, b) = match (a, b) {
        (Some(a), Some(b)) => (a, b),
        (None, None) => return false,
        _ => return comparator == Comparator::NotEqual,
    };
    match comparator {
        Comparator::Equal => same(&a, &b),
        Comparator::NotEqual => !same(&a, &b),
        Comparator::Less => order(&a, &b) == Some(Ordering::Less),
        Comparator::Greater => order(&a, &b) == Some(Ordering::Greater),
        Comparator::LessOrEqual => matches!(order(&a, &b), Some(Ordering::Less | Ordering::Equal)),
        Comparator::GreaterOrEqual => {
            matches!(order(&a, &b), Some(Ordering::Greater | Ordering::Equal))
        }
    }
}

fn begins_with(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        (Some(Value::S(a)), Some(Value::S(b))) => a.starts_with(b),
        (Some(Value::B(a)), Some(Value::B(b))) => a.starts_with(b),
        _ => false,
    }
}

fn contains(a: Option<&Value>, b: Option<&Value>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return false };
    match (a, b) {
        (Value::S(a), Value::S(b)) => a.contains(b),
        (Value::B(a), Value::B(b)) => b.is_empty() || a.windows(b.len()).any(|w| w == b),
        (Value::L(list), b) => list.iter().any(|v| same(v, b)),
        (Value::Ss(set), Value::S(b)) => set.contains(b),
        (Value::Ns(set), Value::N(b)) => set.contains(b),
        (Value::Bs(set), Value::B(b)) => set.contains(b),
        _ => false,
    }
}
