//! The items of a file, or of all files of a list: CSV, JSON and JSON Lines as `ItemReader` reads them.

use super::ItemsFile;
use super::picking::{Picked, pick};
use super::state::{Entry, Source};
use crate::limits;
use crate::machine::model::Format;
use serde_json::{Map, Value};

/// Items, and the sources that they have of their own.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Found {
    pub(super) items: Vec<Entry>,
    pub(super) sources: Vec<String>,
}

impl From<Vec<Entry>> for Found {
    fn from(items: Vec<Entry>) -> Self {
        Self { items, sources: Vec::new() }
    }
}

/// The items of `text`. The error is the cause of `States.ItemReaderFailed`.
pub(super) fn read(text: &str, format: &Format, most: usize) -> Result<Vec<Entry>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let plain = |items: Vec<Value>| items.into_iter().map(Entry::plain).collect();
    let mut items: Vec<Entry> = match format {
        Format::Csv { headers, delimiter } => {
            plain(csv(text, headers.as_deref(), *delimiter, most)?)
        }
        Format::Json { pointer } => json(text, pointer.as_deref().unwrap_or_default(), most)?,
        Format::Jsonl => plain(lines(text, most)?),
        Format::Objects => json(text, "", most)?,
    };
    items.truncate(most);
    if items.len() > limits::READER_ITEMS {
        return Err(format!("The file has more than {} items.", limits::READER_ITEMS));
    }
    Ok(items)
}

/// The objects of a list as items.
pub(super) fn listed(mut items: Vec<Value>, most: usize) -> Result<Vec<Entry>, String> {
    items.truncate(most);
    if items.len() > limits::READER_ITEMS {
        return Err(format!("The list has more than {} objects.", limits::READER_ITEMS));
    }
    Ok(items.into_iter().map(Entry::plain).collect())
}

/// The items of all `files` of `bucket` (`s3://…`) one after another, each with its file as its source
/// (developer guide, "ItemReader (Map)" and "Context object data for Map states"). What is wrong in a
/// file behind the `most` that are wanted is not looked at. The sources count with the files' bytes, each
/// once.
pub(super) fn flatten(
    files: &[ItemsFile],
    is_whole: bool,
    format: &Format,
    most: usize,
    bucket: &str,
) -> Result<Found, String> {
    let mut found = Found::default();
    let mut bytes = 0;
    for file in files {
        let left = most.saturating_sub(found.items.len());
        if left == 0 {
            return Ok(found);
        }
        let source = format!("{bucket}/{}", file.key);
        let items = read(&file.text, format, left).map_err(|why| format!("{source}: {why}"))?;
        bytes += file.text.len() + source.len();
        if bytes > limits::READER_BYTES {
            return Err(format!(
                "The files, with their sources, have more than {} bytes.",
                limits::READER_BYTES
            ));
        }
        let at = found.sources.len();
        let own = |item| Entry { source: Some(Source::At(at)), ..item };
        found.items.extend(items.into_iter().map(own));
        found.sources.push(source);
        if found.items.len() > limits::READER_ITEMS {
            return Err(format!("The files have more than {} items.", limits::READER_ITEMS));
        }
    }
    if is_whole || found.items.len() >= most {
        return Ok(found);
    }
    Err(format!(
        "The files are more than {} or have more than {} bytes.",
        limits::READER_ITEMS,
        limits::READER_BYTES
    ))
}

/// The items of an array, or of an object that an `ItemsPointer` leads to; no more are built.
fn json(text: &str, pointer: &str, most: usize) -> Result<Vec<Entry>, String> {
    let found = pick(text, pointer, most.min(limits::READER_ITEMS + 1));
    match found.map_err(|error| format!("The file is not JSON: {error}"))? {
        Some(Picked::Items(items)) => Ok(items.into_iter().map(Entry::plain).collect()),
        // Without a pointer AWS was recorded to refuse an object.
        Some(Picked::Members(members)) if !pointer.is_empty() => {
            Ok(members.into_iter().map(Entry::keyed).collect())
        }
        Some(_) => Err("Attempting to map over non-iterable node.".to_owned()),
        None => Err("The provided ReaderConfig.ItemsPointer does not match any valid path in the \
                     JSON structure."
            .to_owned()),
    }
}

fn lines(text: &str, most: usize) -> Result<Vec<Value>, String> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .take(most.min(limits::READER_ITEMS + 1))
        .map(|(index, line)| {
            serde_json::from_str(line)
                .map_err(|error| format!("Line {} is not JSON: {error}", index + 1))
        })
        .collect()
}

fn csv(
    text: &str,
    given: Option<&[String]>,
    delimiter: char,
    most: usize,
) -> Result<Vec<Value>, String> {
    let mut rows = Rows { rest: text, delimiter };
    let headers: Vec<String> = match given {
        Some(headers) => headers.to_vec(),
        None => rows.next().unwrap_or_default(),
    };
    let mut seen = std::collections::BTreeSet::new();
    if !headers.iter().all(|header| seen.insert(header)) {
        return Err("CSV headers cannot contain duplicates.".to_owned());
    }
    let item = |row: Vec<String>| {
        let mut cells = row.into_iter();
        let member =
            |header: &String| (header.clone(), Value::String(cells.next().unwrap_or_default()));
        Value::Object(headers.iter().map(member).collect::<Map<_, _>>())
    };
    Ok(rows.take(most.min(limits::READER_ITEMS + 1)).map(item).collect())
}

/// The rows of a CSV text (RFC 4180), empty lines left out.
pub(super) struct Rows<'t> {
    pub(super) rest: &'t str,
    pub(super) delimiter: char,
}

impl Iterator for Rows<'_> {
    type Item = Vec<String>;

    fn next(&mut self) -> Option<Vec<String>> {
        self.rest = self.rest.trim_start_matches(['\r', '\n']);
        if self.rest.is_empty() {
            return None;
        }
        let mut row = Vec::new();
        let mut cell = String::new();
        let mut quoted = false;
        let mut chars = self.rest.char_indices().peekable();
        while let Some((at, char)) = chars.next() {
            match char {
                '"' if quoted => {
                    if chars.next_if(|(_, next)| *next == '"').is_some() {
                        cell.push('"');
                    } else {
                        quoted = false;
                    }
                }
                '"' if cell.is_empty() => quoted = true,
                '\r' | '\n' if !quoted => {
                    self.rest = &self.rest[at..];
                    row.push(cell);
                    return Some(row);
                }
                char if char == self.delimiter && !quoted => row.push(std::mem::take(&mut cell)),
                char => cell.push(char),
            }
        }
        self.rest = "";
        row.push(cell);
        Some(row)
    }
}
