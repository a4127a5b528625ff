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
}

/// The shape of a translated pattern. What is no pattern has some shape as well.
pub(super) fn shape(pattern: &str) -> Shape {
    let mut shape = Shape::default();
    // The parts of each group that is open, and the last part of each.
    let mut open = vec![(0_usize, 0_usize)];
    let mut rest = pattern;
    while let Some(char) = rest.chars().next() {
        rest = &rest[char.len_utf8()..];
        let part = match char {
            '(' => {
                shape.looks |= ["?=", "?!", "?<=", "?<!"].iter().any(|look| rest.starts_with(look));
                open.push((0, 0));
                continue;
            }
            ')' if open.len() > 1 => open.pop().map_or(1, |(parts, _)| parts.max(1)),
            '[' => {
                rest = after_class(rest);
                1
            }
            '\\' => {
                shape.looks |= rest.starts_with(|c: char| matches!(c, '1'..='9' | 'k'));
                rest = after_escape(rest);
                1
            }
            '*' | '+' => {
                shape.repeats = true;
                continue;
            }
            '{' => {
                shape.repeats = true;
                if let Some((parts, last)) = open.last_mut() {
                    let more = last.saturating_mul(least(rest).max(1) - 1);
                    *last = last.saturating_add(more);
                    *parts = parts.saturating_add(more);
                }
                rest = rest.split_once('}').map_or("", |(_, rest)| rest);
                continue;
            }
            _ => 1,
        };
        if let Some((parts, last)) = open.last_mut() {
            *last = part;
            *parts = parts.saturating_add(part);
        }
    }
    shape.parts = open.iter().fold(0, |sum, (parts, _)| sum.saturating_add(*parts));
    shape
}

/// The smaller number of `3,5}`.
fn least(times: &str) -> usize {
    let end = times.find(|char: char| !char.is_ascii_digit()).unwrap_or(times.len());
    // One that is no number is too large for one.
    times[..end].parse().unwrap_or(usize::MAX)
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
