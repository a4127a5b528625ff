//! The parts of a sub-picture, and the rules for them.

use super::super::coded;
use crate::jsonata::error::Error;
use crate::jsonata::error::{Result, mismatch};
use crate::jsonata::value::Value;

pub(super) const DECIMAL_SEPARATOR: usize = 0;
pub(super) const GROUPING_SEPARATOR: usize = 1;
pub(super) const EXPONENT_SEPARATOR: usize = 2;
pub(super) const MINUS_SIGN: usize = 3;
pub(super) const PERCENT: usize = 4;
pub(super) const PER_MILLE: usize = 5;
pub(super) const ZERO_DIGIT: usize = 6;
pub(super) const DIGIT: usize = 7;
pub(super) const PATTERN_SEPARATOR: usize = 8;

const NAMES: [(&str, &str); 9] = [
    ("decimal-separator", "."),
    ("grouping-separator", ","),
    ("exponent-separator", "e"),
    ("minus-sign", "-"),
    ("percent", "%"),
    ("per-mille", "\u{2030}"),
    ("zero-digit", "0"),
    ("digit", "#"),
    ("pattern-separator", ";"),
];

/// What stands for what, in pictures and in what is written.
pub(super) struct Signs {
    texts: [String; 9],
    zero: u32,
}

impl Signs {
    pub(super) fn of(options: &Value) -> Result<Self> {
        let mut texts = NAMES.map(|(_, usual)| usual.to_owned());
        match options {
            Value::Undefined => {}
            Value::Object(members) => {
                for (text, (name, _)) in texts.iter_mut().zip(NAMES) {
                    match members.get(name) {
                        None => {}
                        Some(Value::Text(given)) => *text = given.to_string(),
                        Some(_) => return Err(mismatch(3)),
                    }
                }
            }
            _ => return Err(mismatch(3)),
        }
        let zero = texts[ZERO_DIGIT].chars().next().ok_or_else(|| mismatch(3))?;
        Ok(Self { texts, zero: u32::from(zero) })
    }

    pub(super) fn text(&self, sign: usize) -> &str {
        self.texts.get(sign).map_or("", String::as_str)
    }

    pub(super) fn is(&self, sign: usize, char: char) -> bool {
        let mut chars = self.text(sign).chars();
        chars.next() == Some(char) && chars.next().is_none()
    }

    pub(super) fn is_digit(&self, char: char) -> bool {
        (self.zero..self.zero.saturating_add(10)).contains(&u32::from(char))
    }

    /// A digit, whether it must be there or not.
    fn is_place(&self, char: char) -> bool {
        self.is_digit(char) || self.is(DIGIT, char)
    }

    fn is_active(&self, char: char) -> bool {
        let separators =
            [DECIMAL_SEPARATOR, EXPONENT_SEPARATOR, GROUPING_SEPARATOR, PATTERN_SEPARATOR];
        self.is_place(char) || separators.iter().any(|sign| self.is(*sign, char))
    }

    pub(super) fn digits(&self, decimal: &str) -> String {
        let written = |char: char| match char.to_digit(10) {
            Some(digit) => char::from_u32(self.zero.saturating_add(digit)).unwrap_or(char),
            None => char,
        };
        decimal.chars().map(written).collect()
    }

    pub(super) fn places(&self, part: &[char]) -> usize {
        part.iter().filter(|char| self.is_place(**char)).count()
    }

    pub(super) fn mandatory(&self, part: &[char]) -> usize {
        part.iter().filter(|char| self.is_digit(**char)).count()
    }
}

/// A sub-picture in its parts.
pub(super) struct Parts {
    pub(super) whole: Vec<char>,
    pub(super) prefix: String,
    pub(super) suffix: String,
    pub(super) active: Vec<char>,
    pub(super) mantissa: Vec<char>,
    pub(super) integer: Vec<char>,
    pub(super) fraction: Vec<char>,
    pub(super) exponent: Option<Vec<char>>,
}

impl Parts {
    pub(super) fn of(picture: &str, signs: &Signs) -> Result<Self> {
        let whole: Vec<char> = picture.chars().collect();
        let starts = |char: &char| signs.is_active(*char) && !signs.is(EXPONENT_SEPARATOR, *char);
        // Of what has no sign at all AWS says that it is passive (measured for floci, issue 2737).
        let none = || wrong(if whole.is_empty() { "D3085" } else { "D3086" });
        let first = whole.iter().position(starts).ok_or_else(none)?;
        let last = whole.iter().rposition(starts).unwrap_or(first);
        let (prefix, rest) = whole.split_at(first);
        let (active, suffix) = rest.split_at((last + 1 - first).min(rest.len()));
        // 2.0.6 counts the exponent's place from the beginning of the prefix.
        let separator =
            |at: &usize| whole.get(*at).is_some_and(|char| signs.is(EXPONENT_SEPARATOR, *char));
        let at = (first..=last + 1).find(separator);
        let exponent = at.map(|at| active.get(at + 1..).unwrap_or_default());
        let mantissa = at.and_then(|at| active.get(..at)).unwrap_or(active);
        let point = mantissa.iter().position(|char| signs.is(DECIMAL_SEPARATOR, *char));
        let (integer, fraction) = match point.and_then(|point| mantissa.split_at_checked(point)) {
            Some((integer, fraction)) => (integer, fraction.get(1..).unwrap_or_default()),
            None => (mantissa, suffix),
        };
        Ok(Self {
            prefix: prefix.iter().collect(),
            suffix: suffix.iter().collect(),
            active: active.to_vec(),
            mantissa: mantissa.to_vec(),
            integer: integer.to_vec(),
            fraction: fraction.to_vec(),
            exponent: exponent.map(<[char]>::to_vec),
            whole,
        })
    }

