//! From the text of an expression to what is evaluated: tokens, the tree as it is written, and the
//! tree of paths.
//!
//! The language is JSONata 2.0.6's, errors included: docs.jsonata.org, and what that version does.

mod after;
mod ancestors;
mod parser;
mod paths;
mod raw;
pub(super) mod signature;
pub(super) mod survey;
mod token;
pub(super) mod tree;

use super::Newer;
use super::limits::MOST_NESTING;
use super::regex::Compiling;
use std::fmt;
use tree::Tree;

/// Why a text is no expression.
#[derive(Debug)]
pub(super) struct SyntaxError {
    code: &'static str,
    words: String,
}

impl SyntaxError {
    fn new(code: &'static str, words: impl Into<String>) -> Self {
        Self { code, words: words.into() }
    }

    fn too_deep() -> Self {
        Self::new("", format!("the expression is nested deeper than {MOST_NESTING} levels"))
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            "" => f.write_str(&self.words),
            code => write!(f, "{code}: {}", self.words),
        }
    }
}

/// What a text says.
pub(super) struct Parsed {
    pub(super) tree: Tree,
    pub(super) newer: Option<Newer>,
    /// What is wrong with a regular expression in it.
    pub(super) bad_regex: Option<String>,
}

/// Reads an expression.
pub(super) fn parse(source: &str, compiling: &mut Compiling) -> Result<Parsed, SyntaxError> {
    // What 2.0.6 refuses and is taken all the same is refused in 2.0.6's words if there is more wrong.
    let (written, newer, refused) = match parser::Parser::parse(source, false) {
        Ok((written, newer)) => (written, newer, None),
        Err(refused) => match parser::Parser::parse(source, true) {
            Ok((written, newer)) => (written, newer, Some(refused)),
            Err(_) => return Err(refused),
        },
    };
    let is_lenient = refused.is_some();
    let (tree, bad_regex) =
        paths::tree(written, compiling).map_err(|wrong| refused.unwrap_or(wrong))?;
    // Only a slash is left that 2.0.6 takes for an operator.
    let slash = (is_lenient && bad_regex.is_none()).then_some(Newer::SLASH);
    let newer = newer.or(slash);
    Ok(Parsed { tree, newer, bad_regex })
}
