//! The functions that Step Functions adds or changes (developer guide, "JSONata functions provided by
//! Step Functions"), with the types and words of AWS.

use super::super::error::{Error, FUNCTION, Result, memory, mismatch};
use super::super::evaluate::Evaluation;
use super::super::limits::MOST_IN_RANGE;
use super::super::value::Value;
use super::reading;
use crate::digest;
use crate::java::random_double;

/// What `$hash` knows, in the order of AWS's words.
const ALGORITHMS: &str = "SHA-1, SHA-384, SHA-256, SHA-512, MD5";

/// Whether every argument is of its parameter's kind or undefined, and none is left over.
///
/// AWS words a surplus like a wrong type: T0410 of the first argument without a parameter
/// (tiny-asl-machine, `Feature.JSONataBuiltins` 015, 023, 031, 039–042 and 046, recorded on AWS).
fn signature(parameters: &[fn(&Value) -> bool], given: &[Value]) -> Result<()> {
    for (index, argument) in given.iter().enumerate() {
        let is_right = parameters
            .get(index)
            .is_some_and(|is_kind| argument.is_undefined() || is_kind(argument));
        if !is_right {
            return Err(mismatch(index + 1));
        }
    }
    Ok(())
}

fn is_number(value: &Value) -> bool {
    matches!(value, Value::Number(_))
}

fn is_text(value: &Value) -> bool {
    matches!(value, Value::Text(_))
}

fn at(given: &[Value], index: usize) -> Value {
    given.get(index).cloned().unwrap_or_default()
}

pub(super) fn refused(words: impl Into<String>) -> Error {
    Error::coded("D3137", words)
}

/// `$eval`, which Step Functions does not have.
pub(super) fn eval(_: &mut Evaluation<'_>, _: &[Value]) -> Result {
    Err(Error::coded("T1006", "Attempted to invoke a non-function"))
}

/// `$millis()`
pub(super) fn millis(run: &mut Evaluation<'_>, _: &[Value]) -> Result {
    Ok(Value::Number(run.now()))
}

/// `$random(seed)`: with a seed the first number of Java's generator (measured on AWS for the project
/// floci, issue 2662).
pub(super) fn random(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    signature(&[is_number], given)?;
    Ok(Value::Number(match at(given, 0) {
        Value::Number(seed) => random_double(seed.trunc() as i64),
        _ => run.entropy.unit(),
    }))
}

/// `$uuid()`
pub(super) fn uuid(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    signature(&[], given)?;
    run.steps(32)?;
    Ok(Value::from(run.entropy.uuid()))
}

/// `$partition(array, size)`: chunks, all in one without a size; nothing for an empty array or a
/// size of zero. It takes no single value for an array, and has no word for what it wants one of
/// (tiny-asl-machine, `Feature.JSONataBuiltins` 010, 013 and 014, recorded on AWS).
pub(super) fn partition(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    signature(&[|_| true, is_number], given)?;
    let array = match at(given, 0) {
        Value::Undefined => return Ok(Value::Undefined),
        Value::Array(array) => array,
        _ => {
            let words = format!("Argument 1 of function {FUNCTION} must be an array of undefined");
            return Err(Error::coded("T0412", words));
        }
    };
    let size = match (at(given, 1), given.len()) {
        (Value::Number(size), _) => size.trunc(),
        (_, 1) => array.len() as f64,
        _ => return Ok(Value::Undefined),
    };
    if size < 0.0 {
        return Err(refused("Second argument must be zero or greater"));
    }
    if array.len() == 0 || size < 1.0 {
        return Ok(Value::Undefined);
    }
    let mut chunks = Vec::new();
    for chunk in array.items().chunks(size as usize) {
        chunks.push(run.list(chunk.to_vec())?);
    }
    run.list(chunks)
}

/// `$range(start, end, step)`: both ends included; nothing if the step leads elsewhere. A range of
/// one number is that number.
pub(super) fn range(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    signature(&[is_number, is_number, is_number], given)?;
    let mut bounds = [0.0; 3];
    for (index, bound) in bounds.iter_mut().enumerate() {
        match at(given, index) {
            Value::Number(number) => *bound = number.trunc(),
            _ => return Ok(Value::Undefined),
        }
    }
    let [start, end, step] = bounds;
    if step == 0.0 || (end - start) * step < 0.0 {
        return Ok(Value::Undefined);
    }
    let count = ((end - start) / step).floor() + 1.0;
    if !count.is_finite() || count > MOST_IN_RANGE as f64 {
        return Err(memory());
    }
    let numbers = (0..count as usize).map(|index| Value::Number(start + step * index as f64));
    run.sequence(numbers.collect())
}

/// `$hash(text, algorithm)`: in hexadecimal; nothing without an algorithm.
pub(super) fn hash(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    signature(&[is_text, is_text], given)?;
    match (at(given, 0), at(given, 1)) {
        (Value::Text(text), Value::Text(algorithm)) => {
            run.build(text.len())?;
            digest::hex(&algorithm, &text).map(Value::from).ok_or_else(|| {
                refused(format!("Hash algorithm '{algorithm}' must be one of {ALGORITHMS}"))
            })
        }
        _ if given.is_empty() => Err(mismatch(1)),
        _ => Ok(Value::Undefined),
    }
}

/// `$parse(text)`: the JSON in a text.
pub(super) fn parse(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    signature(&[is_text], given)?;
    match at(given, 0) {
        Value::Text(text) => reading::read(run, &text),
        _ => Ok(Value::Undefined),
    }
}
