//! Texts, words, numbers and lists of them.

use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::{Found, Section};
use crate::check::similar;

/// Characters of a text that is spoken.
const MAX_SPOKEN: usize = 1000;

impl Section<'_, '_> {
    /// A text.
    pub(in crate::check) fn text(&self, key: &'static str) -> Option<Found<String>> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::String(text) if text.trim().is_empty() => {
                self.reader.add(value.span().start, format!("`{key}` must not be empty"));
                None
            }
            DeValue::String(text) => {
                Some(Found { value: text.to_string(), at: value.span().start })
            }
            _ => {
                self.wrong_type(key, "a text in quotes", value);
                None
            }
        }
    }

    /// A text that is spoken, as long as that of a `Speak`.
    pub(in crate::check) fn spoken(&self, key: &'static str) -> Option<String> {
        self.speakable(key, self.text(key)?)
    }

    /// The same, where an empty one says nothing.
    pub(in crate::check) fn spoken_or_nothing(&self, key: &'static str) -> Option<String> {
        self.speakable(key, self.any_text(key)?)
    }

    fn speakable(&self, key: &'static str, text: Found<String>) -> Option<String> {
        let good = text.value.chars().count() <= MAX_SPOKEN;
        if !good {
            let message = format!("`{key}` must not be longer than {MAX_SPOKEN} characters");
            self.reader.add(text.at, message);
        }
        good.then_some(text.value)
    }

    /// A text that may be empty.
    pub(in crate::check) fn any_text(&self, key: &'static str) -> Option<Found<String>> {
        let empty = |v: &Spanned<DeValue<'_>>| v.get_ref().as_str() == Some("");
        match self.value(key) {
            Some(value) if empty(value) => {
                Some(Found { value: String::new(), at: value.span().start })
            }
            _ => self.text(key),
        }
    }

    /// A text that has a meaning.
    pub(in crate::check) fn parsed<T: FromStr<Err: Display>>(
        &self,
        key: &'static str,
    ) -> Option<Found<T>> {
        let text = self.text(key)?;
        self.understand(key, &text)
    }

    fn understand<T: FromStr<Err: Display>>(
        &self,
        key: &str,
        text: &Found<String>,
    ) -> Option<Found<T>> {
        match text.value.parse() {
            Ok(value) => Some(Found { value, at: text.at }),
            Err(error) => {
                let message =
                    format!("`{key}`: \"{}\" {}", text.value, predicate(&error.to_string()));
                self.reader.add(text.at, message);
                None
            }
        }
    }

    /// One of a few words.
    pub(in crate::check) fn word<T: Copy>(
        &self,
        key: &'static str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(key)?;
        let found = self.pick(key, &text, words);
        found.map(|found| found.value)
    }

    fn pick<T: Copy>(
        &self,
        key: &str,
        text: &Found<String>,
        words: &[(&str, T)],
    ) -> Option<Found<T>> {
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
            return Some(Found { value: *value, at: text.at });
        }
        let all: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        let message = format!("`{key}` must be {}, not \"{}\"", all.join(" or "), text.value);
        match similar(&text.value, words.iter().map(|(word, _)| *word)) {
            Some(word) => {
                self.reader.suggest(text.at, message, format!("did you mean \"{word}\"?"));
            }
            None => self.reader.add(text.at, message),
        }
        None
    }

    /// A list of words, each of a few.
    pub(in crate::check) fn words<T: Copy>(
        &self,
        key: &'static str,
        words: &[(&str, T)],
    ) -> Option<Vec<Found<T>>> {
        let texts = self.texts(key)?;
        Some(texts.iter().filter_map(|text| self.pick(key, text, words)).collect())
    }

    /// `true` or `false`.
    pub(in crate::check) fn flag(&self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(key, "true or false", value);
        }
        flag
    }

    /// A whole number within bounds.
    pub(in crate::check) fn number(
        &self,
        key: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<u64> {
        let value = self.value(key)?;
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(key, "a whole number", value);
            return None;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        match number.filter(|number| range.contains(number)) {
            Some(number) => Some(number),
            None => {
                let (low, high) = range.into_inner();
                let message = format!("`{key}` must be from {low} to {high}, not {integer}");
                self.reader.add(value.span().start, message);
                None
            }
        }
    }

    /// [`Section::number`] for sizes.
    pub(in crate::check) fn count(
        &self,
        key: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<usize> {
        self.number(key, range).and_then(|number| usize::try_from(number).ok())
    }

    /// Seconds.
    pub(in crate::check) fn seconds(
        &self,
        key: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<Duration> {
        self.number(key, range).map(Duration::from_secs)
    }

    /// Milliseconds.
    pub(in crate::check) fn millis(
        &self,
        key: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<Duration> {
        self.number(key, range).map(Duration::from_millis)
    }

    /// Seconds, where 0 means never: `Some(None)`.
    pub(in crate::check) fn seconds_or_never(
        &self,
        key: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<Option<Duration>> {
        let written = self.table.and_then(|t| t.get(key)).and_then(|v| v.get_ref().as_integer());
        if written.is_some_and(|integer| integer.as_str() == "0") {
            self.known.borrow_mut().push(key);
            return Some(None);
        }
        self.seconds(key, range).map(Some)
    }

    /// A list of texts.
    pub(in crate::check) fn texts(&self, key: &'static str) -> Option<Vec<Found<String>>> {
        let value = self.value(key)?;
        let Some(list) = value.get_ref().as_array() else {
            self.wrong_type(key, "a list of texts", value);
            return None;
        };
        let mut texts = Vec::with_capacity(list.len());
        for item in list {
            let at = item.span().start;
            match item.get_ref().as_str() {
                Some(text) if !text.trim().is_empty() => {
                    texts.push(Found { value: text.to_owned(), at });
                }
                Some(_) => self.reader.add(at, format!("`{key}` must not hold an empty text")),
                None => self.wrong_type(&format!("{key}[…]"), "a text in quotes", item),
            }
        }
        Some(texts)
    }

    /// A table of texts, each by its name.
    pub(in crate::check) fn texts_by_name(
        &self,
        key: &'static str,
    ) -> Vec<(String, Found<String>)> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(key, "a table", value);
            return Vec::new();
        };
        let mut texts = Vec::with_capacity(table.len());
        for (name, value) in table {
            match value.get_ref().as_str() {
                Some(text) => {
                    let text = Found { value: text.to_owned(), at: value.span().start };
                    texts.push((name.get_ref().to_string(), text));
                }
                None => {
                    let message = format!("`{key}`: {} must be a text in quotes", name.get_ref());
                    self.reader.add(value.span().start, message);
                }
            }
        }
        texts
    }

    /// A list of texts that have a meaning.
    pub(in crate::check) fn parsed_list<T: FromStr<Err: Display>>(
        &self,
        key: &'static str,
    ) -> Option<Vec<T>> {
        let texts = self.texts(key)?;
        let understood = texts.iter().filter_map(|text| self.understand(key, text));
        Some(understood.map(|found| found.value).collect())
    }

    /// An IP address.
    pub(in crate::check) fn ip(&self, key: &'static str) -> Option<IpAddr> {
        let text = self.text(key)?;
        let ip = text.value.parse().ok();
        if ip.is_none() {
            let message = format!("`{key}`: \"{}\" is no IPv4 or IPv6 address", text.value);
            self.reader.add(text.at, message);
        }
        ip
    }
}

/// Makes an error's text follow the quoted value: `"x" is …`, `"x" must …`.
fn predicate(error: &str) -> String {
    let verbs = ["is ", "must ", "has ", "may ", "lacks ", "takes "];
    if verbs.iter().any(|verb| error.starts_with(verb)) {
        error.to_owned()
    } else {
        format!("is not right: {error}")
    }
}
