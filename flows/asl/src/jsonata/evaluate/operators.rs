//! Operators with two sides, the minus sign, and the constructors of arrays.

use super::{Evaluation, coded};
use crate::jsonata::convert;
use crate::jsonata::error::{Error, Result, memory};
use crate::jsonata::functions::text::string;
use crate::jsonata::limits::MOST_ITEMS;
use crate::jsonata::syntax::tree::{Kind, Node, Operator};
use crate::jsonata::value::{Env, Value};
use serde_json::Value as Json;
use std::cmp::Ordering;

/// The number that a value is; `NaN` is none.
///
/// # Errors
///
/// D1001 for one that JSON does not have.
pub(in crate::jsonata) fn number(value: &Value) -> Result<Option<f64>> {
    match value {
        Value::Number(number) if number.is_nan() => Ok(None),
        Value::Number(number) if number.is_infinite() => {
            Err(coded("D1001", "Number out of range: null"))
        }
        Value::Number(number) => Ok(Some(*number)),
        _ => Ok(None),
    }
}

/// A value as a message shows it.
pub(in crate::jsonata) fn shown(value: &Value) -> String {
    convert::shown(value).map_or_else(|| "undefined".to_owned(), |json| json.to_string())
}

/// Bytes that are compared at once.
const PIECE: usize = 256;

/// The order of texts by UTF-16's units, as JavaScript compares them.
pub(in crate::jsonata) fn compared(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    // What is alike at the beginning is passed over in pieces.
    let pieces = left.chunks(PIECE).zip(right.chunks(PIECE));
    let alike = PIECE * pieces.take_while(|(left, right)| left == right).count();
    let alike = alike.min(left.len()).min(right.len());
    let (left, right) = (&left[alike..], &right[alike..]);
    let at = left.iter().zip(right).position(|(left, right)| left != right);
    match at {
        // Characters beyond the first plane are written in units below those of its last ones.
        Some(at) => {
            let place = |byte: u8| if matches!(byte, 0xee | 0xef) { byte + 0x10 } else { byte };
            match (left.get(at), right.get(at)) {
                (Some(left), Some(right)) => place(*left).cmp(&place(*right)),
                _ => Ordering::Equal,
            }
        }
        None => left.len().cmp(&right.len()),
    }
}

