//! Functions of objects, and of what kind values are.

use super::super::error::{Error, Result};
use super::super::evaluate::Evaluation;
use super::super::value::{Object, Value, index_of};
use super::text;
use std::collections::HashSet;
use std::sync::Arc;

/// `$keys(object)`; of an array the names of all.
pub(super) fn keys(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [value] = given else { return Ok(Value::Undefined) };
    let (mut names, mut seen) = (Vec::new(), HashSet::new());
    gather(run, value, &mut names, &mut seen)?;
    if matches!(value, Value::Array(_)) {
        let index = |name: &Value| name.as_str().and_then(index_of).unwrap_or(u32::MAX);
        names.sort_by_key(index);
    }
    run.sequence(names)
}

fn gather(
    run: &mut Evaluation<'_>,
    value: &Value,
    names: &mut Vec<Value>,
    seen: &mut HashSet<Arc<str>>,
) -> Result<()> {
    match value {
        Value::Array(array) => {
            for item in array.items() {
                run.step()?;
                gather(run, item, names, seen)?;
            }
        }
        Value::Object(object) => {
            for (name, _) in object.members() {
                run.step()?;
                if seen.insert(Arc::clone(name)) {
                    names.push(Value::Text(Arc::clone(name)));
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// `$lookup(object, name)`
pub(super) fn lookup(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    match given {
        [value, Value::Text(name)] => run.lookup(value, name),
        [value, _] => run.lookup(value, "undefined"),
        _ => Ok(Value::Undefined),
    }
}

/// `$spread(object)`: an object for each member.
pub(super) fn spread(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [value] = given else { return Ok(Value::Undefined) };
    match value {
        Value::Array(array) => {
            let mut items = Vec::new();
            for item in array.items() {
                match spread(run, std::slice::from_ref(item))? {
                    Value::Array(spread) => items.extend_from_slice(spread.items()),
                    Value::Undefined => {}
                    one => items.push(one),
                }
                run.grows(items.len())?;
            }
            if array.len() == 0 { run.sequence(items) } else { run.list(items) }
        }
        Value::Object(object) => {
            let mut items = Vec::with_capacity(object.len());
            for (name, member) in object.members() {
                let mut one = Object::default();
                one.insert(Arc::clone(name), member.clone());
                items.push(run.object(one)?);
            }
            run.sequence(items)
        }
        other => Ok(other.clone()),
    }
}

/// `$merge(objects)`
pub(super) fn merge(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Array(array)] = given else { return Ok(Value::Undefined) };
    let mut merged = Object::default();
    for item in array.items() {
        let Value::Object(object) = item else { continue };
        for (name, member) in object.members() {
            run.grows(merged.len())?;
            merged.insert(Arc::clone(name), member.clone());
        }
    }
    run.object(merged)
}

/// `$type(value)`
pub(super) fn kind(_: &mut Evaluation<'_>, given: &[Value]) -> Result {
    Ok(Value::from(match given {
        [Value::Null] => "null",
        [Value::Bool(_)] => "boolean",
        [Value::Number(_)] => "number",
        [Value::Text(_)] => "string",
        [Value::Array(_) | Value::Tuples(_)] => "array",
        [Value::Object(_)] => "object",
        [Value::Function(_)] => "function",
        _ => return Ok(Value::Undefined),
    }))
}

/// `$clone(value)`
pub(super) fn clone(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    match given {
        [value] => text::copied(run, value),
        _ => Ok(Value::Undefined),
    }
}

/// `$error(message)`
pub(super) fn error(_: &mut Evaluation<'_>, given: &[Value]) -> Result {
    Err(Error::coded("D3137", said(given.first(), "$error() function evaluated")))
}

/// `$assert(condition, message)`
pub(super) fn assert(_: &mut Evaluation<'_>, given: &[Value]) -> Result {
    match given {
        [Value::Bool(true), ..] => Ok(Value::Undefined),
        _ => Err(Error::coded("D3141", said(given.get(1), "$assert() statement failed"))),
    }
}

fn said(message: Option<&Value>, otherwise: &str) -> String {
    let message = message.and_then(Value::as_str).filter(|message| !message.is_empty());
    message.unwrap_or(otherwise).to_owned()
}
