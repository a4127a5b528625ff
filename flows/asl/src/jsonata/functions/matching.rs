//! Functions of texts that take regular expressions, or functions in place of them.

use super::super::error::{Error, FUNCTION, Result, memory};
use super::super::evaluate::Evaluation;
use super::super::limits::{MOST_ITEMS, MOST_MATCHED, MOST_SPLIT};
use super::super::regex::{Found, Pattern, Searched};
use super::super::value::{Function, Object, Value};
use super::strings::{limit, splittable};
use std::rc::Rc;
use std::sync::Arc;

/// A regular expression that is called with a text, and a place in it to begin at.
pub(in crate::jsonata) fn first(
    run: &mut Evaluation<'_>,
    pattern: &Arc<Pattern>,
    given: &[Value],
) -> Result {
    let Some(Value::Text(text)) = given.first() else { return Ok(Value::Undefined) };
    let found = search(run, pattern, text, 0)?;
    match found {
        Some(found) => matched(run, pattern, text, &found),
        None => Ok(Value::Undefined),
    }
}

/// The match after one that ends at a byte: it must not be empty, and there is none once the text is
/// over.
pub(in crate::jsonata) fn next(
    run: &mut Evaluation<'_>,
    pattern: &Arc<Pattern>,
    text: &Arc<str>,
    from: usize,
) -> Result {
    match following(run, pattern, text, from)? {
        Some(found) => matched(run, pattern, text, &found),
        None => Ok(Value::Undefined),
    }
}

fn following(
    run: &mut Evaluation<'_>,
    pattern: &Pattern,
    text: &str,
    from: usize,
) -> Result<Option<Found>> {
    if from >= text.len() {
        return Ok(None);
    }
    match search(run, pattern, text, from)? {
        Some(found) if found.start == found.end => {
            Err(Error::coded("D1004", "Regular expression matches zero length string"))
        }
        found => Ok(found),
    }
}

fn search(
    run: &mut Evaluation<'_>,
    pattern: &Pattern,
    text: &str,
    from: usize,
) -> Result<Option<Found>> {
    if text.len() > MOST_SPLIT {
        return Err(memory());
    }
    // The search itself looks at no clock, or at one only where it looks around.
    let is_long = pattern.is_long(text.len().saturating_sub(from))?;
    if is_long {
        run.look()?;
    }
    let Searched { found, read } = pattern.search(text, from, run.until())?;
    run.steps(8 + read / 16)?;
    if is_long {
        run.look()?;
    }
    Ok(found)
}

/// How many units of UTF-16 a text has.
pub(super) fn units(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

fn groups(run: &mut Evaluation<'_>, text: &str, found: &Found) -> Result {
    let group = |group: &Option<(usize, usize)>| {
        let part = group.and_then(|(from, to)| text.get(from..to));
        part.map_or(Value::Undefined, Value::from)
    };
    let groups: Vec<Value> = found.groups.iter().map(group).collect();
    run.build(found.end - found.start)?;
    run.list(groups)
}

/// What JSONata's matchers give.
fn matched(
    run: &mut Evaluation<'_>,
    pattern: &Arc<Pattern>,
    text: &Arc<str>,
    found: &Found,
) -> Result {
    let next =
        Function::Next { pattern: Arc::clone(pattern), text: Arc::clone(text), from: found.end };
    let mut object = Object::default();
    object.insert("match".into(), part(text, found.start, found.end).into());
    object.insert("start".into(), units(part(text, 0, found.start)).into());
    object.insert("end".into(), units(part(text, 0, found.end)).into());
    object.insert("groups".into(), groups(run, text, found)?);
    object.insert("next".into(), next.into());
    run.steps(found.end / 64)?;
    run.object(object)
}

pub(super) fn part(text: &str, from: usize, to: usize) -> &str {
    text.get(from..to).unwrap_or_default()
}

/// A match, in bytes of the text, with what a replacing function is given.
pub(super) struct Match {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) text: Value,
    pub(super) groups: Value,
    /// Of a function's match: all that it gave.
    pub(super) whole: Option<Value>,
}

/// What goes from match to match: a regular expression, or a function in place of one.
pub(super) enum Matches<'a> {
    Pattern { pattern: &'a Arc<Pattern>, text: &'a Arc<str>, from: Option<usize> },
    Function { next: Option<Value>, text: &'a Arc<str>, is_first: bool },
}

impl<'a> Matches<'a> {
    pub(super) fn of(matcher: &'a Rc<Function>, text: &'a Arc<str>) -> Self {
        match &**matcher {
            Function::Regex(pattern) => Self::Pattern { pattern, text, from: None },
            _ => Self::Function {
                next: Some(Value::Function(Rc::clone(matcher))),
                text,
                is_first: true,
            },
        }
    }