impl Evaluation<'_> {
    pub(super) fn binary(
        &mut self,
        operator: Operator,
        sides: &(Node, Node),
        input: &Value,
        env: &Env,
    ) -> Result {
        let left = self.evaluate(&sides.0, input, env)?;
        match operator {
            Operator::And => {
                let is_true = self.holds(&left)? && self.is_side_true(&sides.1, input, env)?;
                return Ok(Value::Bool(is_true));
            }
            Operator::Or => {
                let is_true = self.holds(&left)? || self.is_side_true(&sides.1, input, env)?;
                return Ok(Value::Bool(is_true));
            }
            Operator::Default if self.holds(&left)? => return Ok(left),
            Operator::Coalesce if !left.is_undefined() => return Ok(left),
            Operator::Default | Operator::Coalesce => return self.evaluate(&sides.1, input, env),
            _ => {}
        }
        let right = self.evaluate(&sides.1, input, env)?;
        match operator {
            Operator::Equal | Operator::Unequal => {
                if left.is_undefined() || right.is_undefined() {
                    return Ok(Value::Bool(false));
                }
                let is_same = self.is_same(&left, &right)?;
                Ok(Value::Bool(is_same == (operator == Operator::Equal)))
            }
            Operator::Concatenate => self.concatenated(&left, &right),
            Operator::In => self.is_in(&left, &right),
            Operator::Range => self.range(&left, &right),
            Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual => {
                self.comparing(&left, &right)?;
                comparison(operator, &left, &right)
            }
            _ => arithmetic(operator, &left, &right),
        }
    }

    /// Counts what it takes to compare two values that are texts.
    pub(super) fn comparing(&mut self, left: &Value, right: &Value) -> Result<()> {
        match (left, right) {
            (Value::Text(left), Value::Text(right)) => self.steps(left.len().min(right.len()) / 64),
            _ => Ok(()),
        }
    }

    fn is_side_true(&mut self, side: &Node, input: &Value, env: &Env) -> Result<bool> {
        let value = self.evaluate(side, input, env)?;
        self.holds(&value)
    }

    /// Whether two values are the same, the order of members aside.
    pub(in crate::jsonata) fn is_same(&mut self, left: &Value, right: &Value) -> Result<bool> {
        self.step()?;
        match (left, right) {
            (Value::Array(left), Value::Array(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (left, right) in left.items().iter().zip(right.items()) {
                    if !self.is_same(left, right)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Value::Object(left), Value::Object(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (name, left) in left.members() {
                    let Some(right) = right.get(name) else { return Ok(false) };
                    if !self.is_same(left, right)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => {
                self.comparing(left, right)?;
                Ok(left.is(right))
            }
        }
    }

    fn concatenated(&mut self, left: &Value, right: &Value) -> Result {
        let (left, right) = (string(self, left)?, string(self, right)?);
        let bytes = left.as_ref().map_or(0, |text| text.len());
        self.fits(bytes + right.as_ref().map_or(0, |text| text.len()))?;
        let mut text = String::new();
        text.push_str(left.as_deref().unwrap_or_default());
        text.push_str(right.as_deref().unwrap_or_default());
        Ok(Value::from(text))
    }

    fn is_in(&mut self, left: &Value, right: &Value) -> Result {
        if left.is_undefined() || right.is_undefined() {
            return Ok(Value::Bool(false));
        }
        for item in right.as_slice() {
            self.step()?;
            self.comparing(left, item)?;
            if left.is(item) {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }

    fn range(&mut self, left: &Value, right: &Value) -> Result {
        let end = |value: &Value, code, side| match value {
            Value::Undefined => Ok(None),
            Value::Number(number) if number.fract() == 0.0 => Ok(Some(*number)),
            _ => {
                let words = format!(
                    "The {side} side of the range operator (..) must evaluate to an integer"
                );
                Err(coded(code, words))
            }
        };
        let (first, last) = (end(left, "T2003", "left")?, end(right, "T2004", "right")?);
        let (Some(first), Some(last)) = (first, last) else { return Ok(Value::Undefined) };
        if first > last {
            return Ok(Value::Undefined);
        }
        let count = last - first + 1.0;
        if count > MOST_ITEMS as f64 {
            return Err(memory());
        }
        self.steps(count as usize / 8)?;
        let numbers = (0..count as usize).map(|index| Value::Number(first + index as f64));
        self.sequence(numbers.collect())
    }

    pub(super) fn negate(&mut self, inner: &Node, input: &Value, env: &Env) -> Result {
        let value = self.evaluate(inner, input, env)?;
        if value.is_undefined() {
            return Ok(Value::Undefined);
        }
        match number(&value)? {
            Some(number) => Ok(Value::Number(-number)),
            None => {
                let words = format!("Cannot negate a non-numeric value: {}", shown(&value));
                Err(coded("D1002", words))
            }
        }
    }

    /// `[…]`: an array among the items is spliced in, unless it is a constructor itself.
    pub(super) fn constructed(
        &mut self,
        nodes: &[Node],
        is_constructed: bool,
        input: &Value,
        env: &Env,
    ) -> Result {
        let mut items = Vec::with_capacity(nodes.len());
        for node in nodes {
            let value = self.evaluate(node, input, env)?;
            self.grows(items.len())?;
            match value {
                Value::Undefined => {}
                Value::Array(array) if !matches!(node.kind, Kind::Array(_)) => {
                    if items.len() + array.len() > MOST_ITEMS {
                        return Err(memory());
                    }
                    self.steps(array.len() / 8)?;
                    items.extend(array.into_items());
                }
                one => items.push(one),
            }
        }
        let mut array = self.array(items)?;
        array.is_constructed = is_constructed;
        Ok(Value::Array(array))
    }
}

fn no_number(code: &'static str, side: &str, operator: Operator) -> Error {
    let sign = Json::from(operator.sign());
    coded(code, format!("The {side} side of the {sign} operator must evaluate to a number"))
}

fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Result {
    let side = |value: &Value, code, side| match value {
        Value::Undefined => Ok(None),
        value => match number(value)? {
            Some(number) => Ok(Some(number)),
            None => Err(no_number(code, side, operator)),
        },
    };
    let (left, right) = (side(left, "T2001", "left")?, side(right, "T2002", "right")?);
    let (Some(left), Some(right)) = (left, right) else { return Ok(Value::Undefined) };
    Ok(Value::Number(match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        _ => left % right,
    }))
}

fn comparison(operator: Operator, left: &Value, right: &Value) -> Result {
    let is_comparable =
        |value: &Value| matches!(value, Value::Undefined | Value::Number(_) | Value::Text(_));
    let sign = || Json::from(operator.sign());
    if !is_comparable(left) || !is_comparable(right) {
        let words = format!(
            "The expressions either side of operator {} must evaluate to numeric or string values",
            sign()
        );
        return Err(coded("T2010", words));
    }
    let order = match (left, right) {
        (Value::Undefined, _) | (_, Value::Undefined) => return Ok(Value::Undefined),
        (Value::Number(left), Value::Number(right)) => left.partial_cmp(right),
        (Value::Text(left), Value::Text(right)) => Some(compared(left, right)),
        _ => {
            let words = format!(
                "The values {} and {} either side of operator {} must be of the same data type",
                shown(left),
                shown(right),
                sign()
            );
            return Err(coded("T2009", words));
        }
    };
    Ok(Value::Bool(order.is_some_and(|order| match operator {
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        _ => order.is_ge(),
    })))
}
