//! Searching, with a pattern that is compiled when it is first searched with.

use super::cost::{Cost, plain};
use super::metered::Metered;
use super::{Looking, MOST_SEARCHED, Pattern, Reading};
use crate::jsonata::error::{Error, Result, error};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

/// Bytes that the patterns which a thread keeps compiled may come to, and how many these are.
const MOST_KEPT: usize = 32 * 1024 * 1024;
const MOST_KEPT_PATTERNS: usize = 128;
/// A search that may cost more has the clock looked at before it and behind, and so has one with a
/// pattern of more bytes, which may have to be compiled again.
const MOST_UNLOOKED: u64 = 1 << 20;
const MOST_UNLOOKED_PROGRAM: usize = 16 * 1024;

/// A match, in bytes of the text.
#[derive(Debug)]
pub(in crate::jsonata) struct Found {
    pub(in crate::jsonata) start: usize,
    pub(in crate::jsonata) end: usize,
    pub(in crate::jsonata) groups: Vec<Option<(usize, usize)>>,
}

/// What a search found, and bytes of the text that it read, as often as it did.
#[derive(Debug)]
pub(in crate::jsonata) struct Searched {
    pub(in crate::jsonata) found: Option<Found>,
    pub(in crate::jsonata) read: usize,
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
    /// Bytes that they may come to.
    kept: usize,
}

thread_local! {
    static PATTERNS: RefCell<Patterns> = RefCell::default();
}

impl Patterns {
    fn get(&mut self, pattern: &Pattern) -> Result<Rc<Compiled>> {
        if let Some(known) = self.compiled.get(&pattern.key) {
            return Ok(Rc::clone(known));
        }
        let (reading, cost) = match &pattern.read.reading {
            Ok(read) => read,
            Err(wrong) => return Err(error(wrong.as_str())),
        };
        let made = Rc::new(match reading {
            Reading::Plain(text) => Compiled::Plain(
                plain(text, &pattern.flags, cost.program)
                    .map_err(|wrong| error(wrong.to_string()))?,
            ),
            Reading::Looking(text) => {
                Compiled::Looking(Looking::compiled(text, &pattern.flags).map_err(error)?)
            }
        });
        let weight = cost.kept.saturating_add(pattern.key.len());
        if weight > MOST_KEPT {
            return Ok(made);
        }
        let is_full = self.compiled.len() >= MOST_KEPT_PATTERNS;
        if is_full || self.kept + weight > MOST_KEPT {
            *self = Self::default();
        }
        self.kept += weight;
        self.compiled.insert(pattern.key.clone(), Rc::clone(&made));
        Ok(made)
    }
}

impl Pattern {
    /// Whether a search in so many bytes may take so long that the clock is to be looked at before
    /// and after.
    ///
    /// # Errors
    ///
    /// If it may take far too long.
    pub(in crate::jsonata) fn is_long(&self, bytes: usize) -> Result<bool> {
        let Ok((reading, cost)) = &self.read.reading else { return Ok(false) };
        let Some(search) = cost.of_search(bytes) else { return Err(too_large(*cost, bytes)) };
        let is_large = search > MOST_UNLOOKED || cost.program > MOST_UNLOOKED_PROGRAM;
        Ok(is_large || matches!(reading, Reading::Looking(_)))
    }

    /// The first match at or after a byte of `text`. `until`: when one that looks around is left.
    ///
    /// # Errors
    ///
    /// For a pattern that is none, and for a search that looks around without end.
    pub(in crate::jsonata) fn search(
        &self,
        text: &str,
        from: usize,
        until: Instant,
    ) -> Result<Searched> {
        let compiled = PATTERNS.with_borrow_mut(|known| known.get(self))?;
        let found = match &*compiled {
            Compiled::Plain(regex) if regex.captures_len() == 1 => regex
                .find_at(text, from)
                .map(|found| Found { start: found.start(), end: found.end(), groups: Vec::new() }),
            Compiled::Plain(regex) => regex.captures_at(text, from).and_then(|captures| {
                let whole = captures.get(0)?;
                let group = |group: Option<regex::Match<'_>>| group.map(|g| (g.start(), g.end()));
                let groups = captures.iter().skip(1).map(group).collect();
                Some(Found { start: whole.start(), end: whole.end(), groups })
            }),
            Compiled::Looking(looking) => return looking_at(looking, text, from, until),
        };
        let end = found.as_ref().map_or(text.len(), |found| found.end);
        Ok(Searched { found, read: end.saturating_sub(from) })
    }
}

fn too_large(cost: Cost, bytes: usize) -> Error {
    error(format!(
        "Regular expression: it has {} bytes compiled, and is too large for a text of {bytes} bytes",
        cost.program
    ))
}

fn looking_at(looking: &Looking, text: &str, from: usize, until: Instant) -> Result<Searched> {
    if text.len() > MOST_SEARCHED {
        return Err(error(format!(
            "Regular expression: one that looks around searches {MOST_SEARCHED} bytes at most, \
             and the text has {}",
            text.len()
        )));
    }
    let metered: Metered<'_> = looking.metered(text, until);
    let found = metered.search(&looking.regex, from).map_err(error)?;
    let found = found.and_then(|found| {
        let whole = found.get(0)?;
        let group = |group: Option<std::ops::Range<usize>>| group.map(|g| (g.start, g.end));
        let groups = found.iter().skip(1).map(group).collect();
        Some(Found { start: whole.start, end: whole.end, groups })
    });
    Ok(Searched { found, read: metered.read() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jsonata::regex::Compiling;

    fn pattern(text: &str, flags: &str) -> Pattern {
        Pattern::read(text.to_owned(), flags.to_owned(), &mut Compiling::default()).0
    }

    #[test]
    fn a_pattern_is_compiled_once_and_not_kept_without_end() {
        let mut patterns = Patterns::default();
        let first = patterns.get(&pattern("a(?=b)", "")).unwrap();
        assert!(Rc::ptr_eq(&first, &patterns.get(&pattern("a(?=b)", "")).unwrap()));
        assert!(!Rc::ptr_eq(&first, &patterns.get(&pattern("a(?=b)", "i")).unwrap()));
        for number in 0..1000 {
            patterns.get(&pattern(&format!("x{number}"), "")).unwrap();
            assert!(patterns.compiled.len() <= MOST_KEPT_PATTERNS);
        }
        assert!(!Rc::ptr_eq(&first, &patterns.get(&pattern("a(?=b)", "")).unwrap()));
    }

    #[test]
    fn large_patterns_are_kept_only_as_long_as_they_come_to_no_more_than_so_many_bytes() {
        let mut patterns = Patterns::default();
        for number in 0..20 {
            patterns.get(&pattern(&format!("[01]{{8000}}x{number}"), "")).unwrap();
            let kept = patterns.compiled.len();
            assert!(kept <= 5 && patterns.kept <= MOST_KEPT, "{kept}: {}", patterns.kept);
        }
    }

    #[test]
    fn a_search_that_looks_around_is_left_at_the_time_it_is_given_and_tells_what_it_read() {
        let now = Instant::now();
        let later = now + std::time::Duration::from_secs(3600);
        let pattern = pattern("a(?=.*2)", "");
        let text = "a1".repeat(100) + "2";
        let searched = pattern.search(&text, 0, later).unwrap();
        assert!(searched.found.is_some() && searched.read >= text.len(), "{searched:?}");
        let over = now.checked_sub(std::time::Duration::from_secs(1)).unwrap();
        assert!(pattern.search(&text, 0, over).is_err());
        assert!(pattern.is_long(1).unwrap());
    }
}
