//! What patterns cost: to compile, to keep, to search with.
//!
//! > The engine that goes through a text once may take each step of its program at each byte, and
//! > cannot be told to stop. So what a search may cost is bounded before it begins. How large a
//! > program is, is found by compiling it with bounds that double.

use super::shape::{Shape, shape};

/// Bytes of the smallest bound of a program, and of the largest one of the plain kind.
const LEAST_PROGRAM: usize = 1024;
const MOST_PROGRAM: usize = 1024 * 1024;
/// Bytes of all programs of one definition, with those that came to be too large for their bound: it
/// is read on the thread that runs the calls' workflows, and a mebibyte takes some 20 ms.
const MOST_PROGRAMS: usize = 8 * 1024 * 1024;
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
    spent: usize,
}

impl Compiling {
    /// # Errors
    ///
    /// In one sentence, when all programs together would be too large.
    fn spend(&mut self, bytes: usize) -> Result<(), String> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent <= MOST_PROGRAMS {
            return Ok(());
        }
        Err(format!(
            "the regular expressions of one definition have {MOST_PROGRAMS} bytes at most, \
             compiled, with the attempts that find their size"
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
    Engine(regex::Error),
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
        let reading = reading(pattern, flags, &shape);
        let mut program = least_program(&shape);
        let places = loop {
            compiling.spend(program.max(reading)).map_err(Refused::Cost)?;
            match plain(pattern, flags, program) {
                Ok(regex) => break regex.captures_len(),
                Err(regex::Error::CompiledTooBig(_)) if program < MOST_PROGRAM => program *= 2,
                Err(wrong) => return Err(Refused::Engine(wrong)),
            }
        };
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
        compiling.spend(work.max(reading(pattern, flags, shape)))?;
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
