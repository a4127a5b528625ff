//! Reading a TOML table key by key. What is wrong is noted and reading goes on with a default.

use std::cell::RefCell;
use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Surroundings, similar};
use crate::problem::Problems;
use crate::secret::Secret;

/// What all sections of one file share.
pub(super) struct Reader<'a> {
    pub(super) problems: RefCell<Problems<'a>>,
    pub(super) folder: &'a Path,
    pub(super) around: &'a dyn Surroundings,
    /// TOML itself was broken: what seems missing may only be unreadable.
    pub(super) broken: bool,
}

impl Reader<'_> {
    pub(super) fn add(&self, at: usize, message: impl Into<String>) {
        self.problems.borrow_mut().add(at, message);
    }

    pub(super) fn suggest(
        &self,
        at: usize,
        message: impl Into<String>,
        suggestion: impl Into<String>,
    ) {
        self.problems.borrow_mut().suggest(at, message, suggestion);
    }

    pub(super) fn line(&self, at: usize) -> String {
        self.problems.borrow().line(at)
    }

    /// Relative paths are relative to the configuration file.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }
}

/// A value and the byte offset where it stands.
#[derive(Clone, Debug)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) at: usize,
}

/// One table of the file, or none of that name (then every key is absent).
pub(super) struct Section<'d, 'i> {
    pub(super) reader: &'d Reader<'d>,
    /// As the operator writes it: `[server]`.
    label: &'static str,
    /// Offset of the table's header.
    pub(super) start: usize,
    table: Option<&'d DeTable<'i>>,
    known: RefCell<Vec<&'static str>>,
}

impl<'d, 'i> Section<'d, 'i> {
    pub(super) fn new(
        reader: &'d Reader<'d>,
        label: &'static str,
        start: usize,
        table: Option<&'d DeTable<'i>>,
    ) -> Self {
        Self { reader, label, start, table, known: RefCell::new(Vec::with_capacity(16)) }
    }

    fn value(&self, key: &'static str) -> Option<&'d Spanned<DeValue<'i>>> {
        self.known.borrow_mut().push(key);
        self.table?.get(key)
    }

    /// Whether the key is written.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Where a key's value stands, or the table's header when it is absent.
    pub(super) fn at(&self, key: &str) -> usize {
        self.table.and_then(|t| t.get(key)).map_or(self.start, |value| value.span().start)
    }

    /// Where the element of a list stands.
    pub(super) fn at_item(&self, key: &str, index: usize) -> usize {
        let value = self.table.and_then(|t| t.get(key));
        let item = value.and_then(|v| v.get_ref().as_array()).and_then(|list| list.get(index));
        item.map_or_else(|| self.at(key), |item| item.span().start)
    }

    /// Notes that a key is needed.
    pub(super) fn missing(&self, key: &str, example: &str) {
        if !self.reader.broken {
            let message = format!("{} needs `{key}`", self.label);
            self.reader.suggest(self.start, message, format!("for example: {key} = {example}"));
        }
    }

    fn wrong_type(&self, key: &str, wanted: &str, value: &Spanned<DeValue<'_>>) {
        let got = match value.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a point",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.reader.add(value.span().start, format!("`{key}` must be {wanted}, not {got}"));
    }

    /// A text.
    pub(super) fn text(&self, key: &'static str) -> Option<Found<String>> {
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

    /// A text that may be empty.
    pub(super) fn any_text(&self, key: &'static str) -> Option<Found<String>> {
        let empty = |v: &Spanned<DeValue<'_>>| v.get_ref().as_str() == Some("");
        match self.value(key) {
            Some(value) if empty(value) => {
                Some(Found { value: String::new(), at: value.span().start })
            }
            _ => self.text(key),
        }
    }

    /// A text that has a meaning.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&self, key: &'static str) -> Option<Found<T>> {
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
    pub(super) fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
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
    pub(super) fn words<T: Copy>(
        &self,
        key: &'static str,
        words: &[(&str, T)],
    ) -> Option<Vec<Found<T>>> {
        let texts = self.texts(key)?;
        Some(texts.iter().filter_map(|text| self.pick(key, text, words)).collect())
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(key, "true or false", value);
        }
        flag
    }

