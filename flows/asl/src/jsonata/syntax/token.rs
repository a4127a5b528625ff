//! The words an expression is written in.

use super::SyntaxError;
use serde_json::Value as Json;
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A sign, or one of `and`, `or`, `in`.
    Sign(&'static str),
    Name(Arc<str>),
    /// Without the `$`.
    Variable(Arc<str>),
    Text(Arc<str>),
    Number(f64),
    Bool(bool),
    Null,
    Regex {
        pattern: String,
        flags: String,
    },
    End,
}

impl Token {
    /// As messages show it.
    pub(super) fn shown(&self) -> Json {
        match self {
            Self::Sign(text) => Json::from(*text),
            Self::Name(text) | Self::Variable(text) | Self::Text(text) => Json::from(&**text),
            Self::Number(number) => crate::jsonata::convert::number(*number),
            Self::Bool(truth) => Json::from(*truth),
            Self::Null => Json::Null,
            Self::Regex { .. } => Json::Object(serde_json::Map::new()),
            Self::End => Json::from("(end)"),
        }
    }

    pub(super) fn is(&self, sign: &str) -> bool {
        matches!(self, Self::Sign(here) if *here == sign)
    }
}

/// Signs of two characters, and of one. The first two came with JSONata 2.1.
const PAIRS: [&str; 9] = ["??", "?:", "..", ":=", "!=", ">=", "<=", "**", "~>"];
const SIGNS: [&str; 26] = [
    ".", "[", "]", "{", "}", "(", ")", ",", "@", "#", ";", ":", "?", "+", "-", "*", "/", "%", "|",
    "=", "<", ">", "^", "&", "!", "~",
];

fn sign_of(char: char) -> Option<&'static str> {
    let mut buffer = [0; 4];
    let text: &str = char.encode_utf8(&mut buffer);
    SIGNS.iter().find(|sign| **sign == text).copied()
}

fn is_blank(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\n' | '\r' | '\u{b}')
}

/// Reads one token after the other.
pub(super) struct Tokens<'a> {
    rest: &'a str,
    /// Takes what 2.0.6 refuses and definitions have that were taken before.
    pub(super) is_lenient: bool,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(source: &'a str, is_lenient: bool) -> Self {
        Self { rest: source, is_lenient }
    }

    /// The next token. Where an operator may come, a slash divides; elsewhere it begins a regular
    /// expression.
    pub(super) fn next(&mut self, operator_may_come: bool) -> Result<Token, SyntaxError> {
        self.skip()?;
        let Some(first) = self.rest.chars().next() else { return Ok(Token::End) };
        if first == '/' && !operator_may_come {
            return self.regex();
        }
        let pairs = PAIRS.iter().skip(if self.is_lenient { 0 } else { 2 });
        if let Some(pair) = pairs.into_iter().find(|pair| self.rest.starts_with(**pair)) {
            self.pass(pair.len());
            return Ok(Token::Sign(pair));
        }
        if let Some(sign) = sign_of(first) {
            self.pass(sign.len());
            return Ok(Token::Sign(sign));
        }
        match first {
            '"' | '\'' => self.text(first),
            '`' => {
                let inner = self.rest.get(1..).unwrap_or_default();
                let Some((name, rest)) = inner.split_once('`') else {
                    let words = "Quoted property name must be terminated with a backquote (`)";
                    return Err(SyntaxError::new("S0105", words));
                };
                self.rest = rest;
                Ok(Token::Name(name.into()))
            }
            _ => match number_end(self.rest) {
                Some(end) => self.number(end),
                None => Ok(self.word()),
            },
        }
    }

    fn pass(&mut self, bytes: usize) -> &'a str {
        let (passed, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        passed
    }

    /// Passes over blanks and comments.
    fn skip(&mut self) -> Result<(), SyntaxError> {
        loop {
            self.rest = self.rest.trim_start_matches(is_blank);
            let Some(comment) = self.rest.strip_prefix("/*") else { return Ok(()) };
            let Some((_, rest)) = comment.split_once("*/") else {
                return Err(SyntaxError::new("S0106", "Comment has no closing tag"));
            };
            self.rest = rest;
        }
    }

    fn number(&mut self, end: usize) -> Result<Token, SyntaxError> {
        let text = self.pass(end);
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Token::Number(number)),
            _ => {
                let words = format!("Number out of range: {}", Json::from(text));
                Err(SyntaxError::new("S0102", words))
            }
        }
    }

    fn word(&mut self) -> Token {
        let end = self.rest.find(|char| is_blank(char) || sign_of(char).is_some());
        let word = self.pass(end.unwrap_or(self.rest.len()));
        match word {
            "and" => Token::Sign("and"),
            "or" => Token::Sign("or"),
            "in" => Token::Sign("in"),
            "true" => Token::Bool(true),
            "false" => Token::Bool(false),
            "null" => Token::Null,
            _ => match word.strip_prefix('$') {
                Some(name) => Token::Variable(name.into()),
                None => Token::Name(word.into()),
            },
        }
    }

    fn text(&mut self, quote: char) -> Result<Token, SyntaxError> {
        let mut text = String::new();
        let mut chars = self.rest.chars();
        chars.next();
        // A half of a character that is written as `\uD83D\uDE00`.
        let mut half: Option<u16> = None;
        while let Some(char) = chars.next() {
            let char = match char {
                '\\' => match escaped(&mut chars)? {
                    Ok(char) => char,
                    Err(unit) => {
                        match half.take().and_then(|first| joined(first, unit)) {
                            Some(char) => {
                                text.pop();
                                text.push(char);
                            }
                            // There is no Unicode text with half a character.
                            None => {
                                text.push(char::REPLACEMENT_CHARACTER);
                                half = Some(unit);
                            }
                        }
                        continue;
                    }
                },
                char if char == quote => {
                    self.rest = chars.as_str();
                    return Ok(Token::Text(text.into()));
                }
                char => char,
            };
            half = None;
            text.push(char);
        }
        let words = "String literal must be terminated by a matching quote";
        Err(SyntaxError::new("S0101", words))
    }

    /// `/pattern/flags`: a slash within brackets of any kind is the pattern's.
    fn regex(&mut self) -> Result<Token, SyntaxError> {
        let body = self.rest.get(1..).unwrap_or_default();
        if body.starts_with('/') && !self.is_lenient {
            return Err(SyntaxError::new("S0301", "Empty regular expressions are not allowed"));
        }
        // One whose brackets do not end is none; it ends where it would if they were none.
        let Some(end) = pattern_end(body, true).or_else(|| pattern_end(body, false)) else {
            return Err(SyntaxError::new("S0302", "No terminating / in regular expression"));
        };
        let (pattern, rest) = body.split_at_checked(end).unwrap_or((body, ""));
        let rest = rest.get(1..).unwrap_or_default();
        let flags = rest.find(|char: char| !char.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (flags, rest) = rest.split_at_checked(flags).unwrap_or((rest, ""));
        self.rest = rest;
        Ok(Token::Regex { pattern: pattern.to_owned(), flags: flags.to_owned() })
    }
}

