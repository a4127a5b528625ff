//! What one path may cost, the paths in its filters and functions included.
//!
//! What is done is counted and no clock is looked at: the same path ends in the same way wherever it is
//! evaluated, and again when an execution goes on after a restart.

use super::select::weigh;
use serde_json::Value;
use std::cell::Cell;

/// What the filters of a path may do: as many comparisons take a second or less, which is what an
/// expression has on AWS.
const MOST: usize = 50_000_000;
/// Bytes of text that are gone through in the time of a comparison.
const TEXT: usize = 64;

/// What the filters of one path may still do.
#[derive(Debug)]
pub(super) struct Patience {
    left: Cell<usize>,
    is_over: Cell<bool>,
}

impl Default for Patience {
    fn default() -> Self {
        Self::of(MOST)
    }
}

impl Patience {
    /// For so many comparisons.
    pub(super) fn of(most: usize) -> Self {
        Self { left: Cell::new(most), is_over: Cell::new(false) }
    }

    /// Counts comparisons that are about to be made; false when they are too many.
    pub(super) fn takes(&self, comparisons: usize) -> bool {
        if self.is_over.get() {
            return false;
        }
        match self.left.get().checked_sub(comparisons) {
            Some(left) => self.left.set(left),
            None => self.is_over.set(true),
        }
        !self.is_over.get()
    }

    /// As [`Patience::takes`], for a text of so many bytes that is gone through.
    pub(super) fn reads(&self, bytes: usize) -> bool {
        self.takes(bytes / TEXT + 1)
    }

    /// As [`Patience::takes`], for what it takes to see whether two values are equal.
    pub(super) fn compares(&self, left: &Value, right: &Value) -> bool {
        match (left, right) {
            (Value::String(l), Value::String(r)) if l.len() == r.len() => self.reads(l.len()),
            (Value::Number(_), Value::String(text)) => self.reads(text.len()),
            (Value::Array(l), Value::Array(r)) if l.len() == r.len() => self.walks(left),
            (Value::Object(l), Value::Object(r)) if l.len() == r.len() => self.walks(left),
            _ => self.takes(1),
        }
    }

    fn walks(&self, value: &Value) -> bool {
        let mut todo = vec![value];
        while let Some(value) = todo.pop() {
            let may = match value {
                Value::String(text) => self.reads(text.len()),
                Value::Array(items) => {
                    todo.extend(items);
                    self.takes(1)
                }
                Value::Object(members) => {
                    todo.extend(members.values());
                    members.keys().all(|name| self.reads(name.len()))
                }
                Value::Null | Value::Bool(_) | Value::Number(_) => self.takes(1),
            };
            if !may {
                return false;
            }
        }
        true
    }

    /// Whether a comparison was not made.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.get()
    }
}

/// What a path may still hold and compare.
pub(super) struct Budget<'p> {
    /// What may still be copied, in nodes and text bytes.
    weight: usize,
    pub(super) patience: &'p Patience,
}

impl<'p> Budget<'p> {
    pub(super) fn new(weight: usize, patience: &'p Patience) -> Self {
        Self { weight, patience }
    }

    /// Takes the weight of `value` off; false when it is more than what is left.
    pub(super) fn holds(&mut self, value: &Value) -> bool {
        weigh(value, &mut self.weight)
    }

    /// Counts what was weighed since it was `before`, as a text of as many bytes.
    pub(super) fn counts(&self, before: usize) -> bool {
        self.patience.reads(before.saturating_sub(self.weight))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Miss, Path, select};
    use super::*;
    use crate::scope::{Entropy, Scope, Variables};
    use serde_json::json;

    #[test]
    fn once_it_is_over_nothing_more_is_compared() {
        let patience = Patience::of(10);
        assert!(patience.takes(4) && patience.takes(6) && !patience.is_over());
        assert!(!patience.takes(1) && patience.is_over());
        assert!(!patience.takes(0));
    }

