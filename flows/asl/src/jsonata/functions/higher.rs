//! Functions that take functions.

use super::super::error::{Error, Result, error};
use super::super::evaluate::Evaluation;
use super::super::value::{Object, Value};
use super::arrays::function;
use std::sync::Arc;

/// `$map(array, function)`
pub(super) fn map(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [whole @ Value::Array(array), by] = given else { return Ok(Value::Undefined) };
    let Some(by) = function(Some(by)) else { return Ok(Value::Undefined) };
    let mut found = Vec::new();
    for (at, item) in array.items().iter().enumerate() {
        let value = run.called_back(by, item.clone(), || Value::from(at), whole)?;
        if !value.is_undefined() {
            run.grows(found.len())?;
            found.push(value);
        }
    }
    run.sequence(found)
}

/// `$filter(array, function)`
pub(super) fn filter(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [whole @ Value::Array(array), by] = given else { return Ok(Value::Undefined) };
    let Some(by) = function(Some(by)) else { return Ok(Value::Undefined) };
    let mut found = Vec::new();
    for (at, item) in array.items().iter().enumerate() {
        let value = run.called_back(by, item.clone(), || Value::from(at), whole)?;
        if run.holds(&value)? {
            run.grows(found.len())?;
            found.push(item.clone());
        }
    }
    run.sequence(found)
}

/// `$single(array, function)`
pub(super) fn single(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [whole @ Value::Array(array), by] = given else { return Ok(Value::Undefined) };
    let mut found = None;
    for (at, item) in array.items().iter().enumerate() {
        let is_meant = match function(Some(by)) {
            Some(by) => {
                let value = run.called_back(by, item.clone(), || Value::from(at), whole)?;
                run.holds(&value)?
            }
            None => true,
        };
        if is_meant && found.replace(item.clone()).is_some() {
            let words = "The $single() function expected exactly 1 matching result.  Instead it \
                         matched more.";
            return Err(Error::coded("D3138", words));
        }
    }
    found.ok_or_else(|| {
        let words =
            "The $single() function expected exactly 1 matching result.  Instead it matched 0.";
        Error::coded("D3139", words)
    })
}

/// `$reduce(array, function, init)`
pub(super) fn reduce(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [whole @ Value::Array(array), by, init] = given else { return Ok(Value::Undefined) };
    let Some(by) = function(Some(by)) else { return Ok(Value::Undefined) };
    let arity = by.arity();
    if arity < 2 {
        let words = "The second argument of reduce function must be a function with at least two \
                     arguments";
        return Err(Error::coded("D3050", words));
    }
    let mut items = array.items().iter().enumerate();
    let mut result = init.clone();
    if result.is_undefined() {
        result = items.next().map(|(_, first)| first.clone()).unwrap_or_default();
    }
    for (at, item) in items {
        let mut given = vec![result, item.clone()];
        if arity >= 3 {
            given.push(Value::from(at));
        }
        if arity >= 4 {
            given.push(whole.clone());
        }
        result = run.nested_call(by, given)?;
    }
    Ok(result)
}

/// `$each(object, function)`
pub(super) fn each(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [whole @ Value::Object(object), by] = given else { return Ok(Value::Undefined) };
    let Some(by) = function(Some(by)) else { return Ok(Value::Undefined) };
    let mut found = Vec::new();
    for (name, member) in object.members() {
        let name = || Value::Text(Arc::clone(name));
        let value = run.called_back(by, member.clone(), name, whole)?;
        if !value.is_undefined() {
            run.grows(found.len())?;
            found.push(value);
        }
    }
    run.sequence(found)
}

/// `$sift(object, function)`
pub(super) fn sift(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [whole @ Value::Object(object), by] = given else { return Ok(Value::Undefined) };
    let mut found = Object::default();
    for (name, member) in object.members() {
        let Some(by) = function(Some(by)) else {
            return Err(error("Cannot read properties of undefined"));
        };
        let value = run.called_back(by, member.clone(), || Value::Text(Arc::clone(name)), whole)?;
        if run.holds(&value)? {
            found.insert(Arc::clone(name), member.clone());
        }
    }
    if found.len() == 0 { Ok(Value::Undefined) } else { run.object(found) }
}
