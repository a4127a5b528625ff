//! What the grammars of conditions, updates and projections share: a cursor over the words.

use super::path::{Path, Step};
use super::placeholders::Placeholders;
use super::reserved::is_reserved;
use super::token::{Kind, Token, tokens, unexpected};
use super::value::Value;

/// Parentheses, `NOT`s and functions may stand this deep in each other.
const DEPTH: usize = 64;
/// A path may have this many steps (Developer Guide, "Quotas": nesting depth of 32).
const STEPS: usize = 32;

/// A cursor over the words of an expression.
pub(super) struct Parser<'a> {
    source: &'a str,
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: usize,
    /// What `#…` and `:…` stand for.
    pub(super) placeholders: &'a mut Placeholders,
}

impl<'a> Parser<'a> {
    /// At the first word.
    pub(super) fn new(source: &'a str, placeholders: &'a mut Placeholders) -> Result<Self, String> {
        if source.trim().is_empty() {
            return Err("The expression can not be empty;".to_owned());
        }
        Ok(Self { source, tokens: tokens(source)?, at: 0, depth: 0, placeholders })
    }

    /// The word at the cursor.
    pub(super) fn peek(&self) -> &Token<'a> {
        // There is always an end, and the cursor stops there.
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    /// The word behind it.
    pub(super) fn peek_second(&self) -> &Token<'a> {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)]
    }

    /// Steps over the word at the cursor.
    pub(super) fn advance(&mut self) -> Token<'a> {
        let token = self.peek().clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    /// Steps over a sign, if it is there.
    pub(super) fn take_sign(&mut self, sign: &str) -> bool {
        let there = self.peek().kind == Kind::Sign && self.peek().text == sign;
        if there {
            self.advance();
        }
        there
    }

    /// Whether a keyword is there; keywords have no case.
    pub(super) fn at_keyword(&self, keyword: &str) -> bool {
        self.peek().kind == Kind::Word && self.peek().text.eq_ignore_ascii_case(keyword)
    }

    /// Steps over a keyword, if it is there.
    pub(super) fn take_keyword(&mut self, keyword: &str) -> bool {
        let there = self.at_keyword(keyword);
        if there {
            self.advance();
        }
        there
    }

    /// Steps over a sign that has to be there.
    pub(super) fn expect_sign(&mut self, sign: &str) -> Result<(), String> {
        if self.take_sign(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Says that the word at the cursor does not belong there.
    pub(super) fn unexpected(&self) -> String {
        unexpected(self.source, &self.tokens, self.at)
    }

    /// Nothing may be left.
    pub(super) fn expect_end(&self) -> Result<(), String> {
        if self.peek().kind == Kind::End { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Parses one level deeper, and refuses what is too deep.
    pub(super) fn deeper<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        if self.depth >= DEPTH {
            return Err(format!("The expression is nested deeper than {DEPTH} levels"));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// A document path.
    pub(super) fn path(&mut self) -> Result<Path, String> {
        let mut path = Path::top(self.name()?);
        loop {
            if self.take_sign(".") {
                let name = self.name()?;
                path.steps.push(Step::Name(name));
            } else if self.take_sign("[") {
                if self.peek().kind != Kind::Digits {
                    return Err(self.unexpected());
                }
                let digits = self.advance().text;
                let index = digits.parse().map_err(|_| {
                    format!("List index is not within the allowable range; index: [{digits}]")
                })?;
                path.steps.push(Step::Index(index));
                self.expect_sign("]")?;
            } else {
                break;
            }
            if path.steps.len() > STEPS {
                return Err("The document path has too many nesting elements".to_owned());
            }
        }
        Ok(path)
    }

    fn name(&mut self) -> Result<String, String> {
        match self.peek().kind {
            Kind::Word if is_reserved(self.peek().text) => Err(format!(
                "Attribute name is a reserved keyword; reserved keyword: {}",
                self.peek().text
            )),
            Kind::Word if !self.peek().text.starts_with(|c: char| c.is_ascii_digit()) => {
                Ok(self.advance().text.to_owned())
            }
            Kind::NamePlaceholder => {
                let key = self.advance().text;
                self.placeholders.name(key)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// A value placeholder.
    pub(super) fn value(&mut self) -> Result<Value, String> {
        if self.peek().kind != Kind::ValuePlaceholder {
            return Err(self.unexpected());
        }
        let key = self.advance().text;
        self.placeholders.value(key)
    }
}
