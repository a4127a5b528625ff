//! What AWS's JSON reader says of a text that is no JSON: `States.StringToJson` passes it on.
//!
//! The words of a truncated object, of a bare word and of a member's name without quotes are as
//! recorded on AWS (github.com/gabrielmoreira/tiny-asl-machine, States.StringToJson 011 to 014); the
//! others are those of the reader it shows by them, Jackson 2.

use std::iter::Peekable;
use std::str::CharIndices;

const SOURCE: &str =
    "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: ";
const EXPECTED: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
/// What of a bare word is shown at the most.
const WORD_CHARS: usize = 256;

/// Why `text` is no JSON. `None` where that is none of the mistakes that are known here.
pub(super) fn complaint(text: &str) -> Option<String> {
    let mut reader = Reader { text, rest: text.char_indices().peekable() };
    let (words, at) = reader.document()?;
    Some(format!("{words}\n at {}", reader.place(at)))
}

struct Reader<'a> {
    text: &'a str,
    rest: Peekable<CharIndices<'a>>,
}

/// Words, and the byte they are about.
type Complaint = Option<(String, usize)>;

/// What stands open around a place.
#[derive(Clone, Copy)]
struct Open {
    object: bool,
    at: usize,
}

impl Open {
    fn name(self) -> &'static str {
        if self.object { "Object" } else { "Array" }
    }
}

impl Reader<'_> {
    /// `[Source: …; line: 1, column: 2]`. A column counts UTF-16 units from 1.
    fn place(&self, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let row = before.rsplit('\n').next().unwrap_or_default();
        format!("{SOURCE}{line}, column: {}]", row.encode_utf16().count() + 1)
    }

    fn skip_blanks(&mut self) -> Option<(usize, char)> {
        while self.rest.next_if(|(_, c)| matches!(c, ' ' | '\t' | '\r' | '\n')).is_some() {}
        self.rest.peek().copied()
    }

    fn ended(&self, more: &str) -> Complaint {
        Some((format!("Unexpected end-of-input{more}"), self.text.len()))
    }

    fn unexpected(at: usize, c: char, why: &str) -> Complaint {
        Some((format!("Unexpected character ('{c}' (code {})): {why}", u32::from(c)), at))
    }

    fn document(&mut self) -> Complaint {
        let mut open: Vec<Open> = Vec::new();
        loop {
            // A value begins here, or a container that was just opened closes.
            if let Some(complaint) = self.value(&mut open) {
                return Some(complaint);
            }
            // What follows a value.
            loop {
                let around = open.last().copied()?;
                let Some((at, c)) = self.skip_blanks() else { return self.unclosed(around) };
                let close = if around.object { '}' } else { ']' };
                if c == close {
                    self.rest.next();
                    open.pop();
                    continue;
                }
                if matches!(c, '}' | ']') {
                    return Some((self.mismatched(c, close, around), at));
                }
                if c != ',' {
                    let why = format!("was expecting comma to separate {} entries", around.name());
                    return Self::unexpected(at, c, &why);
                }
                self.rest.next();
                if self.skip_blanks().is_none() {
                    return self.between(around);
                }
                if around.object
                    && let Some(complaint) = self.member_name(around)
                {
                    return Some(complaint);
                }
                break;
            }
        }
    }

    fn mismatched(&self, c: char, close: char, around: Open) -> String {
        let (name, place) = (around.name(), self.place(around.at));
        format!(
            "Unexpected close marker '{c}': expected '{close}' (for {name} starting at {place})"
        )
    }

    fn unclosed(&self, around: Open) -> Complaint {
        let (name, place) = (around.name(), self.place(around.at));
        self.ended(&format!(": expected close marker for {name} (start marker at {place})"))
    }

    fn between(&self, around: Open) -> Complaint {
        self.ended(&format!(" within/between {} entries", around.name()))
    }

    /// A plain value, or containers down to the first plain value in them or to an empty one.
    fn value(&mut self, open: &mut Vec<Open>) -> Complaint {
        loop {
            let Some((at, c)) = self.skip_blanks() else {
                return open.last().and_then(|around| self.unclosed(*around));
            };
            match c {
                '{' | '[' => {
                    self.rest.next();
                    let around = Open { object: c == '{', at };
                    open.push(around);
                    match self.skip_blanks() {
                        None => return self.unclosed(around),
                        Some((_, '}')) if around.object => return None,
                        Some((_, ']')) if !around.object => return None,
                        Some(_) if around.object => {
                            if let Some(complaint) = self.member_name(around) {
                                return Some(complaint);
                            }
                        }
                        Some(_) => {}
                    }
                }
                '"' => return self.string(": was expecting closing quote for a string value"),
                '-' | '0'..='9' => {
                    while self.rest.next_if(|(_, c)| is_of_a_number(*c)).is_some() {}
                    return None;
                }
                c if c.is_alphabetic() || matches!(c, '_' | '$') => return self.word(),
                c => {
                    let why = format!("expected a valid value {EXPECTED}");
                    return Self::unexpected(at, c, &why);
                }
            }
        }
    }

    /// `"name":`, up to the value.
    fn member_name(&mut self, around: Open) -> Complaint {
        match self.skip_blanks() {
            Some((_, '"')) => {}
            Some((at, c)) => {
                return Self::unexpected(at, c, "was expecting double-quote to start field name");
            }
            None => return self.between(around),
        }
        if let Some(complaint) = self.string(": was expecting closing '\"' for name") {
            return Some(complaint);
        }
        match self.skip_blanks() {
            Some((_, ':')) => {
                self.rest.next();
                if self.skip_blanks().is_none() { self.between(around) } else { None }
            }
            Some((at, c)) => {
                let why = "was expecting a colon to separate field name and value";
                Self::unexpected(at, c, why)
            }
            None => self.between(around),
        }
    }

    fn string(&mut self, unclosed: &str) -> Complaint {
        self.rest.next();
        while let Some((_, c)) = self.rest.next() {
            match c {
                '"' => return None,
                '\\' => {
                    self.rest.next();
                }
                _ => {}
            }
        }
        self.ended(unclosed)
    }

    fn word(&mut self) -> Complaint {
        let mut word = String::new();
        while let Some((_, c)) =
            self.rest.next_if(|(_, c)| c.is_alphanumeric() || matches!(c, '_' | '$'))
        {
            word.push(c);
        }
        if matches!(word.as_str(), "true" | "false" | "null") {
            return None;
        }
        let after = self.rest.peek().map_or(self.text.len(), |(at, _)| *at);
        if word.chars().count() > WORD_CHARS {
            word = word.chars().take(WORD_CHARS).chain("...".chars()).collect();
        }
        Some((format!("Unrecognized token '{word}': was expecting {EXPECTED}"), after))
    }
}

fn is_of_a_number(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E')
}
