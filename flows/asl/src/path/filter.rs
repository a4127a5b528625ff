//! Filters, `[?(@.a == 1 && @.b in ['x','y'])]`: what they mean.

use super::budget::Patience;
use super::select::{self, Found};
use super::step::Step;
use regex_lite::Regex;
use serde_json::Value;
use std::borrow::Cow;
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

/// A filter of one document: what does not depend on the item is found once, for all of them.
pub(super) struct Ready<'v> {
    test: Test<'v>,
    patience: &'v Patience,
}

enum Test<'v> {
    And(Vec<Test<'v>>),
    Or(Vec<Test<'v>>),
    Not(Box<Test<'v>>),
    Exists(Side<'v>),
    Compare(Side<'v>, Operator, Side<'v>),
    Matches(Side<'v>, &'v Pattern),
}

/// One side of a comparison in a document.
enum Side<'v> {
    /// From the value that is tested.
    Current(&'v [Step]),
    Found(Option<Found<'v>>),
}

impl Filter {
    /// The filter of the document `root`.
    pub(super) fn ready<'v>(&'v self, root: &'v Value, patience: &'v Patience) -> Ready<'v> {
        Ready { test: self.test(root, patience), patience }
    }

    fn test<'v>(&'v self, root: &'v Value, patience: &Patience) -> Test<'v> {
        let all =
            |filters: &'v [Self]| filters.iter().map(|one| one.test(root, patience)).collect();
        match self {
            Self::And(filters) => Test::And(all(filters)),
            Self::Or(filters) => Test::Or(all(filters)),
            Self::Not(inner) => Test::Not(Box::new(inner.test(root, patience))),
            Self::Exists(operand) => Test::Exists(operand.side(root, patience)),
            Self::Compare(left, operator, right) => {
                Test::Compare(left.side(root, patience), *operator, right.side(root, patience))
            }
            Self::Matches(left, pattern) => Test::Matches(left.side(root, patience), pattern),
        }
    }
}

impl Ready<'_> {
    /// Whether `current` passes; without meaning once the patience is over.
    pub(super) fn accepts(&self, current: &Value) -> bool {
        self.patience.takes(1) && self.test.accepts(current, self.patience)
    }
}

impl Test<'_> {
    fn accepts(&self, current: &Value, patience: &Patience) -> bool {
        match self {
            Self::And(all) => all.iter().all(|one| one.accepts(current, patience)),
            Self::Or(any) => any.iter().any(|one| one.accepts(current, patience)),
            Self::Not(inner) => !inner.accepts(current, patience),
            Self::Exists(side) => side.with(current, patience, |found| found.is_some()),
            Self::Compare(left, operator, right) => left.with(current, patience, |left| {
                right.with(current, patience, |right| operator.holds(left, right, patience))
            }),
            Self::Matches(left, pattern) => left.with(current, patience, |left| {
                let text = one(left).and_then(Value::as_str);
                text.is_some_and(|text| patience.takes(text.len()) && pattern.regex.is_match(text))
            }),
        }
    }
}

impl Side<'_> {
    fn with(
        &self,
        current: &Value,
        patience: &Patience,
        test: impl FnOnce(Option<&Found<'_>>) -> bool,
    ) -> bool {
        match self {
            Self::Current(steps) => test(found(current, steps, patience).as_ref()),
            Self::Found(found) => test(found.as_ref()),
        }
    }
}

impl Operand {
    fn side<'v>(&'v self, root: &'v Value, patience: &Patience) -> Side<'v> {
        match self {
            Self::Current(steps) => Side::Current(steps),
            Self::Root(steps) => Side::Found(found(root, steps, patience)),
            Self::Literal(value) => Side::Found(Some(Found::One(Cow::Borrowed(value)))),
        }
    }
}

/// An indefinite path that is there and finds nothing is an empty list, and nothing where the way to it
/// is not there.
fn found<'v>(from: &'v Value, steps: &[Step], patience: &Patience) -> Option<Found<'v>> {
    select::look(from, steps, patience).ok()
}

impl Operator {
    fn holds(
        self,
        left: Option<&Found<'_>>,
        right: Option<&Found<'_>>,
        patience: &Patience,
    ) -> bool {
        let within = |item: &Value| within(item, right, patience);
        match self {
            Self::Equal => same(left, right, patience),
            Self::NotEqual => !same(left, right, patience),
            Self::Less => order(left, right, patience).is_some_and(Ordering::is_lt),
            Self::LessOrEqual => order(left, right, patience).is_some_and(Ordering::is_le),
            Self::Greater => order(left, right, patience).is_some_and(Ordering::is_gt),
            Self::GreaterOrEqual => order(left, right, patience).is_some_and(Ordering::is_ge),
            Self::In => has(right, left, patience),
            Self::NotIn => !has(right, left, patience),
            // Nothing of the kind holds for what is no list, on either side.
            Self::SubsetOf | Self::AnyOf | Self::NoneOf if items(right).is_none() => false,
            Self::SubsetOf => items(left).is_some_and(|mut items| items.all(within)),
            Self::AnyOf => items(left).is_some_and(|mut items| items.any(within)),
            Self::NoneOf => items(left).is_some_and(|mut items| !items.any(within)),
            Self::Size => reads(left, patience)
                .then(|| length(left, |text| text.chars().count()))
                .flatten()
                .is_some_and(|size| one(right).and_then(Value::as_u64) == u64::try_from(size).ok()),
            Self::Empty => length(left, str::len)
                .is_some_and(|size| one(right).and_then(Value::as_bool) == Some(size == 0)),
            Self::Contains => match (one(left), one(right)) {
                (Some(Value::String(text)), Some(Value::String(part))) => {
                    patience.reads(text.len() + part.len()) && text.contains(part)
                }
                _ => has(left, right, patience),
            },
        }
    }
}

