//! The parts of a time in a text.
//!
//! What a picture reads is a regular expression in 2.0.6: one part after the other, each as long as can
//! be, shorter where what follows would not match else. It is searched here part by part, and no part
//! twice from the same place.

use super::super::integer::Numerals;
use std::cell::OnceCell;

/// What finds one part.
pub(super) enum Finder {
    /// In any case.
    Literal(Vec<char>),
    /// Digits, that many at least and at most if it is said; then `st`, `nd`, `rd` or `th`.
    Digits(Option<(usize, usize)>, bool),
    /// Characters that these are, in any case.
    OneOf(fn(char) -> bool),
    /// Words of numerals, "and", and what is between.
    Words,
    /// `GMT` or not, a sign, digits, and digits after a separator.
    Zone(bool, Option<char>),
}

/// Where each part of `text` ends; `None` if it is not made of these parts.
pub(super) fn ends(text: &[char], finders: &[Finder]) -> Option<Vec<usize>> {
    let places = text.len() + 1;
    let numerals = OnceCell::new();
    let mut has_failed = vec![false; places * finders.len()];
    // What may still be tried of each part, the best last.
    let mut open: Vec<Vec<usize>> = Vec::new();
    let mut found: Vec<usize> = Vec::new();
    loop {
        let from = found.last().copied().unwrap_or(0);
        let depth = found.len();
        match finders.get(depth) {
            None if from == text.len() => return Some(found),
            Some(finder) if !has_failed.get(depth * places + from).copied().unwrap_or(true) => {
                let mut ends = finder.ends(text, from, &numerals);
                ends.reverse();
                open.push(ends);
            }
            _ => open.push(Vec::new()),
        }
        loop {
            let next = open.last_mut()?.pop();
            let depth = open.len() - 1;
            found.truncate(depth);
            if let Some(next) = next {
                found.push(next);
                break;
            }
            open.pop();
            let from = found.last().copied().unwrap_or(0);
            if let Some(failed) = has_failed.get_mut(depth * places + from) {
                *failed = true;
            }
        }
    }
}

impl Finder {
    /// Where the part may end that begins at `from`, the place that is tried first before the others.
    fn ends(&self, text: &[char], from: usize, numerals: &OnceCell<Numerals>) -> Vec<usize> {
        let rest = text.get(from..).unwrap_or_default();
        let run = |from: usize, is: &dyn Fn(char) -> bool| {
            let rest = text.get(from..).unwrap_or_default();
            from + rest.iter().take_while(|char| is(**char)).count()
        };
        let is_digit = |char: char| char.is_ascii_digit();
        match self {
            Self::Literal(literal) => {
                starts_with(rest, literal).then_some(from + literal.len()).into_iter().collect()
            }
            Self::Digits(width, is_ordinal) => {
                let (least, most) = width.unwrap_or((1, usize::MAX));
                let most = run(from, &is_digit).min(from.saturating_add(most));
                let ends = (from.saturating_add(least)..=most).rev();
                if !is_ordinal {
                    return ends.collect();
                }
                let suffixes = ["th", "st", "nd", "rd"].map(|s| s.chars().collect::<Vec<_>>());
                let is_suffix = |end: &usize| {
                    let rest = text.get(*end..).unwrap_or_default();
                    suffixes.iter().any(|suffix| starts_with(rest, suffix))
                };
                ends.filter(is_suffix).map(|end| end + 2).collect()
            }
            Self::OneOf(is) => (from + 1..=run(from, is)).rev().collect(),
            Self::Words => numerals.get_or_init(|| Numerals::of(text)).ends(from),
            Self::Zone(has_name, separator) => {
                let name = if *has_name { 3 } else { 0 };
                if *has_name && !starts_with(rest, &['g', 'm', 't']) {
                    return Vec::new();
                }
                let sign = from + name;
                if !matches!(text.get(sign), Some('-' | '+')) {
                    return Vec::new();
                }
                let firsts = (sign + 2..=run(sign + 1, &is_digit)).rev();
                let Some(separator) = separator else { return firsts.collect() };
                let separates = |char: char| match separator {
                    '.' => !matches!(char, '\n' | '\r' | '\u{2028}' | '\u{2029}'),
                    _ => same(char, *separator),
                };
                firsts
                    .filter(|end| text.get(*end).is_some_and(|char| separates(*char)))
                    .flat_map(|end| (end + 2..=run(end + 1, &is_digit)).rev())
                    .collect()
            }
        }
    }
}

fn starts_with(text: &[char], literal: &[char]) -> bool {
    text.len() >= literal.len() && text.iter().zip(literal).all(|(a, b)| same(*a, *b))
}

/// ECMA-262, `Canonicalize` without the flag `u`: upper case, if it is one UTF-16 unit, and none of
/// ASCII for another.
fn same(a: char, b: char) -> bool {
    fn canonical(char: char) -> char {
        let mut upper = char.to_uppercase();
        match (upper.next(), upper.next()) {
            (Some(one), None) if char.len_utf16() == 1 && (char.is_ascii() || !one.is_ascii()) => {
                one
            }
            _ => char,
        }
    }
    a == b || canonical(a) == canonical(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, finders: &[Finder]) -> Option<Vec<usize>> {
        ends(&text.chars().collect::<Vec<_>>(), finders)
    }

    #[test]
    fn a_part_is_as_long_as_what_follows_leaves_it() {
        let letters = || Finder::OneOf(|char| char.is_ascii_alphabetic());
        assert_eq!(found("abc", &[letters(), letters()]), Some(vec![2, 3]));
        assert_eq!(found("abc", &[letters(), Finder::Literal(vec!['B', 'c'])]), Some(vec![1, 3]));
        assert_eq!(found("abc", &[letters(), Finder::Literal(vec!['x'])]), None);
        assert_eq!(
            found("-0530", &[Finder::Zone(false, None), Finder::Digits(None, false)]),
            Some(vec![4, 5])
        );
    }

    #[test]
    fn a_text_that_matches_in_very_many_ways_up_to_its_end_is_soon_refused() {
        let mut finders: Vec<_> =
            (0..60).map(|_| Finder::OneOf(|char| char.is_ascii_alphabetic())).collect();
        finders.push(Finder::Literal(vec!['1']));
        assert_eq!(found(&"a".repeat(1000), &finders), None);
    }
}
