//! A JSON value that several hold, and its text, which is made when somebody reads it.
//!
//! > A state's input stands in up to three events, is what the state before it gave, and may be the
//! > input of the execution: it is one value, and one text. What a caller waits for is the value; the
//! > text is for the history, which is written down when nobody waits. The value may stay for a year
//! > of waiting; the text goes with the events that were read.

use crate::limits::PAYLOAD_DEPTH;
use crate::value::most_bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

/// A shared value. Cheap to clone; in a snapshot it is the value itself.
#[derive(Clone, Default)]
pub struct Json(Arc<Shared>);

#[derive(Default)]
struct Shared {
    value: Value,
    /// The text, while somebody holds it.
    text: Mutex<Weak<String>>,
}

impl Shared {
    /// The text, if somebody holds it.
    fn held(&self) -> Option<Arc<String>> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    fn text(&self) -> Arc<String> {
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        text.upgrade().unwrap_or_else(|| {
            let made = Arc::new(self.value.to_string());
            *text = Arc::downgrade(&made);
            made
        })
    }
}

impl Json {
    /// The value, copied if others hold it.
    pub fn into_value(self) -> Value {
        match Arc::try_unwrap(self.0) {
            Ok(shared) => shared.value,
            Err(shared) => shared.value.clone(),
        }
    }

    /// Whether its text is in memory.
    #[cfg(test)]
    pub(crate) fn has_text(&self) -> bool {
        self.0.held().is_some()
    }

    /// Whether it is the very same one, and not one that is equal.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        Self(Arc::new(Shared { value, text: Mutex::default() }))
    }
}

impl Deref for Json {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0.value
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.is(other) || self.0.value == other.0.value
    }
}

impl PartialEq<Value> for Json {
    fn eq(&self, other: &Value) -> bool {
        self.0.value == *other
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.value.fmt(f)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from)
    }
}

/// The text of a value, such as an event has it. Written down it is a string.
///
/// Who reads it makes the text, which all texts of that value share for as long as one that was read
/// is there. Who only writes it down makes none.
#[derive(Clone)]
pub struct Text(Kind);

#[derive(Clone)]
enum Kind {
    Of(Json, OnceLock<Arc<String>>),
    /// Of an event that was read.
    Read(String),
}

impl Text {
    /// The value; nothing if the text is not JSON.
    pub fn value(&self) -> Option<Cow<'_, Value>> {
        match &self.0 {
            Kind::Of(json, _) => Some(Cow::Borrowed(json)),
            Kind::Read(text) => serde_json::from_str(text).ok().map(Cow::Owned),
        }
    }

    /// What tells texts of the same shared value from those of others, for as long as the value is
    /// there. Not every text has one.
    pub fn address(&self) -> Option<usize> {
        match &self.0 {
            Kind::Of(json, _) => Some(Arc::as_ptr(&json.0).addr()),
            Kind::Read(_) => None,
        }
    }
}

impl From<&Json> for Text {
    fn from(json: &Json) -> Self {
        Self(Kind::Of(json.clone(), OnceLock::new()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Kind::Read(text))
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Kind::Of(json, text) => text.get_or_init(|| json.0.text()),
            Kind::Read(text) => text,
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kind::Of(one, _), Kind::Of(other, _)) if one.is(other) => true,
            _ => **self == **other,
        }
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Kind::Of(json, _) => match json.0.held() {
                Some(text) => serializer.serialize_str(&text),
                None => serializer.collect_str(&json.0.value),
            },
            Kind::Read(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// Whether all of these have together no more than `most` bytes as JSON. They are written out only
/// when it is a near thing.
pub fn fits<'a>(values: impl Iterator<Item = &'a Value> + Clone, most: usize) -> bool {
    if values.clone().map(most_bytes).sum::<usize>() <= most {
        return true;
    }
    let mut room = Room(most);
    for value in values {
        if serde_json::to_writer(&mut room, value).is_err() {
            return false;
        }
    }
    true
}

/// Takes so many bytes, and keeps none.
struct Room(usize);

impl io::Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a value is nested no deeper than a snapshot of it can be read.
pub(crate) fn is_shallow(value: &Value) -> bool {
    is_within(value, PAYLOAD_DEPTH)
}

fn is_within(value: &Value, left: usize) -> bool {
    match value {
        Value::Array(_) | Value::Object(_) if left == 0 => false,
        Value::Array(items) => items.iter().all(|item| is_within(item, left - 1)),
        Value::Object(members) => members.values().all(|member| is_within(member, left - 1)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_text_is_a_string_when_written_and_the_value_s_own_when_read() {
        let value = Json::from(json!({"a": ["\u{7}", 1.0]}));
        let text = Text::from(&value);
        let written = serde_json::to_string(&text).unwrap();
        let read: Text = serde_json::from_str(&written).unwrap();
        assert_eq!((&*read, &read), (r#"{"a":["\u0007",1.0]}"#, &text));
        assert_eq!(read.value().unwrap().into_owned(), value.clone().into_value());
        assert_eq!(serde_json::to_value(&value).unwrap(), *value);
    }

    #[test]
    fn a_text_that_is_only_written_is_not_kept_and_one_that_is_read_goes_with_its_readers() {
        let value = Json::from(json!({"a": "\u{1F600}\"\n\\", "b": [0.5, null]}));
        let (one, other) = (Text::from(&value), Text::from(&value));
        let written = serde_json::to_string(&one).unwrap();
        assert!(!value.has_text());
        assert!(std::ptr::eq(&*one, &*other), "who reads it later reads the same");
        assert_eq!(serde_json::to_string(&one).unwrap(), written);
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), *one);
        drop(one);
        assert!(value.has_text());
        drop(other);
        assert!(!value.has_text());
    }

    #[test]
    fn what_fits_is_known_to_the_byte() {
        for value in [json!({"a": "\u{1}é\"", "b": [1, 2.5, null]}), json!("xxxx"), json!([])] {
            let bytes = value.to_string().len();
            assert!(fits([&value].into_iter(), bytes));
            assert!(!fits([&value].into_iter(), bytes - 1));
            assert!(fits([&value, &value].into_iter(), 2 * bytes));
            assert!(!fits([&value, &value].into_iter(), 2 * bytes - 1));
        }
    }
}
