//! English numerals.

use crate::jsonata::error::{Result, error};

const FEW: [(&str, &str); 20] = [
    ("zero", "zeroth"),
    ("one", "first"),
    ("two", "second"),
    ("three", "third"),
    ("four", "fourth"),
    ("five", "fifth"),
    ("six", "sixth"),
    ("seven", "seventh"),
    ("eight", "eighth"),
    ("nine", "ninth"),
    ("ten", "tenth"),
    ("eleven", "eleventh"),
    ("twelve", "twelfth"),
    ("thirteen", "thirteenth"),
    ("fourteen", "fourteenth"),
    ("fifteen", "fifteenth"),
    ("sixteen", "sixteenth"),
    ("seventeen", "seventeenth"),
    ("eighteen", "eighteenth"),
    ("nineteen", "nineteenth"),
];
const TENS: [&str; 8] =
    ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const MAGNITUDES: [(&str, f64); 4] =
    [("thousand", 1e3), ("million", 1e6), ("billion", 1e9), ("trillion", 1e12)];

/// A whole number that is not negative, in title case: `One Hundred and Fifth`.
///
/// # Errors
///
/// For what is no number.
pub(super) fn written(number: f64, is_ordinal: bool) -> Result<String> {
    if !number.is_finite() {
        // 2.0.6 divides it for ever.
        return Err(error("Maximum call stack size exceeded"));
    }
    let mut text = String::new();
    write(number, is_ordinal, "", &mut text);
    Ok(text)
}

fn title(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    format!("{}{rest}", first.to_ascii_uppercase())
}

/// `joint` is whether something comes before it: a number below a hundred follows with "and", and a
/// larger one with a comma.
fn write(number: f64, is_ordinal: bool, joint: &str, text: &mut String) {
    let and = |text: &mut String, word| text.push_str(if joint.is_empty() { "" } else { word });
    if number < 20.0 {
        and(text, " and ");
        let (cardinal, ordinal) = FEW.get(number as usize).copied().unwrap_or_default();
        text.push_str(&title(if is_ordinal { ordinal } else { cardinal }));
    } else if number < 100.0 {
        and(text, " and ");
        let (tens, rest) = ((number / 10.0).floor(), number % 10.0);
        let word = title(TENS.get(tens as usize - 2).copied().unwrap_or_default());
        if rest > 0.0 {
            text.push_str(&word);
            text.push('-');
            write(rest, is_ordinal, "", text);
        } else if is_ordinal {
            text.push_str(word.trim_end_matches('y'));
            text.push_str("ieth");
        } else {
            text.push_str(&word);
        }
    } else {
        and(text, ", ");
        let hundred = ("hundred", 100.0);
        let below = |unit: &&(&str, f64)| unit.1 <= number;
        let (word, unit) = MAGNITUDES.iter().rev().find(below).copied().unwrap_or(hundred);
        let count = (number / unit).floor();
        let rest = number - count * unit;
        write(count, false, "", text);
        text.push(' ');
        text.push_str(&title(word));
        if rest > 0.0 {
            write(rest, is_ordinal, "and", text);
        } else if is_ordinal {
            text.push_str("th");
        }
    }
}

/// Every word that a numeral may be made of, in lower case, in the order in which 2.0.6 tries them,
/// with its value.
fn all() -> &'static [(String, f64)] {
    static WORDS: std::sync::OnceLock<Vec<(String, f64)>> = std::sync::OnceLock::new();
    WORDS.get_or_init(|| {
        let few = || FEW.iter().zip(0_u8..);
        let mut words: Vec<_> =
            few().map(|(word, value)| (word.0.to_owned(), f64::from(value))).collect();
        words.extend(few().map(|(word, value)| (word.1.to_owned(), f64::from(value))));
        // 2.0.6 makes an ordinal of "hundred" as of "twenty", and has the right one as well.
        for (word, value) in TENS.iter().chain(&["hundred"]).zip(2_u8..) {
            let value = f64::from(value) * 10.0;
            words.push(((*word).to_owned(), value));
            let stem = word.get(..word.len() - 1).unwrap_or_default();
            words.push((format!("{stem}ieth"), value));
        }
        words.push(("hundredth".to_owned(), 100.0));
        for (word, value) in MAGNITUDES {
            words.push((word.to_owned(), value));
            words.push((format!("{word}th"), value));
        }
        words
    })
}

