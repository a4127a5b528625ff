//! JavaScript's syntax of regular expressions, written in that of Rust's engines.

/// Any character. As a class its other cases would be looked for, each by itself.
const ANY: &str = "(?s:.)";

/// How the edges of words are written, those of ASCII.
pub(super) enum Edges {
    Plain,
    /// By looking around: the engine that does knows the edges of Unicode's words only.
    Looking,
}

impl Edges {
    fn written(&self, is_edge: bool) -> &'static str {
        match (self, is_edge) {
            (Self::Plain, true) => r"(?-u:\b)",
            (Self::Plain, false) => r"(?-u:\B)",
            (Self::Looking, true) => {
                "(?:(?<=[0-9A-Za-z_])(?![0-9A-Za-z_])|(?<![0-9A-Za-z_])(?=[0-9A-Za-z_]))"
            }
            (Self::Looking, false) => {
                "(?:(?<=[0-9A-Za-z_])(?=[0-9A-Za-z_])|(?<![0-9A-Za-z_])(?![0-9A-Za-z_]))"
            }
        }
    }
}

/// What the two read alike stays as it is.
///
/// `either_case`: it is searched for in either case.
pub(super) fn translated(pattern: &str, edges: &Edges, either_case: bool) -> String {
    let mut names = pattern.match_indices("(?<").map(|(at, _)| &pattern[at + 3..]);
    let has_names = names.any(|name| !name.starts_with(['=', '!']));
    let mut reader =
        Reader { rest: pattern, written: String::new(), edges, either_case, has_names };
    while let Some(char) = reader.next() {
        match char {
            '\\' => reader.escape(false),
            '[' => reader.class(),
            '{' => reader.brace(),
            ']' | '}' => reader.written.extend(['\\', char]),
            '.' => reader.written.push_str(r"[^\n\r\x{2028}\x{2029}]"),
            other => reader.written.push(other),
        }
    }
    reader.written
}

