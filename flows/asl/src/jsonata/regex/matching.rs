//! Searching with look-around and back-references, and what JSONata makes of what is found.

use super::metered::Metered;
use super::{Looking, MOST_LOOKING, MOST_SEARCHED};
use crate::jsonata::host::{Result, at, error, mismatch};
use jsonata_core::value::JValue;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Expressions that were searched with, each compiled once for all evaluations of a thread.
#[derive(Debug, Default)]
struct Patterns {
    compiled: BTreeMap<(String, String), Rc<Looking>>,
    /// Bytes of their patterns.
    length: usize,
}

thread_local! {
    static PATTERNS: RefCell<Patterns> = RefCell::default();
}

impl Patterns {
    fn get(&mut self, pattern: &str, flags: &str) -> Result<Rc<Looking>> {
        let key = (pattern.to_owned(), flags.to_owned());
        if let Some(known) = self.compiled.get(&key) {
            return Ok(Rc::clone(known));
        }
        let made = Rc::new(Looking::compiled(pattern, flags).map_err(error)?);
        // What is kept is no more than one expression may be, which is a hundred short ones.
        if self.length + pattern.len() > MOST_LOOKING {
            *self = Self::default();
        }
        self.length += pattern.len();
        self.compiled.insert(key, Rc::clone(&made));
        Ok(made)
    }
}

/// `(pattern, flags, text, from, is first)`: the first match at or after `from`, counted in
/// UTF-16's units, without its `next`; nothing if there is none. As JSONata's `evaluateRegex`,
/// a match after the first must not be empty, and there is none once the text is over.
pub(in super::super) fn search(arguments: &[JValue]) -> Result {
    let (pattern, flags, text) = (at(arguments, 0), at(arguments, 1), at(arguments, 2));
    let (JValue::String(pattern), JValue::String(flags), JValue::String(text)) =
        (pattern, flags, text)
    else {
        return Ok(JValue::Undefined);
    };
    if text.len() > MOST_SEARCHED {
        return Err(error(format!(
            "Regular expression: one that looks around searches {MOST_SEARCHED} bytes at most, \
                 and the text has {}",
            text.len()
        )));
    }
    let from = at(arguments, 3).as_f64().unwrap_or(0.0) as usize;
    let is_first = matches!(at(arguments, 4), JValue::Bool(true));
    let start = byte_of(&text, from);
    if !is_first && start >= text.len() {
        return Ok(JValue::Undefined);
    }
    let looking = PATTERNS.with_borrow_mut(|known| known.get(&pattern, &flags))?;
    let metered = looking.metered(&text);
    let found = metered.search(&looking.regex, start).map_err(error)?;
    let Some((captures, whole)) = found.and_then(|found| {
        let whole = found.get(0)?;
        Some((groups(&text, &found), (whole.start, whole.end)))
    }) else {
        return Ok(JValue::Undefined);
    };
    let (start, end) = whole;
    if !is_first && start == end {
        return Err(error("D1004: Regular expression matches zero length string"));
    }
    let members = [
        ("match", JValue::string(&text[start..end])),
        ("start", JValue::from(units(&text[..start]))),
        ("end", JValue::from(units(&text[..end]))),
        ("groups", JValue::array(captures)),
    ];
    let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
    Ok(JValue::object(members.collect()))
}

fn groups(text: &str, found: &fancy_regex::Captures<'_, Metered<'_>>) -> Vec<JValue> {
    let group = |group: Option<std::ops::Range<usize>>| {
        let group = group.and_then(|group| text.get(group));
        group.map_or(JValue::Undefined, JValue::string)
    };
    found.iter().skip(1).map(group).collect()
}

/// How many units of UTF-16 a text has.
fn units(text: &str) -> i64 {
    i64::try_from(text.encode_utf16().count()).unwrap_or(i64::MAX)
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

/// `(object, name)`: a member as it is, without the rules of paths.
pub(in super::super) fn part(arguments: &[JValue]) -> Result {
    let name = at(arguments, 1);
    Ok(match (at(arguments, 0), name.as_str()) {
        (JValue::Object(members), Some(name)) => {
            members.get(name).cloned().unwrap_or(JValue::Undefined)
        }
        _ => JValue::Undefined,
    })
}

/// `(text, found)`: whether a matcher found something in it. For `$contains`.
pub(in super::super) fn has(arguments: &[JValue]) -> Result {
    match at(arguments, 0) {
        JValue::Undefined => Ok(JValue::Undefined),
        JValue::String(_) => Ok(JValue::from(!at(arguments, 1).is_undefined())),
        _ => Err(mismatch(1, "contains")),
    }
}

/// `(text, matches, limit)`: what is between the matches of `$match`. For `$split`.
pub(in super::super) fn cut(arguments: &[JValue]) -> Result {
    let JValue::String(text) = at(arguments, 0) else { return Ok(JValue::Undefined) };
    let most = match at(arguments, 2) {
        JValue::Undefined => usize::MAX,
        JValue::Number(limit) if limit < 0.0 => {
            let message = "D3020: Third argument of split function must be a positive number";
            return Err(error(message));
        }
        JValue::Number(limit) => limit.floor() as usize,
        _ => return Err(mismatch(3, "split")),
    };
    let matches = match at(arguments, 1) {
        JValue::Undefined => Vec::new(),
        JValue::Array(matches) => matches.into_vec(),
        one => vec![one],
    };
    let (mut parts, mut from) = (Vec::new(), 0);
    for found in &matches {
        let JValue::Object(found) = found else { continue };
        let index = found.get("index").and_then(JValue::as_f64).unwrap_or(0.0) as usize;
        let length = found.get("match").and_then(JValue::as_str).map_or(0, str::len);
        let start = byte_of(&text, index).max(from);
        parts.push(JValue::string(&text[from..start]));
        from = start.saturating_add(length).min(text.len());
        while !text.is_char_boundary(from) {
            from += 1;
        }
    }
    parts.push(JValue::string(&text[from..]));
    parts.truncate(most);
    Ok(JValue::array(parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_compiled_once_and_not_kept_without_end() {
        let mut patterns = Patterns::default();
        let first = patterns.get("a(?=b)", "").unwrap();
        assert!(Rc::ptr_eq(&first, &patterns.get("a(?=b)", "").unwrap()));
        assert!(!Rc::ptr_eq(&first, &patterns.get("a(?=b)", "i").unwrap()));
        for length in 1000..1020 {
            patterns.get(&format!("{}(?=b)", "a".repeat(length)), "").unwrap();
            let kept: usize = patterns.compiled.keys().map(|(pattern, _)| pattern.len()).sum();
            assert!(kept == patterns.length && kept <= MOST_LOOKING, "{kept}");
        }
        assert!(!Rc::ptr_eq(&first, &patterns.get("a(?=b)", "").unwrap()));
    }
}
