//! Predicates: `[…]` after a part.

use super::{Evaluation, operators};
use crate::jsonata::error::Result;
use crate::jsonata::syntax::tree::{Kind, Node};
use crate::jsonata::value::{Env, Frame, Function, Tuple, Tuples, Value};
use std::rc::Rc;

/// The place in a list of `length` items that a number says; from the end if it is negative.
fn place(number: f64, length: usize) -> Option<usize> {
    let number = number.floor();
    let place = if number < 0.0 { length as f64 + number } else { number };
    (place >= 0.0 && place < length as f64).then_some(place as usize)
}

impl Evaluation<'_> {
    pub(super) fn filter(&mut self, predicate: &Node, input: Value, env: &Env) -> Result {
        if let Value::Tuples(tuples) = input {
            let tuples = self.filter_tuples(predicate, Rc::unwrap_or_clone(tuples), env)?;
            return Ok(Value::Tuples(Rc::new(tuples)));
        }
        let items = input.as_slice();
        if let Kind::Number(number) = predicate.kind {
            let item = place(number, items.len()).and_then(|at| items.get(at)).cloned();
            return match item {
                None | Some(Value::Undefined) => self.sequence(Vec::new()),
                Some(Value::Array(array)) => Ok(Value::Array(array)),
                Some(one) => self.sequence(vec![one]),
            };
        }
        let mut found = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let times = self.admits(predicate, item, env, at, items.len())?;
            for _ in 0..times {
                self.grows(found.len())?;
                found.push(item.clone());
            }
        }
        self.sequence(found)
    }

    /// How many times a predicate takes the item at a place: as often as its numbers say the place, or
    /// once if it is true.
    fn admits(
        &mut self,
        predicate: &Node,
        context: &Value,
        env: &Env,
        at: usize,
        length: usize,
    ) -> Result<usize> {
        let value = self.evaluate(predicate, context, env)?;
        if let Some(number) = operators::number(&value)? {
            return Ok(usize::from(place(number, length) == Some(at)));
        }
        if let Value::Array(array) = &value {
            let (mut times, mut are_numbers) = (0, true);
            for item in array.items() {
                self.step()?;
                match operators::number(item)? {
                    Some(number) => times += usize::from(place(number, length) == Some(at)),
                    None => {
                        are_numbers = false;
                        break;
                    }
                }
            }
            if are_numbers {
                return Ok(times);
            }
        }
        Ok(usize::from(self.holds(&value)?))
    }

    pub(super) fn filter_tuples(
        &mut self,
        predicate: &Node,
        tuples: Tuples,
        env: &Env,
    ) -> Result<Tuples> {
        let Tuples { list, are_sorted } = tuples;
        let length = list.len();
        if let Kind::Number(number) = predicate.kind {
            let tuple = place(number, length).and_then(|at| list.into_iter().nth(at));
            return Ok(Tuples { list: tuple.into_iter().collect(), are_sorted });
        }
        let mut found: Vec<Tuple> = Vec::new();
        for (at, tuple) in list.into_iter().enumerate() {
            let times = if are_sorted {
                let context = self.tuple_object(&tuple)?;
                self.admits(predicate, &context, env, at, length)?
            } else {
                let frame = Frame::with(env, tuple.bound.clone());
                self.admits(predicate, &tuple.at, &frame, at, length)?
            };
            for _ in 0..times {
                self.push(&mut found, tuple.clone())?;
            }
        }
        Ok(Tuples { list: found, are_sorted })
    }

    /// What `$boolean` says of its argument: as [`Evaluation::holds`], but that a function which is an
    /// argument counts as none. 2.0.6 wraps it into one of JavaScript's.
    ///
    /// # Errors
    ///
    /// D1001 for a number that JSON does not have.
    pub(in crate::jsonata) fn is_true(&mut self, value: &Value) -> Result<bool> {
        if matches!(value, Value::Function(_)) { Ok(false) } else { self.holds(value) }
    }

    /// Whether a value counts as true. Functions do, regular expressions and their matchers do not.
    ///
    /// # Errors
    ///
    /// D1001 for a number that JSON does not have.
    pub(in crate::jsonata) fn holds(&mut self, value: &Value) -> Result<bool> {
        Ok(match value {
            Value::Bool(truth) => *truth,
            Value::Text(text) => !text.is_empty(),
            Value::Number(_) => operators::number(value)?.is_some_and(|number| number != 0.0),
            Value::Object(object) => object.len() > 0,
            Value::Array(array) => match array.items() {
                [one] => self.holds(one)?,
                items => {
                    let mut is_true = false;
                    for item in items {
                        self.step()?;
                        is_true |= self.holds(item)?;
                    }
                    is_true
                }
            },
            Value::Function(function) => {
                !matches!(**function, Function::Regex(_) | Function::Next { .. })
            }
            _ => false,
        })
    }
}
