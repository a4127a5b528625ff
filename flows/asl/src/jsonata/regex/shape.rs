//! What can be said of a pattern before it is compiled.

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
    /// How many groups, look-arounds and escapes it has: no fewer than what is compiled on its own.
    pub(super) pieces: usize,
}

/// Parts of a group, and the last of them: how many there are, and how many are gone through.
#[derive(Clone, Copy, Default)]
struct Open {
    parts: usize,
    last: usize,
    size: usize,
    last_size: usize,
}

impl Open {
    fn push(&mut self, parts: usize, size: usize) {
        (self.last, self.last_size) = (parts, size);
        self.parts = self.parts.saturating_add(parts);
        self.size = self.size.saturating_add(size);
    }

    /// The last part comes `least` to `most` times.
    fn repeat(&mut self, least: usize, most: usize) {
        let more = self.last.saturating_mul(least.max(1) - 1);
        self.last = self.last.saturating_add(more);
        self.parts = self.parts.saturating_add(more);
        let more = self.last_size.saturating_mul(most.max(1) - 1);
        self.last_size = self.last_size.saturating_add(more);
        self.size = self.size.saturating_add(more);
    }
}

/// The shape of a translated pattern. What is no pattern has some shape as well.
pub(super) fn shape(pattern: &str) -> Shape {
    let mut shape = Shape::default();
    let mut open = vec![Open::default()];
    let mut rest = pattern;
    while let Some(char) = rest.chars().next() {
        rest = &rest[char.len_utf8()..];
        let (parts, size) = match char {
            '(' => {
                shape.looks |= ["?=", "?!", "?<=", "?<!"].iter().any(|look| rest.starts_with(look));
                shape.pieces += 1;
                open.push(Open::default());
                continue;
            }
            ')' if open.len() > 1 => {
                open.pop().map_or((1, 1), |inner| (inner.parts.max(1), inner.size.max(1)))
            }
            '[' => {
                rest = after_class(rest);
                (1, 1)
            }
            '\\' => {
                shape.looks |= rest.starts_with(|c: char| matches!(c, '1'..='9' | 'k'));
                shape.pieces += 1;
                rest = after_escape(rest);
                (1, 1)
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
            _ => (1, 1),
        };
        if let Some(here) = open.last_mut() {
            here.push(parts, size);
        }
    }
    shape.parts = open.iter().fold(0, |sum, group| sum.saturating_add(group.parts));
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

fn after_class(mut rest: &str) -> &str {
    while let Some(char) = rest.chars().next() {
        rest = &rest[char.len_utf8()..];
        match char {
            ']' => break,
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
