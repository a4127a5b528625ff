//! What patterns cost: to compile, to keep, to search with.
//!
//! > The engine that goes through a text once may take each step of its program at each byte, and
//! > cannot be told to stop. So what a search may cost is bounded before it begins. How large a
//! > program is, is found by compiling it with bounds that double, from a pattern that is read once:
//! > all attempts together come to no more than twice the last of them.

use super::Literal;
use super::shape::{Shape, shape};
use regex_automata::meta;
use regex_automata::util::syntax;
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of the smallest bound of a program, and of the largest one of the plain kind.
const LEAST_PROGRAM: usize = 1024;
const MOST_PROGRAM: usize = 4 * 1024 * 1024;
/// Bytes of all programs of one definition, each pattern's once: it is read on the thread that runs
/// the calls' workflows, and a mebibyte takes some 20 ms, with its attempts 40 at most. A hundred of
/// `/^.{1,160}$/` come to 25 of them.
const MOST_PROGRAMS: usize = 32 * 1024 * 1024;
/// The same of one expression in a definition that was published, whatever all of them come to: it
/// may have been taken in when this was the rule.
const MOST_PUBLISHED: usize = 4 * 1024 * 1024;
/// Bytes of a program that are compiled in the time in which a byte of a pattern is read, and one
/// whose letters are of either case.
const READ: usize = 8;
const READ_EITHER_CASE: usize = 64;
/// The same for a character of a class whose other case is looked for.
const CASED: usize = 6;
/// Bytes of a program that each part of a pattern has, rather less than more.
const LEAST_PART: usize = 8;
/// Bytes of the states that are kept while a pattern is searched with, and of their least bound.
const MOST_STATES: usize = 1024 * 1024;
const LEAST_STATES: usize = 64 * 1024;
/// Bytes of a program times its groups: each state of it may remember where each group is.
const MOST_PLACES: usize = 4 * 1024 * 1024;
/// Bytes of a program times those of the text that one search may cost: a step of some ten nanoseconds
/// is about a hundred of them, so that it takes less than a second.
const MOST_SEARCH: u64 = 1 << 32;
/// Bytes that a part of a pattern which looks around comes to, and of all states of a piece of it.
const PART: usize = 64;
pub(super) const PIECE_STATES: usize = 64 * 1024;

/// What the regular expressions of one definition came to until now, in bytes of the programs that
/// were compiled for them.
#[derive(Debug, Default)]
pub(crate) struct Compiling {
    /// The definition was taken in before: by the bound of the whole, or by that of each expression.
    is_published: bool,
    spent: usize,
    /// The same of the present expression.
    spent_here: usize,
    /// Those that were read, by what tells them from others: each counts once.
    known: HashMap<String, Arc<Literal>>,
}

impl Compiling {
    /// For a definition that was taken in before.
    pub(crate) fn published() -> Self {
        Self { is_published: true, ..Self::default() }
    }

    /// Another expression begins.
    pub(in crate::jsonata) fn next_expression(&mut self) {
        self.spent_here = 0;
    }

    pub(super) fn known(&self, key: &str) -> Option<Arc<Literal>> {
        self.known.get(key).map(Arc::clone)
    }

    /// Keeps what was read, unless it was not read to its end.
    pub(super) fn keep(&mut self, key: &str, read: &Arc<Literal>) {
        if self.fits() {
            self.known.insert(key.to_owned(), Arc::clone(read));
        }
    }

    /// Whether what was compiled until now is within the bounds.
    fn fits(&self) -> bool {
        self.spent <= MOST_PROGRAMS || self.is_published && self.spent_here <= MOST_PUBLISHED
    }

    /// What reading a pattern takes, which was not counted before.
    fn spend_reading(&mut self, bytes: usize) -> Result<(), String> {
        self.spend(if self.is_published { 0 } else { bytes })
    }

    /// # Errors
    ///
    /// In one sentence, when all programs together are too large.
    fn spend(&mut self, bytes: usize) -> Result<(), String> {
        self.spent = self.spent.saturating_add(bytes);
        self.spent_here = self.spent_here.saturating_add(bytes);
        if self.fits() {
            return Ok(());
        }
        Err(format!(
            "with it the regular expressions of the definition come to more than {MOST_PROGRAMS} \
             bytes compiled, each counted once; fewer repetitions, or smaller numbers in braces, make \
             less of them"
        ))
    }
}

/// What a compiled pattern costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    /// Bytes of its program at most.
    pub(super) program: usize,
    /// Bytes that keeping it may take at most, with what its searches leave.
    pub(super) kept: usize,
    /// Places that a search finds: those of the match and of the groups.
    places: usize,
}

/// Why a pattern is not compiled.
pub(super) enum Refused {
    /// What the engine says.
    Engine(String),
    /// It costs too much, in one sentence.
    Cost(String),
}

/// Compiles a translated pattern for the engine that goes through a text once, with `program` bytes.
pub(super) fn plain(
    pattern: &str,
    flags: &str,
    program: usize,
) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(pattern)
        .case_insensitive(flags.contains('i'))
        .multi_line(flags.contains('m'))
        .size_limit(program)
        .dfa_size_limit(states(program))
        .build()
}

