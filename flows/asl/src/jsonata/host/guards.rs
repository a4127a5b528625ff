//! The guards' functions: see [`super::super::guard`].

use super::{Host, Result, World, at, error, memory, mismatch};
use crate::jsonata::limits;
use crate::jsonata::regex::matching;
use jsonata_core::value::JValue;
use std::rc::Rc;

// The names. No expression can write them.

/// The value, if it is not too heavy.
pub(in super::super) const WEIGH: &str = "guard:weigh";
/// The value, if not too heavy, counted as built.
pub(in super::super) const BUILD: &str = "guard:build";
/// A number, if it is a possible length of text; text as [`BUILD`].
pub(in super::super) const WIDTH: &str = "guard:width";
/// Text, if it can be split or encoded.
pub(in super::super) const SPLIT: &str = "guard:split";
/// Text, if it can be matched.
pub(in super::super) const MATCH: &str = "guard:match";
/// An array, if its items can be compared with each other.
pub(in super::super) const DISTINCT: &str = "guard:distinct";
/// A number, as near to nought as any text is long.
pub(in super::super) const PLACE: &str = "guard:place";
/// `(into, part)`: the part, if it fits between the characters or items of `into`.
pub(in super::super) const FIT: &str = "guard:fit";
/// Whether a name is a variable's.
pub(in super::super) const IS_ASSIGNED: &str = "guard:assigned";
/// Whether it is a function.
pub(in super::super) const IS_FUNCTION: &str = "guard:function";
/// Whether it is anything.
pub(in super::super) const IS_GIVEN: &str = "guard:given";
/// Whether it is an array of no items.
pub(in super::super) const IS_EMPTY: &str = "guard:empty";
/// Whether it is text.
pub(in super::super) const IS_TEXT: &str = "guard:text";
/// An array; anything else that is there as the one item of one.
pub(in super::super) const LIST: &str = "guard:list";
/// The value; of arrays within arrays the items of all.
pub(in super::super) const FLAT: &str = "guard:flat";
/// `(text, part, limit)`: the text, if there is nothing in it that `$replace` would replace.
pub(in super::super) const UNTOUCHED: &str = "guard:untouched";
/// `(operator, operand)`: the left operand of arithmetic, if it is not `NaN`.
pub(in super::super) const LEFT_NUMBER: &str = "guard:left-number";
/// The right one.
pub(in super::super) const RIGHT_NUMBER: &str = "guard:right-number";
/// `(pattern, flags, text, from, is first)`: see [`matching::search`].
pub(in super::super) const SEARCH: &str = "guard:search";
/// `(object, name)`: a member.
pub(in super::super) const PART: &str = "guard:part";
/// `(text, found)`: whether a matcher found something.
pub(in super::super) const HAS: &str = "guard:has";
/// `(text, matches, limit)`: what is between matches.
pub(in super::super) const CUT: &str = "guard:cut";

/// Gives an evaluator those that its expression names.
pub(super) fn install(host: &mut Host<'_>, world: &Rc<World>) -> Result<()> {
    install_weights(host, world)?;
    install_places(host)?;
    install_parts(host, world)?;
    install_shapes(host, world)?;
    host.register_fn(SEARCH, matching::search)?;
    host.register_fn(PART, matching::part)?;
    host.register_fn(HAS, matching::has)?;
    host.register_fn(CUT, matching::cut)?;
    host.register_fn(IS_FUNCTION, |arguments: &[JValue]| {
        Ok(JValue::from(at(arguments, 0).is_function()))
    })?;
    host.register_fn(IS_GIVEN, |arguments: &[JValue]| {
        Ok(JValue::from(!at(arguments, 0).is_undefined()))
    })?;
    host.register_fn(IS_EMPTY, |arguments: &[JValue]| {
        let is_empty = matches!(at(arguments, 0), JValue::Array(items) if items.is_empty());
        Ok(JValue::from(is_empty))
    })
}

fn install_weights(host: &mut Host<'_>, world: &Rc<World>) -> Result<()> {
    host.register_fn(WEIGH, |arguments: &[JValue]| {
        weighed(&at(arguments, 0))?;
        Ok(at(arguments, 0))
    })?;
    let of = Rc::clone(world);
    host.register_fn(BUILD, move |arguments: &[JValue]| {
        of.build(weighed(&at(arguments, 0))?)?;
        Ok(at(arguments, 0))
    })?;
    let of = Rc::clone(world);
    host.register_fn(WIDTH, move |arguments: &[JValue]| {
        let value = at(arguments, 0);
        match value {
            JValue::Number(width) if width.abs() > limits::MOST_WEIGHT as f64 => {
                return Err(memory());
            }
            JValue::Number(width) => of.build(width.abs() as usize)?,
            _ => of.build(weighed(&value)?)?,
        }
        Ok(value)
    })?;
    for (name, most) in [(SPLIT, limits::MOST_SPLIT), (MATCH, limits::MOST_MATCHED)] {
        let of = Rc::clone(world);
        host.register_fn(name, move |arguments: &[JValue]| {
            let value = at(arguments, 0);
            match &value {
                JValue::String(text) if text.len() > most => return Err(memory()),
                JValue::String(text) => of.build(text.len())?,
                _ => {}
            }
            Ok(value)
        })?;
    }
    host.register_fn(DISTINCT, |arguments: &[JValue]| {
        let value = at(arguments, 0);
        weighed(&value)?;
        match &value {
            JValue::Array(items) if items.len() > limits::MOST_DISTINCT => Err(memory()),
            _ => Ok(value),
        }
    })
}

