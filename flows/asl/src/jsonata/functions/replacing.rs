//! `$replace`.

use super::super::error::{Error, Result, error, memory};
use super::super::evaluate::Evaluation;
use super::super::limits::MOST_WEIGHT;
use super::super::value::{Function, Object, Value};
use super::matching::{Match, Matches, part, units};
use super::strings::limit;
use std::rc::Rc;
use std::sync::Arc;

/// `$replace(text, pattern, replacement, limit)`
pub(super) fn replace(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Text(text), pattern, replacement, most] = given else {
        return Ok(Value::Undefined);
    };
    if matches!(pattern, Value::Text(part) if part.is_empty()) {
        let words = "Second argument of replace function cannot be an empty string";
        return Err(Error::coded("D3010", words));
    }
    let words = "Fourth argument of replace function must evaluate to a positive number";
    let most = limit(most, "D3011", words)?.unwrap_or(f64::INFINITY);
    if most <= 0.0 {
        return Ok(Value::Text(Arc::clone(text)));
    }
    match pattern {
        Value::Function(matcher) => by_matcher(run, text, matcher, replacement, most),
        Value::Text(part) => by_text(run, text, part, replacement, most),
        // Here and where a match has no replacement 2.0.6 fails within JavaScript.
        _ => Err(error("$replace() has nothing to look for")),
    }
}

fn by_text(
    run: &mut Evaluation<'_>,
    text: &Arc<str>,
    pattern: &str,
    replacement: &Value,
    most: f64,
) -> Result {
    run.build(text.len())?;
    let most = if most.is_finite() { most.ceil() as usize } else { usize::MAX };
    let count = text.matches(pattern).take(most).count();
    let part: &str = match replacement {
        _ if count == 0 => return Ok(Value::Text(Arc::clone(text))),
        Value::Text(part) => part,
        // So 2.0.6 writes it.
        Value::Undefined => "undefined",
        // 2.0.6 puts the text of the function itself in, which is of no use to anybody.
        _ => {
            let words = "$replace() with a function takes a regular expression as what is replaced, \
                         not text";
            return Err(error(words));
        }
    };
    let rest = text.len().saturating_sub(count.saturating_mul(pattern.len()));
    run.fits(rest.saturating_add(count.saturating_mul(part.len())))?;
    Ok(Value::from(text.replacen(pattern, part, most)))
}

fn by_matcher(
    run: &mut Evaluation<'_>,
    text: &Arc<str>,
    matcher: &Rc<Function>,
    replacement: &Value,
    most: f64,
) -> Result {
    let mut matches = Matches::of(matcher, text);
    let mut written = String::new();
    let (mut from, mut count) = (0, 0.0);
    while let Some(found) = matches.next(run)? {
        if count >= most {
            break;
        }
        count += 1.0;
        let start = found.start.max(from);
        write(run, &mut written, part(text, from, start))?;
        let length = found.text.as_str().map_or(0, str::len);
        match replacement {
            Value::Text(template) => substitute(run, &found, template, &mut written)?,
            Value::Function(function) => {
                let argument = match &found.whole {
                    Some(whole) => whole.clone(),
                    None => shown_match(run, &found, text, matcher)?,
                };
                match run.invoked(function, vec![argument], &Value::Null)? {
                    Value::Text(part) => write(run, &mut written, &part)?,
                    _ => {
                        let words = "Attempted to replace a matched string with a non-string value";
                        return Err(Error::coded("D3012", words));
                    }
                }
            }
            _ => return Err(error("$replace() has nothing to replace a match with")),
        }
        from = start.saturating_add(length).min(text.len());
        while !text.is_char_boundary(from) {
            from += 1;
        }
    }
    write(run, &mut written, part(text, from, text.len()))?;
    Ok(Value::from(written))
}

/// Writes a part, unless the whole would be more than a value may hold.
fn write(run: &mut Evaluation<'_>, written: &mut String, part: &str) -> Result<()> {
    if part.len() > MOST_WEIGHT.saturating_sub(written.len()) {
        return Err(memory());
    }
    run.build(part.len())?;
    written.push_str(part);
    Ok(())
}

/// What a replacing function is given of a regular expression's match.
fn shown_match(
    run: &mut Evaluation<'_>,
    found: &Match,
    text: &Arc<str>,
    matcher: &Rc<Function>,
) -> Result {
    let Function::Regex(pattern) = &**matcher else { return Ok(Value::Undefined) };
    let next =
        Function::Next { pattern: Arc::clone(pattern), text: Arc::clone(text), from: found.end };
    let mut object = Object::default();
    object.insert("match".into(), found.text.clone());
    run.steps(found.end / 64)?;
    object.insert("start".into(), units(part(text, 0, found.start)).into());
    object.insert("end".into(), units(part(text, 0, found.end)).into());
    object.insert("groups".into(), found.groups.clone());
    object.insert("next".into(), next.into());
    run.object(object)
}

/// Puts a match into a replacement: `$0` is all of it, `$1` its first group, `$$` a dollar.
fn substitute(
    run: &mut Evaluation<'_>,
    found: &Match,
    template: &str,
    written: &mut String,
) -> Result<()> {
    let groups = found.groups.as_slice();
    let groups = if matches!(found.groups, Value::Array(_)) { groups } else { &[] };
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        write(run, written, before)?;
        if let Some(after) = after.strip_prefix('$') {
            write(run, written, "$")?;
            rest = after;
            continue;
        }
        if let Some(after) = after.strip_prefix('0') {
            write(run, written, found.text.as_str().unwrap_or_default())?;
            rest = after;
            continue;
        }
        // As many digits as the number of groups has, or one less if that is no group.
        let most = groups.len().max(1).to_string().len();
        let digits = after.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let number =
            |digits: usize| after.get(..digits).and_then(|text| text.parse::<usize>().ok());
        let mut index = number(digits);
        if most > 1 && index.is_some_and(|index| index > groups.len()) {
            index = number(digits.min(most - 1));
        }
        let Some(index) = index else {
            write(run, written, "$")?;
            rest = after;
            continue;
        };
        let group = index.checked_sub(1).and_then(|at| groups.get(at));
        write(run, written, group.and_then(Value::as_str).unwrap_or_default())?;
        rest = after.get(index.to_string().len()..).unwrap_or_default();
    }
    write(run, written, rest)
}