/// The words of numerals in a text: where each ends that begins at a place.
pub(in super::super) struct Numerals(Vec<Vec<usize>>);

impl Numerals {
    pub(in super::super) fn of(text: &[char]) -> Self {
        let words = || all().iter().map(|word| &*word.0).chain(["and"]);
        let next = |at: usize| {
            let rest = text.get(at..).unwrap_or_default();
            let begins = |word: &&str| {
                let mut rest = rest.iter();
                word.chars().all(|char| rest.next().is_some_and(|c| c.eq_ignore_ascii_case(&char)))
            };
            let mut ends: Vec<_> = words().filter(begins).map(|word| at + word.len()).collect();
            if matches!(rest.first(), Some('-' | ',' | ' ')) {
                ends.push(at + 1);
            }
            ends
        };
        Self((0..=text.len()).map(next).collect())
    }

    /// Where a numeral may end that begins at `from`: words, "and", commas, hyphens and blanks in any
    /// number, in the order in which a regular expression of these tries them.
    pub(in super::super) fn ends(&self, from: usize) -> Vec<usize> {
        let mut seen = vec![false; self.0.len()];
        let mut ends = Vec::new();
        // What goes on comes before what ends here.
        let mut open = vec![(from, false)];
        while let Some((at, is_end)) = open.pop() {
            match seen.get_mut(at) {
                _ if is_end => ends.push(at),
                Some(seen) if !*seen => {
                    *seen = true;
                    if at > from {
                        open.push((at, true));
                    }
                    let next = self.0.get(at).map_or(&[][..], Vec::as_slice);
                    open.extend(next.iter().rev().map(|next| (*next, false)));
                }
                _ => {}
            }
        }
        ends
    }
}

/// The number of a numeral in lower case; `NaN` with a word that is none.
pub(super) fn number(text: &str) -> f64 {
    let mut segments = vec![0.0];
    for word in split(text) {
        let value = all().iter().find(|known| known.0 == word).map_or(f64::NAN, |known| known.1);
        let last = segments.pop().unwrap_or(0.0);
        if value < 100.0 {
            if last >= 1000.0 {
                segments.extend([last, value]);
            } else {
                segments.push(last + value);
            }
        } else {
            segments.push(last * value);
        }
    }
    segments.iter().sum()
}

/// Between words are a comma with a blank, "and" between blanks, or a blank, a hyphen or a backslash.
fn split(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(char) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at + char.len_utf8()..).unwrap_or_default();
        let blank =
            |text: &str| text.chars().next().filter(|c| is_blank(*c)).map_or(0, char::len_utf8);
        let after_and = rest.strip_prefix("and").map_or(0, blank);
        let more = match char {
            ',' => Some(blank(rest)).filter(|length| *length > 0),
            _ if is_blank(char) && after_and > 0 => Some("and".len() + after_and),
            '-' | '\\' => Some(0),
            _ if is_blank(char) => Some(0),
            _ => None,
        };
        let end = at + char.len_utf8() + more.unwrap_or(0);
        if more.is_some() {
            words.push(text.get(start..at).unwrap_or_default());
            start = end;
        }
        at = end;
    }
    words.push(text.get(start..).unwrap_or_default());
    words
}

/// JavaScript's `\s`.
pub(in super::super) fn is_blank(char: char) -> bool {
    (char.is_whitespace() && char != '\u{85}') || char == '\u{feff}'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numeral_is_written_and_read_again() {
        for number in [0.0, 7.0, 19.0, 20.0, 99.0, 100.0, 101.0, 1000.0, 1115.0, 1e6, 123_456_789.0]
        {
            for is_ordinal in [false, true] {
                let text = written(number, is_ordinal).unwrap();
                assert_eq!(super::number(&text.to_lowercase()), number, "{text}");
            }
        }
        assert_eq!(written(1e21, false).unwrap(), "One Billion Trillion");
        assert_eq!(written(2_000_120.0, true).unwrap(), "Two Million, One Hundred and Twentieth");
    }

    #[test]
    fn words_that_are_no_numeral_are_no_number() {
        for text in ["", "five and", "fivesix", "hundred, and five"] {
            assert!(number(text).is_nan(), "{text}");
        }
    }
}