fn install_places(host: &mut Host<'_>) -> Result<()> {
    host.register_fn(PLACE, |arguments: &[JValue]| {
        Ok(match at(arguments, 0) {
            JValue::Number(number) => {
                JValue::Number(number.clamp(-limits::FARTHEST, limits::FARTHEST))
            }
            other => other,
        })
    })
}

fn install_parts(host: &mut Host<'_>, world: &Rc<World>) -> Result<()> {
    let of = Rc::clone(world);
    host.register_fn(FIT, move |arguments: &[JValue]| {
        let places = match at(arguments, 0) {
            JValue::String(text) => text.len() + 1,
            JValue::Array(items) => items.len(),
            _ => 1,
        };
        let part = at(arguments, 1);
        let length = part.as_str().map_or(0, str::len);
        // A part that is not used cannot be told from one that is: what counts is the worst.
        if places.saturating_mul(length) > limits::MOST_WEIGHT {
            return Err(memory());
        }
        of.build(places.saturating_mul(length))?;
        Ok(part)
    })?;
    let of = Rc::clone(world);
    host.register_fn(IS_ASSIGNED, move |arguments: &[JValue]| {
        let assigned = at(arguments, 0).as_str().is_some_and(|name| of.assigned.contains(name));
        Ok(JValue::from(assigned))
    })
}

/// What makes the operands of a step what 2.0.6 takes.
fn install_shapes(host: &mut Host<'_>, world: &Rc<World>) -> Result<()> {
    host.register_fn(IS_TEXT, |arguments: &[JValue]| {
        Ok(JValue::from(matches!(at(arguments, 0), JValue::String(_))))
    })?;
    host.register_fn(LIST, |arguments: &[JValue]| {
        Ok(match at(arguments, 0) {
            list @ (JValue::Array(_) | JValue::Undefined) => list,
            one => JValue::array(vec![one]),
        })
    })?;
    let of = Rc::clone(world);
    host.register_fn(FLAT, move |arguments: &[JValue]| match at(arguments, 0) {
        JValue::Array(items) if items.iter().any(|item| matches!(item, JValue::Array(_))) => {
            let value = JValue::Array(items);
            of.build(weighed(&value)?)?;
            let mut flat = Vec::new();
            flatten(&value, &mut flat);
            Ok(JValue::array(flat))
        }
        value => Ok(value),
    })?;
    host.register_fn(UNTOUCHED, untouched)?;
    for (name, code, side) in [(LEFT_NUMBER, "T2001", "left"), (RIGHT_NUMBER, "T2002", "right")] {
        host.register_fn(name, move |arguments: &[JValue]| match at(arguments, 1) {
            JValue::Number(number) if number.is_nan() => {
                let operator = at(arguments, 0);
                let operator = operator.as_str().unwrap_or_default();
                Err(error(format!(
                    "{code}: The {side} side of the {operator} operator must evaluate to a number"
                )))
            }
            operand => Ok(operand),
        })?;
    }
    Ok(())
}

/// The items of arrays in arrays. What is nested deeper than any value may be has been refused.
fn flatten(value: &JValue, flat: &mut Vec<JValue>) {
    match value {
        JValue::Array(items) => items.iter().for_each(|item| flatten(item, flat)),
        one => flat.push(one.clone()),
    }
}

/// 2.0.6 puts a function itself in the place of a text that it finds. That is of no use to anybody, and
/// refused; a text in which nothing is found stays as it is.
fn untouched(arguments: &[JValue]) -> Result {
    let text = match at(arguments, 0) {
        JValue::Undefined => return Ok(JValue::Undefined),
        JValue::String(text) => text,
        _ => return Err(mismatch(1, "replace")),
    };
    let most = match at(arguments, 2) {
        JValue::Undefined => f64::INFINITY,
        JValue::Number(limit) if limit < 0.0 => {
            let words = "Fourth argument of replace function must evaluate to a positive number";
            return Err(error(format!("D3011: {words}")));
        }
        JValue::Number(limit) => limit,
        _ => return Err(mismatch(4, "replace")),
    };
    let part = at(arguments, 1);
    match part.as_str().unwrap_or_default() {
        "" => Err(error("D3010: Pattern cannot be empty")),
        part if most > 0.0 && text.contains(part) => Err(error(
            "$replace() with a function takes a regular expression as what is replaced, not text",
        )),
        _ => Ok(JValue::String(text)),
    }
}

fn weighed(value: &JValue) -> Result<usize> {
    limits::weight(value).ok_or_else(memory)
}
