//! Sorting: `^(…)` and `$sort`.

use super::operators::{compared, shown};
use super::{Evaluation, coded};
use crate::jsonata::error::Result;
use crate::jsonata::syntax::tree::Term;
use crate::jsonata::value::{Env, Tuple, Value};

impl Evaluation<'_> {
    /// The items in the order of the terms.
    pub(super) fn sorted_items(
        &mut self,
        terms: &[Term],
        items: Vec<Value>,
        env: &Env,
    ) -> Result<Vec<Value>> {
        self.merge_sorted(items, &mut |this, left, right| {
            this.comes_after(terms, (left, env), (right, env))
        })
    }

    pub(super) fn sorted_tuple_list(
        &mut self,
        terms: &[Term],
        tuples: Vec<Tuple>,
        env: &Env,
    ) -> Result<Vec<Tuple>> {
        self.merge_sorted(tuples, &mut |this, left, right| {
            let (of_left, of_right) = (this.tuple_frame(left, env), this.tuple_frame(right, env));
            this.comes_after(terms, (&left.at, &of_left), (&right.at, &of_right))
        })
    }

    /// Whether `left` comes after `right`.
    fn comes_after(
        &mut self,
        terms: &[Term],
        left: (&Value, &Env),
        right: (&Value, &Env),
    ) -> Result<bool> {
        for term in terms {
            let of_left = self.evaluate(&term.expression, left.0, left.1)?;
            let of_right = self.evaluate(&term.expression, right.0, right.1)?;
            // What has none comes last, whichever way it is sorted.
            match (&of_left, &of_right) {
                (Value::Undefined, Value::Undefined) => continue,
                (Value::Undefined, _) => return Ok(true),
                (_, Value::Undefined) => return Ok(false),
                _ => {}
            }
            self.comparing(&of_left, &of_right)?;
            let order = match (&of_left, &of_right) {
                (Value::Number(left), Value::Number(right)) => left.partial_cmp(right),
                (Value::Text(left), Value::Text(right)) => Some(compared(left, right)),
                (Value::Number(_) | Value::Text(_), Value::Number(_) | Value::Text(_)) => {
                    let words = format!(
                        "Type mismatch when comparing values {} and {} in order-by clause",
                        shown(&of_left),
                        shown(&of_right)
                    );
                    return Err(coded("T2007", words));
                }
                _ => {
                    let words = "The expressions within an order-by clause must evaluate to numeric \
                                 or string values";
                    return Err(coded("T2008", words));
                }
            };
            // Two that are neither less nor equal, as `NaN` is, count as greater.
            let order = order.unwrap_or(std::cmp::Ordering::Greater);
            if order.is_ne() {
                return Ok(order.is_gt() != term.is_descending);
            }
        }
        Ok(false)
    }

    /// Sorts by halves, those that are alike in the order in which they come. `is_after` is asked
    /// whether the first comes after the second.
    pub(in crate::jsonata) fn merge_sorted<T: Clone>(
        &mut self,
        items: Vec<T>,
        is_after: &mut dyn FnMut(&mut Self, &T, &T) -> Result<bool>,
    ) -> Result<Vec<T>> {
        if items.len() <= 1 {
            return Ok(items);
        }
        self.build(24 * items.len())?;
        let mut left = items;
        let right = left.split_off(left.len() / 2);
        let left = self.merge_sorted(left, is_after)?;
        let right = self.merge_sorted(right, is_after)?;
        let mut merged = Vec::with_capacity(left.len() + right.len());
        let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
        while let (Some(first), Some(second)) = (left.peek(), right.peek()) {
            self.step()?;
            let next = if is_after(self, first, second)? { right.next() } else { left.next() };
            merged.extend(next);
        }
        merged.extend(left);
        merged.extend(right);
        Ok(merged)
    }
}
