//! Tables: their key schema and indexes, and the bytes under which items are kept.

use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use super::value::{Item, Value, get};

/// A partition key may have this many bytes (Developer Guide, "Quotas").
const PARTITION_BYTES: usize = 2048;
/// A sort key this many.
const SORT_BYTES: usize = 1024;

/// Where it stands in a kept definition that the key was guessed, and how.
const GUESSED: &str = "guessed";

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// `TableName`.
    pub name: String,
    /// `HASH` of its key schema.
    pub partition: KeyAttribute,
    /// `RANGE` of its key schema.
    #[serde(default)]
    pub sort: Option<KeyAttribute>,
    /// Secondary indexes, global and local alike: here both are always up to date.
    #[serde(default)]
    pub indexes: Vec<Index>,
    /// That its key was guessed from an item; kept beside the definition.
    #[serde(skip)]
    pub(super) guess: Option<Guess>,
}

/// How a key was guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Guess {
    /// A name that keys have, or a condition told it.
    Firm,
    /// A name that looks like one: no item takes the place of another.
    Weak,
}

impl Table {
    /// A table of one partition key and, it may be, a sort key.
    pub fn new(name: &str, partition: KeyAttribute, sort: Option<KeyAttribute>) -> Self {
        Self { name: name.to_owned(), partition, sort, indexes: Vec::new(), guess: None }
    }

    /// Its definition as it is kept, with the guess if it is one.
    pub(super) fn to_kept(&self) -> serde_json::Result<Vec<u8>> {
        let mut kept = serde_json::to_value(self)?;
        if let Some(guess) = self.guess {
            kept[GUESSED] = serde_json::to_value(guess)?;
        }
        serde_json::to_vec(&kept)
    }

    /// A definition that was kept.
    pub(super) fn of_kept(body: &[u8]) -> serde_json::Result<Self> {
        let mut kept: serde_json::Value = serde_json::from_slice(body)?;
        let guess = kept.as_object_mut().and_then(|kept| kept.remove(GUESSED));
        let guess = guess.map(serde_json::from_value).transpose()?;
        Ok(Self { guess, ..serde_json::from_value(kept)? })
    }
}

/// An attribute of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyAttribute {
    /// `AttributeName`.
    pub name: String,
    /// `AttributeType`.
    #[serde(rename = "type", default)]
    pub kind: KeyKind,
}

/// What a key attribute may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum KeyKind {
    #[default]
    S,
    N,
    B,
}

impl KeyKind {
    /// `S`, `N` or `B`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::N => "N",
            Self::B => "B",
        }
    }

    /// Of a value, if such values can be keys.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::S(_) => Some(Self::S),
            Value::N(_) => Some(Self::N),
            Value::B(_) => Some(Self::B),
            _ => None,
        }
    }
}

/// A secondary index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// `IndexName`.
    pub name: String,
    /// `HASH` of its key schema.
    pub partition: KeyAttribute,
    /// `RANGE` of its key schema.
    #[serde(default)]
    pub sort: Option<KeyAttribute>,
    /// What of an item is found through it.
    #[serde(default)]
    pub projection: Projection,
}

/// What of an item an index has (API Reference, `Projection`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Projection {
    /// Everything.
    #[default]
    All,
    /// The keys.
    KeysOnly,
    /// The keys and these attributes.
    Include(Vec<String>),
}

/// A key schema: of a table or an index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schema<'a> {
    /// `HASH`.
    pub(super) partition: &'a KeyAttribute,
    /// `RANGE`.
    pub(super) sort: Option<&'a KeyAttribute>,
}

impl<'a> Schema<'a> {
    /// Its attributes in order.
    pub(super) fn attributes(self) -> impl Iterator<Item = &'a KeyAttribute> + use<'a> {
        std::iter::once(self.partition).chain(self.sort)
    }
}

impl Table {
    /// Where its items are kept.
    pub(super) fn space(&self) -> String {
        format!("dynamodb/items/{}", self.name)
    }

    /// Where the entries of an index are kept.
    pub(super) fn index_space(&self, index: &Index) -> String {
        format!("dynamodb/index/{}/{}", self.name, index.name)
    }