struct Reader<'a> {
    rest: &'a str,
    written: String,
    edges: &'a Edges,
    either_case: bool,
    /// A group in it has a name.
    has_names: bool,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let char = self.rest.chars().next()?;
        self.rest = &self.rest[char.len_utf8()..];
        Some(char)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest.strip_prefix(text);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    /// What follows a backslash. Classes are those of ASCII, as without JavaScript's flag `u`.
    fn escape(&mut self, in_class: bool) {
        let Some(char) = self.next() else { return self.written.push('\\') };
        match (char, in_class) {
            ('d', false) => self.written.push_str("[0-9]"),
            ('d', true) => self.written.push_str("0-9"),
            ('D', _) => self.written.push_str("[^0-9]"),
            ('w', false) => self.written.push_str("[0-9A-Za-z_]"),
            ('w', true) => self.written.push_str("0-9A-Za-z_"),
            ('W', _) => self.written.push_str("[^0-9A-Za-z_]"),
            ('b', true) => self.written.push_str(r"\x08"),
            ('b' | 'B', false) => self.written.push_str(self.edges.written(char == 'b')),
            ('0', _) => self.written.push_str(r"\x00"),
            ('u', _) => self.unit(),
            ('c', _) => self.control(),
            ('x', _) => self.byte(),
            // A reference only where there is a name (ECMA-262, B.1.2).
            ('k', in_class) if in_class || !self.has_names => self.written.push('k'),
            // Of ASCII's punctuation these two mean something else when they are escaped.
            ('<' | '>', _) => self.written.push(char),
            // Of other letters (`\p`, `\A`, `\z`) nothing is made without JavaScript's flag `u`.
            (char, _) if char.is_ascii_alphabetic() && !"fknrsStv".contains(char) => {
                self.written.push(char);
            }
            (char, _) if char.is_ascii_graphic() => self.written.extend(['\\', char]),
            (char, _) => self.written.push(char),
        }
    }

    /// `\u0041`; two halves of a character are one.
    fn unit(&mut self) {
        let Some(unit) = self.hexadecimal() else { return self.written.push('u') };
        let before = self.rest;
        let low = if self.eat("\\u") { self.hexadecimal() } else { None };
        let units = [Some(unit), low].into_iter().flatten();
        match char::decode_utf16(units).next() {
            Some(Ok(char)) => {
                if char.len_utf16() == 1 {
                    self.rest = before;
                }
                self.written.push_str(&format!(r"\x{{{:X}}}", u32::from(char)));
            }
            // Half a character is in no text.
            _ => {
                self.rest = before;
                self.written.push_str(r"[^\s\S]");
            }
        }
    }

    fn hexadecimal(&mut self) -> Option<u16> {
        let digits =
            self.rest.get(..4).filter(|four| four.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let unit = u16::from_str_radix(digits, 16).ok()?;
        self.rest = &self.rest[4..];
        Some(unit)
    }

    /// `\x41`, and `x` where no two digits follow. `\x{41}` was always taken as Rust's engines do.
    fn byte(&mut self) {
        let two = self.rest.get(..2).filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
        match two {
            Some(two) => {
                self.written.extend([r"\x", two]);
                self.rest = &self.rest[2..];
            }
            None if self.rest.starts_with('{') => self.written.push_str(r"\x"),
            None => self.written.push('x'),
        }
    }

    /// `\cM`
    fn control(&mut self) {
        match self.rest.bytes().next() {
            Some(letter) if letter.is_ascii_alphabetic() => {
                self.rest = &self.rest[1..];
                self.written.push_str(&format!(r"\x{:02X}", letter & 0x1F));
            }
            _ => self.written.push_str(r"\\c"),
        }
    }

    /// From `[` to `]`. Rust's engines have sets within sets and operators between them.
    fn class(&mut self) {
        let is_negated = self.eat("^");
        if self.eat("]") {
            return self.written.push_str(if is_negated { ANY } else { r"[^\s\S]" });
        }
        let any = [r"\s\S]", r"\S\s]", r"\d\D]", r"\D\d]", r"\w\W]", r"\W\w]"];
        if !is_negated && any.into_iter().any(|any| self.eat(any)) {
            return self.written.push_str(ANY);
        }
        let begin = self.written.len();
        self.written.push_str(if is_negated { "[^" } else { "[" });
        let (mut last, mut has_cases) = (' ', false);
        while let Some(char) = self.next() {
            has_cases |= self.may_have_cases(char, last);
            match char {
                ']' if self.either_case && !has_cases => {
                    self.written.insert_str(begin, "(?-i:");
                    return self.written.push_str("])");
                }
                ']' => return self.written.push(']'),
                '\\' => self.escape(true),
                '[' | '&' | '~' => self.written.extend(['\\', char]),
                '-' if last == '-' || self.rest.starts_with('-') => self.written.push_str(r"\-"),
                '^' => self.written.push_str(r"\^"),
                other => self.written.push(other),
            }
            last = char;
        }
    }

    /// Whether a class has another case where it has `char`, which follows `last`. Those of one that has
    /// none would be looked for all the same, for each of its characters.
    fn may_have_cases(&self, char: char, last: char) -> bool {
        let next = self.rest.chars().next().unwrap_or(']');
        match char {
            '\\' => !"dDwWsSnrtfv".contains(next) && !next.is_ascii_punctuation(),
            '-' => {
                let is_range = last != ' ' && next != ']';
                is_range && !(last.is_ascii_digit() && next.is_ascii_digit())
            }
            _ => !char.is_ascii() || char.is_ascii_alphabetic(),
        }
    }

    /// A number of times, or a brace that stands for itself.
    fn brace(&mut self) {
        // Its end is not looked for behind what cannot stand in it: there may be a brace at each byte.
        let end = self.rest.find(|char: char| !char.is_ascii_digit() && char != ',');
        let times = end.and_then(|end| self.rest.split_at_checked(end)).filter(|(times, rest)| {
            let (least, most) = times.split_once(',').unwrap_or((times, ""));
            rest.starts_with('}') && !least.is_empty() && !most.contains(',')
        });
        let times = times.map(|(times, _)| times);
        match times {
            Some(times) => {
                self.written.extend(["{", times, "}"]);
                self.rest = &self.rest[times.len() + 1..];
            }
            None => self.written.push_str(r"\{"),
        }
    }
}
