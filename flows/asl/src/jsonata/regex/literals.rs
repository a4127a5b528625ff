//! Where a regular expression ends in the text of an expression.
//!
//! `/[^/]+/` ends at its second last slash for the evaluator, and at its last for JSONata, which
//! takes a slash within brackets for one of the pattern. Such slashes are escaped here.

use std::borrow::Cow;

/// `source`, with the slashes escaped that do not end a regular expression, and with brackets around
/// a field `in`, `and` or `or` that is divided.
pub(in super::super) fn escaped(source: &str) -> Cow<'_, str> {
    if !source.contains('/') {
        return Cow::Borrowed(source);
    }
    let mut scan = Scan { rest: source, written: String::new(), before: Before::Operator };
    while scan.step() {}
    if scan.written == source { Cow::Borrowed(source) } else { Cow::Owned(scan.written) }
}

/// What stands before a place, as far as a slash there is concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// An operand comes next: a slash begins a regular expression.
    Operator,
    /// A slash divides.
    Value,
}

struct Scan<'a> {
    rest: &'a str,
    written: String,
    before: Before,
}

impl Scan<'_> {
    /// Passes over the next word, text, comment or sign; `false` at the end.
    fn step(&mut self) -> bool {
        let mut chars = self.rest.chars();
        let Some(first) = chars.next() else { return false };
        match (first, chars.next()) {
            ('/', Some('*')) => {
                let end = self.rest.find("*/").map_or(self.rest.len(), |end| end + 2);
                self.take(end);
            }
            ('/', _) if self.before == Before::Operator => self.literal(),
            ('"' | '\'' | '`', _) => {
                let end = text_end(self.rest, first);
                self.take(end);
                self.before = Before::Value;
            }
            (first, _) if is_of_word(first) => {
                let end = self.rest.find(|char| !is_of_word(char)).unwrap_or(self.rest.len());
                // Where an operand comes, and after a `.`, these are names of fields.
                let is_keyword = matches!(&self.rest[..end], "and" | "or" | "in");
                let is_operator = is_keyword && self.before == Before::Value;
                let next = self.rest[end..].trim_start();
                let divides = next.starts_with('/') && !next.starts_with("/*");
                if is_keyword && !is_operator && divides {
                    // The parser takes the slash after such a name for a regular expression's.
                    self.written.push('(');
                    self.take(end);
                    self.written.push(')');
                } else {
                    self.take(end);
                }
                self.before = if is_operator { Before::Operator } else { Before::Value };
            }
            (first, _) => {
                self.take(first.len_utf8());
                if !first.is_whitespace() {
                    let opens = "([{,;:=<>+-&?.".contains(first);
                    self.before = if opens { Before::Operator } else { Before::Value };
                }
            }
        }
        true
    }

    fn take(&mut self, length: usize) {
        let (taken, rest) = self.rest.split_at(length);
        self.written.push_str(taken);
        self.rest = rest;
    }

    /// A literal with its slashes. One without an end stays as it is, for the parser to refuse.
    fn literal(&mut self) {
        self.before = Before::Value;
        let Some((end, inner)) = literal_end(&self.rest[1..]) else { return self.take(1) };
        let mut from = 0;
        self.written.push('/');
        for slash in inner {
            self.written.push_str(&self.rest[1 + from..1 + slash]);
            self.written.push('\\');
            from = slash;
        }
        self.written.push_str(&self.rest[1 + from..=1 + end]);
        self.rest = &self.rest[2 + end..];
    }
}

fn is_of_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_' || char == '$'
}

/// Where the text that begins with `quote` is over.
fn text_end(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, char) in rest.char_indices().skip(1) {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' if quote != '`' => is_escaped = true,
            char if char == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The slash that ends a pattern, and those before it that do not: in brackets of either kind.
fn literal_end(pattern: &str) -> Option<(usize, Vec<usize>)> {
    let (mut is_escaped, mut in_class, mut depth) = (false, false, 0_usize);
    let mut inner = Vec::new();
    for (at, char) in pattern.char_indices() {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '/' if !in_class && depth == 0 => return Some((at, inner)),
            '/' => inner.push(at),
            ']' => in_class = false,
            _ if in_class => {}
            '[' => in_class = true,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}