    /// Its key schema.
    pub(super) fn schema(&self) -> Schema<'_> {
        Schema { partition: &self.partition, sort: self.sort.as_ref() }
    }

    /// The key of an item that is put.
    pub(super) fn key_of_item(&self, item: &Item) -> Result<Vec<u8>, Refusal> {
        let mut bytes = Vec::new();
        for (at, attribute) in self.schema().attributes().enumerate() {
            let name = &attribute.name;
            let Some(value) = get(item, name) else {
                return Err(invalid(format!("Missing the key {name} in the item")));
            };
            if KeyKind::of(value) != Some(attribute.kind) {
                return Err(invalid(format!(
                    "Type mismatch for key {name} expected: {} actual: {}",
                    attribute.kind.name(),
                    value.kind()
                )));
            }
            check_length(name, value, at == 0)?;
            bytes.extend(ordered_bytes(value));
        }
        Ok(bytes)
    }

    /// The key that is named by `Key`: all its attributes, and no others.
    pub(super) fn key_of_key(&self, key: &Item) -> Result<Vec<u8>, Refusal> {
        let mismatch = || Refusal::validation("The provided key element does not match the schema");
        if key.len() != self.schema().attributes().count() {
            return Err(Refusal::validation("The number of conditions on the keys is invalid"));
        }
        let mut bytes = Vec::new();
        for (at, attribute) in self.schema().attributes().enumerate() {
            let value = get(key, &attribute.name).ok_or_else(mismatch)?;
            if KeyKind::of(value) != Some(attribute.kind) {
                return Err(mismatch());
            }
            check_length(&attribute.name, value, at == 0)?;
            bytes.extend(ordered_bytes(value));
        }
        Ok(bytes)
    }

    /// The names in its key, for people.
    pub(super) fn key_names(&self) -> String {
        let names: Vec<&str> = self.schema().attributes().map(|key| key.name.as_str()).collect();
        names.join(" and ")
    }

    /// Whether an attribute is part of its key.
    pub(super) fn is_key(&self, name: &str) -> bool {
        self.schema().attributes().any(|attribute| attribute.name == name)
    }
}

impl Index {
    /// Its key schema.
    pub(super) fn schema(&self) -> Schema<'_> {
        Schema { partition: &self.partition, sort: self.sort.as_ref() }
    }

    /// The key of an item's entry; `None`: an item without the index's attributes is not in it.
    pub(super) fn key_of_item(
        &self,
        item: &Item,
        primary: &[u8],
    ) -> Result<Option<Vec<u8>>, Refusal> {
        let mut bytes = Vec::new();
        for attribute in self.schema().attributes() {
            let Some(value) = get(item, &attribute.name) else { return Ok(None) };
            if KeyKind::of(value) != Some(attribute.kind) {
                return Err(invalid(format!(
                    "Type mismatch for Index Key {} Expected: {} Actual: {} IndexName: {}",
                    attribute.name,
                    attribute.kind.name(),
                    value.kind(),
                    self.name
                )));
            }
            if is_empty(value) {
                return Err(Refusal::validation(format!(
                    "One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty {} value. IndexName: {}, IndexKey: {}",
                    if attribute.kind == KeyKind::B { "binary" } else { "string" },
                    self.name,
                    attribute.name
                )));
            }
            bytes.extend(ordered_bytes(value));
        }
        bytes.extend_from_slice(primary);
        Ok(Some(bytes))
    }

    /// What of an item is in its entry.
    pub(super) fn project(&self, table: &Table, item: &Item) -> Item {
        let is_key =
            |name: &str| table.is_key(name) || self.schema().attributes().any(|a| a.name == name);
        let wanted = |name: &str| match &self.projection {
            Projection::All => true,
            Projection::KeysOnly => is_key(name),
            Projection::Include(names) => is_key(name) || names.iter().any(|n| n == name),
        };
        item.iter().filter(|(name, _)| wanted(name)).cloned().collect()
    }
}

fn invalid(why: String) -> Refusal {
    Refusal::validation(format!("One or more parameter values were invalid: {why}"))
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::S(text) if text.is_empty())
        || matches!(value, Value::B(bytes) if bytes.is_empty())
}

fn check_length(name: &str, value: &Value, partition: bool) -> Result<(), Refusal> {
    if is_empty(value) {
        let kind = if value.kind() == "B" { "binary" } else { "string" };
        return Err(Refusal::validation(format!(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty {kind} value. Key: {name}"
        )));
    }
    match (partition, value.size()) {
        (true, size) if size > PARTITION_BYTES => Err(invalid(format!(
            "Size of hashkey has exceeded the maximum size limit of{PARTITION_BYTES} bytes"
        ))),
        (false, size) if size > SORT_BYTES => Err(invalid(format!(
            "Aggregated size of all range keys has exceeded the size limit of {SORT_BYTES} bytes"
        ))),
        _ => Ok(()),
    }
}

/// Bytes in the order of key values of one type, none a prefix of another.
pub(super) fn ordered_bytes(value: &Value) -> Vec<u8> {
    let mut bytes = match value {
        Value::N(number) => return number.ordered_bytes(),
        Value::S(text) => escaped(text.as_bytes()),
        Value::B(bytes) => escaped(bytes),
        _ => Vec::new(),
    };
    bytes.extend([0, 1]);
    bytes
}

/// Bytes that begin those of every key value that begins with `value`.
pub(super) fn prefix_bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::S(text) => Some(escaped(text.as_bytes())),
        Value::B(bytes) => Some(escaped(bytes)),
        _ => None,
    }
}

/// A zero byte becomes `00 FF`, so that `00 01` can end a value and still come first.
fn escaped(bytes: &[u8]) -> Vec<u8> {
    let escape = |b: &u8| if *b == 0 { vec![0, 0xFF] } else { vec![*b] };
    bytes.iter().flat_map(escape).collect()
}

/// The first bytes behind all that begin with `prefix`; `None`: there are none.
pub(super) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|b| *b < 0xFF)?;
    let mut bytes = prefix[..=last].to_vec();
    bytes[last] += 1;
    Some(bytes)
}
