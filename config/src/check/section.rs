//! Reading a TOML table key by key. What is wrong is noted and reading goes on with a default.

mod files;
mod values;

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Surroundings, similar};
use crate::problem::Problems;

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
        // Where TOML is broken, the parser puts something that stands nowhere: told already.
        let made_up = |value: &Spanned<DeValue<'_>>| self.reader.broken && value.span().is_empty();
        self.table?.get(key).filter(|value| !made_up(value))
    }

    /// Whether the key is written.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Whether the key is written as a list.
    pub(super) fn is_list(&self, key: &str) -> bool {
        let value = self.table.and_then(|table| table.get(key));
        value.is_some_and(|value| value.get_ref().is_array())
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
