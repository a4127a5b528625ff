//! Searching, with a pattern that is compiled when it is first searched with.

use super::metered::Metered;
use super::{Looking, MOST_LOOKING, MOST_SEARCHED, Pattern, Reading};
use crate::jsonata::error::{Result, error};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Bytes of the patterns that a thread keeps compiled, and how many these are.
const MOST_KEPT: usize = MOST_LOOKING;
const MOST_KEPT_PATTERNS: usize = 128;

/// A match, in bytes of the text.
#[derive(Debug)]
pub(in crate::jsonata) struct Found {
    pub(in crate::jsonata) start: usize,
    pub(in crate::jsonata) end: usize,
    pub(in crate::jsonata) groups: Vec<Option<(usize, usize)>>,
}

#[derive(Debug)]
enum Compiled {
    Plain(regex::Regex),
    Looking(Looking),
}

/// Patterns that were searched with, each compiled once for all evaluations of a thread.
#[derive(Debug, Default)]
struct Patterns {
    compiled: HashMap<String, Rc<Compiled>>,
    /// Bytes of their keys.
    length: usize,
}

thread_local! {
    static PATTERNS: RefCell<Patterns> = RefCell::default();
}

impl Patterns {
    fn get(&mut self, pattern: &Pattern) -> Result<Rc<Compiled>> {
        if let Some(known) = self.compiled.get(&pattern.key) {
            return Ok(Rc::clone(known));
        }
        let made = Rc::new(match &pattern.reading {
            Ok(Reading::Plain(text)) => Compiled::Plain(
                super::plain(text, &pattern.flags).map_err(|wrong| error(wrong.to_string()))?,
            ),
            Ok(Reading::Looking(text)) => {
                Compiled::Looking(Looking::compiled(text, &pattern.flags).map_err(error)?)
            }
            Err(wrong) => return Err(error(wrong.as_str())),
        });
        let is_full = self.compiled.len() >= MOST_KEPT_PATTERNS;
        if is_full || self.length + pattern.key.len() > MOST_KEPT {
            *self = Self::default();
        }
        self.length += pattern.key.len();
        self.compiled.insert(pattern.key.clone(), Rc::clone(&made));
        Ok(made)
    }
}

impl Pattern {
    /// The first match at or after a byte of `text`.
    ///
    /// # Errors
    ///
    /// For a pattern that is none, and for a search that looks around without end.
    pub(in crate::jsonata) fn search(&self, text: &str, from: usize) -> Result<Option<Found>> {
        let compiled = PATTERNS.with_borrow_mut(|known| known.get(self))?;
        match &*compiled {
            Compiled::Plain(regex) if regex.captures_len() == 1 => {
                let found = regex.find_at(text, from);
                Ok(found.map(|found| Found {
                    start: found.start(),
                    end: found.end(),
                    groups: Vec::new(),
                }))
            }
            Compiled::Plain(regex) => {
                let Some(captures) = regex.captures_at(text, from) else { return Ok(None) };
                let Some(whole) = captures.get(0) else { return Ok(None) };
                let group = |group: Option<regex::Match<'_>>| group.map(|g| (g.start(), g.end()));
                let groups = captures.iter().skip(1).map(group).collect();
                Ok(Some(Found { start: whole.start(), end: whole.end(), groups }))
            }
            Compiled::Looking(looking) => looking_at(looking, text, from),
        }
    }
}

fn looking_at(looking: &Looking, text: &str, from: usize) -> Result<Option<Found>> {
    if text.len() > MOST_SEARCHED {
        return Err(error(format!(
            "Regular expression: one that looks around searches {MOST_SEARCHED} bytes at most, \
             and the text has {}",
            text.len()
        )));
    }
    let metered: Metered<'_> = looking.metered(text);
    let found = metered.search(&looking.regex, from).map_err(error)?;
    Ok(found.and_then(|found| {
        let whole = found.get(0)?;
        let group = |group: Option<std::ops::Range<usize>>| group.map(|g| (g.start, g.end));
        let groups = found.iter().skip(1).map(group).collect();
        Some(Found { start: whole.start, end: whole.end, groups })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_compiled_once_and_not_kept_without_end() {
        let pattern = |text: &str, flags: &str| Pattern::read(text.to_owned(), flags.to_owned()).0;
        let mut patterns = Patterns::default();
        let first = patterns.get(&pattern("a(?=b)", "")).unwrap();
        assert!(Rc::ptr_eq(&first, &patterns.get(&pattern("a(?=b)", "")).unwrap()));
        assert!(!Rc::ptr_eq(&first, &patterns.get(&pattern("a(?=b)", "i")).unwrap()));
        for length in 1000..1020 {
            patterns.get(&pattern(&format!("{}(?=b)", "a".repeat(length)), "")).unwrap();
            let kept: usize = patterns.compiled.keys().map(String::len).sum();
            assert!(kept == patterns.length && kept <= MOST_KEPT, "{kept}");
        }
        assert!(!Rc::ptr_eq(&first, &patterns.get(&pattern("a(?=b)", "")).unwrap()));
        for number in 0..1000 {
            patterns.get(&pattern(&format!("x{number}"), "")).unwrap();
            assert!(patterns.compiled.len() <= MOST_KEPT_PATTERNS);
        }
    }
}