/// What `\` and what follows mean: a character, or half of one.
fn escaped(chars: &mut std::str::Chars<'_>) -> Result<Result<char, u16>, SyntaxError> {
    let Some(char) = chars.next() else {
        let words = "Unsupported escape sequence: \\\"\"";
        return Err(SyntaxError::new("S0103", words));
    };
    Ok(Ok(match char {
        '"' | '\\' | '/' => char,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let digits = chars.as_str().get(..4);
            let hex = digits.filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
            let Some(unit) = hex.and_then(|hex| u16::from_str_radix(hex, 16).ok()) else {
                let words = "The escape sequence \\u must be followed by 4 hex digits";
                return Err(SyntaxError::new("S0104", words));
            };
            chars.nth(3);
            return Ok(char::from_u32(u32::from(unit)).ok_or(unit));
        }
        other => {
            let shown = Json::from(other.to_string());
            let words = format!("Unsupported escape sequence: \\{shown}");
            return Err(SyntaxError::new("S0103", words));
        }
    }))
}

/// The character of two halves.
fn joined(first: u16, second: u16) -> Option<char> {
    char::decode_utf16([first, second]).next()?.ok()
}

/// Where a number ends that `text` begins with, if it does: JSON's, without a sign.
fn number_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut end = match bytes.first()? {
        b'0' => 1,
        byte if byte.is_ascii_digit() => digits(0),
        _ => return None,
    };
    if bytes.get(end) == Some(&b'.') && digits(end + 1) > end + 1 {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let from = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if digits(from) > from {
            end = digits(from);
        }
    }
    Some(end)
}

/// The slash that ends a pattern.
fn pattern_end(pattern: &str, has_brackets: bool) -> Option<usize> {
    let (mut is_escaped, mut depth) = (false, 0_usize);
    let mut in_class = false;
    for (at, char) in pattern.char_indices() {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '/' if !in_class && depth == 0 => return Some(at),
            ']' => in_class = false,
            _ if in_class => {}
            '[' => in_class = has_brackets,
            '(' => depth += usize::from(has_brackets),
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}