    /// A whole number within bounds.
    pub(super) fn number(&self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
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
    pub(super) fn count(&self, key: &'static str, range: RangeInclusive<u64>) -> Option<usize> {
        self.number(key, range).and_then(|number| usize::try_from(number).ok())
    }

    /// Seconds.
    pub(super) fn seconds(
        &self,
        key: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<Duration> {
        self.number(key, range).map(Duration::from_secs)
    }

    /// Milliseconds.
    pub(super) fn millis(&self, key: &'static str, range: RangeInclusive<u64>) -> Option<Duration> {
        self.number(key, range).map(Duration::from_millis)
    }

    /// Seconds, where 0 means never: `Some(None)`.
    pub(super) fn seconds_or_never(
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
    pub(super) fn texts(&self, key: &'static str) -> Option<Vec<Found<String>>> {
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

    /// A list of texts that have a meaning.
    pub(super) fn parsed_list<T: FromStr<Err: Display>>(
        &self,
        key: &'static str,
    ) -> Option<Vec<T>> {
        let texts = self.texts(key)?;
        let understood = texts.iter().filter_map(|text| self.understand(key, text));
        Some(understood.map(|found| found.value).collect())
    }

    /// An IP address.
    pub(super) fn ip(&self, key: &'static str) -> Option<IpAddr> {
        let text = self.text(key)?;
        let ip = text.value.parse().ok();
        if ip.is_none() {
            let message = format!("`{key}`: \"{}\" is no IPv4 or IPv6 address", text.value);
            self.reader.add(text.at, message);
        }
        ip
    }

    /// A path, relative to the configuration file.
    pub(super) fn path(&self, key: &'static str) -> Option<PathBuf> {
        self.text(key).map(|text| self.reader.resolve(&text.value))
    }

    /// The path of a file that must be there.
    pub(super) fn file(&self, key: &'static str) -> Option<PathBuf> {
        let text = self.text(key)?;
        Some(self.existing(key, &text))
    }

    /// Paths of files that must be there.
    pub(super) fn files(&self, key: &'static str) -> Option<Vec<PathBuf>> {
        let texts = self.texts(key)?;
        Some(texts.iter().map(|text| self.existing(key, text)).collect())
    }

    fn existing(&self, key: &str, text: &Found<String>) -> PathBuf {
        let path = self.reader.resolve(&text.value);
        if !self.reader.around.is_file(&path) {
            let message = format!("`{key}`: there is no file {}", path.display());
            self.reader.add(text.at, message);
        }
        path
    }

    /// A secret given as `NAME`, `NAME_file` or `NAME_env` (three keys in this order).
    pub(super) fn secret(&self, keys: [&'static str; 3]) -> Option<Secret> {
        let [plain, file, env] = keys;
        let given: Vec<&str> = keys.into_iter().filter(|key| self.has(key)).collect();
        if let [_, second, ..] = given.as_slice() {
            let message = format!("only one of `{plain}`, `{file}` and `{env}` may be given");
            self.reader.add(self.at(second), message);
        }
        let plain = self.text(plain).map(|text| Secret::new(text.value));
        let file = self.text(file).and_then(|text| self.secret_from_file(file, &text));
        let env = self.text(env).and_then(|text| {
            let value = self.reader.around.env(&text.value).filter(|value| !value.is_empty());
            if value.is_none() {
                let message = format!("`{env}`: the environment has no variable {}", text.value);
                self.reader.add(text.at, message);
            }
            value.map(Secret::new)
        });
        plain.or(file).or(env)
    }

    fn secret_from_file(&self, key: &str, text: &Found<String>) -> Option<Secret> {
        let path = self.reader.resolve(&text.value);
        let problem = match self.reader.around.read(&path) {
            // An editor ends the last line; a password does not end in a line break.
            Ok(content) => match content.trim_end_matches(['\r', '\n']) {
                "" => "is empty".to_owned(),
                secret => return Some(Secret::new(secret)),
            },
            Err(error) => format!("cannot be read: {error}"),
        };
        self.reader.add(text.at, format!("`{key}`: the file {} {problem}", path.display()));
        None
    }

    /// A table inside, by name; empty when absent.
    pub(super) fn table(&self, key: &'static str, label: &'static str) -> Section<'d, 'i> {
        let value = self.value(key);
        let table = value.and_then(|value| {
            let table = value.get_ref().as_table();
            if table.is_none() {
                let at = value.span().start;
                let message = format!("`{key}` is one section");
                self.reader.suggest(at, message, format!("write {label} once, in single brackets"));
            }
            table
        });
        let start = value.map_or(self.start, |value| value.span().start);
        Section::new(self.reader, label, start, table)
    }

    /// The tables of a list, `None` when the list is absent.
    pub(super) fn tables(
        &self,
        key: &'static str,
        label: &'static str,
    ) -> Option<Vec<Section<'d, 'i>>> {
        let value = self.value(key)?;
        let Some(list) = value.get_ref().as_array() else {
            let message = format!("`{key}` is a list of sections");
            let suggestion = format!("write {label}, in double brackets, once for each");
            self.reader.suggest(value.span().start, message, suggestion);
            return None;
        };
        let mut sections = Vec::with_capacity(list.len());
        for item in list {
            match item.get_ref().as_table() {
                Some(table) => {
                    let start = item.span().start;
                    sections.push(Section::new(self.reader, label, start, Some(table)));
                }
                None => self.wrong_type(key, "a list of sections", item),
            }
        }
        Some(sections)
    }

    /// Notes every key that nothing asked for. Call it when all known keys were asked for.
    pub(super) fn finish(&self) {
        let known = self.known.borrow();
        for (key, _) in self.table.into_iter().flatten() {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            let message = match self.label {
                "" => format!("there is no section `{name}`"),
                label => format!("{label} has no key `{name}`"),
            };
            match similar(name, known.iter().copied()) {
                Some(other) => {
                    let suggestion = format!("did you mean `{other}`?");
                    self.reader.suggest(key.span().start, message, suggestion);
                }
                None => {
                    let mut all: Vec<&str> = known.clone();
                    all.sort_unstable();
                    all.dedup();
                    let suggestion = format!("known here: {}", all.join(", "));
                    self.reader.suggest(key.span().start, message, suggestion);
                }
            }
        }
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
