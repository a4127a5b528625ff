//! Regular expressions as JSONata 2.0.6 reads them, which is as JavaScript does.
//!
//! > An engine that goes through a text once takes no look-around and no back-references, and writes
//! > some things otherwise. So a literal is read here when the expression is parsed: what that engine
//! > can do is written in its syntax; the rest is for one with bounded steps, in a text that counts
//! > what is read of it.
//!
//! Source: JSONata 2.0.6, "Using Regular Expressions", "Matcher function"; ECMA-262, §22.2.

mod matching;
mod metered;
mod shape;
mod syntax;

pub(super) use matching::Found;

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

/// A regular expression as it stands in an expression.
#[derive(Debug)]
pub(super) struct Pattern {
    /// In the syntax of the engine that searches with it, or what is wrong with it.
    reading: Result<Reading, String>,
    flags: String,
    /// What tells it from others.
    key: String,
}

impl Pattern {
    /// Reads `/pattern/flags`, and says what is wrong with it: it fails when it is searched with.
    pub(super) fn read(pattern: String, flags: String) -> (Self, Option<String>) {
        let (reading, wrong) = match read(&pattern, &flags) {
            Ok(reading) => (Ok(reading), None),
            Err(wrong) => {
                // Flags that there are not were passed over before.
                let known: String =
                    flags.chars().filter(|flag| matches!(flag, 'i' | 'm')).collect();
                let without =
                    if known == flags { Err(wrong.clone()) } else { read(&pattern, &known) };
                (without, Some(wrong))
            }
        };
        let key = format!("{flags}/{pattern}");
        (Self { reading, flags, key }, wrong)
    }
}

/// Bytes of a compiled pattern of the plain kind.
const MOST_PLAIN: usize = 1024 * 1024;

/// Compiles a translated pattern for the engine that goes through a text once.
fn plain(pattern: &str, flags: &str) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(pattern)
        .case_insensitive(flags.contains('i'))
        .multi_line(flags.contains('m'))
        .size_limit(MOST_PLAIN)
        .dfa_size_limit(MOST_PLAIN)
        .build()
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
fn read(pattern: &str, flags: &str) -> Result<Reading, String> {
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
    let refused = match self::plain(&plain, flags) {
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
