//! Regular expressions as JSONata 2.0.6 reads them, which is as JavaScript does.
//!
//! > The evaluator's engine takes no look-around and no back-references, and writes some things
//! > otherwise. So a literal is read here when the expression is parsed: what the engine can do is
//! > written in its syntax, and the rest becomes a matcher, a function that JSONata takes in place
//! > of a regular expression ([`crate::jsonata::guard`]), over an engine with bounded steps
//! > in a text that counts what is read of it.
//!
//! Source: JSONata 2.0.6, "Using Regular Expressions", "Matcher function"; ECMA-262, §22.2.

pub(super) mod literals;
pub(super) mod matching;
mod metered;
mod shape;
mod syntax;

use jsonata_core::functions::string::build_regex;
use metered::Metered;
use shape::shape;

/// How often a search may go back, and parts of a pattern it may go through with that.
const MOST_STEPS: usize = 250_000;
const MOST_PARTS_TRIED: usize = 1 << 27;
/// Bytes of a text that is searched with steps.
const MOST_SEARCHED: usize = 64 * 1024;
/// Bytes of a pattern that looks around, and of its parts with those that come several times.
const MOST_LOOKING: usize = 4 * 1024;
const MOST_PARTS: usize = 64 * 1024;
/// Steps in the program of one that looks around.
const MOST_INSTRUCTIONS: usize = 64 * 1024;
/// Bytes of each part of it that is compiled on its own.
const MOST_COMPILED: usize = 256 * 1024;

/// A literal, in the syntax of the engine that will search with it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// For the evaluator's own engine.
    Plain(String),
    /// For the one with look-around and back-references.
    Looking(String),
}

/// Reads `/pattern/flags`.
///
/// # Errors
///
/// What is wrong with it, in one sentence.
pub(super) fn read(pattern: &str, flags: &str) -> Result<Reading, String> {
    if pattern.is_empty() {
        return Err("S0301: Empty regular expressions are not allowed.".to_owned());
    }
    let is_strange = |flag: &(usize, char)| {
        !matches!(flag.1, 'i' | 'm') || flags.get(..flag.0).is_some_and(|f| f.contains(flag.1))
    };
    if let Some((_, flag)) = flags.char_indices().find(is_strange) {
        return Err(format!("/{pattern}/{flags}: the flags are `i` and `m`, not `{flag}`."));
    }
    let plain = syntax::translated(pattern, &syntax::Edges::Plain);
    let refused = match build_regex(&plain, flags) {
        Ok(_) => return Ok(Reading::Plain(plain)),
        Err(wrong) => wrong.to_string(),
    };
    let looking = syntax::translated(pattern, &syntax::Edges::Looking);
    // One that the first engine refuses for its size or its syntax stays refused.
    let wrong = if shape(&plain).looks {
        match Looking::compiled(&looking, flags) {
            Ok(_) => return Ok(Reading::Looking(looking)),
            Err(wrong) => wrong,
        }
    } else {
        one_line(&refused)
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
            .max_prog_size(MOST_INSTRUCTIONS)
            .build()
            .map_err(|wrong| one_line(&wrong.to_string()))?;
        let span = if shape.repeats { usize::MAX } else { pattern.len() };
        Ok(Self { regex, span })
    }

    /// A text that counts what this one reads of it.
    fn metered<'t>(&self, text: &'t str) -> Metered<'t> {
        Metered::new(text, self.span)
    }
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ").trim_end_matches('.').to_owned()
}
