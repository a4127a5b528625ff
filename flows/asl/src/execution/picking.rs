//! The items of a JSON text by its `ItemsPointer`, as many as are wanted and nothing else of the text:
//! what stands beside or behind them is looked through, not built. And how many items a text has.

use std::collections::{HashMap, HashSet};
use std::marker::PhantomData;

use serde::Deserialize as _;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny};
use serde::de::{MapAccess, SeqAccess, Visitor};

use super::items::Rows;
use crate::limits;
use crate::machine::model::Format;

/// What a pointer leads to.
#[derive(Debug, PartialEq)]
pub(super) enum Picked<T> {
    Items(Vec<T>),
    Members(Vec<(String, T)>),
    Other,
}

/// Picks what `pointer` (RFC 6901) leads to in `text`, with `most` items at most. `None`: it leads nowhere.
/// To count is to pick [`IgnoredAny`], which takes no room.
pub(super) fn pick<T: DeserializeOwned>(
    text: &str,
    pointer: &str,
    most: usize,
) -> serde_json::Result<Option<Picked<T>>> {
    let tokens = tokens(pointer);
    let mut reader = serde_json::Deserializer::from_str(text);
    let found = match &tokens {
        Some(tokens) => At { tokens, most, item: PhantomData }.deserialize(&mut reader)?,
        None => IgnoredAny::deserialize(&mut reader).map(|_| None)?,
    };
    reader.end()?;
    Ok(found)
}

/// How many items, `most` at most, a text has; `None`: it cannot be read, or has too many.
pub(super) fn count(text: &str, format: &Format, most: usize) -> Option<usize> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let enough = most.min(limits::READER_ITEMS + 1);
    let count = match format {
        Format::Csv { headers, delimiter } => {
            let mut rows = Rows { rest: text, delimiter: *delimiter };
            let own = if headers.is_none() { rows.next() } else { None };
            let names = headers.as_ref().or(own.as_ref()).map_or(&[][..], Vec::as_slice);
            let mut seen = HashSet::new();
            if !names.iter().all(|name| seen.insert(name)) {
                return None;
            }
            rows_in(rows.rest, *delimiter, enough)
        }
        Format::Jsonl => {
            let lines = text.lines().filter(|line| !line.trim().is_empty()).take(enough);
            let whole = lines.map(|line| serde_json::from_str::<IgnoredAny>(line).ok());
            whole.collect::<Option<Vec<IgnoredAny>>>()?.len()
        }
        Format::Json { pointer } => counted(text, pointer.as_deref().unwrap_or(""), enough)?,
        Format::Objects => counted(text, "", enough)?,
    };
    (count <= limits::READER_ITEMS).then_some(count)
}

fn counted(text: &str, pointer: &str, most: usize) -> Option<usize> {
    match pick::<IgnoredAny>(text, pointer, most).ok()?? {
        Picked::Items(items) => Some(items.len()),
        Picked::Members(members) if !pointer.is_empty() => Some(members.len()),
        _ => None,
    }
}

/// As [`Rows`] reads them.
fn rows_in(text: &str, delimiter: char, most: usize) -> usize {
    let (mut rows, mut quoted, mut in_row, mut in_cell) = (0, false, false, false);
    let mut chars = text.chars().peekable();
    while rows < most {
        let Some(char) = chars.next() else { return rows + usize::from(in_row) };
        match char {
            '"' if quoted => {
                if chars.next_if_eq(&'"').is_some() {
                    in_cell = true;
                } else {
                    quoted = false;
                }
            }
            '"' if !in_cell => (quoted, in_row) = (true, true),
            '\r' | '\n' if !quoted => {
                rows += usize::from(in_row);
                (in_row, in_cell) = (false, false);
            }
            char if char == delimiter && !quoted => (in_row, in_cell) = (true, false),
            _ => (in_row, in_cell) = (true, true),
        }
    }
    rows
}

/// The names that a pointer leads along; `None`: it is none.
fn tokens(pointer: &str) -> Option<Vec<String>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    let names = pointer.strip_prefix('/')?.split('/');
    Some(names.map(|name| name.replace("~1", "/").replace("~0", "~")).collect())
}

/// `01` and `+1` are none (RFC 6901, section 4).
fn index(token: &str) -> Option<usize> {
    let is_plain = token == "0" || !token.starts_with(['0', '+']);
    token.parse().ok().filter(|_| is_plain)
}

/// Where in a text the rest of a pointer begins.
struct At<'t, T> {
    tokens: &'t [String],
    most: usize,
    item: PhantomData<T>,
}

impl<'t, T> At<'t, T> {
    fn next(&self, tokens: &'t [String]) -> Self {
        Self { tokens, most: self.most, item: PhantomData }
    }