    /// How often a sign is in it, which may be several characters: 2 stands for more as well.
    pub(super) fn count(&self, sign: usize, signs: &Signs) -> usize {
        let whole: String = self.whole.iter().collect();
        let found = (whole.find(signs.text(sign)), whole.rfind(signs.text(sign)));
        match found {
            (Some(first), Some(last)) if first != last => 2,
            (Some(_), _) => 1,
            (None, _) => 0,
        }
    }

    /// The last rule that is broken is the one that is told.
    pub(super) fn validate(&self, signs: &Signs) -> std::result::Result<(), &'static str> {
        let count = |sign| self.count(sign, signs);
        let (percents, per_milles) = (count(PERCENT), count(PER_MILLE));
        let is_digit = |char: &char| signs.is_digit(*char);
        let is_optional = |char: &char| signs.is(DIGIT, *char);
        let is_separator = |at: Option<usize>| {
            let char = at.and_then(|at| self.whole.get(at));
            char.is_some_and(|char| signs.is(GROUPING_SEPARATOR, *char))
        };
        let point = self.whole.iter().position(|char| signs.is(DECIMAL_SEPARATOR, *char));
        let beside = |at: usize| is_separator(at.checked_sub(1)) || is_separator(Some(at + 1));
        let ends_integer =
            self.integer.last().is_some_and(|char| signs.is(GROUPING_SEPARATOR, *char));
        let is_double = |pair: &[char]| pair.iter().all(|char| signs.is(GROUPING_SEPARATOR, *char));
        let optional_after = |part: &[char]| {
            let at = part.iter().position(is_optional).unwrap_or(0);
            part.iter().take(at).any(is_digit)
        };
        let mandatory_after = |part: &[char]| {
            let at = part.iter().rposition(is_optional).unwrap_or(part.len());
            part.iter().skip(at).any(is_digit)
        };
        let has_exponent = self.exponent.as_ref().is_some_and(|exponent| !exponent.is_empty());
        let is_bad_exponent = self
            .exponent
            .as_ref()
            .is_some_and(|exponent| exponent.is_empty() || !exponent.iter().all(is_digit));
        let rules = [
            ("D3093", is_bad_exponent),
            ("D3092", has_exponent && percents + per_milles > 0),
            ("D3091", mandatory_after(&self.fraction)),
            ("D3090", optional_after(&self.integer)),
            ("D3089", self.whole.windows(2).any(is_double)),
            ("D3088", point.is_none() && ends_integer),
            ("D3087", point.is_some_and(beside)),
            ("D3086", !self.active.iter().all(|char| signs.is_active(*char))),
            ("D3085", signs.places(&self.mantissa) == 0),
            ("D3084", percents > 0 && per_milles > 0),
            ("D3083", per_milles > 1),
            ("D3082", percents > 1),
            ("D3081", count(DECIMAL_SEPARATOR) > 1),
        ];
        rules.iter().find(|rule| rule.1).map_or(Ok(()), |rule| Err(rule.0))
    }
}

/// A rule of pictures that is broken, in the words of JSONata.
pub(super) fn wrong(code: &'static str) -> Error {
    let words = match code {
        "D3080" => "The picture string must only contain a maximum of two sub-pictures",
        "D3081" => {
            "The sub-picture must not contain more than one instance of the 'decimal-separator' \
             character"
        }
        "D3082" => {
            "The sub-picture must not contain more than one instance of the 'percent' character"
        }
        "D3083" => {
            "The sub-picture must not contain more than one instance of the 'per-mille' character"
        }
        "D3084" => "The sub-picture must not contain both a 'percent' and a 'per-mille' character",
        "D3086" => {
            "The sub-picture must not contain a passive character that is preceded by an active \
             character and that is followed by another active character"
        }
        "D3087" => {
            "The sub-picture must not contain a 'grouping-separator' character that appears \
             adjacent to a 'decimal-separator' character"
        }
        "D3088" => {
            "The sub-picture must not contain a 'grouping-separator' at the end of the integer part"
        }
        "D3089" => {
            "The sub-picture must not contain two adjacent instances of the 'grouping-separator' \
             character"
        }
        "D3090" => {
            "The integer part of the sub-picture must not contain a member of the 'decimal digit \
             family' that is followed by an instance of the 'optional digit character'"
        }
        "D3091" => {
            "The fractional part of the sub-picture must not contain an instance of the 'optional \
             digit character' that is followed by a member of the 'decimal digit family'"
        }
        "D3092" => {
            "A sub-picture that contains a 'percent' or 'per-mille' character must not contain a \
             character treated as an 'exponent-separator'"
        }
        "D3093" => {
            "The exponent part of the sub-picture must comprise only of one or more characters \
             that are members of the 'decimal digit family'"
        }
        _ => {
            "The mantissa part of a sub-picture must contain at least one character that is either \
             an 'optional digit character' or a member of the 'decimal digit family'"
        }
    };
    coded(code, words)
}