/// What is not the items of several places.
fn one<'f>(found: Option<&'f Found<'_>>) -> Option<&'f Value> {
    match found? {
        Found::One(value) => Some(value),
        Found::Many(_) => None,
    }
}

/// The items of an array.
fn items<'f>(found: Option<&'f Found<'_>>) -> Option<Box<dyn Iterator<Item = &'f Value> + 'f>> {
    Some(match found? {
        Found::One(value) => Box::new(value.as_array()?.iter()),
        Found::Many(nodes) => Box::new(nodes.iter().copied()),
    })
}

/// Counts the text that is gone through.
fn reads(found: Option<&Found<'_>>, patience: &Patience) -> bool {
    patience.reads(one(found).and_then(Value::as_str).map_or(0, str::len))
}

/// How many items an array has or, as `of_text` counts, characters a text.
fn length(found: Option<&Found<'_>>, of_text: fn(&str) -> usize) -> Option<usize> {
    match found? {
        Found::One(value) => match &**value {
            Value::Array(items) => Some(items.len()),
            Value::String(text) => Some(of_text(text)),
            _ => None,
        },
        Found::Many(nodes) => Some(nodes.len()),
    }
}

/// Whether an item of an array is equal to `item`.
fn within(item: &Value, list: Option<&Found<'_>>, patience: &Patience) -> bool {
    let count = length(list, |_| 0).unwrap_or(0);
    let is_it = |other: &Value| patience.compares(item, other) && equal(item, other);
    match list {
        // What is left of it must not be gone through when there is no patience for it.
        _ if patience.is_over() || !patience.takes(count) => false,
        Some(Found::One(list)) => list.as_array().is_some_and(|items| items.iter().any(is_it)),
        Some(Found::Many(nodes)) => nodes.iter().any(|node| is_it(node)),
        None => false,
    }
}

/// The same, for an item that may be an array of several places.
fn has(list: Option<&Found<'_>>, item: Option<&Found<'_>>, patience: &Patience) -> bool {
    match item {
        Some(Found::One(item)) => within(item, list, patience),
        Some(Found::Many(nodes)) => items(list).is_some_and(|mut items| {
            items.any(|item| patience.takes(1) && is_made_of(item, nodes, patience))
        }),
        None => false,
    }
}

fn is_made_of(value: &Value, nodes: &[&Value], patience: &Patience) -> bool {
    value.as_array().is_some_and(|items| alike(items.iter(), nodes.iter().copied(), patience))
}

/// Whether two lists have the same items.
fn alike<'f>(
    mut left: impl ExactSizeIterator<Item = &'f Value>,
    right: impl ExactSizeIterator<Item = &'f Value>,
    patience: &Patience,
) -> bool {
    left.len() == right.len()
        && right.into_iter().all(|right| {
            left.next().is_some_and(|left| patience.compares(left, right) && left == right)
        })
}

fn same(left: Option<&Found<'_>>, right: Option<&Found<'_>>, patience: &Patience) -> bool {
    match (left, right) {
        (Some(Found::One(left)), Some(Found::One(right))) => {
            patience.compares(left, right) && equal(left, right)
        }
        (Some(Found::Many(nodes)), Some(Found::One(value)))
        | (Some(Found::One(value)), Some(Found::Many(nodes))) => is_made_of(value, nodes, patience),
        (Some(Found::Many(left)), Some(Found::Many(right))) => {
            alike(left.iter().copied(), right.iter().copied(), patience)
        }
        (None, _) | (_, None) => false,
    }
}

/// Equality as Jayway has it: the left side's type decides, so that the number 1 equals the text
/// "1.0" and the text "1" the number 1.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(l), Value::Number(r)) => l == r || l.as_f64() == r.as_f64(),
        (Value::Number(l), Value::String(r)) => {
            r.trim().parse::<f64>().ok().is_some_and(|r| l.as_f64() == Some(r))
        }
        (Value::String(l), Value::Number(r)) => *l == r.to_string(),
        (left, right) => left == right,
    }
}

fn order(
    left: Option<&Found<'_>>,
    right: Option<&Found<'_>>,
    patience: &Patience,
) -> Option<Ordering> {
    match (one(left)?, one(right)?) {
        (Value::Number(l), Value::Number(r)) => l.as_f64()?.partial_cmp(&r.as_f64()?),
        (Value::String(l), Value::String(r)) => {
            patience.reads(l.len().min(r.len())).then(|| l.cmp(r))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_an_item_is_compared_with_stays_where_it_is_and_is_found_once() {
        let root = json!({"a": [1, 2]});
        let patience = Patience::default();
        let name = |name: &str| Step::Name(name.to_owned());
        for (steps, place) in [
            (Vec::new(), &root),
            (vec![name("a")], &root["a"]),
            (vec![name("a"), Step::Index(1)], &root["a"][1]),
        ] {
            let operand = Operand::Root(steps);
            let Side::Found(found) = operand.side(&root, &patience) else {
                panic!("{operand:?} is looked for")
            };
            assert!(one(found.as_ref()).is_some_and(|one| std::ptr::eq(one, place)), "{operand:?}");
        }
        let each = Operand::Root(vec![name("a"), Step::Wildcard]);
        let Side::Found(each) = each.side(&root, &patience) else { panic!("it is looked for") };
        let each = items(each.as_ref()).map(|items| {
            items.zip([&root["a"][0], &root["a"][1]]).all(|(a, b)| std::ptr::eq(a, b))
        });
        assert_eq!(each, Some(true));
        let item = found(&root["a"], &[Step::Index(0)], &patience);
        assert!(one(item.as_ref()).is_some_and(|one| std::ptr::eq(one, &root["a"][0])));
    }
}
