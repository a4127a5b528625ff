//! Regular expressions as JSONata 2.0.6 reads them, which is as JavaScript does.
//!
//! > The evaluator's engine takes no look-around and no back-references, and writes some things
//! > otherwise. So a literal is read here when the expression is parsed: what the engine can do is
//! > written in its syntax, and the rest becomes a matcher, a function that JSONata takes in place
//! > of a regular expression ([`crate::jsonata::guard`]), over an engine with bounded steps.
//!
//! Source: JSONata 2.0.6, "Using Regular Expressions", "Matcher function"; ECMA-262, §22.2.

pub(super) mod literals;
pub(super) mod matching;
mod syntax;

use jsonata_core::functions::string::build_regex;

/// How often a search may go back. One step costs as much as the text is long: see [`MOST_SEARCHED`].
const MOST_STEPS: usize = 250_000;
/// Bytes of a text that is searched with steps: what all of them cost is a part of a second.
const MOST_SEARCHED: usize = 64 * 1024;
/// Steps in the program of one that looks around.
const MOST_INSTRUCTIONS: usize = 64 * 1024;
/// Bytes of a compiled expression.
const MOST_COMPILED: usize = 10 * 1024 * 1024;

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
    if build_regex(&plain, flags).is_ok() {
        return Ok(Reading::Plain(plain));
    }
    let looking = syntax::translated(pattern, &syntax::Edges::Looking);
    match compiled(&looking, flags) {
        Ok(_) => Ok(Reading::Looking(looking)),
        Err(wrong) => Err(format!("/{pattern}/ is no regular expression: {wrong}.")),
    }
}

/// The engine with look-around, for a translated pattern.
fn compiled(pattern: &str, flags: &str) -> Result<fancy_regex::Regex, String> {
    fancy_regex::RegexBuilder::new(pattern)
        .case_insensitive(flags.contains('i'))
        .multi_line(flags.contains('m'))
        .backtrack_limit(MOST_STEPS)
        .delegate_size_limit(MOST_COMPILED)
        .max_prog_size(MOST_INSTRUCTIONS)
        .build()
        .map_err(|wrong| wrong.to_string().replace('\n', " ").trim_end_matches('.').to_owned())
}
