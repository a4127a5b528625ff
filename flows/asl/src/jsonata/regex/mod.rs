//! Regular expressions as JSONata 2.0.6 reads them, which is as JavaScript does.
//!
//! > An engine that goes through a text once takes no look-around and no back-references, and writes
//! > some things otherwise. So a literal is read here when the expression is parsed: what that engine
//! > can do is written in its syntax; the rest is for one with bounded steps, in a text that counts
//! > what is read of it.
//!
//! Source: JSONata 2.0.6, "Using Regular Expressions", "Matcher function"; ECMA-262, §22.2.

mod cost;
mod matching;
mod metered;
mod shape;
mod syntax;

pub(crate) use cost::Compiling;
pub(super) use matching::{Found, Searched};

use cost::{Cost, Refused};
use metered::Metered;
use shape::shape;
use std::sync::Arc;
use std::time::Instant;

/// How often a search may go back, and parts of a pattern it may go through with that.
const MOST_STEPS: usize = 250_000;
const MOST_PARTS_TRIED: usize = 1 << 27;
/// Bytes of a text that is searched with steps.
const MOST_SEARCHED: usize = 64 * 1024;
/// Bytes of a pattern that looks around, and of its parts with those that come several times.
const MOST_LOOKING: usize = 4 * 1024;
const MOST_PARTS: usize = 64 * 1024;
/// Parts of its program, of which `{0,1000}` has a thousand.
const MOST_SIZE: usize = 16 * 1024;
/// Steps in the program of one that looks around.
const MOST_INSTRUCTIONS: usize = 64 * 1024;
/// Bytes of each part of it that is compiled on its own.
const MOST_COMPILED: usize = 256 * 1024;

/// A regular expression as it stands in an expression.
#[derive(Debug)]
pub(super) struct Pattern {
    read: Arc<Literal>,
    flags: String,
    /// What tells it from others.
    key: String,
}

/// What a regular expression is read as.
#[derive(Debug)]
struct Literal {
    /// In the syntax of the engine that searches with it, and what it costs, or what is wrong with it.
    reading: Result<(Reading, Cost), String>,
    /// What is wrong with it, also if it is read all the same.
    wrong: Option<String>,
}

impl Pattern {
    /// Reads `/pattern/flags`, and says what is wrong with it: it fails when it is searched with.
    ///
    /// `compiling`: what those of the same definition came to before.
    pub(super) fn read(
        pattern: String,
        flags: String,
        compiling: &mut Compiling,
    ) -> (Self, Option<String>) {
        let key = format!("{flags}/{pattern}");
        let read = compiling.known(&key).unwrap_or_else(|| {
            let read = Arc::new(Literal::read(&pattern, &flags, compiling));
            compiling.keep(&key, &read);
            read
        });
        let wrong = read.wrong.clone();
        (Self { read, flags, key }, wrong)
    }
}

impl Literal {
    fn read(pattern: &str, flags: &str, compiling: &mut Compiling) -> Self {
        let (reading, wrong) = match read(pattern, flags, compiling) {
            Ok(reading) => (Ok(reading), None),
            Err(wrong) => {
                // Flags that there are not were passed over before.
                let known: String =
                    flags.chars().filter(|flag| matches!(flag, 'i' | 'm')).collect();
                let without = if known == flags {
                    Err(wrong.clone())
                } else {
                    read(pattern, &known, compiling)
                };
                (without, Some(wrong))
            }
        };
        Self { reading, wrong }
    }
}

/// A literal, in the syntax of the engine that will search with it.
#[derive(Debug, PartialEq, Eq)]
enum Reading {
    /// For the one that goes through a text once.
    Plain(String),
    /// For the one with look-around and back-references.
    Looking(String),
}

/// Reads `/pattern/flags`.
///
/// # Errors
///
/// What is wrong with it, in one sentence.
fn read(pattern: &str, flags: &str, compiling: &mut Compiling) -> Result<(Reading, Cost), String> {
    if pattern.is_empty() {
        return Err("S0301: Empty regular expressions are not allowed.".to_owned());
    }
    let is_strange = |flag: &(usize, char)| {
        !matches!(flag.1, 'i' | 'm') || flags.get(..flag.0).is_some_and(|f| f.contains(flag.1))
    };
    if let Some((_, flag)) = flags.char_indices().find(is_strange) {
        return Err(format!("/{pattern}/{flags}: the flags are `i` and `m`, not `{flag}`."));
    }
    let either_case = flags.contains('i');
    let plain = syntax::translated(pattern, &syntax::Edges::Plain, either_case);
    let wrong = match Cost::of_plain(&plain, flags, compiling) {
        Ok(cost) => return Ok((Reading::Plain(plain), cost)),
        // One that this engine refuses for its size or its syntax stays refused.
        Err(Refused::Engine(_)) if shape(&plain).looks => {
            let looking = syntax::translated(pattern, &syntax::Edges::Looking, either_case);
            match Looking::read(&looking, flags, compiling) {
                Ok(cost) => return Ok((Reading::Looking(looking), cost)),
                Err(wrong) => wrong,
            }
        }
        Err(Refused::Engine(wrong)) => one_line(&wrong),
        Err(Refused::Cost(wrong)) => return Err(format!("/{pattern}/: {wrong}.")),
    };
    Err(format!("/{pattern}/ is no regular expression: {wrong}."))
}

/// An expression for the engine with look-around.
#[derive(Debug)]
struct Looking {
    regex: fancy_regex::Regex,
    /// The longest part of a text that one of its instructions looks at.
    span: usize,
}

impl Looking {
    /// What a translated pattern costs, once it is known that it can be compiled.
    fn read(pattern: &str, flags: &str, compiling: &mut Compiling) -> Result<Cost, String> {
        let shape = shape(pattern);
        if pattern.len() <= MOST_LOOKING && shape.size > MOST_SIZE {
            return Err(format!("it repeats its parts more than {MOST_SIZE} times"));
        }
        let cost = Cost::of_looking(pattern, flags, &shape, compiling)?;
        Self::compiled(pattern, flags).map(|_| cost)
    }

    /// Compiles a translated pattern.
    fn compiled(pattern: &str, flags: &str) -> Result<Self, String> {
        if pattern.len() > MOST_LOOKING {
            return Err(format!("one that looks around has {MOST_LOOKING} bytes at most"));
        }
        let shape = shape(pattern);
        if shape.parts > MOST_PARTS {
            return Err(format!("it repeats its parts more than {MOST_PARTS} times"));
        }
        let regex = fancy_regex::RegexBuilder::new(pattern)
            .case_insensitive(flags.contains('i'))
            .multi_line(flags.contains('m'))
            .backtrack_limit(MOST_STEPS.min(MOST_PARTS_TRIED / shape.parts.max(1)))
            .delegate_size_limit(MOST_COMPILED)
            .delegate_dfa_size_limit(cost::PIECE_STATES)
            .max_prog_size(MOST_INSTRUCTIONS)
            .build()
            .map_err(|wrong| one_line(&wrong.to_string()))?;
        let span = if shape.repeats { usize::MAX } else { pattern.len() };
        Ok(Self { regex, span })
    }

    /// A text that counts what this one reads of it.
    fn metered<'t>(&self, text: &'t str, until: Instant) -> Metered<'t> {
        Metered::new(text, self.span, until)
    }
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ").trim_end_matches('.').to_owned()
}