    /// Something that has no items.
    fn other<E>(&self) -> Result<Option<Picked<T>>, E> {
        Ok(self.tokens.is_empty().then_some(Picked::Other))
    }
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for At<'_, T> {
    type Value = Option<Picked<T>>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for At<'_, T> {
    type Value = Option<Picked<T>>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let Some((token, rest)) = self.tokens.split_first() else {
            let mut items = Vec::new();
            while items.len() < self.most
                && let Some(item) = seq.next_element()?
            {
                items.push(item);
            }
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Some(Picked::Items(items)));
        };
        let wanted = index(token);
        let mut found = None;
        for at in 0.. {
            if Some(at) == wanted {
                let Some(item) = seq.next_element_seed(self.next(rest))? else { break };
                found = item;
            } else if seq.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// Of a name that stands there twice the last counts, at the place of the first.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Some((token, rest)) = self.tokens.split_first() else {
            let mut members: Vec<(String, T)> = Vec::new();
            let mut places = HashMap::new();
            while let Some(name) = map.next_key::<String>()? {
                let place = places.get(&name).copied();
                if let Some((_, value)) = place.and_then(|place: usize| members.get_mut(place)) {
                    *value = map.next_value()?;
                } else if members.len() < self.most {
                    places.insert(name.clone(), members.len());
                    members.push((name, map.next_value()?));
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            return Ok(Some(Picked::Members(members)));
        };
        let mut found = None;
        while let Some(name) = map.next_key::<String>()? {
            if name == *token {
                found = map.next_value_seed(self.next(rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        self.other()
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        self.other()
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        self.other()
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        self.other()
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        self.other()
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        self.other()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::items;
    use super::*;

    /// An item of which only so many are built.
    #[derive(serde::Deserialize)]
    #[serde(try_from = "u64")]
    struct Built;

    impl TryFrom<u64> for Built {
        type Error = String;

        fn try_from(n: u64) -> Result<Self, String> {
            if n < 3 { Ok(Self) } else { Err(format!("{n} was built")) }
        }
    }

    #[test]
    fn no_more_items_are_built_than_are_wanted_and_nothing_beside_them() {
        let text = r#"{"a": [7, 8], "b": [5, [0, 1, 2, 3, 4], 6], "c": {"d": 9}}"#;
        assert!(
            matches!(pick::<Built>(text, "/b/1", 3), Ok(Some(Picked::Items(i))) if i.len() == 3)
        );
        assert!(pick::<Built>(text, "/b/1", 4).is_err(), "the fourth would be");
        let members = r#"{"m": {"a": 0, "b": 1, "c": 2, "d": 3}}"#;
        let found = pick::<Built>(members, "/m", 3);
        assert!(matches!(found, Ok(Some(Picked::Members(m))) if m.len() == 3));
        assert!(pick::<Value>("[1, 2, 3", "", 1).is_err(), "the rest is looked through");
        assert!(pick::<Value>("[1] 2", "", 1).is_err());
    }

    #[test]
    fn a_pointer_leads_where_it_leads_in_a_document_that_is_built() {
        let text = r#"{"a/b": [1, {"~": [true], "": null}], "c": 1, "c": {"x": 1, "y": 2, "x": 3}, "01": "s"}"#;
        let document: Value = serde_json::from_str(text).unwrap();
        for pointer in [
            "",
            "/",
            "a",
            "/c",
            "/c/x",
            "/c/z",
            "/a~1b",
            "/a~1b/0",
            "/a~1b/1",
            "/a~1b/01",
            "/a~1b/+1",
            "/a~1b/2",
            "/a~1b/1/~0",
            "/a~1b/1/~0/0",
            "/a~1b/1/",
            "/a~1b/1/~0/0/0",
            "/01",
            "/a~1b/-",
        ] {
            let expected = document.pointer(pointer).cloned().map(|value| match value {
                Value::Array(items) => Picked::Items(items),
                Value::Object(members) => Picked::Members(members.into_iter().collect()),
                _ => Picked::Other,
            });
            assert_eq!(pick::<Value>(text, pointer, 9).unwrap(), expected, "{pointer}");
        }
    }

    fn formats() -> Vec<Format> {
        let csv = |headers: Option<&[&str]>, delimiter| Format::Csv {
            headers: headers.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
            delimiter,
        };
        let json = |pointer: Option<&str>| Format::Json { pointer: pointer.map(Into::into) };
        vec![
            csv(None, ','),
            csv(None, ';'),
            csv(Some(&["a", "b"]), ','),
            csv(Some(&["a", "a"]), ','),
            json(None),
            json(Some("/a")),
            Format::Jsonl,
            Format::Objects,
        ]
    }

    proptest! {
        #[test]
        fn as_many_items_are_counted_as_are_read(
            text in "([\"\r\n,;a1]{0,14}|([\\[\\]{}:,\"a1 ]|\"a\":|\n){0,12}|\\[(1,){0,4}1\\]|\\{\"a\":(\\[1,2\\]|\\{\"x\":1,\"y\":2,\"x\":3\\})\\})",
            most in 0_usize..5,
        ) {
            for format in formats() {
                let read = items::read(&text, &format, most).ok().map(|items| items.len());
                prop_assert_eq!(count(&text, &format, most), read, "{:?}", format);
            }
        }
    }

    #[test]
    fn a_text_with_too_many_items_cannot_be_read() {
        let text = |n: usize| json!(vec![0; n]).to_string();
        let format = Format::Json { pointer: None };
        let most = limits::READER_ITEMS;
        assert_eq!(count(&text(most), &format, usize::MAX), Some(most));
        assert_eq!(count(&text(most + 1), &format, usize::MAX), None);
        assert_eq!(count(&text(most + 1), &format, most), Some(most));
        assert!(items::read(&text(most + 1), &format, usize::MAX).is_err());
    }
}
