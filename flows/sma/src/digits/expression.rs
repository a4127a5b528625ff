//! `InputDigitsRegex`. One comes from outside, and is kept for the whole call: its size and its work
//! are bounded.

/// Bytes of a compiled expression.
const MOST_COMPILED: usize = 64 * 1024;
/// Bytes of each part that the other engine compiles on its own, which takes `\d` of all scripts.
const MOST_PART: usize = 256 * 1024;
/// Characters of one that looks around, which is what bounds the number of such parts.
const MOST_LOOKING: usize = 512;
/// How often one thing in it may have to come. There are 128 digits at most.
const MOST_TIMES: usize = 128;
/// How often a search may go back.
const MOST_STEPS: usize = 10_000;

#[derive(Debug)]
pub(super) enum Expression {
    Plain(regex_lite::Regex),
    /// With look-around or back-references, as `^(?!911)\d{3}$`.
    Looking(Box<fancy_regex::Regex>),
}

impl Expression {
    /// Nothing for one that is wrong or too large. Of those the first engine refuses, only one that
    /// looks around or refers back goes to the other, which would take a larger one.
    pub(super) fn new(text: &str) -> Option<Self> {
        if let Ok(regex) = regex_lite::RegexBuilder::new(text).size_limit(MOST_COMPILED).build() {
            return Some(Self::Plain(regex));
        }
        if text.chars().count() > MOST_LOOKING || !is_looking(text)? {
            return None;
        }
        fancy_regex::RegexBuilder::new(text)
            .delegate_size_limit(MOST_PART)
            .max_prog_size(4 * 1024)
            .backtrack_limit(MOST_STEPS)
            .build()
            .ok()
            .map(|regex| Self::Looking(Box::new(regex)))
    }

    pub(super) fn is_match(&self, digits: &str) -> bool {
        match self {
            Self::Plain(regex) => regex.is_match(digits),
            // One that goes back too often does not fit.
            Self::Looking(regex) => regex.is_match(digits).unwrap_or(false),
        }
    }
}

/// What a group that is open means for what is in it.
#[derive(Clone, Copy)]
struct Group {
    is_look: bool,
    /// How often what is in it has to come, at the most.
    times: usize,
}

/// Whether a pattern looks around or refers back; nothing if its search may go on without going
/// back, which is all the engine counts: with a look-around within another, whose alternatives are
/// forgotten, or with something that has to come more than 128 times.
fn is_looking(pattern: &str) -> Option<bool> {
    let (mut is_looking, mut open) = (false, Vec::new());
    let mut group = Group { is_look: false, times: 1 };
    let mut last = 1;
    let mut rest = pattern;
    while let Some(char) = rest.chars().next() {
        rest = &rest[char.len_utf8()..];
        match char {
            '\\' => {
                let escaped = rest.chars().next();
                is_looking |= escaped.is_some_and(|c| matches!(c, '1'..='9' | 'k'));
                rest = &rest[escaped.map_or(0, char::len_utf8)..];
                last = 1;
            }
            '[' => {
                rest = after_class(rest);
                last = 1;
            }
            '(' => {
                let is_look = ["?=", "?!", "?<=", "?<!"].iter().any(|look| rest.starts_with(look));
                if is_look && group.is_look {
                    return None;
                }
                is_looking |= is_look;
                open.push(group);
                group = Group { is_look: is_look || group.is_look, times: 1 };
                last = 1;
            }
            ')' => {
                last = group.times;
                group = open.pop()?;
            }
            '{' => {
                let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                if end > 0 {
                    let times: usize = rest[..end].parse().ok()?;
                    last = last.checked_mul(times.max(1)).filter(|times| *times <= MOST_TIMES)?;
                }
            }
            _ if "*+?}|".contains(char) => {}
            _ => last = 1,
        }
        group.times = group.times.max(last);
    }
    Some(is_looking)
}

/// What follows the `]`. The first character is one of the class.
fn after_class(rest: &str) -> &str {
    let rest = rest.strip_prefix('^').unwrap_or(rest);
    let mut is_escaped = false;
    for (at, char) in rest.char_indices() {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            ']' if at > 0 => return &rest[at + 1..],
            _ => {}
        }
    }
    ""
}