    #[test]
    fn long_texts_and_what_has_many_parts_count_for_more() {
        let text = json!("x".repeat(640));
        for (left, right, cost) in [
            (json!(1), json!(1), 1),
            (text.clone(), text.clone(), 11),
            (text.clone(), json!("x"), 1),
            (json!([1, [2, text.clone()]]), json!([1, 2]), 15),
            (json!([1, 2]), json!([1]), 1),
            (json!({"a": 1}), json!({"b": 1}), 2),
        ] {
            assert!(Patience::of(cost).compares(&left, &right), "{left}");
            assert!(!Patience::of(cost - 1).compares(&left, &right), "{left}");
        }
    }

    /// What a path finds that may compare only so much.
    fn within(path: &str, root: &Value, most: usize) -> Result<Value, Miss> {
        let steps = Path::parse(path).unwrap().steps;
        let patience = Patience::of(most);
        select::within(root, &steps, &mut Budget::new(select::MOST_WEIGHT, &patience))
    }

    #[test]
    fn what_filters_compare_is_counted_and_has_an_end() {
        let items: Vec<Value> = (0..100).map(|n| json!({"x": n, "l": [n, [n]]})).collect();
        let wanted: Vec<Value> = (200..300).map(Value::from).collect();
        let text = "y".repeat(64_000);
        let root = json!({"a": items, "w": wanted, "t": text, "b": [{"t": text}, {"t": text}]});
        for (filter, few, enough) in [
            ("$.a[?(@.x in $.w)]", 10_000, 30_000),
            ("$.a[?(@.x nin $.w)]", 10_000, 30_000),
            ("$.a[?($.w contains @.x)]", 10_000, 30_000),
            ("$.a[?($.w subsetof $.w)]", 10_000, 3_000_000),
            ("$.a[?(@..x == @.l)]", 400, 4_000),
            ("$.a[?(@..l == @..l)]", 400, 4_000),
            ("$.b[?(@.t == $.t)]", 2_000, 2_100),
            ("$.b[?(@.t < $.t)]", 2_000, 2_100),
            ("$.b[?(@.t size 3)]", 2_000, 2_100),
            ("$.b[?(@.t contains 'z')]", 2_000, 2_100),
            ("$.b[?(@.t =~ /y*/)]", 100_000, 200_000),
        ] {
            assert_eq!(within(filter, &root, few), Err(Miss::TooLong), "{filter}");
            assert!(within(filter, &root, enough).is_ok(), "{filter}");
        }
        let short = json!({"a": [{"x": 1}, {"x": 2}], "w": [2]});
        assert_eq!(within("$.a[?(@.x in $.w)]", &short, 100), Ok(json!([{"x": 2}])));
    }

    #[test]
    fn what_cannot_be_told_is_not_taken_for_nothing() {
        let root = json!({"a": (0..2_000).collect::<Vec<u32>>()});
        let (context, variables) = (Value::Null, Variables::new());
        let entropy = Entropy::new(0);
        let scope = Scope {
            input: &root,
            context: &context,
            variables: &variables,
            states: None,
            now: jiff::Timestamp::UNIX_EPOCH,
            entropy: &entropy,
        };
        let wide = format!("$['a',{}'a'][*]", "'a',".repeat(200));
        let failure = Path::parse(&wide).unwrap().select(&scope).unwrap_err();
        assert_eq!(failure.error, "States.Runtime");
        assert!(failure.cause.ends_with("matches more than can be held"), "{}", failure.cause);
        assert_eq!(Path::parse("$.b").unwrap().select(&scope), Ok(None));
        let path = Path::parse("$.a[?(@ in $.w)]").unwrap();
        let failure = path.refused(" specified for the field 'x'", Miss::TooLong);
        assert_eq!(
            failure.cause,
            "The JSONPath '$.a[?(@ in $.w)]' specified for the field 'x' compares more than a path may"
        );
    }
}