    pub(super) fn next(&mut self, run: &mut Evaluation<'_>) -> Result<Option<Match>> {
        match self {
            Self::Pattern { pattern, text, from } => {
                let found = match *from {
                    None => search(run, pattern, text, 0)?,
                    Some(from) => following(run, pattern, text, from)?,
                };
                let Some(found) = found else { return Ok(None) };
                *from = Some(found.end);
                let (start, end) = (found.start, found.end);
                let (matched, groups) = (part(text, start, end).into(), groups(run, text, &found)?);
                Ok(Some(Match { start, end, text: matched, groups, whole: None }))
            }
            Self::Function { next, text, is_first } => {
                let Some(Value::Function(function)) = next.take() else { return Err(no_match()) };
                let given =
                    if *is_first { vec![Value::Text(Arc::clone(text))] } else { Vec::new() };
                *is_first = false;
                let found = run.invoked(&function, given, &Value::Null)?;
                let object = match &found {
                    Value::Undefined => return Ok(None),
                    Value::Object(object) => object,
                    _ => return Err(no_match()),
                };
                let member = |name: &str| object.get(name).cloned().unwrap_or_default();
                let is_match = matches!(member("start"), Value::Number(_))
                    || matches!(member("groups"), Value::Array(_))
                    || matches!(member("next"), Value::Function(_));
                if !is_match {
                    return Err(no_match());
                }
                let mut place = |name: &str| -> Result<usize> {
                    let unit = member(name).as_f64().unwrap_or(0.0).max(0.0) as usize;
                    // The text is walked through up to there.
                    run.steps(unit.min(text.len()) / 16)?;
                    Ok(byte_of(text, unit))
                };
                let (start, end) = (place("start")?, place("end")?);
                *next = Some(member("next"));
                Ok(Some(Match {
                    start,
                    end,
                    text: member("match"),
                    groups: member("groups"),
                    whole: Some(found.clone()),
                }))
            }
        }
    }
}

fn no_match() -> Error {
    let words = format!(
        "The matcher function argument passed to function {FUNCTION} does not return the correct \
         object structure"
    );
    Error::coded("T1010", words)
}

/// Where the unit `unit` of UTF-16 begins.
fn byte_of(text: &str, unit: usize) -> usize {
    let mut passed = 0;
    for (at, char) in text.char_indices() {
        if passed >= unit {
            return at;
        }
        passed += char.len_utf16();
    }
    text.len()
}

/// `$match(text, pattern, limit)`
pub(super) fn matches(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Text(text), Value::Function(matcher), most] = given else {
        return Ok(Value::Undefined);
    };
    let words = "Third argument of match function must evaluate to a positive number";
    let most = limit(most, "D3040", words)?.unwrap_or(f64::INFINITY);
    if text.len() > MOST_MATCHED {
        return Err(memory());
    }
    let mut matches = Matches::of(matcher, text);
    let mut found = Vec::new();
    // Units are counted on from one match to the next.
    let (mut byte, mut unit) = (0, 0);
    while most > 0.0
        && let Some(one) = matches.next(run)?
    {
        if found.len() as f64 >= most {
            break;
        }
        run.grows(found.len())?;
        let index = match &one.whole {
            Some(Value::Object(whole)) => whole.get("start").cloned().unwrap_or_default(),
            _ => {
                unit += units(part(text, byte, one.start));
                byte = one.start;
                Value::from(unit)
            }
        };
        let mut object = Object::default();
        let members = [("match", one.text), ("index", index), ("groups", one.groups)];
        for (name, value) in members.into_iter().filter(|(_, value)| !value.is_undefined()) {
            object.insert(name.into(), value);
        }
        found.push(run.object(object)?);
    }
    run.sequence(found)
}

/// `$contains(text, pattern)`
pub(super) fn contains(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    match given {
        [Value::Text(text), Value::Text(part)] => {
            run.steps(text.len() / 64)?;
            Ok(Value::Bool(text.contains(&**part)))
        }
        [Value::Text(text), Value::Function(matcher)] => {
            if let Function::Regex(pattern) = &**matcher {
                return Ok(Value::Bool(search(run, pattern, text, 0)?.is_some()));
            }
            Ok(Value::Bool(Matches::of(matcher, text).next(run)?.is_some()))
        }
        [Value::Text(text), _] => Ok(Value::Bool(text.contains("undefined"))),
        _ => Ok(Value::Undefined),
    }
}

/// `$split(text, separator, limit)`
pub(super) fn split(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Text(text), separator, most] = given else { return Ok(Value::Undefined) };
    let words = "Third argument of split function must evaluate to a positive number";
    let most = limit(most, "D3020", words)?;
    splittable(text)?;
    run.build(text.len())?;
    let mut parts: Vec<Value> = Vec::new();
    match separator {
        Value::Function(_) if text.len() > MOST_MATCHED => return Err(memory()),
        Value::Function(matcher) => {
            let most = most.unwrap_or(f64::INFINITY);
            let mut matches = Matches::of(matcher, text);
            let mut from = 0;
            let mut is_over = most <= 0.0;
            while !is_over {
                let found = matches.next(run)?;
                if parts.len() as f64 >= most {
                    break;
                }
                run.grows(parts.len())?;
                let end = found.as_ref().map_or(text.len(), |found| found.start.max(from));
                parts.push(part(text, from, end).into());
                is_over = found.is_none();
                from = found.map_or(text.len(), |found| found.end.max(from));
            }
        }
        separator => {
            let most = most.map_or(usize::MAX, |most| most as usize);
            let separator = separator.as_str().unwrap_or("undefined");
            if separator.is_empty() {
                let chars = text.char_indices().take(most.min(MOST_ITEMS + 1));
                parts.extend(chars.map(|(at, char)| part(text, at, at + char.len_utf8()).into()));
            } else {
                parts.extend(text.split(separator).take(most.min(MOST_ITEMS + 1)).map(Value::from));
            }
            run.build(32 * parts.len())?;
        }
    }
    run.list(parts)
}
