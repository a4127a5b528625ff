//! What patterns cost: to compile, to keep, to search with.
//!
//! > The engine that goes through a text once may take each step of its program at each byte, and
//! > cannot be told to stop. So what a search may cost is bounded before it begins. How large a
//! > program is, is found by compiling it with bounds that double.

use super::shape::Shape;

/// Bytes of the smallest bound of a program, and of the largest one of the plain kind.
const LEAST_PROGRAM: usize = 1024;
const MOST_PROGRAM: usize = 1024 * 1024;
/// Bytes of all programs of one expression.
const MOST_PROGRAMS: usize = 4 * 1024 * 1024;
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

/// What the regular expressions of one expression came to until now, in bytes of their programs.
#[derive(Debug, Default)]
pub(in crate::jsonata) struct Compiling {
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
            "the regular expressions of one expression have {MOST_PROGRAMS} bytes at most, \
             compiled"
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
        compiling.spend(0).map_err(Refused::Cost)?;
        let mut program = LEAST_PROGRAM;
        let places = loop {
            match plain(pattern, flags, program) {
                Ok(regex) => break regex.captures_len(),
                Err(regex::Error::CompiledTooBig(_)) if program < MOST_PROGRAM => program *= 2,
                Err(wrong) => {
                    compiling.spend(program).map_err(Refused::Cost)?;
                    return Err(Refused::Engine(wrong));
                }
            }
        };
        compiling.spend(program).map_err(Refused::Cost)?;
        let all_places = program.saturating_mul(places);
        if all_places > MOST_PLACES {
            return Err(Refused::Cost("it has too many groups for its size".to_owned()));
        }
        // Forwards and backwards, each twice while it is compiled; one more of a size like the states'.
        let kept = 4 * program + 2 * states(program) + (64 * program).min(MOST_STATES) + all_places;
        Ok(Self { program, kept, places })
    }

    /// Of one that looks around.
    pub(super) fn of_looking(shape: &Shape, compiling: &mut Compiling) -> Result<Self, String> {
        let program = shape.size.saturating_mul(PART).max(LEAST_PROGRAM);
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
