//! What can be said of a pattern before it is compiled.

/// How many parts a class comes to while it is compiled that takes most of what there is: its bytes in
/// UTF-8 are of several lengths. And how many bytes of a class's text one comes to.
const WIDE: usize = 8;
const CLASS_TEXT: usize = 4;
/// Characters among which are nearly all that have another case.
const CASED: usize = 0x1_0000;

/// What [`shape`] finds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// It looks around or refers back.
    pub(super) looks: bool,
    /// Something in it may come any number of times.
    pub(super) repeats: bool,
    /// How many of its parts must be gone through for one match, those in `{1000}` a thousand
    /// times.
    pub(super) parts: usize,
    /// How many parts its program has: those in `{0,1000}` a thousand times as well.
    pub(super) size: usize,
    /// The same, where classes count as what they take to compile.
    pub(super) work: usize,
    /// How many characters the classes have whose other case is looked for if either will do.
    pub(super) cased: usize,
    /// How many groups, look-arounds and escapes it has: no fewer than what is compiled on its own.
    pub(super) pieces: usize,
}

/// Parts of a group, and the last of them: how many are gone through, how many there are, and how
/// many they come to while they are compiled.
#[derive(Clone, Copy, Default)]
struct Open {
    parts: usize,
    last: usize,
    size: usize,
    last_size: usize,
    work: usize,
    last_work: usize,
}

impl Open {
    fn push(&mut self, parts: usize, size: usize, work: usize) {
        (self.last, self.last_size, self.last_work) = (parts, size, work);
        self.parts = self.parts.saturating_add(parts);
        self.size = self.size.saturating_add(size);
        self.work = self.work.saturating_add(work);
    }

    /// The last part comes `least` to `most` times.
    fn repeat(&mut self, least: usize, most: usize) {
        let more = self.last.saturating_mul(least.max(1) - 1);
        self.last = self.last.saturating_add(more);
        self.parts = self.parts.saturating_add(more);
        let more = self.last_size.saturating_mul(most.max(1) - 1);
        self.last_size = self.last_size.saturating_add(more);
        self.size = self.size.saturating_add(more);
        let more = self.last_work.saturating_mul(most.max(1) - 1);
        self.last_work = self.last_work.saturating_add(more);
        self.work = self.work.saturating_add(more);
    }
}

/// The shape of a translated pattern. What is no pattern has some shape as well.
pub(super) fn shape(pattern: &str) -> Shape {
    let mut shape = Shape::default();
    let mut open = vec![Open::default()];
    let mut rest = pattern;
    // A class that is never searched for in either case.
    let mut is_fixed = false;
    while let Some(char) = rest.chars().next() {
        rest = &rest[char.len_utf8()..];
        let (parts, size, work) = match char {
            '(' => {
                shape.looks |= ["?=", "?!", "?<=", "?<!"].iter().any(|look| rest.starts_with(look));
                shape.pieces += 1;
                open.push(Open::default());
                if rest.starts_with("?-i:[") {
                    (rest, is_fixed) = (&rest[4..], true);
                }
                continue;
            }
            ')' if open.len() > 1 => {
                let inner = open.pop().unwrap_or_default();
                (inner.parts.max(1), inner.size.max(1), inner.work.max(1))
            }
            '[' => {
                let class = rest;
                rest = after_class(rest);
                let text = class.get(..class.len() - rest.len()).unwrap_or_default();
                if !std::mem::take(&mut is_fixed) {
                    shape.cased = shape.cased.saturating_add(characters(text));
                }
                (1, 1, work_of_class(text))
            }
            '\\' => {
                shape.looks |= rest.starts_with(|c: char| matches!(c, '1'..='9' | 'k'));
                shape.pieces += 1;
                let work = if rest.starts_with(['s', 'S']) { WIDE } else { 1 };
                rest = after_escape(rest);
                (1, 1, work)
            }
            '*' | '+' => {
                shape.repeats = true;
                continue;
            }
            '{' => {
                shape.repeats = true;
                if let Some(here) = open.last_mut() {
                    here.repeat(number(rest), most(rest));
                }
                rest = rest.split_once('}').map_or("", |(_, rest)| rest);
                continue;
            }
            // Any character: that of JavaScript is translated into a class.
            '.' => (1, 1, WIDE),
            _ => (1, 1, 1),
        };
        if let Some(here) = open.last_mut() {
            here.push(parts, size, work);
        }
    }
    shape.parts = open.iter().fold(0, |sum, group| sum.saturating_add(group.parts));
    shape.work = open.iter().fold(0, |sum, group| sum.saturating_add(group.work));
    shape.size = open.iter().fold(0, |sum, group| sum.saturating_add(group.size));
    shape
}

/// The number at the beginning of `3,5}`.
fn number(times: &str) -> usize {
    let end = times.find(|char: char| !char.is_ascii_digit()).unwrap_or(times.len());
    // One that is no number is too large for one.
    times[..end].parse().unwrap_or(usize::MAX)
}

/// The larger number of `3,5}`; of `3,}` and `3}` the only one.
fn most(times: &str) -> usize {
    let (within, _) = times.split_once('}').unwrap_or((times, ""));
    match within.split_once(',') {
        Some((_, most)) if !most.is_empty() => number(most),
        _ => number(within),
    }
}

/// Of what stands between the brackets of a class.
fn work_of_class(text: &str) -> usize {
    let is_wide = text.starts_with('^')
        || !text.is_ascii()
        || [r"\s", r"\S", r"\x{", "[^"].iter().any(|wide| text.contains(wide));
    text.len() / CLASS_TEXT + if is_wide { WIDE } else { 1 }
}

/// How many characters a class has, of those that may have another case.
fn characters(text: &str) -> usize {
    // What is left of these within a class is nearly everything.
    if text.contains(r"\S") || text.contains("[^") {
        return CASED;
    }
    // Of the last character, and its number if it is known.
    let (mut count, mut last, mut is_range) = (0, None, false);
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        rest = &rest[char.len_utf8()..];
        let code = match char {
            '-' => {
                is_range = last.is_some();
                continue;
            }
            '\\' => {
                let escape = rest;
                rest = after_escape(rest);
                let digits = escape.strip_prefix("x{").and_then(|hex| hex.split_once('}'));
                digits.and_then(|(hex, _)| usize::from_str_radix(hex, 16).ok())
            }
            other => Some(u32::from(other) as usize),
        };
        count += match (last, code) {
            (Some(Some(first)), Some(code)) if is_range => CASED.min(code.saturating_sub(first)),
            (Some(None), _) if is_range => CASED,
            _ => 1,
        };
        (last, is_range) = (Some(code), false);
    }
    count.min(CASED)
}

fn after_class(mut rest: &str) -> &str {
    // Classes may stand in one another.
    let mut depth = 1;
    while let Some(char) = rest.chars().next() {
        rest = &rest[char.len_utf8()..];
        match char {
            '[' => depth += 1,
            ']' if depth == 1 => break,
            ']' => depth -= 1,
            '\\' => rest = after_escape(rest),
            _ => {}
        }
    }
    rest
}

/// What follows `x{2028}` or another character.
fn after_escape(rest: &str) -> &str {
    if let Some(number) = rest.strip_prefix("x{") {
        return number.split_once('}').map_or("", |(_, rest)| rest);
    }
    let mut chars = rest.chars();
    chars.next();
    chars.as_str()
}