/// The bound that a pattern's program is first compiled with: of those that double, one that it may
/// just fit in.
fn least_program(shape: &Shape) -> usize {
    let bytes = shape.size.saturating_mul(LEAST_PART);
    let bytes = bytes.clamp(LEAST_PROGRAM, MOST_PROGRAM);
    1 << bytes.ilog2()
}

/// Bytes of a program that are compiled in the time in which a pattern is read.
fn reading(pattern: &str, flags: &str, shape: &Shape) -> usize {
    if !flags.contains('i') {
        return pattern.len().saturating_mul(READ);
    }
    let cased = shape.cased.saturating_mul(CASED);
    pattern.len().saturating_mul(READ_EITHER_CASE).saturating_add(cased)
}

fn words(wrong: &meta::BuildError) -> String {
    match wrong.size_limit() {
        Some(most) => format!("compiled it has more than {most} bytes"),
        None => wrong.to_string(),
    }
}

fn states(program: usize) -> usize {
    (16 * program).clamp(LEAST_STATES, MOST_STATES)
}

impl Cost {
    /// Of a pattern for the engine that goes through a text once.
    pub(super) fn of_plain(
        pattern: &str,
        flags: &str,
        compiling: &mut Compiling,
    ) -> Result<Self, Refused> {
        let shape = shape(pattern);
        compiling.spend_reading(reading(pattern, flags, &shape)).map_err(Refused::Cost)?;
        let config = syntax::Config::new()
            .case_insensitive(flags.contains('i'))
            .multi_line(flags.contains('m'));
        let hir = syntax::parse_with(pattern, &config)
            .map_err(|wrong| Refused::Engine(wrong.to_string()))?;
        let mut program = least_program(&shape);
        let places = loop {
            let bounds = meta::Config::new()
                .nfa_size_limit(Some(program))
                .hybrid_cache_capacity(states(program));
            match meta::Builder::new().configure(bounds).build_from_hir(&hir) {
                Ok(regex) => break Ok(regex.captures_len()),
                Err(wrong) if wrong.size_limit().is_some() && program < MOST_PROGRAM => {
                    program *= 2;
                }
                Err(wrong) => break Err(wrong),
            }
        };
        compiling.spend(program).map_err(Refused::Cost)?;
        let places = places.map_err(|wrong| Refused::Engine(words(&wrong)))?;
        let all_places = program.saturating_mul(places);
        if all_places > MOST_PLACES {
            return Err(Refused::Cost("it has too many groups for its size".to_owned()));
        }
        // Forwards and backwards, each twice while it is compiled; one more of a size like the states'.
        let kept = 4 * program + 2 * states(program) + (64 * program).min(MOST_STATES) + all_places;
        Ok(Self { program, kept, places })
    }

    /// Of one that looks around.
    pub(super) fn of_looking(
        pattern: &str,
        flags: &str,
        shape: &Shape,
        compiling: &mut Compiling,
    ) -> Result<Self, String> {
        let program = shape.size.saturating_mul(PART).max(LEAST_PROGRAM);
        let work = shape.work.saturating_mul(PART).max(LEAST_PROGRAM);
        compiling.spend_reading(reading(pattern, flags, shape).saturating_add(work - program))?;
        compiling.spend(program)?;
        let pieces = (shape.pieces + 1).saturating_mul(2 * PIECE_STATES);
        Ok(Self { program, kept: program.saturating_mul(8).saturating_add(pieces), places: 1 })
    }

    /// What a search in so many bytes may cost, in bytes of the program times those of the text;
    /// `None` if it may cost too much.
    pub(super) fn of_search(self, bytes: usize) -> Option<u64> {
        let each = (self.program as u64).saturating_mul(3 + self.places as u64) / 4;
        let cost = each.saturating_mul(bytes as u64);
        (cost <= MOST_SEARCH).then_some(cost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEBI: usize = 1024 * 1024;

    /// Whether expressions that come to so many mebibytes are all within the bounds.
    fn fit(mut compiling: Compiling, expressions: &[usize]) -> bool {
        let mut all = expressions.iter().map(|mebibytes| {
            compiling.next_expression();
            (0..*mebibytes).all(|_| compiling.spend(MEBI).is_ok())
        });
        all.all(|fits| fits)
    }

    #[test]
    fn a_new_definition_has_one_bound_and_one_that_was_published_what_it_was_taken_in_by() {
        for (expressions, is_taken, runs) in [
            (&[32][..], true, true),
            (&[4, 28], true, true),
            (&[33], false, false),
            (&[4; 20], false, true),
            (&[4, 4, 24, 4], false, true),
            (&[4, 4, 24, 5], false, false),
            (&[5; 20], false, false),
        ] {
            assert_eq!(fit(Compiling::default(), expressions), is_taken, "{expressions:?}");
            assert_eq!(fit(Compiling::published(), expressions), runs, "{expressions:?}");
        }
    }
}
